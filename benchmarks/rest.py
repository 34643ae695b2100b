"""A REST API into the warehouse, declared in YAML or read by a source in Python, against a program by hand."""

from __future__ import annotations

import asyncio
import importlib
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarks.measuring import Clock, Facts, Measurement, Program, Scale, measure
from benchmarks.memory_source import DefaultConnection
from benchmarks.postgres import running_postgres
from benchmarks.rest_api import Api, running_api
from benchmarks.table import Line, compared
from karvon.addresses import Exceptions, GuardedTransport
from karvon.http import HttpClient
from karvon.warehouse import Warehouse
from pipelines.landing import load
from pipelines.source import Batch, Context, Resource, Source
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.ingest import ingest
from pipelines.sources.user_apis.registry import read_registry

AT_ONCE = 8
Fresh = Callable[[], str]
"""URL of an empty warehouse."""


class Job(NamedTuple):
    """A list that is read: rows, rows per page, the time each answer takes; and how many pages dlt's defaults read."""

    rows: int
    page_rows: int
    latency_seconds: float
    default_pages: int
    repeat: int

    @property
    def size(self) -> str:
        wait = f", {self.latency_seconds * 1000:.0f} ms each" if self.latency_seconds else ""
        return f"{self.rows:,} rows in {-(-self.rows // self.page_rows)} pages{wait}"


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """Big pages at once into both engines, then small pages that take their time."""
    many = Job(100_000, 1_000, 0, 10, 3) if scale == "full" else Job(300, 30, 0, 2, 1)
    slow = Job(20_000, 100, 0.05, 0, 3) if scale == "full" else Job(100, 10, 0.01, 0, 1)
    files = itertools.count()

    def duckdb() -> str:
        return f"duckdb:///{folder}/rest_{next(files)}.duckdb"

    with running_api(many.rows, many.page_rows) as api:
        yield from _many("DuckDB", api, many, folder, duckdb)
        with running_postgres(folder) as server:
            yield from _many("Postgres", api, many, folder, server.database)
    with running_api(slow.rows, slow.page_rows, slow.latency_seconds) as api:
        yield from _slow(api, slow, folder, duckdb)


def _many(engine: str, api: Api, job: Job, folder: Path, fresh: Fresh) -> Iterator[Line]:
    programs = _programs(engine, api, folder, fresh)
    programs["defaults"] = _dlt(api, fresh, pages=job.default_pages)
    measured = measure(programs, job.repeat)
    default_rows = min(job.default_pages * job.page_rows, job.rows)
    _all_landed(measured, {"defaults": default_rows}, job.rows)
    ours, is_duckdb, what = measured["ours"], engine == "DuckDB", f"REST, {engine}"
    yield compared(what, job.size, ours, measured["floor"], at_most=1.4 if is_duckdb else 1.6)
    yield compared(f"{what}: a source in Python", job.size, measured["source"], measured["floor"])
    yield compared(
        f"{what}: against dlt's rest_api, parquet", job.size, ours, measured["dlt"], at_most=0.4 if is_duckdb else None
    )  # fmt: skip
    defaults = measured["defaults"]
    line = compared(
        f"{what}: against dlt's rest_api, defaults, per row", job.size, ours, defaults, scale=job.rows / default_rows
    )  # fmt: skip
    yield replace(line, floor=f"{defaults} s for {default_rows:,}, {defaults.peak_mb:.0f} MB")


def _slow(api: Api, job: Job, folder: Path, fresh: Fresh) -> Iterator[Line]:
    measured = measure(_programs("DuckDB", api, folder, fresh), job.repeat)
    _all_landed(measured, {}, job.rows)
    what, ours = "REST, DuckDB: slow answers", measured["ours"]
    yield compared(what, job.size, ours, measured["floor"], at_most=1.4)
    yield compared(f"{what}, a source in Python", job.size, measured["source"], measured["floor"])
    yield compared(f"{what}, against dlt's rest_api, parquet", job.size, ours, measured["dlt"])


