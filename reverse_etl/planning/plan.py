"""Planning: from the warehouse alone, what must change in the destinations (design §4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from karvon.progress import track
from karvon.warehouse import Session, Warehouse
from reverse_etl.planning import holding, images
from reverse_etl.planning.assembly import bundle, new_plan_id, number, request_count
from reverse_etl.planning.binding import bind, check
from reverse_etl.planning.compare import Compared, compare, removal
from reverse_etl.planning.guards import Sizes, violations
from reverse_etl.planning.life_cycles import LifeCycles
from reverse_etl.planning.matching import Matches, match_children, match_roots
from reverse_etl.planning.narrowing import UnknownKey, capped, cut, scopes_of, without_failed
from reverse_etl.planning.row_facts import last_known, subjects
from reverse_etl.planning.scan import Candidate, Scan, chunks
from reverse_etl.planning.sets import plan_set
from reverse_etl.planning.sources import unproven
from reverse_etl.planning.statistics import refresh_statistics
from reverse_etl.spec.manifest import SyncError
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import referred
from reverse_etl.state import drift, ledger, outstanding
from reverse_etl.state.destination import Bound, Destinations
from reverse_etl.state.drift import Drift
from reverse_etl.state.holds import UNDONE, Hold
from reverse_etl.state.holds import store as store_holds
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import Finding, Operation
from reverse_etl.state.schema import migrate
from reverse_etl.state.stored_plans import Plan, by_cause, count, store_plan

__all__ = ["Plan", "UnknownKey", "make_plan"]


def make_plan(
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    destinations: Destinations,
    *,
    key: str | None = None,
    limit: int | None = None,
    rate_per_minute: float = 60,
    profile: str = "sandbox",
    retry: bool = False,
    store: bool = True,
    not_built: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """Compute a plan and store it; with `store=False` nothing at all is written.

    `key` plans one product (with its SKUs and categories; a SKU code finds it too) or one other row; `limit`
    caps the rows, a product and its SKUs being one; `retry` plans again what the destination refused for good.
    `not_built` says of syncs why their models are not to be relied on: they are left out, parents with their children.
    Raises `SyncError`, `ModelMissing`, `UnknownKey`.
    """
    check(syncs, destinations)
    with warehouse.session() as session, track("plan", len(syncs)) as step:
        migrate(warehouse, session)
        bounds = bind(session, syncs, destinations)
        _check_mappings(bounds)
        syncs = [bound.sync for bound in bounds]
        planning = _Planning(
            session,
            syncs,
            destinations,
            {bound.sync.name: _scan(session, warehouse, bound, syncs) for bound in bounds},
        )
        scans = {name: scan for name, scan in planning.scans.items() if name not in not_built}
        for scan in scans.values():
            scan.check()
        refresh_statistics(session, scans.values())
        scope = scopes_of(key, scans) if key is not None else None
        for bound in bounds:
            name = bound.sync.name
            if name in not_built:
                planning.findings.append(Finding("not_built", name, "", not_built[name]))
            elif bound.problems:
                planning.findings += [
                    Finding("schema", name, "", str(one), one.field) for one in bound.problems
                ]
            else:
                _plan_sync(planning, bound.sync, scope.get(name, []) if scope is not None else None)
            step.advance()
        planning.operations, told = images.with_judged_pictures(session, syncs, planning.operations)
        planning.findings += told
        planning.operations, told = planning.life.without_left(planning.operations)
        planning.findings += told
        plan = _finish(planning, limit, rate_per_minute, profile, retry)
        if store:
            _store(
                planning,
                plan,
                {name: None if scope is None else scope.get(name, []) for name in scans},
            )
        return plan


@dataclass
class _Planning:
    session: Session
    syncs: Sequence[Sync]
    destinations: Destinations
    scans: Mapping[str, Scan]
    operations: list[Operation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    settled: list[Entry] = field(default_factory=list)
    forgotten: list[Entry] = field(default_factory=list)
    references: dict[str, dict[str, str | None]] = field(default_factory=lambda: defaultdict(dict))
    not_created: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, Sizes] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)
    life: LifeCycles = field(default_factory=LifeCycles)

    def hold(self, holds: Sequence[Hold]) -> None:
        self.holds += holds
        self.findings += [
            Finding(
                "undone" if one.rule == UNDONE else "waits",
                one.sync,
                one.key,
                one.message,
                one.field or None,
                cause=one.rule,
            )
            for one in holds
        ]

    def take(self, sync: Sync, result: Compared) -> None:
        self.operations += result.operations
        self.findings += result.findings
        self.drifts += result.drifts
        if result.settled:
            self.settled.append(result.settled)
        for operation in result.operations:
            if operation.action in ("create", "adopt"):
                known = operation.remote_id if operation.action == "adopt" else None
                destination = self.scans[sync.name].destination
                self.references[sync.name][operation.key] = known and destination.referred_id(known)


def _check_mappings(bounds: Sequence[Bound]) -> None:
    """Raises `SyncError` with what the landed schemas say against syncs that the others cannot do without."""
    problems = [str(one) for bound in bounds if not bound.stands_alone for one in bound.problems]
    if problems:
        raise SyncError(problems)


def _scan(session: Session, warehouse: Warehouse, bound: Bound, syncs: Sequence[Sync]) -> Scan:
    sync = bound.sync
    parent = next((other for other in syncs if sync.parent and other.name == sync.parent.sync), None)
    return Scan(session, warehouse.dialect, sync, bound.destination, parent)


def _plan_sync(planning: _Planning, sync: Sync, only: Sequence[str] | None) -> None:
    scan = planning.scans[sync.name]
    rejects = _rejects(planning, scan)
    desired, existing = scan.sizes()
    if scan.destination.takes_sets:
        planning.findings += [
            Finding("not_ready", sync.name, row["key"], row["held"]) for row in scan.held(only)
        ]
        operations, findings = plan_set(scan) if only is None else ([], [])
        planning.operations += operations
        planning.findings += findings
        planning.sizes[sync.name] = Sizes(desired, existing, sum(rejects.values()))
        return
    look = scan.look(only, [key for key in rejects if key], with_gone=_removes(sync, desired))
    planning.findings += [Finding("not_ready", sync.name, key, reason) for key, reason in look.held]
    candidates: Sequence[Candidate] = look.candidates
    new = [candidate for candidate in candidates if candidate.is_new]
    parents = _parents(planning, sync, [candidate for candidate in candidates if sync.parent])
    if sync.parent:
        planning.references[sync.parent.sync] |= parents
        candidates, waits = planning.life.without_waiting(sync, candidates)
        planning.findings += waits
        new = [one for one in candidates if one.is_new and one.parent_key in parents]
        matches = match_children(planning.session, scan, new, parents)
    else:
        child = next((other for other in planning.scans.values() if other.parent == sync), None)
        matches = match_roots(planning.session, scan, child, new)
    planning.findings += matches.findings(sync.name)
    wanted_keys = _to_compare(planning, sync, candidates, {one.key for one in new}, matches, parents)
    if sync.name in sync.refers_to:
        # Rows that refer to each other are created first and linked then.
        planning.references[sync.name] |= {one.key: None for one in wanted_keys if one.is_new}
    compared: list[Compared] = []
    waiting = planning.life.withheld(sync, wanted_keys)
    for part in chunks(wanted_keys):
        for one in _compare_chunk(planning, scan, part, matches, waiting):
            if one.operations:
                compared.append(one)
            else:
                planning.take(sync, one)
    planning.life.decided_with_parent(sync, compared, matches)
    undone = holding.last_undone(planning.session, sync)
    holds = holding.judge(planning.session, sync, compared, existing, undone)
    planning.hold(holds)
    planning.life.note(planning.session, sync, holds, compared, matches)
    compared, withheld = holding.held_back(holds, compared)
    again = {key: {*names, *waiting.get(key, ())} for key, names in withheld.items()}
    for part in chunks([candidate for candidate in wanted_keys if candidate.key in again]):
        compared += _compare_chunk(planning, scan, part, matches, again)
    for one in compared:
        planning.take(sync, one)
    told = sum(one.kind == "reject" and one.sync == sync.name for one in planning.findings)
    planning.sizes[sync.name] = Sizes(desired, existing, told - len(rejects) + sum(rejects.values()))
    for key, answered, seen in scan.mirror.moved_stocks() if only is None else ():
        message = f"stock is {seen}, was {answered} when we wrote it"
        planning.findings.append(Finding("drift", sync.name, key, message, "inventory"))
        planning.drifts.append(Drift(sync.name, key, "inventory", answered, answered, seen, "stock", "kept"))
    _remove(planning, scan, look.gone, undone)


def _rejects(planning: _Planning, scan: Scan) -> dict[str, int]:
    """Rows by the key that they share; the empty key for those without one."""
    rejects = {str(row["key"] or ""): int(row["count"]) for row in scan.rejects()}
    for key, rows in rejects.items():
        what = "shares its key" if key else "has no key"
        planning.findings.append(
            Finding("reject", scan.sync.name, key, f"{rows} rows: {what}", rows=rows, cause=what)
        )
    return rejects


def _to_compare(
    planning: _Planning, sync: Sync, candidates: Sequence[Candidate], new: set[str], matches: Matches,
    parents: Mapping[str, str | None],
) -> list[Candidate]:  # fmt: skip
    """Candidates that something can be done about; the others are counted."""
    chosen = []
    for candidate in candidates:
        if candidate.key in matches.ambiguous:
            continue
        unknown = candidate.is_new and candidate.key not in matches.found
        # A product that is being created brings its SKUs, whatever their own mode says.
        comes_along = sync.parent is not None and parents.get(candidate.parent_key or "", "") is None
        if unknown and (candidate.key not in new or not (sync.creates or comes_along)):
            planning.not_created[sync.name] = planning.not_created.get(sync.name, 0) + 1
            continue
        chosen.append(candidate)
    return chosen


def _parents(planning: _Planning, sync: Sync, candidates: Sequence[Candidate]) -> dict[str, str | None]:
    """Parents that are in the shop (remote id) or will be created by this plan (None)."""
    if sync.parent is None:
        return {}
    scan = planning.scans[sync.parent.sync]
    keys = sorted({candidate.parent_key for candidate in candidates if candidate.parent_key})
    known: dict[str, str | None] = {}
    for part in chunks(keys, 20_000):
        known |= ledger.remote_ids(planning.session, scan.sync, part)
    return known | planning.references[scan.sync.name]


def _compare_chunk(
    planning: _Planning,
    scan: Scan,
    part: Sequence[Candidate],
    matches: Matches,
    withheld: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> Iterator[Compared]:
    sync = scan.sync
    # A product that is being created brings its SKUs, whatever their own mode says.
    creating = sync if sync.creates else sync.model_copy(update={"mode": "upsert"})
    known = list(subjects(scan, part, matches, withheld))
    _load_references(planning, sync, [subject.row for subject in known])
    for subject in known:
        yield compare(
            creating if subject.is_unknown else sync, scan.destination, subject, planning.references
        )


def _load_references(planning: _Planning, sync: Sync, rows: Collection[Mapping[str, object]]) -> None:
    for name, keys in referred(sync.plain_fields, rows).items():
        known, target = planning.references[name], planning.scans[name]
        found = ledger.remote_ids(planning.session, target.sync, sorted(keys - set(known)))
        known |= {key: target.destination.referred_id(remote) for key, remote in found.items()}


def _remove(
    planning: _Planning, scan: Scan, gone: Sequence[Candidate], undone: Mapping[tuple[str, str], Operation]
) -> None:
    """Removals, if the model, what it reads and what the destination shows are proven complete."""
    sync = scan.sync
    leaving, told = planning.life.without_staying(planning.session, sync, scan.leaving(gone))
    planning.findings += told
    taken_back = [
        holding.removal_hold(sync, one.key)
        for one in leaving
        if (last := undone.get((one.key, ""))) and last.action == "unarchive"
    ]
    waiting = holding.without_approved(planning.session, sync, taken_back)
    planning.hold(waiting)
    held = {hold.key for hold in waiting}
    going = [one for one in leaving if one.key not in held]
    if going and (reason := unproven(scan)):
        planning.findings += [
            Finding("deferred", sync.name, one.key, f"not removed: {reason}") for one in going
        ]
        return
    for part in chunks(going):
        for one, entry in last_known(scan, part):
            if (one.mirror_hash or "").endswith("-"):
                planning.forgotten.append(entry)
            else:
                planning.operations.append(removal(sync, scan.destination, entry, one.mirror_hash))


def _removes(sync: Sync, desired: int) -> bool:
    """Whether rows that left the model may leave the destination at all."""
    return sync.removal != "keep" and desired != 0 and desired >= (sync.guards.min_rows or 0)


def _bundle(planning: _Planning, operations: Sequence[Operation]) -> tuple[list[Operation], list[Finding]]:
    return bundle(operations, planning.syncs, planning.destinations)


def _finish(
    planning: _Planning, limit: int | None, rate_per_minute: float, profile: str, retry: bool
) -> Plan:
    plan_id = new_plan_id()
    chosen = planning.operations if limit is None else cut(planning.operations, planning.syncs, limit)
    bundled, told = _bundle(planning, chosen)
    if not retry:
        kept, findings = without_failed(planning.session, bundled)
        planning.findings += findings
        bundled, told = _bundle(planning, kept) if findings else (bundled, told)
    bundled, waiting = capped(bundled, planning.syncs)
    planning.findings += [*told, *waiting]
    created_at = datetime.now(UTC)
    operations = number(bundled, plan_id, created_at)
    broken = violations(planning.syncs, operations, planning.sizes, plan_id)
    requests = request_count(operations, planning.destinations)
    counts = count(operations, planning.findings, broken)
    for name, rows in planning.not_created.items():
        counts.setdefault(name, {})["not_created"] = rows
    return Plan(
        plan_id=plan_id, created_at=created_at, profile=profile,
        status="blocked" if broken else "ready" if operations else "empty",
        operations=operations, findings=tuple(planning.findings), violations=tuple(broken),
        counts=counts, request_count=requests, minutes=requests / rate_per_minute, holds=tuple(planning.holds),
        causes=by_cause(planning.findings),
    )  # fmt: skip


def _store(planning: _Planning, plan: Plan, judged: Mapping[str, Sequence[str] | None]) -> None:
    """The plan, what waits of the rows that were judged, what others edited, and that rows without a difference were
    looked at."""
    syncs = {sync.name: sync for sync in planning.syncs}
    with planning.session.transaction():
        ledger.settle(planning.session, plan.plan_id, planning.settled)
        ledger.forget(planning.session, planning.forgotten)
        store_holds(planning.session, plan.plan_id, plan.created_at, planning.holds, judged, syncs)
        outstanding.store(
            planning.session,
            plan.plan_id,
            plan.created_at,
            outstanding.of_plan(plan.operations, plan.findings, plan.violations),
            judged,
        )
        drift.store(planning.session, plan.plan_id, plan.created_at, planning.drifts, syncs)
        store_plan(planning.session, plan)
