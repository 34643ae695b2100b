"""The hosts of UZEX below /uzex: auction, shop, purchase, trade (reference data) and etender (dossier §2.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.dated_world import json_answer
from sandbox.state import State
from sandbox.uzex import details, rows
from sandbox.uzex.exchange import Exchange, Lot
from sandbox.uzex.lists import LISTS, category_rows, window_rows
from sandbox.uzex.things import CATEGORY_COUNT, REGIONS, RU, UZ, category_id, good

Json = dict[str, Any]
# Path of a detail: the kinds whose ids it takes, and what it gives. All are GET with the id at the end.
DETAILS: dict[str, tuple[tuple[str, ...], Callable[[Exchange, Lot, int], Any]]] = {
    "auction/Common/GetCompletedDealProducts": (("auction",), details.auction_items),
    "auction/Common/GetLot": (("auction",), details.auction_lot),
    "shop/Common/GetLot": (("shop", "national"), details.shop_lot),
    "shop/Common/GetOffer": (("offer",), rows.offer),
    "purchase/Common/GetCompetition": (("competition",), details.competition),
    "purchase/Common/GetDirectPurchase": (("direct",), details.direct_purchase),
    "purchase/Common/GetProcPlanDetails": (("plan",), rows.plan),
    "etender/api/common/GetTrade": (("etender",), details.etender_trade),
}  # fmt: skip


class Hosts:
    """Answers from the exchange, under the switches."""

    def __init__(self, state: State, exchange: Exchange) -> None:
        self._exchange = exchange
        self._switches = state.switches

    async def answer(self, request: Request) -> Response:
        # The portal's own host is named apietender; both work here.
        path = request.path_params["path"].removeprefix("api")
        if wait := self._switches["uzex.latency_ms"]:
            await asyncio.sleep(wait / 1000)
        refused = self._refusal(path.partition("/")[0], request)
        if refused is not None:
            return refused
        language = UZ if request.headers.get("language", "ru").lower().startswith("uz") else RU
        if path in LISTS:
            return await self._list(path, request, language)
        return await self._detail(path, request, language) if request.method == "GET" else not_found()

    def _refusal(self, host: str, request: Request) -> Response | None:
        if host == "etender":
            return None
        agent = request.headers.get("user-agent", "")
        if self._switches["uzex.user_agent_check"] and not (
            agent.startswith("Mozilla/5.0 (") and len(agent) > 40
        ):
            return failure("Приложение : Missing User-Agent header")
        if (
            host == "auction"
            and self._switches["uzex.validation_check"]
            and not request.headers.get("validation")
        ):
            return failure("Приложение : Not Valid")
        return None

    async def _list(self, path: str, request: Request, language: int) -> Response:
        if request.method != "POST":
            return not_found()
        raw = await request.body()
        asked = orjson.loads(raw) if raw else {}
        found = window_rows(self._exchange.ready(), LISTS[path], asked, language, self._switches)
        if not found and self._switches["uzex.past_end"] == "ora":
            return failure("ORA-01403: no data found")
        return json_answer(found)

    async def _detail(self, path: str, request: Request, language: int) -> Response:
        if path.startswith("trade/Lib/"):
            return self._reference(path.removeprefix("trade/Lib/"), request, language)
        # GetTrade alone has a zero after its id.
        head, _, tail = (
            path.removesuffix("/0").rpartition("/") if path.startswith("etender") else path.rpartition("/")
        )
        if head not in DETAILS or not tail.isdigit():
            return not_found()
        if wait := self._switches["uzex.detail_latency_ms"]:
            await asyncio.sleep(wait / 1000)
        kinds, make = DETAILS[head]
        exchange = self._exchange.ready()
        for kind in kinds:
            lot = exchange.by_id(kind, int(tail))
            if lot is not None and has_page(lot):
                return json_answer(make(exchange, lot, language))
            if lot is not None:
                return not_found()
        return failure("ORA-01403: no data found")

    def _reference(self, name: str, request: Request, language: int) -> Response:
        if name == "GetRegions":
            return json_answer(
                [{"id": number, "name": names[language]} for number, names in enumerate(REGIONS, 1)]
            )
        if name == "GetCategories":
            return json_answer(category_rows(language, CATEGORY_COUNT))
        head, _, tail = name.rpartition("/")
        if head != "GetProducts" or not tail.isdigit():
            return not_found()
        category = next((each for each in range(CATEGORY_COUNT) if category_id(each) == int(tail)), None)
        things = (
            []
            if category is None
            else [good(self._exchange.ready().seed, category, draw) for draw in range(12)]
        )
        keyword = request.query_params.get("keyword", "").lower()
        return json_answer(
            [{"id": int(tail) * 100 + draw, "name": each.names[language], "code": each.code, "unit_name": each.unit}
             for draw, each in enumerate(things) if keyword in each.names[language].lower()]
        )  # fmt: skip


def has_page(lot: Lot) -> bool:
    """One competition, direct purchase and shop lot in eleven is listed, and its detail answers 404."""
    return lot.kind not in ("competition", "direct", "shop") or lot.number % 11 != 0


def failure(message: str) -> Response:
    """What this exchange says with a 500: refusals and empty results among it."""
    return json_answer({"status": 500, "message": message}, 500)


def not_found() -> Response:
    """A wrong path, and a wrong verb too."""
    return json_answer({"status": 404, "message": "Not Found"}, 404)


def uzex_routes(state: State, exchange: Exchange) -> list[BaseRoute]:
    return [Route("/{path:path}", Hosts(state, exchange).answer, methods=["GET", "POST"])]
