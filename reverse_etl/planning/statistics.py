"""What Postgres must know of the tables that a plan joins."""

from __future__ import annotations

from collections.abc import Collection

from karvon.warehouse import Session
from reverse_etl.planning.scan import Scan, quoted


def refresh_statistics(session: Session, scans: Collection[Scan]) -> None:
    """Postgres knows nothing yet of tables that were just built or filled, and would join them row by row.

    A sample of keys is enough; by default Postgres reads 30,000 pages of a ledger that is wide.
    """
    if all(scan.dialect == "duckdb" for scan in scans):
        return
    tables = {table: columns for scan in scans for table, columns in _joined_columns(scan).items()}
    for table, columns in tables.items():
        schema, _, name = table.partition(".")
        if session.value(_IS_UNKNOWN, (schema, name)):
            listed_columns = ", ".join(quoted(column) for column in columns)
            session.execute("SET default_statistics_target = 20")
            session.execute(f"ANALYZE {quoted(schema)}.{quoted(name)} ({listed_columns})")
            session.execute("RESET default_statistics_target")


_IS_UNKNOWN = """SELECT (c.relpages = 0 OR pg_relation_size(c.oid) / current_setting('block_size')::bigint
    NOT BETWEEN c.relpages * 0.8 AND c.relpages * 1.25
  OR NOT EXISTS (SELECT 1 FROM pg_stats AS s WHERE s.schemaname = $1 AND s.tablename = $2))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2"""
"""Whether a table was never analysed, or has become another size since."""


def _joined_columns(scan: Scan) -> dict[str, tuple[str, ...]]:
    """Every table that is read, and the columns that it is joined or restricted by."""
    sync = scan.sync
    own = (sync.key, sync.parent.column if sync.parent else None, sync.held)
    return {
        f"{sync.schema_name}.{sync.table}": tuple(name for name in own if name),
        "reverse_etl.ledger": (
            "destination",
            "connection",
            "sync",
            "key",
            "remote_id",
            "parent_remote_id",
        ),
        **dict.fromkeys(scan.mirror.tables, ("connection", "document_key", "landed_at")),
    }
