"""Rows as they stand now, field by field: what the view says, what we sent, what the destination shows.

Reading only; what follows from a difference is decided by `compare`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from karvon.warehouse import Dialect, Session
from reverse_etl.planning.row_facts import stock_seen
from reverse_etl.planning.scan import Scan
from reverse_etl.spec.syncs import FILES, FieldSpec, Sync
from reverse_etl.spec.values import (
    Value,
    WrongValue,
    already_there,
    referred,
    same_shown,
    sent_form,
    shown_form,
    wanted,
)
from reverse_etl.state import ledger
from reverse_etl.state.destination import Bound, Destination, Record
from reverse_etl.state.ledger import Entry, keys_of, listed

State = Literal["equal", "different", "not there", "given once", "not managed", "unreadable"]
"""`given once`: sent on creation, then the destination's. `not managed`: the view leaves it to the destination."""


@dataclass(frozen=True)
class FieldNow:
    """One mapped field of one row. `sent` is the ledger's canonical form, the others are values."""

    field: str
    column: str
    kind: str
    policy: str
    state: State
    view: Value = None
    sent: Value = None
    answered: Value = None
    live: Value = None


@dataclass(frozen=True)
class RowNow:
    """One row: null parts are what is not there."""

    key: str
    row: Mapping[str, Any] | None
    entry: Entry | None
    seen_at: datetime | None
    """When the mirror last saw the record; null when it never did, or before our last write."""
    fields: tuple[FieldNow, ...]
    unseen: str | None = None
    """Why no visitor sees the record."""
    is_staged: bool = False
    """Visitors see it as it stands only after the next publish of the site."""


def rows_now(
    session: Session, dialect: Dialect, bound: Bound, keys: Sequence[str], bounds: Mapping[str, Bound]
) -> dict[str, RowNow]:
    """Rows of a sync by key; keep `keys` to a few thousand. `bounds`: all syncs by name, for what it refers to."""
    sync, destination = bound.sync, bound.destination
    scan = Scan(session, dialect, sync, destination)
    rows, entries = scan.rows(keys), ledger.read(session, sync, keys)
    documents, seen = _documents(scan, destination, entries.values())
    stocks = scan.mirror.stocks([entry.remote_id for entry in entries.values()]) if sync.stock else {}
    known = _known_references(session, sync, rows.values(), bounds)
    found = {}
    for key in keys:
        row, entry = rows.get(key), entries.get(key)
        document_key = _document_key(destination, sync, entry)
        at = seen.get(document_key)
        is_fresh = entry is not None and at is not None and at > entry.applied_at
        document = documents.get(document_key) if is_fresh else None
        record = destination.record(sync, document, entry.remote_id) if entry and document else None
        is_gone = is_fresh and record is None
        stock = stock_seen(entry, stocks)
        fields = tuple(
            _field(spec, row, None if is_gone else entry, record, stock, known) for spec in sync.fields
        )
        found[key] = RowNow(
            key, row, entry, at if is_fresh else None, fields, record.unseen if record else None,
            bool(record and record.is_staged),
        )  # fmt: skip
    return found


def _field(
    spec: FieldSpec, row: Mapping[str, Any] | None, entry: Entry | None, record: Record | None,
    stock: Value, known: Mapping[str, Mapping[str, str]],
) -> FieldNow:  # fmt: skip
    name = spec.field
    try:
        value = wanted(spec, row) if row is not None else None
    except WrongValue:
        return FieldNow(name, spec.column, spec.as_, spec.policy, "unreadable")
    answered = entry.answered.get(name) if entry else None
    sent = entry.sent.get(name) if entry else None
    live = record.values.get(name) if record is not None else answered
    if spec.as_ == "stock":
        sent, answered, live = (
            (entry.stock_sent, entry.stock_answered, stock) if entry else (None, None, None)
        )
    state = _state(spec, value, entry, live, known) if row is not None else "not managed"
    return FieldNow(name, spec.column, spec.as_, spec.policy, state, value, sent, answered, live)


def _state(
    spec: FieldSpec, value: Value, entry: Entry | None, live: Value, known: Mapping[str, Mapping[str, str]]
) -> State:
    if spec.as_ == "stock" and value is None:
        return "not managed"
    if entry is None or (entry.removed and spec.as_ != "stock"):
        return "not there"
    if spec.policy == "create_only":
        return "given once"
    if spec.as_ == "stock":
        # A stock that was sold from since we wrote it is the shop's business: what counts is what we sent.
        return "equal" if entry.stock_sent == value else "different"
    shown = shown_form(spec, live)
    if value is None and spec.write != "always":
        return "not managed"
    if spec.write == "into_empty" and shown is not None:
        return "not managed"
    if spec.field in entry.sent and spec.as_ in FILES | {"html"}:
        as_answered = shown_form(spec, entry.answered.get(spec.field, live))
        same = entry.sent[spec.field] == sent_form(spec, value) and same_shown(spec, shown, as_answered)
    else:
        same = already_there(spec, value, shown, known.get(spec.sync or "", {}))
    return "equal" if same else "different"


def _documents(
    scan: Scan, destination: Destination, entries: Any
) -> tuple[dict[str, Mapping[str, Any] | None], dict[str, datetime]]:
    """Documents of the mirror, and when each was seen."""
    keys = sorted({_document_key(destination, scan.sync, entry) for entry in entries} - {""})
    if not keys or not scan.mirror.exists:
        return {}, {}
    seen = scan.session.rows(
        f"WITH {scan.mirror.latest(1)} SELECT document_key, seen_at FROM latest WHERE document_key IN {listed(2)}",
        (scan.mirror.seen_at, keys_of(keys)),
    )
    return scan.mirror.documents(keys), {row["document_key"]: row["seen_at"] for row in seen}


def _document_key(destination: Destination, sync: Sync, entry: Entry | None) -> str:
    if entry is None:
        return ""
    return (
        entry.parent_remote_id or ""
        if destination.document_of(sync) == "parent_remote_id"
        else entry.remote_id
    )


def _known_references(
    session: Session, sync: Sync, rows: Collection[Mapping[str, Any]], bounds: Mapping[str, Bound]
) -> dict[str, dict[str, str]]:
    """Referred sync → key → what a reference to its record looks like."""
    found = {}
    for name, keys in referred(sync.plain_fields, rows).items():
        target = bounds[name]
        ids = ledger.remote_ids(session, target.sync, sorted(keys))
        found[name] = {key: target.destination.referred_id(remote) for key, remote in ids.items()}
    return found
