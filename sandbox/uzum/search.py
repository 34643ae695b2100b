"""The GraphQL search and the guest token it wants (dossier §1 and §1.6)."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.dated_world import json_answer
from sandbox.state import Document, State
from sandbox.uzum.bodies import RU, UZ, orders_rounded, photo_key, rating
from sandbox.uzum.departments import CATEGORY_IDS, COLOURS
from sandbox.uzum.design import Design
from sandbox.uzum.market import Market

GUEST_TOKEN = "sandbox-guest-token"
MOST_OFFSET = 10_000
Json = dict[str, Any]


class Search:
    """`makeSearch` over the products that are there; the index of titles is made when first asked for."""

    def __init__(self, state: State, market: Market) -> None:
        self._switches = state.switches
        self._market = market
        self._titles: list[tuple[int, str]] = []
        self._indexed: tuple[object, ...] = ()

    async def answer(self, request: Request) -> Response:
        if wait := self._switches["uzum.latency_ms"]:
            await asyncio.sleep(wait / 1000)
        if request.headers.get("authorization") != f"Bearer {GUEST_TOKEN}":
            denied = {"x-ext-authz-check-result": "denied"}
            return Response(b"", 401, media_type="application/json", headers=denied)
        asked = orjson.loads(await request.body())
        if asked.get("operationName") != "getMakeSearch":
            return _errors("Unknown operation")
        wanted = asked["variables"]["queryInput"]
        paging = wanted.get("pagination") or {}
        offset, limit = int(paging.get("offset", 0)), int(paging.get("limit", 24))
        if offset + limit > MOST_OFFSET:
            return _errors("too big query offset")
        language = RU if request.headers.get("accept-language", "").lower().startswith("ru") else UZ
        cards = self._cards(self._market.ready(), wanted)
        items = [
            {"catalogCard": self._card(design, colour, language), "adMarker": None, "bidId": None}
            for design, colour in cards[offset : offset + limit]
        ]
        found = {"id": "1", "queryId": "1", "queryText": wanted.get("text"), "items": items, "facets": [],
                 "total": len(cards), "mayHaveAdultContent": False}  # fmt: skip
        body: Json = {"data": {"makeSearch": found}}
        if self._switches["uzum.graphql_partial_errors"]:
            body |= {"errors": [{"message": "Timeout", "path": ["makeSearch", "facets"]}],
                     "extensions": {"valueCompletion": [{"message": "Null for a non-null type"}]}}  # fmt: skip
        return json_answer(body)

    def _cards(self, market: Market, wanted: Document) -> list[tuple[Design, int]]:
        """Cards in order. A product with several colours has a card for each of the first two."""
        found = [(design, colour) for design in self._matching(market, wanted)
                 for colour in range(max(1, min(2, len(design.colours))))]  # fmt: skip
        sort = wanted.get("sort", "BY_RELEVANCE_DESC")
        if sort in ("BY_ORDERS_NUMBER_DESC", "BY_ORDERS_DESC"):
            found.sort(key=lambda card: (-market.orders(card[0]), card[0].id))
        elif sort == "BY_DATE_ADDED_DESC":
            found.sort(key=lambda card: -card[0].id)
        elif sort == "BY_PRICE_ASC":
            found.sort(key=lambda card: market.price(card[0]).asked)
        else:
            found.sort(key=lambda card: -self._relevance(market, *card))
        return found

    def _relevance(self, market: Market, design: Design, colour: int) -> float:
        return design.dice[12] / 2**32 * 3 + math.log10(1 + market.orders(design)) - colour

    def _matching(self, market: Market, wanted: Document) -> list[Design]:
        """Every word of the text in a title of either language; a category with all below it; a shop."""
        words = str(wanted.get("text") or "").lower().split()
        category = int(wanted.get("categoryId") or wanted.get("offerCategoryId") or 1)
        shop = int(wanted.get("shopId") or 0)
        found = []
        for product_id, titles in self._index(market):
            if not all(word in titles for word in words) or not market.exists(product_id):
                continue
            design = market.design(product_id)
            if (category == 1 or category in _categories(design)) and shop in (0, market.seller_of(design)):
                found.append(design)
        return found

    def _index(self, market: Market) -> list[tuple[int, str]]:
        version = market.version
        if self._indexed != version:
            self._titles = [(design.id, "\n".join(design.titles).lower()) for design in market.designs()]
            self._indexed = version
        return self._titles

    def _card(self, design: Design, colour: int, language: int) -> Json:
        market = self._market
        price, reviews = market.price(design), market.reviews(design)
        key = photo_key(design, colour)
        return {
            "__typename": "SkuGroupCard", "id": design.id * 10 + colour, "productId": design.id,
            "title": design.titles[language], "minFullPrice": price.full, "minSellPrice": price.asked,
            "ordersQuantity": orders_rounded(market.orders(design)), "feedbackQuantity": reviews,
            "rating": rating(design, reviews), "badges": [],
            "characteristicValues": [
                {"title": COLOURS[each][2][language]} for each in design.colours[colour : colour + 1]
            ],
            "photos": [{"key": key, "link": {"high": f"https://images.uzum.uz/{key}/original.jpg", "low": None}}],
            "discount": None, "buyingOptions": {"deliveryOptions": {"stockType": "FBO"}},
        }  # fmt: skip


def _categories(design: Design) -> set[int]:
    chain = design.department.chain
    return {CATEGORY_IDS[chain[:depth]] for depth in range(1, len(chain) + 1)}


def _errors(message: str) -> Response:
    return json_answer({"data": None, "errors": [{"message": message}]})


async def give_guest_token(_request: Request) -> Response:
    """What `id.uzum.uz` does for everybody: 204 and a cookie."""
    return Response(status_code=204, headers={"set-cookie": f"access_token={GUEST_TOKEN}; Path=/; HttpOnly"})


def search_routes(state: State, market: Market) -> list[BaseRoute]:
    return [
        Route("/graphql", Search(state, market).answer, methods=["POST"]),
        Route("/id/api/auth/token", give_guest_token, methods=["POST"]),
    ]
