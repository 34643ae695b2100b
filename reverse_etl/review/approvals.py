"""Who allowed what, and when: rows of `reverse_etl.approvals`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from karvon.warehouse import Session, Warehouse
from reverse_etl.state import outstanding
from reverse_etl.state.holds import UNDONE, Hold
from reverse_etl.state.holds import load as stored_holds
from reverse_etl.state.operations import Violation, now
from reverse_etl.state.outstanding import Tally
from reverse_etl.state.schema import migrate


class NothingToApprove(Exception):
    """Nothing that waits fits what was asked for."""


@dataclass(frozen=True)
class Approval:
    """One yes. `key` is empty where it is about a guard over one whole plan."""

    approved_at: datetime
    approver: str
    plan_id: str
    destination: str
    connection: str
    sync: str
    key: str
    rule: str
    field: str
    value_hash: str


_SCHEMA = pa.schema(
    [
        (one.name, pa.timestamp("us", "UTC") if one.name == "approved_at" else pa.string())
        for one in fields(Approval)
    ]
)


def approve(
    warehouse: Warehouse,
    approver: str,
    *,
    keys: Collection[str] = (),
    rule: str | None = None,
    plan_id: str | None = None,
) -> list[Approval]:
    """Allow what waits: all of it, or what fits all that is given.

    Held rows are allowed with the value they were held with, and go out with the next plan. With `plan_id` the
    broken guards of that plan are allowed too, for that plan alone. Raises `NothingToApprove`.
    """
    at = now()
    with warehouse.session() as session:
        migrate(warehouse, session)
        held = [
            one
            for one in stored_holds(session)
            if (not keys or one.key in keys) and rule in (None, one.rule) and plan_id in (None, one.plan_id)
        ]
        given = [_of_hold(one, approver, at) for one in held]
        if plan_id is not None and not keys:
            broken = [one for one in _violations(session, plan_id) if rule in (None, one.guard)]
            given += [_of_guard(session, one, plan_id, approver, at) for one in broken]
        if not given:
            raise NothingToApprove("Nothing that waits fits this; `karvon held` lists what waits.")
        with session.transaction():
            session.append(
                "reverse_etl.approvals", pa.Table.from_pylist([asdict(one) for one in given], schema=_SCHEMA)
            )
            is_let_go = plan_id is not None and not _broken(session, plan_id)
            outstanding.approved(
                session,
                [(one.sync, one.key, one.rule, one.field) for one in held],
                [plan_id] if plan_id and is_let_go else [],
            )
            if is_let_go:
                session.execute(
                    "UPDATE reverse_etl.plans SET status = 'ready' WHERE plan_id = $1 AND status = 'blocked'",
                    (plan_id,),
                )
    return given


def allowed_guards(session: Session, plan_id: str) -> set[tuple[str, str]]:
    """(sync, guard) that somebody allowed for this plan."""
    rows = session.rows(
        "SELECT sync, rule FROM reverse_etl.approvals WHERE plan_id = $1 AND key = '' AND value_hash = $1",
        (plan_id,),
    )
    return {(row["sync"], row["rule"]) for row in rows}


@dataclass(frozen=True)
class Waiting:
    """What waits for a person, and beside it what does not because it was decided."""

    holds: list[Hold]
    """Rows that a rule holds and that nobody has approved."""
    undone: list[Hold]
    """Changes that somebody took back: they stay until the model has another value, or somebody approves them."""
    guards: list[dict[str, Any]]
    """Of the plans that they block, and that nobody allowed: plan_id, sync, guard, message."""
    tallies: dict[str, Tally]
    """Rows that are not out, by sync."""


def waiting(warehouse: Warehouse) -> Waiting:
    """How things stand now."""
    with warehouse.session() as session:
        migrate(warehouse, session)
        rows = outstanding.read(session)
        still = {(one.sync, one.key, one.cause, one.field) for one in rows if one.why == "waits"}
        held = stored_holds(session)
        guards = [
            {"plan_id": plan_id, **asdict(one)}
            for plan_id in outstanding.blocked_plans(session)
            for one in _broken(session, plan_id)
        ]
    return Waiting(
        [one for one in held if (one.sync, one.key, one.rule, one.field) in still],
        [one for one in held if one.rule == UNDONE],
        guards,
        outstanding.tallied(rows),
    )


def _broken(session: Session, plan_id: str) -> list[Violation]:
    """Guards of a plan that nobody allowed."""
    allowed = allowed_guards(session, plan_id)
    return [one for one in _violations(session, plan_id) if (one.sync, one.guard) not in allowed]


def _violations(session: Session, plan_id: str) -> list[Violation]:
    found = session.value("SELECT violations FROM reverse_etl.plans WHERE plan_id = $1", (plan_id,))
    return [Violation(**one) for one in orjson.loads(found or "[]")]


def _of_hold(hold: Hold, approver: str, at: datetime) -> Approval:
    return Approval(
        at, approver, hold.plan_id, hold.destination, hold.connection, hold.sync, hold.key, hold.rule, hold.field,
        hold.value_hash,
    )  # fmt: skip


def _of_guard(session: Session, broken: Violation, plan_id: str, approver: str, at: datetime) -> Approval:
    """The place is empty where the plan has no change of that sync."""
    found = session.rows(
        "SELECT destination, connection FROM reverse_etl.operations WHERE plan_id = $1 AND sync = $2 LIMIT 1",
        (plan_id, broken.sync),
    )
    destination, connection = found[0].values() if found else ("", "")
    return Approval(
        at, approver, plan_id, destination, connection, broken.sync, "", broken.guard, "", plan_id
    )
