"""A plan as one page that needs nothing else: open it from a disk, a mail or a pull request.

The page carries the plan as data and draws rows when they are looked at, so that thousands stay quick. Its policy
forbids every request but pictures, and those are asked for only when their row is opened. All texts of others go in
as text, never as markup.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson

from karvon.warehouse import Session, Warehouse
from reports.explanation import EXPLAINED, traces
from reports.measures import read_measures, spoken
from reports.page import render
from reports.shown import Reader, exponents
from reverse_etl.review.row_names import Label, labels, referred_names
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Destinations
from reverse_etl.state.operations import Finding, Operation
from reverse_etl.state.outstanding import WORDS
from reverse_etl.state.stored_plans import Plan, tool_version

Identity = tuple[str, str]


def plan_page(warehouse: Warehouse, plan: Plan, syncs: Sequence[Sync], destinations: Destinations) -> str:
    """The page as HTML. `syncs` give names and explanations; rows of a sync that is gone are shown without."""
    with warehouse.session() as session:
        named = _labels(session, plan, syncs)
        reader = Reader(exponents(session), referred_names(session, syncs, _referred(plan, syncs)))
        explained = traces(session, warehouse, syncs, destinations, plan, reader)
        measured = read_measures(session)
        waiting, drifted = _stored(session, "holds", plan), _stored(session, "drift", plan)
    content = {
        "plan": {
            "id": plan.plan_id, "created_at": plan.created_at.isoformat(), "status": plan.status,
            "profile": plan.profile, "summary": plan.summary(), "requests": plan.request_count,
            "minutes": round(plan.minutes, 1), "version": tool_version(), "explained": EXPLAINED,
        },
        "counts": _counts(plan),
        "tally": plan.tally.as_row(),
        "causes": [asdict(one) for one in plan.causes],
        "guards": [{"sync": one.sync, "guard": one.guard, "message": one.message} for one in plan.violations],
        "measures": spoken(list(measured.values())),
        "holds": [
            {**{name: row[name] for name in ("sync", "key", "rule", "field", "message")},
             **_read(reader, row, before="before", after="after")}
            for row in waiting
        ],
        "drift": [
            {**{name: row[name] for name in ("sync", "key", "field", "policy", "decided")},
             **_read(reader, row, ours="answered", found="theirs", view="ours")}
            for row in drifted
        ],
        "rows": _rows(plan, named, reader, explained),
    }  # fmt: skip
    return render("plan", content, pictures="http: https: data:")


def _counts(plan: Plan) -> dict[str, dict[str, int]]:
    """By sync; what is not out as the operations stand now."""
    return {
        sync: {
            **{kind: rows for kind, rows in plan.counts.get(sync, {}).items() if kind not in WORDS},
            **{word: rows for word, rows in tally.as_row().items() if rows},
        }
        for sync, tally in plan.tallies.items()
    }


def _rows(
    plan: Plan, named: Mapping[Identity, Label], reader: Reader, explained: Mapping[Identity, Any]
) -> list[dict[str, Any]]:
    """One entry per row of a sync, with all its operations and findings."""
    operations: dict[Identity, list[Operation]] = defaultdict(list)
    findings: dict[Identity, list[Finding]] = defaultdict(list)
    for operation in plan.operations:
        operations[operation.identity].append(operation)
    for finding in plan.findings:
        findings[finding.sync, finding.key].append(finding)
    return [
        {
            "sync": identity[0],
            "key": identity[1],
            **_named(named.get(identity), operations.get(identity, ())),
            "operations": [_operation(one, reader) for one in operations.get(identity, ())],
            "findings": [
                {"kind": one.kind, "field": one.field, "message": one.message} for one in findings.get(identity, ())
            ],
            "trace": explained.get(identity),
        }
        for identity in dict.fromkeys([*operations, *findings])
    ]  # fmt: skip


def _operation(operation: Operation, reader: Reader) -> dict[str, Any]:
    return {
        "action": operation.action,
        "status": operation.status,
        "requests": operation.requests,
        "error": operation.error,
        "error_field": operation.error_field,
        "note": operation.note,
        "changes": [
            {
                "field": name,
                "before": reader.shown(change["before"]),
                "after": reader.shown(change["after"]),
                # What we wrote then, where somebody else has written since.
                "ours": reader.shown(operation.baseline.get(name)) if name in operation.baseline else None,
            }
            for name, change in operation.changes.items()
        ],
    }


def _named(label: Label | None, operations: Sequence[Operation]) -> dict[str, str | None]:
    """From the model; for a row that left it, from what we sent last."""
    known = next((one.desired for one in operations if one.desired), {})
    return {
        "name": (label.name if label else None) or known.get("name"),
        "code": (label.code if label else None) or known.get("sku"),
    }


def _labels(session: Session, plan: Plan, syncs: Sequence[Sync]) -> dict[Identity, Label]:
    keys: dict[str, set[str]] = defaultdict(set)
    for sync, key in [
        *(one.identity for one in plan.operations),
        *((one.sync, one.key) for one in plan.findings),
    ]:
        keys[sync].add(key)
    return {
        (each.name, key): label
        for each in syncs
        for key, label in labels(session, each, keys[each.name]).items()
    }


def _stored(session: Session, table: str, plan: Plan) -> list[dict[str, Any]]:
    """What the plan held for approval, or found edited."""
    return session.rows(
        f"SELECT * FROM reverse_etl.{table} WHERE plan_id = $1 ORDER BY sync, key, field", (plan.plan_id,)
    )


def _read(reader: Reader, row: Mapping[str, Any], **columns: str) -> dict[str, Any]:
    """Stored JSON values as people read them, under the names that the page uses."""
    return {
        name: reader.shown(orjson.loads(row[column])) if row[column] else None
        for name, column in columns.items()
    }


def _referred(plan: Plan, syncs: Sequence[Sync]) -> dict[str, set[str]]:
    """Keys and remote ids in `references` fields, by the sync they refer to."""
    targets = {
        (sync.name, spec.field): spec.sync for sync in syncs for spec in sync.plain_fields if spec.as_ == "references"
    }  # fmt: skip
    found: dict[str, set[str]] = defaultdict(set)
    for operation in plan.operations:
        for name, change in operation.changes.items():
            target = targets.get((operation.sync, name))
            for value in (change["before"], change["after"], operation.baseline.get(name)):
                if target and isinstance(value, list):
                    found[target].update(str(one) for one in value)
    return found
