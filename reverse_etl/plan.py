"""Planning: from the warehouse alone, what must change in the destinations (design §4)."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from karvon.progress import track
from karvon.warehouse import Session, Warehouse
from reverse_etl import images, ledger
from reverse_etl.compare import Compared, Subject, adopted, compare, removal
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.guards import violations
from reverse_etl.ledger import Entry
from reverse_etl.manifest import SyncError
from reverse_etl.matching import Matches, match_children, match_roots
from reverse_etl.narrowing import UnknownKey, cut, scope_of, without_failed
from reverse_etl.operations import Finding, Operation
from reverse_etl.scan import Candidate, Scan, chunks
from reverse_etl.schema import migrate
from reverse_etl.sources import unproven
from reverse_etl.stored_plans import Plan, count, store_plan
from reverse_etl.syncs import Sync
from reverse_etl.values import WrongValue, wanted

__all__ = ["Plan", "UnknownKey", "make_plan"]


def make_plan(
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    *,
    key: str | None = None,
    limit: int | None = None,
    rate_per_minute: float = 60,
    profile: str = "sandbox",
    retry: bool = False,
    store: bool = True,
) -> Plan:
    """Compute a plan and store it; with `store=False` nothing at all is written.

    `key` plans one product (with its SKUs and categories; a SKU code finds it too) or one other row; `limit`
    caps the rows, a product and its SKUs being one; `retry` plans again what the destination refused for good.
    Raises `SyncError`, `ModelMissing`, `UnknownKey`.
    """
    _check(syncs)
    with warehouse.session() as session, track("plan", len(syncs)) as step:
        migrate(warehouse, session)
        _check_mappings(session, syncs)
        planning = _Planning(
            session, syncs, {sync.name: _scan(session, warehouse, sync, syncs) for sync in syncs}
        )
        for scan in planning.scans.values():
            scan.check()
            scan.refresh_statistics()
        scope = scope_of(key, planning.scans) if key is not None else None
        for sync in syncs:
            _plan_sync(planning, sync, scope.get(sync.name, []) if scope is not None else None)
            step.advance()
        planning.operations, told = images.checked(session, syncs, planning.operations)
        planning.findings += told
        plan = _finish(planning, limit, rate_per_minute, profile, retry)
        if store:
            _store(planning, plan)
        return plan


@dataclass
class _Planning:
    session: Session
    syncs: Sequence[Sync]
    scans: Mapping[str, Scan]
    operations: list[Operation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    settled: list[Entry] = field(default_factory=list)
    forgotten: list[Entry] = field(default_factory=list)
    references: dict[str, dict[str, str | None]] = field(default_factory=lambda: defaultdict(dict))
    not_created: dict[str, int] = field(default_factory=dict)

    def take(self, sync: Sync, result: Compared) -> None:
        self.operations += result.operations
        self.findings += result.findings
        if result.settled:
            self.settled.append(result.settled)
        for operation in result.operations:
            if operation.action in ("create", "adopt"):
                self.references[sync.name][operation.key] = (
                    operation.remote_id if operation.action == "adopt" else None
                )


def _check(syncs: Sequence[Sync]) -> None:
    problems = []
    for sync in syncs:
        destination = DESTINATIONS.get(sync.destination)
        if destination is None:
            problems.append(
                f"{sync.file}, model {sync.name}: unknown destination {sync.destination}; "
                f"known are {', '.join(DESTINATIONS)}"
            )
        elif sync.resource not in destination.resources:
            problems.append(
                f"{sync.file}, model {sync.name}: {sync.destination} has no resource {sync.resource}; "
                f"it has {', '.join(sorted(destination.resources))}"
            )
    if problems:
        raise SyncError(problems)


def _check_mappings(session: Session, syncs: Sequence[Sync]) -> None:
    """Raises `SyncError` with everything that the destinations' landed schemas say against the mappings."""
    problems = [
        str(problem)
        for sync in syncs
        for problem in DESTINATIONS[sync.destination].mapping_problems(session, sync)
    ]
    if problems:
        raise SyncError(problems)


