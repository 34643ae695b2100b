"""One day of the market, written as a record: who bought what, what came in, what it cost, what came and went."""

from __future__ import annotations

import math
import random
from collections import Counter

from sandbox.state import Document
from sandbox.uzum.design import Design, Price
from sandbox.uzum.market import Market

COUNTS = ("new", "new_sellers", "vanished", "returned", "corrected", "hidden_skus", "shown_skus")
# Monday to Sunday.
_WEEK = (0.9, 0.85, 0.9, 1.0, 1.1, 1.3, 1.2)


def next_day(market: Market, wanted: Document) -> Document:
    """Make the next day's record, keep it and give it. `wanted` sets the number of events of a kind in `COUNTS`.

    The same seed, universe, days before and `wanted` give the same day. Raises ValueError for an unknown kind.
    """
    unknown = sorted(set(wanted) - set(COUNTS))
    if unknown:
        raise ValueError(f"unknown kinds {unknown}; known: {', '.join(COUNTS)}")
    record = Day(market, wanted).record()
    market.record(record)
    return record


class Day:
    """The making of one day. Only `record` is called from outside."""

    def __init__(self, market: Market, wanted: Document) -> None:
        self._market = market
        self._wanted = wanted
        self._day = market.day + 1
        self._date = market.date_of(self._day)
        self._random = random.Random(f"{market.seed}/{self._day}")
        self._rows: dict[int, list[int | None]] = {}
        self._sold: Counter[int] = Counter()

    def record(self) -> Document:
        designs = list(self._market.designs())
        for design in designs:
            self._trade(design)
        self._restock()
        corrected = self._corrections(designs)
        newcomers = self._newcomers()
        return {
            "day": self._day, "date": self._date.isoformat(),
            "skus": list(self._rows.values()),
            "products": [self._product_row(each, corrected.get(each, 0)) for each in sorted({*self._sold, *corrected})],
            "vanished": self._picked([each.id for each in designs], "vanished", max(1, len(designs) // 400)),
            "returned": self._picked(sorted(self._market.vanished), "returned", (len(self._market.vanished) + 2) // 4),
            **self._sku_visibility(designs), **newcomers,
        }  # fmt: skip

    def _count(self, kind: str, usual: int) -> int:
        return int(self._wanted.get(kind, usual))

    def _picked(self, candidates: list[int], kind: str, usual: int) -> list[int]:
        return sorted(self._random.sample(candidates, min(len(candidates), self._count(kind, usual))))

    def _row(self, design: Design, sku: int, before: Price, after: Price) -> list[int | None]:
        """Columns: `market.SKU_COLUMNS`."""
        if sku not in self._rows:
            stock = self._market.stock(design, sku)
            asked_before, full_before = self._market.sku_price(design, sku, before)
            asked, full = self._market.sku_price(design, sku, after)
            self._rows[sku] = [sku, design.id, 0, 0, 0, stock, stock, asked_before, asked, full_before, full]
        return self._rows[sku]

    def _trade(self, design: Design) -> None:
        before, after = self._market.price(design, self._day - 1), self._market.price(design, self._day)
        if (before.asked, before.full) != (after.asked, after.full):
            for sku in design.skus():
                row = self._row(design, sku, before, after)
                if (row[7], row[9]) == (row[8], row[10]):
                    del self._rows[sku]
        units = self._poisson(self._demand(design, after))
        skus = self._market.visible_skus(design) if units else []
        if not skus:
            return
        for sku, asked in Counter(
            self._random.choices(skus, [design.share(sku) for sku in skus], k=units)
        ).items():
            row = self._row(design, sku, before, after)
            sold = min(asked, int(row[5] or 0))
            row[2], row[3], row[6] = sold, asked - sold, int(row[5] or 0) - sold
            if sold:
                self._sold[design.id] += sold

    def _demand(self, design: Design, price: Price) -> float:
        """Popularity, moved by the day of the week, the season of its department, and the price."""
        season = 1 + 0.3 * math.sin(
            2 * math.pi * (self._date.timetuple().tm_yday / 365 + len(design.department.noun[0]) / 9)
        )
        return design.popularity * _WEEK[self._date.weekday()] * season * price.uplift

    def _poisson(self, mean: float) -> int:
        if mean > 30:
            return max(0, round(self._random.gauss(mean, math.sqrt(mean))))
        floor, product, events = math.exp(-mean), self._random.random(), 0
        while product > floor:
            product *= self._random.random()
            events += 1
        return events

    def _restock(self) -> None:
        """After the sales: one in three that ran low today or before gets a delivery."""
        low = {sku for sku, stock in self._market.stocks.items() if stock <= 2} - set(self._rows)
        low |= {sku for sku, row in self._rows.items() if int(row[6] or 0) <= 2}
        for sku in sorted(low):
            design = self._market.design(sku // 100)
            if not self._market.exists(design.id) or self._random.random() > 0.35:
                continue
            row = self._row(
                design, sku, self._market.price(design, self._day - 1), self._market.price(design, self._day)
            )
            delivered = 5 + self._random.randrange(20) + int(design.popularity * 14)
            row[4], row[6] = delivered, int(row[6] or 0) + delivered

    def _corrections(self, designs: list[Design]) -> dict[int, int]:
        """Orders taken back from the public counter: by product, how far it drops."""
        counted = [each.id for each in designs if self._market.orders(each) > 10]
        chosen = self._picked(counted, "corrected", max(1, len(counted) // 500))
        return {
            each: 1 + self._market.orders(self._market.design(each)) * self._random.randrange(1, 10) // 100
            for each in chosen
        }

    def _product_row(self, product_id: int, corrected: int) -> list[int]:
        """Columns: `market.PRODUCT_COLUMNS`."""
        sold = self._sold[product_id]
        before = self._market.orders(self._market.design(product_id))
        reviews = sum(self._random.random() < 0.15 for _ in range(sold))
        return [product_id, sold, corrected, before, before + sold - corrected, reviews]

    def _sku_visibility(self, designs: list[Design]) -> Document:
        many = [
            sku
            for each in designs
            if each.sku_count > 1
            for sku in each.skus()
            if sku not in self._market.hidden
        ]
        return {
            "hidden_skus": self._picked(many, "hidden_skus", max(1, len(many) // 600)),
            "shown_skus": self._picked(sorted(self._market.hidden), "shown_skus", (len(self._market.hidden) + 1) // 3),
        }  # fmt: skip

    def _newcomers(self) -> Document:
        """New ids lie above the highest, with gaps; the first of them may belong to a seller who began today."""
        sellers = [
            self._market.sellers + 1 + each for each in range(self._count("new_sellers", self._day % 2))
        ]
        new: list[list[int]] = []
        last = self._market.last_id
        for turn in range(self._count("new", max(2, self._market.ids // 400))):
            last += 1 + (self._random.random() < 0.24)
            seller = sellers[turn] if turn < len(sellers) else self._market.design(last).seller
            new.append([last, seller])
        return {"new": new, "new_sellers": sellers, "last_id": last}
