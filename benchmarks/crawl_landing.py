"""Landing what a crawl found, slice by slice, through `pipelines.landing.load`: new ids, and the same ones again."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measuring import Clock, Facts, Program, Scale, measure
from benchmarks.memory_source import DefaultConnection
from benchmarks.postgres import running_postgres
from benchmarks.table import Line
from karvon.http import HttpClient
from karvon.warehouse import Warehouse
from pipelines.landing import load
from pipelines.source import Batch, Context, Document, Resource, Source


class Sizes(NamedTuple):
    """Documents of a slice, how many slices, how often measured."""

    documents: int
    slices: int
    repeat: int


SIZES: dict[Scale, Sizes] = {
    "full": Sizes(1000, 20, 3), "quick": Sizes(1000, 3, 1), "small": Sizes(50, 2, 1)
}  # fmt: skip


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """DuckDB, then Postgres."""
    sizes = SIZES[scale]
    files = itertools.count()
    yield from _on("DuckDB", lambda: f"duckdb:///{folder}/crawl_{next(files)}.duckdb", sizes)
    with running_postgres(folder) as server:
        yield from _on("Postgres", server.database, sizes)


def _on(engine: str, fresh: Callable[[], str], sizes: Sizes) -> Iterator[Line]:
    def arguments() -> dict[str, Any]:
        return {"url": fresh(), "documents": sizes.documents, "slices": sizes.slices}

    measured = measure({"ours": Program("benchmarks.crawl_landing:land", arguments)}, sizes.repeat)["ours"]
    count = sizes.documents * sizes.slices
    size = f"{sizes.slices} slices of {sizes.documents:,} products"
    again = measured.facts["again"]
    yield Line(
        f"crawl, {engine}: landing a first visit", size,
        f"{measured} s, {count / measured.median:,.0f} documents/s", peak_mb=f"{measured.peak_mb:.0f}",
    )  # fmt: skip
    yield Line(
        f"crawl, {engine}: again, 5 % changed", size, f"{again:.2f} s, {count / again:,.0f} documents/s"
    )


def land(clock: Clock, *, url: str, documents: int, slices: int) -> Facts:
    """All slices as new, under the clock; then all again with every twentieth changed."""
    import dlt  # noqa: F401 - imports are not what is measured

    warehouse = Warehouse(url)
    visits = [[product(slice_ * documents + at) for at in range(documents)] for slice_ in range(slices)]
    with clock:
        landed = sum(_land(warehouse, found) for found in visits)
    changed = [
        [
            {**product, "ordersAmount": product["ordersAmount"] + (product["id"] % 20 == 0)}
            for product in found
        ]
        for found in visits
    ]
    second = Clock()
    with second:
        landed_again = sum(_land(warehouse, found) for found in changed)
    if (landed, landed_again) != (documents * slices, len(range(0, documents * slices, 20))):
        raise RuntimeError(f"{landed} and then {landed_again} documents landed")
    return {"again": second.seconds}


def _land(warehouse: Warehouse, found: list[Document]) -> int:
    async def fetch(_context: Context) -> AsyncIterator[Batch]:
        first, last = found[0]["id"], found[-1]["id"]
        for at in range(0, len(found), 100):
            yield Batch(found[at : at + 100], scope=f"ids {first}-{last}")

    async def probe(_connection: Any) -> str:
        return "in memory"

    products = Resource("products", lambda product: str(product["id"]), fetch)
    source = Source("bench", (products,), lambda _: HttpClient("memory", base_url="http://127.0.0.1"), probe)
    return load(source, DefaultConnection(), warehouse).resources[0].landed


def product(number: int) -> Document:
    """About 3 KB, as a product of a shop without its noise."""
    skus = [
        {"id": number * 10 + at, "availableAmount": at, "fullPrice": 99_000, "purchasePrice": 89_000 + at,
         "barcode": 1_000_061_208_901 + at, "stock": {"type": "FBO"},
         "characteristics": [{"charIndex": 0, "valueIndex": at}]}
        for at in range(6)
    ]  # fmt: skip
    return {
        "id": number, "title": f"Choynak {number}", "description": "<p>Tavsif</p>" * 60, "ordersAmount": number % 97,
        "rOrdersAmount": number % 97, "totalAvailableAmount": 15, "rating": 4.5, "reviewsAmount": number % 13,
        "category": {"id": 10044, "title": "Idish", "parent": {"id": 10020, "title": "Uy", "parent": None}},
        "seller": {"id": number % 500, "title": f"Do'kon {number % 500}", "orders": 12_345, "rating": 4.8},
        "characteristics": [{"id": -1, "title": "Rang", "values": [{"id": at, "title": f"r{at}"} for at in range(6)]}],
        "photos": [{"photoKey": f"{number:x}{at}", "color": None} for at in range(8)],
        "skuList": skus,
    }  # fmt: skip
