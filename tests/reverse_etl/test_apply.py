"""Plan and apply against the sandbox's shop: what is sent, how often, and that it converges."""

from __future__ import annotations

import json

import pytest


def seeded(bench) -> None:
    """A category, a single product, and a product with three SKUs, two of them with stock."""
    bench.category("c1")
    bench.product("p1", category_keys='["c1"]')
    bench.product("p2", sizes=("S", "M", "L"))
    bench.change("skus", "p2-S", stock_quantity=5)
    bench.change("skus", "p2-M", stock_quantity=7)
    bench.mirror()
    result = bench.apply(bench.plan())
    assert (result.failed, result.deferred, result.stopped) == (0, 0, None)


def actions(plan) -> list[tuple[str, str]]:
    return [(one.action, one.key) for one in plan.operations]


def test_a_new_catalogue_is_created_with_the_stated_requests_and_the_next_plan_is_empty(bench) -> None:
    bench.category("c1")
    bench.product("p1", category_keys='["c1"]')
    bench.product("p2", sizes=("S", "M", "L"))
    bench.change("skus", "p2-S", stock_quantity=5)
    bench.mirror()
    plan = bench.plan()
    result = bench.apply(plan)
    assert (result.applied, result.failed, result.deferred) == (8, 0, 0)
    # collections, category, two products with their default SKUs, two more SKUs in one call, one stock
    assert len(bench.requests()) == result.requests == plan.request_count == 6
    product = bench.shop()["products"]["p-p2"]
    assert [sku["options"] for sku in product["skus"]] == [{"Größe": "L"}, {"Größe": "M"}, {"Größe": "S"}]
    assert product["broken_variants"] == 0
    assert next(sku for sku in product["skus"] if sku["is_default"])["inventory"]["quantity"] == 5
    assert bench.shop()["products"]["p-p1"]["categories"] == ["c-c1"]
    assert bench.settle().is_empty
    assert bench.plan().is_empty


def test_an_update_sends_only_what_changed_and_no_unchanged_image(bench) -> None:
    seeded(bench)
    bench.mirror()
    bench.change("products", "p2", name="New name", description="<p>New</p>")
    bench.change("skus", "p2-S", price_minor=2500)
    bench.change("skus", "p2-L", price_minor=2600, compare_at_price_minor=3000)
    plan = bench.plan()
    bench.apply(plan)
    assert len(bench.requests()) == plan.request_count == 2
    product, sku = bench.bodies("PATCH")
    assert product["product"]["fieldData"] == {"name": "New name", "description": "<p>New</p>"}
    assert product["sku"]["fieldData"] == {"name": "Product p2 S", "price": {"value": 2500, "unit": "USD"}}
    assert sku["sku"]["fieldData"] == {
        "name": "Product p2 L",
        "price": {"value": 2600, "unit": "USD"},
        "compare-at-price": {"value": 3000, "unit": "USD"},
    }
    assert bench.settle().is_empty


def test_an_image_is_sent_again_only_when_its_source_changes(bench) -> None:
    seeded(bench)
    bench.change("skus", "p1", main_image_url="https://IMG.example/p1.png?v=2")
    assert bench.settle().is_empty
    bench.change("skus", "p1", main_image_url="https://img.example/other.png")
    assert [one.changes.keys() for one in bench.plan().operations] == [{"main-image"}]


def test_an_emptied_field_is_cleared_and_a_missing_number_is_left_out(bench) -> None:
    bench.product("p1")
    bench.change("skus", "p1", compare_at_price_minor=3000)
    bench.run()
    bench.mirror()
    bench.change("skus", "p1", compare_at_price_minor=None, weight=None)
    bench.change("products", "p1", brand=None)
    bench.apply(bench.plan())
    sku = bench.bodies("PATCH")[0]["sku"]["fieldData"]
    assert sku["compare-at-price"] is None
    assert "weight" not in sku
    assert bench.settle().is_empty


def test_a_new_option_value_is_added_before_its_sku(bench) -> None:
    seeded(bench)
    bench.mirror()
    sizes = [{"name": "Größe", "values": ["S", "M", "L", "XL"]}]
    bench.change("products", "p2", sku_properties=json.dumps(sizes))
    bench.sku("p2", "XL", 3)
    plan = bench.plan()
    result = bench.apply(plan)
    assert result.failed == 0
    assert len(bench.requests()) == plan.request_count == 2
    product = bench.shop()["products"]["p-p2"]
    assert len(product["skus"]) == 4
    assert product["broken_variants"] == 0
    assert bench.settle().is_empty


def test_a_product_that_leaves_is_archived_and_one_that_returns_is_brought_back(bench) -> None:
    seeded(bench)
    before = bench.snapshot()
    bench.mirror()
    bench.drop("p2")
    plan = bench.plan()
    assert actions(plan) == [("archive", "p2")]
    bench.apply(plan)
    assert bench.shop()["products"]["p-p2"]["is_archived"]
    assert bench.settle().is_empty
    bench.tables = before
    plan = bench.plan()
    assert actions(plan) == [("unarchive", "p2")]
    bench.apply(plan)
    assert not bench.shop()["products"]["p-p2"]["is_archived"]
    assert bench.settle().is_empty


