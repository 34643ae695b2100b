"""Requests to Webflow for kinds of changes, counted in the sandbox's log, against the stated minimum.

The shop is filled first; then each case changes something else, is planned and applied, and the mirror is read again
(not counted). A case has a formula in its own letters.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.activation import Activation, Row, parse_project
from benchmarks.catalogue import CATEGORIES, SIZES, category_row, product_row, rounded, sku_rows
from benchmarks.measuring import Clock, Facts, Program, Scale, measure
from benchmarks.table import Line, verdict
from karvon.connections import webflow_connections
from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.sandbox_process import control, running_sandbox
from pipelines.landing import LoadOptions, load
from pipelines.sources import webflow
from reverse_etl.applying.apply import apply_plan
from reverse_etl.destinations import DESTINATIONS, channels
from reverse_etl.planning.plan import make_plan
from reverse_etl.review.approvals import approve

SEEDED = 40
"""Products in the shop before the cases; those from STOCKED on have stock that we manage."""
STOCKED = 30
MANY = ("XS", "S", "M", "L", "XL", "XXL")


@dataclass
class Catalogue:
    """What the models hold; cases change it."""

    categories: dict[str, Row] = field(default_factory=dict)
    products: dict[str, Row] = field(default_factory=dict)
    skus: dict[str, Row] = field(default_factory=dict)

    def add_category(self, number: int) -> None:
        row = category_row(number)
        self.categories[row["category_key"]] = row

    def add_product(self, number: int, sizes: tuple[str, ...] = SIZES, *, stock: bool = False) -> None:
        row = product_row(number, sizes)
        self.products[row["product_key"]] = row
        for sku in sku_rows(number, sizes, stock=stock):
            self.skus[sku["sku_key"]] = sku

    def remove_product(self, number: int) -> None:
        del self.products[_product(number)]
        self.skus = {key: row for key, row in self.skus.items() if row["product_key"] != _product(number)}

    def add_size(self, number: int, size: str) -> None:
        sizes = (*SIZES, size)
        self.products[_product(number)]["sku_properties"] = json.dumps(
            [{"name": "Size", "values": list(sizes)}]
        )
        # Codes of the catalogue follow each other: the fourth size would take the next product's first.
        row = {**sku_rows(number, sizes, stock=False)[-1], "sku_code": f"EXTRA-{number}"}
        self.skus[row["sku_key"]] = row


@dataclass(frozen=True)
class Case:
    """One kind of change. `minimum` is the formula's value."""

    what: str
    size: str
    formula: str
    minimum: int
    change: Callable[[Catalogue], None]


def each(numbers: range, change: Callable[[Catalogue, int], object]) -> Callable[[Catalogue], None]:
    """The change done to each of these."""

    def change_all(catalogue: Catalogue) -> None:
        for number in numbers:
            change(catalogue, number)

    return change_all


def cases() -> Iterator[Case]:
    """Kinds of changes, each on rows of its own."""
    lookup = "1 to find the store's collections"
    yield Case("nothing changed", "", "0", 0, lambda _catalogue: None)
    yield Case("create categories", "c = 120", f"⌈c / 100⌉ + {lookup}", 3,
               each(range(CATEGORIES, CATEGORIES + 120), Catalogue.add_category))  # fmt: skip
    yield Case("rename categories", "c = 2", f"⌈c / 100⌉ + {lookup}", 2,
               each(range(2), lambda one, number: _set(one.categories[_category(number)], "name", "New")))  # fmt: skip
    yield Case("create single products", "n = 4", "n", 4,
               each(range(100, 104), lambda one, number: one.add_product(number, ())))  # fmt: skip
    yield Case("create products with variants", "n = 4 of 6 SKUs", "2n", 8,
               each(range(110, 114), lambda one, number: one.add_product(number, MANY)))  # fmt: skip
    yield Case("create products with variants and stock", "n = 2 of N = 3 SKUs", f"2n + nN + {lookup}", 11,
               each(range(120, 122), lambda one, number: one.add_product(number, stock=True)))  # fmt: skip
    yield Case("change titles", "t = 5", "t", 5,
               each(range(5), lambda one, number: _set(one.products[_product(number)], "name", "Title")))  # fmt: skip
    yield Case("change prices of other SKUs than the default", "k = 6", "k", 6,
               each(range(6), lambda one, number: _raise_price(one.skus[_sku(number, "M")])))  # fmt: skip
    yield Case("change prices of default SKUs", "k = 3", "k", 3,
               each(range(6, 9), lambda one, number: _raise_price(one.skus[_sku(number, "S")])))  # fmt: skip
    yield Case(
        "change title and default SKU's price together",
        "p = 4",
        "p",
        4,
        each(range(10, 14), _retitle_and_price),
    )
    yield Case("change main images", "k = 3", "k", 3,
               each(range(3), lambda one, number: _set(one.skus[_sku(number, "L")], "main_image_url",
                                                       f"https://images.example.com/new/{number}.jpg")))  # fmt: skip
    yield Case("change stock", "s = 5", f"2s (read, write) + {lookup}", 11,
               each(range(STOCKED, STOCKED + 5),
                    lambda one, number: _set(one.skus[_sku(number, "M")], "stock_quantity", 777)))  # fmt: skip
    yield Case("add a variant to products", "v = 2", "2v", 4,
               each(range(15, 17), lambda one, number: one.add_size(number, "XL")))  # fmt: skip
    yield Case("take variants out", "r = 2", f"2r (read, stock 0) + {lookup}", 5,
               each(range(18, 20), lambda one, number: one.skus.pop(_sku(number, "L"))))  # fmt: skip
    yield Case("archive products", "a = 3", "a", 3, each(range(20, 23), Catalogue.remove_product))


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """All cases, or some."""
    every = 1 if scale == "full" else 4
    given = {"folder": str(folder), "manifest": str(parse_project(folder)), "every": every}
    counted = measure({"": Program("benchmarks.webflow_requests:count", lambda: given)}, 1)[""].facts
    for case in islice(cases(), 0, None, every):
        asked, planned = counted[case.what]["asked"], counted[case.what]["planned"]
        yield Line(
            f"requests: {case.what}",
            case.size,
            f"{asked} (plan said {planned})",
            f"{case.minimum} = {case.formula}",
            asked / case.minimum if case.minimum else None,
            "= floor = plan",
            verdict(asked == planned == case.minimum),
            is_exact=True,
        )


