"""One row, field by field: what we want, what we last sent, what is there now (design §4).

Ours to send is what differs from what we sent; drift is what differs from what the destination answered then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from reverse_etl.destination import Destination, Record
from reverse_etl.drift import Drift
from reverse_etl.ledger import Entry
from reverse_etl.operations import Action, Finding, Operation
from reverse_etl.syncs import FILES, PUBLISHED, FieldSpec, Sync
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
    withheld: frozenset[str] = frozenset()
    """Fields whose change waits for a person."""


@dataclass
class Compared:
    """What follows for one row."""

    key: str
    operations: list[Operation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    settled: Entry | None = None
    """The ledger's row with new hashes, when nothing has to be sent for the fields."""


@dataclass
class _Fields:
    values: dict[str, Value]
    changes: dict[str, dict[str, Value]] = field(default_factory=dict)
    desired: dict[str, Value] = field(default_factory=dict)
    baseline: dict[str, Value] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    complete: bool = True


def compare(sync: Sync, destination: Destination, subject: Subject, references: References) -> Compared:
    """Operations, findings and bookkeeping for one row that may have changed."""
    try:
        return _compare(sync, destination, subject, references)
    except WrongValue as error:
        return Compared(subject.key, findings=[Finding("reject", sync.name, subject.key, str(error))])


def _compare(sync: Sync, destination: Destination, subject: Subject, references: References) -> Compared:
    result = Compared(subject.key)
    values = {spec.field: wanted(spec, subject.row) for spec in sync.fields}
    container = destination.container(sync, subject.row)
    if fault := destination.fault(sync, subject.row, values):
        name, message = fault
        result.findings.append(Finding("reject", sync.name, subject.key, message, name))
        return result
    entry = subject.entry
    if entry is not None and destination.container_of(entry.remote_id) != container:
        if not _leave(sync, destination, subject, entry, result):
            return result
        subject, entry = replace(subject, entry=None, record=None, is_gone=False), None
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
    result.drifts += fields.drifts
    if is_new:
        result.operations.append(_operation(sync, destination, subject, "create", fields, container))
    elif entry is not None:
        _update(sync, destination, subject, entry, fields, result, container)
    result.operations += _stock(sync, subject, values, None if is_new else entry, fields)
    return result


def _leave(sync: Sync, destination: Destination, subject: Subject, entry: Entry, result: Compared) -> bool:
    """A row that belongs into another place now: its record is removed here and created there."""
    if not sync.creates:
        message = "it belongs into another collection now; mode update_only does not create it there"
        result.findings.append(Finding("gone", sync.name, subject.key, message))
        return False
    if sync.removal != "keep" and not subject.is_gone and not entry.removed:
        leaving = removal(sync, destination, entry, subject.mirror_hash)
        result.operations.append(replace(leaving, row_hash=subject.row_hash))
    return True


