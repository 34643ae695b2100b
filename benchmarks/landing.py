"""Landing documents through `pipelines.landing.load`, first and again, against a copy written by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.documents import product_documents, some_changed
from benchmarks.measuring import Clock, Facts, Measurement, Program, measure
from benchmarks.memory_source import DefaultConnection, memory_source
from benchmarks.postgres import running_postgres
from benchmarks.table import Line, compared
from karvon.warehouse import Warehouse
from pipelines.landing import load


class Sizes(NamedTuple):
    """How many documents ours and the floor land, how many dlt's nested loading, and how often each runs."""

    documents: int
    nested: int
    repeat: int


def rows(folder: Path, *, small: bool) -> Iterator[Line]:
    """DuckDB, then Postgres."""
    sizes = Sizes(500, 50, 1) if small else Sizes(100_000, 10_000, 3)
    files = itertools.count()
    yield from _on("DuckDB", lambda: f"duckdb:///{folder}/landing_{next(files)}.duckdb", sizes)
    with running_postgres(folder) as server:
        yield from _on("Postgres", server.database, sizes)


def _on(engine: str, fresh: Callable[[], str], sizes: Sizes) -> Iterator[Line]:
    targets: dict[str, str] = {}

    def program(name: str, function: str, count: int) -> Program:
        def arguments() -> dict[str, Any]:
            targets[name] = fresh()
            return {"url": targets[name], "count": count}

        return Program(function, arguments)

    def again(name: str, function: str, **more: Any) -> Program:
        return Program(function, lambda: {"url": targets[name], "count": sizes.documents, **more})

    floor = f"benchmarks.floors.landing_{engine.lower()}:land"
    first = measure(
        {
            "ours": program("ours", "benchmarks.landing:land", sizes.documents),
            "floor": program("floor", floor, sizes.documents),
            "nested": program("nested", "benchmarks.floors.landing_dlt:land", sizes.nested),
        },
        sizes.repeat,
    )
    _all_landed(first["ours"], first["floor"], sizes.documents)
    ours, nested = first["ours"], first["nested"]
    size = f"{sizes.documents:,} documents"
    yield compared(f"landing, {engine}: first load", size, ours, first["floor"], at_most=2)
    peer = compared(
        f"landing, {engine}: against dlt's nested loading, per document",
        size,
        ours,
        nested,
        at_most=0.1 if engine == "DuckDB" else None,
        scale=sizes.documents / sizes.nested,
    )
    yield replace(peer, floor=f"{nested} s for {sizes.nested:,}, {nested.peak_mb:.0f} MB")
    second = measure(
        {"ours": again("ours", "benchmarks.landing:land"), "floor": again("floor", floor)}, sizes.repeat
    )
    _all_landed(second["ours"], second["floor"], 0)
    share = second["ours"].median / ours.median
    line = compared(f"landing, {engine}: again, nothing changed", size, second["ours"], second["floor"])
    yield replace(line, what=f"{line.what} ({share:.0%} of the first load)")
    changed = measure({"ours": again("ours", "benchmarks.landing:land", every=100)}, 1)["ours"]
    _all_landed(changed, changed, sizes.documents // 100)
    yield Line(
        f"landing, {engine}: again, 1 % changed", size, f"{changed} s", peak_mb=f"{changed.peak_mb:.0f}"
    )


def _all_landed(ours: Measurement, floor: Measurement, expected: int) -> None:
    landed = {one["landed"] for one in (*ours.returned, *floor.returned)}
    if landed != {expected}:
        raise RuntimeError(f"{landed} documents landed instead of {expected}")


def land(clock: Clock, *, url: str, count: int, every: int = 0) -> Facts:
    """Ours. `every`: each so-manieth document has changed."""
    import dlt  # noqa: F401 - imports are not what is measured

    documents = product_documents(count)
    given = some_changed(documents, every) if every else documents
    source = memory_source("memory", {"products": given})
    warehouse = Warehouse(url)
    with clock:
        report = load(source, DefaultConnection(), warehouse)
    return {"landed": report.resources[0].landed}
