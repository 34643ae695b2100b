"""References by our keys: dependency order, other destinations, the items of one sync among themselves, moves."""

from __future__ import annotations

import json

import pytest
from cms_bench import CmsBench

from reverse_etl.spec.manifest import SyncError

PRODUCT = {
    "is_shippable": ("boolean", {"field": "shippable"}),
    "sku_properties": ("text", {"field": "sku-properties", "as": "sku_properties"}),
}  # fmt: skip
SKU = {
    "product": ("text", {}), "is_default": ("boolean", {}), "position": ("bigint", {}),
    "code": ("text", {"field": "sku"}), "price": ("bigint", {"field": "price", "as": "money", "currency": "currency"}),
    "currency": ("text", {}), "sku_values": ("text", {"field": "sku-values", "as": "sku_values"}),
}  # fmt: skip


def makers_and_sheets(bench: CmsBench) -> None:
    bench.collection("makers")
    bench.collection("sheets", maker=("Reference", ">makers"), also=("MultiReference", ">makers"))
    # The name that comes first must wait for the other.
    bench.model("a_sheets", {
        "maker": ("text", {"field": "maker", "sync": "z_makers"}),
        "also": ("text", {"field": "also", "sync": "z_makers"}),
    }, collection="sheets")  # fmt: skip
    bench.model("z_makers", {}, collection="makers")
    for key in ("m1", "m2"):
        bench.row("z_makers", key)
    bench.row("a_sheets", "s1", maker="m1", also=json.dumps(["m2", "m1"]))


def test_rows_refer_by_our_key_and_what_they_refer_to_comes_first(cms: CmsBench) -> None:
    makers_and_sheets(cms)
    result = cms.run()
    assert result.failed == 0, result.errors
    ids = {slug: one["id"] for slug, one in cms.items("makers").items()}
    fields = cms.items("sheets")["s-s1"]["fields"]
    assert (fields["maker"], fields["also"]) == (ids["s-m1"], [ids["s-m2"], ids["s-m1"]])
    assert cms.settle().is_empty
    cms.row("a_sheets", "s1", maker="m2")
    cms.run()
    assert cms.items("sheets")["s-s1"]["fields"]["maker"] == ids["s-m2"]
    assert cms.settle().is_empty


def test_a_reference_to_a_row_that_is_not_there_waits_and_the_rest_goes(cms: CmsBench) -> None:
    makers_and_sheets(cms)
    cms.row("a_sheets", "s1", maker="m9", name="Sheet")
    result = cms.run()
    assert result.failed == 0, result.errors
    assert cms.names("sheets") == {"s-s1": "Sheet"}
    plan = cms.settle()
    assert [(one.kind, one.field) for one in plan.findings] == [("deferred", "maker")]
    cms.row("z_makers", "m9")
    cms.run()
    assert cms.items("sheets")["s-s1"]["fields"]["maker"] == cms.items("makers")["s-m9"]["id"]
    assert cms.settle().is_empty


def test_an_edit_before_the_first_look_at_an_item_made_in_two_steps_is_seen(cms: CmsBench) -> None:
    cms.collection("pairs", other=("MultiReference", ">pairs"), rank="Number")
    columns = {"other": ("text", {"field": "other", "sync": "pairs"}), "rank": ("bigint", {"field": "rank"})}
    cms.model("pairs", columns, collection="pairs")
    cms.row("pairs", "a", other='["a"]', rank=1)
    cms.run()
    path = f"/collections/{cms.collections['pairs']}/items/{cms.items('pairs')['s-a']['id']}"
    cms.api.patch(path, json={"fieldData": {"rank": 9}}).raise_for_status()
    assert cms.run().failed == 0
    assert cms.items("pairs")["s-a"]["fields"]["rank"] == 1
    assert cms.settle().is_empty


def test_rows_point_to_an_item_that_was_made_again(cms: CmsBench) -> None:
    makers_and_sheets(cms)
    cms.run()
    cms.mirror()
    old = cms.items("makers")["s-m1"]["id"]
    cms.api.delete(f"/collections/{cms.collections['makers']}/items/{old}").raise_for_status()
    for _ in range(2):
        assert cms.run().failed == 0
    ids = {slug: one["id"] for slug, one in cms.items("makers").items()}
    assert ids["s-m1"] != old
    fields = cms.items("sheets")["s-s1"]["fields"]
    assert (fields["maker"], fields["also"]) == (ids["s-m1"], [ids["s-m2"], ids["s-m1"]])
    assert cms.settle().is_empty


def test_what_is_referred_to_leaves_after_what_refers_to_it(cms: CmsBench) -> None:
    makers_and_sheets(cms)
    for model in ("a_sheets", "z_makers"):
        cms.models[model][0]["on_removal"] = "delete"
    cms.run()
    cms.row("a_sheets", "s2")
    cms.gone("a_sheets", "s1")
    cms.gone("z_makers", "m1")
    cms.run()
    deletes = [path for path in cms.requests() if path.startswith("DELETE")]
    assert [path.split("/")[2] for path in deletes] == [cms.collections["sheets"], cms.collections["makers"]]


