"""Applying a stored plan: journaled before and after, resumable, row by row honest (design §4).

How single calls are sent, looked up and written down is the window's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass

from karvon.http import RemoteError
from karvon.progress import track
from karvon.turns import applying
from karvon.warehouse import Warehouse
from reverse_etl.applying import canary
from reverse_etl.applying.preconditions import deferrals
from reverse_etl.applying.reading_back import has_arrived, read_back
from reverse_etl.applying.recording import record
from reverse_etl.applying.result import ApplyResult
from reverse_etl.applying.window import Stage, Writing, calls_of, known_of
from reverse_etl.planning.binding import bind
from reverse_etl.review.approvals import allowed_guards
from reverse_etl.spec.syncs import Sync
from reverse_etl.state import operations
from reverse_etl.state.destination import Bound, Channel, Channels, Destinations, Known, Outcome
from reverse_etl.state.leases import RENEWED_EVERY, Lease, hold
from reverse_etl.state.operations import Operation, now
from reverse_etl.state.schema import migrate
from reverse_etl.state.stored_plans import Plan, load_plan

FEW = 3
"""Of a call with so many updates in doubt each is looked at; more are planned anew."""


class NotConfigured(Exception):
    """A connection that a plan needs is not known here."""


class Blocked(Exception):
    """The plan broke a guard and nobody said that it may."""


def apply_plan(
    warehouse: Warehouse,
    plan_id: str,
    syncs: Sequence[Sync],
    destinations: Destinations,
    channels: Channels,
) -> ApplyResult:
    """Apply a stored plan, or what is left of it. A guard that it breaks must have been allowed (`approve`).

    `syncs` are the project's syncs as they are now. Raises `NoSuchPlan`, `Blocked`, `Busy`, `LeaseLost`,
    `NotConfigured`.
    """
    plan = load_plan(warehouse, plan_id)
    _refuse_blocked(warehouse, plan)
    result = ApplyResult(plan_id)
    todo = [one for one in plan.operations if one.status == "planned"]
    if not todo:
        return result
    bounds = _bounds(warehouse, syncs, destinations)
    asked = {one.destination for one in todo}
    with (
        applying(warehouse, asked, f"applying plan {plan_id}"),
        hold(warehouse, {one.target for one in todo}) as lease,
    ):
        asyncio.run(_recover(warehouse, lease, bounds, channels))
        with warehouse.session() as session:
            held = record(session, deferrals(warehouse, session, todo, bounds, plan.created_at), bounds)
            result.take(held)
            stood = {one.seq for one in held}
            todo = operations.load(session, "plan_id = $1 AND status = 'planned'", (plan_id,))
        run = _Run(warehouse, lease, bounds, channels, result)
        try:
            asyncio.run(run.all([one for one in todo if one.seq not in stood]))
        finally:
            _close(warehouse, result)
    return result


def _refuse_blocked(warehouse: Warehouse, plan: Plan) -> None:
    if not plan.violations:
        return
    with warehouse.session() as session:
        may = allowed_guards(session, plan.plan_id)
    if broken := [one.message for one in plan.violations if (one.sync, one.guard) not in may]:
        raise Blocked("\n".join(broken))


def recover(
    warehouse: Warehouse, syncs: Sequence[Sync], destinations: Destinations, channels: Channels
) -> int:
    """Find out what became of operations that a dead run left open; returns how many were settled.

    Runs before a plan is made, so that the plan knows. Raises `Busy` while another run is applying.
    """
    by_name = {sync.name: sync for sync in syncs}
    targets = {one.target for one in _open(warehouse) if one.sync in by_name}
    if not targets:
        return 0
    with hold(warehouse, targets) as lease:
        return asyncio.run(_recover(warehouse, lease, _bounds(warehouse, syncs, destinations), channels))


def _bounds(warehouse: Warehouse, syncs: Sequence[Sync], destinations: Destinations) -> dict[str, Bound]:
    """The syncs by name, typed by what the destinations have now."""
    with warehouse.session() as session:
        return {bound.sync.name: bound for bound in bind(session, syncs, destinations)}


async def _recover(
    warehouse: Warehouse, lease: Lease, bounds: Mapping[str, Bound], channels: Channels
) -> int:
    syncs = {name: bound.sync for name, bound in bounds.items()}
    calls = [
        call
        for call in calls_of(_open(warehouse))
        if call[0].target in lease.targets and call[0].sync in syncs
    ]
    async with AsyncExitStack() as stack:
        opened: dict[tuple[str, str], Channel] = {}
        settled = 0
        for call in calls:
            target = call[0].target
            if target not in opened:
                opened[target] = await stack.enter_async_context(_channel(channels, target, syncs))
            with warehouse.session() as session:
                known = known_of(session, [call], syncs)
            found = await opened[target].find(call, known)
            found = [await _looked_at(one, len(call), known, bounds, opened[target]) for one in found]
            with warehouse.session() as session:
                changed = record(session, found, bounds)
            settled += sum(one.status not in ("sent", "unknown") for one in changed)
        return settled


async def _looked_at(
    outcome: Outcome, in_call: int, known: Known, bounds: Mapping[str, Bound], channel: Channel
) -> Outcome:
    """What did not happen is not sent from an old plan: the next plan computes it anew.

    An update can be repeated and so counts as absent; where few are in doubt, a look tells whether it came through.
    """
    operation = outcome.operation
    if outcome.status != "absent":
        return outcome
    if operation.action == "update" and in_call <= FEW:
        try:
            there = await read_back(operation, known, bounds, channel)
        except RemoteError as error:
            return Outcome(operation, "unknown", error=str(error))
        if there is not None and has_arrived(operation, there, known, bounds):
            return Outcome(operation, "done", record=there)
    return Outcome(
        operation,
        "skipped",
        error="nothing shows that it was applied before the run ended; the next plan has it",
    )


def _open(warehouse: Warehouse) -> list[Operation]:
    with warehouse.session() as session:
        migrate(warehouse, session)
        return operations.load(session, "status IN ('sent', 'unknown')", ())


@dataclass
class _Run:
    warehouse: Warehouse
    lease: Lease
    bounds: Mapping[str, Bound]
    channels: Channels
    result: ApplyResult

    @property
    def syncs(self) -> dict[str, Sync]:
        return {name: bound.sync for name, bound in self.bounds.items()}

    async def all(self, todo: Sequence[Operation]) -> None:
        async with AsyncExitStack() as stack:
            opened = {
                target: await stack.enter_async_context(_channel(self.channels, target, self.syncs))
                for target in {one.target for one in todo}
            }
            with track("apply", len(todo)) as step:
                writing = Writing(self.warehouse, self.lease, self.bounds, self.result, opened, step)
                heartbeat = asyncio.create_task(self._renew(writing))
                try:
                    first, rest = canary.split(todo, self.syncs)
                    for part in (first, rest):
                        for stage in sorted({one.stage for one in part}):
                            calls = calls_of(one for one in part if one.stage == stage)
                            await Stage(writing, list(calls)).carry_out()
                        if part is first and first and not await self._stands(first, opened):
                            break
                finally:
                    heartbeat.cancel()
                    with suppress(asyncio.CancelledError):
                        await heartbeat
                    self.result.traffic = {
                        target: (channel.requests, channel.throttled) for target, channel in opened.items()
                    }
                    self.result.requests = sum(requests for requests, _ in self.result.traffic.values())

    async def _stands(self, first: Sequence[Operation], opened: Mapping[tuple[str, str], Channel]) -> bool:
        """Whether the canary's rows stand in the destination as they should; if not, nothing else is sent."""
        if self.result.stopped:
            return False
        numbers = {one.seq for one in first}
        with self.warehouse.session() as session:
            where = "plan_id = $1 AND status = 'done'"
            done = operations.load(session, where, (self.result.plan_id,))
        done = [one for one in done if one.seq in numbers]
        wrong = [] if done else ["none of the first rows got through"]
        with self.warehouse.session() as session:
            known = known_of(session, [(one,) for one in first], self.syncs)
        for target in {one.target for one in done}:
            mine = [one for one in done if one.target == target]
            wrong += await canary.faults(mine, known, self.bounds, opened)
        if wrong:
            self.result.errors += wrong
            self.result.stopped = (
                f"stopped by the canary: {'; '.join(wrong[:3])}. The rest was not sent: "
                f"`karvon undo {self.result.plan_id}` plans the way back, `karvon apply {self.result.plan_id}` goes on"
            )
        return not wrong

    async def _renew(self, writing: Writing) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY.total_seconds())
            await writing.in_session(self.lease.renew)


def _channel(
    channels: Channels, target: tuple[str, str], syncs: Mapping[str, Sync]
) -> AbstractAsyncContextManager[Channel]:
    if target not in channels:
        raise NotConfigured(
            f"{target[0]} has no connection called {target[1]!r} here; known are "
            f"{', '.join(name for _, name in channels)}. Declare it in connections.yml, or correct the sync's YAML."
        )
    return channels[target](syncs)


def _close(warehouse: Warehouse, result: ApplyResult) -> None:
    """Write down how the plan ended."""
    with warehouse.session() as session:
        left = session.value(
            "SELECT count(*) FROM reverse_etl.operations WHERE plan_id = $1 AND status = 'planned'",
            (result.plan_id,),
        )
        result.counts["planned"] = int(left)
        trouble = result.failed or result.deferred or result.counts["skipped"]
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
