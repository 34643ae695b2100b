"""What people do to a product over its life, in the source and in the shop, and what the shop must not do by itself."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from in_process import InMemory, InProcess
from shop_bench import Bench

from karvon.warehouse import Warehouse
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.review.explain import explain
from reverse_etl.state.stored_plans import Plan

names = itertools.count()


@pytest.fixture(params=["duckdb", "postgres"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, shop_in_process: InProcess) -> Iterator[Bench]:
    in_memory = request.param == "duckdb"
    warehouse = (
        InMemory() if in_memory else Warehouse(request.getfixturevalue("postgres_url"), lock_seconds=5)
    )
    made = Bench(warehouse, "http://sandbox", tmp_path, f"life{next(names)}", shop_in_process)
    made.overrides = {"webflow__skus": {"unstated_stock": None}}
    yield made
    if isinstance(warehouse, InMemory):
        warehouse.close()


def single(shop: Bench, key: str = "stool", stock: int | None = 57) -> None:
    shop.product(key)
    shop.change("skus", key, stock_quantity=stock, price_minor=4950)
    shop.run()


def variants(shop: Bench, key: str, sizes: tuple[str, ...], stock: int = 5) -> None:
    shop.product(key, sizes)
    for size in sizes:
        shop.change("skus", f"{key}-{size}", stock_quantity=stock)


def skus(shop: Bench, key: str) -> dict[str, dict[str, Any]]:
    """Of one product by SKU code: price, stock, option values."""
    return {
        sku["fields"]["sku"]: {
            "price": sku["fields"]["price"]["value"], "stock": sku["inventory"], "id": sku["id"],
        }
        for sku in shop.shop()["products"][f"p-{key}"]["skus"]
    }  # fmt: skip


def finite(quantity: int) -> dict[str, Any]:
    return {"quantity": quantity, "inventoryType": "finite"}


def told(plan: Plan, kind: str) -> list[tuple[str, str]]:
    return [(one.sync.removeprefix("webflow__"), one.key) for one in plan.findings if one.kind == kind]


def reasons(shop: Bench, key: str) -> dict[str, tuple[str, ...]]:
    found = explain(shop.warehouse, shop.syncs, DESTINATIONS, {sync.name: () for sync in shop.syncs}, key)
    return {one.sync.removeprefix("webflow__"): one.reasons for one in found}


def test_a_single_that_gets_variants_waits_and_then_hands_its_record_over(shop: Bench) -> None:
    single(shop)
    before = skus(shop, "stool")
    variants(shop, "stool", ("S", "M"), stock=4)
    for _ in range(2):
        plan = shop.settle()
        assert plan.is_empty
        [hold] = plan.holds
        assert (hold.key, hold.rule, hold.field) == ("stool", "transition", "sku-properties")
        assert hold.message == "a single product becomes one with variants (Größe: S, M)"
        assert set(told(plan, "deferred")) == {("skus", "stool-S"), ("skus", "stool-M"), ("skus", "stool")}
    assert skus(shop, "stool") == before
    shop.approve(keys=["stool"])
    result = shop.run()
    assert result.failed == result.deferred == 0, result.errors
    after = skus(shop, "stool")
    assert {code: one["stock"] for code, one in after.items()} == {
        "CODE-stool-S": finite(4), "CODE-stool-M": finite(4),
    }  # fmt: skip
    assert after["CODE-stool-S"]["id"] == before["CODE-stool"]["id"]
    assert shop.shop()["products"]["p-stool"]["broken_variants"] == 0
    plan = shop.settle()
    assert plan.is_empty
    assert not plan.holds


def test_prices_and_stock_go_on_while_options_wait(shop: Bench) -> None:
    variants(shop, "coat", ("S", "M", "L"))
    shop.run()
    before = skus(shop, "coat")
    # S, the default, leaves; L takes a new price, M a new stock.
    shop.change("products", "coat", sku_properties=json.dumps([{"name": "Größe", "values": ["M", "L"]}]))
    del shop.tables["webflow__skus"]["coat-S"]
    shop.change("skus", "coat-M", is_default=True, stock_quantity=3)
    shop.change("skus", "coat-L", price_minor=2100)
    plan = shop.settle()
    assert [(one.rule, one.message) for one in plan.holds] == [
        ("transition", "its default variant leaves (S), and M takes its place")
    ]
    shop.apply(plan)
    after = skus(shop, "coat")
    assert after["CODE-coat-S"] == before["CODE-coat-S"]
    assert after["CODE-coat-M"]["stock"] == finite(3)
    assert after["CODE-coat-L"]["price"] == 2100
    assert shop.settle().is_empty
    shop.approve(rule="transition")
    result = shop.run()
    assert result.failed == result.deferred == 0, result.errors
    assert skus(shop, "coat")["CODE-coat-S"]["stock"] == finite(0)
    [option] = shop.api.get(f"/sites/{shop.site_id}/products").json()["items"][-1]["product"]["fieldData"][
        "sku-properties"
    ]
    assert [value["name"] for value in option["enum"]] == ["S", "M", "L"]
    assert shop.settle().is_empty


def test_another_default_waits_and_a_new_size_does_not(shop: Bench) -> None:
    variants(shop, "coat", ("S", "M"))
    variants(shop, "hat", ("S", "M"))
    shop.run()
    variants(shop, "coat", ("M", "S"))
    variants(shop, "hat", ("XS", "S", "M", "L"))
    plan = shop.settle()
    assert [(one.key, one.message) for one in plan.holds] == [
        ("coat", "its default variant changes from S to M")
    ]
    assert {one.key for one in plan.operations} == {"hat", "hat-XS", "hat-L"}
    assert shop.apply(plan).failed == 0
    assert shop.settle().is_empty


def test_a_variant_that_moves_to_another_product_waits_and_is_never_in_neither(shop: Bench) -> None:
    variants(shop, "coat", ("S", "M"))
    single(shop, "belt")
    sold = skus(shop, "belt")
    # The belt becomes a size of the coat; its own product is gone.
    del shop.tables["webflow__products"]["belt"]
    shop.change("products", "coat", sku_properties=json.dumps([{"name": "Größe", "values": ["S", "M", "L"]}]))
    shop.change(
        "skus",
        "belt",
        product_key="coat",
        is_default=False,
        position=2,
        sku_values=json.dumps({"Größe": "L"}),
    )
    plan = shop.settle()
    assert [(one.sync, one.key, one.rule) for one in plan.holds] == [("webflow__skus", "belt", "transition")]
    assert plan.holds[0].message == "it moves to another product (coat)"
    assert ("products", "belt") in told(plan, "deferred")
    shop.apply(plan)
    assert skus(shop, "belt") == sold
    assert not shop.shop()["products"]["p-belt"]["is_archived"]
    shop.approve(rule="transition")
    result = shop.run()
    assert result.failed == result.deferred == 0, result.errors
    shop.run()
    assert skus(shop, "belt")["CODE-belt"]["stock"] == finite(0)
    assert shop.shop()["products"]["p-belt"]["is_archived"]
    assert skus(shop, "coat")["CODE-belt"]["stock"] == finite(57)
    assert shop.shop()["products"]["p-coat"]["broken_variants"] == 0
    assert shop.settle().is_empty


@pytest.mark.parametrize("unstated", [None, "endless"])
def test_a_stock_that_nobody_stated_is_endless_only_where_the_yaml_says_so(
    shop: Bench, unstated: str | None
) -> None:
    shop.overrides = {"webflow__skus": {"unstated_stock": unstated}}
    single(shop, stock=None)
    variants(shop, "coat", ("S", "M"))
    shop.change("skus", "coat-M", stock_quantity=None)
    shop.run()
    expected = finite(0) if unstated is None else {"quantity": 0, "inventoryType": "infinite"}
    assert skus(shop, "stool")["CODE-stool"]["stock"] == expected
    assert {code: one["stock"] for code, one in skus(shop, "coat").items()} == {
        "CODE-coat-S": finite(5), "CODE-coat-M": expected,
    }  # fmt: skip
    assert shop.settle().is_empty
    # A variant that leaves and comes back is not endless either, and a stock that is emptied stays and is told.
    row = shop.tables["webflow__skus"].pop("coat-M")
    shop.run()
    shop.tables["webflow__skus"]["coat-M"] = row
    shop.change("skus", "coat-S", stock_quantity=None)
    plan = shop.settle()
    assert ("skus", "coat-S") in told(plan, "deferred")
    shop.apply(plan)
    assert skus(shop, "coat")["CODE-coat-S"]["stock"] == finite(5)
    assert skus(shop, "coat")["CODE-coat-M"]["stock"]["inventoryType"] == expected["inventoryType"]
    assert shop.settle().is_empty
    shop.change("skus", "stool", stock_quantity=9)
    shop.run()
    assert skus(shop, "stool")["CODE-stool"]["stock"] == finite(9)


@pytest.mark.parametrize(
    ("edit", "flag", "sentence"),
    [
        ({"isArchived": True}, "is_archived", "it is archived there"),
        ({"isDraft": True}, "is_draft", "it is a draft there"),
    ],
)  # fmt: skip
def test_what_a_person_took_out_of_sight_stays_so_and_is_told(
    shop: Bench, edit: dict[str, bool], flag: str, sentence: str
) -> None:
    single(shop)
    variants(shop, "coat", ("S",))
    shop.run()
    shop.edit("p-stool", **edit)
    shop.edit("p-coat", **edit)
    for _ in range(2):
        plan = shop.settle()
        assert plan.is_empty
        assert set(told(plan, "drift")) == {("products", "stool"), ("products", "coat")}
    rows = shop.rows("SELECT key, field, ours, theirs, policy, decided FROM reverse_etl.drift ORDER BY key")
    assert [tuple(row.values()) for row in rows] == [
        (key, next(iter(edit)), "false", "true", "report", "reported") for key in ("coat", "stool")
    ]
    said = reasons(shop, "stool")
    assert f"No visitor sees it: {sentence}." in said["products"]
    assert f"No visitor sees it: its product: {sentence}." in said["skus"]
    shop.change("products", "stool", name="Three legs")
    shop.change("skus", "stool", stock_quantity=12)
    assert shop.apply(shop.plan()).failed == 0
    assert shop.shop()["products"]["p-stool"][flag]
    assert shop.shop()["products"]["p-stool"]["fields"]["name"] == "Three legs"
    assert shop.settle().is_empty
    # Where the YAML says so it is changed back.
    shop.overrides = {"webflow__products": {"states": {"archived": "overwrite", "draft": "overwrite"}}}
    shop.run()
    assert not shop.shop()["products"]["p-stool"][flag]
    plan = shop.settle()
    assert plan.is_empty
    assert not told(plan, "drift")


def test_another_default_that_a_person_chose_there_is_told_and_stays(shop: Bench) -> None:
    variants(shop, "coat", ("S", "M"))
    shop.run()
    there = skus(shop, "coat")
    shop.edit("p-coat", fieldData={"default-sku": there["CODE-coat-M"]["id"]})
    for _ in range(2):
        plan = shop.settle()
        assert plan.is_empty
        assert [(one.key, one.field) for one in plan.findings if one.kind == "drift"] == [("coat", "default")]
    shop.change("products", "coat", name="Warm coat")
    shop.run()
    assert [one.field for one in shop.settle().findings if one.kind == "drift"] == ["default"]
    assert any("another default was chosen there" in reason for reason in reasons(shop, "coat")["products"])
    shop.edit("p-coat", fieldData={"default-sku": there["CODE-coat-S"]["id"]})
    assert not told(shop.settle(), "drift")


def test_a_number_that_the_view_lost_is_told_until_somebody_empties_it_there(shop: Bench) -> None:
    shop.product("stool")
    shop.change("skus", "stool", weight=640.0, compare_at_price_minor=2500)
    shop.run()
    shop.change("skus", "stool", weight=None, compare_at_price_minor=None)
    for _ in range(2):
        shop.run()
        plan = shop.settle()
        assert plan.is_empty
        assert [(one.field, one.message) for one in plan.findings if one.kind == "drift"] == [
            ("weight", "weight is 640: the view has none, and the API cannot empty it: empty it there")
        ]
    fields = shop.shop()["products"]["p-stool"]["skus"][0]["fields"]
    assert (fields["weight"], fields.get("compare-at-price")) == (640, None)
    assert any("weight is 640" in reason for reason in reasons(shop, "stool")["skus"])
    shop.edit("s-stool", collection="sku", fieldData={"weight": None})
    plan = shop.settle()
    assert plan.is_empty
    assert not told(plan, "drift")


def test_a_price_typed_in_the_shop_goes_back_whatever_the_guard_says_of_the_way(shop: Bench) -> None:
    shop.overrides = {"webflow__skus": {"guards": {"max_price_change": "50%", "max_emptied": 0}}}
    single(shop)
    shop.edit("s-stool", collection="sku", fieldData={
        "price": {"value": 1755, "unit": "USD"}, "compare-at-price": {"value": 9900, "unit": "USD"},
    })  # fmt: skip
    plan = shop.settle()
    assert not plan.holds
    shop.apply(plan)
    assert skus(shop, "stool")["CODE-stool"]["price"] == 4950
    assert shop.settle().is_empty
    # A jump of ours is one, whatever stands in the shop.
    shop.edit("s-stool", collection="sku", fieldData={"price": {"value": 9800, "unit": "USD"}})
    shop.change("skus", "stool", price_minor=9900)
    plan = shop.settle()
    assert [(one.rule, one.message) for one in plan.holds] == [
        ("max_price_change", "price would move by +100%, and max_price_change is 50%")
    ]
