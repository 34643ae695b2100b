"""How many changes a crawl catches per 1,000 requests: by `marts.crawl_priorities`, and by walking round.

The market of the sandbox moves day by day, in this process and without HTTP. Both ways see the same days with the
same number of requests, after the same first days on which everything is visited. The order comes from the dbt model
itself, built each day from what was landed.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.measuring import Scale
from benchmarks.memory_source import DefaultConnection
from benchmarks.table import Line, verdict
from karvon.connections import Universe
from karvon.http import HttpClient
from karvon.settings import Settings, child_environment, load_settings
from karvon.warehouse import Warehouse
from orchestration.dbt import dbt_command
from pipelines.document import canonical_document
from pipelines.landing import LoadOptions, load
from pipelines.slices import VISITS, Slice, revisits
from pipelines.source import Batch, Context, Document, Resource, Source
from pipelines.sources.uzum import SELLER_SOURCE, SOURCE
from pipelines.sources.uzum.kept import PRODUCT
from sandbox.state import State
from sandbox.uzum import Market, declare_switches
from sandbox.uzum.bodies import RU, product_payload
from sandbox.uzum.next_day import next_day


class Sizes(NamedTuple):
    """Ids, days on which all are visited, days that count, requests on each of these."""

    ids: int
    known_days: int
    days: int
    requests: int


@dataclass
class Watcher:
    """One way of crawling: what it saw last of each id, and what it caught since."""

    seen: dict[int, str] = field(default_factory=dict)
    caught: int = 0
    requests: int = 0

    def look(self, now: dict[int, str], ids: Collection[int], *, counts: bool) -> None:
        for number in ids:
            self.caught += counts and self.seen.get(number, "") != now.get(number, "")
            self.requests += counts
            self.seen[number] = now.get(number, "")


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """One line: the model against the uniform cycle."""
    sizes = Sizes(120, 2, 1, 20) if scale != "full" else Sizes(3000, 4, 6, 500)
    settings = load_settings().model_copy(update={"home": folder / "home", "warehouse": None})
    warehouse = Warehouse(settings.warehouse_url)
    by_model, round_ = _simulated(folder, sizes, settings, warehouse)
    ours, floor = (1000 * one.caught / one.requests for one in (by_model, round_))
    ratio = ours / max(floor, 0.001)
    yield Line(
        "revisit: changes caught per 1,000 requests",
        f"{sizes.ids:,} ids, {sizes.days} days of {sizes.requests} requests",
        f"{ours:.0f}", f"{floor:.0f}, uniform cycle", ratio, "ratio > 1", verdict(ratio > 1 or scale != "full"),
    )  # fmt: skip


def _simulated(
    folder: Path, sizes: Sizes, settings: Settings, warehouse: Warehouse
) -> tuple[Watcher, Watcher]:
    state = State(folder / "market", public_url="http://127.0.0.1")
    declare_switches(state.switches)
    market = Market(state, ids=sizes.ids, seed=7).ready()
    by_model, round_, turn = Watcher(), Watcher(), 0
    universe = Universe(1, 0, 1000, 0, 0, sizes.requests, 100)
    for day in range(sizes.known_days + sizes.days):
        found = {number: _document(market, number, state) for number in range(1, market.last_id + 1)}
        now = {
            number: canonical_document(document)[1]
            for number, document in found.items()
            if document is not None
        }
        if day < sizes.known_days:
            for watcher in (by_model, round_):
                watcher.look(now, found, counts=False)
            slices = [Slice.between(1, market.last_id)]
        else:
            _build(settings)
            slices = revisits(warehouse, SOURCE, "default", universe, sizes.requests, market.now)
            by_model.look(now, [number for one in slices for number in one.ids], counts=True)
            around = [(turn + at) % market.last_id + 1 for at in range(sizes.requests)]
            turn += sizes.requests
            round_.look(now, around, counts=True)
        for one in slices:
            _land(warehouse, market, one, found)
        next_day(market, {})
    return by_model, round_


def _document(market: Market, number: int, state: State) -> Document | None:
    if not market.exists(number):
        return None
    return PRODUCT.of(product_payload(market, market.design(number), RU, state.switches)["data"])


def _land(warehouse: Warehouse, market: Market, one: Slice, found: dict[int, Document | None]) -> None:
    """As the crawl lands it, at the market's time."""

    async def products(_context: Context) -> AsyncIterator[Batch]:
        there = [document for number in one.ids if (document := found.get(number)) is not None]
        gone = [str(number) for number in one.ids if found.get(number) is None]
        yield Batch(there, gone=gone, missing=len(gone), scope=one.scope)

    async def visits(context: Context) -> AsyncIterator[Batch]:
        if one.is_revisit:
            document = {"scope": one.scope, "ids": list(one.ids), "missing": []}
            yield Batch([{"key": f"{one.scope} at {context.now.isoformat()}", **document}], scope=one.scope)

    fetches: dict[str, Any] = {"products": products, VISITS: visits}
    resources: Sequence[Resource] = [
        Resource(resource.name, resource.key, fetches.get(resource.name, resource.fetch))
        for resource in (*SOURCE.resources, *SELLER_SOURCE.resources)
        if resource.name in fetches or resource.visit is None
    ]
    wanted = frozenset(fetches if one.is_revisit else {"products"})
    source = Source(
        "uzum", tuple(resources), lambda _: HttpClient("memory", base_url="http://127.0.0.1"), SOURCE.probe
    )
    load(source, DefaultConnection(), warehouse, LoadOptions(resources=wanted, now=market.now))


def _build(settings: Settings) -> None:
    settings.dbt_target_path.mkdir(parents=True, exist_ok=True)
    command = dbt_command("run", "--select", "+crawl_priorities")
    done = subprocess.run(
        command, env=child_environment(settings), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-3000:])
