"""What is known of some rows before they are compared: row, ledger entry, record and stock."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from reverse_etl.planning.matching import Matches
from reverse_etl.planning.scan import Candidate, Scan
from reverse_etl.spec.syncs import Sync
from reverse_etl.state import ledger
from reverse_etl.state.destination import Record
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import now


@dataclass(frozen=True)
class Subject:
    """Everything known of one row when it is compared."""

    key: str
    row: Mapping[str, Any]
    row_hash: str
    entry: Entry | None
    """The ledger's row, or an empty one around a record that is being adopted."""
    record: Record | None
    """What the mirror shows, if it is newer than our last write."""
    mirror_hash: str | None
    is_gone: bool = False
    is_adopted: bool = False
    stock_seen: int | None = None
    likeness: str | None = None
    """Of a row that is being adopted: what suggests the record, where that is no proof."""
    succeeds: str | None = None
    """Of a row that is being adopted: the row of ours that the record belonged to."""
    withheld: frozenset[str] = frozenset()
    """Fields whose change waits for a person."""

    @property
    def is_unknown(self) -> bool:
        """Whether the ledger does not know the row."""
        return self.entry is None or self.is_adopted


def subjects(
    scan: Scan, candidates: Sequence[Candidate], matches: Matches, withheld: Mapping[str, Collection[str]]
) -> Iterator[Subject]:
    """The candidates that the model still has.

    Documents older than our last write, and stocks that are not written, are not read.
    """
    sync, keys = scan.sync, [candidate.key for candidate in candidates]
    rows = scan.rows(keys)
    entries = ledger.read(scan.session, sync, keys)
    adoptable = {key: parent or remote for key, (remote, parent) in matches.found.items()}
    document_keys = {
        candidate.key: adoptable.get(candidate.key, candidate.document_key)
        for candidate in candidates
        if candidate.is_fresh or candidate.key in adoptable
    }
    wanted_documents = sorted({key for key in document_keys.values() if key})
    documents = scan.mirror.documents(wanted_documents)
    hashes = scan.mirror.hashes(wanted_documents) if adoptable else {}
    stocks = scan.mirror.stocks(_with_stock_to_write(sync, rows, entries, matches))
    for candidate in candidates:
        key = candidate.key
        if key not in rows:
            continue
        entry, is_adopted = entries.get(key), key in adoptable
        document_key = document_keys.get(key) or ""
        document = documents.get(document_key)
        record = None
        if is_adopted and document is not None:
            record = scan.destination.record(sync, document, matches.found[key][0])
            entry = adopted(sync, key, record) if record else None
        elif entry is not None and document is not None:
            record = scan.destination.record(sync, document, entry.remote_id)
        yield Subject(
            key=key, row=rows[key], row_hash=rows[key]["_hash"], entry=entry, record=record,
            mirror_hash=hashes.get(document_key) if is_adopted else candidate.mirror_hash,
            is_gone=entry is not None and record is None
            and (candidate.is_missing or (candidate.is_fresh and document_key in documents)),
            is_adopted=is_adopted, stock_seen=stock_seen(entry, stocks), likeness=matches.likely.get(key),
            succeeds=matches.successions.get(key), withheld=frozenset(withheld.get(key, ())),
        )  # fmt: skip


def last_known(scan: Scan, leaving: Sequence[Candidate]) -> Iterator[tuple[Candidate, Entry]]:
    """The ledger's rows of candidates that left the model, with what the mirror shows of their records since."""
    entries = ledger.read(scan.session, scan.sync, [one.key for one in leaving])
    documents = scan.mirror.documents(
        [one.document_key for one in leaving if one.document_key and one.is_fresh]
    )
    for one in leaving:
        entry, document = entries[one.key], documents.get(one.document_key or "")
        record = scan.destination.record(scan.sync, document, entry.remote_id) if document else None
        yield one, replace(entry, extras=record.extras) if record and record.extras else entry


def adopted(sync: Sync, key: str, record: Record) -> Entry:
    """An empty ledger row around a record that was there before us."""
    return Entry(
        *sync.target, sync.name, key, record.remote_id, record.parent_remote_id, now(), extras=record.extras
    )


def _with_stock_to_write(
    sync: Sync, rows: Mapping[str, Mapping[str, Any]], entries: Mapping[str, Entry], matches: Matches
) -> list[str]:
    """Records whose stock is not what we last sent."""
    if sync.stock is None:
        return []
    column = sync.stock.column
    known = [
        entry.remote_id
        for key, entry in entries.items()
        if key in rows and (entry.removed or rows[key][column] != entry.stock_sent)
    ]
    return [*known, *(remote for remote, _ in matches.found.values())]


def stock_seen(entry: Entry | None, stocks: Mapping[str, tuple[datetime, int | None]]) -> int | None:
    """The newer of what the mirror saw and what the destination answered us."""
    if entry is None:
        return None
    at, quantity = stocks.get(entry.remote_id, (None, None))
    if at is None or (entry.stock_at is not None and entry.stock_at > at):
        return entry.stock_answered
    return quantity
