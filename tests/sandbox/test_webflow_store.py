"""Products, SKUs and stock of the Webflow stand-in (Webflow dossier §1 and §6)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from webflow_shop import Shop, complaints, official_operations, option, why

COLOURS = option("Color", "Red", "Blue")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def test_a_new_site_has_a_store_a_hand_made_collection_and_three_hand_made_products(shop: Shop) -> None:
    assert {"product", "sku", "category", "posts"} < set(shop.collections)
    settings = shop.get(f"{shop.site}/ecommerce/settings").json()
    assert settings["defaultCurrency"] == "USD"
    listed = shop.get(f"{shop.site}/products").json()
    assert listed["pagination"] == {"limit": 100, "offset": 0, "total": 3}
    assert "classic-t-shirt" in {each["product"]["fieldData"]["slug"] for each in listed["items"]}
    assert shop.counts()["hand_made_products"] == 3
    fields = shop.get(shop.collections["product"]).json()["fields"]
    assert {"name", "slug", "brand", "seo-title", "release-date"} <= {field["slug"] for field in fields}


def test_creating_a_product_makes_the_first_combination_its_default_sku(shop: Shop) -> None:
    made = shop.create_product(
        sku={"sku-values": {"color": "blue", "size": "l"}},
        **{"sku-properties": [COLOURS, option("Size", "S", "L")]},
    ).json()
    properties = made["product"]["fieldData"]["sku-properties"]
    assert all(re.fullmatch("[0-9a-f]{32}", each["id"]) for each in properties)
    [sku] = made["skus"]
    assert made["product"]["fieldData"]["default-sku"] == sku["id"]
    assert sku["fieldData"]["sku-values"] == {each["id"]: each["enum"][0]["id"] for each in properties}
    assert sku["fieldData"]["product"] == made["product"]["id"]


def test_variant_ids_are_kept_where_the_switch_says_so(shop: Shop) -> None:
    shop.switch(variant_ids="keep")
    made = shop.create_product(**{"sku-properties": [COLOURS]}).json()
    assert made["skus"][0]["fieldData"]["sku-values"] == {"color": "red"}


def test_skus_are_keyed_by_the_ids_the_product_answered_with(shop: Shop) -> None:
    product = shop.create_product(**{"sku-properties": [COLOURS]}).json()["product"]
    path = f"{shop.site}/products/{product['id']}/skus"
    blue = {"name": "Blue", "slug": "tee-blue", "price": {"value": 2499, "unit": "USD"}}
    refused = shop.post(path, {"skus": [{"fieldData": {**blue, "sku-values": {"color": "blue"}}}]})
    assert "sku-values" in why(refused)
    colour = product["fieldData"]["sku-properties"][0]
    values = {colour["id"]: colour["enum"][1]["id"]}
    assert shop.post(path, {"skus": [{"fieldData": {**blue, "sku-values": values}}]}).status_code == 200
    again = {**blue, "slug": "tee-blue-2", "sku-values": values}
    assert "combination" in why(shop.post(path, {"skus": [{"fieldData": again}]}))["sku-values"]
    assert len(shop.get(f"{shop.site}/products/{product['id']}").json()["skus"]) == 2


def test_creating_skus_is_all_or_none(shop: Shop) -> None:
    product = shop.create_product(**{"sku-properties": [option("Color", "Red", "Blue", "Green")]}).json()[
        "product"
    ]
    colour = product["fieldData"]["sku-properties"][0]
    skus = [
        {"fieldData": {"name": each["name"], "slug": slug, "price": {"value": 1, "unit": "USD"},
                       "sku-values": {colour["id"]: each["id"]}}}
        for each, slug in zip(colour["enum"][1:], ("good", "not good"), strict=True)
    ]  # fmt: skip
    assert "slug" in why(shop.post(f"{shop.site}/products/{product['id']}/skus", {"skus": skus}))
    assert len(shop.get(f"{shop.site}/products/{product['id']}").json()["skus"]) == 1


def test_a_variant_value_in_use_cannot_be_removed_or_leaves_a_broken_variant(shop: Shop) -> None:
    product = shop.create_product(**{"sku-properties": [COLOURS]}).json()["product"]
    path = f"{shop.site}/products/{product['id']}"
    without_red = [{**COLOURS, "enum": COLOURS["enum"][1:]}]
    change = {"product": {"fieldData": {"name": "Tee", "slug": "tee", "sku-properties": without_red}}}
    assert "sku-properties" in why(shop.patch(path, change))
    shop.switch(variant_references="accept")
    assert shop.patch(path, change).status_code == 200
    dump = shop.control("GET", "webflow/shop")
    assert [each["broken_variants"] for each in dump["products"] if each["fields"]["slug"] == "tee"] == [1]


def test_a_product_patch_merges_fields_keeps_known_variant_ids_and_answers_the_product_alone(
    shop: Shop,
) -> None:
    product = shop.create_product(brand="Silk", **{"sku-properties": [COLOURS]}).json()["product"]
    path = f"{shop.site}/products/{product['id']}"
    known = product["fieldData"]["sku-properties"]
    wider = [{**known[0], "enum": [*known[0]["enum"], {"id": "green", "name": "Green", "slug": "green"}]}]
    answer = shop.patch(path, {"product": {"fieldData": {"sku-properties": wider}}}).json()
    assert answer["fieldData"]["brand"] == "Silk"
    after = answer["fieldData"]["sku-properties"][0]
    assert after["id"] == known[0]["id"]
    assert after["enum"][:2] == known[0]["enum"]
    assert after["enum"][2]["id"] != "green"
    assert answer["lastUpdated"] > product["lastUpdated"]


def test_the_default_sku_can_be_changed_along_with_the_product(shop: Shop) -> None:
    product = shop.create_product().json()["product"]
    sku = {"fieldData": {"name": "Tee", "slug": "tee-1", "price": {"value": 1900, "unit": "USD"}}}
    shop.patch(f"{shop.site}/products/{product['id']}", {"sku": sku})
    [after] = shop.get(f"{shop.site}/products/{product['id']}").json()["skus"]
    assert after["fieldData"]["price"]["value"] == 1900


@pytest.mark.parametrize(
    ("price", "reason"),
    [
        ({"value": 24.99, "unit": "USD"}, "minor units"),
        ({"value": "2499", "unit": "USD"}, "minor units"),
        ({"value": -1, "unit": "USD"}, "negative"),
        ({"value": 2499, "unit": "EUR"}, "currency"),
        (2499, "minor units"),
        (None, "required"),
    ],
)
def test_a_price_is_whole_minor_units_in_the_currency_of_the_store(
    shop: Shop, price: object, reason: str
) -> None:
    assert reason in why(shop.create_product(sku={"price": price}))["price"]


def test_compare_at_price_is_cleared_with_null(shop: Shop) -> None:
    made = shop.create_product(sku={"compare-at-price": {"value": 3000, "unit": "USD"}}).json()
    [sku] = made["skus"]
    assert sku["fieldData"]["compare-at-price"] == {"value": 3000, "unit": "USD", "currency": "USD"}
    path = f"{shop.site}/products/{made['product']['id']}/skus/{sku['id']}"
    after = shop.patch(path, {"sku": {"fieldData": {"compare-at-price": None}}}).json()
    assert after["fieldData"]["compare-at-price"] is None


def test_a_null_weight_is_refused_although_reads_give_null(shop: Shop) -> None:
    made = shop.create_product().json()
    assert made["skus"][0]["fieldData"]["weight"] is None
    path = f"{shop.site}/products/{made['product']['id']}/skus/{made['skus'][0]['id']}"
    assert "weight" in why(shop.patch(path, {"sku": {"fieldData": {"weight": None}}}))
    assert shop.patch(path, {"sku": {"fieldData": {"weight": 250}}}).status_code == 200


def test_a_sku_patch_is_partial_or_needs_name_slug_and_price(shop: Shop) -> None:
    made = shop.create_product().json()
    path = f"{shop.site}/products/{made['product']['id']}/skus/{made['skus'][0]['id']}"
    price = {"price": {"value": 100, "unit": "USD"}}
    assert shop.patch(path, {"sku": {"fieldData": price}}).status_code == 200
    shop.switch(sku_patch="strict")
    assert set(why(shop.patch(path, {"sku": {"fieldData": price}}))) == {"name", "slug"}
    whole = {"name": "Tee", "slug": "tee-1", **price}
    assert shop.patch(path, {"sku": {"fieldData": whole}}).status_code == 200


def test_every_write_of_an_image_imports_it_anew(shop: Shop) -> None:
    made = shop.create_product(sku={"main-image": "https://pim.example/tee.png"}).json()
    [sku] = made["skus"]
    first = sku["fieldData"]["main-image"]
    assert set(first) == {"fileId", "url", "alt"}
    assert first["fileId"] in first["url"]
    path = f"{shop.site}/products/{made['product']['id']}/skus/{sku['id']}"
    image = {"url": "https://pim.example/tee.png", "alt": "A tee"}
    second = shop.patch(path, {"sku": {"fieldData": {"main-image": image}}}).json()["fieldData"]["main-image"]
    assert second["alt"] == "A tee"
    assert second["fileId"] != first["fileId"]
    untouched = shop.patch(path, {"sku": {"fieldData": {"name": "Other"}}}).json()["fieldData"]["main-image"]
    assert untouched == second
    assert shop.counts()["image_imports"] == 2
    redirect = shop.send("GET", second["url"])
    assert (redirect.status_code, redirect.headers["location"]) == (307, "https://pim.example/tee.png")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://pim.example/red tee.png", "Remote file failed to import"),
        ("ftp://pim.example/tee.png", "Remote file failed to import"),
        ("http://127.0.0.1:8791/plytix/files/0123/none.png", "Remote file failed to import"),
        ("https://pim.example/sheet.pdf", "Unsupported file type"),
        ("https://pim.example/tee", "Unsupported file type"),
    ],
)
def test_one_image_that_cannot_be_imported_fails_the_whole_product(shop: Shop, url: str, reason: str) -> None:
    assert reason in why(shop.create_product(sku={"main-image": url}))["main-image"]
    assert shop.counts()["collections"]["product"] == 3
    assert shop.counts()["image_imports"] == 0


def test_an_image_of_the_sandbox_pim_is_imported_when_it_is_there(shop: Shop) -> None:
    world = shop.control("GET", "plytix/products")
    asset = next(each["assets"][0] for each in world["products"] if each["assets"])
    token = shop.send(
        "POST",
        "/plytix/auth/api/get-token",
        json={"api_key": "sandbox-key", "api_password": "sandbox-password"},
    ).json()["data"][0]["access_token"]
    found = shop.send("GET", f"/plytix/api/v1/assets/{asset}", headers={"Authorization": f"Bearer {token}"})
    url = found.json()["data"][0]["url"]
    image = shop.create_product(sku={"main-image": url}).json()["skus"][0]["fieldData"]["main-image"]
    assert shop.send("GET", image["url"]).headers["location"] == url


def test_the_file_id_may_be_missing_right_after_a_write(shop: Shop) -> None:
    shop.switch(file_id_after_write="absent")
    made = shop.create_product(sku={"more-images": [{"url": "https://pim.example/tee.png"}]}).json()
    assert "fileId" not in made["skus"][0]["fieldData"]["more-images"][0]
    [read] = shop.get(f"{shop.site}/products/{made['product']['id']}").json()["skus"]
    assert "fileId" in read["fieldData"]["more-images"][0]


def test_a_patch_without_the_flag_can_clear_the_archive(shop: Shop) -> None:
    path = f"{shop.site}/products/{shop.create_product().json()['product']['id']}"
    rename = {"product": {"fieldData": {"name": "Tee 2"}}}
    archive = {"product": {"fieldData": {}, "isArchived": True}}
    assert shop.patch(path, archive).json()["isArchived"] is True
    assert shop.patch(path, rename).json()["isArchived"] is False
    shop.switch(clear_archive=False)
    shop.patch(path, archive)
    assert shop.patch(path, rename).json()["isArchived"] is True


def test_the_product_list_may_have_a_stale_archive_flag(shop: Shop) -> None:
    path = f"{shop.site}/products/{shop.create_product().json()['product']['id']}"
    shop.patch(path, {"product": {"fieldData": {}, "isArchived": True}})
    assert shop.get(f"{shop.site}/products").json()["items"][-1]["product"]["isArchived"] is True
    shop.switch(product_list_archive="stale")
    assert shop.get(f"{shop.site}/products").json()["items"][-1]["product"]["isArchived"] is False
    assert shop.get(path).json()["product"]["isArchived"] is True


def test_products_cannot_be_deleted_by_their_own_route(shop: Shop) -> None:
    made = shop.create_product().json()["product"]
    gone = shop.call("DELETE", f"{shop.site}/products/{made['id']}")
    assert (gone.status_code, gone.json()["code"]) == (404, "resource_not_found")
    by_cms = f"{shop.collections['product']}/items/{made['id']}"
    assert shop.call("DELETE", by_cms).status_code == 400
    shop.switch(cms_store_writes="accept")
    assert shop.call("DELETE", by_cms).status_code == 204
    assert shop.get(f"{shop.site}/products/{made['id']}").status_code == 404
    assert shop.counts()["collections"]["sku"] == 3


def test_the_list_counts_products_and_pages_at_most_a_hundred(shop: Shop) -> None:
    page = shop.get(f"{shop.site}/products", offset="1", limit="1").json()
    assert page["pagination"] == {"limit": 1, "offset": 1, "total": 3}
    assert page["items"][0]["product"]["fieldData"]["slug"] == "repair-service"
    assert len(page["items"][0]["skus"]) == 1
    assert why(shop.get(f"{shop.site}/products", limit="101")) == {"limit": "Value is out of range"}
    assert shop.get(f"{shop.site}/products", offset="99").json()["items"] == []


def test_stock_is_apart_and_needs_its_type_and_the_sku_collection(shop: Shop) -> None:
    [sku] = shop.create_product().json()["skus"]
    assert not {"quantity", "inventoryType"} & set(sku["fieldData"])
    path = f"{shop.collections['sku']}/items/{sku['id']}/inventory"
    assert shop.get(path).json() == {"id": sku["id"], "quantity": 0, "inventoryType": "infinite"}
    assert "inventoryType" in why(shop.patch(path, {"quantity": 5}))
    set_to_five = shop.patch(path, {"inventoryType": "finite", "quantity": 5}).json()
    assert set_to_five == {"id": sku["id"], "quantity": 5, "inventoryType": "finite"}
    assert shop.patch(path, {"inventoryType": "finite", "updateQuantity": -2}).json()["quantity"] == 3
    wrong = shop.get(f"{shop.collections['product']}/items/{sku['id']}/inventory")
    assert (wrong.status_code, "sku collection not specified" in wrong.text) == (400, True)


def test_live_products_are_published_and_staged_ones_wait_for_the_site(shop: Shop) -> None:
    assert shop.create_product("one", publish="live").json()["product"]["lastPublished"]
    staged = shop.create_product("two").json()["product"]
    assert staged["lastPublished"] is None
    everywhere = {"publishToWebflowSubdomain": True}
    assert shop.post(f"{shop.site}/publish", everywhere).status_code == 202
    assert shop.get(f"{shop.site}/products/{staged['id']}").json()["product"]["lastPublished"]
    assert "publishStatus" in why(shop.create_product("three", publish="published"))


def test_a_category_must_exist(shop: Shop) -> None:
    category = shop.create_item("category", name="Shirts", slug="shirts").json()["id"]
    assert shop.create_product(category=[category]).json()["product"]["fieldData"]["category"] == [category]
    assert "not found" in why(shop.create_product("b", category=["0" * 24]))["category"]
    assert "category" in why(shop.create_product("c", category=["Shirts"]))


def test_a_store_may_not_be_enabled(shop: Shop) -> None:
    shop.switch(ecommerce_enabled=False)
    answer = shop.get(f"{shop.site}/products")
    assert (answer.status_code, answer.json()["code"]) == (409, "ecommerce_not_enabled")


def test_the_plan_counts_skus_and_refuses_the_item_too_many(shop: Shop) -> None:
    shop.switch(item_cap=shop.counts()["items"] + 3)
    assert shop.create_product("one").status_code == 200
    full = shop.create_product("two")
    assert full.status_code == 409
    expected = "You've created all the items in your CMS Database allowed on your current plan."
    assert full.json()["message"] == expected


def test_a_product_may_have_a_greatest_number_of_variants(shop: Shop) -> None:
    shop.switch(max_skus_per_product=1)
    product = shop.create_product(**{"sku-properties": [COLOURS]}).json()["product"]
    colour = product["fieldData"]["sku-properties"][0]
    fields = {"name": "Blue", "slug": "blue", "price": {"value": 1, "unit": "USD"}}
    fields["sku-values"] = {colour["id"]: colour["enum"][1]["id"]}
    answer = shop.post(f"{shop.site}/products/{product['id']}/skus", {"skus": [{"fieldData": fields}]})
    assert (answer.status_code, answer.json()["message"]) == (409, "Products can have at most 1 variants")


def test_what_the_official_schema_refuses_the_sandbox_refuses(shop: Shop) -> None:
    product = shop.create_product().json()["product"]["id"]
    path = f"{shop.site}/products"
    named = {"name": "A", "slug": "a"}
    sku = {"fieldData": {**named, "price": {"value": 1, "unit": "USD"}}}
    bodies = [
        (path, {"product": {"fieldData": named}}),
        (path, {"product": {"fieldData": {"name": "A"}}, "sku": sku}),
        (path, {"product": {"fieldData": named}, "sku": {"fieldData": named}}),
        (f"{path}/{product}/skus", {"skus": [{"fieldData": named}]}),
        (f"{path}/{product}/skus", {}),
    ]
    for each, body in bodies:
        assert complaints("POST", each, body) or not official_operations()
        assert shop.post(each, body).status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"price": {"value": 1e300, "unit": "USD"}},
        {"price": []},
        {"sku-values": [1]},
        {"sku-values": {"x": []}},
        {"weight": 10**18},
        {"main-image": {"url": 5}},
        {"more-images": "https://pim.example/a.png"},
    ],
)
def test_a_sku_value_of_any_shape_gets_an_error_and_no_crash(shop: Shop, fields: dict[str, object]) -> None:
    made = shop.create_product().json()
    path = f"{shop.site}/products/{made['product']['id']}/skus/{made['skus'][0]['id']}"
    assert set(why(shop.patch(path, {"sku": {"fieldData": fields}}))) == set(fields)
    assert shop.get(f"{shop.site}/products/{made['product']['id']}").json() == made
