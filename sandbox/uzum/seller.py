"""The Seller OpenAPI below /uzum/seller-openapi: shops, products, finance, FBS orders and stocks (dossier §1.7)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.chance import throws
from sandbox.dated_world import json_answer
from sandbox.state import State
from sandbox.uzum import bodies
from sandbox.uzum.design import Design
from sandbox.uzum.market import Market
from sandbox.uzum.seller_limits import SellerLimits
from sandbox.uzum.seller_orders import (
    HISTORY_DAYS,
    LOGISTICS_FEE,
    Line,
    SellerOrders,
    commission_percent,
    purchase_cost,
    sku_code,
)

TOKEN = "sandbox-seller-token"
Json = dict[str, Any]
Row = TypeVar("Row")
Handler = Callable[[Request, list[int]], Any]
# Tashkent's morning, in UTC.
_SHOPS_OPEN = 3
_FIRST_NAMES = ("Sinovali", "Namunaxon", "Misolbek")
_LAST_NAMES = ("Sinovov", "Namunayeva", "Misolov")


class BadRequest(Exception):
    """A parameter that is missing or too large."""


def account_of(authorization: str) -> str:
    """The bare token, no `Bearer`: `sandbox-seller-token`, or `sandbox-seller-token-<name>` for another seller."""
    if authorization == TOKEN:
        return "default"
    name = authorization.removeprefix(f"{TOKEN}-")
    return name if name != authorization and name and "/" not in name else "unknown"


class SellerApi:
    """Answers for the shops of a token: shops 1 and 2 for the default one, one other shop for any other."""

    def __init__(self, state: State, market: Market) -> None:
        self._market = market
        self._orders = SellerOrders(market)
        self._limits = SellerLimits(state.switches)

    def endpoint(self, handle: Handler) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            token = request.headers.get("authorization", "")
            account = account_of(token)
            if account == "unknown":
                return _failure(401, "unauthorized", "The token is unknown or revoked", {})
            headers, wait = self._limits.admit(token)
            if wait is not None:
                return _failure(429, "too-many-requests", "Rate limit exceeded", headers)
            self._market.ready()
            try:
                body = handle(request, self.shops_of(account))
            except (BadRequest, ValueError) as error:
                return _failure(400, "bad-request-001", str(error), headers)
            return json_answer(body, headers=headers)

        return answer

    def shops_of(self, account: str) -> list[int]:
        if account == "default":
            return [1, 2]
        return [3 + zlib.crc32(account.encode()) % (self._market.sellers - 2)]

    def shops(self, _request: Request, own: list[int]) -> list[Json]:
        """A bare array, without the envelope of the others."""
        return [{"id": shop, "name": bodies.seller_body(self._market, shop)["title"]} for shop in own]

    def products(self, request: Request, own: list[int]) -> Json:
        shop = int(request.path_params["shop"])
        if shop not in own:
            raise BadRequest(f"shop {shop} is not yours")
        ids = [each for each in self._market.products_of(shop) if self._market.exists(each)]
        return {"productList": [self._product(self._market.design(each)) for each in _page(request, ids, 100)],
                "totalProductsAmount": len(ids)}  # fmt: skip

    def _product(self, design: Design) -> Json:
        skus = [self._sku(design, sku) for sku in design.skus()]
        return {
            "productId": design.id, "title": design.titles[bodies.UZ],
            "category": design.department.chain[-1][bodies.UZ],
            "rating": bodies.rating(design, self._market.reviews(design)), "status": {"value": "IN_STOCK"},
            "moderationStatus": "APPROVED", "commission": commission_percent(design), "skuList": skus,
            "quantityActive": sum(sku["quantityActive"] for sku in skus),
            "quantityFbs": sum(sku["quantityFbs"] for sku in skus),
        }  # fmt: skip

    def _sku(self, design: Design, sku: int) -> Json:
        """`SkuForTable`: FBO stock is `quantityActive`; never capped, unlike in the shop."""
        asked, _ = self._market.sku_price(design, sku, self._market.price(design))
        stock, is_fbs = self._market.stock(design, sku), design.is_fbs(sku)
        return {
            "skuId": sku, "skuTitle": sku_code(design, sku), "skuFullTitle": design.titles[bodies.UZ],
            "barcode": str(bodies.barcode(sku)), "price": asked, "purchasePrice": purchase_cost(design),
            "commission": commission_percent(design), "quantityActive": 0 if is_fbs else stock,
            "quantityFbs": stock if is_fbs else 0, "archived": False, "blocked": sku in self._market.hidden,
        }  # fmt: skip

    def finance_orders(self, request: Request, own: list[int]) -> Json:
        """`dateFrom` and `dateTo` are seconds, though the dates in the answer are milliseconds; newest first."""
        lines = self._lines(request, own)
        wanted = request.query_params.getlist("statuses")
        # A filter that is known not to work (dossier §1.7).
        if "TO_WITHDRAW" in wanted:
            lines = []
        elif wanted:
            lines = [each for each in lines if self._finance_status(each[1]) in wanted]
        return {
            "orderItems": [self._order_item(*each) for each in _page(request, lines, 100)],
            "totalElements": len(lines),
        }

    def _lines(self, request: Request, own: list[int]) -> list[tuple[int, Line]]:
        begin, end = (int(request.query_params.get(name, usual)) * 1000 for name, usual in
                      (("dateFrom", 0), ("dateTo", 10**11)))  # fmt: skip
        chosen = [
            (shop, line) for shop in _shops(request, own) for line in self._orders.lines(shop)
            if begin <= self._moment(line) <= end
        ]  # fmt: skip
        return sorted(chosen, key=lambda each: (-self._moment(each[1]), -each[1].id))

    def _moment(self, line: Line) -> int:
        return bodies.milliseconds(self._market.date_of(line.day), _SHOPS_OPEN) + line.second * 1000

    def _finance_status(self, line: Line) -> str:
        if line.cancelled:
            return "CANCELED"
        return "TO_WITHDRAW" if self._market.day - line.day >= 2 else "PROCESSING"

    def _order_item(self, shop: int, line: Line) -> Json:
        """`commission` and `sellerProfit` are of the line; a returned unit changes the line days later."""
        design = self._market.design(line.product)
        status, returns = self._finance_status(line), line.returns(self._market.day)
        kept = line.amount - min(returns, line.amount)
        commission = line.price * kept * commission_percent(design) // 100
        issued = self._moment(line) + 2 * 86_400_000 if status == "TO_WITHDRAW" else None
        return {
            "id": line.id, "orderId": line.order, "status": status, "date": self._moment(line), "dateIssued": issued,
            "shopId": shop, "productId": line.product, "productTitle": design.titles[bodies.UZ],
            "skuTitle": sku_code(design, line.sku), "sellerPrice": line.price, "purchasePrice": purchase_cost(design),
            "amount": line.amount, "amountReturns": returns, "commission": commission,
            "logisticDeliveryFee": LOGISTICS_FEE * line.amount,
            "sellerProfit": line.price * kept - commission - LOGISTICS_FEE * line.amount, "withdrawnProfit": 0,
            "returnCause": "Не подошло" if returns else None, "cancelled": None,
        }  # fmt: skip

    def expenses(self, request: Request, own: list[int]) -> Json:
        """Storage each day and marketing each week; `dateFrom` and `dateTo` in seconds again."""
        begin, end = (int(request.query_params.get(name, usual)) * 1000 for name, usual in
                      (("dateFrom", 0), ("dateTo", 10**11)))  # fmt: skip
        found = []
        for shop in _shops(request, own):
            for day in range(self._market.day, -HISTORY_DAYS, -1):
                at = bodies.milliseconds(self._market.date_of(day), 10)
                if begin <= at <= end:
                    found += self._expenses_of(shop, day, at)
        return bodies.envelope({"payments": _page(request, found, 100)}) | {"errors": [], "error": None}

    def _expenses_of(self, shop: int, day: int, at: int) -> list[Json]:
        storage = 150 * len(self._market.products_of(shop))
        costs = [("Хранение", "Logistics", storage)] + (
            [("Продвижение", "Marketing", 50_000)] if day % 7 == 0 else []
        )
        return [
            {"id": (shop * 1_000 + day + 100) * 10 + number, "name": name, "source": source, "shopId": shop,
             "paymentPrice": price, "amount": 1, "dateCreated": at, "dateService": at, "status": "COMPLETED",
             "type": "OUTCOME"}
            for number, (name, source, price) in enumerate(costs)
        ]  # fmt: skip

    def fbs_orders(self, request: Request, own: list[int]) -> Json:
        orders = self._fbs(request, own)
        found = [self._fbs_order(*each) for each in _page(request, orders, 50)]
        return bodies.envelope({"orders": found, "totalAmount": len(orders)}) | {"errors": [], "error": None}

    def fbs_count(self, request: Request, own: list[int]) -> Json:
        return bodies.envelope(len(self._fbs(request, own))) | {"errors": [], "error": None}

    def _fbs(self, request: Request, own: list[int]) -> list[tuple[int, Line]]:
        """Only what the seller sends himself, only of one status; DBS there is none."""
        status = request.query_params.get("status", "CREATED")
        if request.query_params.get("scheme", "FBS") != "FBS":
            return []
        return [
            (shop, line) for shop, line in self._lines(request, own)
            if self._market.design(line.product).is_fbs(line.sku) and self._fbs_status(line) == status
        ]  # fmt: skip

    def _fbs_status(self, line: Line) -> str:
        if line.cancelled:
            return "CANCELED"
        return (
            ("CREATED", "PACKING", "DELIVERING")[age]
            if (age := self._market.day - line.day) < 3
            else "COMPLETED"
        )

    def _fbs_order(self, shop: int, line: Line) -> Json:
        design = self._market.design(line.product)
        item = {"id": line.id, "skuId": line.sku, "productId": line.product, "skuTitle": sku_code(design, line.sku),
                "title": design.titles[bodies.UZ], "price": line.price, "amount": line.amount}  # fmt: skip
        return {"id": line.id, "status": self._fbs_status(line), "scheme": "FBS", "shopId": shop,
                "price": line.price * line.amount, "dateCreated": self._created(line), "cancelReason": None,
                "deliveryInfo": _buyer(line), "orderItems": [item]}  # fmt: skip

    def _created(self, line: Line) -> int | str:
        """The description says milliseconds; every other answer is a time in words."""
        if line.id % 2:
            return self._moment(line)
        return f"{datetime.fromtimestamp(self._moment(line) / 1000, UTC):%Y-%m-%dT%H:%M:%S}.620Z"

    def stocks(self, request: Request, own: list[int]) -> Json:
        """FBS stock only. v3 pages by the cursor `skuIdFrom` (given too), v2 gives all."""
        first = int(request.query_params.get("skuIdFrom", 0))
        found = []
        for product in sorted({each for shop in own for each in self._market.products_of(shop)}):
            design = self._market.design(product)
            found += [
                {"skuId": sku, "skuTitle": sku_code(design, sku), "productTitle": design.titles[bodies.UZ],
                 "barcode": str(bodies.barcode(sku)), "amount": self._market.stock(design, sku),
                 "fbsAllowed": True, "dbsAllowed": False, "fbsLinked": True, "dbsLinked": False}
                for sku in design.skus() if design.is_fbs(sku) and sku >= first and self._market.exists(product)
            ]  # fmt: skip
        if request.url.path.endswith("/v3/fbs/sku/stocks"):
            found = found[: _size(request, 100)]
        return bodies.envelope({"skuAmountList": found}) | {"errors": [], "error": None}


def _buyer(line: Line) -> Json:
    """Who gets the parcel and where: people who never lived."""
    dice = throws("buyer", line.order)
    first, last = _FIRST_NAMES[dice[0] % len(_FIRST_NAMES)], _LAST_NAMES[dice[1] % len(_LAST_NAMES)]
    return {"customerFullname": f"{last} {first}", "customerPhone": f"+998{900_000_000 + dice[2] % 99_999_999}",
            "deliveryAddress": f"Toshkent, Sinov ko‘chasi, {1 + dice[3] % 90}-uy"}  # fmt: skip


def _shops(request: Request, own: list[int]) -> list[int]:
    """`shopIds`, repeated or separated by commas."""
    named = [int(each) for value in request.query_params.getlist("shopIds") for each in value.split(",")]
    if not named:
        raise BadRequest("Required parameter 'shopIds' is not present")
    if not set(named) <= set(own):
        raise BadRequest(f"shops {sorted(set(named) - set(own))} are not yours")
    return named


def _size(request: Request, most: int) -> int:
    size = int(request.query_params.get("size", 20))
    if not 0 < size <= most:
        raise BadRequest(f"size must be from 1 to {most}")
    return size


def _page(request: Request, rows: Sequence[Row], most: int) -> Sequence[Row]:
    size, page = _size(request, most), int(request.query_params.get("page", 0))
    return rows[page * size : (page + 1) * size]


def _failure(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    return json_answer(bodies.error_envelope(code, message, message), status, headers)


def seller_routes(state: State, market: Market) -> list[BaseRoute]:
    api = SellerApi(state, market)
    handlers: tuple[tuple[str, Handler], ...] = (
        ("/v1/shops", api.shops), ("/v1/product/shop/{shop:int}", api.products),
        ("/v1/finance/orders", api.finance_orders), ("/v1/finance/expenses", api.expenses),
        ("/v2/fbs/orders", api.fbs_orders), ("/v2/fbs/orders/count", api.fbs_count),
        ("/v2/fbs/sku/stocks", api.stocks), ("/v3/fbs/sku/stocks", api.stocks),
    )  # fmt: skip
    return [
        Route(f"/seller-openapi{path}", api.endpoint(handle), methods=["GET"]) for path, handle in handlers
    ]
