"""Floor of a REST API into Postgres: as into DuckDB, with binary COPY through ADBC in one transaction."""

from __future__ import annotations

import asyncio

from benchmarks.floors.landing_postgres import copy
from benchmarks.floors.rest_duckdb import all_rows
from benchmarks.measuring import Clock, Facts


def land(clock: Clock, *, url: str, base_url: str) -> Facts:
    """Land what the table does not hold yet; the indexes are made after the rows are in."""
    with clock:
        return {"landed": copy(url, asyncio.run(all_rows(base_url)))}
