"""What happened: plans, refused rows and the state of the connections, as rows for people to read."""

from __future__ import annotations

from typing import Any

import orjson

from karvon.warehouse import Warehouse
from reverse_etl.schema import migrate


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


def errors(warehouse: Warehouse, limit: int = 200) -> list[dict[str, Any]]:
    """Rows whose last operation failed or was held: the API's words, the field, whether it is refused for good."""
    with warehouse.session() as session:
        migrate(warehouse, session)
        return session.rows(
            """SELECT sync, key, resource, action, status, error, error_field, is_permanent, plan_id, answered_at
            FROM (
              SELECT *, row_number() OVER (PARTITION BY sync, destination, connection, key
                                           ORDER BY planned_at DESC, answered_at DESC) AS nth
              FROM reverse_etl.operations WHERE status NOT IN ('planned', 'skipped')) AS last
            WHERE nth = 1 AND status IN ('failed', 'held', 'unknown') ORDER BY answered_at DESC LIMIT $1""",
            (limit,),
        )


def status(warehouse: Warehouse) -> list[dict[str, Any]]:
    """Per sync: rows of ours in the destination, rows removed, last write, operations left open, who is applying."""
    with warehouse.session() as session:
        migrate(warehouse, session)
        return session.rows(
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
