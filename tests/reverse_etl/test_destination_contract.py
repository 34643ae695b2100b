"""A destination is one class, one channel and one line: a shelf that keeps what it is given."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

import pytest
from row_bench import RowBench

from karvon.warehouse import Dialect, Warehouse
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


class Stall(Shelf):
    """A shelf that can be looked at: what stands there is landed in `raw_stall.goods`, others put things there too."""

    def mirror(self, sync: Sync) -> str:
        return "raw_stall.goods"

    def record(self, sync: Sync, document: Mapping[str, Any], remote_id: str) -> Record:
        return Record(remote_id, None, {name: document.get(name) for name in ("key", "title", "price")})

    def identifiers(self, sync: Sync, dialect: Dialect, latest: str) -> str:
        key = (
            "json_extract_string(document, '$.key')"
            if dialect == "duckdb"
            else "CAST(document AS json) ->> 'key'"
        )
        return (
            "SELECT document_key AS remote_id, CAST(NULL AS text) AS parent_remote_id, 'key' AS name, "
            f"{key} AS value FROM {latest}"
        )

    def codes(self, sync: Sync, document: Mapping[str, Any], remote_id: str, name: str) -> Collection[str]:
        return [document[name]]

    def land(self, warehouse: Warehouse, minute: int) -> None:
        """Read the stall anew, as a source would."""
        at = datetime(2030, 1, 1, 12, minute, tzinfo=UTC)
        with warehouse.session() as session:
            session.execute("CREATE SCHEMA IF NOT EXISTS raw_stall")
            session.execute(
                "CREATE TABLE IF NOT EXISTS raw_stall.goods (connection text, document_key text, document json, "
                "document_hash text, landed_at timestamptz, is_deleted boolean)"
            )
            for key, goods in self.goods.items():
                document = json.dumps({"key": key, **goods}, sort_keys=True, default=float)
                session.execute(
                    "INSERT INTO raw_stall.goods VALUES ('default', $1, CAST($2 AS json), $3, $4, false)",
                    (key, document, hashlib.md5(document.encode(), usedforsecurity=False).hexdigest(), at),
                )


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


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
        plan = make_plan(bench.warehouse, bench.syncs, {"shelf": shelf})
        return apply_plan(bench.warehouse, plan.plan_id, bench.syncs, {"shelf": shelf}, opened).applied

    for key in "ab":
        bench.row(key, price=1)
    assert run() == 2
    assert run() == 0
    bench.row("a", price=2)
    del bench.rows["b"]
    assert run() == 2
    assert shelf.goods == {"a": {"key": "a", "title": "Item a", "price": 2}}
    assert run() == 0


def test_a_destination_that_can_be_looked_at_need_not_pretend_to_be_a_shop(bench: RowBench) -> None:
    stall = Stall()
    stall.goods["a"] = {"title": "Somebody's", "price": 1}
    bench.settings |= {"match": ["key"]}
    opened = {("shelf", "default"): stall.opened}
    minutes = itertools.count()

    def run() -> Counter[str]:
        stall.land(bench.warehouse, next(minutes))
        bench.build()
        plan = make_plan(bench.warehouse, bench.syncs, {"shelf": stall})
        apply_plan(bench.warehouse, plan.plan_id, bench.syncs, {"shelf": stall}, opened)
        return Counter(one.action for one in plan.operations)

    for key in "ab":
        bench.row(key, price=2)
    # What stood there already is taken over by its key, not made again.
    assert run()["create"] == 1
    run()
    assert stall.goods["a"] == {"title": "Item a", "price": 2}
    assert run() == {}
    stall.goods["b"] = {**stall.goods["b"], "price": 99}
    assert run() == {"update": 1}
    assert stall.goods["b"]["price"] == 2
    with bench.warehouse.session() as session:
        drifted = session.rows("SELECT key, field FROM reverse_etl.drift")
    assert {"key": "b", "field": "price"} in drifted
    assert run() == {}


def test_a_destination_that_is_down_does_not_stop_another(bench: RowBench, shelf: Shelf) -> None:
    for number in range(40):
        bench.row(f"k{number:02}")
    bench.build()
    [kept] = bench.syncs
    told = kept.model_copy(update={"name": "told", "destination": "webhook", "mode": "once"})
    bench.fault("status", times=0, fault={"status": 404, "body": "no_service"})
    destinations = {**DESTINATIONS, "shelf": shelf}
    plan = make_plan(bench.warehouse, [told, kept], destinations)
    result = apply_plan(
        bench.warehouse,
        plan.plan_id,
        [told, kept],
        destinations,
        {**bench.channels, ("shelf", "default"): shelf.opened},
    )
    assert len(shelf.goods) == 40
    assert (result.applied, result.counts["failed"], result.counts["planned"]) == (40, 32, 8)
    assert "404" in (result.stopped or "")
