"""The market as it is now: the design of day 0 plus what the day records changed.

Nothing changes but by a record, and the records are kept: they are the ground truth, and a restart replays
them. What a record does not name is as it was designed, so a world of 20,000 ids costs nothing to make.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from sandbox.dated_world import DatedWorld
from sandbox.state import Document, State
from sandbox.uzum.design import (
    Design,
    Price,
    design_of,
    exists_by_design,
    missing_kind,
    price_on,
    sellers_at_first,
    sku_price,
)

SKU_COLUMNS = ("sku", "product", "sold", "unmet", "restocked", "stock_before", "stock_end",
               "price_before", "price_after", "full_price_before", "full_price_after")  # fmt: skip
PRODUCT_COLUMNS = ("product", "sold", "corrected", "orders_before", "orders_end", "reviews_added")


class Market(DatedWorld):
    """`ids` is the size of the id universe on day 0. Made when first asked for and found empty."""

    def __init__(self, state: State, *, ids: int, seed: int) -> None:
        self._default = {"ids": ids, "seed": seed}
        self._about = state.collection("uzum/default/about")
        self._records = state.collection("uzum/default/records")
        self._is_open = False

    def found(self, *, ids: int | None = None, seed: int | None = None, began: date | None = None) -> None:
        """Begin anew. `began` is the date of day 0; without one it is today."""
        self._records.clear()
        world = self._default | {
            name: value for name, value in (("ids", ids), ("seed", seed)) if value is not None
        }
        self._about.put("world", world | {"began": (began or datetime.now(UTC).date()).isoformat()})
        self._open()

    def ready(self) -> Market:
        """Itself, after making the world if there is none or a reset emptied it."""
        if "world" not in self._about:
            self.found()
        elif not self._is_open:
            self._open()
        return self

    def _open(self) -> None:
        self._is_open = True
        world = self._about.get("world") or {}
        self.ids, self.seed = int(world["ids"]), int(world["seed"])
        self.began = date.fromisoformat(world["began"])
        self.day, self.last_id = 0, self.ids
        self.sellers = sellers_at_first(self.ids)
        self.vanished: dict[int, int] = {}
        self.hidden: set[int] = set()
        self.stocks: dict[int, int] = {}
        self.new_reviews: dict[int, list[int]] = {}
        self._orders: dict[int, int] = {}
        self._new: dict[int, int] = {}
        self._seller_orders: dict[int, int] = {}
        self._set_prices: dict[int, tuple[int, int | None]] = {}
        self._of_seller: dict[int, list[int]] | None = None
        for record in self._records.values():
            self._apply(record)

    def record(self, record: Document) -> None:
        """Keep what happened, and let it have happened."""
        self._records.put(f"{len(self._records):06}", record)
        self._apply(record)

    @property
    def version(self) -> tuple[object, ...]:
        """Another one whenever anything changed."""
        return self.began, self.seed, self.ids, len(self._records)

    def records(self) -> list[Document]:
        return self._records.values()

    def _apply(self, record: Document) -> None:
        self.day = record["day"]
        self.last_id = record.get("last_id", self.last_id)
        self.sellers += len(record.get("new_sellers", ()))
        for product, seller in record.get("new", ()):
            self._new[product] = seller
            if self._of_seller is not None:
                self._of_seller.setdefault(seller, []).append(product)
        for row in record.get("skus", ()):
            self.stocks[row[0]] = row[6]
        for product, sold, _, _, orders_end, reviews in record.get("products", ()):
            self._orders[product] = orders_end
            seller = self.seller_of(self.design(product))
            self._seller_orders[seller] = self._seller_orders.get(seller, 0) + sold
            if reviews:
                self.new_reviews.setdefault(product, []).extend([self.day] * reviews)
        self.vanished |= dict.fromkeys(record.get("vanished", ()), self.day)
        for product in record.get("returned", ()):
            self.vanished.pop(product, None)
        self.hidden |= set(record.get("hidden_skus", ()))
        self.hidden -= set(record.get("shown_skus", ()))
        for sku, asked, full in record.get("set_prices", ()):
            if asked is None:
                self._set_prices.pop(sku, None)
            else:
                self._set_prices[sku] = asked, full

    def exists(self, product_id: int) -> bool:
        if product_id in self.vanished or not 0 < product_id <= self.last_id:
            return False
        return product_id in self._new if product_id > self.ids else exists_by_design(self.seed, product_id)

    def missing_kind(self, product_id: int) -> str:
        return missing_kind(self.seed, product_id)

    def design(self, product_id: int) -> Design:
        return design_of(self.seed, product_id, self.ids)

    def designs(self) -> Iterator[Design]:
        """Every product that is there, in order of ids."""
        for product_id in range(1, self.last_id + 1):
            if self.exists(product_id):
                yield self.design(product_id)

    def seller_of(self, design: Design) -> int:
        return self._new.get(design.id, design.seller)

    def products_of(self, seller: int) -> list[int]:
        """Ids, vanished ones among them; the index is made when first asked for."""
        if self._of_seller is None:
            self._of_seller = {}
            for product_id in range(1, self.last_id + 1):
                if product_id in self._new or (
                    product_id <= self.ids and exists_by_design(self.seed, product_id)
                ):
                    self._of_seller.setdefault(self.seller_of(self.design(product_id)), []).append(product_id)
        return self._of_seller.get(seller, [])

    def orders(self, design: Design) -> int:
        return self._orders.get(design.id, design.orders)

    def seller_orders(self, seller: int) -> int:
        return 1_000 + seller * 7919 % 50_000 + self._seller_orders.get(seller, 0)

    def reviews(self, design: Design) -> int:
        return design.reviews + len(self.new_reviews.get(design.id, ()))

    def stock(self, design: Design, sku: int) -> int:
        """What is really there, uncapped."""
        held = self.stocks.get(sku)
        return design.first_stock(sku) if held is None else held

    def price(self, design: Design, day: int | None = None) -> Price:
        return price_on(self.seed, design, self.day if day is None else day)

    def sku_price(self, design: Design, sku: int, price: Price) -> tuple[int, int | None]:
        return self._set_prices.get(sku) or sku_price(design, sku, price)

    def visible_skus(self, design: Design) -> list[int]:
        return [sku for sku in design.skus() if sku not in self.hidden]
