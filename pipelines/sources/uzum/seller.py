"""A seller's own account at Uzum: shops, products, orders, expenses, stocks (Uzum dossier §1.7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from karvon.connections import UzumSellerConnection
from karvon.http import HttpClient
from pipelines.source import Batch, Context, Document, Fetch, Resource, Source
from pipelines.sources.uzum.settings import (
    FBS_STATUSES,
    LOOK_BACK_DAYS,
    SELLER_LIMIT_HEADER,
    SELLER_LISTS,
    SHOPS,
    SellerList,
)


class UzumSellerClient(HttpClient):
    """Signed in with the seller's key, bare; the rate limit is learned from the answers."""

    def __init__(self, connection: UzumSellerConnection) -> None:
        token = connection.token.get_secret_value()
        super().__init__(
            f"uzum_seller:{connection.name}",
            base_url=connection.base_url,
            limits=connection.rate_limits,
            limit_header=SELLER_LIMIT_HEADER,
            headers={"Authorization": token},
            secrets=(token,),
            concurrency=2,
        )


async def fetch_shops(context: Context) -> AsyncIterator[Batch]:
    """The seller's shops: a bare array."""
    yield Batch(await _shops(context.http))


async def _shops(http: HttpClient) -> list[Document]:
    return _rows((await http.request("GET", SHOPS)).data, "")


def _listed(listed: SellerList) -> Fetch:
    async def fetch(context: Context) -> AsyncIterator[Batch]:
        for shop in [str(shop["id"]) for shop in await _shops(context.http)]:
            for status in FBS_STATUSES if listed.name == "seller_fbs_orders" else ("",):
                async for rows in _pages(context, listed, shop, status):
                    yield Batch([{**row, "shopId": row.get("shopId", int(shop))} for row in rows])
            if listed.name == "seller_stocks":
                # It knows the seller, not the shop.
                return

    return fetch


async def _pages(
    context: Context, listed: SellerList, shop: str, status: str
) -> AsyncIterator[list[Document]]:
    """Pages from 0 on, until one is empty: a short page need not be the last."""
    wanted: dict[str, Any] = {"size": listed.page_size}
    if "{shop}" not in listed.path and listed.name != "seller_stocks":
        wanted["shopIds"] = shop
    if status:
        wanted["status"] = status
    if listed.by_day:
        since = context.now - timedelta(days=LOOK_BACK_DAYS)
        wanted |= {"dateFrom": int(since.timestamp()), "dateTo": int(context.now.timestamp()) + 86_400}
    page, known = 0, set[str]()
    while True:
        answer = await context.http.request(
            "GET", listed.path.format(shop=shop), params={**wanted, "page": page}
        )
        rows = _rows(answer.data, listed.rows)
        # The list of stocks knows no pages and answers the same again.
        new = [row for row in rows if str(row[listed.key]) not in known]
        if not new:
            return
        yield new
        page, known = page + 1, known | {str(row[listed.key]) for row in new}
        if len(known) >= _total(answer.data, len(known) + 1):
            return


def _rows(answer: Any, field: str) -> list[Document]:
    """The rows, in or out of the envelope."""
    body = answer.get("payload", answer) if isinstance(answer, dict) else answer
    found = body.get(field) if field and isinstance(body, dict) else body
    return list(found) if isinstance(found, list) else []


def _total(answer: Any, unknown: int) -> int:
    body = answer.get("payload", answer) if isinstance(answer, dict) else None
    totals = (body or {}).get("totalElements"), (body or {}).get("totalProductsAmount")
    return next((total for total in totals if isinstance(total, int)), unknown)


async def probe(connection: UzumSellerConnection) -> str:
    """The list of shops: the least that needs the key."""
    async with UzumSellerClient(connection) as http:
        return f"signed in; {len(await _shops(http))} shops"


SELLER_SOURCE = Source(
    name="uzum_seller",
    belongs_to="uzum",
    probe=probe,
    connect=UzumSellerClient,
    resources=(
        Resource("seller_shops", lambda shop: str(shop["id"]), fetch_shops, sweep=True),
        *(
            Resource(
                listed.name,
                lambda row, key=listed.key: str(row[key]),  # type: ignore[misc]
                _listed(listed),
                kept=listed.kept,
                sweep=not listed.by_day and listed.name != "seller_fbs_orders",
            )
            for listed in SELLER_LISTS
        ),
    ),
)
