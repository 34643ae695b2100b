"""The lists: which procedures, which window, which filters the server heeds (dossier §2.2)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sandbox.chance import throws
from sandbox.state import Document, Switches
from sandbox.uzex import details, rows
from sandbox.uzex.exchange import Exchange, Lot
from sandbox.uzex.subject import subject_of, typed_by_buyer
from sandbox.uzex.things import RU, category_id, category_name

Json = dict[str, Any]
Row = Callable[[Exchange, Lot, int], Json]
Test = Callable[[Exchange, Lot, Any], bool]
FIXED_PAGE = 12


@dataclass(frozen=True)
class Listing:
    """A list. `window`: is the last rank given, left out, or is a page always of 12; `names` of its two ranks."""

    kind: str
    status: Literal["all", "open", "deals", "failed"]
    row: Row
    window: Literal["inclusive", "exclusive", "fixed"]
    names: tuple[str, str] = ("from", "to")
    filters: tuple[str, ...] = ()
    ordered: bool = True
    numbered: bool = True


LISTS: dict[str, Listing] = {
    "auction/Common/GetCompletedDeals": Listing(
        "auction",
        "deals",
        rows.auction_deal,
        "exclusive",
        ordered=False,
        filters=("lot_id", "inn", "customer_name", "category_id"),
    ),
    "auction/Common/GetNotCompletedDeals": Listing(
        "auction", "failed", rows.failed_auction, "exclusive", ordered=False
    ),
    "auction/Common/GetNotCompletedLots": Listing(
        "auction", "failed", rows.failed_auction, "exclusive", ordered=False
    ),
    "auction/Common/GetMinimizedLotsList": Listing(
        "auction", "open", rows.auction_lot, "inclusive", filters=("category_id",)
    ),
    "shop/Common/GetCompletedDeals": Listing(
        "shop", "deals", rows.shop_deal, "inclusive", filters=("product_code", "category_id")
    ),
    "shop/Common/GetNotCompletedDeals": Listing("shop", "open", rows.shop_lot, "inclusive"),
    "shop/Common/GetOffersList": Listing(
        "offer", "all", rows.offer, "fixed", filters=("category_id", "product_code"), numbered=False
    ),
    "purchase/Common/GetCompetitions": Listing(
        "competition", "all", rows.competition, "inclusive", filters=("category_id",)
    ),
    "purchase/Common/GetDirectPurchases": Listing(
        "direct", "all", rows.direct_purchase, "inclusive", filters=("category_id",)
    ),
    "purchase/Common/GetProcurementPlans": Listing("plan", "all", rows.plan, "inclusive"),
    "purchase/Common/GetProcurementNotices": Listing("plan", "all", rows.plan, "inclusive"),
    "purchase/Common/GetProcurementAnnouncements": Listing("plan", "all", rows.plan, "inclusive"),
    "etender/api/common/TradeList": Listing(
        "etender", "open", rows.etender_open, "inclusive", filters=("typeid",)
    ),
    "etender/api/common/DealsList": Listing(
        "etender", "deals", rows.etender_deal, "exclusive", ("From", "To"), ("Keyword", "TypeId")
    ),
    "etender/api/common/NotDealedList": Listing(
        "etender", "failed", rows.etender_failed, "exclusive", ("From", "To"), ("Keyword",)
    ),
    "etender/api/CivilContracts/GetResulted": Listing("civil", "deals", rows.civil_contract, "inclusive"),
    "etender/api/CivilContracts/GetNotResulted": Listing("civil", "failed", rows.civil_contract, "inclusive"),
}

FILTERS: dict[str, Test] = {
    "lot_id": lambda _, lot, value: lot.id == value,
    "inn": lambda exchange, lot, value: (
        value in (subject_of(exchange, lot).buyer.inn, subject_of(exchange, lot).supplier.inn)
    ),
    "customer_name": lambda exchange, lot, value: (
        str(value).lower() in subject_of(exchange, lot).buyer.name.lower()
    ),
    "category_id": lambda exchange, lot, value: category_id(subject_of(exchange, lot).category) == value,
    "product_code": lambda exchange, lot, value: subject_of(exchange, lot).items[0].good.code == value,
    "Keyword": lambda exchange, lot, value: (
        str(value).lower() in typed_by_buyer(lot, subject_of(exchange, lot).items[0], RU).lower()
    ),
    "typeid": lambda exchange, lot, value: (
        details.trade_type(subject_of(exchange, lot)) == {1: "Отбор", 2: "Тендер"}.get(value)
    ),
    "TypeId": lambda _exchange, _lot, value: bool(value != 0),
}


def window_rows(
    exchange: Exchange, listing: Listing, asked: Document, language: int, switches: Switches
) -> list[Json]:
    """One window of a list, newest first. Ranks under other names than the list's own are not seen."""
    kind = listing.kind
    if kind == "shop" and asked.get("display_on_national"):
        kind = "national"
    lots: list[Lot] = (
        exchange.deals_shown_in(kind)
        if listing.status == "deals"
        else getattr(exchange.books[kind], listing.status)
    )
    if switches["uzex.filters"] == "some":
        for name in listing.filters:
            if asked.get(name) is not None:
                lots = [lot for lot in lots if FILTERS[name](exchange, lot, asked[name])]
    first, last = _ranks(listing, asked, switches)
    total = len(lots) + _drift(first, int(switches["uzex.total_drift"]))
    found = []
    for rank in range(first, min(last, len(lots)) + 1):
        row = listing.row(exchange, lots[-rank], language)
        found.append(row | {"rn": rank if listing.numbered else 0, "total_count": total})
    if not listing.ordered:
        random.Random(first * 31 + len(lots)).shuffle(found)
    for _ in range(switches["uzex.rank_shift"]):
        exchange.push(kind, ended=listing.status == "deals")
    return found


def _drift(first: int, most: int) -> int:
    """`total_count` moves between the windows of one reading."""
    return throws("drift", first)[0] % (2 * most + 1) - most


def _ranks(listing: Listing, asked: Document, switches: Switches) -> tuple[int, int]:
    """First and last rank, both given."""
    first = max(1, int(asked.get(listing.names[0]) or 1))
    last = int(asked.get(listing.names[1]) or first + 9 + (listing.window == "exclusive"))
    if listing.window == "fixed":
        return first, first + FIXED_PAGE - 1
    if listing.window == "exclusive":
        last -= 1
    if listing.kind in ("competition", "direct", "plan"):
        first = max(1, first - int(switches["uzex.purchase_overlap"]))
    return first, last


def category_rows(language: int, count: int) -> list[Json]:
    return [{"id": category_id(index), "name": category_name(index, language)} for index in range(count)]
