"""The way back from a plan, of a store and of collections."""

from __future__ import annotations

import json

import pytest

from reverse_etl.destinations import DESTINATIONS
from reverse_etl.review.approvals import waiting
from reverse_etl.review.undo import NothingToUndo, make_undo


def undo(bench, plan):
    return make_undo(bench.warehouse, bench.syncs, DESTINATIONS, plan.plan_id)


def ran(bench):
    """Plan and apply; the plan."""
    bench.mirror()
    plan = bench.plan()
    result = bench.apply(plan)
    assert (result.failed, result.deferred, result.stopped) == (0, 0, None), result.errors
    return plan


def product(bench, key: str = "p1"):
    return bench.shop()["products"][f"p-{key}"]


def held(bench) -> set[tuple[str, str, str]]:
    found = waiting(bench.warehouse)
    return {(one.key, one.rule, one.field) for one in (*found.holds, *found.undone)}


def test_an_update_is_undone_with_the_values_before_and_not_done_again(bench) -> None:
    bench.category("c1")
    bench.category("c2")
    bench.product("p1", category_keys='["c1"]')
    bench.change("skus", "p1", stock_quantity=10)
    ran(bench)
    before = product(bench)
    bench.change("products", "p1", name="New", brand=None, category_keys='["c2"]', description="<p>New</p>")
    bench.change("skus", "p1", price_minor=5, stock_quantity=20, main_image_url="https://img.example/new.png")
    plan = ran(bench)
    bench.sale("CODE-p1", 3)
    bench.mirror()
    back = undo(bench, plan)
    assert (back.status, back.undoes, back.findings) == ("ready", plan.plan_id, ())
    assert bench.apply(back).failed == 0
    after = product(bench)
    assert after["categories"] == ["c-c1"]
    for name in ("name", "brand", "description"):
        assert after["fields"][name] == before["fields"][name]
    sku = after["skus"][0]
    assert sku["fields"]["price"]["value"] == 1999
    assert sku["fields"]["main-image"]["source"].endswith("_p1.png")
    assert sku["inventory"]["quantity"] == 7
    assert bench.settle().is_empty
    assert {field for _, rule, field in held(bench) if rule == "undone"} == {
        "name", "brand", "category", "description", "price", "main-image", "inventory",
    }  # fmt: skip
    assert not bench.plan().needs_approval


def test_what_was_undone_goes_out_when_the_model_changes_or_somebody_approves(bench) -> None:
    bench.product("p1")
    ran(bench)
    bench.change("products", "p1", name="New", brand="New")
    plan = ran(bench)
    bench.mirror()
    bench.apply(undo(bench, plan))
    bench.change("products", "p1", name="Newer")
    ran(bench)
    assert (product(bench)["fields"]["name"], product(bench)["fields"]["brand"]) == ("Newer", "Acme")
    assert held(bench) == {("p1", "undone", "brand")}
    bench.approve(keys=["p1"])
    ran(bench)
    assert product(bench)["fields"]["brand"] == "New"
    assert bench.settle().is_empty
    assert held(bench) == set()


def test_one_yes_lets_an_undone_price_go_that_another_rule_would_hold(bench) -> None:
    bench.overrides = {"webflow__skus": {"guards": {"max_price_change": "30%"}}}
    bench.product("p1")
    ran(bench)
    bench.change("skus", "p1", price_minor=9999)
    bench.plan()
    bench.approve()
    plan = ran(bench)
    bench.mirror()
    bench.apply(undo(bench, plan))
    assert bench.settle().is_empty
    assert held(bench) == {("p1", "undone", "price")}
    assert not bench.plan().needs_approval
    bench.approve()
    ran(bench)
    assert product(bench)["skus"][0]["fields"]["price"]["value"] == 9999


def test_created_rows_are_archived_and_removed_ones_come_back(bench) -> None:
    offered = [{"name": "Größe", "values": ["S", "M", "L"]}]
    bench.product("p1", sizes=("S", "M"), sku_properties=json.dumps(offered))
    bench.product("p2")
    first = ran(bench)
    bench.drop("p2")
    bench.sku("p1", "L", 2)
    del bench.tables["webflow__skus"]["p1-M"]
    second = ran(bench)
    bench.mirror()
    back = undo(bench, second)
    assert sorted((one.action, one.key) for one in back.operations) == [
        ("archive", "p1-L"), ("unarchive", "p1-M"), ("unarchive", "p2"),
    ]  # fmt: skip
    assert bench.apply(back).failed == 0
    assert not product(bench, "p2")["is_archived"]
    stocks = {one["fields"]["slug"]: one["inventory"] for one in product(bench)["skus"]}
    assert stocks["s-p1-m"]["inventoryType"] == "infinite"
    assert stocks["s-p1-l"] == {"quantity": 0, "inventoryType": "finite"}
    assert bench.settle().is_empty
    assert held(bench) == {("p1-L", "undone", ""), ("p1-M", "undone", ""), ("p2", "undone", "")}
    bench.mirror()
    everything = undo(bench, first)
    assert {(one.action, one.key) for one in everything.operations} == {("archive", "p1"), ("archive", "p2")}
    assert bench.apply(everything).failed == 0
    assert {one["is_archived"] for one in bench.shop()["products"].values()} == {True}
    assert bench.settle().is_empty


