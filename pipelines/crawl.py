"""Walking numbered records in resumable slices: visited side by side, landed slice by slice.

A slice is one load: its documents and its observation (`ids 1-1000`) are committed together, so a killed crawl
repeats at most the slices it had not landed. One thread visits while this one lands, so that the rate limit is
used without a pause; a slice that a crawl has in work is claimed, so that crawls side by side divide the slices.

Three things that are not a document are kept apart: missing ids, refusals (they end the crawl, nothing goes
around them), and failures (tried again by the client; a slice with failures is incomplete and comes again).
"""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from karvon.http import HttpClient, NotFound, Refused, RemoteError
from karvon.turns import working
from karvon.warehouse import Warehouse
from pipelines.landing import LoadOptions, LoadReport, load
from pipelines.slices import VISITS, Slice, due, revisits, status, visited_since, within
from pipelines.source import Batch, Context, Document, Resource, Source, Visit

IN_WORK = 1
"""Slices visited ahead of the one that is landed: a kill repeats that one, and what was read ahead by then."""
BATCH = 100
FAILURES_IN_A_ROW = 20
"""So many records that fail one after the other, each tried several times, and the source counts as down."""


def crawl_due(
    source: Source, connection: Any, warehouse: Warehouse, options: LoadOptions
) -> Iterator[LoadReport]:
    """Crawl what is due, within the requests of one run, growing while the top finds anything.

    If more is due than fits, a share of the requests goes to records that change often (`crawl_priorities`); if
    nothing is due, all of them. Raises `LoadError` as `crawl` does.
    """
    universe, (resource, _) = connection.universe, _crawled(source)
    tried: set[str] = set()
    left = universe.requests_per_run
    while left > 0:
        now = options.now or datetime.now(UTC)
        known = status(warehouse, source, resource.name, connection.name, universe, now)
        waiting = [one for one in due(known, now) if one.slice.scope not in tried]
        slices: list[Slice] = []
        if not tried and (not waiting or sum(len(one.slice.ids) for one in waiting) > left):
            share = int(left * (universe.revisit_percent / 100 if waiting else 1))
            slices = revisits(warehouse, source, connection.name, universe, share, now)
        left_for_all = left - sum(len(one.ids) for one in slices)
        if waiting and left_for_all > 0:
            slices += [one.slice for one in within(waiting, left_for_all)]
        if not slices:
            return
        tried |= {one.scope for one in slices}
        for report in crawl(source, connection, warehouse, slices, options, now):
            left -= sum(resource.requests for resource in report.resources)
            yield report


def load_slices(
    source: Source, connection: Any, warehouse: Warehouse, options: LoadOptions, rounds: int
) -> Iterator[LoadReport]:
    """Load the source, then again what ended in the middle of a walk, so many times at most."""
    sliced = {resource.name: resource.is_unfinished for resource in source.resources}
    for _ in range(rounds):
        report = load(source, connection, warehouse, options)
        yield report
        rest = frozenset(
            one.resource
            for one in report.resources
            if one.is_complete and sliced[one.resource](one.cursor_value)
        )
        if not rest:
            return
        options = replace(options, resources=rest, refresh=frozenset())


def _crawled(source: Source) -> tuple[Resource, Visit]:
    return next((one, one.visit) for one in source.resources if one.visit is not None)


def crawl(
    source: Source,
    connection: Any,
    warehouse: Warehouse,
    slices: Iterable[Slice],
    options: LoadOptions,
    asked_at: datetime | None = None,
) -> Iterator[LoadReport]:
    """Visit and land the slices in order; a report for each that was landed.

    Slices that another crawl has in work, or has finished since they were asked for (`asked_at`, else now), are left
    out. Raises `LoadError` on the first refusal or when the source is down, after landing what was read.
    """
    resource, visit = _crawled(source)
    since = asked_at or options.now or datetime.now(UTC)
    visitors = _Visitors(source.connect(connection), visit, connection.manners.concurrency)
    with working(warehouse, f"the crawl of {source.name}"), ExitStack() as claims, visitors:
        waiting: deque[tuple[_Slice, ExitStack]] = deque()
        for one in slices:
            claim = claims.enter_context(ExitStack())
            mine = claim.enter_context(warehouse.claim(f"{source.name}:{connection.name}:{one.scope}"))
            if not mine or visited_since(warehouse, source, resource.name, connection.name, one, since):
                claim.close()
                continue
            waiting.append((visitors.take(one), claim))
            if len(waiting) > IN_WORK:
                yield _land(source, resource, connection, warehouse, waiting.popleft(), options)
        while waiting:
            yield _land(source, resource, connection, warehouse, waiting.popleft(), options)


