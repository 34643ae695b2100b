"""Guards: a plan that changes more than it should is blocked, and says what to do.

Shares count from `SHARES_FROM` existing rows up, so that a young shop is not blocked by its own size. Stock writes
and rows that wait for a person are not counted; rejected rows are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reverse_etl.spec.syncs import Limit, Share, Sync
from reverse_etl.state.operations import Operation, Violation

SHARES_FROM = 10
_KIND = {
    "create": "creates", "update": "updates", "adopt": "updates", "publish": "updates", "unarchive": "updates",
    "archive": "removals", "unpublish": "removals", "delete": "removals",
}  # fmt: skip


@dataclass(frozen=True)
class Sizes:
    """Rows of one sync: in the model, ours in the destination, and those of the model that cannot be used."""

    desired: int
    existing: int
    rejected: int = 0


def violations(
    syncs: Sequence[Sync], operations: Iterable[Operation], sizes: Mapping[str, Sizes], plan_id: str
) -> list[Violation]:
    """Broken guards of a plan; `sizes` by sync."""
    counts: dict[str, Counter[str]] = {sync.name: Counter() for sync in syncs}
    for operation in operations:
        for action, rows in operation.rows.items():
            kind = _KIND.get(action)
            if kind and (operation.changes or action != "adopt"):
                counts[operation.sync][kind] += rows
    return [
        violation
        for sync in syncs
        if sync.name in sizes
        for violation in _broken(sync, counts[sync.name], sizes[sync.name], plan_id)
    ]


def allowed(limit: Limit, rows: int) -> float | None:
    """How many of so many rows a limit lets through; None for any number."""
    if isinstance(limit, Share):
        return rows * limit.percent / 100 if rows >= SHARES_FROM else None
    return limit


def _broken(sync: Sync, counts: Counter[str], sizes: Sizes, plan_id: str) -> Iterator[Violation]:
    existing = sizes.existing
    if sizes.desired == 0 and existing > 0 and sync.removal != "keep":
        message = (
            f"{sync.schema_name}.{sync.table} is empty while {existing} of its rows are in {sync.destination}; "
            "nothing is removed. Look why the model is empty; if the shop shall really be emptied, archive the "
            "records there."
        )
        yield Violation(sync.name, "empty model", 0, existing, message)
    elif sync.guards.min_rows is not None and sizes.desired < sync.guards.min_rows:
        message = (
            f"{sync.schema_name}.{sync.table} has {sizes.desired} rows, and min_rows is {sync.guards.min_rows}; "
            f"nothing is removed. {_way_out(sync, 'min_rows', 'lower', plan_id)}"
        )
        yield Violation(sync.name, "min_rows", sizes.desired, existing, message)
    limits: dict[str, tuple[Limit, int]] = {
        "creates": (sync.guards.max_creates, existing),
        "updates": (sync.guards.max_updates, existing),
        "removals": (sync.guards.max_removals, existing),
        "rejects": (sync.guards.max_rejects, sizes.desired),
    }
    counts["rejects"] = sizes.rejected
    for kind, (limit, of) in limits.items():
        most = allowed(limit, of)
        if most is not None and counts[kind] > most:
            where = f"in the model of {sync.name}" if kind == "rejects" else f"planned for {sync.name}"
            share = f" ({counts[kind] / of:.0%})" if of else ""
            message = (
                f"{counts[kind]} {kind} {where}{share}, {existing} rows of ours are in {sync.destination}, "
                f"and max_{kind} is {limit}. {_way_out(sync, f'max_{kind}', 'raise', plan_id)}"
            )
            yield Violation(sync.name, f"max_{kind}", counts[kind], existing, message)


def _way_out(sync: Sync, guard: str, change: str, plan_id: str) -> str:
    return (
        f"Look at the plan; if it is right, {change} guards.{guard} in {sync.file}, allow it once with "
        f"`karvon approve --plan {plan_id}`, or run `karvon apply {plan_id} --override-guards`."
    )