def _programs(engine: str, api: Api, folder: Path, fresh: Fresh) -> dict[str, Program]:
    registry = _declared(folder, api)
    return {
        "ours": Program("benchmarks.rest:land", lambda: {"url": fresh(), "registry": str(registry)}),
        "floor": Program(
            f"benchmarks.floors.rest_{engine.lower()}:land", lambda: {"url": fresh(), "base_url": api.base_url}
        ),
        "source": Program(
            "benchmarks.rest:land_source", lambda: {"url": fresh(), "base_url": api.base_url}
        ),
        "dlt": _dlt(api, fresh, pages=api.pages, file_format="parquet"),
    }  # fmt: skip


def _dlt(api: Api, fresh: Fresh, **more: Any) -> Program:
    return Program(
        "benchmarks.floors.rest_dlt:land", lambda: {"url": fresh(), "base_url": api.base_url, **more}
    )


def _declared(folder: Path, api: Api) -> Path:
    """A registry with this API."""
    source = {
        "user_id": "bench", "source_id": "api", "base_url": api.base_url,
        "rate_limit": {"requests": 10_000, "seconds": 1, "concurrency": AT_ONCE},
        "resources": [{
            "name": "products", "path": "products", "data_path": "data", "key": "id",
            "paginator": {"type": "page_number", "base_page": 1, "total_path": "total_pages"},
        }],
    }  # fmt: skip
    registry = folder / f"registry_{api.rows}"
    registry.mkdir(exist_ok=True)
    (registry / "api.yml").write_text(yaml.safe_dump(source))
    return registry


def _all_landed(measured: dict[str, Measurement], parts: dict[str, int], expected: int) -> None:
    for name, one in measured.items():
        landed = {facts["landed"] for facts in one.returned}
        if landed != {parts.get(name, expected)}:
            raise RuntimeError(f"{name}: {landed} rows landed instead of {parts.get(name, expected)}")


def land(clock: Clock, *, url: str, registry: str) -> Facts:
    """Ours: a user's API, as `karvon run` reads it."""
    _import_all()
    declared = read_registry(Path(registry))
    around = Surroundings(
        Warehouse(url), lambda _: None, transport=lambda: GuardedTransport(Exceptions(loopback=True))
    )
    with clock:
        report = ingest(declared, around)
    (run,) = report.runs
    if run.outcome != "complete":
        raise RuntimeError(run.error)
    return {"landed": run.rows_landed, "packages": report.packages}


def land_source(clock: Clock, *, url: str, base_url: str) -> Facts:
    """Ours: a source whose fetch is written in Python."""
    _import_all()

    async def probe(_connection: Any) -> str:
        return "a benchmark"

    products = Resource("products", lambda product: str(product["id"]), _pages, sweep=True)
    source = Source(
        "rest", (products,), lambda _: HttpClient("rest", base_url=base_url, concurrency=AT_ONCE), probe
    )
    warehouse = Warehouse(url)
    with clock:
        report = load(source, DefaultConnection(), warehouse)
    return {"landed": report.resources[0].landed}


async def _pages(context: Context) -> AsyncIterator[Batch]:
    async def page(number: int) -> Any:
        return (await context.http.request("GET", "/products", params={"page": number})).data

    first = await page(1)
    yield Batch(first["data"])
    numbers = iter(range(2, first["total_pages"] + 1))
    under_way = deque(asyncio.ensure_future(page(number)) for number in itertools.islice(numbers, AT_ONCE))
    while under_way:
        found = await under_way.popleft()
        under_way.extend(asyncio.ensure_future(page(number)) for number in itertools.islice(numbers, 1))
        yield Batch(found["data"])


def _import_all() -> None:
    """Imports are not what is measured."""
    for name in (
        "adbc_driver_postgresql.dbapi",
        "dlt.common.libs.sql_alchemy_compat",
        "dlt.destinations.impl.duckdb.duck",
        "dlt.destinations.impl.postgres.postgres",
        "dlt.sources.rest_api.config_setup",
        "pipelines.sources.user_apis.authentication",
        "pipelines.sources.user_apis.read_ahead",
        "pyarrow.parquet",
    ):
        importlib.import_module(name)
