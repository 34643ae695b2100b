"""Products of the store with their SKUs: what changed since the last load, or the whole list."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from pipelines.source import Batch, Context, Document
from pipelines.sources.webflow.changes import (
    as_cursor,
    behind,
    can_be_asked,
    just_written,
    news,
    pages_of,
    read_each,
)
from pipelines.sources.webflow.client import WebflowClient
from pipelines.sources.webflow.settings import ITEMS, PRODUCT, PRODUCT_SLUGS, PRODUCTS, SKU_SLUGS


async def fetch_products(context: Context) -> AsyncIterator[Batch]:
    """Products with their SKUs: those that changed since the last load, or the whole list (README.md says when)."""
    client = WebflowClient.of(context)
    batch = await _changed_products(client, context)
    if batch is None:
        batch = Batch(await client.whole_list(PRODUCTS.format(site=context.connection.site_id)))
        client.products_are_whole = True
    # The next load asks for what was written since this one began.
    yield replace(batch, cursor=as_cursor(context.now))


async def _changed_products(client: WebflowClient, context: Context) -> Batch | None:
    """Products that were written since the last load, or a SKU of theirs; None where only the whole list will do.

    The list of products has neither filter nor order, the collections behind it have (dossier §0.7). Both forget what
    was deleted, so their number must be the one that is known.
    """
    known = context.known()
    pages = pages_of(len(known))
    if context.cursor is None or not can_be_asked(context, pages):
        return None
    since, written = behind(context.cursor), just_written(context, "products")
    changed = set(written)
    for slugs, identity in ((PRODUCT_SLUGS, _id_of), (SKU_SLUGS, _product_of)):
        path = ITEMS.format(collection=await client.store_collection(slugs))
        moved = await client.moved_since(path, "lastUpdated", since, at_most=pages)
        if moved is None:
            return None
        changed |= {identity(item) for item in moved}
    site = context.connection.site_id
    absent = len(known | changed) - await client.count(PRODUCTS.format(site=site))
    if len(changed) > pages or not 0 <= absent <= len(written):
        return None
    paths = {key: PRODUCT.format(site=site, product=key) for key in sorted(changed)}
    return news(await read_each(client, paths), absent, written)


def are_whole(context: Context) -> bool:
    """Whether this load read the complete list."""
    return WebflowClient.of(context).products_are_whole


def _id_of(item: Document) -> str:
    return str(item["id"])


def _product_of(sku: Document) -> str:
    return str(sku["fieldData"].get("product"))