def test_two_syncs_that_refer_to_each_other_are_an_error_that_names_them(cms: CmsBench) -> None:
    makers_and_sheets(cms)
    cms.collection("rings", sheet=("Reference", ">sheets"))
    cms.model("z_makers", {"sheet": ("text", {"field": "sheet", "sync": "a_sheets"})}, collection="makers")
    with pytest.raises(SyncError, match=r"_z_makers.yml, model z_makers: it refers in a circle"):
        cms.plan()


def test_items_of_one_sync_refer_to_each_other_in_one_run(cms: CmsBench) -> None:
    cms.collection("rings", next=("Reference", ">rings"), others=("MultiReference", ">rings"), rank="Number")
    cms.model("rings", {
        "next": ("text", {"field": "next", "sync": "rings"}),
        "others": ("text", {"field": "others", "sync": "rings"}), "rank": ("bigint", {"field": "rank"}),
    }, collection="rings", publish="live")  # fmt: skip
    cms.row("rings", "a", next="b", others=json.dumps(["b", "c"]), rank=1)
    cms.row("rings", "b", next="a", rank=2)
    cms.row("rings", "c", rank=3)
    result = cms.run()
    assert result.failed == 0, result.errors
    items = cms.items("rings")
    ids = {slug: one["id"] for slug, one in items.items()}
    assert items["s-a"]["fields"]["others"] == [ids["s-b"], ids["s-c"]]
    assert items["s-b"]["fields"]["next"] == ids["s-a"]
    assert all(one["is_published"] for one in items.values())
    assert cms.settle().is_empty
    cms.row("rings", "c", next="c", rank=3)
    assert cms.run().failed == 0
    assert cms.settle().is_empty


def test_an_item_that_is_made_again_gets_what_it_refers_to(cms: CmsBench) -> None:
    cms.collection("rings", others=("MultiReference", ">rings"))
    cms.model("rings", {"others": ("text", {"field": "others", "sync": "rings"})}, collection="rings")
    cms.row("rings", "a", others=json.dumps(["a"]))
    cms.run()
    old = cms.items("rings")["s-a"]["id"]
    cms.api.delete(f"/collections/{cms.collections['rings']}/items/{old}").raise_for_status()
    result = cms.run()
    assert result.failed == 0, result.errors
    item = cms.items("rings")["s-a"]
    assert item["id"] != old
    assert item["fields"]["others"] == [item["id"]]
    assert cms.settle().is_empty


def test_items_refer_to_products_of_the_store(cms: CmsBench) -> None:
    cms.collection("outfits", product=("Reference", ">product"), goes_with=("MultiReference", ">product"))
    cms.model("a_looks", {
        "product": ("text", {"field": "product", "sync": "products"}),
        "goes_with": ("text", {"field": "goes-with", "sync": "products"}),
    }, collection="outfits")  # fmt: skip
    cms.model("products", PRODUCT, destination="webflow_store", resource="products")
    cms.model(
        "skus",
        SKU,
        destination="webflow_store",
        resource="skus",
        parent={"sync": "products", "column": "product"},
    )
    for key in ("p1", "p2"):
        cms.row("products", key, is_shippable=True, sku_properties="[]")
        cms.row("skus", f"k{key}", product=key, is_default=True, position=1, code=key, price=100, currency="USD",
                sku_values="{}")  # fmt: skip
    cms.row("a_looks", "l1", product="p1", goes_with=json.dumps(["p2"]))
    result = cms.run()
    assert result.failed == 0, result.errors
    products = {one["fields"]["slug"]: one["id"] for one in cms.shop()["products"].values()}
    fields = cms.items("outfits")["s-l1"]["fields"]
    assert (fields["product"], fields["goes-with"]) == (products["s-p1"], [products["s-p2"]])


@pytest.mark.parametrize("how", ["archive", "delete"])
def test_a_row_is_routed_by_its_column_and_moves_between_collections(cms: CmsBench, how: str) -> None:
    for slug in ("sheets-a", "sheets-b"):
        cms.collection(slug, rank="Number")
    cms.model(
        "sheets", {"place": ("text", {}), "rank": ("bigint", {"field": "rank"})},
        collection={"column": "place", "among": ["sheets-a", "sheets-b"]}, on_removal=how,
    )  # fmt: skip
    cms.row("sheets", "x", place="sheets-a", rank=1)
    cms.row("sheets", "y", place="sheets-b", rank=2)
    cms.row("sheets", "z", place="nowhere", rank=3)
    result = cms.run()
    assert result.failed == 0, result.errors
    assert (set(cms.items("sheets-a")), set(cms.items("sheets-b"))) == ({"s-x"}, {"s-y"})
    [finding] = cms.settle().findings
    assert (finding.kind, finding.key) == ("reject", "z")
    assert "sheets-a, sheets-b" in finding.message
    cms.row("sheets", "x", place="sheets-b", rank=1)
    cms.mirror()
    plan = cms.plan()
    assert [(one.key, one.action) for one in plan.operations] == [("x", how), ("x", "create")]
    assert cms.apply(plan).failed == 0
    left = cms.items("sheets-a").get("s-x")
    assert left is None if how == "delete" else left["is_archived"]
    assert set(cms.items("sheets-b")) == {"s-x", "s-y"}
    assert cms.settle().is_empty
