"""Shapes of what Plytix answers, v1 and v2, and the files behind its URLs (Plytix dossier §6 to §11)."""

import re
from typing import Any

import pytest
from sandbox_client import SandboxClient

MEDIA = ["attributes.main_image", "attributes.gallery"]


def everything(sandbox: SandboxClient, *columns: str, version: int = 2) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        pagination = {"page": len(rows) // 100 + 1, "page_size": 100}
        page = sandbox.search({"attributes": list(columns), "pagination": pagination}, version=version)[
            "data"
        ]
        rows += page
        if len(page) < 100:
            return rows


def test_three_timestamp_forms_occur_in_one_account(sandbox: SandboxClient) -> None:
    shapes = {re.sub(r"\d", "0", row["modified"]) for row in everything(sandbox, "modified")}
    assert shapes == {
        "0000-00-00T00:00:00.000000", "0000-00-00T00:00:00.000000+00:00", "0000-00-00T00:00:00+00:00",
    }  # fmt: skip
    sandbox.switch(timestamp_form="v2")
    assert all("+" not in row["modified"] for row in everything(sandbox, "modified"))


def test_the_same_row_answers_the_same_in_every_column_slice(sandbox: SandboxClient) -> None:
    one = {row["id"]: row["modified"] for row in everything(sandbox, "modified", "label")}
    two = {row["id"]: row["modified"] for row in everything(sandbox, "modified", "attributes.price")}
    assert one == two


def test_empty_attributes_are_left_out_and_an_empty_bag_may_be_a_list(sandbox: SandboxClient) -> None:
    bags = [row["attributes"] for row in everything(sandbox, "attributes.spec_power_w")]
    assert {} in bags
    assert [] in bags
    assert all(None not in bag.values() for bag in bags if bag)
    sandbox.switch(empty_attributes_as_list="never")
    assert [] not in [row["attributes"] for row in everything(sandbox, "attributes.spec_power_w")]


@pytest.mark.parametrize(
    ("form", "reads"), [("object", {dict}), ("string", {str}), ("mixed", {dict, str})]
)  # fmt: skip
def test_ids_come_as_objects_or_as_strings(sandbox: SandboxClient, form: str, reads: set[type]) -> None:
    sandbox.switch(v2_ids=form)
    rows = everything(sandbox, "categories", "assets", "thumbnail")
    assert {type(entry) for row in rows for entry in row["categories"] + row["assets"]} == reads
    thumbnails = {type(row["thumbnail"]) for row in rows if row["thumbnail"] is not None}
    assert thumbnails == {list if read is str else dict for read in reads}


def test_media_values_are_lists_of_ids_in_order(sandbox: SandboxClient) -> None:
    values = sandbox.search({"attributes": MEDIA})["data"][0]["attributes"]
    assert len(values["main_image"]) == 1
    assert all(isinstance(key, str) for key in values["main_image"] + values["gallery"])
    sandbox.switch(v2_media="objects")
    objects = sandbox.search({"attributes": MEDIA})["data"][0]["attributes"]
    assert [entry["id"] for entry in objects["gallery"]] == values["gallery"]


def test_numbers_may_come_as_strings(sandbox: SandboxClient) -> None:
    plain = sandbox.by_sku("TL-00002", "attributes.price", "attributes.stock")["attributes"]
    assert isinstance(plain["price"], float)
    assert isinstance(plain["stock"], int)
    sandbox.switch(numbers_as_strings="always")
    text = sandbox.by_sku("TL-00002", "attributes.price", "attributes.stock")["attributes"]
    assert text == {key: str(value) for key, value in plain.items()}


def test_dates_come_with_or_without_a_time(sandbox: SandboxClient) -> None:
    dates = [row["attributes"] for row in everything(sandbox, "attributes.release_date")]
    forms = {len(bag["release_date"]) for bag in dates if bag}
    assert forms == {len("2025-03-28"), len("2025-03-28T00:00:00")}


def test_a_variant_names_its_parent_and_a_parent_has_no_such_key(sandbox: SandboxClient) -> None:
    rows = everything(sandbox)
    with_parent = [row for row in rows if "parent_id" in row]
    assert 0 < len(with_parent) < len(rows)
    assert {row["parent_id"] for row in with_parent} == {row["id"] for row in rows if row["num_variations"]}
    assert all("_parent_id" in row and "attributes" in row for row in everything(sandbox, version=1))


def test_three_levels_share_what_the_family_hands_down(sandbox: SandboxClient) -> None:
    head = sandbox.by_sku("FW-00004", "attributes.web_title", "attributes.brand")
    variants = sandbox.plytix("GET", f"/api/v2/products/{head['id']}/variants").json()["data"]
    assert {variant["product_type"] for variant in variants} == {"VARIANT"}
    leaves = sandbox.plytix("GET", f"/api/v2/products/{variants[0]['id']}/variants").json()["data"]
    assert {leaf["product_level"] for leaf in leaves} == {3}
    for product in (*variants, *leaves):
        assert product["attributes"]["brand"] == head["attributes"]["brand"]
    assert {leaf["attributes"]["color"] for leaf in leaves} == {variants[0]["attributes"]["color"]}
    assert sandbox.plytix("GET", f"/api/v2/products/{leaves[0]['id']}/variants").json()["data"] == []


def test_relationships_come_as_a_column_under_either_name_key(sandbox: SandboxClient) -> None:
    column = "relationships.related_products"
    entry = next(row["relationships"][0] for row in everything(sandbox, column) if row["relationships"])
    assert entry["relationship_label"] == "related_products"
    assert set(entry["related_products"][0]) == {"product_id", "quantity", "last_modified"}
    sandbox.switch(relationship_name_key="label")
    entry = next(row["relationships"][0] for row in everything(sandbox, column) if row["relationships"])
    assert entry["label"] == "related_products"


def test_one_product_in_full_has_family_fields(sandbox: SandboxClient) -> None:
    key = sandbox.by_sku("AP-00001")["id"]
    product = sandbox.plytix("GET", f"/api/v2/products/{key}").json()["data"][0]
    assert product["product_type"] == "PARENT"
    assert len(product["product_family_id"]) == 24
    assert product["mark_as_deleted"] is False
    assert "parent_id" not in product
    v1 = sandbox.plytix("GET", f"/api/v1/products/{key}?all_attributes=true").json()["data"][0]
    assert v1["_parent_id"] is None
    assert v1["attributes"]["spec_power_w"] is None
    assert isinstance(v1["attributes"]["stock"], str)
    assert v1["categories"][0]["path"][0] == "Clothing"


def test_the_thumbnail_of_v1_is_the_preview_and_not_the_original(sandbox: SandboxClient) -> None:
    key = sandbox.by_sku("AP-00001")["id"]
    v1 = sandbox.plytix("GET", f"/api/v1/products/{key}").json()["data"][0]
    assert "/thumbs/" in v1["thumbnail"]["url"]
    assert "/files/" in v1["assets"][0]["url"]


def test_completeness_is_a_share_that_may_be_fractional(sandbox: SandboxClient) -> None:
    sandbox.control("POST", "/plytix/edit", {"sku": "TL-00002", "set": {"attributes": {"price": None}}})
    assert sandbox.by_sku("TL-00002", "attributes.web_completeness")["attributes"]["web_completeness"] == 75
    sandbox.control("POST", "/plytix/next-day", {"changes": {"attribute_deleted": ["main_image"]}})
    assert (
        sandbox.by_sku("TL-00002", "attributes.web_completeness")["attributes"]["web_completeness"] == 66.67
    )


def test_filter_type_is_not_the_type(sandbox: SandboxClient) -> None:
    rows = sandbox.small("attributes/product", "label", "type_class", "filter_type", "attributes", "options")
    by_label = {row["label"]: row for row in rows}
    assert by_label["web_description"]["type_class"] == "HtmlAttribute"
    assert by_label["web_description"]["filter_type"] == "TextAttribute"
    assert by_label["web_completeness"]["filter_type"] == "DecimalAttribute"
    wanted = [entry["label"] for entry in by_label["web_completeness"]["attributes"]]
    assert wanted == ["web_title", "price", "main_image", "web_description"]
    assert len(rows) > 60
    assert len({row["type_class"] for row in rows}) == 14
    assert set(sandbox.small("attributes/product")[0]) == {"id", "filter_type"}


def test_categories_form_a_tree_of_four_levels(sandbox: SandboxClient) -> None:
    rows = sandbox.small(
        "categories/product", "name", "path", "parents_ids", "n_children", "order", "modified"
    )
    known = {row["id"]: row for row in rows}
    assert len(rows) > 35
    assert max(len(row["path"]) for row in rows) == 4
    for row in rows:
        assert row["path"] == [known[key]["name"] for key in row["parents_ids"]] + [row["name"]]
        assert isinstance(row["order"], str)
    assert set(sandbox.small("categories/product")[0]) == {"id"}


def test_groups_are_not_listed_in_their_order(sandbox: SandboxClient) -> None:
    orders = [
        row["order"] for row in sandbox.small("attribute-groups/product", "name", "order", "attribute_labels")
    ]
    assert orders != sorted(orders)


def test_families_name_their_attributes_and_levels(sandbox: SandboxClient) -> None:
    families = {row["name"]: row for row in sandbox.small("product_families", "name", "total_products")}
    assert set(families) == {"Apparel", "Footwear", "Tools"}
    path = f"/api/v1/product_families/{families['Footwear']['id']}"
    attributes = sandbox.plytix("GET", f"{path}/attributes").json()["data"]
    levels = {row["label"]: row["attribute_level"] for row in attributes}
    assert levels["brand"] == "parent_level"
    assert levels["color"] == "variant_level"
    assert levels["shoe_size"] == "no_level"
    everything = sandbox.plytix("GET", f"{path}/all_attributes").json()["data"]
    assert {"label", "status"} < {row["label"] for row in everything}
    assert sandbox.plytix("GET", "/api/v1/product_families/none/attributes").status_code == 404


def test_assets_have_urls_with_raw_spaces_and_files_behind_them(sandbox: SandboxClient) -> None:
    sandbox.control("POST", "/reset", {"vendor": "plytix", "products": 300})
    assets = sandbox.small(
        "assets", "filename", "url", "thumbnail", "created", "file_modified", "content_type"
    )
    spaced = next(asset for asset in assets if " " in asset["url"])
    picture = sandbox.call("GET", spaced["url"].removeprefix("http://127.0.0.1:8791"))
    assert picture.status_code == 200
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert "+" in spaced["created"]
    assert "+" not in spaced["file_modified"]
    assert "/thumbs/" in spaced["thumbnail"]
    pdf = next(asset for asset in assets if asset["content_type"] == "application/pdf")
    assert sandbox.call("GET", pdf["url"].removeprefix("http://127.0.0.1:8791")).content.startswith(b"%PDF")


def test_assets_can_be_filtered_by_modified_and_ordered_up_to_a_limit(sandbox: SandboxClient) -> None:
    def search(**body: Any) -> Any:
        return sandbox.plytix("POST", "/api/v1/assets/search", body)

    everything = search().json()["pagination"]["count"]
    newest = sandbox.control("POST", "/plytix/next-day", {"changes": {"image_replaced": 1}})["changes"][0][
        "asset"
    ]
    changed = {"field": "modified", "operator": "gte", "value": "2025-07-01"}
    assert [row["id"] for row in search(filters=[[changed]]).json()["data"]] == [newest]
    images = {"field": "file_type", "operator": "eq", "value": "IMAGES"}
    assert 0 < search(filters=[[images]]).json()["pagination"]["count"] < everything
    assert search(filters=[[{"field": "url", "operator": "exists"}]]).status_code == 422
    assert search(pagination={"order": "-modified"}).json()["data"][0]["id"] == newest
    sandbox.switch(ordered_rows_limit=5)
    assert search(pagination={"order": "modified"}).status_code == 428


def test_the_attribute_search_may_allow_larger_pages(sandbox: SandboxClient) -> None:
    body = {"pagination": {"page_size": 1000}}
    assert sandbox.plytix("POST", "/api/v1/attributes/product/search", body).status_code == 422
    sandbox.switch(small_page_size_max=1000)
    assert len(sandbox.plytix("POST", "/api/v1/attributes/product/search", body).json()["data"]) == 65


def test_unsorted_paging_may_end_at_a_limit(sandbox: SandboxClient) -> None:
    sandbox.switch(unsorted_rows_limit=50)
    assert len(sandbox.search({"pagination": {"page": 2}})["data"]) == 25
    assert sandbox.refused({"pagination": {"page": 3}})[0] == 422


def test_the_default_world_holds_every_kind_of_broken_product(sandbox: SandboxClient) -> None:
    sandbox.control("POST", "/reset", {"vendor": "plytix", "products": 300})
    products = sandbox.control("GET", "/plytix/products")["products"]
    heads = [product for product in products if product["parent_id"] is None]
    assert len(heads) == 300
    values = [product["attributes"] for product in heads]
    folded = [product["sku"].lower() for product in products]
    titles = [bag.get("web_title") for bag in values]
    assert {product["status"] for product in heads} == {"Draft", "Completed", "Archived"}
    assert any("price" not in bag for bag in values)
    assert any(bag.get("price") == "12,50" for bag in values)
    assert any("main_image" not in bag for bag in values)
    assert any("web_description" not in bag for bag in values)
    assert any(bag["show_on_web"] is False for bag in values)
    assert any("<script>" in bag.get("web_description", "") for bag in values)
    assert any("\x00" in bag["short_description"] for bag in values)
    assert len(folded) > len(set(folded))
    assert len(products) == len({product["sku"] for product in products})
    assert len(titles) != len(set(titles))
    assert max(len(title or "") for title in titles) == 300
    assert "   " in titles
    below = {product["parent_id"] for product in products}
    sold = [one for one in products if one["id"] not in below and one["status"] == "Completed"]
    assert any("stock" not in one["attributes"] for one in sold)
    assert any(one["status"] == "Draft" and one["parent_id"] for one in products)
    ready = [bag for bag in values if bag["web_completeness"] == 100]
    assert len(ready) > 0.9 * len(values)


def test_the_default_world_is_the_same_each_time(sandbox: SandboxClient) -> None:
    before = sandbox.control("GET", "/plytix/products")
    sandbox.control("POST", "/plytix/next-day")
    assert sandbox.control("GET", "/plytix/products") != before
    sandbox.control("POST", "/reset", {"vendor": "plytix"})
    assert sandbox.control("GET", "/plytix/products") == before
    sandbox.control("POST", "/reset", {"vendor": "plytix", "seed": 8})
    assert sandbox.control("GET", "/plytix/products") != before
