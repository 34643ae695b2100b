"""The window that calls go through: journaled before and after, looked up when nobody knows, tried again when safe.

While some calls wait for their answers, the next are prepared and written down as `sent` together with the answers
that came meanwhile. The warehouse is not held while anybody waits for the network, and the rate limit is never left
unused while there is something to send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from karvon.progress import Step
from karvon.warehouse import Session, Warehouse
from reverse_etl.applying.recording import record
from reverse_etl.applying.result import ApplyResult
from reverse_etl.spec.syncs import Sync
from reverse_etl.state import ledger, operations
from reverse_etl.state.destination import Bound, Channel, Known, Outcome
from reverse_etl.state.leases import Lease
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import Operation, sending

WINDOW = 32
"""Calls under way at a time: at most so many outcomes must be looked up after a kill."""
REFILL = WINDOW // 2
"""Calls that are prepared and written down together, as soon as so many places are free."""
TRIES = 3
"""How often a write is sent in one run when it is certain that it did not happen before."""

Call = tuple[Operation, ...]
Result = TypeVar("Result")


@dataclass
class Writing:
    """What all stages of one apply share. By target: why nothing more can be created, why it gets nothing more."""

    warehouse: Warehouse
    lease: Lease
    bounds: Mapping[str, Bound]
    result: ApplyResult
    opened: Mapping[tuple[str, str], Channel]
    step: Step
    no_creates: dict[tuple[str, str], str] = field(default_factory=dict)
    stopped: dict[tuple[str, str], str] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def syncs(self) -> dict[str, Sync]:
        return {name: bound.sync for name, bound in self.bounds.items()}

    async def in_session(self, work: Callable[[Session], Result]) -> Result:
        """Do something with the warehouse, beside the calls that wait for the network; one thing at a time."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._work, work)

    def _work(self, work: Callable[[Session], Result]) -> Result:
        with self.warehouse.session() as session:
            return work(session)


