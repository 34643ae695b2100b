"""CMS collections of the stand-in: field types and their rules, bulk, locales, publishing (Webflow dossier §2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from webflow_shop import Shop, why


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def make(shop: Shop, slug: str, **fields: Any) -> str:
    """A collection; a field is its type, or its type and validations. Returns its path."""
    given = {
        name: dict(
            zip(("type", "validations"), kind if isinstance(kind, tuple) else (kind, None), strict=True)
        )
        for name, kind in fields.items()
    }
    made = shop.control("POST", "webflow/collection", {"slug": slug, "fields": given})
    shop.collections[slug] = f"/collections/{made['id']}"
    return f"{shop.collections[slug]}/items"


def item(slug: str, **fields: Any) -> dict[str, Any]:
    return {"fieldData": {"name": slug.title(), "slug": slug, **fields}}


def test_a_new_site_has_collections_for_brands_spec_sheets_and_looks(shop: Shop) -> None:
    assert {"brands", "looks", "spec-sheets-apparel", "spec-sheets-footwear", "spec-sheets-tools"} <= set(
        shop.collections
    )
    fields = {one["slug"]: one for one in shop.get(shop.collections["looks"]).json()["fields"]}
    brands = shop.collections["brands"].rsplit("/", 1)[1]
    assert fields["brand"]["validations"] == {"collectionId": brands}
    assert fields["product"]["isEditable"]


def test_collections_are_made_with_every_type_and_no_other(shop: Shop) -> None:
    make(shop, "all", **{kind.lower(): kind for kind in (
        "Color", "DateTime", "Email", "ExtFileRef", "File", "Image", "Link", "MultiImage", "Number", "Phone",
        "PlainText", "RichText", "Switch", "VideoLink",
    )},
        option=("Option", ["A"]), reference=("Reference", ">brands"), references=("MultiReference", ">all"),
    )  # fmt: skip
    types = {one["type"] for one in shop.get(shop.collections["all"]).json()["fields"]}
    assert len(types) == 17
    answer = shop.send(
        "POST", "/_control/webflow/collection", json={"slug": "x", "fields": {"a": {"type": "Money"}}}
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "no field type of Webflow: Money")
    again = shop.send("POST", "/_control/webflow/collection", json={"slug": "all"})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (("PlainText", {"minLength": 3}), "ab", "too short"),
        (("RichText", {"maxLength": 5}), "<p>abc</p>", "too long"),
        (("Number", {"allowZero": False}), 0, "zero"),
        (("Number", {"minValue": 1, "maxValue": 5}), 6, "out of range"),
        (("Option", ["Small"]), "Small", "id of an option"),
        (("Reference", ">brands"), "0" * 24, "Referenced item not found"),
        (
            ("Image", {"acceptedExtensions": [".png"]}),
            {"url": "https://x.example/a.jpg"},
            "Unsupported file type",
        ),
        (("ExtFileRef", None), "https://x.example/a.pdf", "'url' field"),
    ],
)
def test_a_field_refuses_what_does_not_fit(shop: Shop, kind: Any, value: Any, reason: str) -> None:
    path = make(shop, "things", value=kind)
    assert reason in why(shop.post(path, item("a", value=value), skipInvalidFiles="false"))["value"]


def test_one_bad_item_refuses_the_whole_call_and_the_answer_does_not_say_which(shop: Shop) -> None:
    path = make(shop, "things", rank="Number")
    many = [item(f"i{number}", rank=number) for number in range(99)]
    refused = shop.post(path, {"items": [*many, item("bad", rank="x")]}, official=False)
    assert why(refused) == {"rank": "Expected value to be a number"}
    assert shop.get(path).json()["pagination"]["total"] == 0
    assert len(shop.post(path, {"items": many}).json()["items"]) == 99
    assert "items" in why(shop.post(path, {"items": [item(f"x{n}") for n in range(101)]}))


def test_an_item_in_several_locales_is_one_item_with_its_own_words_and_state(shop: Shop) -> None:
    path = make(shop, "stories", text="PlainText")
    locales = shop.control("POST", "webflow/locales", {"secondary": ["fr"]})
    primary, french = locales["primary"]["cmsLocaleId"], locales["secondary"][0]["cmsLocaleId"]
    assert shop.get(shop.site).json()["locales"]["secondary"][0]["tag"] == "fr"
    body = {"cmsLocaleIds": [primary, french], "isDraft": False, **item("a", text="Once")}
    made = shop.post(f"{path}/bulk", body).json()["items"]
    assert {one["cmsLocaleId"] for one in made} == {primary, french}
    [item_id] = {one["id"] for one in made}
    change = {"items": [{"id": item_id, "cmsLocaleId": french, "fieldData": {"text": "Jadis"}}]}
    assert shop.patch(path, change).json()["items"][0]["fieldData"]["text"] == "Jadis"
    assert [one["fieldData"]["text"] for one in shop.get(path).json()["items"]] == ["Once"]
    both = shop.get(path, cmsLocaleId=f"{primary},{french}").json()
    assert both["pagination"]["total"] == 2
    shop.post(f"{path}/publish", {"items": [{"id": item_id, "cmsLocaleIds": [french]}]}, official=False)
    assert shop.get(f"{path}/live").json()["items"] == []
    assert len(shop.get(f"{path}/live", cmsLocaleId=french).json()["items"]) == 1
    gone = shop.call("DELETE", path, {"items": [{"id": item_id, "cmsLocaleIds": [primary]}]})
    assert gone.status_code == 204
    assert shop.get(path, cmsLocaleId=french).json()["pagination"]["total"] == 1


@pytest.mark.parametrize(("choice", "status"), [("accept", 200), ("refuse", 404)])
def test_an_update_for_a_locale_that_the_item_is_not_in(shop: Shop, choice: str, status: int) -> None:
    path = make(shop, "stories", text="PlainText")
    french = shop.control("POST", "webflow/locales", {"secondary": ["fr"]})["secondary"][0]["cmsLocaleId"]
    item_id = shop.post(path, item("a", text="Once")).json()["id"]
    shop.switch(update_in_new_locale=choice)
    change = {"items": [{"id": item_id, "cmsLocaleId": french, "fieldData": {"text": "Jadis"}}]}
    assert shop.patch(path, change).status_code == status


def test_publishing_can_have_a_cap(shop: Shop) -> None:
    path = make(shop, "things")
    ids = [shop.post(path, item(f"i{number}")).json()["id"] for number in range(3)]
    shop.switch(max_items_per_publish=2)
    assert "itemIds" in why(shop.post(f"{path}/publish", {"itemIds": ids}))


def test_the_shop_shows_collections_with_names_for_ids(shop: Shop) -> None:
    brand = shop.create_item("brands", name="Acme", slug="acme").json()["id"]
    made = {"collection": "looks", "fieldData": {"name": "A look", "slug": "a-look", "brand": brand}}
    shop.control("POST", "webflow/item", made)
    page = shop.send("GET", "/shop/collections/looks")
    assert page.status_code == 200
    assert "A look" in page.text
    assert "Acme" in page.text
    assert "Hand-made" in page.text
    assert "/shop/collections/looks" in shop.send("GET", "/shop").text
    assert shop.send("GET", "/shop/collections/sku").status_code == 404
    shown = shop.send("GET", "/_control/webflow/shop?ids=false").json()["looks"]
    assert shown[0]["fields"]["brand"] == "acme"
