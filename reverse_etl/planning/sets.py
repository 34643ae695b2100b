"""A model that goes out as a whole, such as a file: one operation, and its rows by set-based SQL alone.

The ledger has a row per row of the model, as for every sync. `reverse_etl.sets` holds the changed rows of a set
while it is on its way, so that after a kill the ledger learns exactly what went out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from karvon.warehouse import Session
from reverse_etl.planning.scan import Scan
from reverse_etl.planning.sources import unproven
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import digest
from reverse_etl.state.operations import Finding, Operation, now

SAMPLE = 5
"""Keys that a plan names per kind of change."""


def plan_set(scan: Scan) -> tuple[list[Operation], list[Finding]]:
    """The one operation that brings the set up to date, if a row of the model changed."""
    sync = scan.sync
    kinds = _kinds(scan)
    rows = {kind["action"]: int(kind["rows"]) for kind in kinds}
    desired, existing = scan.sizes()
    if not rows or desired == 0:  # The guard for an emptied model speaks.
        return [], []
    if "delete" in rows and (reason := unproven(scan)):
        message = f"{rows['delete']} rows left the model, but {reason}"
        return [], [Finding("deferred", sync.name, "", f"nothing is written: {message}")]
    told = {f"rows to {action}": f"{count}: {_named(scan, action, count)}" for action, count in rows.items()}
    after = existing + rows.get("create", 0) - rows.get("delete", 0)
    payload = {"rows": rows, "options": dict(sync.options)}
    operation = Operation(
        sync=sync.name, destination=sync.destination, connection=sync.connection, key=sync.name,
        resource=sync.resource, action="export",
        changes={
            "rows": {"before": existing, "after": after},
            **{name: {"before": None, "after": text} for name, text in told.items()},
        },
        payload=payload, payload_hash=digest(payload), row_hash=_fingerprint(kinds),
        mapping_hash=form_of(sync), requests=0,
    )  # fmt: skip
    return [operation], []


def form_of(sync: Sync) -> str:
    """Changes when all rows must go out anew, because a column means something else or the set looks different."""
    return digest([sync.mapping_hash, dict(sync.options)])[:16]


def changes(scan: Scan) -> str:
    """Rows that differ from the ledger: key, row_hash, action. Parameters: destination, connection, sync, form.

    A row that is held, or shares its key, neither goes out nor counts as removed.
    """
    return f"""WITH {scan.desired()},
      wanted AS (SELECT key, row_hash FROM ({scan.unambiguous()}) AS u),
      mine AS (SELECT key, row_hash, mapping_hash FROM reverse_etl.ledger
               WHERE destination = $1 AND connection = $2 AND sync = $3 AND NOT removed)
      SELECT w.key, w.row_hash, CASE WHEN m.key IS NULL THEN 'create' ELSE 'update' END AS action
      FROM wanted AS w LEFT JOIN mine AS m ON m.key = w.key
      WHERE m.key IS NULL OR m.row_hash <> w.row_hash OR m.mapping_hash <> $4
      UNION ALL
      SELECT m.key, NULL AS row_hash, 'delete' AS action FROM mine AS m
      WHERE NOT EXISTS (SELECT 1 FROM desired AS d WHERE d.key = m.key)"""


def take(scan: Scan, operation: Operation) -> bool:
    """Note the rows that go out with an operation; False when they are not those of its plan any more."""
    session, mine = scan.session, (operation.plan_id, operation.seq)
    if operation.mapping_hash != form_of(scan.sync):
        return False
    session.execute("DELETE FROM reverse_etl.sets WHERE plan_id = $1 AND seq = $2", mine)
    session.execute(
        f"INSERT INTO reverse_etl.sets SELECT $5, $6, key, row_hash, action FROM ({changes(scan)}) AS c",
        (*_params(scan.sync), *mine),
    )
    noted = "SELECT key, row_hash, action FROM reverse_etl.sets WHERE plan_id = $1 AND seq = $2"
    taken = session.rows(_summary(scan, noted), mine)
    return _fingerprint(taken) == operation.row_hash


def still_stands(scan: Scan, operation: Operation) -> bool:
    """Whether the model has not moved while the set was being written."""
    return _fingerprint(_kinds(scan)) == operation.row_hash


def record(session: Session, operation: Operation, status: str) -> None:
    """Let the ledger follow a set that went out, and forget what was noted of it; call it inside a transaction."""
    if status == "unknown":
        return
    mine = (operation.plan_id, operation.seq)
    if status == "done":
        place = (operation.destination, operation.connection, operation.sync)
        session.execute(
            "DELETE FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND sync = $3 "
            "AND key IN (SELECT key FROM reverse_etl.sets WHERE plan_id = $4 AND seq = $5)",
            (*place, *mine),
        )
        session.execute(
            """INSERT INTO reverse_etl.ledger (destination, connection, sync, key, remote_id, sent, sent_hash, answered,
              extras, row_hash, mapping_hash, removed, applied_at, plan_id)
            SELECT $1, $2, $3, key, key, '{}', '', '{}', '{}', row_hash, $6, false, CAST($7 AS timestamptz), $4
            FROM reverse_etl.sets WHERE plan_id = $4 AND seq = $5 AND action <> 'delete'""",
            (*place, *mine, operation.mapping_hash, now()),
        )
    session.execute("DELETE FROM reverse_etl.sets WHERE plan_id = $1 AND seq = $2", mine)


def _params(sync: Sync) -> tuple[str, ...]:
    return (*sync.target, sync.name, form_of(sync))


def _kinds(scan: Scan) -> list[dict[str, Any]]:
    """Per action: how many rows, and a sum of their hashes."""
    return scan.session.rows(_summary(scan, changes(scan)), _params(scan.sync))


def _summary(scan: Scan, rows: str) -> str:
    # A sum needs neither the order nor the memory that a hash over all rows would.
    one = "key || '=' || coalesce(row_hash, '')"
    hashed = f"hash({one})" if scan.dialect == "duckdb" else f"hashtextextended({one}, 0)"
    return f"SELECT action, count(*) AS rows, sum({hashed}) AS hash FROM ({rows}) AS r GROUP BY action ORDER BY action"


def _fingerprint(kinds: Sequence[dict[str, Any]]) -> str:
    return digest([[kind["action"], int(kind["rows"]), str(kind["hash"])] for kind in kinds])


def _named(scan: Scan, action: str, count: int) -> str:
    rows = scan.session.rows(
        f"SELECT key FROM ({changes(scan)}) AS c WHERE action = $5 ORDER BY key LIMIT {SAMPLE}",
        (*_params(scan.sync), action),
    )
    return ", ".join(row["key"] for row in rows) + (" …" if count > SAMPLE else "")
