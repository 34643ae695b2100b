"""UZEX as data: its lists with their windows, its details (Uzum dossier §2); what is kept of them stands in `kept.py`.

Left out, and why: procurement plans (dead since 2022), civil contracts and medicines (one report each that they
exist), the portals' own HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class RankList:
    """A list by ranks (`POST`), newest first. `window` says what its last rank means (dossier §2.2)."""

    name: str
    module: Literal["auction", "shop", "purchase", "etender"]
    path: str
    keys: tuple[str, ...]
    """The first of these fields that a row has is its key."""
    window: Literal["inclusive", "exclusive", "fixed"]
    rows: int = 200
    """Rows asked for at once."""
    overlap: int = 5
    body: Mapping[str, Any] = field(default_factory=dict)
    variants: tuple[Mapping[str, Any], ...] = ({},)
    """Further conditions, of which each is a list of its own with the same rows."""
    ranks: tuple[str, str] = ("from", "to")
    date: str = ""
    """Read down to the newest date already known, less the look-back; whole, if a row has no such date."""
    holds: Mapping[str, Any] = field(default_factory=dict)
    """Rows that say otherwise are not ours: the server may ignore a filter."""


XARID = "/Common/"
ETENDER = "/api/common/"
_SHOP = {"region_ids": [], "display_on_shop": 1, "display_on_national": 0}
_NATIONAL = {"region_ids": [], "display_on_shop": 0, "display_on_national": 1}

LISTS = (
    RankList("auction_deals", "auction", XARID + "GetCompletedDeals", ("deal_id", "lot_id"), "exclusive",
             body={"region_ids": []}, date="deal_date"),
    RankList("auction_lots", "auction", XARID + "GetMinimizedLotsList", ("id",), "inclusive",
             body={"region_ids": []}),
    RankList("shop_deals", "shop", XARID + "GetCompletedDeals", ("deal_id", "lot_id", "id"), "inclusive",
             body=_SHOP, date="deal_date", holds={"display_on_shop": 1}),
    RankList("national_deals", "shop", XARID + "GetCompletedDeals", ("deal_id", "lot_id", "id"), "inclusive",
             body=_NATIONAL, date="deal_date", holds={"display_on_national": 1}),
    RankList("shop_lots", "shop", XARID + "GetNotCompletedDeals", ("id",), "inclusive", body=_SHOP),
    RankList("competitions", "purchase", XARID + "GetCompetitions", ("id",), "inclusive"),
    RankList("direct_purchases", "purchase", XARID + "GetDirectPurchases", ("id",), "inclusive",
             date="contract_date"),
    RankList("etender_deals", "etender", ETENDER + "DealsList", ("deal_id",), "exclusive",
             body={"System_Id": 0}, ranks=("From", "To"), date="deal_date"),
    RankList("etender_failed", "etender", ETENDER + "NotDealedList", ("trade_id", "id"), "exclusive",
             body={"System_Id": 0}, ranks=("From", "To"), date="end_date"),
    RankList("etender_lots", "etender", ETENDER + "TradeList", ("id",), "inclusive",
             body={"System_Id": 0}, variants=({"typeid": 1}, {"typeid": 2})),
    RankList("offers", "shop", XARID + "GetOffersList", ("id",), "fixed", rows=12, overlap=1, date="date_ini"),
)  # fmt: skip

DEAL_DATE_FORMS = ("%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y")
"""Forms of times beside ISO; offers have the American one."""
WINDOWS_PER_SLICE = 20
"""Windows landed together; a killed load repeats at most so many."""
IDLE_WINDOWS = 3
"""So many windows without a row that is new, and the ranks are not heeded: the list is at its end."""


@dataclass(frozen=True)
class Detail:
    """What a single record gives beyond its row (`GET`). `parents`: lists and the field that holds its number."""

    name: str
    module: Literal["auction", "shop", "purchase", "etender"]
    path: str
    parents: tuple[tuple[str, str], ...]
    key: str = "id"


DETAILS = (
    Detail("auction_deal_items", "auction", XARID + "GetCompletedDealProducts/{id}",
           (("auction_deals", "lot_id"),), key="lot_id"),
    Detail("competition_details", "purchase", XARID + "GetCompetition/{id}", (("competitions", "id"),)),
    Detail("direct_details", "purchase", XARID + "GetDirectPurchase/{id}", (("direct_purchases", "id"),)),
    Detail("shop_lot_details", "shop", XARID + "GetLot/{id}", (("shop_lots", "id"),)),
    Detail("etender_details", "etender", ETENDER + "GetTrade/{id}/0",
           (("etender_lots", "id"), ("etender_deals", "trade_id"), ("etender_failed", "trade_id"))),
)  # fmt: skip

JSON_TEXTS = (
    "budget_products",
    "products",
    "winners_id",
    "winners_ids",
    "js_details",
    "js_fields",
    "js_files",
)
"""Fields that may hold their JSON as a string."""

REFERENCES = {"regions": "/Lib/GetRegions", "categories": "/Lib/GetCategories"}

REFUSALS = (b"Missing User-Agent header", b"Not Valid")
"""In the body of a 500: the source does not want us (dossier §2.3). Never tried again, never gone around."""
NO_DATA = (b"ORA-01403", b"no data found")
"""In the body of a 500: there is nothing, which is no failure."""
