"""The Webflow mirror: what exists in the shop, read before anything is planned. README.md says what it costs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from karvon.connections import WebflowConnection
from karvon.http import NotFound
from pipelines.source import Batch, Context, Document, Resource, Source, sweep_is_due
from pipelines.sources.side_by_side import side_by_side
from pipelines.sources.webflow.client import WebflowClient
from pipelines.sources.webflow.settings import (
    AFTER_WRITING,
    CATEGORY_SLUGS,
    COLLECTION,
    CURSOR_OVERLAP,
    INVENTORY,
    ITEMS,
    LOOKS_FOR_CHANGES,
    PAGE_SIZE,
    PRODUCT,
    PRODUCT_SLUGS,
    PRODUCTS,
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
    answers = await side_by_side(_or_none(client, path) for path in paths)
    yield Batch([document for document in answers if document is not None])


async def fetch_products(context: Context) -> AsyncIterator[Batch]:
    """Products with their SKUs: those that changed since the last load, or the whole list (README.md says when)."""
    client = WebflowClient.of(context)
    batch = await _changed_products(client, context)
    if batch is None:
        batch = Batch(await client.whole_list(PRODUCTS.format(site=context.connection.site_id)))
        client.products_are_whole = True
    # The next load asks for what was written since this one began.
    yield replace(batch, cursor=_iso(context.now))


async def _changed_products(client: WebflowClient, context: Context) -> Batch | None:
    """Products that were written since the last load, or a SKU of theirs; None where only the whole list will do.

    The list of products has neither filter nor order, the collections behind it have (dossier §0.7). Both forget what
    was deleted, so their number must be the one that is known.
    """
    known = context.known()
    pages = -(-len(known) // PAGE_SIZE)
    if context.cursor is None or sweep_is_due(context) or pages <= LOOKS_FOR_CHANGES:
        return None
    since = _iso(datetime.fromisoformat(context.cursor) - CURSOR_OVERLAP)
    written = _written(context, "products")
    changed = set(written)
    for slugs, identity in ((PRODUCT_SLUGS, _id), (SKU_SLUGS, _product_of_sku)):
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
    return _batch(await _single(client, paths), absent, written)


def _written(context: Context, resource: str) -> list[str]:
    """Keys of what was just written (`written`): read whatever their clocks say, as a write may have had no effect."""
    return list(context.parameters.get("written", {}).get(resource, ()))


async def _single(client: WebflowClient, paths: Mapping[str, str]) -> dict[str, Document | None]:
    """Records by key, read one by one; None for one that is gone."""
    answers = await side_by_side(_or_none(client, path) for path in paths.values())
    return dict(zip(paths, answers, strict=True))


def _batch(read: Mapping[str, Document | None], absent: int, written: Sequence[str]) -> Batch | None:
    """What was read; None when not just so many are gone as the list lacks."""
    gone = [key for key, document in read.items() if document is None]
    if len(gone) != absent:
        return None
    documents = [document for document in read.values() if document is not None]
    return Batch(documents, gone=gone, scope=AFTER_WRITING if written else None)


def _products_are_whole(context: Context) -> bool:
    return WebflowClient.of(context).products_are_whole


def _iso(moment: datetime) -> str:
    """As Webflow writes times; always as long, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def fetch_categories(context: Context) -> AsyncIterator[Batch]:
    """All items of the store's Categories collection."""
    client = WebflowClient.of(context)
    collection = await client.store_collection(CATEGORY_SLUGS)
    yield Batch(await client.whole_list(ITEMS.format(collection=collection)))


async def fetch_collection_items(context: Context) -> AsyncIterator[Batch]:
    """Staged items of the collections asked for (`item_collections`, slugs), in every locale of the site: those that
    changed since the last load, or the whole lists (README.md says when).

    An item keeps its collection (`collectionId`) and, outside the primary locale, the locale's tag
    (`secondaryLocale`): all locales share the item's id (dossier §2.6). `lastPublished` tells what is live.
    """
    client, wanted = WebflowClient.of(context), set(context.parameters.get("item_collections", ()))
    ids = {str(one["id"]): one.get("slug") in wanted for one in await client.collections()}
    chosen = [collection for collection, is_asked in ids.items() if is_asked]
    tags = await client.secondary_locales() if chosen else {}
    lists = [ItemList(one, locale, tags.get(locale or "")) for one in chosen for locale in (None, *tags)]
    # The next load may ask for changes only of what this one looked at.
    cursor = f"{_iso(context.now)} {' '.join(sorted(wanted))}" if wanted else None
    batch = await _changed_items(client, context, lists) if _covers(context.cursor, wanted) else None
    if batch is not None:
        yield replace(batch, cursor=cursor)
        return
    # What nobody asks for any more was not looked at; it is not gone.
    yield Batch(present=[key for key in context.known() if ids.get(key.partition("/")[0]) is False])
    for one in lists:
        yield Batch(one.named(await client.whole_list(one.path, **one.params)))
    client.items_are_whole = "item_collections" in context.parameters
    yield Batch(cursor=cursor)


