"""Applying a stored plan: journaled before and after, resumable, row by row honest (design §4).

A batch of calls is written down as `sent`, goes out side by side, and is written down with its answers; the
warehouse is not held while anybody waits for the network.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field, replace

from karvon.progress import Step, track
from karvon.warehouse import Warehouse
from reverse_etl import ledger, operations
from reverse_etl.destination import Channel, Channels, Known, Outcome
from reverse_etl.leases import RENEWED_EVERY, Lease, hold
from reverse_etl.operations import Operation, now, sending
from reverse_etl.recording import record
from reverse_etl.schema import migrate
from reverse_etl.standing import moved
from reverse_etl.stored_plans import load_plan
from reverse_etl.syncs import Sync

BATCH = 32
"""Calls per journal entry: at most so many outcomes must be looked up after a kill."""
TRIES = 3
"""How often a write is sent in one run when it is certain that it did not happen before."""

Call = tuple[Operation, ...]


class NotConfigured(Exception):
    """A connection that a plan needs is not known here."""


class Blocked(Exception):
    """The plan broke a guard and nobody said that it may."""


@dataclass
class ApplyResult:
    """What became of a plan's operations. `stopped` says why the rest was not tried."""

    plan_id: str
    counts: Counter[str] = field(default_factory=Counter)
    """Status → operations: done, failed, held, skipped, unknown, planned (not tried)."""
    requests: int = 0
    traffic: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """(destination, connection) → requests, and how many of them were answered 429."""
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stopped: str | None = None

    @property
    def applied(self) -> int:
        return self.counts["done"]

    @property
    def failed(self) -> int:
        return self.counts["failed"] + self.counts["unknown"]

    @property
    def held(self) -> int:
        return self.counts["held"]

    def summary(self) -> str:
        """One line: how many operations ended how."""
        parts = [f"{self.applied} applied"]
        parts += [
            f"{count} {'not tried' if name == 'planned' else name}"
            for name, count in sorted(self.counts.items())
            if count and name != "done"
        ]
        text = f"{', '.join(parts)}; {self.requests} requests"
        return f"{text}; {self.stopped}" if self.stopped else text

    def take(self, changed: Iterable[Operation]) -> None:
        for one in changed:
            self.counts[one.status] += 1
            if one.note and one.status == "done":
                self.notes.append(f"{one.sync} {one.key}: {one.note}")
            if one.error:
                self.errors.append(f"{one.sync} {one.key}: {one.error}")


def apply_plan(
    warehouse: Warehouse,
    plan_id: str,
    syncs: Sequence[Sync],
    channels: Channels,
    *,
    override_guards: bool = False,
) -> ApplyResult:
    """Apply a stored plan, or what is left of it.

    `syncs` are the project's syncs as they are now. Raises `NoSuchPlan`, `Blocked`, `Busy`, `LeaseLost`,
    `NotConfigured`.
    """
    plan = load_plan(warehouse, plan_id)
    if plan.violations and not override_guards:
        raise Blocked("\n".join(one.message for one in plan.violations))
    by_name = {sync.name: sync for sync in syncs}
    result = ApplyResult(plan_id)
    todo = [one for one in plan.operations if one.status == "planned"]
    if not todo:
        return result
    with hold(warehouse, {one.target for one in todo}) as lease:
        asyncio.run(_recover(warehouse, lease, by_name, channels))
        with warehouse.session() as session:
            held = record(session, moved(warehouse, session, todo, by_name, plan.created_at), by_name)
            result.take(held)
            stood = {one.seq for one in held}
            todo = operations.load(session, "plan_id = $1 AND status = 'planned'", (plan_id,))
        run = _Run(warehouse, lease, by_name, channels, result)
        try:
            asyncio.run(run.all([one for one in todo if one.seq not in stood]))
        finally:
            _close(warehouse, result)
    return result


