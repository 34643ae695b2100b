"""What became of a write whose answer never came, and which answered record belongs to which row.

A create is looked up by slug and proven by the SKU code (Webflow dossier §5): only then it is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from karvon.http import NotFound
from reverse_etl.destinations.webflow import stock
from reverse_etl.destinations.webflow.client import JsonObject, WebflowClient
from reverse_etl.destinations.webflow.cms_lookup import UNNAMED, made, slug_note
from reverse_etl.destinations.webflow.records import category_record, product_record, sku_record
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Known, Outcome
from reverse_etl.state.operations import Operation


async def find(
    client: WebflowClient, syncs: Mapping[str, Sync], call: Sequence[Operation], known: Known
) -> list[Outcome]:
    """Outcomes of a call of unknown outcome. Raises from the `RemoteError` tree."""
    first = call[0]
    if first.is_stock:
        return [await stock.find(client, one) for one in call]
    if first.action != "create":
        # Sending it again does no harm.
        return [Outcome(one, "absent") for one in call]
    if first.resource == "categories":
        there = await made(client, client.collection("category"), call)
        return [
            _category_done(syncs, one, there[one.seq]) if one.seq in there else Outcome(one, "absent")
            for one in call
        ]
    if first.resource == "products":
        return await _find_product(client, syncs, call)
    return await _find_skus(client, syncs, call, known)


def created(syncs: Mapping[str, Sync], call: Sequence[Operation], answer: JsonObject) -> list[Outcome]:
    """Outcomes of a product and its default SKU from the document that the API answered."""
    product, sku = call
    record = product_record(syncs[product.sync], answer["product"], answer["skus"])
    default = [one for one in answer["skus"] if one["id"] == record.extras["default_sku"]] or answer["skus"]
    return [
        Outcome(product, "done", record=record, note=slug_note(product, record.values)),
        sku_outcome(syncs, sku, default, answer["product"], 0),
    ]


def sku_outcome(
    syncs: Mapping[str, Sync],
    operation: Operation,
    answered: Sequence[JsonObject],
    product: JsonObject,
    place: int,
) -> Outcome:
    """The outcome of one created SKU: found by its code, its slug, or its place in the answer."""
    data = operation.payload["fieldData"]
    for name in ("sku", "slug"):
        same = [one for one in answered if data.get(name) and one["fieldData"].get(name) == data[name]]
        if len(same) == 1:
            return _sku_done(syncs, operation, same[0], product)
    if place < len(answered):
        return _sku_done(syncs, operation, answered[place], product)
    return Outcome(operation, "unknown", error="the answer does not name this SKU")


def categories(
    syncs: Mapping[str, Sync], call: Sequence[Operation], answered: Mapping[int, JsonObject]
) -> list[Outcome]:
    """Outcomes of categories from their items, by the operation's number."""
    return [
        _category_done(syncs, one, answered[one.seq])
        if one.seq in answered
        else Outcome(one, "unknown", error=UNNAMED)
        for one in call
    ]


def _sku_done(
    syncs: Mapping[str, Sync], operation: Operation, sku: JsonObject, product: JsonObject
) -> Outcome:
    record = sku_record(syncs[operation.sync], sku, product)
    return Outcome(operation, "done", record=record, note=slug_note(operation, record.values))


def _category_done(syncs: Mapping[str, Sync], operation: Operation, item: JsonObject) -> Outcome:
    record = category_record(syncs[operation.sync], item)
    return Outcome(operation, "done", record=record, note=slug_note(operation, record.values))


async def _find_product(
    client: WebflowClient, syncs: Mapping[str, Sync], call: Sequence[Operation]
) -> list[Outcome]:
    product, sku = call
    wanted = sku.payload["fieldData"]
    for item in await client.items_with_slug("product", product.payload["fieldData"]["slug"]):
        document = await client.product(item["id"])
        mine = [one for one in document["skus"] if _is_ours(one, wanted)]
        if mine:
            return created(syncs, call, {"product": document["product"], "skus": mine})
    return [Outcome(one, "absent") for one in call]


async def _find_skus(
    client: WebflowClient, syncs: Mapping[str, Sync], call: Sequence[Operation], known: Known
) -> list[Outcome]:
    parent = known.of(call[0].parent_sync, call[0].parent_key)
    if parent is None:
        return [Outcome(one, "absent") for one in call]
    try:
        document = await client.product(parent.remote_id)
    except NotFound:
        return [Outcome(one, "absent") for one in call]
    found = []
    for one in call:
        same = [sku for sku in document["skus"] if _is_ours(sku, one.payload["fieldData"])]
        found.append(_sku_done(syncs, one, same[0], document["product"]) if same else Outcome(one, "absent"))
    return found


def _is_ours(sku: JsonObject, wanted: Mapping[str, Any]) -> bool:
    name = "sku" if wanted.get("sku") else "slug"
    return bool(sku["fieldData"].get(name) == wanted.get(name))
