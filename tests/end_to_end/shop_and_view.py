"""What the shop shows against what the view says, and pictures of both to compare two runs by."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from karvon_command import Karvon

_OF_THE_RUN = frozenset(
    {
        "given_at", "known_at", "field_edit_key", "plan_id", "live_at", "seconds_to_live", "p50_seconds", "p95_seconds",
        "last_live_at",
    }
)  # fmt: skip
"""Columns of marts that say when something ran, not what is."""
_FIELDS_OF_PRODUCTS = {
    "name": "name",
    "is_shippable": "shippable",
    "tax_category": "tax-category",
    "brand": "brand",
    "material": "material",
    "short_description": "short-description",
    "seo_title": "seo-title",
    "seo_description": "seo-description",
    "release_date": "release-date",
    "spec_sheet_url": "spec-sheet-url",
}

Wrong = list[str]


def _sent(url: str | None) -> str | None:
    """Behind # stands the mark of the file's version, which is not sent."""
    return url and url.partition("#")[0]


def ours(products: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Products of the shop that nobody made by hand."""
    return [one for one in products if not one["hand_made"]]


def skus_of(shop: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """SKU code → SKU of all products that we made. Fails when a code is there twice."""
    found = [sku for product in ours(shop["products"]) for sku in product["skus"]]
    codes = [sku["fields"]["sku"] for sku in found]
    assert len(codes) == len(set(codes)), f"SKUs that are there twice: {sorted(codes)}"
    return dict(zip(codes, found, strict=True))


def products_by_sku(shop: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Our products by their SKU in Plytix, as the sandbox names them: `AP-00001` has `AP-00001-5-L`."""
    return {
        "-".join(product["skus"][0]["fields"]["sku"].split("-")[:2]): product
        for product in ours(shop["products"])
    }


def differences(karvon: Karvon) -> Wrong:
    """Where the shop differs from the activation models, in words.

    Rows held back are not looked at, nor which SKU is the default: the shop decides that once, on creation.
    """
    shop = karvon.sandbox.shop()
    view = {
        name: karvon.rows(f"SELECT * FROM activation.webflow__{name}")
        for name in ("categories", "products", "skus")
    }
    wrong = _different_categories(shop, view["categories"])
    products = {one["product_key"]: one for one in view["products"]}
    slugs = {one["category_key"]: one["slug"] for one in view["categories"]}
    at_home = {sku["fields"]["sku"]: product for product in ours(shop["products"]) for sku in product["skus"]}
    there = skus_of(shop)
    for row in view["skus"]:
        if row["hold_reasons"] is None:
            code = row["sku_code"]
            if code not in there:
                wrong.append(f"{code} is missing")
                continue
            wrong += [f"{code}: {one}" for one in _different_sku(row, there[code])]
            product = products[row["product_key"]]
            wrong += [
                f"product of {code}: {one}" for one in _different_product(product, at_home[code], slugs)
            ]
    wrong += _different_items(karvon, shop)
    known = {row["sku_code"] for row in view["skus"]}
    wrong += [
        f"{code} is sold although the view does not have it"
        for code, sku in there.items()
        if code not in known and not sku["is_archived"] and not at_home[code]["is_archived"]
    ]
    return wrong


def _different_categories(shop: Mapping[str, Any], view: list[dict[str, Any]]) -> Wrong:
    there = {(one["fields"]["name"], one["fields"]["slug"]) for one in shop["category"]}
    return [
        f"category {row['slug']} is missing or has another name"
        for row in view
        if row["hold_reasons"] is None and (row["name"], row["slug"]) not in there
    ]


_ITEMS = {
    "brands": "SELECT 'brands' AS collection, slug, name, product_count AS number, NULL AS reference "
    "FROM activation.webflow__brands WHERE hold_reasons IS NULL",
    "spec_sheets": "SELECT sheets.collection, sheets.slug, sheets.name, NULL AS number, brands.slug AS reference "
    "FROM activation.webflow__spec_sheets AS sheets LEFT JOIN activation.webflow__brands AS brands "
    "ON sheets.brand_key = brands.brand_key WHERE sheets.hold_reasons IS NULL",
    "looks": "SELECT 'looks' AS collection, slug, name, piece_count AS number, slug AS reference "
    "FROM activation.webflow__looks",
}


def _different_items(karvon: Karvon, shop: Mapping[str, Any]) -> Wrong:
    """Brands, spec sheets and looks: each row is an item in its collection, and nothing else is shown there."""
    wanted = {
        (row["collection"], row["slug"], row["name"], row["number"], row["reference"])
        for query in _ITEMS.values()
        for row in karvon.rows(query)
    }
    there = set()
    for collection, number, reference in (
        ("brands", "product-count", ""), ("looks", "piece-count", "product"),
        *((f"spec-sheets-{family}", "", "brand") for family in ("apparel", "footwear", "tools")),
    ):  # fmt: skip
        for item in shop[collection]:
            fields = item["fields"]
            if not item["is_archived"]:
                there.add(
                    (collection, fields["slug"], fields["name"], fields.get(number), fields.get(reference))
                )
    held = {
        (row["collection"], row["slug"])
        for row in karvon.rows("SELECT * FROM activation.webflow__spec_sheets WHERE hold_reasons IS NOT NULL")
    }
    missing = [
        f"{one[0]}: {one[1]} is missing or different: {one}" for one in sorted(wanted - there, key=str)
    ]
    # A brand keeps its item when its last product leaves.
    known = {(one[0], one[1]) for one in wanted} | held
    left = [one for one in sorted(there, key=str) if one[0] != "brands" and (one[0], one[1]) not in known]
    return missing + [f"{one[0]}: {one[1]} is there although the view does not have it" for one in left]


def _different_product(row: Mapping[str, Any], product: Mapping[str, Any], slugs: Mapping[str, str]) -> Wrong:
    fields = product["fields"]
    pairs = {theirs: (row[name], fields.get(theirs)) for name, theirs in _FIELDS_OF_PRODUCTS.items()}
    pairs["description"] = row["description"], re.sub(' id=""', "", fields.get("description") or "") or None
    pairs["categories"] = [slugs[key] for key in json.loads(row["category_keys"])], product["categories"]
    pairs["options"] = json.loads(row["sku_properties"]), product["options"]
    pairs["is_archived"] = False, product["is_archived"]
    pairs["is_draft"] = False, product["is_draft"]
    return _unequal(pairs)


def _different_sku(row: Mapping[str, Any], sku: Mapping[str, Any]) -> Wrong:
    fields = sku["fields"]
    pairs = {
        "name": (row["name"], fields["name"]),
        "price": (row["price_minor"], fields["price"]["value"]),
        "currency": (row["currency"], fields["price"]["unit"]),
        "compare-at-price": (row["compare_at_price_minor"], (fields.get("compare-at-price") or {}).get("value")),
        "main-image": (_sent(row["main_image_url"]), (fields.get("main-image") or {}).get("source")),
        "alt": (row["main_image_alt"], (fields.get("main-image") or {}).get("alt")),
        "more-images": (
            [_sent(url) for url in json.loads(row["more_image_urls"])],
            [image["source"] for image in fields.get("more-images") or []],
        ),
        "options": (json.loads(row["sku_values"]), sku["options"]),
        "weight": (row["weight_grams"], fields.get("weight")),
        "is_archived": (False, sku["is_archived"]),
    }  # fmt: skip
    if row["stock_quantity"] is not None:
        pairs["stock"] = row["stock_quantity"], sku["inventory"]["quantity"]
    return _unequal(pairs)


def _unequal(pairs: Mapping[str, tuple[Any, Any]]) -> Wrong:
    return [
        f"{name} is {there!r}, not {wanted!r}" for name, (wanted, there) in pairs.items() if wanted != there
    ]


def marts(karvon: Karvon) -> dict[str, list[str]]:
    """Every row of every mart and activation model but those about runs, as text and sorted."""
    shown: dict[str, list[str]] = {}
    with karvon.warehouse.session() as session:
        tables = session.rows(
            "SELECT table_schema AS schema, table_name AS name FROM information_schema.tables "
            "WHERE table_schema IN ('marts', 'activation') AND table_name NOT LIKE 'sync%' ORDER BY 1, 2"
        )
        for table in tables:
            rows = session.rows(f"SELECT * FROM {table['schema']}.{table['name']}")
            shown[f"{table['schema']}.{table['name']}"] = sorted(
                json.dumps(
                    {k: v for k, v in row.items() if k not in _OF_THE_RUN}, default=str, sort_keys=True
                )
                for row in rows
            )
    return shown


def different_rows(here: Mapping[str, list[str]], there: Mapping[str, list[str]]) -> dict[str, set[str]]:
    """Table → its rows that only one of two pictures of the marts has."""
    return {
        table: set(here.get(table, ())) ^ set(there.get(table, ()))
        for table in here.keys() | there.keys()
        if here.get(table) != there.get(table)
    }


def changed_items(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, set[str]]:
    """What differs between two pictures of a shop: SKU code or product slug → names of its fields."""
    found: dict[str, set[str]] = {}
    for read in (_flat_products, _flat_skus):
        was, is_now = read(before), read(after)
        for name in was.keys() | is_now.keys():
            one, other = was.get(name, {}), is_now.get(name, {})
            different = {field for field in one.keys() | other.keys() if one.get(field) != other.get(field)}
            if different:
                found[name] = different if one and other else {"new" if other else "gone"}
    return found


def _flat_products(shop: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        product["fields"]["slug"]: {
            **product["fields"],
            **{name: product[name] for name in ("is_archived", "is_draft", "options", "categories")},
        }
        for product in shop["products"]
    }


def _flat_skus(shop: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        code: {
            **sku["fields"],
            "options": sku["options"],
            "stock": sku["inventory"]["quantity"],
            "is_archived": sku["is_archived"],
        }
        for code, sku in skus_of(shop).items()
    }
