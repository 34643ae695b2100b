"""A catalogue as activation rows, and as the documents that the shop would show of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from reverse_etl.spec.syncs import FieldSpec, Sync
from reverse_etl.spec.values import wanted

Row = dict[str, Any]
SIZES = ("S", "M", "L")
CATEGORIES = 10
PATTERN = 1_000
"""Products after which descriptions, pictures and prices repeat."""
_ROUND = re.compile(r"\d{4}x")


def rounded(number: int, length: int = PATTERN) -> str:
    """A number as the round in which it repeats the pattern, and its place there: SQL makes more rounds of a first."""
    return f"{number // length:04}x{number % length:0{len(str(length - 1))}}"


def category_row(number: int) -> Row:
    return {"category_key": f"default:c{number}", "name": f"Category {number}", "slug": f"category-{number}"}


def product_row(number: int, sizes: tuple[str, ...] = SIZES) -> Row:
    """Sizes make it a product with options; without any it is a single one."""
    name = rounded(number)
    return {
        "product_key": f"default:p{name}",
        "name": f"Linen shirt {name}",
        "slug": f"linen-shirt-{name}",
        "description": f"<p>Shirt {number % PATTERN}. {'Woven from plain warm cotton. ' * 20}</p>",
        "is_shippable": True,
        "tax_category": "standard-taxable",
        "category_keys": json.dumps([f"default:c{number % CATEGORIES}"]),
        "sku_properties": json.dumps([{"name": "Size", "values": list(sizes)}] if sizes else []),
        "brand": "Acme",
        "material": "Cotton, linen",
        "short_description": "A shirt for every day.",
        "seo_title": f"Buy shirt {name}",
        "seo_description": "Shirts of linen and cotton, sent the same day.",
        "is_archived": False,
    }


def sku_rows(number: int, sizes: tuple[str, ...] = SIZES, *, stock: bool = True) -> list[Row]:
    """One SKU per size of the product, or the only one."""
    return [_sku_row(number, place, size, stock) for place, size in enumerate(sizes or ("",))]


def _sku_row(number: int, place: int, size: str, stock: bool) -> Row:
    sku, name, picture = number * len(SIZES) + place, rounded(number), number % PATTERN
    return {
        "sku_key": f"default:p{name}-{size}",
        "product_key": f"default:p{name}",
        "is_default": place == 0,
        "position": place + 1,
        "name": f"Linen shirt {name} {size}".strip(),
        "slug": f"linen-shirt-{name}-{size.lower()}".rstrip("-"),
        "sku_code": f"SKU-{rounded(sku, PATTERN * len(SIZES))}",
        "price_minor": 1000 + sku % (PATTERN * len(SIZES)),
        "currency": "USD",
        "main_image_url": f"https://images.example.com/{picture}/{place}/main.jpg",
        "main_image_alt": f"Shirt {name}, {size}",
        "more_image_urls": json.dumps(
            [f"https://images.example.com/{picture}/{place}/{view}.jpg" for view in range(3)]
        ),
        "sku_values": json.dumps({"Size": size} if size else {}),
        "stock_quantity": sku % 90 if stock else None,
        "weight_grams": 250.0,
    }


def remote_id(key: str) -> str:
    """The id under which the shop knows a row: 24 signs, as Webflow's. The round, if any, stays readable in it."""
    found = _ROUND.search(key)
    hashed = hashlib.md5(_ROUND.sub("", key).encode(), usedforsecurity=False).hexdigest()
    return f"{hashed[:19]}{found[0]}" if found else hashed[:24]


def item(sync: Sync, row: Row) -> dict[str, Any]:
    """The item that the shop shows for a row."""
    complete = {**dict.fromkeys(sync.columns), **row}
    shown = {
        spec.field: _shown(spec, value)
        for spec in sync.plain_fields
        if (value := wanted(spec, complete)) is not None
    }
    return {
        "id": remote_id(row[sync.key]),
        "isArchived": False,
        "isDraft": False,
        "lastUpdated": "2026-06-01T08:00:00.000Z",
        "fieldData": shown,
    }


def product_document(product: Mapping[str, Any], skus: list[dict[str, Any]]) -> dict[str, Any]:
    """A product as Webflow's product list has it."""
    data = {**product["fieldData"], "default-sku": skus[0]["id"]}
    return {"product": {**product, "fieldData": data}, "skus": skus}


def _shown(spec: FieldSpec, value: Any) -> Any:
    match spec.as_:
        case "references":
            return [remote_id(key) for key in value]
        case "sku_properties":
            return [
                {"id": one["name"], "name": one["name"],
                 "enum": [{"id": name, "name": name, "slug": name.lower()} for name in one["values"]]}
                for one in value
            ]  # fmt: skip
        case "image":
            return {"fileId": remote_id(value["url"]), **value}
        case "images":
            return [{"fileId": remote_id(one["url"]), **one} for one in value]
        case _:
            return value