def _covers(cursor: str | None, wanted: set[str]) -> bool:
    """Whether the load that left this cursor looked at these collections."""
    return wanted <= set((cursor or "").split(" ")[1:])


@dataclass(frozen=True)
class ItemList:
    """Items of a collection in one locale; None is the primary one."""

    collection: str
    locale: str | None
    tag: str | None

    @property
    def path(self) -> str:
        return ITEMS.format(collection=self.collection)

    @property
    def params(self) -> dict[str, str]:
        return {"cmsLocaleId": self.locale} if self.locale else {}

    def single(self, key: str) -> str:
        """The path of one item."""
        locale = f"?cmsLocaleId={self.locale}" if self.locale else ""
        return f"{self.path}/{key.split('/')[1]}{locale}"

    def named(self, items: Sequence[Document]) -> list[Document]:
        return [{**item, "collectionId": self.collection, "secondaryLocale": self.tag} for item in items]

    def among(self, keys: Collection[str]) -> set[str]:
        """Of the keys of a connection those of this list."""
        start, end = f"{self.collection}/", f"/{self.locale}"
        mine = (key for key in keys if key.startswith(start))
        return {key for key in mine if (key.endswith(end) if self.locale else key.count("/") == 1)}


async def _changed_items(client: WebflowClient, context: Context, lists: Sequence[ItemList]) -> Batch | None:
    """Items that were written or published since the last load; None where only the whole lists will do.

    Publishing moves `lastPublished` alone (dossier §2.5). What was deleted is told by the number of items only.
    """
    known = context.known()
    mine = {one: one.among(known) for one in lists}
    pages = sum(-(-len(keys) // PAGE_SIZE) for keys in mine.values())
    if context.cursor is None or sweep_is_due(context) or pages <= LOOKS_FOR_CHANGES * len(lists):
        return None
    since = _iso(datetime.fromisoformat(context.cursor.split(" ")[0]) - CURSOR_OVERLAP)
    written, absent = _written(context, "collection_items"), 0
    changed: dict[str, Document | None] = {}
    for one, keys in mine.items():
        for moved in ("lastUpdated", "lastPublished"):
            found = await client.moved_since(one.path, moved, since, at_most=len(keys) // 2, **one.params)
            if found is None:
                return None
            changed |= {_item_key(item): item for item in one.named(found)}
        expected = keys | one.among(changed) | one.among(written)
        absent += len(expected) - await client.count(one.path, **one.params)
    still = {key: one for one in lists for key in one.among(written) if key not in changed}
    if len(still) > pages or not 0 <= absent <= len(still):
        return None
    read = await _single(client, {key: one.single(key) for key, one in still.items()})
    named = {key: item and still[key].named([item])[0] for key, item in read.items()}
    return _batch(changed | named, absent, written)


def _items_are_whole(context: Context) -> bool:
    """A load that was not told which collections matter saw none of them."""
    return WebflowClient.of(context).items_are_whole


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
    answers = dict(zip(due, await side_by_side(_or_none(client, path) for path in paths), strict=True))
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


async def _or_none(client: WebflowClient, path: str) -> Document | None:
    try:
        document: Document = await client.get(path)
    except NotFound:
        return None
    return document


def _product_id(document: Document) -> str:
    return str(document["product"]["id"])


def _product_of_sku(item: Document) -> str:
    return str(item["fieldData"].get("product"))


def _item_key(document: Document) -> str:
    """`<collection>/<item>`, and `/<locale>` outside the primary locale."""
    locale = f"/{document['cmsLocaleId']}" if document["secondaryLocale"] else ""
    return f"{document['collectionId']}/{document['id']}{locale}"


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
            fetch_products,
            sweep=_products_are_whole,
            shrink_advice=SHRINK_ADVICE,
        ),
        Resource(
            "collection_items",
            _item_key,
            fetch_collection_items,
            sweep=_items_are_whole,
            shrink_advice=SHRINK_ADVICE,
        ),
        Resource("inventory", _id, fetch_inventory),
    ),
)
