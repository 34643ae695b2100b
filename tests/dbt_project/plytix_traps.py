"""A small catalogue in which every product is one trap of the Plytix dossier (§5.1, §6.1, §7 to §11)."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
Documents = dict[str, dict[str, Document]]

READY = {
    "show_on_web": True,
    "web_completeness": 100,
    "price": 19.9,
    "main_image": ["img1"],
    "web_description": "<p>Good</p>",
}


def product(key: str, title: str | None = None, /, *, sku: str | None = None, **fields: Any) -> Document:
    """A ready single product in v2 shape; `attributes` adds to or (with None) takes from the ready ones."""
    attributes = READY | {"web_title": title or f"Product {key}"} | fields.pop("attributes", {})
    return {
        "id": key,
        "sku": sku or key.upper(),
        "label": f"label {key}",
        "status": "Completed",
        "created": "2025-01-27T19:14:04.015000",
        "modified": "2025-01-27T19:14:04.017000",
        "num_variations": 0,
        "categories": [],
        "assets": [],
        "relationships": [],
        "attributes": {name: value for name, value in attributes.items() if value is not None},
    } | fields


def variant(key: str, parent: str, /, **fields: Any) -> Document:
    """A variant carries its own price and image; title, flag and completeness are the parent's."""
    own = {"web_title": None, "show_on_web": None, "web_completeness": None, "web_description": None}
    attributes = own | fields.pop("attributes", {})
    return product(key, parent_id=parent, attributes=attributes, **fields)


def parent(key: str, title: str, /, **fields: Any) -> Document:
    return product(key, title, **({"num_variations": 3} | fields))


def asset(key: str, url: str | None = None, **fields: Any) -> Document:
    return {
        "id": key,
        "filename": f"{key}.png",
        "extension": "png",
        "content_type": "image/png",
        "file_type": "IMAGES",
        "file_size": 1234,
        "url": url or f"https://files.example/{key}.png",
        "public": True,
        "status": "ACTIVE",
        "created": "2025-01-01T10:00:00+00:00",
        "modified": "2025-01-01T12:00:00.250000+02:00",
        "file_modified": "2025-01-01T10:00:00",
    } | fields


def category(key: str, name: str, parents: list[str], path: list[str], order: str) -> Document:
    return {
        "id": key,
        "name": name,
        "slug": name.lower(),
        "path": path,
        "parents_ids": parents,
        "order": order,
    }


def attribute(label: str, kind: str, **fields: Any) -> Document:
    return {
        "id": f"a_{label}",
        "label": label,
        "name": label.title(),
        "type_class": f"{kind}Attribute",
    } | fields


def apparel() -> list[Document]:
    """A parent with five variants: two good, a twin, one without a size, one archived."""
    return [
        parent(
            "shirt", "Oxford shirt", attributes={"gallery": [{"id": "img2"}, {"id": "pdf"}, {"id": "img3"}]}
        ),
        variant("shirt_blue_m", "shirt", attributes={"color": "Blue", "size": "M", "stock": 5}),
        variant("shirt_red_l", "shirt", attributes={"color": "Red", "size": "L", "price": None}),
        variant("shirt_red_m", "shirt", attributes={"color": "Red", "size": "M", "compare_at_price": 30}),
        variant(
            "shirt_twin", "shirt", created="2026-01-01T00:00:00", attributes={"color": "Red", "size": "M"}
        ),
        variant("shirt_odd", "shirt", attributes={"color": "Red"}),
        variant("shirt_old", "shirt", status="Archived", attributes={"color": "Green", "size": "M"}),
    ]


def footwear() -> list[Document]:
    """Three levels: the colour sits on the middle one and is not repeated below it."""
    return [
        parent("boot", "Boot"),
        variant(
            "boot_black", "boot", num_variations=2, attributes={"color": "Black", "main_image": ["img3"]}
        ),
        variant("boot_black_42", "boot_black", attributes={"shoe_size": "42", "main_image": None}),
        variant("boot_black_41", "boot_black", attributes={"shoe_size": "41", "main_image": None}),
    ]


def defaults() -> list[Document]:
    return [
        parent("two_defaults", "Two defaults"),
        variant("default_1", "two_defaults", attributes={"color": "Red", "is_default": True}),
        variant("default_2", "two_defaults", attributes={"color": "Blue", "is_default": "true"}),
        variant("default_3", "two_defaults", attributes={"color": "Black"}),
    ]