def removal(sync: Sync, destination: Destination, entry: Entry, mirror_hash: str | None) -> Operation:
    """The operation for a row that left the model."""
    action: Action = "archive" if sync.removal == "keep" else sync.removal
    stock_is_removal = sync.parent is not None and action == "archive"
    what = {"inventory": {"before": entry.stock_answered, "after": 0}} if stock_is_removal else {}
    flags = {
        "archive": {"isArchived": {"before": entry.removed, "after": True}},
        "unpublish": {PUBLISHED: {"before": True, "after": False}},
    }
    payload = destination.payload(sync, action, {}, {}, entry.extras)
    return Operation(
        sync=sync.name, destination=sync.destination, connection=sync.connection, key=entry.key,
        resource=sync.resource, action=action, changes=what or flags.get(action, {}), extras=entry.extras,
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
    there_now = shown if is_shown or has_baseline else entry.sent.get(name)
    if spec.policy == "create_only" or _is_left_out(spec, value, there_now):
        return
    if _waits(sync, spec, subject, value, fields, references):
        return
    ours = name not in entry.sent or entry.sent[name] != form
    drifted = (
        is_shown and has_baseline and not same_shown(spec, shown, shown_form(spec, entry.answered[name]))
    )
    if is_shown and shown is None and value is not None and entry.sent.get(name) == form:
        # A picture is taken over after the answer (Webflow dossier §6.2); this one never arrived.
        drifted = drifted or spec.as_ in ("image", "images")
    # Most fields are as they were: whether the record shows them need not be known.
    there = (ours or drifted or subject.is_adopted) and _is_there(spec, value, shown, entry, references)
    if subject.is_adopted and spec.policy in ("keep", "report") and shown is not None and not there:
        # An edit that was there before us: our value counts as answered, so that the difference stays visible.
        fields.baseline[name] = value
        drifted = True
    if drifted and spec.policy in ("keep", "report") and not there:
        _tell_drift(sync, spec, subject, fields, now)
        fields.complete = False
        return
    if name in subject.withheld:
        fields.complete = False
        return
    fields.desired[name] = form
    if not ours and not drifted:
        return
    if there:
        fields.baseline[name] = now
        return
    if drifted:
        _tell_drift(sync, spec, subject, fields, now)
    fields.changes[name] = {"before": now, "after": value}


def _is_there(spec: FieldSpec, value: Value, shown: Value, entry: Entry, references: References) -> bool:
    """Whether the record already shows the value.

    Pictures and HTML that we sent ourselves are known by what we sent only; their looks prove nothing.
    """
    if spec.field in entry.sent and spec.as_ in FILES | {"html"}:
        return False
    known = {key: remote for key, remote in references.get(spec.sync or "", {}).items() if remote}
    return already_there(spec, value, shown, known)


def _waits(
    sync: Sync, spec: FieldSpec, subject: Subject, value: Value, fields: _Fields, references: References
) -> bool:
    """A reference to a row that is neither in the shop nor in this plan: leave the field alone until it is."""
    if not spec.refers or not value:
        return False
    known = references.get(spec.sync or "", {})
    missing = [key for key in value if key not in known]
    if missing:
        message = f"{spec.field} waits: {', '.join(missing[:3])} of {spec.sync} is not in {sync.destination}"
        fields.findings.append(Finding("waiting", sync.name, subject.key, message, spec.field))
        fields.complete = False
    return bool(missing)


def _is_left_out(spec: FieldSpec, value: Value, there_now: Value) -> bool:
    """Whether the field is not written at all; the store API takes no empty numbers (Webflow dossier §1.5)."""
    if value is None:
        cannot_be_emptied = spec.as_ == "published" or (spec.as_ == "number" and not spec.can_be_null)
        return cannot_be_emptied or spec.write != "always"
    return spec.write == "into_empty" and there_now is not None


def _tell_drift(sync: Sync, spec: FieldSpec, subject: Subject, fields: _Fields, now: Value) -> None:
    if spec.policy in ("keep", "report"):
        what = f"policy {spec.policy}: left as it is"
    else:
        what = "edited there; will be overwritten"
    message = f"{spec.field} is {_short(now)}: {what}"
    fields.findings.append(Finding("drift", sync.name, subject.key, message, spec.field))
    fields.drifts.append(
        Drift(
            sync.name, subject.key, spec.field, ours=fields.values[spec.field],
            answered=subject.entry.answered.get(spec.field) if subject.entry else None, theirs=now,
            policy=spec.policy,
            decided="kept" if spec.policy == "keep" else "reported" if spec.policy == "report" else "overwritten",
        )
    )  # fmt: skip


def _update(
    sync: Sync, destination: Destination, subject: Subject, entry: Entry, fields: _Fields, result: Compared,
    container: str | None,
) -> None:  # fmt: skip
    """An update, an adoption, a return, or nothing but bookkeeping."""
    returns = entry.removed and sync.parent is None
    if returns:
        fields.changes["isArchived"] = {"before": True, "after": False}
    if fields.changes or subject.is_adopted:
        plain: Action = "publish" if set(fields.changes) == {PUBLISHED} else "update"
        action: Action = "adopt" if subject.is_adopted else "unarchive" if returns else plain
        result.operations.append(_operation(sync, destination, subject, action, fields, container))
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
    sync: Sync, destination: Destination, subject: Subject, action: Action, fields: _Fields, container: str | None
) -> Operation:  # fmt: skip
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
        place = {"container": container} if container else {}
        payload = destination.payload(sync, action, send, fields.values, {**known, **place})
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
    if spec and spec.field in subject.withheld:
        return []
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
    if sync.locale and subject.row[sync.locale]:
        # The item is that of the primary locale, which must be there first.
        return {"parent_sync": sync.name, "parent_key": str(subject.row[sync.key])}
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
