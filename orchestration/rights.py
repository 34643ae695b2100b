"""Who may read which rows of the users' data on Postgres: a state that is looked at and restored, not an event.

Declared here once and put right after every build and inside every restore. Where the role `karvon_readers` exists,
a role `karvon_user_<user id>` that is a member of it reads the rows of its user in the marts and no others. Every table
of Karvon's with a column `user_id` shows its rows only so, whoever else was granted it; its owner sees all. A build
by plain dbt protects each table in the transaction that makes it (macro `protect_user_rows`), so that default
privileges never show a fresh one to everybody. DuckDB has no roles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from karvon.warehouse import Warehouse

READERS = "karvon_readers"
POLICY = "rows_of_the_user"
READ_THROUGH = {
    "raw_user_apis.source_runs": (
        "user_id", "started_at", "finished_at", "rows_seen", "rows_landed", "requests",
    ),
}  # fmt: skip
"""Tables outside of the marts that views in the marts read, and the columns that a reader may read through them:
such views run with their reader's rights."""

Query = Callable[[str], Iterable[Mapping[str, Any]]]

_READERS_EXIST = f"SELECT 1 FROM pg_roles WHERE rolname = '{READERS}'"
# Names come quoted where they must be; what is missing is told per relation, so that a right state costs one query.
_STATE = f"""
SELECT n.nspname AS schema, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, c.relkind = 'v' AS is_view,
    c.relrowsecurity AS is_protected,
    c.reloptions @> ARRAY['security_invoker=true'] AS runs_as_reader,
    EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = '{POLICY}' AND p.polcmd = 'r'
        AND regexp_replace(pg_get_expr(p.polqual, p.polrelid), '::text|[() ]', '', 'g')
            = '''karvon_user_''||user_id=CURRENT_USER'
    ) AS has_policy,
    has_table_privilege('{READERS}', c.oid, 'SELECT') AS is_granted,
    has_schema_privilege('{READERS}', n.oid, 'USAGE') AS is_reachable,
    ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND has_column_privilege('{READERS}', c.oid, a.attnum, 'SELECT')) AS readable_columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute u ON u.attrelid = c.oid AND u.attname = 'user_id' AND NOT u.attisdropped
WHERE c.relkind IN ('r', 'p', 'v')
    AND n.nspname IN ('raw_user_apis', 'staging', 'restricted', 'marts', 'activation')
ORDER BY 2
"""


def keep_rights(warehouse: Warehouse) -> int:
    """Put right what is missing; gives how many statements that took. All of it or nothing."""
    if warehouse.dialect == "duckdb":
        return 0
    with warehouse.session() as session, session.transaction():
        # A build that grants on its schema at the same time fails with "tuple concurrently updated".
        session.execute(f"SELECT pg_advisory_xact_lock(hashtext('{READERS}'))")
        missing = missing_rights(session.rows)
        for statement in missing:
            session.execute(statement)
    return len(missing)


def missing_rights(query: Query) -> list[str]:
    """The statements that make the state right; none when it is, or when nobody reads by roles here."""
    if not list(query(_READERS_EXIST)):
        return []
    statements: list[str] = []
    for relation in query(_STATE):
        statements += _closed(relation) + _opened(relation)
    return list(dict.fromkeys(statements))


def _closed(relation: Mapping[str, Any]) -> list[str]:
    """Rows are hidden before anything is granted."""
    name = relation["name"]
    if relation["is_view"]:
        return [] if relation["runs_as_reader"] else [f"ALTER VIEW {name} SET (security_invoker = true)"]
    statements = [] if relation["is_protected"] else [f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"]
    if not relation["has_policy"]:
        statements += [
            f"DROP POLICY IF EXISTS {POLICY} ON {name}",
            f"CREATE POLICY {POLICY} ON {name} FOR SELECT USING ('karvon_user_' || user_id = current_user)",
        ]
    return statements


def _opened(relation: Mapping[str, Any]) -> list[str]:
    columns = READ_THROUGH.get(relation["name"], ())
    if relation["schema"] != "marts" and not columns:
        return []
    statements = (
        [] if relation["is_reachable"] else [f"GRANT USAGE ON SCHEMA {relation['schema']} TO {READERS}"]
    )
    if relation["schema"] == "marts" and not relation["is_granted"]:
        statements.append(f"GRANT SELECT ON {relation['name']} TO {READERS}")
    if columns and not set(columns) <= set(relation["readable_columns"]):
        statements.append(f"GRANT SELECT ({', '.join(columns)}) ON {relation['name']} TO {READERS}")
    return statements