def singles() -> list[Document]:
    related = [{"product_id": "shirt", "quantity": 1}, {"product_id": "gone", "quantity": 1}]
    return [
        product(
            "kettle", "Kettle",
            sku="KET-1", categories=["cat_kitchen", "cat_sale"], thumbnail=["img3"],
            relationships=[{"relationship_id": "rel", "label": "related_products", "related_products": related}],
            attributes={
                "main_image": ["spaces"], "gallery": ["img2", "spaces", "img3"], "spec_sheet": ["pdf"], "stock": -3,
                "compare_at_price": 10, "weight_g": 1250.5, "release_date": "2015-03-28T00:00:00",
                "material": ["Steel", "Beech"], "tax_category": "standard-taxable",
                "web_description": '<p onclick="x()">Hot</p><script>alert(1)</script><a href="javascript:x()">a</a>',
            },
        ),
        # v1 shapes: offsets, strings for numbers, whole objects for ids.
        product(
            "v1_shapes", "Old shapes",
            created="2019-01-28T12:20:57.437000+00:00", modified="2019-01-28T14:20:57+02:00",
            categories=[{"id": "cat_sale", "name": "Sale", "path": ["Sale"]}], thumbnail={"id": "img2", "thumb": "x"},
            attributes={
                "price": "19.90", "stock": "26", "weight_g": "", "main_image": {"id": "img1", "filename": "x"},
                "release_date": "2018-12-31", "web_completeness": "100.0",
            },
        ),
        product("dup_case", "Kettle lower", sku="ket-1", created="2025-06-01T00:00:00"),
        product("dup_title", "Kettle", sku="KET-2"),
        product("cyrillic", "Чайник «Ўзбек Єва» Љубав"),
        product("signs", "!!!"),
        product("draft", status="Draft"),
        product("archived", status="Archived"),
        product("flag_off", attributes={"show_on_web": False}),
        product("flag_odd", attributes={"show_on_web": "maybe"}),
        product("comma", attributes={"price": "12,50"}),
        product("incomplete", attributes={"web_completeness": 75, "price": None, "main_image": None}),
        product("no_price", attributes={"price": None}),
        product("long_name", "x" * 300),
        product("odd_tax", attributes={"tax_category": "НДС 12%"}),
        product("pdf_image", attributes={"main_image": ["pdf"]}),
        product("lost_image", attributes={"main_image": ["nowhere"]}),
        product("orphan", parent_id="vanished"),
        product("barren", num_variations=4),
        product("marked", mark_as_deleted=True),
        product("bare", attributes={}) | {"attributes": []},
    ]  # fmt: skip


def plytix() -> Documents:
    """Documents of raw_plytix by resource and key."""
    families = [{"id": "f1", "name": "Apparel"}, {"id": "f2", "name": "Footwear"}]
    details = {
        "shirt": {
            "product_family_id": "f1",
            "product_type": "PARENT",
            "product_level": 1,
            "overwritten_attributes": [],
        },
        "boot": {
            "product_family_id": "f2",
            "product_type": "PARENT",
            "product_level": 1,
            "overwritten_attributes": [],
        },
    }
    attributes = [
        attribute("color", "Dropdown", options=["Black", "Blue", "Red"]),
        attribute("size", "Dropdown", options=["S", "M", "L"]),
        attribute("shoe_size", "Dropdown", options=["41", "42"]),
        attribute("price", "Decimal"),
        attribute(
            "web_completeness", "Completeness",
            attributes=[{"label": label} for label in ("web_title", "price", "main_image", "web_description")],
        ),
    ]  # fmt: skip
    levels = [{"label": "color", "name": "Color", "attribute_level": "no_level"}]
    return {
        "products": {row["id"]: row for row in [*singles(), *apparel(), *footwear(), *defaults()]},
        "product_details": details,
        "attributes": {row["id"]: row for row in attributes},
        "attribute_groups": {
            "g2": {"id": "g2", "name": "Second", "order": 2, "attribute_labels": ["price", "color"]},
            "g1": {"id": "g1", "name": "First", "order": 1, "attribute_labels": ["size", "color"]},
        },
        "families": {row["id"]: row for row in families},
        "family_attributes": {"f1": {"family_id": "f1", "attributes": levels}},
        "categories": {
            "cat_home": category("cat_home", "Home", [], ["Home"], "1"),
            "cat_kitchen": category("cat_kitchen", "Kitchen", ["cat_home"], ["Home", "Kitchen"], "1"),
            "cat_sale": category("cat_sale", "Sale", [], ["Sale"], "0"),
        },
        "relationships": {
            "rel": {"id": "rel", "label": "related_products", "name": "Related", "symmetrical": False}
        },
        "assets": {
            **{key: asset(key) for key in ("img1", "img2", "img3")},
            "spaces": asset("spaces", "https://files.example/Kettle handle - Белая%20(1).png"),
            "pdf": asset("pdf", extension="pdf", content_type="application/pdf", file_type="TEXTS"),
        },
    }


def webflow() -> Documents:
    """Documents of raw_webflow by resource and key."""
    sku = {
        "id": "s1",
        "fieldData": {"name": "Old", "slug": "old", "sku": "OLD", "price": {"value": 2499.0, "unit": "USD"}},
    }
    field = {"id": "x", "slug": "name", "displayName": "Name", "type": "PlainText", "isRequired": True}
    return {
        "sites": {
            "site": {"id": "site", "displayName": "Shop", "shortName": "shop", "defaultCurrency": "USD"}
        },
        "collections": {"c1": {"id": "c1", "displayName": "Products", "slug": "product", "fields": [field]}},
        "products": {
            "w1": {"product": {"id": "w1", "fieldData": {"name": "Old", "slug": "old"}}, "skus": [sku]}
        },
        "categories": {"wc1": {"id": "wc1", "isDraft": False, "fieldData": {"name": "Sale", "slug": "sale"}}},
        "inventory": {"s1": {"id": "s1", "quantity": 3, "inventoryType": "finite"}},
    }
