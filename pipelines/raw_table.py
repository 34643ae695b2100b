"""One raw table seen from one load: what is new against the warehouse, and what is gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

import pyarrow as pa

from karvon.http import Refused
from karvon.warehouse import Session, Warehouse
from pipelines.document import canonical_document
from pipelines.kept import Kept
from pipelines.load_report import ResourceReport
from pipelines.source import Batch, Document

CHUNK_BYTES = 8 * 1024 * 1024
"""Documents compared with the warehouse at once, with what Python needs for each beside its text."""
_BESIDE_TEXT = 400

Rows = dict[str, tuple[bytes, str]]
"""By key: canonical JSON and its hash."""


class _Last:
    """The latest rows of some keys. As Python objects only when asked for: the warehouse is given back before."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows

    @cached_property
    def live(self) -> Mapping[str, str | None]:
        """Key → hash of those that live."""
        return dict(zip(*self._columns(is_deleted=False), strict=True))

    @cached_property
    def buried(self) -> set[str]:
        """The keys that have a tombstone."""
        return set(self._columns(is_deleted=True)[0])

    def _columns(self, *, is_deleted: bool) -> tuple[list[str], list[str | None]]:
        # Slow to import, and most commands never come here.
        import pyarrow.compute

        rows = self._rows.filter(pyarrow.compute.equal(self._rows["is_deleted"], is_deleted))
        return rows["document_key"].to_pylist(), rows["document_hash"].to_pylist()


_NOTHING = pa.schema(
    {"document_key": pa.string(), "document_hash": pa.string(), "is_deleted": pa.bool_()}
).empty_table()


@dataclass(frozen=True)
class Past:
    """Where the last complete load of a resource ended, and when its list was last read whole (UTC)."""

    cursor: str | None = None
    reached: str | None = None
    """The newest cursor of any load, complete or not: a place that a number names, which loads that failed leave as
    good as it was."""
    last_sweep_at: datetime | None = None
    cursor_stood: timedelta = timedelta(0)
    """From the first load that ended at this cursor to the last one, by our clock."""
    left_off: str | None = None
    """The cursor of the very last load, if it did not get to the end: a place that the API named. After a load that
    failed there it is gone, so that a place which the API has forgotten is not asked for again for ever."""


class Keyed(Protocol):
    """What is known of the documents of a table; a `Resource` is one."""

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> Callable[[Document], str | None]:
        """A document that has none is counted as failed."""

    @property
    def noise(self) -> tuple[str, ...]: ...

    @property
    def kept(self) -> Kept | None: ...

    @property
    def shrink_advice(self) -> str: ...