def recover(warehouse: Warehouse, syncs: Sequence[Sync], channels: Channels) -> int:
    """Find out what became of operations that a dead run left open; returns how many were settled.

    Runs before a plan is made, so that the plan knows. Raises `Busy` while another run is applying.
    """
    targets = {one.target for one in _open(warehouse)}
    if not targets:
        return 0
    with hold(warehouse, targets) as lease:
        return asyncio.run(_recover(warehouse, lease, {sync.name: sync for sync in syncs}, channels))


async def _recover(warehouse: Warehouse, lease: Lease, syncs: Mapping[str, Sync], channels: Channels) -> int:
    calls = [
        call for call in _calls(_open(warehouse)) if call[0].target in lease.targets and call[0].sync in syncs
    ]
    async with AsyncExitStack() as stack:
        opened: dict[tuple[str, str], Channel] = {}
        settled = 0
        for call in calls:
            target = call[0].target
            if target not in opened:
                opened[target] = await stack.enter_async_context(_channel(channels, target, syncs))
            with warehouse.session() as session:
                known = Known(ledger.read_named(session, target, _needed(call)))
            found = await opened[target].find(call, known)
            with warehouse.session() as session:
                changed = record(session, [_given_up(one) for one in found], syncs)
            settled += sum(one.status not in ("sent", "unknown") for one in changed)
        return settled


def _given_up(outcome: Outcome) -> Outcome:
    """What did not happen is not sent from an old plan: the next plan computes it anew."""
    if outcome.status != "absent":
        return outcome
    return Outcome(
        outcome.operation, "skipped", error="it was not applied before the run ended; the next plan has it"
    )


def _open(warehouse: Warehouse) -> list[Operation]:
    with warehouse.session() as session:
        migrate(warehouse, session)
        return operations.load(session, "status IN ('sent', 'unknown')", ())


@dataclass
class _Run:
    warehouse: Warehouse
    lease: Lease
    syncs: Mapping[str, Sync]
    channels: Channels
    result: ApplyResult
    no_creates: str | None = None

    async def all(self, todo: Sequence[Operation]) -> None:
        async with AsyncExitStack() as stack:
            opened = {
                target: await stack.enter_async_context(_channel(self.channels, target, self.syncs))
                for target in {one.target for one in todo}
            }
            heartbeat = asyncio.create_task(self._renew())
            try:
                with track("apply", len(todo)) as step:
                    for stage in sorted({one.stage for one in todo}):
                        calls = _calls(one for one in todo if one.stage == stage)
                        await self._stage(list(calls), opened, step)
            finally:
                heartbeat.cancel()
                with suppress(asyncio.CancelledError):
                    await heartbeat
                self.result.traffic = {
                    target: (channel.requests, channel.throttled) for target, channel in opened.items()
                }
                self.result.requests = sum(requests for requests, _ in self.result.traffic.values())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY.total_seconds())
            with self.warehouse.session() as session:
                self.lease.renew(session)

    async def _stage(self, calls: list[Call], opened: Mapping[tuple[str, str], Channel], step: Step) -> None:
        while calls and not self.result.stopped:
            batch, calls = calls[:BATCH], calls[BATCH:]
            again = await self._batch(batch, opened, step)
            calls = again + calls

    async def _batch(
        self, batch: Sequence[Call], opened: Mapping[tuple[str, str], Channel], step: Step
    ) -> list[Call]:
        """Carry a batch out; returns calls that certainly did not happen and may be tried again."""
        known = self._known(batch)
        prepared = await asyncio.gather(
            *(opened[call[0].target].prepare(call, known[call[0].target]) for call in batch)
        )
        early = [one for call in prepared for one in call if isinstance(one, Outcome)]
        ready: list[Call] = []
        for call in prepared:
            rest = tuple(sending(one) for one in call if isinstance(one, Operation))
            if rest and rest[0].action == "create" and self.no_creates:
                early += [Outcome(one, "skipped", error=self.no_creates) for one in rest]
            elif rest:
                ready.append(rest)
        with self.warehouse.session() as session:
            self.lease.renew(session)
            self._note(record(session, early, self.syncs), step)
            with session.transaction():
                operations.rewrite(session, [one for call in ready for one in call])
        answers = await asyncio.gather(*(opened[call[0].target].send(call) for call in ready))
        outcomes = await self._looked_up([one for answer in answers for one in answer], opened)
        with self.warehouse.session() as session:
            self.lease.renew(session)
            changed = record(session, outcomes, self.syncs)
        self._note([one for one in changed if one.status != "planned"], step)
        self._judge([*early, *outcomes])
        return list(_calls(one for one in changed if one.status == "planned"))

    async def _looked_up(
        self, outcomes: Sequence[Outcome], opened: Mapping[tuple[str, str], Channel]
    ) -> list[Outcome]:
        """Outcomes with the unknown ones looked up at once, where the destination answers again."""
        settled = [one for one in outcomes if one.status != "unknown"]
        for call in _calls(one.operation for one in outcomes if one.status == "unknown"):
            known = self._known([call])[call[0].target]
            for found in await opened[call[0].target].find(call, known):
                if found.status == "absent" and found.operation.attempts >= TRIES:
                    tried = f"it was sent {TRIES} times and never arrived; the next plan has it"
                    found = replace(found, status="failed", error=tried)
                settled.append(found)
        return settled

    def _known(self, batch: Sequence[Call]) -> dict[tuple[str, str], Known]:
        needed: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for call in batch:
            needed.setdefault(call[0].target, set()).update(_needed(call))
        with self.warehouse.session() as session:
            return {
                target: Known(ledger.read_named(session, target, names)) for target, names in needed.items()
            }

    def _note(self, changed: Sequence[Operation], step: Step) -> None:
        self.result.take(changed)
        step.advance(len(changed))

    def _judge(self, outcomes: Sequence[Outcome]) -> None:
        """Whether the run goes on after this batch."""
        failed = [one for one in outcomes if one.status in ("failed", "unknown")]
        if final := next((one for one in failed if one.stops == "run"), None):
            self.result.stopped = f"stopped: {final.error}"
        elif (
            failed
            and len(failed) == len(outcomes)
            and all(one.stops == "outage" or one.status == "unknown" for one in failed)
        ):
            self.result.stopped = f"stopped: the destination does not answer ({failed[0].error})"
        if full := next((one for one in failed if one.stops == "creates"), None):
            self.no_creates = f"no more creates in this run: {full.error}"


