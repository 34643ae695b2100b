"""The storefront below /uzum: products by id, reviews, categories, shops (dossier §1.1 to §1.5)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.dated_world import json_answer
from sandbox.state import State
from sandbox.uzum import bodies
from sandbox.uzum.departments import CATEGORY_IDS, category_tree, frozen_amount
from sandbox.uzum.market import Market

_SHOP = re.compile(r"shop-(\d+)")


class Storefront:
    """Answers from the market, under the switches."""

    def __init__(self, state: State, market: Market) -> None:
        self._market = market
        self._switches = state.switches

    def language(self, request: Request) -> int:
        asked = request.headers.get("accept-language", "") or self._switches["uzum.language"]
        return bodies.RU if asked.lower().startswith("ru") else bodies.UZ

    def product(self, request: Request) -> Response:
        market, product_id = self._market.ready(), int(request.path_params["id"])
        if not market.exists(product_id):
            return self._missing(market, product_id)
        design = market.design(product_id)
        payload = bodies.product_payload(market, design, self.language(request), self._switches)
        if self._switches["uzum.body"] == "2022":
            return json_answer({"payload": payload, "error": None})
        whole = json_answer(bodies.envelope(payload))
        return with_raw_characters(whole) if self._switches["uzum.control_characters"] == "raw" else whole

    def refusal(self) -> Response | None:
        kind = self._switches["uzum.answer"]
        if kind == "normal":
            return None
        if kind == "captcha":
            return Response(status_code=302, headers={"location": "https://uzum.uz/showcaptcha?retpath=/"})
        if kind == "unauthorized":
            return json_answer(
                bodies.error_envelope("unauthorized", "Unauthorized", "Full authentication is required"), 401
            )
        if kind == "empty":
            return Response(media_type="application/json")
        code, message = (
            ("429", "Too many requests 429") if kind == "errors_429" else ("internal-001", "Internal error")
        )
        return json_answer(bodies.error_envelope(code, message, "The request was not carried out"))

    def _missing(self, market: Market, product_id: int) -> Response:
        kind = self._switches["uzum.missing"]
        if kind == "mixed":
            kind = market.missing_kind(product_id)
        if kind == "404":
            return not_found(f"Product with parameters id={product_id} not found")
        if kind == "payload_null":
            return json_answer(bodies.envelope(None))
        data = None if kind == "data_null" else {"id": product_id, "skuList": [], "photos": []}
        return json_answer(bodies.envelope({"data": data, "seo": None}))

    def reviews(self, request: Request) -> Response:
        market, product_id = self._market.ready(), int(request.path_params["id"])
        if not market.exists(product_id):
            return not_found(f"Product with parameters id={product_id} not found")
        amount, page = int(request.query_params.get("amount", 20)), int(request.query_params.get("page", 0))
        design = market.design(product_id)
        return json_answer(
            bodies.envelope(bodies.reviews_page(market, design, self.language(request), amount, page))
        )

    def root_categories(self, request: Request) -> Response:
        if self._switches["uzum.categories_need_token"] and not request.headers.get("authorization"):
            return json_answer(
                bodies.error_envelope("unauthorized", "Unauthorized", "Authorization is required"), 401
            )
        return json_answer(bodies.envelope(category_tree(self.language(request))))

    def category(self, request: Request) -> Response:
        wanted, language = int(request.path_params["id"]), self.language(request)
        for chain, category_id in CATEGORY_IDS.items():
            if category_id == wanted:
                found = {"id": wanted, "title": chain[-1][language], "productAmount": frozen_amount(wanted)}
                return json_answer({"payload": {"category": found}, "errors": []})
        return not_found(f"Category with parameters id={wanted} not found")

    def shop(self, request: Request) -> Response:
        market, seller = self._market.ready(), self._seller(request)
        if seller is None:
            return not_found(f"Shop with parameters link={request.path_params['link']} not found")
        return json_answer(bodies.envelope(bodies.shop_payload(market, seller, self.language(request))))

    def shop_products(self, request: Request) -> Response:
        """Pages of `size` from page 0, highest id first, in the short form of a catalogue card."""
        market, seller = self._market.ready(), self._seller(request)
        if seller is None:
            return not_found(f"Shop with parameters link={request.path_params['link']} not found")
        size, page = int(request.query_params.get("size", 24)), int(request.query_params.get("page", 0))
        ids = [each for each in reversed(market.products_of(seller)) if market.exists(each)]
        language, cards = self.language(request), []
        for product_id in ids[page * size : (page + 1) * size]:
            design = market.design(product_id)
            price = market.price(design)
            cards.append({"productId": product_id, "title": design.titles[language], "sellPrice": price.asked,
                          "fullPrice": price.full,
                          "ordersQuantity": bodies.orders_rounded(market.orders(design))})  # fmt: skip
        return json_answer(bodies.envelope({"products": cards, "totalProducts": len(ids)}))

    def _seller(self, request: Request) -> int | None:
        named = _SHOP.fullmatch(request.path_params["link"])
        return int(named[1]) if named and 0 < int(named[1]) <= self._market.ready().sellers else None

    def gone(self, _request: Request) -> Response:
        return not_found("No handler found")

    def broken_search(self, _request: Request) -> Response:
        """The REST search, most often a 500 by 2026 (dossier §1.1)."""
        return json_answer(
            bodies.error_envelope("internal-001", "Internal error", "Search is unavailable"), 500
        )


def with_raw_characters(whole: Response) -> Response:
    """The same JSON with a control character as it is, not escaped."""
    escaped = orjson.dumps(bodies.RAW_CHARACTER)[1:-1]
    body = bytes(whole.body).replace(escaped, bodies.RAW_CHARACTER.encode())
    return Response(body, media_type="application/json")


def not_found(detail: str) -> Response:
    return json_answer(bodies.error_envelope("entity-not-found-001", "Entity not found", detail), 404)


def storefront_routes(state: State, market: Market) -> list[BaseRoute]:
    """The product first: it is nearly all of the traffic."""
    front = Storefront(state, market)
    handlers: tuple[tuple[str, Callable[[Request], Response]], ...] = (
        ("/api/v2/product/{id:int}", front.product), ("/api/product/{id:int}/reviews", front.reviews),
        ("/api/main/root-categories", front.root_categories), ("/api/category/v2/{id:int}", front.category),
        ("/api/shop/{link}", front.shop), ("/api/shop/{link}/more", front.shop_products),
        ("/api/v2/main/search/product", front.broken_search), ("/api/{path:path}", front.gone),
    )  # fmt: skip

    def timed(handle: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if wait := state.switches["uzum.latency_ms"]:
                await asyncio.sleep(wait / 1000)
            return front.refusal() or handle(request)

        return endpoint

    return [Route(path, timed(handle), methods=["GET"]) for path, handle in handlers]