class RawTable:
    """One raw table seen from one load: what is new against the warehouse and against this load itself."""

    def __init__(
        self,
        schema: str,
        resource: Keyed,
        connection: str,
        warehouse: Warehouse,
        now: datetime,
        *,
        table: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """`table` is shared by several resources when it is given; `labels` are further columns that tell them
        apart, part of the identity of every row."""
        self._schema, self._resource, self._connection = schema, resource, connection
        self._warehouse, self._now = warehouse, now
        self._table = f"{self._schema}.{table or resource.name}"
        self._labels = {"connection": connection, **(labels or {})}
        self._ours = " AND ".join(f"{name} = ${place}" for place, name in enumerate(self._labels, 1))
        self._keys = f"${len(self._labels) + 1}"
        self._pending: Rows = {}
        self._pending_bytes = 0
        self._chunks = 0
        self._last: _Last | None = None
        self._gone: set[str] = set()
        self._buried: set[str] = set()
        self._seen: dict[str, str | None] = {}
        with warehouse.session() as session:
            self._is_empty = not session.has_table(self._table) or not session.value(
                f"SELECT 1 FROM {self._table} WHERE {self._ours} LIMIT 1", tuple(self._labels.values())
            )
            self.past = self._read_past(session)

    def expect_everything(self) -> None:
        """The whole list is coming: read the last hashes of all keys at once, not by chunks."""
        self._last = self._read_last()

    def _read_past(self, session: Session) -> Past:
        """Cursor and last complete listing, of loads that were committed whole."""
        if not session.has_table(f"{self._schema}.observations"):
            return Past()
        any_load = (
            f"FROM {self._schema}.observations o "
            f"JOIN {self._schema}._dlt_loads l ON l.load_id = o._dlt_load_id AND l.status = 0 "
            "WHERE o.resource = $1 AND o.connection = $2"
        )
        committed = f"{any_load} AND o.is_complete"
        identity = (self._resource.name, self._connection)
        newest = "AND o.cursor_value IS NOT NULL ORDER BY o.observed_at DESC, o._dlt_load_id DESC LIMIT 1"
        cursor = session.value(f"SELECT o.cursor_value {committed} {newest}", identity)
        reached = session.value(f"SELECT o.cursor_value {any_load} {newest}", identity)
        last_sweep_at = session.value(f"SELECT max(o.observed_at) {committed} AND o.scope = 'all'", identity)
        stood = cursor and session.value(
            f"SELECT max(o.observed_at) - min(o.observed_at) {committed} AND o.cursor_value = $3",
            (*identity, cursor),
        )
        last = session.rows(
            f"SELECT o.is_complete, o.cursor_value {any_load} ORDER BY o.observed_at DESC, o._dlt_load_id DESC LIMIT 1",
            identity,
        )
        left_off = last[0]["cursor_value"] if last and not last[0]["is_complete"] else None
        return Past(cursor, reached, last_sweep_at, stood or timedelta(0), left_off)

    def add(self, batch: Batch, report: ResourceReport) -> pa.Table | None:
        """Take a batch in; give rows back when a chunk is full."""
        report.missing += batch.missing
        report.refused += batch.refused
        report.failed += batch.failed
        if batch.cursor is not None:
            report.cursor_value = max(batch.cursor, report.cursor_value or "")
        key_of, noise, kept = self._resource.key, self._resource.noise, self._resource.kept
        pending = self._pending
        for document in batch.documents:
            try:
                key = key_of(document)
                row = canonical_document(kept.of(document) if kept else document, noise)
            except ValueError:
                key = None
            if key is None:
                report.failed += 1
            else:
                pending[key] = row
                self._pending_bytes += len(row[0]) + _BESIDE_TEXT
        self._seen.update(dict.fromkeys(key for key in batch.present if key not in self._seen))
        self._gone.update(batch.gone)
        return self.flush(report) if self._pending_bytes >= CHUNK_BYTES else None

    def flush(self, report: ResourceReport, max_gone_percent: float = 100) -> pa.Table | None:
        """Compare the pending documents with the warehouse; rows for the new and the changed ones.

        Raises `Refused` when so many that were there are gone that the API must have changed. Counts from ten up.
        """
        changed, deletions = self._changes(report), Rows()
        if self._gone:
            last = self._last or self._read_last(sorted(self._gone))
            gone = last.live.keys() & self._gone
            if len(gone) >= 10 and len(gone) * 100 > (len(gone) + len(self._seen)) * max_gone_percent:
                self._gone = set()
                raise Refused(
                    f"{len(gone)} known records are missing and {len(self._seen)} were found, over the limit of "
                    f"{max_gone_percent:g} %; nothing was deleted. If that is right, raise "
                    "KARVON_MAX_SHRINK_PERCENT for one run; if not, the API answers in a new way."
                )
            deletions = self._deletions(gone)
            report.deleted += len(deletions)
            self._buried |= self._gone
            self._gone = set()
        return self._arrow(changed, deletions)

    def _changes(self, report: ResourceReport) -> Rows:
        """The pending documents that are not as they were, whether the warehouse or this load saw them last."""
        pending, seen = self._pending, self._seen
        again = {key for key in pending.keys() & seen.keys() if seen[key]}
        last = self._last or self._read_last(list(pending.keys() - again))
        before = {key: last.live[key] for key in pending.keys() & last.live.keys()}
        before |= {key: seen[key] for key in again}
        changed = {key: row for key, row in pending.items() if before.get(key) != row[1]}
        old = len(changed.keys() & (before.keys() | (last.buried & pending.keys())))
        report.seen += len(pending) - len(again)
        report.new += len(changed) - old
        report.changed += old
        report.unchanged += len(pending) - len(changed) - len(again - changed.keys())
        seen.update(zip(pending, (digest for _, digest in pending.values()), strict=True))
        self._pending, self._pending_bytes = {}, 0
        return changed

    def live_keys(self) -> set[str]:
        """Keys whose latest row is not a tombstone."""
        if self._last is None:
            self._last = self._read_last()
        return set(self._last.live)

    def lacking(self, parent: str, field: str, limit: int) -> list[str]:
        """Values of a top-level field in another table's documents that are no key here, the highest number first."""
        with self._warehouse.session() as session:
            if not session.has_table(f"{self._schema}.{parent}"):
                return []
            here = (
                f"AND value NOT IN (SELECT document_key FROM {self._table} WHERE connection = $1)"
                if session.has_table(self._table)
                else ""
            )
            rows = session.rows(
                f"SELECT value FROM (SELECT DISTINCT document ->> '{field}' AS value "
                f"FROM {self._schema}.{parent} WHERE connection = $1) parents "
                f"WHERE value IS NOT NULL {here} ORDER BY length(value) DESC, value DESC LIMIT {limit}",
                (self._connection,),
            )
        return [row["value"] for row in rows]

    def shrink_refusal(self, live: set[str], max_percent: float, from_rows: int = 10) -> str | None:
        """Why the deletions of this sweep are not believable, or None. Counts from so many known rows up."""
        gone = len(live - self._seen.keys())
        if len(live) < from_rows or gone * 100 <= len(live) * max_percent:
            return None
        return (
            f"the complete list has {len(self._seen)} of the {len(live)} known records; deleting {gone} "
            f"({gone * 100 // len(live)} %) is over the limit of {max_percent:g} %, so nothing was deleted. "
            f"If that is right, raise KARVON_MAX_SHRINK_PERCENT for one run; if not, {self._resource.shrink_advice}."
        )

    def tombstones(self, live: set[str], report: ResourceReport) -> pa.Table | None:
        deletions = self._deletions(live - self._seen.keys() - self._buried)
        report.deleted += len(deletions)
        return self._arrow({}, deletions)

    def _read_last(self, keys: Sequence[str] | None = None) -> _Last:
        """The latest row of each key, or of just these keys."""
        if self._is_empty or (keys is not None and not keys):
            return _Last(_NOTHING)
        these = "" if keys is None else f"AND document_key IN (SELECT unnest({self._keys}::text[])) "
        with self._warehouse.session() as session:
            # On DuckDB this takes a third of the time of DISTINCT ON.
            last = session.arrow(
                "SELECT document_key, document_hash, is_deleted FROM (SELECT document_key, document_hash, is_deleted, "
                "row_number() OVER (PARTITION BY document_key ORDER BY landed_at DESC, _dlt_load_id DESC) AS place "
                f"FROM {self._table} WHERE {self._ours} {these}) versions WHERE place = 1",
                (*self._labels.values(), *([] if keys is None else [list(keys)])),
            )
        return _Last(last)

    def _deletions(self, keys: set[str]) -> Rows:
        if not keys:
            return {}
        with self._warehouse.session() as session:
            last = session.rows(
                f"SELECT DISTINCT ON (document_key) document_key, document::text AS document, document_hash "
                f"FROM {self._table} WHERE {self._ours} AND document_key IN (SELECT unnest({self._keys}::text[])) "
                "ORDER BY document_key, landed_at DESC, _dlt_load_id DESC",
                (*self._labels.values(), sorted(keys)),
            )
        return {row["document_key"]: (row["document"].encode(), row["document_hash"]) for row in last}

    def _arrow(self, changed: Rows, deletions: Rows) -> pa.Table | None:
        rows = [*changed.items(), *deletions.items()]
        if not rows:
            return None
        # A key may come again in a later chunk: what came last is the latest.
        now = self._now + timedelta(microseconds=self._chunks)
        self._chunks += 1
        keys, (texts, digests) = [key for key, _ in rows], zip(*(row for _, row in rows), strict=True)
        return pa.table(
            {
                **{name: pa.repeat(value, len(rows)) for name, value in self._labels.items()},
                "document_key": pa.array(keys, pa.string()),
                "document": pa.array(texts, pa.string()),
                "document_hash": pa.array(digests, pa.string()),
                "landed_at": pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), len(rows)),
                "is_deleted": pa.array([False] * len(changed) + [True] * len(deletions), pa.bool_()),
            }
        )