def _channel(
    channels: Channels, target: tuple[str, str], syncs: Mapping[str, Sync]
) -> AbstractAsyncContextManager[Channel]:
    if target not in channels:
        raise NotConfigured(
            f"{target[0]} has no connection called {target[1]!r} here; known are "
            f"{', '.join(name for _, name in channels)}. Declare it in connections.yml, or correct the sync's YAML."
        )
    return channels[target](syncs)


def _needed(call: Iterable[Operation]) -> set[tuple[str, str]]:
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


def _close(warehouse: Warehouse, result: ApplyResult) -> None:
    """Write down how the plan ended."""
    with warehouse.session() as session:
        left = session.value(
            "SELECT count(*) FROM reverse_etl.operations WHERE plan_id = $1 AND status = 'planned'",
            (result.plan_id,),
        )
        result.counts["planned"] = int(left)
        trouble = result.failed + result.held + result.counts["skipped"]
        status = "stopped" if result.stopped or left else "partial" if trouble else "applied"
        session.execute(
            "UPDATE reverse_etl.plans SET status = $1, finished_at = $2, stopped = $3 WHERE plan_id = $4",
            (status, now(), result.stopped, result.plan_id),
        )
        for target, counts in result.traffic.items():
            session.execute(
                "INSERT INTO reverse_etl.traffic VALUES ($1, $2, $3, $4, $5, $6)",
                (result.plan_id, *target, now(), *counts),
            )


def _calls(todo: Iterable[Operation]) -> Iterator[Call]:
    calls: dict[tuple[str, int], list[Operation]] = {}
    for one in todo:
        calls.setdefault((one.plan_id, one.call), []).append(one)
    yield from (tuple(call) for call in calls.values())
