"""Floor of a REST API into DuckDB: pages 8 at once → canonical JSON and hash → Arrow → INSERT, with change detection.

All it knows is one list and one table: no rate limit, no second attempt, no limits, no observations.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson

from benchmarks.floors.landing_duckdb import insert
from benchmarks.measuring import Clock, Facts

AT_ONCE = 8


def land(clock: Clock, *, url: str, base_url: str) -> Facts:
    """Land what the table does not hold yet."""
    with clock:
        return {"landed": insert(url, asyncio.run(all_rows(base_url)))}


async def all_rows(base_url: str) -> list[dict[str, Any]]:
    """The rows of all pages, in order."""
    slots = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=base_url, limits=httpx.Limits(max_connections=AT_ONCE)) as client:

        async def page(number: int) -> Any:
            async with slots:
                return orjson.loads((await client.get("/products", params={"page": number})).content)

        first = await page(1)
        others = await asyncio.gather(*map(page, range(2, first["total_pages"] + 1)))
    return [row for one in (first, *others) for row in one["data"]]
