"""What really happened at each user's: people, orders and leads, day after day, computed from a seed.

Nothing is stored but the number of days: a day's events depend on the seed, the user and the day alone.
"""

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

FIRST_DAY = date(2026, 1, 15)
HISTORY_DAYS = 45
"""Days that a fresh world has behind it."""
_NAMES = (
    "Amal",
    "Bruno",
    "Clara",
    "Diyora",
    "Emil",
    "Farrukh",
    "Greta",
    "Hana",
    "Iskander",
    "Julia",
    "Kamol",
    "Lena",
)
_CAMPAIGNS = ("spring", "brand", "retarget", "video")


@dataclass(frozen=True)
class Profile:
    """One user: zone, currency (of most orders), other currency, orders on an ordinary day, price level."""

    user_id: str
    zone: ZoneInfo
    currency: str
    other_currency: str | None
    orders_a_day: int
    price: int
    has_ads: bool = True


PROFILES: Mapping[str, Profile] = {
    one.user_id: one
    for one in (
        Profile("anna", ZoneInfo("Europe/Berlin"), "EUR", None, 6, 60),
        Profile("boris", ZoneInfo("Asia/Tashkent"), "UZS", None, 4, 450_000, has_ads=False),
        Profile("chen", ZoneInfo("America/New_York"), "USD", "EUR", 5, 80),
    )
}


@dataclass(frozen=True)
class Person:
    id: int
    name: str
    email: str
    phone: str
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Order:
    id: int
    person: int
    status: str
    gross: Decimal
    refunded: Decimal
    currency: str
    ordered_at: datetime
    updated_at: datetime
    refunded_at: datetime | None = None


@dataclass(frozen=True)
class Lead:
    id: int
    name: str
    email: str
    phone: str
    status: str
    campaign: str
    cost: Decimal
    created_at: datetime
    updated_at: datetime


@dataclass
class Facts:
    """Everything of one user until a day."""

    profile: Profile
    people: dict[int, Person] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    leads: dict[int, Lead] = field(default_factory=dict)


def facts(user_id: str, days: int, seed: int) -> Facts:
    """The user's world after so many days since `FIRST_DAY`."""
    world = Facts(PROFILES[user_id])
    for number in range(days):
        _live_through(world, FIRST_DAY + timedelta(days=number), random.Random(f"{seed}/{user_id}/{number}"))
    return world


def truth(world: Facts) -> dict[str, dict[str, Any]]:
    """Day (of the user) → counts and amounts by currency; refunds count on the day they were paid back."""
    zone = world.profile.zone
    days: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"leads": 0, "new_customers": 0, "orders": 0, "gross": {}, "refunded": {}}
    )

    def day(moment: datetime) -> dict[str, Any]:
        return days[str(moment.astimezone(zone).date())]

    for lead in world.leads.values():
        day(lead.created_at)["leads"] += 1
    for person in world.people.values():
        day(person.created_at)["new_customers"] += 1
    for order in world.orders.values():
        if order.status not in ("paid", "refunded", "partly_refunded"):
            continue
        day(order.ordered_at)["orders"] += 1
        _add(day(order.ordered_at)["gross"], order.currency, order.gross)
        if order.refunded and order.refunded_at:
            _add(day(order.refunded_at)["refunded"], order.currency, order.refunded)
    return {name: days[name] for name in sorted(days)}


def _add(amounts: dict[str, str], currency: str, amount: Decimal) -> None:
    amounts[currency] = str(Decimal(amounts.get(currency, "0")) + amount)


def _live_through(world: Facts, today: date, chance: random.Random) -> None:
    profile = world.profile
    for _ in range(chance.randint(1, 3)):
        _new_person(world, _moment(world, today, chance), chance)
    # Weekends sell more, and the pay day most.
    season = 1.6 if today.weekday() >= 5 else 2.0 if today.day == 28 else 1.0
    for _ in range(round(profile.orders_a_day * season * chance.uniform(0.6, 1.4))):
        _new_order(world, _moment(world, today, chance), chance)
    for _ in range(chance.randint(2, 6) if profile.has_ads else 0):
        _new_lead(world, _moment(world, today, chance), chance)
    _late_changes(world, today, chance)


