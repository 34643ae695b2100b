"""Guards, held and refused rows, and what stops a run."""

from __future__ import annotations

import pytest

from reverse_etl.applying.apply import Blocked
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.plan import UnknownKey
from reverse_etl.planning.scan import ModelMissing
from reverse_etl.state.history import errors, history, status
from reverse_etl.state.stored_plans import NoSuchPlan, latest_plan_id, load_plan


def many(bench, count: int) -> None:
    for number in range(count):
        bench.product(f"p{number:02}")
    bench.run()
    bench.mirror()


def kinds(plan) -> set[tuple[str, str]]:
    return {(one.kind, one.key) for one in plan.findings}


def test_too_many_creates_block_the_plan_and_the_message_says_the_way_out(bench) -> None:
    bench.overrides = {"webflow__products": {"guards": {"max_creates": 2}}}
    for number in range(3):
        bench.product(f"p{number}")
    plan = bench.settle()
    assert plan.is_blocked
    (violation,) = plan.violations
    assert (violation.guard, violation.count) == ("max_creates", 3)
    assert "models/activation/webflow/_webflow.yml" in violation.message
    assert f"karvon apply {plan.plan_id} --override-guards" in violation.message
    with pytest.raises(Blocked, match="max_creates"):
        bench.apply(plan)
    assert bench.apply(plan, override_guards=True).failed == 0


@pytest.mark.parametrize(("existing", "blocked"), [(9, False), (10, True)])
def test_shares_count_from_ten_existing_rows_up(bench, existing, blocked) -> None:
    many(bench, existing)
    bench.overrides = {"webflow__products": {"guards": {"max_removals": "10%"}}}
    bench.drop("p00")
    bench.drop("p01")
    assert bench.plan().is_blocked is blocked


def test_an_empty_model_removes_nothing_and_blocks(bench) -> None:
    many(bench, 2)
    bench.drop("p00")
    bench.drop("p01")
    plan = bench.plan()
    assert plan.is_blocked
    assert plan.operations == ()
    assert {one.guard for one in plan.violations} == {"empty model"}


def test_nothing_is_removed_while_the_source_was_read_incompletely(bench) -> None:
    many(bench, 2)
    bench.drop("p00")
    with bench.warehouse.session() as session:
        session.execute("CREATE SCHEMA IF NOT EXISTS raw_plytix")
        session.execute(
            "CREATE TABLE raw_plytix.observations (resource text, connection text, scope text, "
            "observed_at timestamptz, is_complete boolean)"
        )
        session.execute("INSERT INTO raw_plytix.observations VALUES ('products', 'eu', 'all', now(), false)")
    plan = bench.plan()
    assert plan.is_empty
    assert "raw_plytix.products (eu) was not complete" in plan.findings[0].message


def test_held_rows_are_neither_created_nor_updated_nor_removed_and_hold_their_skus(bench) -> None:
    many(bench, 1)
    bench.product("p9", sizes=("S", "M"), hold_reasons="no picture")
    bench.change("products", "p00", name="New", hold_reasons="status is Draft")
    bench.change("skus", "p00", price_minor=5)
    plan = bench.plan()
    assert plan.is_empty
    assert kinds(plan) == {
        ("not_ready", "p00"),
        ("not_ready", "p9"),
        ("not_ready", "p9-S"),
        ("not_ready", "p9-M"),
    }
    del bench.tables["webflow__skus"]["p00"]
    assert bench.plan().is_empty


def test_rows_without_a_key_or_with_a_shared_one_are_rejects(bench) -> None:
    many(bench, 1)
    for name, key in (("a", None), ("b", "twice"), ("c", "twice")):
        bench.product(f"x{name}", product_key=key)
        bench.drop_skus(f"x{name}")
    plan = bench.plan()
    assert plan.is_empty
    assert plan.counts["webflow__products"]["not_ready"] == 3
    assert kinds(plan) == {("reject", ""), ("reject", "twice")}


def test_a_product_needs_exactly_one_default_sku(bench) -> None:
    bench.product("p1", sizes=("S", "M"))
    bench.change("skus", "p1-M", is_default=True)
    bench.product("p2")
    bench.drop_skus("p2")
    plan = bench.settle()
    assert plan.is_empty
    assert kinds(plan) == {("not_ready", "p1"), ("not_ready", "p2")}


def test_one_bad_row_never_sinks_the_others_and_is_not_tried_again_by_itself(bench) -> None:
    bench.product("p1", sizes=("S", "M", "L", "XL"))
    bench.change("skus", "p1-L", main_image_url="https://img.example/not an image")
    bench.product("p2", tax_category="no such category")
    result = bench.run()
    assert (result.failed, result.applied) == (3, 4)
    rows = {row["key"]: row for row in errors(bench.warehouse)}
    assert rows["p1-L"]["error"] == (
        "400 Validation Error; main-image: Remote file failed to import: https://img.example/not an image"
    )
    assert rows["p1-L"]["error_field"] == "main-image"
    assert rows["p2"]["is_permanent"]
    plan = bench.settle()
    assert plan.is_empty
    assert ("refused", "p1-L") in kinds(plan)
    assert len(bench.plan(retry=True).operations) == 3
    bench.change("skus", "p1-L", main_image_url="https://img.example/fine.png")
    result = bench.apply(bench.plan())
    assert (result.applied, result.failed) == (1, 0)
    assert "p1-L" not in {row["key"] for row in errors(bench.warehouse)}