def count(clock: Clock, *, folder: str, manifest: str, every: int) -> Facts:
    """Carry each `every`-th case out; requests in the sandbox's log and in the plan, by case."""
    settings = Settings(
        KARVON_HOME=Path(folder), KARVON_PROFILE="sandbox", KARVON_SANDBOX_PORT=free_port(), KARVON_SANDBOX_PRODUCTS=1,
        KARVON_CONNECTIONS_FILE=Path(folder) / "connections.yml",
    )  # fmt: skip
    shop = _Shop(settings, Activation(Path(manifest)))
    catalogue = Catalogue()
    for number in range(CATEGORIES):
        catalogue.add_category(number)
    for number in range(SEEDED):
        catalogue.add_product(number, stock=number >= STOCKED)
    counted = {}
    with running_sandbox(settings), clock:
        shop.bring(catalogue)
        for case in islice(cases(), 0, None, every):
            case.change(catalogue)
            planned, asked = shop.bring(catalogue)
            counted[case.what] = {"planned": planned, "asked": asked}
    return counted


class _Shop:
    def __init__(self, settings: Settings, activation: Activation) -> None:
        self._settings, self._activation = settings, activation
        self._warehouse = Warehouse(settings.warehouse_url)

    def bring(self, catalogue: Catalogue) -> tuple[int, int]:
        """Read the mirror, plan, apply; requests that the plan stated, and that its apply sent."""
        site = webflow_connections(self._settings)["default"]
        load(
            webflow.SOURCE,
            site,
            self._warehouse,
            LoadOptions(resources=frozenset({"sites", "products", "categories"})),
        )
        with self._warehouse.session() as session:
            for sync in self._activation.syncs:
                rows = getattr(catalogue, sync.resource)
                self._activation.write(session, sync, list(rows.values()))
        made = make_plan(self._warehouse, self._activation.syncs, DESTINATIONS)
        before = self._log(0)["last_seq"]
        if made.violations:
            approve(self._warehouse, "benchmark", plan_id=made.plan_id)
        result = apply_plan(
            self._warehouse, made.plan_id, self._activation.syncs, DESTINATIONS, channels(self._settings)
        )
        if result.failed or result.counts["deferred"] or result.stopped or made.findings:
            raise RuntimeError(f"{made.findings}; {result.summary()}; {result.errors}")
        return made.request_count, len(self._log(before)["requests"])

    def _log(self, since: int) -> dict[str, Any]:
        path = f"/_control/requests?vendor=webflow&limit=100000&since={since}"
        return dict(control(self._settings, "GET", path))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _retitle_and_price(catalogue: Catalogue, number: int) -> None:
    _set(catalogue.products[_product(number)], "name", "Both")
    _raise_price(catalogue.skus[_sku(number, "S")])


def _raise_price(row: Row) -> None:
    """By less than what waits for a person."""
    row["price_minor"] += 7


def _set(row: Row, column: str, value: object) -> None:
    row[column] = value


def _category(number: int) -> str:
    return f"default:c{number}"


def _product(number: int) -> str:
    return f"default:p{rounded(number)}"


def _sku(number: int, size: str) -> str:
    return f"{_product(number)}-{size}"