def _new_person(world: Facts, at: datetime, chance: random.Random) -> None:
    number = len(world.people) + 1
    name = f"{chance.choice(_NAMES)} {chance.choice(_NAMES)}son"
    phone = f"+49 (0{chance.randint(150, 179)}) {chance.randint(1_000_000, 9_999_999)}"
    # Written as people write: the same address in other letters.
    email = f"{name.split()[0]}.{number}@Example.{world.profile.user_id}"
    world.people[number] = Person(number, name, email, phone, "active", at, at)


def _new_order(world: Facts, at: datetime, chance: random.Random) -> None:
    number = len(world.orders) + 1
    profile = world.profile
    known = [person.id for person in world.people.values() if person.created_at <= at] or [1]
    # The first customers come back most.
    person = known[min(int(chance.expovariate(1 / 12)), len(known) - 1)]
    other = profile.other_currency is not None and chance.random() < 0.3
    gross = Decimal(chance.randint(profile.price * 20, profile.price * 300)) / 100
    status = chance.choices(("paid", "pending", "cancelled"), (88, 7, 5))[0]
    world.orders[number] = Order(
        number,
        person,
        status,
        gross,
        Decimal(0),
        str(profile.other_currency) if other else profile.currency,
        at,
        at,
    )


def _new_lead(world: Facts, at: datetime, chance: random.Random) -> None:
    number = len(world.leads) + 1
    name = f"{chance.choice(_NAMES)} Lead{number}"
    phone = f"00998 90 {chance.randint(1_000_000, 9_999_999)}"
    email = f"lead{number}@example.{world.profile.user_id}"
    campaign, cost = chance.choice(_CAMPAIGNS), Decimal(chance.randint(50, 900)) / 100
    world.leads[number] = Lead(number, name, email, phone, "new", campaign, cost, at, at)


def _late_changes(world: Facts, today: date, chance: random.Random) -> None:
    """Refunds of older orders, amounts corrected days later, pending orders that get paid, leads that move on."""
    at = datetime.combine(today, datetime.min.time(), world.profile.zone).astimezone(UTC) + timedelta(
        hours=23
    )
    old = [
        order
        for order in world.orders.values()
        if timedelta(days=2) < at - order.ordered_at < timedelta(days=20)
    ]
    for order in chance.sample(old, min(len(old), 2)):
        what = chance.choice(("refund", "part", "correct", "settle"))
        if what == "settle" and order.status == "pending":
            world.orders[order.id] = replace(order, status="paid", updated_at=at)
        elif order.status == "paid" and what == "refund":
            world.orders[order.id] = replace(
                order, status="refunded", refunded=order.gross, refunded_at=at, updated_at=at
            )
        elif order.status == "paid" and what == "part":
            part = (order.gross / 3).quantize(Decimal("0.01"))
            world.orders[order.id] = replace(
                order, status="partly_refunded", refunded=part, refunded_at=at, updated_at=at
            )
        elif order.status == "paid" and what == "correct":
            world.orders[order.id] = replace(order, gross=order.gross + Decimal("1.10"), updated_at=at)
    for lead in chance.sample(list(world.leads.values()), min(len(world.leads), 2)):
        moved = chance.choice(("qualified", "converted", "lost"))
        world.leads[lead.id] = replace(lead, status=moved, updated_at=at)


def _moment(world: Facts, today: date, chance: random.Random) -> datetime:
    """A second of the user's day; some right around midnight, where a wrong zone would show."""
    seconds = chance.choice((5, 86_395)) if chance.random() < 0.15 else chance.randint(8 * 3600, 22 * 3600)
    local = datetime.combine(today, datetime.min.time(), world.profile.zone) + timedelta(seconds=seconds)
    return local.astimezone(UTC)
