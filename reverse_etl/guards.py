"""Guards: a plan that changes more than it should is blocked, and says what to do.

Shares count from `SHARES_FROM` existing rows up, so that a young shop is not blocked by its own size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reverse_etl.operations import Operation
from reverse_etl.syncs import Limit, Share, Sync

SHARES_FROM = 10
_KIND = {
    "create": "creates", "update": "updates", "adopt": "updates", "unarchive": "updates", "archive": "removals",
    "delete": "removals",
}  # fmt: skip


@dataclass(frozen=True)
class Violation:
    """One guard that a plan breaks."""

    sync: str
    guard: str
    count: int
    existing: int
    message: str


def violations(
    syncs: Sequence[Sync], operations: Iterable[Operation], sizes: Mapping[str, tuple[int, int]], plan_id: str
) -> list[Violation]:
    """Broken guards; `sizes` are (rows in the model, rows of ours in the shop) by sync."""
    counts: dict[str, Counter[str]] = {sync.name: Counter() for sync in syncs}
    for operation in operations:
        for action, rows in operation.rows.items():
            kind = _KIND.get(action)
            if kind and (operation.changes or action != "adopt"):
                counts[operation.sync][kind] += rows
    return [
        violation
        for sync in syncs
        for violation in _broken(sync, counts[sync.name], *sizes[sync.name], plan_id)
    ]


def _broken(
    sync: Sync, counts: Counter[str], desired: int, existing: int, plan_id: str
) -> Iterator[Violation]:
    if desired == 0 and existing > 0 and sync.removal != "keep":
        message = (
            f"{sync.schema_name}.{sync.table} is empty while {existing} of its rows are in {sync.destination}; "
            "nothing is removed. Look why the model is empty; if the shop shall really be emptied, archive the "
            "records there."
        )
        yield Violation(sync.name, "empty model", 0, existing, message)
    limits: dict[str, Limit] = {
        "creates": sync.guards.max_creates,
        "updates": sync.guards.max_updates,
        "removals": sync.guards.max_removals,
    }
    for kind, limit in limits.items():
        allowed = _allowed(limit, existing)
        if allowed is not None and counts[kind] > allowed:
            message = (
                f"{counts[kind]} {kind} planned for {sync.name}, {existing} rows of ours are in {sync.destination}, "
                f"and max_{kind} is {limit}. Look at the plan; if it is right, raise guards.max_{kind} in {sync.file}, "
                f"or run `karvon apply {plan_id} --override-guards`."
            )
            yield Violation(sync.name, f"max_{kind}", counts[kind], existing, message)


def _allowed(limit: Limit, existing: int) -> float | None:
    if isinstance(limit, Share):
        return existing * limit.percent / 100 if existing >= SHARES_FROM else None
    return limit
