"""What people do to the shop behind the back of a sync, and the page that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from webflow_shop import Shop, option


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def product(shop: Shop, slug: str) -> dict[str, Any]:
    dump = shop.control("GET", "webflow/shop?ids=false")
    return next(each for each in dump["products"] if each["fields"]["slug"] == slug)


def test_the_dump_says_the_same_of_two_shops_filled_alike(shop: Shop, tmp_path: Path) -> None:
    other = Shop(tmp_path / "other")
    for each in (shop, other):
        category = each.create_item("category", name="Shirts", slug="shirts").json()["id"]
        each.create_product(
            sku={"main-image": "https://pim.example/a.png"},
            category=[category],
            **{"sku-properties": [option("Color", "Red", "Blue")]},
        )
    dump = shop.control("GET", "webflow/shop?ids=false")
    assert dump == other.control("GET", "webflow/shop?ids=false")
    other.close()
    tee = product(shop, "tee")
    assert tee["categories"] == ["shirts"]
    assert tee["options"] == [{"name": "Color", "values": ["Red", "Blue"]}]
    assert tee["skus"][0]["options"] == {"Color": "Red"}
    assert tee["skus"][0]["fields"]["main-image"] == {"source": "https://pim.example/a.png", "alt": None}
    assert tee["skus"][0]["inventory"] == {"quantity": 0, "inventoryType": "infinite"}


def test_a_sale_takes_from_the_stock(shop: Shop) -> None:
    [sku] = shop.create_product(sku={"sku": "TEE"}).json()["skus"]
    path = f"{shop.collections['sku']}/items/{sku['id']}/inventory"
    shop.patch(path, {"inventoryType": "finite", "quantity": 5})
    assert shop.control("POST", "webflow/sale", {"sku": "TEE", "quantity": 2})["quantity"] == 3
    assert shop.get(path).json()["quantity"] == 3
    too_many = shop.send("POST", "/_control/webflow/sale", json={"sku": "TEE", "quantity": 4})
    assert (too_many.status_code, "only 3 left" in too_many.text) == (400, True)


def test_an_edit_in_the_designer_is_seen_by_the_api(shop: Shop) -> None:
    before = shop.create_product().json()["product"]
    shop.control("POST", "webflow/edit", {"item": "tee", "fieldData": {"name": "Theirs"}, "isArchived": True})
    after = shop.get(f"{shop.site}/products/{before['id']}").json()["product"]
    assert (after["fieldData"]["name"], after["isArchived"]) == ("Theirs", True)
    assert after["lastUpdated"] > before["lastUpdated"]


def test_a_product_made_by_hand_is_marked_and_published(shop: Shop) -> None:
    made = {"name": "Mug", "slug": "mug", "price": 900, "sku": "MUG", "quantity": 4}
    assert shop.control("POST", "webflow/hand-made", made)["product"]["lastPublished"]
    mug = product(shop, "mug")
    assert (mug["hand_made"], mug["is_published"]) == (True, True)
    assert mug["skus"][0]["inventory"] == {"quantity": 4, "inventoryType": "finite"}


def test_a_removed_field_is_unknown_and_another_currency_is_refused(shop: Shop) -> None:
    shop.control("POST", "webflow/field", {"collection": "product", "remove": "brand"})
    assert "Field not described" in shop.create_product(brand="Silk").text
    shop.control("POST", "webflow/currency", {"currency": "EUR"})
    assert shop.get(f"{shop.site}/ecommerce/settings").json()["defaultCurrency"] == "EUR"
    assert "currency of the store" in shop.create_product().text


def test_imports_are_counted_by_source(shop: Shop) -> None:
    images = [{"url": "https://pim.example/a.png"}, {"url": "https://pim.example/b.png"}]
    shop.create_product(sku={"main-image": "https://pim.example/a.png", "more-images": images})
    counts = shop.control("GET", "webflow/counts?sources=true")
    assert counts["image_imports"] == 3
    assert counts["imports_by_source"] == {"https://pim.example/a.png": 2, "https://pim.example/b.png": 1}


def test_control_says_what_is_wrong_with_a_call(shop: Shop) -> None:
    for body in ({"sku": "none"}, {}, {"account": "none", "sku": "x"}):
        answer = shop.send("POST", "/_control/webflow/sale", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"]


def test_the_shop_page_shows_products_and_filters_them(shop: Shop) -> None:
    category = shop.create_item("category", name="Shirts & more", slug="shirts").json()["id"]
    sku = {"compare-at-price": {"value": 3000, "unit": "USD"}, "main-image": "https://pim.example/a.png"}
    shop.create_product(sku=sku, category=[category], **{"sku-properties": [option("Color", "Red", "Blue")]})
    shop.control("POST", "webflow/edit", {"item": "gift-card", "isArchived": True})
    page = shop.send("GET", "/shop").text
    for shown in (
        "Karvon Shop",
        "Gift card",
        "$24.99",
        "$30.00",
        "Shirts &amp; more",
        "Archived",
        "Hand-made",
    ):
        assert shown in page
    assert "/webflow/files/" in page
    archived = shop.send("GET", "/shop?show=archived").text
    assert "Gift card" in archived
    assert "/shop/products/tee" not in archived
    assert "/shop/products/tee" in shop.send("GET", "/shop?category=shirts&q=TEE").text
    assert "Nothing here yet" in shop.send("GET", "/shop?q=nothing").text


def test_the_shop_page_is_paged(shop: Shop) -> None:
    for number in range(50):
        shop.create_product(f"p-{number}")
    assert "Page 1 of 2" in shop.send("GET", "/shop").text
    second = shop.send("GET", "/shop?page=2").text
    assert second.count('class="card') == 5
    assert "Page 2 of 2" in shop.send("GET", "/shop?page=99").text


def test_the_product_page_shows_variants_and_runs_nothing_of_a_description(shop: Shop) -> None:
    shop.create_product(
        sku={"sku": "TEE-<1>"},
        brand="<script>alert(1)</script>",
        description='<p onclick="x()">Soft <b>cotton</b><script>alert(2)</script><a href="javascript:x()">link</a>',
        **{"sku-properties": [option("Color", "Red", "Blue")]},
    )
    answer = shop.send("GET", "/shop/products/tee")
    assert "<p>Soft <strong>cotton</strong><a>link</a></p>" in answer.text
    assert "TEE-&lt;1&gt;" in answer.text
    for bad in ("<script", "onclick", "javascript:"):
        assert bad not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert shop.send("GET", "/shop/products/none").status_code == 404


def test_another_site_has_another_shop_page(shop: Shop) -> None:
    assert shop.send("GET", "/shop?account=outlet").status_code == 404
    shop.token = "sandbox-token-outlet"
    shop.get("/sites")
    assert "Outlet Shop" in shop.send("GET", "/shop?account=outlet").text
    assert "Outlet Shop" in shop.send("GET", "/shop/products/gift-card?account=outlet").text
