"""The Uzum source: the storefront by product number, and a seller's own account. README.md says what each costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from karvon.connections import UzumConnection
from karvon.http import NotFound
from pipelines.slices import VISITS
from pipelines.source import Batch, Context, Document, Resource, Source
from pipelines.sources.uzum import kept
from pipelines.sources.uzum.client import UzumClient, visit_product
from pipelines.sources.uzum.seller import SELLER_SOURCE
from pipelines.sources.uzum.settings import (
    CATEGORIES,
    CATEGORY_NOISE,
    REVIEW_PAGE,
    REVIEW_PAGES,
    REVIEWS,
    SEARCH_HEADERS,
    SEARCH_PAGE,
    SEARCH_PAGES,
    SEARCH_QUERY,
    SEARCH_SORTS,
)

__all__ = ["SELLER_SOURCE", "SOURCE"]


async def fetch_categories(context: Context) -> AsyncIterator[Batch]:
    """The category tree, one document per node (dossier §1.5). It lacks the leaves: products carry those."""
    answer = await context.http.request(
        "GET", CATEGORIES, params={"eco": "false"}, headers=_authorised(context)
    )
    roots = answer.data.get("payload") if isinstance(answer.data, dict) else None
    yield Batch(list(_nodes(roots or [], None)))


def _nodes(siblings: list[dict[str, Any]], parent: int | None) -> Iterator[Document]:
    for node in siblings:
        yield {name: value for name, value in node.items() if name not in CATEGORY_NOISE} | {
            "parent_id": parent
        }
        yield from _nodes(node.get("children") or [], node["id"])


async def fetch_reviews(context: Context) -> AsyncIterator[Batch]:
    """Reviews of the products that were named, newest first, until a page is empty."""
    for product in context.connection.review_products:
        for page in range(REVIEW_PAGES):
            params = {"amount": REVIEW_PAGE, "page": page}
            try:
                answer = await context.http.request("GET", REVIEWS.format(id=product), params=params)
            except NotFound:
                break
            rows = answer.data.get("payload") or []
            yield Batch([{**row, "productId": row.get("productId", int(product))} for row in rows])
            if not rows:
                break


async def fetch_keyword_positions(context: Context) -> AsyncIterator[Batch]:
    """Positions of products in the search for each keyword, one request at a time (dossier §1.6)."""
    connection = context.connection
    if connection.token is None or not connection.keywords:
        return
    found: list[Document] = []
    for query in connection.keywords:
        for sort in SEARCH_SORTS:
            found += await _positions(context, query, sort)
    yield Batch(found, gone=sorted(context.known() - {_position_key(one) for one in found}))


async def _positions(context: Context, query: str, sort: str) -> list[Document]:
    """The first pages of one search. A product has a card per colour; its first one is its position."""
    positions: dict[int, Document] = {}
    for page in range(SEARCH_PAGES):
        pagination = {"offset": page * SEARCH_PAGE, "limit": SEARCH_PAGE}
        wanted = {
            "text": query,
            "sort": sort,
            "filters": [],
            "showAdultContent": "NONE",
            "pagination": pagination,
        }
        body = {"operationName": "getMakeSearch", "query": SEARCH_QUERY, "variables": {"queryInput": wanted}}
        answer = await context.http.request(
            "POST",
            context.connection.graphql_url,
            json=body,
            headers={**SEARCH_HEADERS, **_authorised(context)},
        )
        # An answer may hold data and errors together; what is there is taken.
        search = ((answer.data or {}).get("data") or {}).get("makeSearch") or {}
        cards = [item.get("catalogCard") or {} for item in search.get("items") or ()]
        for card in cards:
            if (product := card.get("productId")) is not None and product not in positions:
                positions[product] = {
                    "query": query,
                    "sort": sort,
                    "position": len(positions) + 1,
                    "product_id": product,
                    "total": search.get("total"),
                }
        if len(cards) < SEARCH_PAGE:
            break
    return list(positions.values())


def _position_key(document: Document) -> str:
    return f"{document['query']}|{document['sort']}|{document['product_id']}"


def _authorised(context: Context) -> dict[str, str]:
    token = context.connection.token
    return {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}


async def probe(connection: UzumConnection) -> str:
    """One product: there is no cheaper proof that we are answered."""
    async with UzumClient(connection) as http:
        try:
            await visit_product(http, connection.universe.first_id)
        except NotFound:
            return f"answers; product {connection.universe.first_id} does not exist"
    return f"answers; product {connection.universe.first_id} exists"


SOURCE = Source(
    name="uzum",
    probe=probe,
    connect=UzumClient,
    resources=(
        Resource(
            "categories",
            lambda node: str(node["id"]),
            fetch_categories,
            # Frozen since years, and would make a version of the node if it moved (dossier §1.3).
            noise=("productAmount",),
            sweep=True,
            shrink_advice="the tree may need UZUM_TOKEN",
        ),
        Resource("products", lambda product: str(product["id"]), kept=kept.PRODUCT, visit=visit_product),
        Resource("keyword_positions", _position_key, fetch_keyword_positions),
        Resource(
            "reviews",
            lambda review: str(review.get("reviewId") or review["id"]),
            fetch_reviews,
            kept=kept.REVIEW,
        ),
        # Written by the crawl itself: which numbers a revisit asked for.
        Resource(VISITS, lambda visit: str(visit["key"])),
    ),
)
