"""The world moves on by named kinds of changes, and what each moves in Plytix (Plytix dossier §5.4, §13, §20)."""

from pathlib import Path
from typing import Any

import pytest
from sandbox_client import SandboxClient

KINDS = (
    "price", "stock", "title", "description", "image_replaced", "gallery_reordered", "new_product", "new_variant",
    "product_archived", "product_deleted", "product_recategorised", "field_emptied", "relationship_added",
    "category_renamed", "attribute_added", "attribute_deleted", "attribute_type_changed",
)  # fmt: skip


def day(sandbox: SandboxClient, **changes: Any) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = sandbox.control("POST", "/plytix/next-day", {"changes": changes})["changes"]
    return made


def modified(sandbox: SandboxClient) -> dict[str, str]:
    return {p["sku"]: p["modified"] for p in sandbox.control("GET", "/plytix/products")["products"]}


def test_a_default_day_does_some_of_most_kinds_and_says_what(sandbox: SandboxClient) -> None:
    answer = sandbox.control("POST", "/plytix/next-day")
    assert answer["day"] == 1
    assert answer["counts"] == {
        "price": 5, "stock": 5, "title": 2, "description": 2, "image_replaced": 1, "gallery_reordered": 1,
        "new_product": 2, "new_variant": 1, "product_archived": 1, "product_deleted": 1, "category_renamed": 1,
        "product_recategorised": 1, "field_emptied": 1, "relationship_added": 1, "draft_variant": 1,
    }  # fmt: skip
    assert len(answer["changes"]) == sum(answer["counts"].values())
    assert sandbox.control("POST", "/plytix/next-day")["day"] == 2


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_asked_for_alone(sandbox: SandboxClient, kind: str) -> None:
    made = day(sandbox, **{kind: 2})
    assert [change["kind"] for change in made] == [kind, kind]


def test_the_same_day_is_the_same_in_another_sandbox(tmp_path: Path) -> None:
    days = [
        SandboxClient(tmp_path / name, products=60).control("POST", "/plytix/next-day") for name in ("a", "b")
    ]
    assert days[0] == days[1]


def test_modified_moves_only_for_what_changed_and_always_forward(sandbox: SandboxClient) -> None:
    before = modified(sandbox)
    made = day(sandbox, price=2, stock=1, title=1)
    after = modified(sandbox)
    moved = {sku for sku, moment in after.items() if before[sku] != moment}
    assert {change["sku"] for change in made} <= moved
    assert all(after[sku] > max(before.values()) for sku in moved)
    again = day(sandbox, price=1)
    assert modified(sandbox)[again[0]["sku"]] > max(after.values())


def test_a_title_is_inherited_and_moves_the_variants_if_the_switch_is_on(sandbox: SandboxClient) -> None:
    head = sandbox.by_sku("AP-00001")
    for moves, title in ((True, "One"), (False, "Two")):
        sandbox.switch(inheritance_moves_modified=moves)
        before = modified(sandbox)
        edit = {"sku": "AP-00001", "set": {"attributes": {"web_title": title}}}
        sandbox.control("POST", "/plytix/edit", edit)
        variants = sandbox.plytix("GET", f"/api/v2/products/{head['id']}/variants").json()["data"]
        assert {variant["attributes"]["web_title"] for variant in variants} == {title}
        after = modified(sandbox)
        assert all((after[variant["sku"]] != before[variant["sku"]]) is moves for variant in variants)


def test_a_value_set_on_a_variant_is_overwritten_there_and_stays(sandbox: SandboxClient) -> None:
    head = sandbox.by_sku("AP-00001")
    path = f"/api/v2/products/{head['id']}/variants"
    variant = sandbox.plytix("GET", path).json()["data"][0]
    own = {"id": variant["id"], "set": {"attributes": {"brand": "Own"}}}
    sandbox.control("POST", "/plytix/edit", own)
    sandbox.control("POST", "/plytix/edit", {"sku": "AP-00001", "set": {"attributes": {"brand": "New"}}})
    brands = [one["attributes"]["brand"] for one in sandbox.plytix("GET", path).json()["data"]]
    assert brands == ["Own"] + ["New"] * (len(brands) - 1)
    assert sandbox.plytix("GET", path).json()["data"][0]["overwritten_attributes"] == ["brand"]
    sandbox.switch(overwritten_prefix=True)
    assert sandbox.plytix("GET", path).json()["data"][0]["overwritten_attributes"] == ["attributes.brand"]


def test_a_replaced_image_keeps_id_and_url_and_changes_its_bytes(sandbox: SandboxClient) -> None:
    columns = ("url", "modified", "file_modified", "file_size")
    before = {asset["id"]: asset for asset in sandbox.small("assets", *columns)}
    products = modified(sandbox)
    first = sandbox.control("POST", "/plytix/next-day", {"changes": {"price": 0}})
    assert first["changes"] == []
    path = {key: asset["url"].removeprefix("http://127.0.0.1:8791") for key, asset in before.items()}
    pictures = {key: sandbox.call("GET", path[key]).content for key in list(path)}
    change = day(sandbox, image_replaced=1)[0]
    after = {asset["id"]: asset for asset in sandbox.small("assets", *columns)}
    differing = {key for key in after if after[key] != before[key]}
    assert differing == {change["asset"]}
    assert after[change["asset"]]["url"] == before[change["asset"]]["url"]
    assert after[change["asset"]]["file_size"] != before[change["asset"]]["file_size"]
    assert sandbox.call("GET", path[change["asset"]]).content != pictures[change["asset"]]
    assert modified(sandbox) == products
    sandbox.switch(asset_url_changes=True, asset_moves_modified=True)
    change = day(sandbox, image_replaced=1)[0]
    renewed = {asset["id"]: asset for asset in sandbox.small("assets", *columns)}
    assert renewed[change["asset"]]["url"] != before[change["asset"]]["url"]
    assert modified(sandbox)[change["sku"]] != products[change["sku"]]


