"""Memory of a whole crawl, visitors and landing together: it must not grow with the number of documents."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.crawl_landing import product
from benchmarks.measuring import Clock, Facts, Program, Scale, measure
from benchmarks.memory_source import DefaultConnection
from benchmarks.table import Line, verdict
from karvon.connections import Manners
from karvon.http import HttpClient
from karvon.warehouse import Warehouse
from pipelines.crawl import crawl
from pipelines.landing import LoadOptions
from pipelines.slices import Slice
from pipelines.source import Document, Resource, Source

AT_MOST_MB = 700
SLICE = 1000


class Connection(DefaultConnection):
    """What a crawl asks of a connection."""

    manners = Manners(user_agent="", headers={}, rate_limits=(), concurrency=8)


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """DuckDB, as the embedded warehouse shares the memory of the process."""
    sizes: dict[Scale, tuple[int, ...]] = {"full": (50_000, 1_000_000), "quick": (20_000,), "small": (2_000,)}
    for documents in sizes[scale]:
        url = f"duckdb:///{folder}/crawl_memory_{documents}.duckdb"
        program = Program("benchmarks.crawl_memory:walk", partial(dict, url=url, documents=documents))
        ran = measure({"": program}, 1)[""]
        yield Line(
            "crawl, DuckDB: memory", f"{documents:,} products in slices of {SLICE:,}",
            f"{ran.peak_mb:.0f} MB; {ran} s", must=f"≤ {AT_MOST_MB} MB",
            verdict=verdict(ran.peak_mb <= AT_MOST_MB), peak_mb=f"{ran.peak_mb:.0f} ({ran.before_mb:.0f} before)",
        )  # fmt: skip


def walk(clock: Clock, *, url: str, documents: int) -> Facts:
    """Every number once; each has a product."""

    async def visit(_http: HttpClient, number: int) -> Document:
        return product(number)

    async def probe(_connection: Any) -> str:
        return "in memory"

    source = Source(
        "bench",
        (Resource("products", lambda one: str(one["id"]), visit=visit),),
        lambda _: HttpClient("memory", base_url="http://127.0.0.1"),
        probe,
    )
    slices = (Slice.between(first, first + SLICE - 1) for first in range(1, documents + 1, SLICE))
    with clock:
        reports = crawl(source, Connection(), Warehouse(url), slices, LoadOptions())
        landed = sum(report.resources[0].landed for report in reports)
    if landed != documents:
        raise RuntimeError(f"{landed} of {documents} documents landed")
    return {"landed": landed}
