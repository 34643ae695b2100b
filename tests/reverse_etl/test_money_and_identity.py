"""Money, stock and identity: what an old plan, a retry, an undo or a deletion must not do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from reverse_etl.applying.apply import Blocked
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.guards import SHARES_FROM, Sizes, violations
from reverse_etl.review.undo import make_undo
from reverse_etl.state import ledger
from reverse_etl.state.destination import Known
from reverse_etl.state.operations import Operation, load


def stocks(bench) -> dict[str, int | None]:
    skus = [sku for product in bench.shop()["products"].values() for sku in product["skus"]]
    return {sku["fields"]["slug"]: sku["inventory"]["quantity"] for sku in skus}


def test_an_old_plan_does_not_write_a_stock_that_the_model_has_changed_since(bench) -> None:
    for key in ("p1", "p2"):
        bench.product(key)
        bench.change("skus", key, stock_quantity=10)
    bench.run()
    bench.mirror()
    for key in ("p1", "p2"):
        bench.change("skus", key, stock_quantity=25)
    plan = bench.plan()
    bench.change("skus", "p1", stock_quantity=3)
    bench.build()
    result = bench.apply(plan)
    assert (result.deferred, result.applied) == (1, 1)
    assert stocks(bench) == {"s-p1": 10, "s-p2": 25}
    assert "its stock in the model changed since the plan" in result.errors[0]


def test_a_first_stock_that_is_tried_again_does_not_overwrite_what_sold_in_between(bench) -> None:
    bench.product("p1")
    bench.change("skus", "p1", stock_quantity=5)
    bench.run()
    bench.sale("CODE-p1", 2)
    with bench.warehouse.session() as session:
        (first,) = [one for one in load(session, "action = 'set_stock'", ()) if one.payload["is_new"]]
        known = Known(ledger.read_named(session, first.target, {first.identity}))
    plan = {name: first.payload[name] for name in ("quantity", "seen", "is_new", "on_moved")}

    async def tried(attempts: int) -> object:
        async with bench.channels[first.target]({one.name: one for one in bench.syncs}) as channel:
            (prepared,) = await channel.prepare([replace(first, payload=plan, attempts=attempts)], known)
            return prepared

    assert isinstance(asyncio.run(tried(0)), Operation)
    again = asyncio.run(tried(1))
    assert not isinstance(again, Operation)
    assert again.status == "deferred"


def test_an_undo_leaves_a_stock_alone_that_was_written_again_since(bench) -> None:
    bench.product("p1")
    bench.change("skus", "p1", stock_quantity=10)
    bench.run()
    plans = []
    for quantity in (20, 30):
        bench.mirror()
        bench.change("skus", "p1", stock_quantity=quantity)
        plans.append(bench.plan())
        bench.apply(plans[-1])
    bench.mirror()
    back = make_undo(bench.warehouse, bench.syncs, DESTINATIONS, plans[0].plan_id)
    assert back.operations == ()
    assert [(one.kind, one.key, one.message) for one in back.findings] == [
        ("not_undone", "p1", "set_stock stays: its stock was written again since")
    ]


def test_a_yes_to_one_sync_is_none_to_another_with_the_same_guard(bench) -> None:
    bench.overrides = {
        f"webflow__{name}": {"guards": {"max_creates": 0}} for name in ("products", "categories")
    }
    bench.category("c1")
    bench.product("p1")
    plan = bench.plan()
    with bench.warehouse.session() as session:
        session.execute(
            "INSERT INTO reverse_etl.approvals VALUES (now(), 'Zuhra', $1, 'webflow_store', 'default', "
            "'webflow__products', '', 'max_creates', '', $1)",
            (plan.plan_id,),
        )
    with pytest.raises(Blocked) as blocked:
        bench.apply(plan)
    assert "planned for webflow__categories" in str(blocked.value)
    assert "webflow__products" not in str(blocked.value)
    assert bench.shop()["products"] == {}


@pytest.mark.parametrize(
    ("guard", "actions"),
    [
        ("max_creates", ["create"]),
        ("max_updates", ["update", "publish", "unarchive", "adopt"]),
        ("max_removals", ["archive", "unpublish", "delete"]),
    ],
)
def test_each_action_is_counted_by_its_guard_and_by_no_other(bench, guard, actions) -> None:
    limits = {"max_creates": 2, "max_updates": 2, "max_removals": 2}
    bench.overrides = {"webflow__products": {"guards": limits}}
    (sync,) = [one for one in bench.syncs if one.name == "webflow__products"]
    sizes = {sync.name: Sizes(100, 100), "webflow__skus": Sizes(100, 100)}
    changes = {"name": {"before": 1, "after": 2}}
    for action in actions:
        some = [
            Operation(sync.name, *sync.target, f"p{n}", "products", action, changes, {}) for n in range(3)
        ]
        assert violations([sync], some[:2], sizes, "p") == []
        assert [(one.guard, one.count) for one in violations([sync], some, sizes, "p")] == [(guard, 3)]


def test_a_share_is_of_existing_rows_and_is_reached_exactly(bench) -> None:
    bench.overrides = {"webflow__products": {"guards": {"max_updates": "10%", "max_rejects": "10%"}}}
    (sync,) = [one for one in bench.syncs if one.name == "webflow__products"]

    def broken(updates: int, existing: int, rejected: int = 0, desired: int = 1000) -> list[str]:
        some = [
            Operation(sync.name, *sync.target, f"p{n}", "products", "update", {"name": {}}, {})
            for n in range(updates)
        ]
        found = violations([sync], some, {sync.name: Sizes(desired, existing, rejected)}, "p")
        return [one.guard for one in found]

    assert (broken(2, 20), broken(3, 20)) == ([], ["max_updates"])
    assert broken(9, SHARES_FROM - 1) == []
    assert broken(2, SHARES_FROM) == ["max_updates"]
    # Rejects are a share of the model, not of the shop.
    assert (broken(0, 20, 10, 100), broken(0, 2000, 11, 100)) == ([], ["max_rejects"])


def test_what_a_deleted_product_owned_is_forgotten_and_nothing_else(bench) -> None:
    bench.switch(cms_store_writes="accept")
    bench.overrides = {"webflow__products": {"on_removal": "delete"}}
    bench.product("gone", sizes=("S", "M"))
    bench.product("stays", sizes=("S",))
    bench.run()
    (parent,) = bench.rows("SELECT remote_id FROM reverse_etl.ledger WHERE key = 'gone'")
    with bench.warehouse.session() as session:
        # Another site has a product of the same id.
        session.execute(
            "INSERT INTO reverse_etl.ledger SELECT destination, 'other', sync, key, remote_id, parent_remote_id, sent, "
            "sent_hash, answered, extras, row_hash, mapping_hash, mirror_hash, removed, stock_sent, stock_answered, "
            "stock_at, applied_at, plan_id FROM reverse_etl.ledger WHERE parent_remote_id = $1",
            (parent["remote_id"],),
        )
    bench.mirror()
    bench.drop("gone")
    assert bench.apply(bench.plan()).failed == 0
    left = bench.rows("SELECT connection, key FROM reverse_etl.ledger ORDER BY 1, 2")
    assert [(row["connection"], row["key"]) for row in left] == [
        ("default", "stays"), ("default", "stays-S"), ("other", "gone-M"), ("other", "gone-S"),
    ]  # fmt: skip
    bench.mirror()
    bench.product("gone", sizes=("S", "M"))
    assert bench.apply(bench.plan()).failed == 0
    assert len(bench.shop()["products"]["p-gone"]["skus"]) == 2


def test_an_option_that_the_model_drops_keeps_its_place(bench) -> None:
    def offered(*values: str) -> str:
        return json.dumps([{"name": "Größe", "values": list(values)}])

    bench.product("p1", sizes=("S", "M", "L"), sku_properties=offered("S", "M", "L"))
    bench.run()
    bench.mirror()
    bench.change("products", "p1", sku_properties=offered("S", "M", "XL"))
    assert bench.apply(bench.plan()).failed == 0
    items = [
        one["product"]["fieldData"]
        for one in bench.api.get(f"/sites/{bench.site_id}/products").json()["items"]
    ]
    ((size,),) = [one["sku-properties"] for one in items if one["slug"] == "p-p1"]
    assert [option["name"] for option in size["enum"]] == ["S", "M", "L", "XL"]
    assert len({option["id"] for option in size["enum"]}) == 4


def test_the_last_refusal_of_a_row_counts_and_not_the_first(bench) -> None:
    for category in ("no such category", "none like this"):
        bench.product("p1", tax_category=category)
        assert bench.run().failed == 2
    plan = bench.settle()
    assert plan.is_empty
    assert {one.kind for one in plan.findings} == {"refused"}
    bench.product("p1", tax_category="no such category")
    assert len(bench.settle().operations) == 2
