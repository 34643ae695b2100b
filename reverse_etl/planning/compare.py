"""One row: which operations follow from its differences, and what the ledger learns when none does (design §4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from reverse_etl.planning.differences import Differences, References, differences
from reverse_etl.planning.row_facts import Subject
from reverse_etl.planning.transitions import Transition, of_options
from reverse_etl.spec.states import DRAFT, PUBLISHED
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import (
    Value,
    WrongValue,
    digest,
    wanted,
)
from reverse_etl.state.destination import Destination
from reverse_etl.state.drift import Drift
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import Action, Finding, Operation


@dataclass
class Compared:
    """What follows for one row."""

    key: str
    operations: list[Operation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    settled: Entry | None = None
    """The ledger's row with new hashes, when nothing has to be sent for the fields."""
    transition: Transition | None = None
    likeness: str | None = None
    """Why a record that we did not make is thought to be the row's, where that is no proof."""
    sent: Mapping[str, Value] = field(default_factory=dict)
    """What we last sent, as `sent_form`; guards compare with it and not with what somebody typed there."""


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
    moves_to = _other_parent(sync, subject, references)
    if entry is not None and (destination.container_of(entry.remote_id) != container or moves_to):
        if not _leave(sync, destination, subject, entry, result):
            return result
        if moves_to:
            result.transition = Transition(f"it moves to another product ({moves_to})", bound_to=moves_to)
            _rename(sync, values, moves_to)
        subject, entry = replace(subject, entry=None, record=None, is_gone=False), None
    if subject.is_gone and not sync.creates:
        message = f"it was deleted in {sync.destination}; mode update_only does not create it again"
        result.findings.append(Finding("gone", sync.name, subject.key, message))
        return result
    if entry is None and not sync.creates:
        return result
    is_new = entry is None or subject.is_gone
    fields = differences(sync, subject, values, references)
    result.transition = result.transition or _transition(sync, subject, values, fields)
    if subject.is_adopted and (fields.changes or not fields.complete):
        result.likeness = subject.likeness
    if entry is not None:
        result.sent = entry.sent
    if is_new:
        result.operations.append(_operation(sync, destination, subject, "create", fields, container))
    elif entry is not None:
        _update(sync, destination, subject, entry, fields, result, container)
    result.operations += _stock(sync, subject, values, None if is_new else entry, fields)
    result.findings += fields.findings
    result.drifts += fields.drifts
    return result


def _other_parent(sync: Sync, subject: Subject, references: References) -> str | None:
    """The key of the row's parent, if the record is below another one."""
    entry = subject.entry
    if sync.parent is None or entry is None or subject.is_adopted or subject.is_gone or entry.removed:
        return None
    key = str(subject.row[sync.parent.column])
    is_other = references.get(sync.parent.sync, {}).get(key) != entry.parent_remote_id
    return key if entry.parent_remote_id and is_other else None


def _rename(sync: Sync, values: dict[str, Value], parent_key: str) -> None:
    """The record that is left keeps its slug, and slugs are unique (Webflow dossier §5)."""
    if values.get("slug") and sync.field("slug"):
        values["slug"] = f"{values['slug']}-{digest(parent_key)[:6]}"


def _transition(
    sync: Sync, subject: Subject, values: Mapping[str, Value], fields: Differences
) -> Transition | None:
    if subject.succeeds:
        message = f"it takes the place of {subject.succeeds}, whose row left the view"
        return Transition(message, bound_to=subject.succeeds)
    entry = subject.entry
    spec = next((one for one in sync.plain_fields if one.as_ == "sku_properties"), None)
    if entry is None or subject.is_adopted or spec is None or spec.field not in fields.changes:
        return None
    if spec.field not in entry.sent:
        return None
    return of_options(spec.field, entry.sent[spec.field], values[spec.field])


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


def _update(
    sync: Sync, destination: Destination, subject: Subject, entry: Entry, fields: Differences, result: Compared,
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
    sync: Sync, destination: Destination, subject: Subject, action: Action, fields: Differences, container: str | None
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
        if fields.kept.get(DRAFT):
            send.setdefault(DRAFT, True)
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
    sync: Sync, subject: Subject, values: Mapping[str, Value], entry: Entry | None, fields: Differences
) -> list[Operation]:
    """The stock's own operation. A stock that changed only in the shop is none of our business."""
    spec = sync.stock
    if spec and spec.field in subject.withheld:
        return []
    returns = entry is not None and entry.removed and sync.parent is not None
    quantity = values.get(spec.field) if spec else None
    last_sent = entry.stock_sent if entry else None
    if quantity is None and spec and entry and not returns and last_sent is not None:
        message = "its stock is not stated: it stays as it is in the shop"
        fields.findings.append(
            Finding("deferred", sync.name, subject.key, message, spec.field, cause="stock not stated")
        )
    is_unstated = quantity is None and sync.parent is not None and bool(entry is None or subject.succeeds)
    if is_unstated:
        # Webflow makes a SKU endless of which nobody says how many there are (dossier §1.7).
        quantity = sync.first_stock(None)
        message = (
            "its stock is not stated: it is sold out until it is (`unstated_stock: endless` says otherwise)"
        )
        if quantity is not None:
            fields.findings.append(
                Finding("deferred", sync.name, subject.key, message, "inventory", cause="stock not stated")
            )
    if quantity == last_sent or (quantity is None and not returns):
        return []
    if quantity is None and sync.unstated_stock != "endless":
        return []
    seen = subject.stock_seen if entry else None
    payload = {"quantity": quantity, "seen": seen, "on_moved": sync.on_moved,
               "is_new": entry is None, **({"is_unstated": True} if is_unstated else {})}  # fmt: skip
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
    """A child whose removal was "stock 0" and that shall never be sold out must be made endless again first."""
    is_unstated = sync.stock is None or values.get(sync.stock.field) is None
    return sync.parent is not None and is_unstated and sync.unstated_stock == "endless"


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
