"""What happened: plans, refused rows and the state of the connections, as rows for people to read."""

from __future__ import annotations

from typing import Any

import orjson

from karvon.warehouse import Warehouse
from reverse_etl.state import outstanding
from reverse_etl.state.outstanding import Tally
from reverse_etl.state.schema import migrate

_STATUS = (
    "destination",
    "connection",
    "sync",
    "rows",
    "removed",
    "applied_at",
    "open_operations",
    "applying",
)


def history(warehouse: Warehouse, limit: int = 20) -> list[dict[str, Any]]:
    """The last plans: id, times, profile, status, counts, request count, and operations by status (`results`)."""
    with warehouse.session() as session:
        migrate(warehouse, session)
        plans = session.rows(
            "SELECT plan_id, created_at, finished_at, profile, status, stopped, counts, request_count, minutes "
            "FROM reverse_etl.plans ORDER BY created_at DESC LIMIT $1",
            (limit,),
        )
        results: dict[str, dict[str, int]] = {}
        for row in session.rows(
            "SELECT plan_id, status, count(*) AS count FROM reverse_etl.operations GROUP BY plan_id, status"
        ):
            results.setdefault(row["plan_id"], {})[row["status"]] = row["count"]
    return [
        {**plan, "counts": orjson.loads(plan["counts"]), "results": results.get(plan["plan_id"], {})}
        for plan in plans
    ]


def errors(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Rows that the destination refuses, in its words, with the field and whether it is for good; after them those
    whose last operation was deferred or is of unknown outcome.
    """
    with warehouse.session() as session:
        migrate(warehouse, session)
        # A row and its stock are written, and refused, each for itself.
        return session.rows(
            """WITH tried AS (
              SELECT *, CASE WHEN payload LIKE '%"quantity"%' THEN 'stock' ELSE 'row' END AS part
              FROM reverse_etl.operations WHERE status NOT IN ('planned', 'skipped')),
            last AS (
              SELECT *, row_number() OVER (PARTITION BY sync, destination, connection, key, part, status = 'failed'
                                           ORDER BY planned_at DESC, answered_at DESC) AS nth_alike,
                row_number() OVER (PARTITION BY sync, destination, connection, key, part
                                   ORDER BY planned_at DESC, answered_at DESC) AS nth
              FROM tried),
            refused AS (SELECT DISTINCT sync, key, cause FROM reverse_etl.outstanding WHERE why = 'refused')
            SELECT l.sync, l.key, l.resource, l.action, l.status, l.error, l.error_field, l.is_permanent, l.plan_id,
              l.answered_at
            FROM last AS l LEFT JOIN refused AS r ON r.sync = l.sync AND r.key = l.key AND r.cause = l.part
            WHERE (l.status = 'failed' AND l.nth_alike = 1 AND r.sync IS NOT NULL)
              OR (l.status IN ('deferred', 'unknown') AND l.nth = 1)
            ORDER BY CASE WHEN l.status = 'failed' THEN 0 ELSE 1 END, l.answered_at DESC"""
        )


def tallies(warehouse: Warehouse) -> dict[str, Tally]:
    """Rows that are not out, by sync: not ready, waiting for a person, refused."""
    with warehouse.session() as session:
        migrate(warehouse, session)
        return outstanding.tallied(outstanding.read(session))


def status(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Per sync: rows of ours in the destination, rows removed, last write, operations left open, who is applying, and
    the rows that are not out.
    """
    with warehouse.session() as session:
        migrate(warehouse, session)
        found = outstanding.tallied(outstanding.read(session))
        written = session.rows(
            """SELECT l.destination, l.connection, l.sync,
              sum(CASE WHEN l.removed THEN 0 ELSE 1 END) AS rows, sum(CASE WHEN l.removed THEN 1 ELSE 0 END) AS removed,
              max(l.applied_at) AS applied_at, max(o.open) AS open_operations, max(s.holder) AS applying
            FROM reverse_etl.ledger AS l
            LEFT JOIN (SELECT sync, connection, count(*) AS open FROM reverse_etl.operations
                       WHERE status IN ('sent', 'unknown') GROUP BY sync, connection) AS o
              ON o.sync = l.sync AND o.connection = l.connection
            LEFT JOIN reverse_etl.leases AS s ON s.destination = l.destination AND s.connection = l.connection
              AND s.expires_at > now()
            GROUP BY l.destination, l.connection, l.sync ORDER BY l.sync"""
        )
    known = {row["sync"] for row in written}
    nothing = dict.fromkeys(written[0] if written else _STATUS)
    unwritten = [{**nothing, "sync": name, "rows": 0, "removed": 0} for name in sorted(set(found) - known)]
    return [
        {**row, **found.get(row["sync"], Tally()).as_row()}
        for row in sorted([*written, *unwritten], key=lambda row: str(row["sync"]))
    ]
