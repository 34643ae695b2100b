"""Uzum as data: its endpoints and the pages of the seller's API (Uzum dossier §1); what is kept stands in `kept.py`.

Left out, and why: seller pages (each product carries its whole seller), REST search and category listings (answer
404 or stop at 10,000), `seo` (repeats half the bytes).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.kept import Kept
from pipelines.sources.uzum import kept

PRODUCT = "/api/v2/product/{id}"
CATEGORIES = "/api/main/root-categories"

CATEGORY_NOISE = ("children", "icon", "iconSvg", "iconLink", "seoMetaTag", "seoHeader")

MISSING_CODES = ("not-found", "not_found")
"""In the `code` of an error: the record is not there (dossier §1.4)."""
BUSY_WORDS = ("429", "too many requests")
SMALL_BODY = 8_192
"""Answers without a product are this small; larger ones are not looked into."""

REVIEWS = "/api/product/{id}/reviews"
REVIEW_PAGE = 20
REVIEW_PAGES = 50

SEARCH_SORTS = ("BY_RELEVANCE_DESC", "BY_ORDERS_NUMBER_DESC")
SEARCH_PAGE = 48
SEARCH_PAGES = 2
SEARCH_HEADERS = {"apollographql-client-name": "web-customers"}
SEARCH_QUERY = (
    "query getMakeSearch($queryInput: MakeSearchQueryInput!) { makeSearch(query: $queryInput) "
    "{ items { catalogCard { ... on ProductCard { productId } ... on SkuGroupCard { productId } } } total } }"
)

SELLER_LIMIT_HEADER = ("x-ratelimit-replenish-rate", 1.0)
"""Requests per second that the seller's API gives back (dossier §1.7)."""
SHOPS = "/v1/shops"


@dataclass(frozen=True)
class SellerList:
    """A paged list of the seller's API. `rows` is the field of the rows, "" for a bare array; `{shop}` in paths."""

    name: str
    path: str
    rows: str
    key: str
    page_size: int
    kept: Kept | None = None
    by_day: bool = False
    """Takes `dateFrom` in seconds, although it answers milliseconds."""


SELLER_LISTS = (
    SellerList("seller_products", "/v1/product/shop/{shop}", "productList", "productId", 50),
    SellerList("seller_orders", "/v1/finance/orders", "orderItems", "id", 20, kept.SELLER_ORDER, by_day=True),
    SellerList("seller_expenses", "/v1/finance/expenses", "payments", "id", 20, by_day=True),
    SellerList("seller_fbs_orders", "/v2/fbs/orders", "orders", "id", 20, kept.FBS_ORDER),
    SellerList("seller_stocks", "/v2/fbs/sku/stocks", "skuAmountList", "skuId", 100),
)
FBS_STATUSES = (
    "CREATED", "PACKING", "PENDING_DELIVERY", "DELIVERING", "DELIVERED", "ACCEPTED_AT_DP",
    "DELIVERED_TO_CUSTOMER_DELIVERY_POINT", "COMPLETED", "CANCELED", "PENDING_CANCELLATION", "RETURNED",
)  # fmt: skip
"""The list answers one status at a time, CREATED if none is given."""
LOOK_BACK_DAYS = 60
"""Orders and expenses of so many days are read each time: returns and payouts come late."""
