"""A destination is one class, one channel and one line: a shelf that keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import pytest
from row_bench import RowBench

from reverse_etl.applying.apply import apply_plan
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.plan import make_plan
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Known, Outcome, Record, WithoutMirror
from reverse_etl.state.operations import Operation


class Shelf(WithoutMirror):
    def __init__(self) -> None:
        self.goods: dict[str, Mapping[str, Any]] = {}

    def problems(self, sync: Sync) -> Iterator[str]:
        yield from ()

    def channels(self, settings):
        return {}

    def rate_limits(self, settings):
        return ()

    def payload(self, sync, action, changes, values, known) -> dict[str, Any]:
        return {"remove": True} if action == "delete" else dict(changes)

    def opened(self, syncs: Mapping[str, Sync]) -> Hand:
        return Hand(self)


class Hand:
    requests = 0
    throttled = 0

    def __init__(self, shelf: Shelf) -> None:
        self.goods = shelf.goods

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *reason: object) -> None:
        return None

    async def prepare(self, call: Sequence[Operation], known: Known) -> list[Operation | Outcome]:
        return list(call)

    async def send(self, call: Sequence[Operation]) -> list[Outcome]:
        for one in call:
            if one.action == "delete":
                del self.goods[one.key]
            else:
                self.goods[one.key] = {**self.goods.get(one.key, {}), **one.payload}
        return [Outcome(one, "done", record=Record(one.key, None, {})) for one in call]

    async def read(self, operation: Operation, known: Known) -> Mapping[str, Any] | None:
        return None

    async def find(self, call: Sequence[Operation], known: Known) -> list[Outcome]:
        return [Outcome(one, "absent") for one in call]


@pytest.fixture
def shelf(monkeypatch) -> Shelf:
    made = Shelf()
    monkeypatch.setitem(DESTINATIONS, "shelf", made)
    return made


@pytest.fixture
def bench(warehouse, sandbox_url, tmp_path) -> Iterator[RowBench]:
    made = RowBench(warehouse, sandbox_url, tmp_path, "contract", destination="shelf", mode="upsert")
    yield made
    made.close()


def test_a_new_destination_follows_the_whole_contract(bench: RowBench, shelf: Shelf) -> None:
    bench.settings |= {"mode": "mirror", "on_removal": "delete"}
    opened = {("shelf", "default"): shelf.opened}

    def run() -> int:
        bench.build()
        plan = make_plan(bench.warehouse, bench.syncs, DESTINATIONS)
        return apply_plan(bench.warehouse, plan.plan_id, bench.syncs, DESTINATIONS, opened).applied

    for key in "ab":
        bench.row(key, price=1)
    assert run() == 2
    assert run() == 0
    bench.row("a", price=2)
    del bench.rows["b"]
    assert run() == 2
    assert shelf.goods == {"a": {"key": "a", "title": "Item a", "price": 2}}
    assert run() == 0


def test_a_destination_that_is_down_does_not_stop_another(bench: RowBench, shelf: Shelf) -> None:
    for number in range(40):
        bench.row(f"k{number:02}")
    bench.build()
    [kept] = bench.syncs
    told = kept.model_copy(update={"name": "told", "destination": "webhook", "mode": "once"})
    bench.fault("status", times=0, fault={"status": 404, "body": "no_service"})
    plan = make_plan(bench.warehouse, [told, kept], DESTINATIONS)
    result = apply_plan(
        bench.warehouse,
        plan.plan_id,
        [told, kept],
        DESTINATIONS,
        {**bench.channels, ("shelf", "default"): shelf.opened},
    )
    assert len(shelf.goods) == 40
    assert (result.applied, result.counts["failed"], result.counts["planned"]) == (40, 32, 8)
    assert "404" in (result.stopped or "")
