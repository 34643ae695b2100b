"""`python -m benchmarks [ROW…] [--quick | --small] [--folder DIR]`: run rows, print one table of ratios.

Ratio is ours ÷ floor, both measured in this run, in turns, each time in a fresh process; seconds are the median and,
in brackets, the least and the most.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from benchmarks.measuring import Scale
from benchmarks.regressions import record, unmatched, worse
from benchmarks.table import Line, printed

ROWS = {
    "landing": "documents into DuckDB and Postgres",
    "rest": "a REST API, as a user declares it, into DuckDB and Postgres",
    "crawl_landing": "what a crawl found, slice by slice, DuckDB and Postgres",
    "crawl_memory": "memory of a crawl of a million documents",
    "revisit": "changes caught per 1,000 requests, by expected change and by walking round",
    "planning": "a plan over a big catalogue, DuckDB and Postgres",
    "webflow_requests": "requests that kinds of changes cost",
    "fixed_costs": "the command line and the Dagster definitions",
    "market": "market models when 1 % of a million documents is new, DuckDB and Postgres",
    "idle_run": "a run with nothing to do, and where its seconds go",
}
QUICK = ("landing", "crawl_landing", "planning", "webflow_requests", "fixed_costs")
"""Rows that show a regression in three minutes altogether."""
PACKAGES = (
    "duckdb",
    "dlt",
    "dagster",
    "dbt-core",
    "dbt-duckdb",
    "pyarrow",
    "adbc-driver-postgresql",
    "orjson",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help=" ".join(f"{name}: {what}." for name, what in ROWS.items()).replace("%", "%%"),
    )
    scales = parser.add_mutually_exclusive_group()
    scales.add_argument("--small", action="store_true", help="tiny sizes, to see that everything runs")
    scales.add_argument(
        "--quick", action="store_true", help="some rows, held against benchmarks/baseline.json"
    )
    parser.add_argument("--record", action="store_true", help="with --quick: make its ratios the baseline")
    parser.add_argument("--folder", type=Path, help="where the scratch folder is made")
    given = parser.parse_args()
    if unknown := set(given.rows) - set(ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    print(_machine(), file=sys.stderr)
    if given.quick:
        sys.exit(_quick(given.folder, is_baseline=given.record))
    scale: Scale = "small" if given.small else "full"
    lines = [
        line for name in given.rows or ROWS for line in _told(run(name, scale=scale, folder=given.folder))
    ]
    print()
    printed(lines)


def _quick(folder: Path | None, *, is_baseline: bool) -> int:
    """The exit status: 1 when a ratio is worse than the committed one, twice in a row."""
    lines: list[Line] = []
    for name in QUICK:
        found = list(_told(run(name, scale="quick", folder=folder)))
        if not is_baseline and any(worse(found)):
            again = {line.what: line for line in _told(run(name, scale="quick", folder=folder))}
            found = [min(line, again[line.what], key=lambda one: one.ratio or 0) for line in found]
        # The goals are for full sizes.
        lines += [line if line.is_exact else replace(line, must="", verdict="") for line in found]
    print()
    printed(lines)
    if is_baseline:
        record(lines)
        return 0
    told = [*worse(lines), *unmatched(lines)]
    print("\n".join(["", *told] if told else ["", "no ratio is worse than in benchmarks/baseline.json"]))
    return 1 if told else 0


def _told(lines: Iterator[Line]) -> Iterator[Line]:
    for line in lines:
        print(" · ".join(cell for cell in line.cells if cell), file=sys.stderr, flush=True)
        yield line


def run(name: str, *, scale: Scale, folder: Path | None = None) -> Iterator[Line]:
    """The lines of one row, as they are measured."""
    topic = importlib.import_module(f"benchmarks.{name}")
    with tempfile.TemporaryDirectory(prefix="karvon_bench_", dir=folder) as scratch:
        yield from topic.rows(Path(scratch), scale=scale)


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load}; {packages}"


if __name__ == "__main__":
    main()