def _scan(session: Session, warehouse: Warehouse, sync: Sync, syncs: Sequence[Sync]) -> Scan:
    parent = next((other for other in syncs if sync.parent and other.name == sync.parent.sync), None)
    return Scan(session, warehouse.dialect, sync, DESTINATIONS[sync.destination], parent)


def _plan_sync(planning: _Planning, sync: Sync, only: Sequence[str] | None) -> None:
    scan = planning.scans[sync.name]
    rejected = []
    for row in scan.rejects():
        what = "has no key" if row["key"] is None else "shares its key"
        planning.findings.append(
            Finding("reject", sync.name, row["key"] or "", f"{row['count']} rows: {what}")
        )
        rejected += [row["key"]] if row["key"] else []
    planning.findings += [Finding("held", sync.name, row["key"], row["held"]) for row in scan.held(only)]
    candidates = scan.candidates(only, rejected)
    new = [candidate for candidate in candidates if candidate.is_new]
    parents = _parents(planning, sync, [candidate for candidate in candidates if sync.parent])
    if sync.parent:
        new = [candidate for candidate in new if candidate.parent_key in parents]
        matches = match_children(planning.session, scan, new, parents)
    else:
        child = next((other for other in planning.scans.values() if other.parent == sync), None)
        matches = match_roots(planning.session, scan, child, new)
    planning.findings += matches.findings(sync.name)
    wanted_keys = _to_compare(planning, sync, candidates, {one.key for one in new}, matches, parents)
    for part in chunks(wanted_keys):
        _compare_chunk(planning, scan, part, matches)
    for key, answered, seen in scan.mirror.moved_stocks() if only is None else ():
        planning.findings.append(
            Finding("drift", sync.name, key, f"stock is {seen}, was {answered} when we wrote it", "inventory")
        )
    _remove(planning, scan, only)


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


def _compare_chunk(planning: _Planning, scan: Scan, part: Sequence[Candidate], matches: Matches) -> None:
    sync, session, destination = scan.sync, planning.session, scan.destination
    rows = scan.rows([candidate.key for candidate in part])
    entries = ledger.read(session, sync, [candidate.key for candidate in part])
    by_document = {
        candidate.key: (matches.found[candidate.key][1] or matches.found[candidate.key][0])
        if candidate.key in matches.found
        else candidate.document_key
        for candidate in part
    }
    wanted_documents = sorted({key for key in by_document.values() if key})
    documents = scan.mirror.documents(wanted_documents)
    hashes = scan.mirror.hashes(wanted_documents) if matches.found else {}
    _load_references(planning, sync, rows)
    remote_ids = [entry.remote_id for entry in entries.values()] + [
        remote for remote, _ in matches.found.values()
    ]
    stocks = scan.mirror.stocks(remote_ids) if sync.stock else {}
    for candidate in part:
        key = candidate.key
        if key not in rows:
            continue
        entry, is_adopted = entries.get(key), key in matches.found
        document = documents.get(by_document[key] or "")
        record = None
        if is_adopted and document is not None:
            record = destination.record(sync, document, matches.found[key][0])
            entry = adopted(sync, key, record) if record else None
        elif entry is not None and document is not None and candidate.is_fresh:
            record = destination.record(sync, document, entry.remote_id)
        has_document = by_document[key] in documents
        subject = Subject(
            key=key, row=rows[key], row_hash=rows[key]["_hash"], entry=entry, record=record,
            mirror_hash=hashes.get(by_document[key] or "") if is_adopted else candidate.mirror_hash,
            is_gone=entry is not None and candidate.is_fresh and has_document and record is None,
            is_adopted=is_adopted, stock_seen=_stock_seen(entry, stocks),
        )  # fmt: skip
        effective = (
            sync if sync.creates or not candidate.is_new else sync.model_copy(update={"mode": "upsert"})
        )
        planning.take(sync, compare(effective, destination, subject, planning.references))


