"""`python -m benchmarks [ROW…] [--small] [--folder DIR]`: run rows, print one table of ratios.

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
from importlib.metadata import version
from pathlib import Path

from benchmarks.table import Line, printed

ROWS = {
    "landing": "documents into DuckDB and Postgres",
    "rest": "a REST API, as a user declares it, into DuckDB and Postgres",
    "crawl_landing": "what a crawl found, slice by slice, DuckDB and Postgres",
    "revisit": "changes caught per 1,000 requests, by expected change and by walking round",
    "planning": "a plan over a big catalogue, DuckDB and Postgres",
    "webflow_requests": "requests that kinds of changes cost",
    "fixed_costs": "the command line and the Dagster definitions",
    "market": "market models when 1 % of a million documents is new, DuckDB and Postgres",
    "idle_run": "a run with nothing to do, and where its seconds go",
}
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
        "rows", nargs="*", metavar="ROW", help=" ".join(f"{name}: {what}." for name, what in ROWS.items())
    )
    parser.add_argument("--small", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--folder", type=Path, help="where the scratch folder is made")
    given = parser.parse_args()
    if unknown := set(given.rows) - set(ROWS):
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    print(_machine(), file=sys.stderr)
    lines = []
    for name in given.rows or ROWS:
        for line in run(name, small=given.small, folder=given.folder):
            print(" · ".join(cell for cell in line.cells if cell), file=sys.stderr, flush=True)
            lines.append(line)
    print()
    printed(lines)


def run(name: str, *, small: bool, folder: Path | None = None) -> Iterator[Line]:
    """The lines of one row, as they are measured."""
    topic = importlib.import_module(f"benchmarks.{name}")
    with tempfile.TemporaryDirectory(prefix="karvon_bench_", dir=folder) as scratch:
        yield from topic.rows(Path(scratch), small=small)


def _machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load}; {packages}"


if __name__ == "__main__":
    main()