def _land(
    source: Source,
    resource: Resource,
    connection: Any,
    warehouse: Warehouse,
    taken: tuple[_Slice, ExitStack],
    options: LoadOptions,
) -> LoadReport:
    visited, claim = taken
    resources = [replace(resource, visit=None, fetch=visited.batches)]
    if visited.slice.is_revisit:
        resources += [replace(one, fetch=visited.visits) for one in source.resources if one.name == VISITS]
    with claim:
        return load(replace(source, resources=tuple(resources)), connection, warehouse, options)


@dataclass
class _Slice:
    """A slice on its way: filled by the visitors' thread, emptied by the load in the other."""

    slice: Slice
    found: queue.SimpleQueue[Batch | BaseException | None] = field(default_factory=queue.SimpleQueue)
    documents: list[Document] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    visited: int = 0

    @property
    def is_done(self) -> bool:
        return self.visited == len(self.slice.ids)

    def hand_over(self) -> None:
        """Give the documents so far to the load."""
        self.found.put(Batch(self.documents))
        self.documents = []

    def end(self, requests: int) -> None:
        """Give the rest, with the requests that were sent for this slice."""
        self.hand_over()
        gone = [str(number) for number in self.missing]
        self.found.put(Batch(gone=gone, missing=len(gone), failed=len(self.failed), requests=requests))
        self.found.put(None)

    def break_off(self, reason: BaseException) -> None:
        """Give what there is, and why there is no more. Missing ids are only believed in a whole slice."""
        self.hand_over()
        self.found.put(Batch(missing=len(self.missing), failed=len(self.failed)))
        self.found.put(reason)

    async def batches(self, _context: Context) -> AsyncIterator[Batch]:
        """What was found, as a load takes it. Waits for the other thread; nothing else runs in this loop."""
        yield Batch(scope=self.slice.scope)
        while (found := self.found.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found

    async def visits(self, context: Context) -> AsyncIterator[Batch]:
        """The numbers that were answered: no range says so for a list."""
        failed = set(self.failed)
        answered = [number for number in self.slice.ids if number not in failed]
        document = {"scope": self.slice.scope, "ids": answered, "missing": sorted(self.missing)}
        key = f"{self.slice.scope} at {context.now.isoformat()}"
        yield Batch([{"key": key, **document}], scope=self.slice.scope)


class _Visitors:
    """A thread with an event loop, one client and a crowd of visitors, who take the numbers in order."""

    def __init__(self, http: HttpClient, visit: Visit, concurrency: int) -> None:
        self._http, self._visit = http, visit
        # Twice as many as requests at once: who waits to try again must not leave a place empty.
        self._crowd = 2 * concurrency
        self._loop = asyncio.new_event_loop()
        self._numbers: asyncio.Queue[tuple[_Slice, int]] = asyncio.Queue()
        self._taken: list[_Slice] = []
        self._failures, self._counted = 0, 0
        self._work = self._loop.create_task(self._visit_all())
        self._thread = threading.Thread(target=self._run, name="visitors", daemon=True)

    def __enter__(self) -> None:
        # Looking through all that was imported would hold up the visitors for a fifth of a second, again and again.
        gc.freeze()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join()
        self._loop.close()
        gc.unfreeze()

    def take(self, one: Slice) -> _Slice:
        """Have a slice visited after those before it."""
        taken = _Slice(one)
        self._loop.call_soon_threadsafe(self._enqueue, taken)
        return taken

    def _enqueue(self, taken: _Slice) -> None:
        self._taken = [one for one in self._taken if not one.is_done] + [taken]
        for number in taken.slice.ids:
            self._numbers.put_nowait((taken, number))

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._work)

    async def _visit_all(self) -> None:
        try:
            async with self._http, asyncio.TaskGroup() as group:
                for _ in range(self._crowd):
                    group.create_task(self._visitor())
        except ExceptionGroup as failures:
            for taken in self._taken:
                if not taken.is_done:
                    taken.break_off(failures.exceptions[0])

    async def _visitor(self) -> None:
        while True:
            taken, number = await self._numbers.get()
            try:
                document = await self._visit(self._http, number)
                taken.documents.append(document)
                self._failures = 0
            except NotFound:
                taken.missing.append(number)
                self._failures = 0
            except Refused:
                raise
            except RemoteError:
                taken.failed.append(number)
                self._failures += 1
                if self._failures >= FAILURES_IN_A_ROW:
                    raise
            taken.visited += 1
            if taken.is_done:
                sent = self._http.statistics.requests
                taken.end(sent - self._counted)
                self._counted = sent
            elif len(taken.documents) >= BATCH:
                taken.hand_over()
