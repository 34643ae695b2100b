"""One row, field by field: what we want, what we last sent, what is there now (design §4).

Ours to send is what differs from what we sent; drift is what differs from what the destination answered then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from reverse_etl.destination import Destination, Record
from reverse_etl.ledger import Entry
from reverse_etl.operations import Action, Finding, Operation
from reverse_etl.syncs import FieldSpec, Sync
from reverse_etl.values import (
    Value,
    WrongValue,
    already_there,
    digest,
    same_shown,
    sent_form,
    shown_form,
    wanted,
)

References = Mapping[str, Mapping[str, str | None]]
"""Sync → key → remote id; None for a row that this plan creates; absent for one that is not in the shop."""


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


@dataclass
class Compared:
    """What follows for one row."""

    operations: list[Operation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    settled: Entry | None = None
    """The ledger's row with new hashes, when nothing has to be sent for the fields."""


@dataclass
class _Fields:
    values: dict[str, Value]
    changes: dict[str, dict[str, Value]] = field(default_factory=dict)
    desired: dict[str, Value] = field(default_factory=dict)
    baseline: dict[str, Value] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    complete: bool = True


def compare(sync: Sync, destination: Destination, subject: Subject, references: References) -> Compared:
    """Operations, findings and bookkeeping for one row that may have changed."""
    result = Compared()
    try:
        values = {spec.field: wanted(spec, subject.row) for spec in sync.fields}
    except WrongValue as error:
        result.findings.append(Finding("reject", sync.name, subject.key, str(error)))
        return result
    entry = subject.entry
    if subject.is_gone and not sync.creates:
        message = f"it was deleted in {sync.destination}; mode update_only does not create it again"
        result.findings.append(Finding("gone", sync.name, subject.key, message))
        return result
    if entry is None and not sync.creates:
        return result
    is_new = entry is None or subject.is_gone
    fields = _Fields(values)
    for spec in sync.plain_fields:
        if is_new or entry is None:
            _on_create(sync, spec, subject, fields, references)
        else:
            _on_update(sync, spec, subject, entry, fields, references)
    result.findings += fields.findings
    if is_new:
        result.operations.append(_operation(sync, destination, subject, "create", fields))
    elif entry is not None:
        _update(sync, destination, subject, entry, fields, result)
    result.operations += _stock(sync, subject, values, None if is_new else entry, fields)
    return result


def removal(sync: Sync, destination: Destination, entry: Entry, mirror_hash: str | None) -> Operation:
    """The operation for a row that left the model."""
    action: Action = "delete" if sync.removal == "delete" else "archive"
    stock_is_removal = sync.parent is not None and action == "archive"
    what = {"inventory": {"before": entry.stock_answered, "after": 0}} if stock_is_removal else {}
    flags = {} if stock_is_removal else {"isArchived": {"before": entry.removed, "after": True}}
    payload = destination.payload(sync, action, {}, {}, entry.extras)
    return Operation(
        sync=sync.name, destination=sync.destination, connection=sync.connection, key=entry.key,
        resource=sync.resource, action=action, changes=what or (flags if action == "archive" else {}),
        payload=payload, payload_hash=digest(payload), desired=entry.sent, baseline=entry.answered,
        remote_id=entry.remote_id, mapping_hash=sync.mapping_hash, mirror_hash=mirror_hash,
        parent_sync=sync.parent.sync if sync.parent else None,
    )  # fmt: skip


def adopted(sync: Sync, key: str, record: Record) -> Entry:
    """An empty ledger row around a record that was there before us."""
    return Entry(
        *sync.target, sync.name, key, record.remote_id, record.parent_remote_id, datetime.now(UTC),
        extras=record.extras,
    )  # fmt: skip


def _on_create(
    sync: Sync, spec: FieldSpec, subject: Subject, fields: _Fields, references: References
) -> None:
    value = fields.values[spec.field]
    if _waits(sync, spec, subject, value, fields, references):
        return
    if value is not None:
        fields.changes[spec.field] = {"before": None, "after": value}
    fields.desired[spec.field] = sent_form(spec, value)


def _on_update(
    sync: Sync, spec: FieldSpec, subject: Subject, entry: Entry, fields: _Fields, references: References
) -> None:
    name, value = spec.field, fields.values[spec.field]
    record = subject.record
    is_shown = record is not None
    now = entry.answered.get(name) if record is None else record.values.get(name)
    shown = shown_form(spec, now)
    has_baseline = name in entry.answered
    form = sent_form(spec, value)
    fields.baseline[name] = entry.answered[name] if has_baseline else now
    fields.desired[name] = entry.sent.get(name)
    if spec.policy == "create_only" or (spec.as_ == "number" and value is None):
        return
    if _waits(sync, spec, subject, value, fields, references):
        return
    ours = name not in entry.sent or entry.sent[name] != form
    drifted = (
        is_shown and has_baseline and not same_shown(spec, shown, shown_form(spec, entry.answered[name]))
    )
    there = _is_there(spec, value, shown, entry, references)
    if subject.is_adopted and spec.policy in ("keep", "report") and shown is not None and not there:
        # An edit that was there before us: our value counts as answered, so that the difference stays visible.
        fields.baseline[name] = value
        drifted = True
    if drifted and spec.policy in ("keep", "report") and not there:
        fields.findings.append(_drift(sync, spec, subject, now, f"policy {spec.policy}: left as it is"))
        fields.complete = False
        return
    fields.desired[name] = form
    if not ours and not drifted:
        return
    if there:
        fields.baseline[name] = now
        return
    if drifted:
        fields.findings.append(_drift(sync, spec, subject, now, "edited there; will be overwritten"))
    fields.changes[name] = {"before": now, "after": value}


