"""A plan over a big catalogue that is in the shop already, with 1 % changed and with nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.activation import Activation, parse_project
from benchmarks.catalogue import SIZES
from benchmarks.measuring import Clock, Facts, Program, Scale, measure
from benchmarks.postgres import running_postgres
from benchmarks.synced_shop import SENT
from benchmarks.table import Line, compared, verdict
from karvon.warehouse import Warehouse
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.plan import make_plan

LIMITS = {20_000: (10, 1024), 200_000: (30, 2048)}
"""Products → most seconds and megabytes."""
RATIO = 3


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """DuckDB, then Postgres. Small and quick: with changes only."""
    sizes, repeat, lines = {
        "full": ([*LIMITS], 3, 2), "quick": ([2_000], 3, 1), "small": ([100], 1, 1)
    }[scale]  # fmt: skip
    manifest = parse_project(folder)
    for products in sizes:
        path = folder / f"plan_{products}.duckdb"
        yield from islice(on("DuckDB", f"duckdb:///{path}", manifest, products, repeat), lines)
        path.unlink()
    with running_postgres(folder) as server:
        for products in sizes:
            url = server.database()
            yield from islice(on("Postgres", url, manifest, products, repeat), lines)
            server.drop(url)


def plan(clock: Clock, *, url: str, manifest: str) -> Facts:
    """Ours: compute, check against the guards and store."""
    # Imports are not what is measured.
    import adbc_driver_postgresql.dbapi  # noqa: F401
    import duckdb  # noqa: F401
    import psycopg2  # noqa: F401

    syncs, warehouse = Activation(Path(manifest)).syncs, Warehouse(url)
    with clock:
        made = make_plan(warehouse, syncs, DESTINATIONS)
    return {"operations": len(made.operations), "findings": len(made.findings), "status": made.status}


def on(engine: str, url: str, manifest: Path, products: int, repeat: int) -> Iterator[Line]:
    """One engine and size in a new warehouse. All plans of it are stored there, as those of many runs are."""
    given = {"url": url, "manifest": str(manifest)}
    once("fill", {**given, "products": products})
    expected = once("change", given)["changed"]
    yield _line(f"plan, {engine}: 1 % changed", given, products, repeat, expected)
    once("change_back", given)
    yield _line(f"plan, {engine}: nothing changed", given, products, repeat, 0)


def _line(what: str, given: dict[str, str], products: int, repeat: int, operations: int) -> Line:
    floor = {
        "url": given["url"], "models": _models(Path(given["manifest"])), "sent": SENT, "current": "activation"
    }  # fmt: skip
    programs = {
        "ours": Program("benchmarks.planning:plan", lambda: given),
        "floor": Program("benchmarks.floors.planning:compare", lambda: floor),
    }
    ran = measure(programs, repeat)
    found = (ran["ours"].facts["operations"], ran["floor"].facts["found"], ran["ours"].facts["findings"])
    if found != (operations, operations, 0):
        raise RuntimeError(f"operations, floor's rows and findings are {found}, not {operations}")
    seconds, megabytes = LIMITS.get(products, LIMITS[20_000])
    size = f"{products:,} products, {products * len(SIZES):,} SKUs"
    line = compared(what, size, ran["ours"], ran["floor"], at_most=RATIO)
    is_reached = (
        line.verdict == "reached" and ran["ours"].median <= seconds and ran["ours"].peak_mb <= megabytes
    )
    return replace(
        line,
        must=f"{line.must}, ≤ {seconds} s, ≤ {megabytes // 1024} GB",
        verdict=verdict(is_reached),
    )


def once(function: str, arguments: dict[str, Any]) -> Facts:
    return measure({"": Program(f"benchmarks.synced_shop:{function}", lambda: arguments)}, 1)[""].facts


def _models(manifest: Path) -> list[dict[str, Any]]:
    return [
        {
            "table": sync.table, "key": sync.key, "columns": [*sync.hashed_columns], "sync": sync.name,
            "mirror": DESTINATIONS[sync.destination].mirror(sync),
            "document": DESTINATIONS[sync.destination].document_of(sync),
        }
        for sync in Activation(manifest).syncs
    ]  # fmt: skip