def _stock_seen(entry: Entry | None, stocks: Mapping[str, tuple[datetime, int | None]]) -> int | None:
    """The newer of what the mirror saw and what the destination answered us."""
    if entry is None:
        return None
    at, quantity = stocks.get(entry.remote_id, (None, None))
    if at is None or (entry.stock_at is not None and entry.stock_at > at):
        return entry.stock_answered
    return quantity


def _load_references(planning: _Planning, sync: Sync, rows: Mapping[str, Mapping[str, object]]) -> None:
    for spec in sync.plain_fields:
        if spec.as_ != "references" or not spec.sync:
            continue
        keys: set[str] = set()
        for row in rows.values():
            try:
                keys.update(wanted(spec, row) or ())
            except WrongValue:
                continue  # The comparison reports the row.
        known = planning.references[spec.sync]
        target = planning.scans[spec.sync].sync
        known |= ledger.remote_ids(planning.session, target, sorted(keys - set(known)))


def _remove(planning: _Planning, scan: Scan, only: Sequence[str] | None) -> None:
    """Removals, if the model and what it reads are proven complete."""
    sync = scan.sync
    desired, _ = scan.sizes()
    if sync.removal == "keep" or desired == 0:
        return
    leaving = scan.removals(only)
    if leaving and (reason := unproven(planning.session, sync)):
        planning.findings += [
            Finding("held", sync.name, row["key"], f"not removed: {reason}") for row in leaving
        ]
        return
    hashes = {row["key"]: row["mirror_hash"] for row in leaving}
    for part in chunks(list(hashes)):
        for key, entry in ledger.read(planning.session, sync, part).items():
            if (hashes[key] or "").endswith("-"):
                planning.forgotten.append(entry)
            else:
                planning.operations.append(removal(sync, scan.destination, entry, hashes[key]))


def _packed(planning: _Planning, operations: Sequence[Operation]) -> list[Operation]:
    packed: list[Operation] = []
    for name in dict.fromkeys(sync.destination for sync in planning.syncs):
        mine = [operation for operation in operations if operation.destination == name]
        bundled, findings = DESTINATIONS[name].pack(mine, planning.syncs)
        planning.findings += findings
        packed += bundled
    return packed


def _finish(
    planning: _Planning, limit: int | None, rate_per_minute: float, profile: str, retry: bool
) -> Plan:
    plan_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:6]}"
    chosen = planning.operations if limit is None else cut(planning.operations, planning.syncs, limit)
    packed = _packed(planning, chosen)
    if not retry:
        kept, findings = without_failed(planning.session, packed)
        planning.findings += findings
        packed = _packed(planning, kept) if findings else packed
    created_at = datetime.now(UTC)
    operations = [
        replace(one, plan_id=plan_id, seq=seq, planned_at=created_at) for seq, one in enumerate(packed, 1)
    ]
    broken = violations(
        planning.syncs, operations, {name: scan.sizes() for name, scan in planning.scans.items()}, plan_id
    )
    requests = sum(one.requests for one in operations) + sum(
        DESTINATIONS[name].extra_requests([one for one in operations if one.destination == name])
        for name in {one.destination for one in operations}
    )
    counts = count(operations, planning.findings)
    for name, rows in planning.not_created.items():
        counts.setdefault(name, {})["not_created"] = rows
    return Plan(
        plan_id=plan_id, created_at=created_at, profile=profile,
        status="blocked" if broken else "ready" if operations else "empty",
        operations=tuple(operations), findings=tuple(planning.findings), violations=tuple(broken),
        counts=counts, request_count=requests, minutes=requests / rate_per_minute,
    )  # fmt: skip


def _store(planning: _Planning, plan: Plan) -> None:
    """The plan, and that rows without a difference were looked at."""
    with planning.session.transaction():
        ledger.settle(planning.session, plan.plan_id, planning.settled)
        ledger.forget(planning.session, planning.forgotten)
        store_plan(planning.session, plan)
