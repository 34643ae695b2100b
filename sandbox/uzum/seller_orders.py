"""What a seller sees of his sales: order lines, exactly the units of the day records, and what they cost him."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.chance import throws
from sandbox.uzum.design import Design, price_on
from sandbox.uzum.market import Market

HISTORY_DAYS = 14
LOGISTICS_FEE = 4_000


@dataclass(frozen=True, slots=True)
class Line:
    """One order line. The units of all lines of a day and SKU are what it sold; cancelled lines have none."""

    id: int
    day: int
    second: int
    sku: int
    price: int
    amount: int
    cancelled: bool
    returned_after: int
    """Days until a unit comes back; 0: never."""

    @property
    def product(self) -> int:
        return self.sku // 100

    def returns(self, today: int) -> int:
        return 1 if 0 < self.returned_after <= today - self.day else 0

    @property
    def order(self) -> int:
        """Two lines may be of one order."""
        return 900_000_000 + self.id - self.id % 2


def sku_code(design: Design, sku: int) -> str:
    """The seller's own code; the finance list calls it `skuTitle`."""
    return f"{design.department.noun[0][:3].upper()}-{design.id}-{sku % 100}"


def commission_percent(design: Design) -> int:
    return 8 + len(design.department.chain[0][0]) % 5 * 3


def purchase_cost(design: Design) -> int:
    """What the seller paid for a unit."""
    return design.base_price * (50 + design.dice[13] % 25) // 100


class SellerOrders:
    """Order lines by shop; made anew when the market has moved."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._made: dict[int, tuple[object, list[Line]]] = {}

    def lines(self, shop: int) -> list[Line]:
        """Oldest first. Days 1 and later follow the day records; the two weeks before them follow the plan."""
        version = self._market.version
        if shop not in self._made or self._made[shop][0] != version:
            self._made[shop] = version, list(self._make(shop))
        return self._made[shop][1]

    def _make(self, shop: int) -> Iterator[Line]:
        sales: dict[int, list[tuple[int, int, int]]] = {}
        products = set(self._market.products_of(shop))
        for product in sorted(products):
            for day, sku, units, price in self._past_sales(product):
                sales.setdefault(day, []).append((sku, units, price))
        for record in self._market.records():
            of_shop = [
                (row[0], row[2], row[8]) for row in record.get("skus", ()) if row[2] and row[1] in products
            ]
            sales.setdefault(record["day"], []).extend(of_shop)
        for day in sorted(sales):
            number = 0
            for sku, units, price in sales[day]:
                for line in self._split(shop, day, number, sku, units, price):
                    yield line
                    number += 1

    def _past_sales(self, product: int) -> Iterator[tuple[int, int, int, int]]:
        """Never more than the public counter already holds on day 0."""
        design = self._market.design(product)
        left, skus = design.orders, design.skus()
        for day in range(0, -HISTORY_DAYS, -1):
            dice = throws(self._market.seed, "past", product, day)
            units = min(left, int(design.popularity + dice[0] / 2**32))
            if units:
                sku = skus[dice[1] % len(skus)]
                asked, _ = self._market.sku_price(design, sku, price_on(self._market.seed, design, day))
                left -= units
                yield day, sku, units, asked

    def _split(self, shop: int, day: int, number: int, sku: int, units: int, price: int) -> Iterator[Line]:
        """One or two units a line, and after one line in thirty a cancelled one."""
        first = (shop * 1_000 + day + 100) * 100_000 + number
        while units > 0:
            dice = throws(self._market.seed, "line", first)
            amount = min(units, 1 + (dice[0] % 4 == 0))
            returned_after = 3 + dice[1] % 5 if dice[2] % 40 == 0 else 0
            yield Line(first, day, dice[3] % 43_200, sku, price, amount, False, returned_after)
            first, units = first + 1, units - amount
            if dice[4] % 30 == 0:
                yield Line(first, day, dice[5] % 43_200, sku, price, 0, True, 0)
                first += 1
