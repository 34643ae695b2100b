"""What waits for a person: held prices and emptied fields, approvals, guards over a plan, and the proof of removals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reverse_etl.applying.apply import Blocked
from reverse_etl.review.approvals import NothingToApprove, waiting
from reverse_etl.state.operations import now


def guarded(bench, table: str, **guards) -> None:
    bench.overrides = {f"webflow__{table}": {"guards": guards}}


def many(bench, count: int) -> None:
    for number in range(count):
        bench.product(f"p{number:02}")
    bench.run()
    bench.mirror()


def price(bench, key: str) -> int:
    return bench.shop()["products"][f"p-{key}"]["skus"][0]["fields"]["price"]["value"]


def held(bench) -> list[tuple[str, str, str]]:
    return [(one.key, one.rule, one.field) for one in waiting(bench.warehouse).holds]


@pytest.mark.parametrize(
    ("after", "is_held"), [(2598, False), (2599, True), (1399, True), (0, True), (1999, False)]
)
def test_a_price_that_moves_too_far_or_to_zero_holds_its_row(bench, after, is_held) -> None:
    guarded(bench, "skus", max_price_change="30%")
    many(bench, 2)
    bench.change("skus", "p00", price_minor=after, weight=9.5)
    bench.change("skus", "p01", price_minor=2100)
    plan = bench.plan()
    assert plan.needs_approval is is_held
    bench.apply(plan)
    assert price(bench, "p00") == (1999 if is_held else after)
    assert price(bench, "p01") == 2100
    assert held(bench) == ([("p00", "max_price_change", "price")] if is_held else [])


def test_a_price_in_another_currency_and_a_new_row_for_nothing_are_held(bench) -> None:
    guarded(bench, "skus", max_price_change="30%")
    many(bench, 1)
    bench.change("skus", "p00", currency="EUR")
    bench.product("free")
    bench.change("skus", "free", price_minor=0)
    plan = bench.plan()
    assert plan.is_empty
    assert sorted(held(bench)) == [
        ("free", "max_price_change", "price"),
        ("p00", "max_price_change", "price"),
    ]


def test_the_stock_of_a_row_whose_price_waits_is_written(bench) -> None:
    guarded(bench, "skus", max_price_change="30%")
    many(bench, 1)
    bench.change("skus", "p00", stock_quantity=5, price_minor=1)
    assert [one.action for one in bench.plan().operations] == ["set_stock"]


def test_an_approval_lets_exactly_that_value_go_and_is_written_down(bench) -> None:
    guarded(bench, "skus", max_price_change="30%")
    many(bench, 2)
    bench.change("skus", "p00", price_minor=9000)
    bench.change("skus", "p01", price_minor=9000)
    plan = bench.plan()
    assert plan.is_empty
    (given,) = bench.approve(keys=["p00"])
    assert (given.approver, given.rule, given.plan_id) == ("tester", "max_price_change", plan.plan_id)
    bench.change("skus", "p00", price_minor=9001)
    assert bench.plan().is_empty
    bench.change("skus", "p00", price_minor=9000)
    bench.apply(bench.plan())
    assert (price(bench, "p00"), price(bench, "p01")) == (9000, 1999)
    assert held(bench) == [("p01", "max_price_change", "price")]
    rows = bench.rows("SELECT approver, plan_id, sync, key, rule, field FROM reverse_etl.approvals")
    assert [tuple(row.values()) for row in rows] == [
        ("tester", plan.plan_id, "webflow__skus", "p00", "max_price_change", "price")
    ]


def test_an_approval_is_used_up_by_the_write(bench) -> None:
    guarded(bench, "skus", max_price_change="30%")
    many(bench, 1)
    for value in (9000, 1999, 9000):
        bench.change("skus", "p00", price_minor=value)
        plan = bench.settle()
        assert plan.is_empty, value
        assert plan.needs_approval
        bench.approve(rule="max_price_change")
        bench.apply(bench.plan())
        assert price(bench, "p00") == value
    assert held(bench) == []


def test_a_hold_ends_when_the_model_takes_the_change_back(bench) -> None:
    guarded(bench, "skus", max_price_change="30%")
    many(bench, 1)
    bench.change("skus", "p00", price_minor=9000)
    first = bench.plan().holds[0]
    bench.plan()
    (still,) = waiting(bench.warehouse).holds
    assert still.held_at < now()
    assert still.plan_id != first.plan_id
    bench.change("skus", "p00", price_minor=1999)
    assert bench.plan().is_empty
    assert held(bench) == []
    with pytest.raises(NothingToApprove, match="karvon held"):
        bench.approve()


def test_a_field_that_would_be_emptied_on_many_rows_is_left_and_the_rest_goes_on(bench) -> None:
    guarded(bench, "products", max_emptied="10%")
    many(bench, 10)
    for number in range(2):
        bench.change("products", f"p{number:02}", brand=None, name="New")
    bench.change("products", "p05", seo_title=None)
    plan = bench.plan()
    assert sorted((one.key, *one.changes) for one in plan.operations) == [
        ("p00", "name"), ("p01", "name"), ("p05", "seo-title"),
    ]  # fmt: skip
    assert "brand would be emptied on 2 of 10 rows" in plan.holds[0].message
    bench.apply(plan)
    assert bench.shop()["products"]["p-p00"]["fields"]["brand"] == "Acme"
    assert bench.settle().is_empty
    bench.approve(rule="max_emptied")
    bench.apply(bench.plan())
    assert bench.shop()["products"]["p-p00"]["fields"].get("brand") is None
    assert bench.settle().holds == ()


def test_a_broken_guard_is_allowed_for_one_plan_only(bench) -> None:
    guarded(bench, "products", max_creates=1)
    for key in ("p1", "p2"):
        bench.product(key)
    other, plan = bench.settle(), bench.plan()
    assert [one["guard"] for one in waiting(bench.warehouse).guards] == ["max_creates"]
    bench.approve(plan_id=plan.plan_id)
    assert waiting(bench.warehouse).guards == []
    with pytest.raises(Blocked):
        bench.apply(other)
    assert bench.apply(plan).applied == 4


@pytest.mark.parametrize(
    ("guards", "guard"), [({"min_rows": 3}, "min_rows"), ({"max_rejects": 0}, "max_rejects")]
)
def test_a_model_that_is_too_small_or_has_rejects_blocks_the_plan(bench, guards, guard) -> None:
    many(bench, 3)
    bench.overrides = {"webflow__products": {"guards": guards}}
    bench.drop("p00")
    bench.product("x", product_key=None)
    bench.drop_skus("x")
    if guard == "min_rows":
        del bench.tables["webflow__products"]["x"]
    plan = bench.plan()
    assert [one.guard for one in plan.violations] == [guard]
    assert "_webflow.yml" in plan.violations[0].message
    assert bool(plan.operations) is (guard == "max_rejects")


def test_a_value_that_does_not_fit_its_field_counts_as_a_reject(bench) -> None:
    many(bench, 1)
    guarded(bench, "products", max_rejects=0)
    bench.change("products", "p00", category_keys="not json")
    assert [one.guard for one in bench.plan().violations] == ["max_rejects"]


@pytest.mark.parametrize("how", ["incomplete", "old", "short"])
def test_nothing_is_removed_while_the_shop_was_not_read_well(bench, how) -> None:
    guarded(bench, "products", max_read_age_hours=6)
    many(bench, 3)
    bench.drop("p00")
    assert [one.action for one in bench.plan().operations] == ["archive"]
    with bench.warehouse.session() as session:
        if how == "incomplete":
            session.execute(
                "INSERT INTO raw_webflow.observations VALUES ('products', 'default', 'all', now(), false, NULL, '2')"
            )
        elif how == "old":
            session.execute(
                "UPDATE raw_webflow.observations SET observed_at = $1", (now() - timedelta(hours=7),)
            )
    if how == "short":
        bench.land("products", {})
    plan = bench.plan(key="p00")
    assert plan.is_empty
    said = {"incomplete": "not complete", "old": "older than 6 hours", "short": "shows 0 of our 3 records"}
    assert said[how] in plan.findings[0].message