def test_a_renamed_category_moves_its_products_only_if_the_switch_is_on(sandbox: SandboxClient) -> None:
    before = modified(sandbox)
    change = day(sandbox, category_renamed=1)[0]
    assert change["after"] in [row["name"] for row in sandbox.small("categories/product", "name")]
    assert modified(sandbox) == before
    sandbox.switch(category_moves_modified=True)
    day(sandbox, category_renamed=1)
    assert modified(sandbox) != before


def test_a_relationship_moves_its_owner_only_if_the_switch_is_on(sandbox: SandboxClient) -> None:
    sandbox.switch(relationship_moves_modified=False)
    before = modified(sandbox)
    change = day(sandbox, relationship_added=1)[0]
    assert modified(sandbox) == before
    assert sandbox.by_sku(change["sku"], "relationships.related_products")["relationships"]


def test_a_deleted_product_goes_with_its_variants_and_its_links(sandbox: SandboxClient) -> None:
    column = "relationships.related_products"
    rows = sandbox.search({"attributes": [column], "pagination": {"page_size": 100}})["data"]
    owner = next(row for row in rows if row["relationships"])
    target = owner["relationships"][0]["related_products"][0]["product_id"]
    removed = sandbox.control("POST", "/plytix/edit", {"id": target, "delete": True})["deleted"]
    assert removed[0] == target
    for key in removed:
        assert sandbox.plytix("GET", f"/api/v2/products/{key}").status_code == 404
    entries = sandbox.by_sku(owner["sku"], column)["relationships"]
    assert target not in [one["product_id"] for entry in entries for one in entry["related_products"]]


def test_a_deleted_attribute_makes_its_column_an_error(sandbox: SandboxClient) -> None:
    sandbox.search({"attributes": ["attributes.seo_title"]})
    change = day(sandbox, attribute_deleted=["seo_title"])[0]
    assert change["products"] > 0
    assert sandbox.refused({"attributes": ["attributes.seo_title"]})[0] == 422
    groups = sandbox.small("attribute-groups/product", "attribute_labels")
    assert all("seo_title" not in group["attribute_labels"] for group in groups)


def test_completeness_that_is_recomputed_moves_modified_only_if_the_switch_is_on(
    sandbox: SandboxClient,
) -> None:
    sandbox.control("POST", "/plytix/edit", {"sku": "TL-00002", "set": {"attributes": {"price": None}}})
    before = modified(sandbox)
    day(sandbox, attribute_deleted=["price"])
    assert modified(sandbox)["TL-00002"] == before["TL-00002"]
    assert sandbox.by_sku("TL-00002", "attributes.web_completeness")["attributes"]["web_completeness"] == 100
    sandbox.switch(completeness_moves_modified=True)
    sandbox.control("POST", "/plytix/edit", {"sku": "TL-00002", "set": {"attributes": {"main_image": None}}})
    before = modified(sandbox)
    day(sandbox, attribute_deleted=["main_image"])
    assert modified(sandbox)["TL-00002"] != before["TL-00002"]


def test_an_attribute_changes_its_type_and_its_values(sandbox: SandboxClient) -> None:
    change = day(sandbox, attribute_type_changed=["stock"])[0]
    assert (change["before"], change["after"]) == ("IntAttribute", "TextAttribute")
    stock = sandbox.by_sku("TL-00002", "attributes.stock")["attributes"]["stock"]
    assert isinstance(stock, str)


def test_an_unknown_kind_is_refused_with_the_known_ones(sandbox: SandboxClient) -> None:
    answer = sandbox.call("POST", "/_control/plytix/next-day", json={"changes": {"weather": 1}})
    assert answer.status_code == 400
    assert "price" in answer.json()["error"]


def test_products_are_created_changed_and_deleted_through_the_api_too(sandbox: SandboxClient) -> None:
    made = sandbox.plytix("POST", "/api/v2/products", {"sku": "NEW-1", "attributes": {"price": 5}})
    assert made.status_code == 201
    key = made.json()["data"][0]["id"]
    assert sandbox.plytix("POST", "/api/v2/products", {"sku": "NEW-1"}).status_code == 409
    assert sandbox.plytix("PATCH", f"/api/v2/products/{key}", {"status": "active"}).status_code == 422
    changed = sandbox.plytix("PATCH", f"/api/v2/products/{key}", {"status": "Completed"}).json()["data"][0]
    assert changed["status"] == "Completed"
    child = sandbox.plytix("POST", "/api/v2/products", {"sku": "NEW-1-A", "parent_id": key})
    assert child.json()["data"][0]["product_type"] == "VARIANT"
    assert sandbox.plytix("DELETE", f"/api/v2/products/{key}").status_code == 204
    assert sandbox.plytix("GET", f"/api/v2/products/{key}").status_code == 404
