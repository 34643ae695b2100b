"""What never changes about a product, a seller and a price plan: all of it follows from the seed and the id."""

from dataclasses import dataclass
from functools import lru_cache

from sandbox.chance import throws
from sandbox.uzum.departments import BRANDS, COLOURS, DEPARTMENTS, MEMORIES, SIZES, Department

MISSING_KINDS = ("404", "payload_null", "data_null", "no_title")
CYCLE_DAYS = 28
WIDE = tuple(range(len(COLOURS))), tuple(str(size) for size in range(34, 50))
"""Options of one product in 150: 96 SKUs, which change together. An id has room for 99."""


@dataclass(frozen=True, slots=True)
class Design:
    """A product as it was made. `good` numbers the thing itself, which several sellers may offer."""

    id: int
    good: int
    department: Department
    seller: int
    titles: tuple[str, str]
    colours: tuple[int, ...]
    sizes: tuple[str, ...]
    base_price: int
    reference_percent: int
    """How far the list price stands above the price asked in quiet times."""
    has_full_price: bool
    popularity: float
    """Units wanted on an average day."""
    orders: int
    reviews: int
    offset: int
    dice: tuple[int, ...]

    @property
    def sku_count(self) -> int:
        return max(1, len(self.colours)) * max(1, len(self.sizes))

    def skus(self) -> range:
        return range(self.id * 100 + 1, self.id * 100 + 1 + self.sku_count)

    def first_stock(self, sku: int) -> int:
        wanted = throws("stock", self.dice[0], sku)[0]
        return 0 if wanted % 12 == 0 else 3 + wanted % 40 + int(self.popularity * 8)

    def is_fbs(self, sku: int) -> bool:
        """Sent by the seller, not from Uzum's warehouse; both occur inside one product."""
        return (self.dice[9] + sku) % 10 < 3

    def share(self, sku: int) -> int:
        """Weight of a SKU among those of its product."""
        return 1 + (self.dice[10] >> (sku % 16)) % 6


def exists_by_design(seed: object, product_id: int) -> bool:
    """About three ids in four were ever given to a product (dossier §1.1)."""
    return throws(seed, "id", product_id)[0] % 100 < 76


def missing_kind(seed: object, product_id: int) -> str:
    draw = throws(seed, "id", product_id)[1] % 10
    return MISSING_KINDS[0 if draw < 5 else 1 + draw % 3]


@lru_cache(maxsize=60_000)
def design_of(seed: object, product_id: int, ids: int) -> Design:
    """`ids` is the size of the universe on day 0; what comes later begins without orders."""
    dice = throws(seed, "product", product_id)
    good = dice[1] % max(1, ids * 3 // 5)
    nature = throws(seed, "good", good)
    department = DEPARTMENTS[nature[0] % len(DEPARTMENTS)]
    colours, sizes = _options(department, nature) if product_id % 150 != 60 else WIDE
    low, high = department.price
    # Squared, so that cheap goods are the many.
    price = low + int((high - low) * (nature[3] / 2**32) ** 2)
    popularity = min(60.0, 0.03 / max(dice[2] / 2**32, 1e-6))
    age = 30 + dice[5] % 900
    orders = int(popularity * age * 0.6) if product_id <= ids else 0
    return Design(
        id=product_id, good=good, department=department, seller=first_seller(dice[3], ids),
        titles=_titles(department, nature, dice[4] % 3), colours=colours, sizes=sizes,
        base_price=int(price * (0.9 + dice[6] % 26 / 100)), reference_percent=(0, 0, 0, 15, 30)[dice[7] % 5],
        has_full_price=dice[8] % 40 != 0, popularity=popularity, orders=orders, reviews=orders // 6,
        offset=dice[11] % CYCLE_DAYS, dice=dice,
    )  # fmt: skip


def _options(department: Department, nature: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    if department.options == "none" or nature[4] % 3 == 0:
        return (), ()
    count = 1 + nature[5] % 4
    colours = tuple(sorted((nature[6] + step) % len(COLOURS) for step in range(count)))
    if department.options == "clothes":
        return colours, SIZES[nature[7] % 3 : 3 + nature[8] % 4]
    return colours, MEMORIES[: 1 + nature[7] % 3] if department.options == "memory" else ()


def _titles(department: Department, nature: tuple[int, ...], style: int) -> tuple[str, str]:
    """Sellers write the same good differently; brand and model stay."""
    brand, model = BRANDS[nature[1] % len(BRANDS)], f"{'ABKNXZ'[nature[2] % 6]}{100 + nature[9] % 900}"
    uz, ru = department.noun
    if style == 0:
        return f"{uz} {brand} {model}", f"{ru} {brand} {model}"
    if style == 1:
        return f"{brand} {model}, {uz.lower()}", f"{brand} {model}, {ru.lower()}"
    return f"{uz} «{brand}» {model} original", f"{ru} «{brand}» {model} оригинал"


def sellers_at_first(ids: int) -> int:
    return max(4, ids // 25)


def first_seller(draw: int, ids: int) -> int:
    """Seller numbers from 1; a few have many products."""
    return 1 + int(sellers_at_first(ids) * (draw / 2**32) ** 2)


@dataclass(frozen=True, slots=True)
class Price:
    """Of a product on one day, in whole sums; a SKU may cost more. `uplift` multiplies demand."""

    asked: int
    full: int
    uplift: float = 1.0


def price_on(seed: object, design: Design, day: int) -> Price:
    """The price plan. Each 28 days a new list price, and in one of four such cycles a campaign.

    One campaign in three is dishonest: the list price is raised two to five days before, and what is asked
    during the campaign is hardly less than before it.
    """
    cycle, position = divmod(day + design.offset, CYCLE_DAYS)
    plan = throws(seed, "plan", design.id, cycle)
    usual = design.base_price * (94 + 3 * (plan[0] % 5)) // 100
    reference = usual * (100 + design.reference_percent) // 100
    begin, length = 8 + plan[2] % 8, 3 + plan[3] % 5
    raised = plan[5] % 3 == 0
    lead = 2 + plan[6] % 4 if raised else 0
    if plan[1] % 4 or not begin - lead <= position < begin + length:
        return Price(rounded(usual), rounded(reference))
    if raised:
        high = usual * (130 + plan[7] % 16) // 100
        if position < begin:
            return Price(rounded(high), rounded(high), 0.8)
        return Price(rounded(usual * 97 // 100), rounded(high), 1.3)
    depth = 10 + plan[4] % 31
    return Price(rounded(usual * (100 - depth) // 100), rounded(reference), 1 + depth / 20)


def sku_price(design: Design, sku: int, price: Price) -> tuple[int, int | None]:
    """Asked and full price of a SKU: more memory costs more; full is null for a few products."""
    step = (
        (sku - design.id * 100 - 1) % max(1, len(design.sizes))
        if design.department.options == "memory"
        else 0
    )
    asked, full = price.asked, price.full
    if step:
        asked, full = rounded(asked * (100 + 12 * step) // 100), rounded(full * (100 + 12 * step) // 100)
    return asked, full if design.has_full_price else None


def rounded(amount: int) -> int:
    step = 1000 if amount >= 20_000 else 100
    return max(step, amount // step * step)
