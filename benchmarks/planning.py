"""A plan over a big catalogue that is in the shop already, with 1 % changed and with nothing changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from benchmarks.activation import Activation, parse_project
from benchmarks.catalogue import SIZES
from benchmarks.measuring import Clock, Facts, Program, measure
from benchmarks.postgres import running_postgres
from benchmarks.synced_shop import SENT
from benchmarks.table import Line, compared, verdict
from karvon.warehouse import Warehouse
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.plan import make_plan

SECONDS, MEGABYTES = 10, 1024
"""What issue 2 asks of 20,000 products."""


def rows(folder: Path, *, small: bool) -> Iterator[Line]:
    """DuckDB, then Postgres. Small: with changes only."""
    products, repeat, lines = (100, 1, 1) if small else (20_000, 3, 2)
    manifest = parse_project(folder)
    files = count()

    def copied(like: str | None = None) -> str:
        path = folder / f"plan_{next(files)}.duckdb"
        if like:
            shutil.copyfile(like.removeprefix("duckdb:///"), path)
        return f"duckdb:///{path}"

    yield from islice(_on("DuckDB", copied, manifest, products, repeat), lines)
    with running_postgres(folder) as server:
        yield from islice(_on("Postgres", server.database, manifest, products, repeat), lines)


def plan(clock: Clock, *, url: str, manifest: str) -> Facts:
    """Ours: compute, check against the guards and store."""
    syncs, warehouse = Activation(Path(manifest)).syncs, Warehouse(url)
    with clock:
        made = make_plan(warehouse, syncs)
    return {"operations": len(made.operations), "findings": len(made.findings), "status": made.status}


def _on(engine: str, new: Callable[..., str], manifest: Path, products: int, repeat: int) -> Iterator[Line]:
    shop = new()
    given = {"manifest": str(manifest)}
    once("fill", {"url": shop, **given, "products": products})
    changed = new(shop)
    expected = once("change", {"url": changed, **given})["changed"]
    size = f"{products:,} products, {products * len(SIZES):,} SKUs"
    floor = {"models": _models(manifest), "sent": SENT, "current": "activation"}
    for what, warehouse, operations in (("1 % changed", changed, expected), ("nothing changed", shop, 0)):
        programs = {
            "ours": Program("benchmarks.planning:plan", _with_copy(new, warehouse, given)),
            "floor": Program("benchmarks.floors.planning:compare", _with_copy(new, warehouse, floor)),
        }
        ran = measure(programs, repeat)
        found = (ran["ours"].facts["operations"], ran["floor"].facts["found"], ran["ours"].facts["findings"])
        if found != (operations, operations, 0):
            raise RuntimeError(f"operations, floor's rows and findings are {found}, not {operations}")
        line = compared(f"plan, {engine}: {what}", size, ran["ours"], ran["floor"])
        is_fast = ran["ours"].median <= SECONDS and ran["ours"].peak_mb <= MEGABYTES
        yield replace(line, must=f"≤ {SECONDS} s, ≤ 1 GB", verdict=verdict(is_fast))


def _with_copy(
    new: Callable[..., str], warehouse: str, given: dict[str, Any]
) -> Callable[[], dict[str, Any]]:
    """A plan is stored: each repetition has a warehouse of its own."""
    return lambda: {"url": new(warehouse), **given}


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
