"""Rows that wait for a person: which rule holds which change, and which of them somebody has approved.

    max_price_change   a price that moves by more than allowed, to zero or to another currency: the row's fields wait
    max_emptied        a field that would be emptied on too many rows: that field waits on all of them
    undone             a change that somebody took back (`karvon undo`): it waits until the model's value changes
    adoption           a record that we did not make, and that only looks like the row's: is this the same?
    transition         a product becomes another thing in the shop (`transitions`): its options wait, or the row

What would be restored to what we last sent breaks no rule, however far somebody there has moved it.

An approval counts for exactly the value that was held, and until the row has been written once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from karvon.warehouse import Session
from reverse_etl.planning.compare import Compared
from reverse_etl.planning.guards import allowed
from reverse_etl.spec.syncs import FieldSpec, Sync
from reverse_etl.spec.values import digest, sent_form
from reverse_etl.state.holds import ADOPTION, EMPTIED, PRICE, REMOVAL, TRANSITION, UNDONE, Hold
from reverse_etl.state.ledger import keys_of, listed
from reverse_etl.state.operations import REMOVALS, Operation
from reverse_etl.state.operations import load as load_operations


def judge(
    session: Session,
    sync: Sync,
    compared: Sequence[Compared],
    existing: int,
    undone: Mapping[tuple[str, str], Operation],
) -> list[Hold]:
    """What of some compared rows must wait. `undone` is `last_undone` of the sync."""
    operations = [one for result in compared for one in result.operations]
    taken_back = [hold for one in operations for hold in _taken_back(sync, one, undone)]
    decided = without_approved(session, sync, taken_back)
    places = {(hold.key, hold.field) for hold in decided}
    sent = {result.key: result.sent for result in compared}
    holds = [
        *(hold for result in compared for hold in _likenesses(sync, result)),
        *(hold for result in compared for hold in _transitions(sync, result)),
        *(hold for one in operations for hold in _prices(sync, one, sent[one.key])),
        *_emptied(sync, operations, sent, existing),
    ]
    # Somebody has decided about what was taken back: no other rule need ask again.
    holds = [hold for hold in holds if not {(hold.key, hold.field), (hold.key, "")} & places]
    return [*decided, *without_approved(session, sync, holds)]


def held_back(
    holds: Sequence[Hold], compared: Sequence[Compared]
) -> tuple[list[Compared], dict[str, set[str]]]:
    """Compared rows without those that holds are about, and the fields of the latter that must be compared as
    withheld. The stock of a row whose price waits is written all the same.
    """
    whole = {hold.key: hold.rule for hold in holds if hold.holds_row}
    fields: dict[str, set[str]] = {}
    for hold in holds:
        if hold.key not in whole:
            fields.setdefault(hold.key, set()).add(hold.field)
    kept = [one for one in compared if one.key not in whole and one.key not in fields]
    for one in compared:
        if whole.get(one.key) == PRICE:
            stocks = [each for each in one.operations if each.is_stock and not each.payload["is_new"]]
            kept.append(Compared(one.key, stocks, one.findings))
    return kept, fields


def removal_hold(sync: Sync, key: str) -> Hold:
    """The hold of a removal that somebody took back."""
    message = "its removal was undone; approve it to remove the row again"
    return _hold(sync, key, UNDONE, None, None, None, message, value_hash=REMOVAL)


def without_approved(session: Session, sync: Sync, holds: Sequence[Hold]) -> list[Hold]:
    """Holds that nobody has approved since the row was last written."""
    if not holds:
        return []
    rows = session.rows(
        f"""SELECT a.key, a.rule, a.field, a.value_hash FROM reverse_etl.approvals AS a
        LEFT JOIN reverse_etl.ledger AS l ON l.destination = a.destination AND l.connection = a.connection
          AND l.sync = a.sync AND l.key = a.key
        WHERE a.destination = $1 AND a.connection = $2 AND a.sync = $3 AND a.key IN {listed(4)}
          AND (l.applied_at IS NULL OR a.approved_at > l.applied_at)""",
        (*sync.target, sync.name, keys_of(sorted({hold.key for hold in holds}))),
    )
    approved = {tuple(row.values()) for row in rows}
    # Who lets an undone value go has seen the value, whatever other rule it breaks.
    return [
        hold
        for hold in holds
        if not {(hold.key, rule, hold.field, hold.value_hash) for rule in (hold.rule, UNDONE)} & approved
    ]


def last_undone(session: Session, sync: Sync) -> dict[tuple[str, str], Operation]:
    """(key, field) → the undo that wrote the field last; the field is empty for what moved the whole row."""
    mine = "destination = $1 AND connection = $2 AND sync = $3 AND status = 'done'"
    done = load_operations(
        session,
        f"{mine} AND key IN (SELECT key FROM reverse_etl.operations WHERE {mine} AND undoes IS NOT NULL)",
        (*sync.target, sync.name),
    )
    last: dict[tuple[str, str], Operation] = {}
    for one in sorted(
        done, key=lambda operation: (operation.answered_at or operation.planned_at, operation.seq)
    ):
        for name in _touched(one):
            last[one.key, name] = one
    return {place: one for place, one in last.items() if one.undoes}


def _hold(
    sync: Sync, key: str, rule: str, spec: FieldSpec | None, before: Any, after: Any, message: str,
    *, value_hash: str | None = None,
) -> Hold:  # fmt: skip
    if value_hash is None:
        value_hash = value_hash_of(spec, after)
    return Hold(
        *sync.target, sync.name, key, rule, spec.field if spec else "", before, after, value_hash, message
    )


def value_hash_of(spec: FieldSpec | None, value: Any) -> str:
    """What an approval is bound to: the value as it would be sent."""
    return digest(value if spec is None or spec.as_ == "stock" else sent_form(spec, value))


def _likenesses(sync: Sync, result: Compared) -> Iterator[Hold]:
    adopting = next((one for one in result.operations if one.action == "adopt"), None)
    if adopting is None or result.likeness is None:
        return
    message = (
        f"record {adopting.remote_id} there has the same {result.likeness}: is this the same? Approve it to take the "
        "record over, or give the row another one"
    )
    yield _hold(
        sync, result.key, ADOPTION, None, adopting.remote_id, None, message, value_hash=adopting.remote_id
    )


def _transitions(sync: Sync, result: Compared) -> Iterator[Hold]:
    about = result.transition
    if about is None or not result.operations:
        return
    spec = sync.field(about.field)
    change: Mapping[str, Any] = next(
        (one.changes[about.field] for one in result.operations if about.field in one.changes), {}
    )
    yield _hold(
        sync, result.key, TRANSITION, spec, change.get("before"), change.get("after"), about.message,
        value_hash=digest(about.bound_to),
    )  # fmt: skip


def _prices(sync: Sync, operation: Operation, sent: Mapping[str, Any]) -> Iterator[Hold]:
    most = sync.guards.max_price_change
    if most is None or operation.action in REMOVALS or operation.is_stock:
        return
    for name, change in operation.changes.items():
        spec = sync.field(name)
        if spec is None or spec.as_ != "money" or change["after"] is None:
            continue
        before = change["before"]
        if name in sent:
            before = sent[name] and dict(zip(("value", "unit"), sent[name], strict=True))
        if sent.get(name) == sent_form(spec, change["after"]):
            continue
        if reason := _moved_too_far(before, change["after"], most):
            message = f"{name} {reason}, and max_price_change is {most:g}%"
            yield _hold(sync, operation.key, PRICE, spec, change["before"], change["after"], message)


def _moved_too_far(before: Any, after: Any, most: float) -> str | None:
    if after["value"] == 0:
        return "would be zero"
    if before is None or before["value"] == 0:
        return None
    if before["unit"] != after["unit"]:
        return f"would change its currency from {before['unit']} to {after['unit']}"
    moved = (after["value"] - before["value"]) / before["value"] * 100
    return f"would move by {moved:+.0f}%" if abs(moved) > most else None


def _emptied(
    sync: Sync, operations: Sequence[Operation], sent: Mapping[str, Mapping[str, Any]], existing: int
) -> Iterator[Hold]:
    most = allowed(sync.guards.max_emptied, existing)
    if most is None:
        return
    emptying = [
        (one, name, change)
        for one in operations
        if one.action not in REMOVALS and not one.is_stock
        for name, change in one.changes.items()
        if change["before"] is not None
        and change["after"] is None
        and sync.field(name)
        and not (name in sent[one.key] and sent[one.key][name] is None)
    ]
    counts = Counter(name for _, name, _ in emptying)
    for one, name, change in emptying:
        if counts[name] > most:
            message = (
                f"{name} would be emptied on {counts[name]} of {existing} rows, "
                f"and max_emptied is {sync.guards.max_emptied}"
            )
            yield _hold(sync, one.key, EMPTIED, sync.field(name), change["before"], None, message)


def _taken_back(
    sync: Sync, operation: Operation, undone: Mapping[tuple[str, str], Operation]
) -> Iterator[Hold]:
    row = undone.get((operation.key, ""))
    if row is not None and row.action in REMOVALS and row.row_hash == operation.row_hash:
        message = f"plan {row.plan_id} took it back; it waits until its row changes"
        yield _hold(sync, operation.key, UNDONE, None, None, None, message, value_hash=row.row_hash)
        return
    for name, change in operation.changes.items():
        undo = undone.get((operation.key, name))
        spec = sync.field(name)
        if undo is None or name not in undo.changes or spec is None:
            continue
        if value_hash_of(spec, undo.changes[name]["before"]) == value_hash_of(spec, change["after"]):
            message = (
                f"plan {undo.plan_id} took this value of {name} back; it waits until the model has another"
            )
            yield _hold(sync, operation.key, UNDONE, spec, change["before"], change["after"], message)


def _touched(operation: Operation) -> Iterator[str]:
    """Fields that an operation wrote; the empty name for the row as a whole."""
    if operation.action in REMOVALS or operation.action in ("create", "unarchive"):
        yield ""
    yield from operation.changes
