"""Records of the store out of Webflow's documents: categories, products, SKUs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reverse_etl.destinations.webflow.fields import decode, is_staged, states_of, unseen
from reverse_etl.spec.states import DEFAULT_CHILD
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Record


def category_record(sync: Sync, item: Mapping[str, Any]) -> Record:
    """A category out of its item."""
    archived = bool(item.get("isArchived"))
    return Record(
        item["id"], None, decode(sync, item, ()), archived=archived, extras={"archived": archived},
        states=states_of(item), unseen=unseen(item), is_staged=is_staged(item),
    )  # fmt: skip


def product_record(sync: Sync, product: Mapping[str, Any], skus: Sequence[Mapping[str, Any]]) -> Record:
    """A product, with the ids of its options, which belong to it alone (dossier §1.2)."""
    extras = {
        "sku_properties": (product.get("fieldData") or {}).get("sku-properties") or [],
        DEFAULT_CHILD: default_sku(product, skus),
        "archived": bool(product.get("isArchived")),
    }
    return Record(
        product["id"], None, decode(sync, product, ()), archived=bool(product.get("isArchived")), extras=extras,
        states=states_of(product), unseen=unseen(product), is_staged=is_staged(product),
    )  # fmt: skip


def sku_record(sync: Sync, sku: Mapping[str, Any], product: Mapping[str, Any]) -> Record:
    """A SKU; its option values are named through its product."""
    about = product.get("fieldData") or {}
    hidden = unseen(product)
    return Record(
        sku["id"], product["id"], decode(sync, sku, about.get("sku-properties") or []),
        unseen=f"its product: {hidden}" if hidden else None, is_staged=is_staged(product) or is_staged(sku),
    )  # fmt: skip


def default_sku(product: Mapping[str, Any], skus: Sequence[Mapping[str, Any]]) -> str | None:
    """The default SKU's id: the one that the product names, or its first."""
    stated = (product.get("fieldData") or {}).get("default-sku")
    return stated or (skus[0]["id"] if skus else None)
