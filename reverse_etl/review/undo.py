"""Undo: one more guarded plan, made from the values that stood there before another plan was applied.

    created           archived, or deleted where the sync's removal is `delete`
    changed           written back, field by field, as far as nobody has written the field since
    archived          brought back, and to the live site if it left that too; what was deleted cannot be
    published         taken off the live site
    stock             moved back by as much as it was moved, so that sales in between count

Apply carries it out like any plan. The next plans leave alone what was taken back (`holding`, rule `undone`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from karvon.warehouse import Session, Warehouse
from reverse_etl.planning.assembly import bundle, new_plan_id, number, request_count
from reverse_etl.planning.binding import bind
from reverse_etl.planning.compare import removal
from reverse_etl.planning.guards import Sizes, violations
from reverse_etl.planning.scan import Scan, chunks
from reverse_etl.spec.states import PUBLISHED
from reverse_etl.spec.syncs import FieldSpec, Sync
from reverse_etl.spec.values import digest, sent_form
from reverse_etl.state import ledger, operations, outstanding
from reverse_etl.state.destination import Destinations
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import REMOVALS, Finding, Operation
from reverse_etl.state.stored_plans import Plan, by_cause, count, load_plan, store_plan


class NothingToUndo(Exception):
    """The plan changed nothing."""


def make_undo(
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    destinations: Destinations,
    plan_id: str,
    *,
    rate_per_minute: float = 60,
    profile: str = "sandbox",
) -> Plan:
    """Make and store the plan that takes back what another did; what cannot be taken back is among its findings.

    Raises `NoSuchPlan`, `NothingToUndo`.
    """
    done = [one for one in load_plan(warehouse, plan_id).operations if one.status == "done"]
    if not done:
        raise NothingToUndo(f"Plan {plan_id} changed nothing, so there is nothing to undo.")
    by_name = {sync.name: sync for sync in syncs}
    made: list[Operation] = []
    findings: list[Finding] = []
    sizes: dict[str, Sizes] = {}
    with warehouse.session() as session:
        bounds = {bound.sync.name: bound for bound in bind(session, list(by_name.values()), destinations)}
        for name in dict.fromkeys(one.sync for one in done):
            mine = [one for one in done if one.sync == name]
            if name not in bounds:
                findings += [_cannot(one, "its sync is not in the project any more") for one in mine]
                continue
            sync, destination = bounds[name].sync, bounds[name].destination
            if destination.mirror(sync) is None:
                findings += [
                    _cannot(one, f"what went to {sync.destination} cannot be taken back") for one in mine
                ]
                continue
            scan = Scan(session, warehouse.dialect, sync, destination)
            sizes[name] = Sizes(*scan.sizes())
            undoing = _Undoing(
                scan, plan_id, frozenset(one.identity for one in done if one.action == "create")
            )
            for part in chunks(mine):
                undoing.look_up(part)
                for one in part:
                    made += undoing.back(one)
            findings += undoing.findings
        bundled, found = bundle(made, syncs, destinations)
        requests = request_count(bundled, destinations)
        plan = _finished(
            bundled, [*findings, *found], syncs, sizes, plan_id, requests, rate_per_minute, profile
        )
        with session.transaction():
            store_plan(session, plan)
            waiting = outstanding.of_plan(plan.operations, (), plan.violations)
            outstanding.store(session, plan.plan_id, plan.created_at, waiting, {})
    return plan


def _finished(
    bundled: Sequence[Operation], findings: Sequence[Finding], syncs: Sequence[Sync], sizes: Mapping[str, Sizes],
    undoes: str, requests: int, rate_per_minute: float, profile: str,
) -> Plan:  # fmt: skip
    plan_id, at = new_plan_id(), datetime.now(UTC)
    all_operations = number(bundled, plan_id, at)
    broken = violations(syncs, all_operations, sizes, plan_id)
    return Plan(
        plan_id=plan_id, created_at=at, profile=profile,
        status="blocked" if broken else "ready" if all_operations else "empty",
        operations=all_operations, findings=tuple(findings), violations=tuple(broken),
        counts=count(all_operations, findings, broken), request_count=requests, minutes=requests / rate_per_minute,
        undoes=undoes, causes=by_cause(findings),
    )  # fmt: skip


@dataclass
class _Undoing:
    """The way back of one sync's operations."""

    scan: Scan
    plan_id: str
    created: frozenset[tuple[str, str]]
    """Rows that the plan created: what else it did to them goes with them."""
    findings: list[Finding] = field(default_factory=list)
    entries: Mapping[str, Entry] = field(default_factory=dict)
    row_hashes: Mapping[str, str] = field(default_factory=dict)
    mirror_hashes: Mapping[str, str] = field(default_factory=dict)
    keys_of_remote: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sent_before: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def sync(self) -> Sync:
        return self.scan.sync

    def look_up(self, part: Sequence[Operation]) -> None:
        """Read what stands now for some operations."""
        session, sync = self.scan.session, self.sync
        keys = [one.key for one in part]
        self.entries = ledger.read(session, sync, keys)
        self.row_hashes = {key: row["_hash"] for key, row in self.scan.rows(keys).items()}
        documents = [_document(self.scan, entry) for entry in self.entries.values()]
        self.mirror_hashes = self.scan.mirror.hashes([one for one in documents if one])
        self.keys_of_remote = {
            spec.sync: _keys_of_remote(session, sync, spec, part)
            for spec in sync.fields
            if spec.refers and spec.sync
        }
        self.sent_before = _sent_before(session, sync, part)

    def back(self, one: Operation) -> Iterator[Operation]:
        """The operations that take one back."""
        entry = self.entries.get(one.key)
        with_parent = (one.parent_sync or "", one.parent_key or "") in self.created
        if with_parent or (one.action != "create" and one.identity in self.created):
            return
        if one.action == "delete":
            self._tell(one, "it was deleted; a new one would be another record with another address")
        elif entry is None:
            self._tell(one, "its record is gone")
        elif one.action == "unarchive" or one.action == "create":
            yield from self._removed(one, entry)
        elif one.is_stock:
            yield from self._stock_back(one, entry)
        elif one.action in REMOVALS:
            yield self._brought_back(one, entry)
        else:
            if one.changes.get(PUBLISHED, {}).get("after"):
                seen = {PUBLISHED: {"before": True, "after": False}}
                yield self._operation(one, entry, "unpublish", seen, {})
            yield from self._written_back(one, entry)

    def _removed(self, one: Operation, entry: Entry) -> Iterator[Operation]:
        if entry.removed:
            self._tell(one, "it was removed since")
            return
        gone = removal(self.sync, self.scan.destination, entry, self._mirror_hash(entry))
        yield replace(
            gone, row_hash=self.row_hashes.get(one.key), undoes=self.plan_id, parent_key=one.parent_key
        )

    def _brought_back(self, one: Operation, entry: Entry) -> Operation:
        changes = {
            name: {"before": change["after"], "after": change["before"]}
            for name, change in one.changes.items()
            if name != PUBLISHED
        }
        left_the_live_site = one.action == "unpublish" or self.sync.publish == "live"
        if left_the_live_site and one.extras.get("published"):
            changes[PUBLISHED] = {"before": False, "after": True}
            entry = replace(entry, extras={**entry.extras, "published": False})
        send = {name: change["after"] for name, change in changes.items()}
        return self._operation(one, entry, "unarchive", changes, send)

    def _stock_back(self, one: Operation, entry: Entry) -> Iterator[Operation]:
        """Only a stock that was really written has a body with what stood there before."""
        name, change = next(iter(one.changes.items()))
        if "body" not in one.payload:
            return
        if entry.stock_sent != change["after"]:
            self._tell(one, "its stock was written again since", name)
            return
        before = one.payload["live"]
        returns = one.action in REMOVALS
        payload = {
            "quantity": before, "seen": one.payload["body"].get("quantity"), "is_new": False,
            "on_moved": "set" if returns else self.sync.on_moved,
        }  # fmt: skip
        yield replace(
            self._bare(one, entry, "unarchive" if returns else "set_stock"), payload=payload, requests=2,
            payload_hash=digest({"quantity": before}), changes={name: {"before": change["after"], "after": before}},
        )  # fmt: skip

    def _written_back(self, one: Operation, entry: Entry) -> Iterator[Operation]:
        changes: dict[str, dict[str, Any]] = {}
        for name, change in one.changes.items():
            spec = self.sync.field(name)
            if name == PUBLISHED:
                continue
            if spec is None:
                self._tell(one, f"{name} is not a field of the sync any more", name)
            elif entry.sent.get(name) != one.desired.get(name):
                self._tell(one, f"{name} was written again since", name)
            elif (reason := self._unknown_before(one, spec, change["before"])) is not None:
                self._tell(one, reason, name)
            else:
                before = change["before"]
                if spec.as_ == "references" and before is not None:
                    before = [self.keys_of_remote[spec.sync or ""][remote] for remote in before]
                changes[name] = {"before": change["after"], "after": before}
        if changes:
            send = {name: change["after"] for name, change in changes.items()}
            if entry.extras.get("archived") and self.sync.parent is None:
                send["isArchived"] = True
            yield self._operation(one, entry, "update", changes, send)

    def _unknown_before(self, one: Operation, spec: FieldSpec, before: Any) -> str | None:
        """Why a field cannot be written back."""
        if before is None and spec.as_ == "number":
            return f"{spec.field} was empty, and a number cannot be emptied again"
        if before is None and self.sent_before.get(one.key, {}).get(spec.field) is not None:
            return f"{spec.field} was there before, but the destination never showed it"
        if spec.as_ == "references" and before is not None:
            known = self.keys_of_remote[spec.sync or ""]
            if missing := [remote for remote in before if remote not in known]:
                return f"{spec.field} pointed to {', '.join(missing[:3])}, which no row of {spec.sync} owns"
        return None

    def _operation(
        self, one: Operation, entry: Entry, action: Any, changes: dict[str, dict[str, Any]], send: dict[str, Any]
    ) -> Operation:  # fmt: skip
        values = {**entry.answered, **send}
        place = {"container": self.scan.destination.container_of(entry.remote_id)}
        payload = self.scan.destination.payload(self.sync, action, send, values, {**entry.extras, **place})
        forms = {
            name: sent_form(spec, change["after"])
            for name, change in changes.items()
            if (spec := self.sync.field(name))
        }
        return replace(
            self._bare(one, entry, action), changes=changes, payload=payload, payload_hash=digest(payload),
            desired={**entry.sent, **forms}, baseline=entry.answered,
        )  # fmt: skip

    def _bare(self, one: Operation, entry: Entry, action: Any) -> Operation:
        return Operation(
            sync=self.sync.name, destination=self.sync.destination, connection=self.sync.connection, key=one.key,
            resource=self.sync.resource, action=action, changes={}, payload={}, remote_id=entry.remote_id,
            parent_sync=one.parent_sync, parent_key=one.parent_key, extras=entry.extras,
            row_hash=self.row_hashes.get(one.key), mapping_hash=self.sync.mapping_hash,
            mirror_hash=self._mirror_hash(entry), is_complete=False, undoes=self.plan_id,
        )  # fmt: skip

    def _mirror_hash(self, entry: Entry) -> str | None:
        return self.mirror_hashes.get(_document(self.scan, entry) or "")

    def _tell(self, one: Operation, reason: str, name: str | None = None) -> None:
        self.findings.append(_cannot(one, reason, name))


