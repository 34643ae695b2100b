"""The exchange: procedures that open, run and end as deals or without one, day by day.

What a procedure is about follows from the seed and its number (`subject.py`). Stored are only the day and
the procedures that arrived out of turn, because a switch pushes ranks while somebody pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from sandbox.chance import throws
from sandbox.dated_world import DatedWorld
from sandbox.state import Document, State

HISTORY_DAYS = 180
WORKING_SECONDS = 8 * 3600


@dataclass(frozen=True)
class Kind:
    """A sort of procedure: its size as a percentage of the auctions, how long it runs, how often it fails."""

    name: str
    percent: int
    first_id: int
    shortest: int
    longest: int
    failures_in_100: int = 0


KINDS = {
    kind.name: kind
    for kind in (
        Kind("auction", 100, 20_500_000, 2, 6, 12),
        Kind("shop", 80, 27_000_000, 2, 4),
        Kind("national", 40, 33_000_000, 2, 4),
        Kind("etender", 40, 480_000, 5, 20, 25),
        Kind("competition", 12, 340_000, 10, 25),
        Kind("direct", 50, 1_200_000, 0, 0),
        Kind("offer", 100, 27_085_000, 0, 0),
        Kind("plan", 10, 90_000, 0, 0),
        Kind("civil", 10, 70_000, 1, 3, 20),
    )
}


@dataclass(frozen=True, slots=True)
class Lot:
    """One procedure. Days count from the world's day 0; it is open while `ends` lies ahead."""

    kind: str
    number: int
    opened: int
    ends: int
    """The day on which it ends, `second` seconds after nine in the morning."""
    second: int
    fails: bool

    @property
    def id(self) -> int:
        return KINDS[self.kind].first_id + self.number

    @property
    def deal_id(self) -> int:
        """In another range than the ids of lots, and never equal to one."""
        return 4_000_000 + self.id * 3 + 1


@dataclass
class Book:
    """All procedures of a kind by what became of them, in the order in which it happened."""

    all: list[Lot] = field(default_factory=list)
    open: list[Lot] = field(default_factory=list)
    deals: list[Lot] = field(default_factory=list)
    failed: list[Lot] = field(default_factory=list)

    def end_those_due(self, day: int) -> None:
        due = sorted(
            (lot for lot in self.open if lot.ends <= day), key=lambda lot: (lot.ends, lot.second, lot.number)
        )
        self.open = [lot for lot in self.open if lot.ends > day]
        self.deals += [lot for lot in due if not lot.fails]
        self.failed += [lot for lot in due if lot.fails]


class Exchange(DatedWorld):
    """`lots` is how many auctions were opened by day 0. Made when first asked for and found empty."""

    def __init__(self, state: State, *, lots: int, seed: int) -> None:
        self._default = {"lots": lots, "seed": seed}
        self._switches = state.switches
        self._about = state.collection("uzex/default/about")
        self._arrivals = state.collection("uzex/default/arrivals")
        self._is_open = False

    def found(self, *, lots: int | None = None, seed: int | None = None, began: date | None = None) -> None:
        """Begin anew. `began` is the date of day 0; without one it is today."""
        self._arrivals.clear()
        world = self._default | {
            name: value for name, value in (("lots", lots), ("seed", seed)) if value is not None
        }
        self._about.put("world", world | {"began": (began or datetime.now(UTC).date()).isoformat(), "day": 0})
        self._open()

    def ready(self) -> Exchange:
        """Itself, after making the world if there is none or a reset emptied it."""
        if "world" not in self._about:
            self.found()
        elif not self._is_open:
            self._open()
        return self

    def _open(self) -> None:
        self._is_open = True
        world = self._about.get("world") or {}
        self.lots, self.seed = int(world["lots"]), int(world["seed"])
        self.began = date.fromisoformat(world["began"])
        self.day = 0
        self.books = {name: self._first_book(kind) for name, kind in KINDS.items()}
        self._let_arrive_of_day()
        while self.day < int(world["day"]):
            self._advance()

    def _first_book(self, kind: Kind) -> Book:
        book = Book()
        count = max(8, self.lots * kind.percent // 100)
        for number in range(1, count + 1):
            opened = -HISTORY_DAYS + number * HISTORY_DAYS // count
            lot = self._lot(kind, number, opened)
            book.all.append(lot)
            book.open.append(lot)
        book.end_those_due(0)
        return book

    def _lot(self, kind: Kind, number: int, opened: int) -> Lot:
        dice = throws(self.seed, kind.name, number)
        runs = kind.shortest + dice[0] % (kind.longest - kind.shortest + 1)
        fails = dice[1] % 100 < kind.failures_in_100
        return Lot(kind.name, number, opened, opened + runs, dice[2] % WORKING_SECONDS, fails)

    def next_day(self) -> None:
        world = self._about.get("world") or {}
        self._about.put("world", world | {"day": self.day + 1})
        self._advance()

    def _advance(self) -> None:
        self.day += 1
        for name, kind in KINDS.items():
            book = self.books[name]
            count = max(2, len(book.all) // 150) + throws(self.seed, "arrivals", name, self.day)[0] % 2
            for _ in range(count):
                lot = self._lot(kind, len(book.all) + 1, self.day)
                book.all.append(lot)
                book.open.append(lot)
            book.end_those_due(self.day)
        self._let_arrive_of_day()

    def _let_arrive_of_day(self) -> None:
        self._pushed = 0
        for arrival in self._arrivals.values():
            if arrival["day"] == self.day:
                self._arrive(arrival)

    def _arrive(self, arrival: Document) -> None:
        book, kind = self.books[arrival["kind"]], KINDS[arrival["kind"]]
        self._pushed += 1
        lot = self._lot(kind, len(book.all) + 1, self.day)
        if arrival["ended"]:
            # After office hours, so that it is the newest of its day.
            lot = replace(lot, ends=self.day, second=WORKING_SECONDS + self._pushed, fails=False)
        book.all.append(lot)
        (book.deals if arrival["ended"] else book.open).append(lot)

    def push(self, kind: str, *, ended: bool) -> None:
        """One more procedure on the present day, at rank 1: open, or a deal at once."""
        arrival = {"kind": kind, "day": self.day, "ended": ended}
        self._arrivals.put(f"{len(self._arrivals):06}", arrival)
        self._arrive(arrival)

    @property
    def has_nul_characters(self) -> bool:
        return bool(self._switches["uzex.nul_characters"])

    @staticmethod
    def is_in_both_shops(lot: Lot) -> bool:
        """One deal of the e-shop in nine stands in the list of the national shop too."""
        return lot.kind == "shop" and lot.number % 9 == 0

    def deals_shown_in(self, kind: str) -> list[Lot]:
        """The deals that a list shows, in the order in which they happened."""
        if kind != "national":
            return self.books[kind].deals
        both = [lot for lot in self.books["shop"].deals if self.is_in_both_shops(lot)]
        return sorted(
            self.books[kind].deals + both, key=lambda lot: (lot.ends, lot.second, lot.kind, lot.number)
        )

    def by_id(self, kind: str, lot_id: int) -> Lot | None:
        number = lot_id - KINDS[kind].first_id
        book = self.books[kind].all
        return book[number - 1] if 0 < number <= len(book) else None
