"""Products: changed rows, the variants of changed parents, the id sweep, and details (dossier §5 to §7, §13)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from karvon.http import NotFound
from pipelines.source import Batch, Context, sweep_is_due
from pipelines.sources.plytix.client import PlytixClient
from pipelines.sources.plytix.incremental import Sweep, beginning, changes, sweep_ids
from pipelines.sources.plytix.search import Query, Row, Window, identity, moment, newest, parent_of
from pipelines.sources.plytix.settings import (
    DETAIL_FIELDS,
    FAMILIES,
    FAMILY_COLUMNS,
    PAGE_SIZE,
    PRODUCTS,
    VARIANTS_PATH,
)
from pipelines.sources.plytix.slices import SlicedReader, column_slices
from pipelines.sources.side_by_side import side_by_side

REMEMBERED = ("modified", "product_family_id")


async def fetch_products(context: Context) -> AsyncIterator[Batch]:
    """Rows modified since the cursor, variants of parents among them, and what the id sweep brings up."""
    client = PlytixClient.of(context)
    if context.key is not None:
        async for batch in _one_product(client, context, context.key):
            yield batch
        return
    start = beginning(context)
    client.findings.products_read, client.findings.products_from = True, start
    reader = await _reader(client, context)
    seen: dict[str, str] = {}
    parents: dict[str, Row] = {}
    async for rows, missing in reader.inside(changes(context)):
        if start is not None:
            parents |= {
                identity(row): row for row in rows if row.get("num_variations") and _is_after(row, start)
            }
        yield _batch(context, rows, missing, seen)
    sweep: Sweep | None = None
    if sweep_is_due(context) or await _some_are_gone(client, context, reader.path, seen):
        sweep = await sweep_ids(client, context, reader.path, seen, _single(context))
        client.findings.all_products = sweep.listed
    wanted = await _variants(client, context, reader.path, parents, sweep) if parents else {}
    wanted |= sweep.unknown if sweep else {}
    async for rows, missing in reader.by_sku({key: row for key, row in wanted.items() if key not in seen}):
        yield _batch(context, rows, missing, seen)
    if sweep:
        yield Batch(present=sweep.present)


async def _one_product(client: PlytixClient, context: Context, key: str) -> AsyncIterator[Batch]:
    """A product by our key, id or SKU, with everything above and below it."""
    client.findings.products_read, client.findings.products_from = True, context.now
    reader = await _reader(client, context)
    name = key.removeprefix(f"{context.connection.name}:")
    row = await _by_id(client, context, name) or await _by_sku(client, reader.path, name)
    if row is None:
        yield Batch(gone=[name], missing=1)
        return
    heads = {identity(row): row}
    while (above := parent_of(row)) is not None and (row := await _by_id(client, context, above)) is not None:
        heads[identity(row)] = row
    wanted = heads | await _variants(client, context, reader.path, heads, None)
    seen: dict[str, str] = {}
    async for rows, missing in reader.by_sku(wanted):
        yield replace(_batch(context, rows, missing, seen), cursor=None)


async def _by_id(client: PlytixClient, context: Context, key: str) -> Row | None:
    try:
        rows = await client.single(_single(context).format(id=key))
    except NotFound:
        return None
    return rows[0] if rows and rows[0].get("mark_as_deleted") is not True else None


async def _by_sku(client: PlytixClient, path: str, sku: str) -> Row | None:
    """The filter ignores case (dossier §5.2), so the exact spelling is chosen here."""
    rows = await client.rows(Query(path, (), skus=(sku,)))
    return next((row for row in rows.values() if row.get("sku") == sku), None)


async def fetch_product_details(context: Context) -> AsyncIterator[Batch]:
    """Family and level of changed parents and single products, one GET each; nothing where search tells them.

    Accounts without families need none. What an earlier load left behind is found by the cursor of its own.
    """
    client = PlytixClient.of(context)
    found, start = client.findings, None if context.key else beginning(context)
    rows = dict(found.products)
    starts_later = found.products_from is not None and (start is None or start < found.products_from)
    if context.key is None and (starts_later or not found.products_read):
        query = Query(_search_path(context), ("modified",))
        async for _, portion in client.portions(query, changes(context)):
            rows |= _heads(portion.values())
            found.newest = max(found.newest or "", newest(portion.values(), context.now) or "") or None
    known = context.known()
    everything = _heads((found.all_products or {}).values())
    wanted = [key for key, row in rows.items() if start is None or _is_after(row, start) or key not in known]
    wanted += [key for key in everything if key not in known and key not in rows]
    if wanted and not found.family_in_search and await client.listing(FAMILIES):
        for at in range(0, len(wanted), PAGE_SIZE):
            yield await _details(client, context, wanted[at : at + PAGE_SIZE])
    yield Batch(present=list(everything), cursor=None if context.key else found.newest)


async def _some_are_gone(client: PlytixClient, context: Context, path: str, seen: Collection[str]) -> bool:
    """Fewer products than known means deletions. Answers mostly say how many there are, at no request; where everything
    was just modified they cannot prove it, and a search without a filter is asked.
    """
    known = context.known()
    if context.since is not None or not known - set(seen):
        return False
    if not client.findings.products_total:
        await client.sample(Query(path))
    return 0 < client.findings.products_total < len(known | set(seen))


def products_are_swept(context: Context) -> bool:
    """Whether this load read the complete list of ids."""
    return PlytixClient.of(context).findings.all_products is not None


async def _reader(client: PlytixClient, context: Context) -> SlicedReader:
    """A reader with the columns that exist now."""
    path = _search_path(context)
    sample = await client.sample(Query(path, FAMILY_COLUMNS))
    in_search = any(row.get("product_family_id") for row in sample or ())
    client.findings.family_in_search = in_search
    columns = [*PRODUCTS.columns, *(FAMILY_COLUMNS if in_search else ()), *await client.custom_columns()]
    return SlicedReader(client, path, column_slices(columns))


def _batch(context: Context, rows: Sequence[Row], missing: int, seen: dict[str, str]) -> Batch:
    """A batch of whole rows; what is marked as deleted is gone (a sweep finds that by its absence)."""
    alive = [row for row in rows if row.get("mark_as_deleted") is not True]
    gone = [identity(row) for row in rows if row.get("mark_as_deleted") is True]
    seen.update((identity(row), str(row.get("sku"))) for row in alive)
    found = PlytixClient.of(context).findings
    found.products |= _heads(alive)
    found.family_in_search |= any(row.get("product_family_id") for row in alive)
    cursor = newest(alive, context.now)
    found.newest = max(found.newest or "", cursor or "") or None
    return Batch(alive, gone=gone, missing=missing, cursor=cursor)


async def _variants(
    client: PlytixClient, context: Context, path: str, parents: dict[str, Row], sweep: Sweep | None
) -> dict[str, Row]:
    """All variants and sub-variants below changed parents: they carry inherited values (dossier §7).

    Asked for parent by parent, unless a list of all ids is at hand or costs less.
    """
    listed = sweep.listed if sweep else None
    if listed is None and len(parents) > len(context.known()) / PAGE_SIZE:
        listed = {}
        async for _, rows in client.portions(Query(path), Window("created")):
            listed |= rows
    below: dict[str, Row] = {}
    level = list(parents)
    while level:
        if listed is not None:
            above = set(level)
            children = [row for row in listed.values() if parent_of(row) in above]
        else:
            answers = await side_by_side(_children(client, key) for key in level)
            children = [row for answer in answers for row in answer]
        fresh = {identity(row): row for row in children if identity(row) not in below}
        below |= fresh
        level = [key for key, row in fresh.items() if row.get("num_variations")]
    return below


async def _children(client: PlytixClient, parent: str) -> list[Row]:
    try:
        return await client.single(VARIANTS_PATH.format(id=parent))
    except NotFound:
        return []


async def _details(client: PlytixClient, context: Context, keys: Sequence[str]) -> Batch:
    async def one(key: str) -> Row | None:
        try:
            rows = await client.single(_single(context).format(id=key))
        except NotFound:
            return None
        return rows[0] if rows and rows[0].get("mark_as_deleted") is not True else None

    answers = dict(zip(keys, await side_by_side(one(key) for key in keys), strict=True))
    documents = [
        {field: row[field] for field in DETAIL_FIELDS if field in row} for row in answers.values() if row
    ]
    gone = [key for key, row in answers.items() if row is None]
    return Batch(documents, gone=gone, missing=len(gone))


def _heads(rows: Iterable[Row]) -> dict[str, Row]:
    """Rows that are no variants, cut down to what details need."""
    return {
        identity(row): {field: row.get(field) for field in REMEMBERED}
        for row in rows
        if parent_of(row) is None
    }


def _is_after(row: Row, start: datetime) -> bool:
    time = moment(row.get("modified"))
    return time is None or time > start


def _search_path(context: Context) -> str:
    return PRODUCTS.path.format(version=context.connection.products_api_version)


def _single(context: Context) -> str:
    return f"/api/{context.connection.products_api_version}/products/{{id}}"