def _cannot(one: Operation, reason: str, name: str | None = None) -> Finding:
    return Finding("not_undone", one.sync, one.key, f"{one.action} stays: {reason}", name)


def _document(scan: Scan, entry: Entry) -> str | None:
    of_parent = scan.destination.document_of(scan.sync) == "parent_remote_id"
    return entry.parent_remote_id if of_parent else entry.remote_id


def _keys_of_remote(
    session: Session, sync: Sync, spec: FieldSpec, part: Sequence[Operation]
) -> dict[str, str]:
    """Remote id → key of the rows that a reference pointed to before."""
    remote = {
        one for operation in part for one in (operation.changes.get(spec.field) or {}).get("before") or ()
    }
    rows = session.rows(
        "SELECT remote_id, key FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND sync = $3 "
        f"AND remote_id IN {ledger.listed(4)}",
        (*sync.target, spec.sync, ledger.keys_of(sorted(remote))),
    )
    return {row["remote_id"]: row["key"] for row in rows}


def _sent_before(session: Session, sync: Sync, part: Sequence[Operation]) -> dict[str, dict[str, Any]]:
    """Key → what the last write before the undone plan had sent."""
    earliest = min(one.planned_at for one in part if one.planned_at)
    before = operations.load(
        session,
        "destination = $1 AND connection = $2 AND sync = $3 AND status = 'done' AND planned_at < $4 "
        f"AND key IN {ledger.listed(5)}",
        (*sync.target, sync.name, earliest, ledger.keys_of(one.key for one in part)),
    )
    return {one.key: dict(one.desired) for one in before if not one.is_stock}
