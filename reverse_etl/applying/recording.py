"""From outcomes to the journal and the ledger: what an answer means for what we know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from karvon.warehouse import Session
from reverse_etl.planning import sets
from reverse_etl.spec.syncs import Sync
from reverse_etl.state import ledger, operations, outstanding
from reverse_etl.state.destination import Bound, Outcome, Record
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import REMOVALS, Operation, now

_AS_SENT = frozenset(
    {"text", "number", "bool", "date", "color", "option", "video", "money", "sku_values", "sku_properties"}
)
"""Kinds of fields that a destination shows as they were sent."""


def record(session: Session, outcomes: Iterable[Outcome], bounds: Mapping[str, Bound]) -> list[Operation]:
    """Write what became of operations, ledger and journal in one transaction; returns the operations as they stand."""
    results = list(outcomes)
    wanted = {one.operation.identity for one in results}
    with session.transaction():
        before: dict[tuple[str, str], Entry] = {}
        for target in {one.operation.target for one in results}:
            before |= ledger.read_named(session, target, wanted)
        after: dict[tuple[str, str], Entry] = {}
        adopted: dict[str, dict[str, str]] = defaultdict(dict)
        replaced: dict[str, list[Entry]] = defaultdict(list)
        for one in results:
            operation = one.operation
            if operation.is_set:
                sets.record(session, operation, one.status)
                continue
            if one.status != "done":
                continue
            known = after.get(operation.identity) or before.get(operation.identity)
            if operation.action == "delete":
                _forget(session, known)
            elif (entry := _entry(one, known, bounds[operation.sync].sync)) is not None:
                after[operation.identity] = entry
                if operation.action == "adopt":
                    adopted[operation.sync][entry.remote_id] = operation.key
                if known is not None and known.remote_id != entry.remote_id:
                    replaced[operation.sync].append(known)
        ledger.write(session, after.values())
        for name, owners in adopted.items():
            ledger.forget_others(session, bounds[name].sync, owners)
        for name, old in replaced.items():
            _unsettle_what_points_to(session, name, old, bounds)
        changed = [_journaled(one) for one in results]
        operations.rewrite(session, changed)
        outstanding.answered(session, now(), changed)
    return changed


def _unsettle_what_points_to(
    session: Session, name: str, old: Sequence[Entry], bounds: Mapping[str, Bound]
) -> None:
    """Rows that point to records which were made again show the old ones: the next plan compares them."""
    ids = [bounds[name].destination.referred_id(one.remote_id) for one in old]
    for bound in bounds.values():
        if any(spec.sync == name for spec in bound.sync.plain_fields):
            ledger.unsettle(session, bound.sync, ids)


def _journaled(outcome: Outcome) -> Operation:
    operation = outcome.operation
    status: Any = "planned" if outcome.status == "absent" else outcome.status
    return replace(
        operation,
        status=status,
        error=outcome.error,
        error_field=outcome.error_field,
        is_permanent=outcome.permanent,
        note=outcome.note or operation.note,
        remote_id=outcome.record.remote_id if outcome.record else operation.remote_id,
        answered_at=now(),
    )


def _entry(outcome: Outcome, known: Entry | None, sync: Sync) -> Entry | None:
    operation = outcome.operation
    if operation.is_stock:
        return _with_stock(outcome, known)
    if operation.action in REMOVALS:
        return None if known is None else replace(
            ledger.without_row(known, mirror_hash=operation.mirror_hash),
            applied_at=now(), plan_id=operation.plan_id,
            extras={**known.extras, "archived": operation.action == "archive"},
        )  # fmt: skip
    remote_id = outcome.record.remote_id if outcome.record else operation.remote_id
    if remote_id is None:
        return None
    shown = outcome.record
    is_same = known is not None and known.remote_id == remote_id
    kept = known if is_same else None
    parent = (shown.parent_remote_id if shown else None) or (kept.parent_remote_id if kept else None)
    return Entry(
        destination=operation.destination, connection=operation.connection, sync=operation.sync,
        key=operation.key, remote_id=remote_id,
        parent_remote_id=parent, applied_at=now(), sent=operation.desired,
        answered=_answered(operation, shown, sync, kept.answered if kept else {}),
        extras=(shown.extras if shown else None) or operation.extras or (kept.extras if kept else {}),
        row_hash=(operation.row_hash or "") if operation.is_complete else "",
        mapping_hash=operation.mapping_hash or "",
        # What was sent is compared with the next look, also one that shows what it showed before.
        mirror_hash=None if operation.payload else operation.mirror_hash, removed=False,
        stock_sent=kept.stock_sent if kept else None, stock_answered=kept.stock_answered if kept else None,
        stock_at=kept.stock_at if kept else None, plan_id=operation.plan_id,
    )  # fmt: skip


def _answered(
    operation: Operation, shown: Record | None, sync: Sync, before: Mapping[str, Any]
) -> dict[str, Any]:
    """What the destination shows: the plan's baseline, and news of the fields that were sent.

    The second step of a create has no baseline but `before`, what the first was answered. A field whose look is unknown
    (an image that the answer does not show yet) gets no value: the next look becomes it.
    """
    baseline = operation.baseline or before
    values = {name: value for name, value in baseline.items() if name not in operation.changes}
    names = set(operation.changes) | ({*operation.desired} if operation.action == "create" else set())
    for name in names:
        spec = sync.field(name)
        if spec is None:
            continue
        if shown is not None and name in shown.values:
            if shown.values[name] is not None or spec.as_ not in ("image", "images"):
                values[name] = shown.values[name]
        elif spec.as_ in _AS_SENT:
            values[name] = operation.changes.get(name, {}).get("after")
    return values


def _with_stock(outcome: Outcome, known: Entry | None) -> Entry | None:
    if known is None:
        return None
    change = next(iter(outcome.operation.changes.values()))
    if outcome.operation.action == "archive":
        known = ledger.without_row(known, mirror_hash=known.mirror_hash)
    else:
        known = replace(known, removed=False)
    return replace(
        known, stock_sent=None if outcome.operation.payload.get("is_unstated") else change["after"],
        stock_answered=outcome.stock, stock_at=now(),
        plan_id=outcome.operation.plan_id,
    )  # fmt: skip


def _forget(session: Session, known: Entry | None) -> None:
    """A deleted record takes its children along."""
    if known is None:
        return
    ledger.forget(session, [known])
    session.execute(
        "DELETE FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND parent_remote_id = $3",
        (known.destination, known.connection, known.remote_id),
    )
