"""What others did in the shop: edits, hand-made products, what was there before us."""

from __future__ import annotations

import pytest


def kinds(plan, kind: str) -> list[tuple[str, str | None]]:
    return [(one.key, one.field) for one in plan.findings if one.kind == kind]


def synced(bench, **product) -> None:
    bench.product("p1", **product)
    bench.mirror()
    assert bench.apply(bench.plan()).failed == 0


def test_an_edit_in_the_shop_is_told_and_overwritten(bench) -> None:
    synced(bench)
    bench.mirror()
    bench.edit("p-p1", fieldData={"brand": "Edited", "description": "<p>Edited</p>"})
    plan = bench.settle()
    assert kinds(plan, "drift") == [("p1", "description"), ("p1", "brand")]
    assert plan.operations[0].changes["brand"] == {"before": "Edited", "after": "Acme"}
    bench.apply(plan)
    assert bench.shop()["products"]["p-p1"]["fields"]["brand"] == "Acme"
    assert bench.settle().is_empty


def test_an_edit_back_to_what_the_mirror_saw_before_is_found(bench) -> None:
    synced(bench)
    bench.mirror()
    bench.change("products", "p1", brand="Other")
    bench.apply(bench.plan())
    bench.edit("p-p1", fieldData={"brand": "Acme"})
    assert [one.action for one in bench.settle().operations] == ["update"]


def test_an_edit_is_kept_or_reported_where_the_policy_says_so(bench) -> None:
    synced(bench, seo_description="Ours")
    bench.mirror()
    bench.edit("p-p1", fieldData={"seo-title": "By hand", "seo-description": "By hand"})
    for _ in range(2):
        plan = bench.settle()
        assert plan.is_empty
        assert kinds(plan, "drift") == [("p1", "seo-title"), ("p1", "seo-description")]
    bench.change("products", "p1", seo_title="Ours, new", brand="New brand")
    plan = bench.plan()
    assert [list(one.changes) for one in plan.operations] == [["brand"]]
    bench.apply(plan)
    plan = bench.settle()
    assert plan.is_empty
    assert kinds(plan, "drift") == [("p1", "seo-title"), ("p1", "seo-description")]


def test_a_field_that_no_sync_names_is_never_sent(bench) -> None:
    synced(bench)
    bench.edit("p-p1", fieldData={"material": "Wool, says the shop"})
    assert bench.settle().is_empty
    bench.change("products", "p1", name="Renamed")
    bench.apply(bench.plan())
    assert bench.shop()["products"]["p-p1"]["fields"]["material"] == "Wool, says the shop"


def test_a_product_archived_by_hand_stays_archived_when_it_is_updated(bench) -> None:
    synced(bench)
    bench.edit("p-p1", isArchived=True)
    assert bench.settle().is_empty
    bench.change("products", "p1", name="Renamed")
    bench.apply(bench.plan())
    assert bench.shop()["products"]["p-p1"]["is_archived"]
    assert bench.settle().is_empty


def test_hand_made_products_are_invisible(bench) -> None:
    before = bench.shop()["hand_made"]
    synced(bench)
    bench.drop("p1")
    bench.product("p9")
    bench.run()
    assert bench.shop()["hand_made"] == before


def test_what_is_there_already_is_adopted_by_its_sku_code(bench) -> None:
    synced(bench, sizes=("S", "M"))
    shop = bench.shop()["products"]["p-p1"]
    bench.rows_forgotten()
    plan = bench.plan()
    assert {one.action for one in plan.operations} == {"adopt"}
    # File names tell that the images are ours; HTML that the shop rewrote proves nothing.
    assert {name for one in plan.operations for name in one.changes} == {"description"}
    assert plan.request_count == 1
    bench.apply(plan)
    assert len(bench.requests()) == 1
    assert bench.shop()["products"]["p-p1"]["id"] == shop["id"]
    assert bench.settle().is_empty


def test_an_adopted_product_takes_new_skus_by_the_ids_of_its_own_options(bench) -> None:
    synced(bench, sizes=("S", "M"), description=None)
    bench.rows_forgotten()
    bench.apply(bench.plan())
    bench.change("products", "p1", sku_properties='[{"name": "Größe", "values": ["S", "M", "L"]}]')
    bench.sku("p1", "L", 2)
    result = bench.run()
    assert result.failed == result.deferred == 0, result.errors
    assert bench.shop()["products"]["p-p1"]["broken_variants"] == 0
    assert bench.settle().is_empty


