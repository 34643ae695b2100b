"""Explanations of rows as plain data, for JSON and the page, and as text for a terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from karvon.warehouse import Session, Warehouse
from reports.shown import Reader, exponents, one_line
from reverse_etl.planning.binding import bind
from reverse_etl.review.current_rows import FieldNow
from reverse_etl.review.explain import Explanation, Lineage, explain, explain_rows
from reverse_etl.review.row_names import labels, referred_names
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Destinations
from reverse_etl.state.stored_plans import Plan

EXPLAINED = 300
"""Rows of a plan that its page explains; held ones first."""


def traces(
    session: Session,
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    destinations: Destinations,
    plan: Plan,
    reader: Reader,
) -> dict[tuple[str, str], dict[str, Any]]:
    """(sync, key) → explanation, for held and changed rows of a plan."""
    held = [(one.sync, one.key) for one in plan.findings]
    changed = [one.identity for one in plan.operations]
    keys: dict[str, list[str]] = defaultdict(list)
    for sync, key in list(dict.fromkeys([*held, *changed]))[:EXPLAINED]:
        keys[sync].append(key)
    built = [sync for sync in syncs if session.has_table(f"{sync.schema_name}.{sync.table}")]
    bounds = {bound.sync.name: bound for bound in bind(session, syncs, destinations)}
    found = [
        one
        for sync in built
        for one in explain_rows(session, warehouse, bounds, sync.name, keys[sync.name], (), ())
    ]
    names = _referred_names(session, syncs, found)
    reader = replace(reader, names={**names, **reader.names})
    return {(one.sync, one.key): plain(one, reader) for one in found}


def explained(
    warehouse: Warehouse, syncs: Sequence[Sync], destinations: Destinations, models: Lineage, wanted: str
) -> list[dict[str, Any]]:
    """The rows behind a key or a code, those with a reason first. Raises `UnknownKey`, `ModelMissing`."""
    found = explain(warehouse, syncs, destinations, models, wanted)
    with warehouse.session() as session:
        reader = Reader(exponents(session), _referred_names(session, syncs, found))
        asked = _asked(session, syncs, found, wanted)
    ordered = sorted(found, key=lambda one: (one is not asked, not one.reasons))
    return [{**plain(one, reader), "is_asked": one is asked} for one in ordered]


def _referred_names(session: Session, syncs: Sequence[Sync], found: Sequence[Explanation]) -> dict[str, str]:
    """Names behind the references that these rows want or show."""
    targets = {(sync.name, spec.field): spec.sync for sync in syncs for spec in sync.fields if spec.sync}
    held: dict[str, set[str]] = defaultdict(set)
    for one in found:
        for field in one.now.fields:
            target = targets.get((one.sync, field.field))
            for value in (field.view, field.live, field.answered, field.sent):
                if target and isinstance(value, list):
                    held[target].update(str(key) for key in value)
    return referred_names(session, syncs, held)


def _asked(
    session: Session, syncs: Sequence[Sync], found: Sequence[Explanation], wanted: str
) -> Explanation | None:
    """The row that was asked for, among those that belong to it."""
    codes = {
        (sync.name, key): label.code
        for sync in syncs
        for key, label in labels(session, sync, [one.key for one in found if one.sync == sync.name]).items()
    }
    exact = [one for one in found if wanted in (one.key, codes.get((one.sync, one.key)))]
    # The record behind a SKU code may be product, SKU and an item that shows the code: of a code the SKU is meant.
    children = {sync.name for sync in syncs if sync.parent}
    by_code = [one for one in exact if codes.get((one.sync, one.key)) == wanted]
    by_code.sort(key=lambda one: one.sync not in children)
    return next(iter([*by_code, *exact, *(one for one in found if one.reasons), *found]), None)


def plain(explanation: Explanation, reader: Reader) -> dict[str, Any]:
    """An explanation as JSON-ready data; values as people read them."""
    now, last = explanation.now, explanation.last
    sources = [
        {"table": one.table, "document_key": one.document_key, "landed_at": _time(one.landed_at),
         "versions": one.versions, "is_deleted": one.is_deleted}
        for one in explanation.sources
    ]  # fmt: skip
    in_document = {name: value for one in explanation.sources for name, value in one.values.items()}
    return {
        "sync": explanation.sync,
        "key": explanation.key,
        "destination": explanation.destination,
        "reasons": list(explanation.reasons),
        "standing": explanation.standing,
        "sources": sources,
        "models": [
            {"model": step.model, "is_there": step.is_there,
             "said": {name: _time(said) for name, said in step.said.items()}}
            for step in explanation.steps
        ],
        "ledger": None if now.entry is None else {
            "remote_id": now.entry.remote_id, "applied_at": _time(now.entry.applied_at),
            "plan_id": now.entry.plan_id, "removed": now.entry.removed,
        },
        "seen_at": _time(now.seen_at),
        "last_operation": None if last is None else {
            "action": last.action, "status": last.status, "error": last.error, "error_field": last.error_field,
            "plan_id": last.plan_id, "answered_at": _time(last.answered_at),
        },
        "fields": [
            {
                "field": one.field, "column": one.column, "policy": one.policy, "state": one.state,
                "source": one_line(in_document.get(one.field)) or None,
                "view": reader.text(one.view) or None, "sent": _sent(one, reader),
                "answered": reader.text(one.answered) or None, "live": reader.text(one.live) or None,
                "written_at": _time(explanation.written[one.field].at) if one.field in explanation.written else None,
                "plan_id": explanation.written[one.field].plan_id if one.field in explanation.written else None,
            }
            for one in now.fields
        ],
    }  # fmt: skip


def text(explanation: dict[str, Any]) -> str:
    """One row on one screen: reasons first, then the way, then the fields that have something to say."""
    lines = [f"{explanation['sync']}  {explanation['key']}"]
    reasons = explanation["reasons"] or [f"It {explanation['standing']}."]
    lines += [f"  • {reason}" for reason in reasons]
    for one in explanation["sources"]:
        gone = ", deleted there" if one["is_deleted"] else ""
        lines.append(
            f"  source    {one['table']} {one['document_key']}, landed {one['landed_at']}, "
            f"{one['versions']} version{'s' if one['versions'] > 1 else ''}{gone}"
        )
    edited = next(
        (one["said"]["modified_at"] for one in explanation["models"] if "modified_at" in one["said"]), None
    )
    if edited:
        lines.append(f"  modified  {edited} in the source")
    # Models that never hold such a row say nothing by lacking it; the last one does.
    models = [one for one in explanation["models"] if one["is_there"] or one is explanation["models"][-1]]
    way = [f"{'✓' if one['is_there'] else '✗'} {one['model']}" for one in models]
    if way:
        lines.append(f"  models    {' → '.join(way)}")
    if ledger := explanation["ledger"]:
        removed = " (taken out)" if ledger["removed"] else ""
        lines.append(
            f"  ledger    {ledger['remote_id']}{removed}, written {ledger['applied_at']} by {ledger['plan_id']}"
        )
    if last := explanation["last_operation"]:
        said = f": {last['error']}" if last["error"] else ""
        lines.append(
            f"  last      {last['action']} {last['status']} at {last['answered_at']} ({last['plan_id']}){said}"
        )
    return "\n".join(lines)


def _sent(field: FieldNow, reader: Reader) -> str | None:
    """Pictures and HTML are remembered by a hash; what was sent is then told by whether it was the same."""
    if field.sent is None:
        return None
    if field.kind in ("image", "images", "html"):
        return f"sha256 {one_line(field.sent, 60)}"
    if field.kind == "money":
        return reader.text({"value": field.sent[0], "unit": field.sent[1]})
    return reader.text(field.sent) or None


def _time(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else value