def test_what_somebody_wrote_since_and_what_was_deleted_is_listed_and_stays(bench) -> None:
    bench.switch(cms_store_writes="accept")
    bench.overrides = {"webflow__products": {"on_removal": "delete"}}
    bench.product("p1")
    bench.product("p2")
    ran(bench)
    bench.change("products", "p1", name="Second", brand="Second")
    bench.drop("p2")
    plan = ran(bench)
    bench.change("products", "p1", name="Third")
    ran(bench)
    bench.mirror()
    back = undo(bench, plan)
    assert [(one.key, list(one.changes)) for one in back.operations] == [("p1", ["brand"])]
    assert [(one.kind, one.key, one.field) for one in back.findings] == [
        ("not_undone", "p1", "name"), ("not_undone", "p2", None),
    ]  # fmt: skip


def test_an_undo_is_guarded_and_can_itself_be_undone(bench) -> None:
    bench.product("p1")
    ran(bench)
    bench.change("products", "p1", name="New")
    plan = ran(bench)
    bench.mirror()
    bench.overrides = {"webflow__products": {"guards": {"max_updates": 0}}}
    back = undo(bench, plan)
    assert back.is_blocked
    bench.apply(back, override_guards=True)
    bench.mirror()
    again = undo(bench, back)
    bench.apply(again, override_guards=True)
    assert product(bench)["fields"]["name"] == "New"
    assert bench.settle().is_empty
    assert held(bench) == set()
    with pytest.raises(NothingToUndo):
        undo(bench, bench.plan())


def notes(cms, **settings) -> None:
    cms.collection("notes", rank="Number")
    cms.model("notes", {"rank": ("bigint", {"field": "rank"})}, collection="notes", **settings)
    for number in range(3):
        cms.row("notes", f"n{number}", rank=number)


def live(cms, slug: str):
    """What visitors see of an item, None when they see nothing."""
    path = f"/collections/{cms.collections['notes']}/items/live"
    return next((one["fieldData"] for one in cms.api.get(path, params={"slug": slug}).json()["items"]), None)


def flags(cms, slug: str) -> tuple[bool, bool]:
    [item] = [
        one
        for one in cms._pages(f"/collections/{cms.collections['notes']}/items")
        if one["fieldData"]["slug"] == slug
    ]
    return item["isArchived"], item["isDraft"]


def test_an_item_gets_its_fields_back(cms) -> None:
    notes(cms, publish="live")
    ran(cms)
    cms.row("notes", "n1", rank=7, name="New")
    plan = ran(cms)
    cms.mirror()
    back = undo(cms, plan)
    assert (back.status, back.findings) == ("ready", ())
    assert cms.apply(back).failed == 0
    fields = live(cms, "s-n1")
    assert (fields["rank"], fields["name"]) == (1, "Name n1")
    assert cms.settle().is_empty
    assert held(cms) == {("n1", "undone", "rank"), ("n1", "undone", "name")}


@pytest.mark.parametrize("publish", ["live", "staging"])
@pytest.mark.parametrize("removal", ["archive", "unpublish"])
def test_items_that_left_come_back_to_where_they_were_seen(cms, removal, publish) -> None:
    notes(cms, on_removal=removal, publish=publish)
    ran(cms)
    cms.gone("notes", "n1")
    cms.mirror()
    plan = cms.plan()
    assert [one.action for one in plan.operations] == [removal]
    assert cms.apply(plan, override_guards=True).failed == 0
    assert live(cms, "s-n1") is None
    cms.mirror()
    back = undo(cms, plan)
    assert [(one.action, one.key) for one in back.operations] == [("unarchive", "n1")]
    result = cms.apply(back)
    assert (result.failed, result.requests) == (0, back.request_count)
    assert flags(cms, "s-n1") == (False, False)
    assert (live(cms, "s-n1") is not None) == (publish == "live")
    assert cms.settle().is_empty
    assert held(cms) == {("n1", "undone", "")}


def test_an_archived_draft_comes_back_as_a_draft(cms) -> None:
    cms.collection("notes")
    cms.model("notes", {"draft": ("boolean", {"field": "isDraft"})}, collection="notes", publish="live")
    cms.row("notes", "n0", draft=False)
    cms.row("notes", "n1", draft=True)
    ran(cms)
    cms.gone("notes", "n1")
    cms.mirror()
    plan = cms.plan()
    cms.apply(plan, override_guards=True)
    cms.mirror()
    assert cms.apply(undo(cms, plan)).failed == 0
    assert (*flags(cms, "s-n1"), live(cms, "s-n1")) == (False, True, None)


def test_what_was_published_leaves_the_live_site_again(cms) -> None:
    notes(cms)
    ran(cms)
    cms.models["notes"][0]["publish"] = "live"
    plan = ran(cms)
    assert live(cms, "s-n1") is not None
    cms.mirror()
    back = undo(cms, plan)
    assert {one.action for one in back.operations} == {"unpublish"}
    assert cms.apply(back, override_guards=True).failed == 0
    assert [live(cms, f"s-n{number}") for number in range(3)] == [None] * 3
    assert cms.settle().is_empty
    assert {key for key, rule, _ in held(cms) if rule == "undone"} == {"n0", "n1", "n2"}
