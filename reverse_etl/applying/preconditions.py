"""Whether what an operation was computed from still stands when it is applied. Rows that moved are deferred."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from karvon.warehouse import Session, Warehouse
from reverse_etl.planning.scan import Scan, chunks
from reverse_etl.spec.syncs import Sync
from reverse_etl.state import ledger
from reverse_etl.state.destination import Bound, Outcome
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import REMOVALS, Operation


def deferrals(
    warehouse: Warehouse,
    session: Session,
    operations: Sequence[Operation],
    bounds: Mapping[str, Bound],
    created_at: datetime,
) -> list[Outcome]:
    """Outcomes `deferred` for operations whose row, mapping or record changed since the plan."""
    held: list[Outcome] = []
    for name in dict.fromkeys(one.sync for one in operations):
        mine = [one for one in operations if one.sync == name]
        bound = bounds.get(name)
        if bound is None or bound.sync.target != mine[0].target:
            held += [_held(one, "its sync is not in the project any more") for one in mine]
            continue
        scan = Scan(session, warehouse.dialect, bound.sync, bound.destination)
        if scan.destination.takes_sets:
            # Whether its rows still stand is seen when they are read, row by row (`sets`).
            continue
        for part in chunks(mine):
            held += _moved(scan, part, created_at)
    return [*held, *_torn(operations, {(one.operation.seq) for one in held})]


def _moved(scan: Scan, part: Sequence[Operation], created_at: datetime) -> Iterator[Outcome]:
    keys = [one.key for one in part]
    rows = scan.rows(keys)
    entries = ledger.read(scan.session, scan.sync, keys)
    by_document = {one.seq: _document(scan, entries.get(one.key)) for one in part}
    hashes = scan.mirror.hashes(sorted({key for key in by_document.values() if key}))
    for one in part:
        reason = _reason(one, scan.sync, rows.get(one.key), entries.get(one.key), created_at)
        present = hashes.get(by_document[one.seq] or "")
        if reason is None and one.mirror_hash is not None and present not in (None, one.mirror_hash):
            reason = f"its record in {scan.sync.destination} changed since the plan"
        if reason:
            yield _held(one, reason)


def _reason(
    operation: Operation,
    sync: Sync,
    row: Mapping[str, Any] | None,
    entry: Entry | None,
    created_at: datetime,
) -> str | None:
    if operation.mapping_hash != sync.mapping_hash:
        return f"the mapping of {sync.name} changed since the plan"
    if entry is not None and entry.applied_at > created_at and entry.plan_id != operation.plan_id:
        return f"plan {entry.plan_id} wrote it meanwhile"
    if operation.undoes:
        # It goes against the model on purpose.
        return None
    if operation.action in REMOVALS and operation.row_hash is None:
        return "its row came back to the model since the plan" if row is not None else None
    if row is None:
        return "its row left the model since the plan"
    if row["_hash"] != operation.row_hash:
        return "its row in the model changed since the plan"
    if sync.held and row[sync.held] is not None:
        return f"its row is not ready now: {row[sync.held]}"
    if (
        sync.stock
        and "quantity" in operation.payload
        and operation.action not in REMOVALS
        and operation.payload["quantity"] not in (stated := row[sync.stock.column], sync.first_stock(stated))
    ):
        return "its stock in the model changed since the plan"
    return None


def _document(scan: Scan, entry: Entry | None) -> str | None:
    if entry is None:
        return None
    return (
        entry.parent_remote_id
        if scan.destination.document_of(scan.sync) == "parent_remote_id"
        else entry.remote_id
    )


def _torn(operations: Sequence[Operation], held: set[int]) -> Iterator[Outcome]:
    """A product and its default SKU are created together or not at all; rows of a batch stand alone."""
    by_call: dict[int, list[Operation]] = {}
    for one in operations:
        by_call.setdefault(one.call, []).append(one)
    for call in by_call.values():
        if (
            call[0].action == "create"
            and call[0].resource == "products"
            and any(one.seq in held for one in call)
        ):
            yield from (
                _held(one, "what it is created with moved since the plan")
                for one in call
                if one.seq not in held
            )


def _held(operation: Operation, reason: str) -> Outcome:
    return Outcome(operation, "deferred", error=f"{reason}; plan again")
