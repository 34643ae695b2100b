"""Landing documents through `pipelines.landing.load`, first and again, against a copy written by hand."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.documents import product_documents, some_changed
from benchmarks.measuring import Clock, Facts, Measurement, Program, Scale, measure
from benchmarks.memory_source import DefaultConnection, memory_source
from benchmarks.postgres import running_postgres
from benchmarks.table import Line, compared, verdict
from karvon.warehouse import Session, Warehouse
from pipelines.landing import load


class Sizes(NamedTuple):
    """How many documents ours and the floor land, how many dlt's nested loading (if any), and how often each runs."""

    documents: int
    nested: int
    repeat: int


SIZES: dict[Scale, Sizes] = {
    "full": Sizes(200_000, 10_000, 3), "quick": Sizes(10_000, 0, 3), "small": Sizes(500, 50, 1)
}  # fmt: skip


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """DuckDB, then Postgres."""
    sizes = SIZES[scale]
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
    programs = {
        "ours": program("ours", "benchmarks.landing:land", sizes.documents),
        "floor": program("floor", floor, sizes.documents),
    }
    if sizes.nested:
        programs["nested"] = program("nested", "benchmarks.floors.landing_dlt:land", sizes.nested)
    first = measure(programs, sizes.repeat)
    _all_landed(first["ours"], first["floor"], sizes.documents)
    ours, size = first["ours"], f"{sizes.documents:,} documents"
    yield compared(f"landing, {engine}: first load", size, ours, first["floor"], at_most=2)
    if sizes.nested:
        yield _against_nested(engine, ours, first["nested"], sizes)
    second = measure(
        {"ours": again("ours", "benchmarks.landing:land"), "floor": again("floor", floor)}, sizes.repeat
    )
    _all_landed(second["ours"], second["floor"], 0)
    yield compared(f"landing, {engine}: again, nothing changed", size, second["ours"], second["floor"])
    yield _in_the_warehouse(engine, size, ours, second["ours"])
    changed = measure({"ours": again("ours", "benchmarks.landing:land", every=100)}, 1)["ours"]
    _all_landed(changed, changed, sizes.documents // 100)
    yield Line(
        f"landing, {engine}: again, 1 % changed", size, f"{changed} s", peak_mb=f"{changed.peak_mb:.0f}"
    )


def _against_nested(engine: str, ours: Measurement, nested: Measurement, sizes: Sizes) -> Line:
    line = compared(
        f"landing, {engine}: against dlt's nested loading, per document",
        f"{sizes.documents:,} documents",
        ours,
        nested,
        at_most=0.1 if engine == "DuckDB" else None,
        scale=sizes.documents / sizes.nested,
    )
    return replace(line, floor=f"{nested} s for {sizes.nested:,}, {nested.peak_mb:.0f} MB")


def _in_the_warehouse(engine: str, size: str, first: Measurement, again: Measurement) -> Line:
    """Seconds that the warehouse has work, or is waited for, when nothing changed, against the first load's."""
    spent, before = (
        sorted(one["in_warehouse"] for one in measured.returned)[len(measured.returned) // 2]
        for measured in (again, first)
    )
    return Line(
        f"landing, {engine}: again, nothing changed, in the warehouse", size,
        f"{spent:.2f} s", f"{before:.2f} s: the first load", spent / before, "ratio ≤ 0.05",
        verdict(spent <= 0.05 * before),
    )  # fmt: skip


def _all_landed(ours: Measurement, floor: Measurement, expected: int) -> None:
    landed = {one["landed"] for one in (*ours.returned, *floor.returned)}
    if landed != {expected}:
        raise RuntimeError(f"{landed} documents landed instead of {expected}")


def land(clock: Clock, *, url: str, count: int, every: int = 0) -> Facts:
    """Ours. `every`: each so-manieth document has changed."""
    import dlt

    documents = product_documents(count)
    given = some_changed(documents, every) if every else documents
    source = memory_source("memory", {"products": given})
    warehouse = _TimedWarehouse(url)
    for name in ("sync_schema", "load"):
        setattr(dlt.Pipeline, name, warehouse.timed(getattr(dlt.Pipeline, name)))
    with clock:
        report = load(source, DefaultConnection(), warehouse)
    return {"landed": report.resources[0].landed, "in_warehouse": warehouse.seconds}


class _TimedWarehouse(Warehouse):
    """Counts the seconds in which a session is open, or in a function that it was told of; once where they nest."""

    seconds = 0.0
    _is_counting = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self._counted(), super().session() as session:
            yield session

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            with self._counted():
                return function(*given, **named)

        return wrapped

    @contextmanager
    def _counted(self) -> Iterator[None]:
        if self._is_counting:
            yield
            return
        self._is_counting, began = True, time.perf_counter()
        try:
            yield
        finally:
            self._is_counting, self.seconds = False, self.seconds + time.perf_counter() - began