def test_a_sku_that_leaves_cannot_be_bought_and_one_that_returns_can(bench) -> None:
    seeded(bench)
    before = bench.snapshot()
    bench.mirror()
    del bench.tables["webflow__skus"]["p2-M"], bench.tables["webflow__skus"]["p2-L"]
    plan = bench.plan()
    assert actions(plan) == [("archive", "p2-L"), ("archive", "p2-M")]
    bench.apply(plan)
    assert len(bench.requests()) <= plan.request_count
    stocks = {sku["fields"]["slug"]: sku["inventory"] for sku in bench.shop()["products"]["p-p2"]["skus"]}
    assert stocks["s-p2-m"] == stocks["s-p2-l"] == {"quantity": 0, "inventoryType": "finite"}
    assert bench.settle().is_empty
    bench.tables = before
    bench.apply(bench.plan())
    stocks = {sku["fields"]["slug"]: sku["inventory"] for sku in bench.shop()["products"]["p-p2"]["skus"]}
    assert stocks["s-p2-m"] == {"quantity": 7, "inventoryType": "finite"}
    assert stocks["s-p2-l"]["inventoryType"] == "infinite"
    assert bench.settle().is_empty


def test_deletion_happens_only_when_asked_for(bench) -> None:
    bench.switch(cms_store_writes="accept")
    bench.overrides = {"webflow__products": {"on_removal": "delete"}}
    seeded(bench)
    bench.mirror()
    bench.drop("p1")
    plan = bench.plan()
    assert actions(plan) == [("delete", "p1")]
    bench.apply(plan)
    assert set(bench.shop()["products"]) == {"p-p2"}
    assert bench.settle().is_empty


def test_update_only_creates_nothing(bench) -> None:
    bench.overrides = {name: {"mode": "update_only"} for name in bench.tables}
    bench.category("c1")
    bench.product("p1", category_keys='["c1"]')
    plan = bench.settle()
    assert plan.is_empty
    assert plan.counts["webflow__products"]["not_created"] == 1


def test_a_product_deleted_in_the_shop_is_made_again(bench) -> None:
    bench.switch(cms_store_writes="accept")
    seeded(bench)
    bench.mirror()
    product = bench.shop()["products"]["p-p2"]["id"]
    bench.api.delete(f"/collections/{bench.collections['product']}/items/{product}").raise_for_status()
    plan = bench.settle()
    assert {action for action, _ in actions(plan)} == {"create", "set_stock"}
    result = bench.apply(plan)
    assert result.failed == 0, result.errors
    assert len(bench.shop()["products"]["p-p2"]["skus"]) == 3
    assert bench.settle().is_empty


def test_a_product_deleted_before_the_mirror_ever_saw_it_is_made_again(bench) -> None:
    bench.switch(cms_store_writes="accept")
    seeded(bench)
    product = bench.shop()["products"]["p-p2"]["id"]
    bench.api.delete(f"/collections/{bench.collections['product']}/items/{product}").raise_for_status()
    bench.change("products", "p2", name="New name")
    result = bench.apply(bench.settle())
    assert result.failed == 0, result.errors
    assert len(bench.shop()["products"]["p-p2"]["skus"]) == 3
    assert bench.settle().is_empty


def test_one_key_brings_its_skus_and_categories_along(bench) -> None:
    bench.category("c1")
    bench.category("c2")
    bench.product("p1", category_keys='["c1"]')
    bench.product("p2", sizes=("S", "M"), category_keys='["c2"]')
    bench.mirror()
    assert {one.key for one in bench.plan(key="p2").operations} == {"c2", "p2", "p2-S", "p2-M"}
    assert {one.key for one in bench.plan(key="CODE-p2-M").operations} == {"c2", "p2", "p2-S", "p2-M"}
    assert {one.key for one in bench.plan(key="c1").operations} == {"c1"}


def test_a_limit_keeps_products_with_their_skus_and_needed_categories(bench) -> None:
    for number in range(6):
        bench.category(f"c{number}")
        bench.product(f"p{number}", sizes=("S", "M"), category_keys=f'["c{5 - number}"]')
    bench.mirror()
    plan = bench.plan(limit=2)
    assert {one.key for one in plan.operations} == {"p0", "p0-S", "p0-M", "p1", "p1-S", "p1-M", "c5", "c4"}
    for _ in range(3):
        result = bench.apply(bench.plan(limit=2))
        assert (result.failed, result.deferred) == (0, 0)
    assert bench.settle().is_empty


@pytest.mark.parametrize("switch", [{"variant_ids": "keep"}, {"file_id_after_write": "absent"},
                                    {"sku_patch": "strict"}, {"clear_archive": False}])  # fmt: skip
def test_unknown_behaviours_of_the_api_make_no_difference(bench, switch) -> None:
    bench.switch(**switch)
    seeded(bench)
    bench.mirror()
    assert bench.plan().is_empty
    bench.change("skus", "p2-L", price_minor=4000)
    result = bench.apply(bench.plan())
    assert result.failed == 0, result.errors
    assert bench.settle().is_empty


def test_a_slug_that_the_shop_changes_rules_and_is_told(bench) -> None:
    bench.switch(duplicate_slug="suffix")
    bench.hand_made(name="Mine", slug="p-p1", sku="OTHER")
    bench.overrides = {"webflow__products": {"match": []}}
    bench.product("p1")
    bench.mirror()
    result = bench.apply(bench.plan())
    assert any("was taken" in note for note in result.notes)
    assert bench.settle().is_empty
