"""The Webflow mirror: what exists in the shop, read before anything is planned. README.md says what it costs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence

from karvon.connections import WebflowConnection
from pipelines.source import Batch, Context, Document, Resource, Source
from pipelines.sources.side_by_side import side_by_side
from pipelines.sources.webflow import items, products
from pipelines.sources.webflow.changes import read_or_none
from pipelines.sources.webflow.client import WebflowClient
from pipelines.sources.webflow.settings import (
    CATEGORY_SLUGS,
    COLLECTION,
    INVENTORY,
    ITEMS,
    SITE,
    SKU_SLUGS,
    STOCK_READS_PER_RUN,
    STORE_SETTINGS,
)

SHRINK_ADVICE = "check that WEBFLOW_SITE_ID and the token belong to the shop that was loaded before"


async def fetch_sites(context: Context) -> AsyncIterator[Batch]:
    """The site of this connection with the currency of its store."""
    client = WebflowClient.of(context)
    site = await client.site()
    store = await client.get(STORE_SETTINGS.format(site=context.connection.site_id))
    yield Batch([{**site, "defaultCurrency": store.get("defaultCurrency")}])


async def fetch_collections(context: Context) -> AsyncIterator[Batch]:
    """All collections, each with its fields: one request per collection."""
    client = WebflowClient.of(context)
    paths = [COLLECTION.format(collection=listed["id"]) for listed in await client.collections()]
    answers = await side_by_side(read_or_none(client, path) for path in paths)
    yield Batch([document for document in answers if document is not None])


async def fetch_categories(context: Context) -> AsyncIterator[Batch]:
    """All items of the store's Categories collection."""
    client = WebflowClient.of(context)
    collection = await client.store_collection(CATEGORY_SLUGS)
    yield Batch(await client.whole_list(ITEMS.format(collection=collection)))


async def fetch_inventory(context: Context) -> AsyncIterator[Batch]:
    """Stock of the SKUs we manage (`stock_sku_ids`), so many per load in rotation (`stock_reads_per_run`)."""
    managed = sorted(set(context.parameters.get("stock_sku_ids", ())))
    budget = int(context.parameters.get("stock_reads_per_run", STOCK_READS_PER_RUN))
    turn, last = _turn(context.cursor)
    due = _next_in_rotation(managed, last, budget)
    if not due:
        return
    client = WebflowClient.of(context)
    collection = await client.store_collection(SKU_SLUGS)
    paths = (INVENTORY.format(collection=collection, sku=sku) for sku in due)
    answers = dict(zip(due, await side_by_side(read_or_none(client, path) for path in paths), strict=True))
    yield Batch(
        [document for document in answers.values() if document is not None],
        gone=[sku for sku, document in answers.items() if document is None],
        # A number that grows, because only the highest cursor is kept; then where the rotation stands.
        cursor=f"{turn + 1:012d}:{due[-1]}",
    )


def _turn(cursor: str | None) -> tuple[int, str]:
    number, _, last = (cursor or "0:").partition(":")
    return int(number), last


def _next_in_rotation(managed: Sequence[str], last: str, budget: int) -> list[str]:
    begin = bisect_right(managed, last)
    return [*managed[begin:], *managed[:begin]][:budget]


def _product_id(document: Document) -> str:
    return str(document["product"]["id"])


def _id(document: Document) -> str:
    return str(document["id"])


async def probe(connection: WebflowConnection) -> str:
    """The site itself: a site token may not introspect itself (dossier §3)."""
    async with WebflowClient(connection) as client:
        site = await client.get(SITE.format(site=connection.site_id))
    return f"signed in; site {site.get('displayName')}"


SOURCE = Source(
    name="webflow",
    probe=probe,
    connect=WebflowClient,
    resources=(
        # `lastUpdated` of a site or collection moves with every item in it.
        Resource("sites", _id, fetch_sites, noise=("lastUpdated",), sweep=True, shrink_advice=SHRINK_ADVICE),
        Resource(
            "collections",
            _id,
            fetch_collections,
            noise=("lastUpdated",),
            sweep=True,
            shrink_advice=SHRINK_ADVICE,
        ),
        Resource("categories", _id, fetch_categories, sweep=True, shrink_advice=SHRINK_ADVICE),
        Resource(
            "products",
            _product_id,
            products.fetch_products,
            sweep=products.are_whole,
            shrink_advice=SHRINK_ADVICE,
        ),
        Resource(
            "collection_items",
            items.key_of,
            items.fetch_collection_items,
            sweep=items.are_whole,
            shrink_advice=SHRINK_ADVICE,
        ),
        Resource("inventory", _id, fetch_inventory),
    ),
)
