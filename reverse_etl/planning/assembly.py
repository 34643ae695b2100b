"""From single changes to a numbered plan: bundled into calls by their destinations, with what they cost."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from reverse_etl.planning.ordering import in_order
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Destinations
from reverse_etl.state.operations import Finding, Operation, revised


def new_plan_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"


def bundle(
    operations: Sequence[Operation], syncs: Sequence[Sync], destinations: Destinations
) -> tuple[list[Operation], list[Finding]]:
    """Operations as their destinations bundle them, in sending order, and findings for those that cannot go."""
    bundled: list[list[Operation]] = []
    findings: list[Finding] = []
    for name in dict.fromkeys(sync.destination for sync in syncs):
        mine = [operation for operation in operations if operation.destination == name]
        calls, found = destinations[name].pack(mine, syncs)
        bundled.append(calls)
        findings += found
    return in_order(bundled, syncs), findings


def number(operations: Sequence[Operation], plan_id: str, at: datetime) -> tuple[Operation, ...]:
    return tuple(
        revised(one, plan_id=plan_id, seq=seq, planned_at=at) for seq, one in enumerate(operations, 1)
    )


def request_count(operations: Sequence[Operation], destinations: Destinations) -> int:
    """Requests of all calls, and those that each destination needs besides."""
    return sum(one.requests for one in operations) + sum(
        destinations[name].extra_requests([one for one in operations if one.destination == name])
        for name in {one.destination for one in operations}
    )
