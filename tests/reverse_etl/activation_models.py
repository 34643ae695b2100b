"""The three activation models of a store as dbt's manifest tells of them, in small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

# model → column → (type, meta)
MODELS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "webflow__categories": {
        "category_key": ("varchar", {}),
        "name": ("varchar", {"field": "name"}),
        "slug": ("varchar", {"field": "slug", "policy": "create_only"}),
        "hold_reasons": ("varchar", {}),
    },
    "webflow__products": {
        "product_key": ("varchar", {}),
        "name": ("varchar", {"field": "name"}),
        "slug": ("varchar", {"field": "slug", "policy": "create_only"}),
        "description": ("varchar", {"field": "description", "as": "html", "compare": "source_hash"}),
        "is_shippable": ("boolean", {"field": "shippable"}),
        "tax_category": ("varchar", {"field": "tax-category"}),
        "brand": ("varchar", {"field": "brand"}),
        "seo_title": ("varchar", {"field": "seo-title", "policy": "keep"}),
        "seo_description": ("varchar", {"field": "seo-description", "policy": "report"}),
        "category_keys": ("varchar", {"field": "category", "as": "references", "sync": "webflow__categories"}),
        "sku_properties": ("varchar", {"field": "sku-properties", "as": "sku_properties"}),
        "hold_reasons": ("varchar", {}),
    },
    "webflow__skus": {
        "sku_key": ("varchar", {}),
        "product_key": ("varchar", {}),
        "is_default": ("boolean", {}),
        "position": ("integer", {}),
        "name": ("varchar", {"field": "name"}),
        "slug": ("varchar", {"field": "slug", "policy": "create_only"}),
        "sku_code": ("varchar", {"field": "sku"}),
        "price_minor": ("bigint", {"field": "price", "as": "money", "currency": "currency"}),
        "compare_at_price_minor": ("bigint", {"field": "compare-at-price", "as": "money", "currency": "currency"}),
        "currency": ("varchar", {}),
        "main_image_url": (
            "varchar", {"field": "main-image", "as": "image", "alt": "main_image_alt", "compare": "source_hash"},
        ),
        "main_image_alt": ("varchar", {}),
        "more_image_urls": ("varchar", {"field": "more-images", "as": "images", "compare": "source_hash"}),
        "sku_values": ("varchar", {"field": "sku-values", "as": "sku_values"}),
        "weight": ("double", {"field": "weight"}),
        "stock_quantity": ("bigint", {"field": "inventory", "as": "stock"}),
        "hold_reasons": ("varchar", {}),
    },
}  # fmt: skip
SYNCS: dict[str, dict[str, Any]] = {
    "webflow__categories": {"resource": "categories", "key": "category_key", "match": ["slug"]},
    "webflow__products": {"resource": "products", "key": "product_key", "match": ["sku", "slug"]},
    "webflow__skus": {
        "resource": "skus", "key": "sku_key", "match": ["sku", "slug"],
        "parent": {"sync": "webflow__products", "column": "product_key"}, "unstated_stock": "endless",
    },
}  # fmt: skip


def manifest_of(overrides: Mapping[str, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """What dbt writes for the three models; `overrides` change sync settings per model, None leaves one out."""
    nodes = {}
    for name, columns in MODELS.items():
        sync = {
            "destination": "webflow_store", "connection": "default", "mode": "upsert", "on_removal": "archive",
            "publish": "staging", "held": "hold_reasons", **SYNCS[name], **(overrides or {}).get(name, {}),
        }  # fmt: skip
        nodes[f"model.karvon.{name}"] = {
            "resource_type": "model", "name": name, "schema": "activation", "alias": name,
            "original_file_path": f"models/activation/webflow/{name}.sql",
            "patch_path": "karvon://models/activation/webflow/_webflow.yml",
            "config": {"meta": {"sync": {key: value for key, value in sync.items() if value is not None}}},
            "depends_on": {"nodes": ["source.karvon.raw_plytix.products"]},
            "columns": {
                column: {"name": column, "data_type": kind, "config": {"meta": meta}}
                for column, (kind, meta) in columns.items()
            },
        }  # fmt: skip
    sources = {"source.karvon.raw_plytix.products": {"schema": "raw_plytix", "name": "products"}}
    return {"nodes": nodes, "sources": sources}


def arrow_schema(columns: Mapping[str, tuple[str, Any]]) -> pa.Schema:
    kinds = {"varchar": pa.string(), "boolean": pa.bool_(), "bigint": pa.int64(), "integer": pa.int32(),
             "double": pa.float64()}  # fmt: skip
    return pa.schema([(name, kinds[kind]) for name, (kind, _) in columns.items()])