def test_a_product_update_that_fails_does_not_sink_its_default_sku(bench) -> None:
    many(bench, 1)
    bench.change("products", "p00", tax_category="no such category")
    bench.change("skus", "p00", price_minor=4242)
    result = bench.apply(bench.plan())
    assert (result.applied, result.failed) == (1, 1)
    assert bench.shop()["products"]["p-p00"]["skus"][0]["fields"]["price"]["value"] == 4242


def test_transient_failures_are_planned_again(bench) -> None:
    many(bench, 1)
    bench.change("products", "p00", name="New")
    bench.fault("status", method="PATCH", path="/products/", times=1, status=409)
    assert bench.apply(bench.plan()).failed == 1
    assert len(bench.plan().operations) == 1


@pytest.mark.parametrize("status_code", [401, 403])
def test_a_refused_token_stops_the_run_and_leaves_the_rest_planned(bench, status_code) -> None:
    for number in range(40):
        bench.product(f"p{number}")
    bench.mirror()
    plan = bench.plan()
    bench.fault("status", method="POST", times=0, status=status_code)
    result = bench.apply(plan)
    assert "stopped" in result.stopped
    assert result.counts["planned"] == 2 * (40 - 32)
    assert load_plan(bench.warehouse, plan.plan_id).status == "stopped"


def test_a_site_without_ecommerce_stops_the_run_and_the_next_one_goes_on(bench) -> None:
    many(bench, 1)
    for number in range(40):
        bench.product(f"q{number}")
    plan = bench.plan()
    bench.switch(ecommerce_enabled=False)
    result = bench.apply(plan)
    assert "stopped" in result.stopped
    assert result.counts["planned"] > 0
    bench.switch(ecommerce_enabled=True)
    assert bench.apply(bench.plan()).failed == 0
    assert bench.settle().is_empty


def test_a_full_plan_stops_creates_only(bench) -> None:
    many(bench, 1)
    bench.switch(item_cap=1)
    for number in range(10, 44):
        bench.product(f"p{number}")
    bench.change("products", "p00", name="New name")
    result = bench.apply(bench.plan())
    assert result.counts["skipped"] > 0
    assert result.stopped is None
    assert bench.shop()["products"]["p-p00"]["fields"]["name"] == "New name"


def test_rows_that_moved_since_the_plan_are_held_and_the_rest_goes_on(bench) -> None:
    many(bench, 4)
    for key in bench.tables["webflow__products"]:
        bench.change("products", key, name="New name")
    plan = bench.plan()
    bench.change("products", "p00", name="Newer name")
    bench.change("products", "p01", hold_reasons="held now")
    bench.build()
    bench.edit("p-p02", fieldData={"brand": "Edited"})
    bench.mirror()
    result = bench.apply(plan)
    assert (result.deferred, result.applied) == (3, 1)
    assert sum("changed since the plan" in one for one in result.errors) == 2


def test_a_changed_mapping_holds_an_old_plan(bench) -> None:
    bench.product("p1")
    plan = bench.settle()
    bench.meta["webflow__products", "brand"] = {"field": "material"}
    result = bench.apply(plan)
    assert (result.applied, result.deferred) == (0, 2)


def test_a_plan_is_stored_and_an_empty_one_stores_no_operations(bench) -> None:
    bench.product("p1")
    plan = bench.settle()
    stored = load_plan(bench.warehouse, plan.plan_id)
    assert [one.changes for one in stored.operations] == [one.changes for one in plan.operations]
    assert "| create | webflow__products | p1 | name |  | Product p1 |" in plan.to_markdown()
    assert len(plan.to_markdown(rows=3)) < len(plan.to_markdown())
    bench.apply(plan)
    empty = bench.settle()
    assert latest_plan_id(bench.warehouse) == empty.plan_id
    assert load_plan(bench.warehouse, empty.plan_id).operations == ()
    assert [one["status"] for one in history(bench.warehouse)] == ["empty", "applied"]
    assert {row["sync"]: row["rows"] for row in status(bench.warehouse)} == {
        "webflow__products": 1,
        "webflow__skus": 1,
    }
    with pytest.raises(NoSuchPlan):
        load_plan(bench.warehouse, "nothing")


def test_a_plan_that_is_not_stored_leaves_no_trace(bench) -> None:
    bench.product("p1")
    bench.mirror()
    plan = bench.plan(store=False)
    assert len(plan.operations) == 2
    assert latest_plan_id(bench.warehouse) is None


def test_a_missing_model_and_an_unknown_key_are_clear_errors(bench) -> None:
    from reverse_etl.planning.plan import make_plan

    with pytest.raises(ModelMissing, match="karvon run"):
        make_plan(bench.warehouse, bench.syncs, DESTINATIONS)
    with pytest.raises(UnknownKey, match="'nobody'"):
        bench.plan(key="nobody")


def test_a_product_waits_with_its_categories_while_they_are_held(bench) -> None:
    bench.category("c1", hold_reasons="no name")
    bench.category("c2")
    bench.product("p1", category_keys='["c1", "c2"]')
    result = bench.run()
    assert result.failed == 0
    assert bench.shop()["products"]["p-p1"]["categories"] == []
    assert ("deferred", "p1") in kinds(bench.settle())
    bench.change("categories", "c1", hold_reasons=None)
    bench.run()
    assert bench.shop()["products"]["p-p1"]["categories"] == ["c-c1", "c-c2"]
    assert bench.settle().is_empty
