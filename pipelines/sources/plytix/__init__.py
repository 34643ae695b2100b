"""The Plytix source: its resources in the order they are loaded. README.md says what each costs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from karvon.connections import PlytixConnection
from karvon.http import NotFound
from pipelines.source import Batch, Context, Document, Fetch, Resource, Source, sweep_is_due
from pipelines.sources.plytix.client import PlytixClient
from pipelines.sources.plytix.incremental import beginning, changes, sweep_ids
from pipelines.sources.plytix.products import fetch_product_details, fetch_products, products_are_swept
from pipelines.sources.plytix.search import Query, Row, identity, moment, newest
from pipelines.sources.plytix.settings import (
    ASSETS,
    ATTRIBUTE_GROUPS,
    ATTRIBUTES,
    CATEGORIES,
    FAMILIES,
    FAMILY_ATTRIBUTES_PATH,
    PAGE_SIZE,
    PRODUCTS,
    RELATIONSHIPS,
    SINGLE_ASSET_PATH,
    Search,
)
from pipelines.sources.side_by_side import side_by_side

SHRINK_ADVICE = (
    "check the role of the API key (accounts.plytix.com, API): a role that lost its rights sees an empty or "
    "smaller catalogue"
)


def _whole_list(search: Search) -> Fetch:
    """A small resource, read in full each time."""

    async def fetch(context: Context) -> AsyncIterator[Batch]:
        yield Batch(await PlytixClient.of(context).listing(search))

    return fetch


async def fetch_family_attributes(context: Context) -> AsyncIterator[Batch]:
    """The attributes of families that changed; of all families when a sweep is due."""
    client, start = PlytixClient.of(context), beginning(context)
    families = {identity(row): row for row in await client.listing(FAMILIES)}
    known = context.known()
    changed = {identity(row) for row in context.changed.get("families", ())}
    wanted = [
        key
        for key, row in families.items()
        if sweep_is_due(context)
        or start is None
        or key not in known
        or key in changed
        or (time := moment(row.get("modified"))) is None
        or time > start
    ]
    documents = await side_by_side(_attributes_of(client, key) for key in wanted)
    found = [document for document in documents if document is not None]
    yield Batch(found, present=list(families), cursor=newest(families.values(), context.now))


async def _attributes_of(client: PlytixClient, family: str) -> Document | None:
    try:
        return {
            "family_id": family,
            "attributes": await client.single(FAMILY_ATTRIBUTES_PATH.format(id=family)),
        }
    except NotFound:
        return None


async def fetch_assets(context: Context) -> AsyncIterator[Batch]:
    """Assets modified since the cursor (a file replaced under the same id moves it), and the id sweep."""
    client, seen = PlytixClient.of(context), set[str]()
    query = Query(ASSETS.path, ASSETS.columns)
    async for _, rows in client.portions(query, changes(context)):
        seen |= rows.keys()
        yield Batch(list(rows.values()), cursor=newest(rows.values(), context.now))
    if sweep_is_due(context):
        sweep = await sweep_ids(client, context, ASSETS.path, seen, SINGLE_ASSET_PATH)
        unknown = list(sweep.unknown)
        for at in range(0, len(unknown), PAGE_SIZE):
            answers = await side_by_side(_asset(client, key) for key in unknown[at : at + PAGE_SIZE])
            yield Batch([row for row in answers if row is not None])
        yield Batch(present=sweep.present)


async def _asset(client: PlytixClient, key: str) -> Row | None:
    """A single asset in the shape of a search row."""
    try:
        rows = await client.single(SINGLE_ASSET_PATH.format(id=key))
    except NotFound:
        return None
    return {name: rows[0][name] for name in ("id", *ASSETS.columns) if name in rows[0]}


async def probe(connection: PlytixConnection) -> str:
    """One row of the product search: there is no cheaper proof (dossier §12)."""
    path = PRODUCTS.path.format(version=connection.products_api_version)
    async with PlytixClient(connection) as client:
        rows = await client.sample(Query(path, ()))
    return "signed in; products can be searched" if rows else "signed in, but the key's role sees no product"


SOURCE = Source(
    name="plytix",
    probe=probe,
    connect=PlytixClient,
    resources=(
        Resource("attributes", identity, _whole_list(ATTRIBUTES), sweep=True, shrink_advice=SHRINK_ADVICE),
        Resource(
            "attribute_groups",
            identity,
            _whole_list(ATTRIBUTE_GROUPS),
            sweep=True,
            shrink_advice=SHRINK_ADVICE,
        ),
        Resource(
            "families", identity, _whole_list(FAMILIES), sweep=True, share=True, shrink_advice=SHRINK_ADVICE
        ),
        Resource(
            "family_attributes",
            lambda document: str(document["family_id"]),
            fetch_family_attributes,
            sweep=sweep_is_due,
            shrink_advice=SHRINK_ADVICE,
        ),
        Resource("categories", identity, _whole_list(CATEGORIES), sweep=True, shrink_advice=SHRINK_ADVICE),
        Resource(
            "relationships", identity, _whole_list(RELATIONSHIPS), sweep=True, shrink_advice=SHRINK_ADVICE
        ),
        Resource("assets", identity, fetch_assets, sweep=sweep_is_due, shrink_advice=SHRINK_ADVICE),
        Resource(
            "products",
            identity,
            fetch_products,
            noise=("modified_user_audit", "created_user_audit"),
            sweep=products_are_swept,
            by_key=True,
            shrink_advice=SHRINK_ADVICE,
        ),
        Resource(
            "product_details",
            identity,
            fetch_product_details,
            sweep=products_are_swept,
            by_key=True,
            shrink_advice=SHRINK_ADVICE,
        ),
    ),
)