def _is_there(spec: FieldSpec, value: Value, shown: Value, entry: Entry, references: References) -> bool:
    """Whether the record already shows the value.

    Pictures and HTML that we sent ourselves are known by what we sent only; their looks prove nothing.
    """
    if spec.field in entry.sent and spec.as_ in ("image", "images", "html"):
        return False
    known = {key: remote for key, remote in references.get(spec.sync or "", {}).items() if remote}
    return already_there(spec, value, shown, known)


def _waits(
    sync: Sync, spec: FieldSpec, subject: Subject, value: Value, fields: _Fields, references: References
) -> bool:
    """A reference to a row that is neither in the shop nor in this plan: leave the field alone until it is."""
    if spec.as_ != "references" or not value:
        return False
    known = references.get(spec.sync or "", {})
    missing = [key for key in value if key not in known]
    if missing:
        message = f"{spec.field} waits: {', '.join(missing[:3])} of {spec.sync} is not in {sync.destination}"
        fields.findings.append(Finding("waiting", sync.name, subject.key, message, spec.field))
        fields.complete = False
    return bool(missing)


def _drift(sync: Sync, spec: FieldSpec, subject: Subject, now: Value, what: str) -> Finding:
    return Finding("drift", sync.name, subject.key, f"{spec.field} is {_short(now)}: {what}", spec.field)


def _update(
    sync: Sync, destination: Destination, subject: Subject, entry: Entry, fields: _Fields, result: Compared
) -> None:
    """An update, an adoption, a return, or nothing but bookkeeping."""
    returns = entry.removed and sync.parent is None
    if returns:
        fields.changes["isArchived"] = {"before": True, "after": False}
    if fields.changes or subject.is_adopted:
        action: Action = "adopt" if subject.is_adopted else "unarchive" if returns else "update"
        result.operations.append(_operation(sync, destination, subject, action, fields))
        return
    if not fields.complete:
        return
    result.settled = replace(
        entry, extras=(subject.record.extras if subject.record else None) or entry.extras,
        sent=fields.desired, answered=fields.baseline, row_hash=subject.row_hash,
        mapping_hash=sync.mapping_hash, mirror_hash=subject.mirror_hash or entry.mirror_hash,
        removed=entry.removed and _stock_returns(sync, fields.values),
    )  # fmt: skip


def _operation(
    sync: Sync, destination: Destination, subject: Subject, action: Action, fields: _Fields
) -> Operation:
    entry, record = subject.entry, subject.record
    extras = (record.extras if record else None) or (entry.extras if entry else {})
    known = {} if action == "create" else extras
    payload: dict[str, Any] = {}
    if fields.changes or action == "create":
        send = {name: change["after"] for name, change in fields.changes.items()}
        is_archived = record.archived if record else known.get("archived", False)
        if is_archived and sync.parent is None:
            # A body that leaves the flag out can bring an archived product back (Webflow dossier §1.1).
            send.setdefault("isArchived", True)
        payload = destination.payload(sync, action, send, fields.values, known)
    return Operation(
        sync=sync.name, destination=sync.destination, connection=sync.connection, key=subject.key,
        resource=sync.resource, action=action, changes=fields.changes, payload=payload,
        payload_hash=digest(payload), desired=fields.desired, baseline=fields.baseline, extras=known,
        remote_id=entry.remote_id if entry else None, row_hash=subject.row_hash,
        mapping_hash=sync.mapping_hash, mirror_hash=subject.mirror_hash, is_complete=fields.complete,
        requests=1 if payload else 0, edited_at=_edited_at(sync, subject), **_place(sync, subject),
    )  # fmt: skip


def _stock(
    sync: Sync, subject: Subject, values: Mapping[str, Value], entry: Entry | None, fields: _Fields
) -> list[Operation]:
    """The stock's own operation. A stock that changed only in the shop is none of our business."""
    spec = sync.stock
    returns = entry is not None and entry.removed and sync.parent is not None
    quantity = values.get(spec.field) if spec else None
    last_sent = entry.stock_sent if entry else None
    if quantity == last_sent or (quantity is None and not returns):
        return []
    seen = subject.stock_seen if entry else None
    payload = {"quantity": quantity, "seen": seen, "on_moved": sync.on_moved,
               "is_new": entry is None}  # fmt: skip
    return [
        Operation(
            sync=sync.name, destination=sync.destination, connection=sync.connection, key=subject.key,
            resource=sync.resource, action="unarchive" if quantity is None else "set_stock",
            changes={spec.field if spec else "inventory": {"before": seen, "after": quantity}}, payload=payload,
            payload_hash=digest({"quantity": quantity}), remote_id=entry.remote_id if entry else None,
            row_hash=subject.row_hash, mapping_hash=sync.mapping_hash, desired=fields.desired,
            baseline=fields.baseline, requests=1 if entry is None else 2, edited_at=_edited_at(sync, subject),
            **_place(sync, subject),
        )
    ]  # fmt: skip


def _stock_returns(sync: Sync, values: Mapping[str, Value]) -> bool:
    """A child whose removal was "stock 0" and whose stock nobody manages must be made endless again first."""
    return sync.parent is not None and (sync.stock is None or values.get(sync.stock.field) is None)


def _edited_at(sync: Sync, subject: Subject) -> datetime | None:
    return subject.row[sync.edited_at] if sync.edited_at else None


def _place(sync: Sync, subject: Subject) -> dict[str, Any]:
    if sync.parent is None:
        return {}
    return {
        "parent_sync": sync.parent.sync,
        "parent_key": str(subject.row[sync.parent.column]),
        "is_default": bool(subject.row[sync.parent.default]),
        "position": float(subject.row[sync.parent.order] or 0),
    }


def _short(value: Value) -> str:
    text = "empty" if value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