def test_an_adopted_product_gets_only_what_differs_in_one_call_with_its_default_sku(bench) -> None:
    bench.hand_made(name="Old", slug="something-else", price=1999, sku="code-P1", description="<p>Old</p>")
    bench.overrides = {name: {"mode": "update_only"} for name in bench.tables}
    bench.product("p1")
    plan = bench.settle()
    assert [(one.action, one.key) for one in plan.operations] == [("adopt", "p1"), ("adopt", "p1")]
    assert plan.request_count == 1
    result = bench.apply(plan)
    assert result.failed == 0, result.errors
    assert len(bench.requests("PATCH")) == 1
    assert "price" in bench.bodies("PATCH")[0]["sku"]["fieldData"]
    assert bench.settle().is_empty


def test_a_product_of_the_same_slug_waits_until_somebody_says_that_it_is_the_same(bench) -> None:
    bench.hand_made(name="Old", slug="p-p1", price=1900)
    bench.product("p1")
    for _ in range(2):
        plan = bench.settle()
        assert plan.is_empty
        [hold] = plan.holds
        assert (hold.sync, hold.key, hold.rule) == ("webflow__products", "p1", "adoption")
        assert "is this the same?" in hold.message
    bench.approve(keys=["p1"])
    plan = bench.settle()
    assert [(one.action, one.key) for one in plan.operations if not one.is_stock] == [
        ("adopt", "p1"),
        ("adopt", "p1"),
    ]
    bench.apply(plan)
    assert len([one for one in bench.shop()["hand_made"] if one["fields"]["slug"] == "p-p1"]) == 1
    assert bench.settle().is_empty


@pytest.mark.parametrize("sku", ["LEGACY", "CODE-P2"])
def test_a_product_of_the_same_slug_with_another_sku_is_another_product(bench, sku) -> None:
    bench.hand_made(name="Old", slug="p-p1", price=1900, sku=sku)
    before = bench.shop()["hand_made"]
    bench.product("p1")
    bench.product("p3")
    plan = bench.settle()
    assert {one.key for one in plan.operations} == {"p3"}
    assert kinds(plan, "ambiguous") == [("p1", None)]
    assert bench.apply(plan).failed == 0
    assert bench.shop()["hand_made"] == before
    plan = bench.settle()
    assert plan.is_empty
    assert kinds(plan, "ambiguous") == [("p1", None)]


def test_the_sku_of_a_product_that_is_yet_to_be_made_is_not_looked_for_in_other_products(bench) -> None:
    """Their slugs agree, and the product of ours is not there yet: the SKU belongs to somebody else's."""
    bench.hand_made(name="Theirs", slug="theirs", price=1900)
    theirs = next(one for one in bench.shop()["hand_made"] if one["fields"]["slug"] == "theirs")
    before = bench.shop()["hand_made"]
    bench.product("p1")
    bench.change("skus", "p1", slug=theirs["skus"][0]["fields"]["slug"])
    plan = bench.settle()
    assert kinds(plan, "ambiguous") == [("p1", None)]
    assert "SKU of another product there" in next(
        one.message for one in plan.findings if one.kind == "ambiguous"
    )
    assert bench.apply(plan).failed == 0
    assert bench.shop()["hand_made"] == before


def test_a_product_whose_skus_belong_to_two_products_there_is_left_alone(bench) -> None:
    bench.hand_made(name="One", slug="one", sku="CODE-p1-S")
    bench.hand_made(name="Two", slug="two", sku="CODE-p1-M")
    bench.product("p1", sizes=("S", "M"))
    plan = bench.settle()
    assert plan.is_empty
    assert kinds(plan, "ambiguous") == [("p1", None)]


def test_two_rows_that_fit_one_record_adopt_nothing(bench) -> None:
    bench.hand_made(name="One", slug="one", sku="SAME")
    bench.product("p1")
    bench.product("p2")
    bench.change("skus", "p1", sku_code="SAME")
    bench.change("skus", "p2", sku_code="same")
    plan = bench.settle()
    assert plan.is_empty
    assert kinds(plan, "ambiguous") == [("p1", None), ("p2", None)]


def test_a_record_of_another_row_is_not_adopted_twice(bench) -> None:
    synced(bench)
    bench.product("p2")
    bench.change("skus", "p2", sku_code="CODE-p1")
    plan = bench.settle()
    assert plan.is_empty
    assert kinds(plan, "ambiguous") == [("p2", None)]


def test_a_changed_mapping_plans_only_the_rows_it_changes(bench) -> None:
    bench.product("p1")
    bench.product("p2")
    bench.run()
    bench.mirror()
    bench.meta["webflow__products", "seo_title"] = {"field": "short-description"}
    bench.change("products", "p2", seo_title=None)
    plan = bench.plan()
    assert [(one.key, list(one.changes)) for one in plan.operations] == [("p1", ["short-description"])]
    bench.apply(plan)
    assert bench.settle().is_empty
