"""What a procedure is about: buyer, supplier, goods and money; all from the seed and its number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sandbox.chance import throws
from sandbox.uzex.exchange import Exchange, Lot
from sandbox.uzex.things import CATEGORY_COUNT, UZ, Good, Organisation, buyer, good, in_cyrillic, supplier


@dataclass(frozen=True, slots=True)
class Item:
    """One line. `start_price` is a multiple of 50, so that each 2 % step is a whole number."""

    good: Good
    quantity: int
    start_price: int
    price: int

    @property
    def cost(self) -> int:
        return self.quantity * self.price


@dataclass(frozen=True, slots=True)
class Subject:
    """`steps` are 2 % price steps: deal_cost = start_cost * (1 - 0.02 * steps) exactly."""

    category: int
    buyer: Organisation
    supplier: Organisation
    items: tuple[Item, ...]
    steps: int
    is_budget: bool
    dice: tuple[int, ...]

    @property
    def start_cost(self) -> int:
        return sum(item.quantity * item.start_price for item in self.items)

    @property
    def deal_cost(self) -> int:
        return sum(item.cost for item in self.items)

    @property
    def is_foreign(self) -> bool:
        """Priced in dollars: a sum over currencies is wrong."""
        return self.dice[11] % 40 == 0


def typed_by_buyer(lot: Lot, item: Item, language: int) -> str:
    """A name or description. One buyer in five writes Uzbek in Cyrillic, whatever language is asked for."""
    return in_cyrillic(item.good.names[UZ]) if lot.number % 5 == 0 else item.good.names[language]


def subject_of(exchange: Exchange, lot: Lot) -> Subject:
    return _subject(exchange.seed, exchange.lots, lot.kind, lot.number)


@lru_cache(maxsize=60_000)
def _subject(seed: object, lots: int, kind: str, number: int) -> Subject:
    dice = throws(seed, "subject", kind, number)
    category = dice[0] % CATEGORY_COUNT
    buyer_number = 1 + int(max(8, lots // 15) * (dice[1] / 2**32) ** 2)
    # One award in four goes to the buyer's favourite.
    draw = throws(seed, "favourite", buyer_number)[0] if dice[2] % 4 == 0 else dice[3]
    supplier_number = 1 + draw % max(12, lots // 8)
    steps = (0, 1, 1, 2, 3, 5, 8, 13, 21, 35)[dice[4] % 10]
    count = 1 + dice[5] % 3 if kind in ("auction", "competition", "etender", "direct") else 1
    items = tuple(_item(seed, category, kind, number, order, steps, dice[6]) for order in range(1, count + 1))
    return Subject(
        category,
        buyer(seed, buyer_number),
        supplier(seed, supplier_number),
        items,
        steps,
        dice[7] % 3 > 0,
        dice,
    )


def _magnitude(kind: str, number: int) -> tuple[int, int]:
    """What quantity and price are multiplied by: tenders and competitions come to 10^9 and 10^12, few auctions do."""
    if kind in ("etender", "competition"):
        return (1, 100, 1_000)[number % 3], (1, 10)[number % 2]
    return (1_000, 10) if kind == "auction" and number % 20 == 0 else (1, 1)


def _item(seed: object, category: int, kind: str, number: int, order: int, steps: int, draw: int) -> Item:
    dice = throws(seed, "item", kind, number, order)
    thing = good(seed, category, dice[0])
    # One lot in thirty is priced far from what its goods usually cost.
    odd = 3 if draw % 30 == 0 else 1
    fiftieth = max(1, thing.price * odd * (85 + dice[1] % 31) // 100 // 50)
    many, dear = _magnitude(kind, number)
    return Item(thing, (1 + dice[2] % 60) * many, fiftieth * 50 * dear, fiftieth * (50 - steps) * dear)
