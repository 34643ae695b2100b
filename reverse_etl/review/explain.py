"""Why a row is as it is in the destination: from the source document to the live value, with every reason it waits.

Reading only. The steps: the landed document's version, the models on the way, the row of the sync's model, the
ledger, the last operation, the mirror.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from karvon.warehouse import Session, Warehouse
from reverse_etl.planning.binding import bind
from reverse_etl.planning.narrowing import UnknownKey, scope_of
from reverse_etl.planning.plan import make_plan
from reverse_etl.planning.scan import Scan
from reverse_etl.review import lineage
from reverse_etl.review.current_rows import FieldNow, RowNow, rows_now
from reverse_etl.review.lineage import KeyedModel, Step
from reverse_etl.spec.syncs import Sync
from reverse_etl.state import operations as journal
from reverse_etl.state.destination import Bound, Destinations, WithoutMirror
from reverse_etl.state.ledger import keys_of, listed
from reverse_etl.state.operations import Finding, Operation
from reverse_etl.state.schema import migrate

Lineage = Mapping[str, tuple[KeyedModel, ...]]


@dataclass(frozen=True)
class Version:
    """The newest version of a source document, and how many there are."""

    table: str
    document_key: str
    landed_at: datetime
    versions: int
    is_deleted: bool
    values: Mapping[str, Any]
    """Mapped field → what the document holds under the same name, where there is one."""


@dataclass(frozen=True)
class Written:
    """When a field was last written, and by which plan."""

    at: datetime
    plan_id: str


@dataclass(frozen=True)
class Explanation:
    """One row of one sync. `reasons` are sentences, the most telling first; none: what `standing` says."""

    sync: str
    key: str
    destination: str
    reasons: tuple[str, ...]
    now: RowNow
    written: Mapping[str, Written]
    last: Operation | None
    steps: tuple[Step, ...] = ()
    sources: tuple[Version, ...] = ()
    is_read: bool = True
    """False: what became of it after it was sent nobody can read (messages)."""

    @property
    def standing(self) -> str:
        """How a row without reasons stands; nothing stands in the shop that no visitor sees."""
        if not self.is_read:
            return "was sent as the view says"
        if self.now.is_staged:
            return "is saved in the shop as the view says; visitors see it after the next publish of the site"
        return "stands in the shop as the view says"

    @property
    def differing(self) -> tuple[FieldNow, ...]:
        return tuple(one for one in self.now.fields if one.state in ("different", "not there", "unreadable"))


def explain(
    warehouse: Warehouse, syncs: Sequence[Sync], destinations: Destinations, models: Lineage, wanted: str
) -> tuple[Explanation, ...]:
    """The row with this key or code, its parent or children, what it refers to. Nothing is written.

    Rows that go out with their whole model (`takes_sets`) are not looked at.

    Raises `UnknownKey`, `ModelMissing`.
    """
    with warehouse.session() as session:
        migrate(warehouse, session)
        bounds = {bound.sync.name: bound for bound in bind(session, syncs, destinations)}
        scope = _scope(session, warehouse, bounds, models, wanted)
    key = next((keys[0] for keys in scope.values() if keys), wanted)
    try:
        plan = make_plan(warehouse, syncs, destinations, key=key, store=False)
        operations, findings = plan.operations, plan.findings
    except UnknownKey:
        operations, findings = (), ()
    with warehouse.session() as session:
        return tuple(
            explanation
            for name in bounds
            for explanation in explain_rows(
                session, warehouse, bounds, name, scope.get(name, ()), operations, findings, models
            )
        )


def explain_rows(
    session: Session, warehouse: Warehouse, bounds: Mapping[str, Bound], name: str, keys: Sequence[str],
    operations: Sequence[Operation], findings: Sequence[Finding], models: Lineage | None = None,
) -> Iterator[Explanation]:  # fmt: skip
    """Explanations of some rows of the sync `name`; the way through the models only where `models` is given."""
    if not keys:
        return
    sync = bounds[name].sync
    now = rows_now(session, warehouse.dialect, bounds[name], keys, bounds)
    is_read = not isinstance(bounds[name].destination, WithoutMirror)
    last, written = _journal(session, sync, keys)
    sources = _versions(session, sync, keys)
    for key in keys:
        way = tuple(lineage.steps(session, models[sync.name], sync, key)) if models else ()
        planned = [one for one in operations if one.identity == (sync.name, key)]
        told = [one for one in findings if (one.sync, one.key) == (sync.name, key)]
        reasons = tuple(
            dict.fromkeys(_reasons(sync, now[key], last.get(key), way, planned, told, is_read=is_read))
        )
        yield Explanation(
            sync.name, key, sync.destination, reasons, now[key], written.get(key, {}), last.get(key), way,
            tuple(sources.get(key, ())), is_read,
        )  # fmt: skip


def _scope(
    session: Session, warehouse: Warehouse, bounds: Mapping[str, Bound], models: Lineage, wanted: str
) -> dict[str, list[str]]:
    """Sync → keys; a row that is in no sync any more is looked for in the models above them."""
    scans = {
        name: Scan(
            session, warehouse.dialect, bound.sync, bound.destination,
            bounds[bound.sync.parent.sync].sync if bound.sync.parent else None,
        )
        for name, bound in bounds.items()
        if not bound.destination.takes_sets
    }  # fmt: skip
    for scan in scans.values():
        scan.check()
    try:
        return scope_of(wanted, scans)
    except UnknownKey:
        syncs = [scan.sync for scan in scans.values()]
        for sync in syncs:
            key = lineage.find(session, models[sync.name], sync, wanted)
            if key is not None and any(scan.keys_like(key) for scan in scans.values()):
                return scope_of(key, scans)
            if key is not None:
                return _absent(session, models, sync, key, syncs)
        raise


def _absent(
    session: Session, models: Lineage, sync: Sync, key: str, syncs: Sequence[Sync]
) -> dict[str, list[str]]:
    """An absent row is told once, for the sync with the key of the last model that has it, and with its parent."""
    ways = {one.name: lineage.steps(session, models[one.name], one, key) for one in syncs}
    last = {name: [step.key for step in way if step.is_there][-1:] for name, way in ways.items()}
    nearest = next((one for one in syncs if last[one.name] == [one.key]), sync)
    parents = {step.parent_key for step in ways[nearest.name] if step.parent_key} - {key}
    if nearest.parent and parents:
        return {nearest.parent.sync: sorted(parents), nearest.name: [key]}
    return {nearest.name: [key]}


def _reasons(
    sync: Sync, now: RowNow, last: Operation | None, way: Sequence[Step], planned: Sequence[Operation],
    findings: Sequence[Finding], *, is_read: bool,
) -> Iterator[str]:  # fmt: skip
    place = "the shop" if is_read else "the destination"
    if now.row is None:
        yield _fell_out(sync, way)
        if now.entry is not None and not now.entry.removed:
            kept = "it stays there as it is" if sync.removal == "keep" else "the next plan takes it out"
            yield f"{place.capitalize()} still has it ({now.entry.remote_id}); {kept}."
    for one in findings:
        yield f"{one.kind.replace('_', ' ').capitalize()}: {one.message}."
    removed = now.entry is not None and now.entry.removed
    if now.unseen and not removed:
        yield f"No visitor sees it: {now.unseen}."
    if now.entry is not None and removed:
        yield f"We took it out of {place} on {_day(now.entry.applied_at)} (plan {now.entry.plan_id})."
    if last is not None and last.status in ("failed", "deferred", "unknown"):
        yield f"The last try to {last.action} it {last.status} on {_day(last.answered_at)}: {last.error}."
    for operation in planned:
        what = ", ".join(operation.changes) or "nothing but its place in the ledger"
        yield f"The next plan will {operation.action.replace('_', ' ')} it: {what}."
    if now.row is not None and now.entry is None and not planned and not findings:
        missing = "does not create rows (mode update_only)" if not sync.creates else "has not made it yet"
        yield f"It is not in {place}: {sync.name} {missing}."


def _fell_out(sync: Sync, way: Sequence[Step]) -> str:
    there = [step for step in way if step.is_there]
    said = "; ".join(
        f"{step.model} says {name} {value}"
        for step in there
        for name, value in step.said.items()
        if name.endswith("reasons") or (name == "is_deleted" and value)
    )
    known = f"the last model that has it is {there[-1].model}" if there else "no model above it has it"
    return f"It is not in {sync.schema_name}.{sync.table}: {known}{f'; {said}' if said else ''}."


def _journal(
    session: Session, sync: Sync, keys: Sequence[str]
) -> tuple[dict[str, Operation], dict[str, dict[str, Written]]]:
    """Of each key the last operation that was tried, and per field the last that wrote it."""
    last: dict[str, Operation] = {}
    written: dict[str, dict[str, Written]] = {}
    stored = journal.load(
        session,
        "sync = $1 AND destination = $2 AND connection = $3 AND status NOT IN ('planned', 'skipped') "
        f"AND key IN {listed(4)}",
        (sync.name, *sync.target, keys_of(keys)),
    )
    for one in stored:
        last[one.key] = one
        if one.status == "done" and one.answered_at is not None:
            for name in one.changes:
                written.setdefault(one.key, {})[name] = Written(one.answered_at, one.plan_id)
    return last, written


def _versions(session: Session, sync: Sync, keys: Sequence[str]) -> dict[str, list[Version]]:
    """Landed documents that carry the row's key: `<connection>:<document key>`."""
    found: dict[str, list[Version]] = {}
    by_connection: dict[str, list[str]] = {}
    for key in keys:
        connection, _, document_key = key.partition(":")
        by_connection.setdefault(connection, []).append(document_key)
    for table in sync.sources:
        if not session.has_table(table):
            continue
        for connection, document_keys in by_connection.items():
            rows = session.rows(
                f"""SELECT document_key, landed_at, is_deleted, versions, document FROM (
                  SELECT document_key, landed_at, is_deleted, CAST(document AS text) AS document,
                    count(*) OVER (PARTITION BY document_key) AS versions,
                    row_number() OVER (PARTITION BY document_key ORDER BY landed_at DESC) AS nth
                  FROM {table} WHERE connection = $1 AND document_key IN {listed(2)}) AS documents WHERE nth = 1""",
                (connection, keys_of(document_keys)),
            )
            for row in rows:
                values = dict(_in_document(sync, orjson.loads(row.pop("document"))))
                version = Version(table=table, values=values, **row)
                found.setdefault(f"{connection}:{version.document_key}", []).append(version)
    return found


def _in_document(sync: Sync, document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What a document holds under the name of a field or its column, at its top or one level below."""
    leaves: dict[str, Any] = {}
    for value in document.values():
        if isinstance(value, Mapping):
            for inner, one in value.items():
                leaves.setdefault(_plain(inner), one)
    leaves |= {_plain(name): value for name, value in document.items() if not isinstance(value, Mapping)}
    for spec in sync.fields:
        for name in (spec.field, spec.column):
            if _plain(name) in leaves:
                yield spec.field, leaves[_plain(name)]
                break


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "an unknown day"
