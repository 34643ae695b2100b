"""The order in which calls of several destinations are sent: what others refer to comes first, and leaves last."""

from __future__ import annotations

from collections.abc import Sequence

from reverse_etl.spec.syncs import Sync
from reverse_etl.state.operations import REMOVALS, Operation, revised


def in_order(packed: Sequence[Sequence[Operation]], syncs: Sequence[Sync]) -> list[Operation]:
    """The packed operations of each destination as one list, with calls and stages numbered anew.

    A packing numbers its calls and orders them by its own stages. Here a call also waits for the syncs that its
    rows refer to, whichever destination they go to; removals wait for everything, those that refer first.
    """
    ranks = _ranks(syncs)
    calls: list[tuple[tuple[int, int, int], list[Operation]]] = []
    for operations in packed:
        by_call: dict[int, list[Operation]] = {}
        for one in operations:
            by_call.setdefault(one.call, []).append(one)
        calls += [(_place(call, ranks), call) for call in by_call.values()]
    calls.sort(key=lambda placed: placed[0])
    stages = {place: number for number, place in enumerate(sorted({place for place, _ in calls}))}
    return [
        revised(one, call=number, stage=stages[place], seq=0)
        for number, (place, call) in enumerate(calls, 1)
        for one in call
    ]


def _place(call: Sequence[Operation], ranks: dict[str, int]) -> tuple[int, int, int]:
    rank = max(ranks.get(one.sync, 0) for one in call)
    # A row that moves to another place leaves the old one first; only rows that are gone wait for everything.
    is_last = call[0].action in REMOVALS and call[0].row_hash is None
    return (1, -rank, call[0].stage) if is_last else (0, rank, call[0].stage)


def _ranks(syncs: Sequence[Sync]) -> dict[str, int]:
    """How many references deep each sync stands; a parent and its children stand together."""
    family = {sync.name: sync.parent.sync if sync.parent else sync.name for sync in syncs}
    refers: dict[str, set[str]] = {name: set() for name in family.values()}
    for sync in syncs:
        refers[family[sync.name]] |= {family.get(name, name) for name in sync.refers_to}
    ranks: dict[str, int] = {}

    def rank(name: str) -> int:
        if name not in ranks:
            others = [other for other in refers.get(name, ()) if other != name]
            ranks[name] = max((1 + rank(other) for other in others), default=0)
        return ranks[name]

    return {name: rank(head) for name, head in family.items()}