@dataclass
class Stage:
    """Calls that do not depend on each other, on their way through the window."""

    run: Writing
    waiting: list[Call]
    under_way: set[asyncio.Task[list[Outcome]]] = field(default_factory=set)
    unjudged: list[Outcome] = field(default_factory=list)

    async def carry_out(self) -> None:
        try:
            while self.under_way or self.waiting:
                # One destination that does not answer does not keep the others from getting theirs.
                self.waiting = [call for call in self.waiting if call[0].target not in self.run.stopped]
                while not self._is_full():
                    await self._refill()
                if self.under_way:
                    await self._take_answers()
        finally:
            for task in self.under_way:
                task.cancel()

    def _is_full(self) -> bool:
        return not self.waiting or len(self.under_way) > WINDOW - REFILL

    async def _refill(self) -> None:
        """Prepare the next calls, write them down as sent, and send them."""
        calls, self.waiting = self.waiting[:REFILL], self.waiting[REFILL:]
        known = await self._known(calls)
        prepared = await asyncio.gather(
            *(self.run.opened[call[0].target].prepare(call, known) for call in calls)
        )
        early = [one for call in prepared for one in call if isinstance(one, Outcome)]
        ready: list[Call] = []
        for call in prepared:
            rest: Call = tuple(sending(one) for one in call if isinstance(one, Operation))
            full = self.run.no_creates.get(rest[0].target) if rest and rest[0].action == "create" else None
            if full:
                early += [Outcome(one, "skipped", error=full) for one in rest]
            elif rest:
                ready.append(rest)

        def write_down(session: Session) -> list[Operation]:
            self.run.lease.renew(session)
            told = record(session, early, self.run.bounds)
            with session.transaction():
                operations.rewrite(session, [one for call in ready for one in call])
            return told

        self._note(await self.run.in_session(write_down))
        self.unjudged += early
        for each in ready:
            self.under_way.add(asyncio.create_task(self._sent(each)))
        self._judge()

    async def _sent(self, call: Call) -> list[Outcome]:
        """Outcomes of a call; unknown ones are looked up at once, where the destination answers again."""
        channel = self.run.opened[call[0].target]
        settled: list[Outcome] = []
        doubtful: list[Outcome] = []
        for one in await channel.send(call):
            (doubtful if one.status == "unknown" else settled).append(one)
        if not doubtful:
            return settled
        known = await self._known([call])
        for found in await channel.find([one.operation for one in doubtful], known):
            if found.status == "absent" and found.operation.attempts >= TRIES:
                tried = f"it was sent {TRIES} times and never arrived; the next plan has it"
                found = replace(found, status="failed", error=tried)
            settled.append(found)
        return settled

    async def _take_answers(self) -> None:
        """Wait until there is room for a refill or nothing more to wait for, and write down what came."""
        target = WINDOW - REFILL if self.waiting else 0
        outcomes: list[Outcome] = []
        while len(self.under_way) > target or (self.under_way and not outcomes):
            done, self.under_way = await asyncio.wait(self.under_way, return_when=asyncio.FIRST_COMPLETED)
            outcomes += [one for task in done for one in task.result()]

        def write_down(session: Session) -> list[Operation]:
            self.run.lease.renew(session)
            return record(session, outcomes, self.run.bounds)

        changed = await self.run.in_session(write_down)
        self._note([one for one in changed if one.status != "planned"])
        self.unjudged += outcomes
        self._judge()
        # What certainly did not happen is tried again.
        self.waiting = [*calls_of(one for one in changed if one.status == "planned"), *self.waiting]

    async def _known(self, calls: Sequence[Call]) -> Known:
        return await self.run.in_session(lambda session: known_of(session, calls, self.run.syncs))

    def _note(self, changed: Sequence[Operation]) -> None:
        self.run.result.take(changed)
        self.run.step.advance(len(changed))

    def _judge(self) -> None:
        """Whether the run goes on for each target, after what came since the last judgement."""
        outcomes, self.unjudged = self.unjudged, []
        for target in {one.operation.target for one in outcomes}:
            self._judge_target(target, [one for one in outcomes if one.operation.target == target])
        self.run.result.stopped = "; ".join(self.run.stopped.values()) or self.run.result.stopped

    def _judge_target(self, target: tuple[str, str], outcomes: Sequence[Outcome]) -> None:
        """A target ends when it does not answer any more, and on what concerns all its rows."""
        failed = [one for one in outcomes if one.status in ("failed", "unknown")]
        is_silent = (
            bool(failed)
            and len(failed) == len(outcomes)
            and all(one.stops == "outage" or one.status == "unknown" for one in failed)
        )
        # One call without an answer proves nothing while others are under way.
        is_proof = len({one.operation.call for one in outcomes}) >= REFILL or not self.under_way
        if final := next((one for one in failed if one.stops == "run"), None):
            self.run.stopped[target] = f"stopped: {final.error}"
        elif is_silent and is_proof:
            self.run.stopped[target] = f"stopped: the destination does not answer ({failed[0].error})"
        if is_silent and not is_proof:
            self.unjudged += outcomes
        if full := next((one for one in failed if one.stops == "creates"), None):
            self.run.no_creates[target] = f"no more creates in this run: {full.error}"


def known_of(session: Session, calls: Iterable[Call], syncs: Mapping[str, Sync]) -> Known:
    """The ledger's rows of everything that the calls are about, whichever destination they belong to."""
    by_target: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for call in calls:
        for name, key in needed_by(call):
            if name in syncs:
                by_target.setdefault(syncs[name].target, set()).add((name, key))
    entries: dict[tuple[str, str], Entry] = {}
    for target, names in by_target.items():
        entries |= ledger.read_named(session, target, names)
    return Known(entries)


def needed_by(call: Iterable[Operation]) -> set[tuple[str, str]]:
    """(sync, key) of every ledger row that a call is about: its own, its parent's, those it refers to."""
    names: set[tuple[str, str]] = set()
    for one in call:
        names.add(one.identity)
        if one.parent_sync and one.parent_key:
            names.add((one.parent_sync, one.parent_key))
        for value in one.payload.get("fieldData", {}).values():
            symbol = value.get("$references") if isinstance(value, Mapping) else None
            if symbol:
                names.update((symbol["sync"], key) for key in symbol["keys"])
    return names


def calls_of(todo: Iterable[Operation]) -> Iterator[Call]:
    """Operations gathered into their calls, in order."""
    calls: dict[tuple[str, int], list[Operation]] = {}
    for one in todo:
        calls.setdefault((one.plan_id, one.call), []).append(one)
    yield from (tuple(call) for call in calls.values())
