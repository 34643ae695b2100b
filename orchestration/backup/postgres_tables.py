"""Postgres' way: definitions as the server itself prints them, rows with COPY, all of one snapshot.

Not pg_dump: it would have to be there, and no older than the server, on every machine that makes a backup. What
Karvon, dlt and dbt make is tables, constraints, indexes and views; a schema that holds anything else is refused
rather than saved in part. Only Karvon's schemas are read and replaced; rights are not part of a backup: those given to
a schema outlive a restore (docs/runbook.md), and those of the users' rows (`orchestration.rights`) are put right before
anybody sees what came back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from graphlib import TopologicalSorter
from typing import Any
from zipfile import ZipFile

import psycopg2
from pydantic import BaseModel

from karvon.progress import track
from karvon.warehouse import Warehouse
from orchestration.backup.content import BackupError, Content, Summed
from orchestration.rights import missing_rights

_DEFINITIONS = "definitions.json"
_ATTEMPTS = 5
_BLOCK = 4 << 20

# Raw schemas are dlt's; another program's schema may begin with raw_ as well.
_SCHEMAS = """
SELECT nspname FROM pg_namespace n
WHERE nspname IN ('staging', 'marts', 'activation', 'reverse_etl')
   OR nspname = 'restricted' AND EXISTS (
       SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'hash_key')
   OR nspname LIKE 'raw\\_%%' AND EXISTS (
       SELECT 1 FROM pg_class c WHERE c.relnamespace = n.oid
       AND c.relname IN ('_dlt_loads', '_dlt_version', 'observations'))
ORDER BY nspname
"""
_FOREIGN_OBJECTS = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND (c.relkind NOT IN ('r', 'v', 'i', 't') OR c.relispartition)
UNION SELECT n.nspname || '.' || p.proname || '()' FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY(%(schemas)s)
UNION SELECT n.nspname || '.' || t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = ANY(%(schemas)s) AND t.typtype IN ('d', 'e', 'r')
UNION SELECT n.nspname || '.' || c.relname || ' (trigger ' || t.tgname || ')' FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND NOT t.tgisinternal
UNION SELECT n.nspname || '.' || c.relname || '.' || a.attname FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND a.attgenerated <> ''
UNION SELECT n.nspname || '.' || c.relname || ' (row security)' FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ANY(%(schemas)s) AND c.relrowsecurity
AND (SELECT coalesce(string_agg(p.polname, ','), '') FROM pg_policy p WHERE p.polrelid = c.oid) <> 'rows_of_the_user'
ORDER BY 1
"""
_TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), n.nspname || '.' || c.relname, c.oid,
    c.relfilenode, c.relpersistence = 'u',
    string_agg(
        quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attcollation <> t.typcollation
           THEN (SELECT ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)
                 FROM pg_collation co JOIN pg_namespace cn ON cn.oid = co.collnamespace
                 WHERE co.oid = a.attcollation)
           ELSE '' END
        || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
        || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END,
        ', ' ORDER BY a.attnum),
    string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = 'r'
GROUP BY n.nspname, c.relname, c.oid, c.relfilenode, c.relpersistence
ORDER BY n.nspname, c.relname
"""
# Not-null constraints (contype n, Postgres 18) are in the columns already.
_CONSTRAINTS = """
SELECT 'ALTER TABLE ' || k.conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' '
    || pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
WHERE n.nspname = ANY(%(schemas)s) AND k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conrelid <> 0
ORDER BY k.contype = 'f', 1
"""
_INDEXES = """
SELECT pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = 'r' AND i.indisvalid
    AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY 1
"""
_VIEWS = """
SELECT c.oid, 'CREATE VIEW ' || c.oid::regclass || ' AS ' || pg_get_viewdef(c.oid),
    ARRAY(SELECT DISTINCT d.refobjid::bigint FROM pg_rewrite r JOIN pg_depend d
          ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
          WHERE r.ev_class = c.oid AND d.refobjid <> c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND c.relkind = 'v'
"""
_OUTSIDE_VIEWS = """
SELECT DISTINCT vn.nspname || '.' || v.relname
FROM pg_depend d
JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
JOIN pg_class v ON v.oid = r.ev_class JOIN pg_namespace vn ON vn.oid = v.relnamespace
JOIN pg_class c ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%(schemas)s) AND vn.nspname <> ALL(%(schemas)s)
ORDER BY 1
"""


class _Table(BaseModel):
    """`name` as SQL writes it, `plain` as people do; the file of the archive with its rows."""

    name: str
    plain: str
    columns: str
    member: str


class _Definitions(BaseModel):
    """SQL statements around the rows: what must be there before them, and what is quicker made after."""

    schemas: list[str]
    before: list[str]
    tables: list[_Table]
    after: list[str]


class _Moved(Exception):
    """A table was replaced between the snapshot and its lock."""


def karvon_schemas(warehouse: Warehouse) -> dict[str, int]:
    """The schemas that are Karvon's, with the number of tables and views in each."""
    with _connected(warehouse) as cursor:
        schemas = _column(cursor, _SCHEMAS)
        cursor.execute(
            "SELECT table_schema, count(*) FROM information_schema.tables "
            "WHERE table_schema = ANY(%(schemas)s) GROUP BY 1",
            {"schemas": schemas},
        )
        counts = dict(cursor.fetchall())
        return {schema: counts.get(schema, 0) for schema in schemas}


def outside_views(warehouse: Warehouse) -> list[str]:
    """Views of others that read Karvon's tables, and so disappear with them."""
    with _connected(warehouse) as cursor:
        return _column(cursor, _OUTSIDE_VIEWS, _column(cursor, _SCHEMAS))


def remove(warehouse: Warehouse) -> None:
    """Drop Karvon's schemas, all or none."""
    with _connected(warehouse) as cursor:
        for schema in _column(cursor, _SCHEMAS):
            cursor.execute(f'DROP SCHEMA "{schema}" CASCADE')


def dump(warehouse: Warehouse, archive: ZipFile) -> Content:
    """Write definitions and rows of one snapshot."""
    for _ in range(_ATTEMPTS):
        try:
            with _connected(warehouse, "ISOLATION LEVEL REPEATABLE READ READ ONLY") as cursor:
                definitions = _definitions(cursor)
                content = _copy_out(cursor, definitions, archive)
                archive.writestr(_DEFINITIONS, definitions.model_dump_json(indent=1))
                return content
        except _Moved:
            continue
    raise BackupError("Tables are being rebuilt by a run all the time; make the backup when it is done.")


def load(warehouse: Warehouse, archive: ZipFile, content: Content) -> None:
    """Compare every row with what was saved, then replace what Karvon's schemas hold, in one transaction."""
    definitions = _Definitions.model_validate_json(archive.read(_DEFINITIONS))
    _check_rows(archive, definitions, content)
    with _connected(warehouse) as cursor:
        _clear(cursor, definitions.schemas)
        for statement in definitions.before:
            cursor.execute(statement)
        with track("restore tables", total=len(definitions.tables)) as step:
            for table in definitions.tables:
                with archive.open(table.member) as source:
                    cursor.copy_expert(f"COPY {table.name} ({table.columns}) FROM STDIN", source)
                if cursor.rowcount != content.rows.get(table.plain):
                    raise BackupError(f"The backup lacks rows of {table.plain}; the warehouse is as it was.")
                step.advance()
        for statement in definitions.after:
            cursor.execute(statement)
        for statement in missing_rights(lambda sql: _rows(cursor, sql)):
            cursor.execute(statement)
        for table in definitions.tables:
            cursor.execute(f"ANALYZE {table.name}")


def _definitions(cursor: Any) -> _Definitions:
    schemas = _column(cursor, _SCHEMAS)
    if not schemas:
        raise BackupError("This database holds nothing of Karvon yet; `karvon run` fills it.")
    foreign = _column(cursor, _FOREIGN_OBJECTS, schemas)
    if foreign:
        raise BackupError(
            f"Karvon's schemas hold what it did not make and cannot save: {', '.join(foreign[:10])}. Move it into "
            "another schema, or use pg_dump."
        )
    cursor.execute(_TABLES, {"schemas": schemas})
    described = cursor.fetchall()
    _hold_still(cursor, described)
    before, tables = [f'CREATE SCHEMA IF NOT EXISTS "{schema}"' for schema in schemas], []
    for position, (name, plain, _, _, is_unlogged, columns, names) in enumerate(described):
        before.append(f"CREATE {'UNLOGGED ' if is_unlogged else ''}TABLE {name} ({columns})")
        tables.append(_Table(name=name, plain=plain, columns=names, member=f"rows/{position:05}.copy"))
    after = _column(cursor, _CONSTRAINTS, schemas) + _column(cursor, _INDEXES, schemas)
    return _Definitions(
        schemas=schemas, before=before, tables=tables, after=after + _views_in_order(cursor, schemas)
    )


def _hold_still(cursor: Any, described: Sequence[Sequence[Any]]) -> None:
    """Lock the tables against being rebuilt, and make sure that they still are what the snapshot saw.

    A table that was replaced or truncated in between would be read as empty by this snapshot.
    """
    for name, _, oid, file, *_ in described:
        try:
            cursor.execute(f"LOCK TABLE {name} IN ACCESS SHARE MODE")
        except psycopg2.errors.UndefinedTable:
            raise _Moved from None
        cursor.execute("SELECT to_regclass(%(name)s)::oid, pg_relation_filenode(%(name)s)", {"name": name})
        if cursor.fetchone() != (oid, file):
            raise _Moved


def _copy_out(cursor: Any, definitions: _Definitions, archive: ZipFile) -> Content:
    rows: dict[str, int] = {}
    checksums: dict[str, str] = {}
    with track("back up tables", total=len(definitions.tables)) as step:
        for table in definitions.tables:
            with archive.open(table.member, "w", force_zip64=True) as target:
                summed = Summed(target)
                try:
                    cursor.copy_expert(f"COPY {table.name} ({table.columns}) TO STDOUT", summed)
                except psycopg2.Error as error:
                    raise BackupError(
                        f"The table {table.plain} cannot be read whole: {str(error).strip()}. Bring an earlier backup "
                        "back with `karvon restore FILE`."
                    ) from error
            rows[table.plain], checksums[table.member] = cursor.rowcount, summed.hexdigest()
            step.advance()
    return Content(rows, checksums)


def _check_rows(archive: ZipFile, definitions: _Definitions, content: Content) -> None:
    """Raises `BackupError` naming the table whose rows are not those that were saved."""
    with track("check the backup", total=len(definitions.tables)) as step:
        for table in definitions.tables:
            with archive.open(table.member) as source:
                summed = Summed(source)
                while summed.read(_BLOCK):
                    pass
            content.check(table.member, summed.hexdigest(), f"The table {table.plain}")
            step.advance()


def _views_in_order(cursor: Any, schemas: Sequence[str]) -> list[str]:
    """Each view after those it reads."""
    cursor.execute(_VIEWS, {"schemas": schemas})
    views = {oid: (statement, reads) for oid, statement, reads in cursor.fetchall()}
    order = TopologicalSorter(
        {oid: [one for one in reads if one in views] for oid, (_, reads) in views.items()}
    )
    return [views[oid][0] for oid in order.static_order()]


def _clear(cursor: Any, kept: Sequence[str]) -> None:
    """Empty Karvon's schemas. Those that come back stay, and with them the rights given to others."""
    present = _column(cursor, _SCHEMAS)
    for schema in set(present) - set(kept):
        cursor.execute(f'DROP SCHEMA "{schema}" CASCADE')
    cursor.execute(
        "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name), table_type = 'VIEW' "
        "FROM information_schema.tables WHERE table_schema = ANY(%(kept)s)",
        {"kept": list(kept)},
    )
    for name, is_view in sorted(cursor.fetchall(), key=lambda found: not found[1]):
        cursor.execute(f"DROP {'VIEW' if is_view else 'TABLE'} IF EXISTS {name} CASCADE")


@contextmanager
def _connected(warehouse: Warehouse, transaction: str = "READ WRITE") -> Iterator[Any]:
    """A cursor in one transaction with names written in full. Postgres' errors become `BackupError`."""
    with warehouse.session():
        pass  # Says what is wrong with the address or the server, in one place.
    connection = psycopg2.connect(warehouse.url, options="-c timezone=UTC -c datestyle=ISO")
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = ''")
            cursor.execute("SET client_encoding = 'UTF8'")
            cursor.execute(f"SET lock_timeout = {int(warehouse.lock_seconds * 1000)}")
            cursor.execute(f"BEGIN {transaction}")
            yield cursor
            cursor.execute("COMMIT")
    except psycopg2.errors.LockNotAvailable:
        raise BackupError(
            f"A run is using the tables; waited {warehouse.lock_seconds:.0f} s. Try again when it is done."
        ) from None
    except psycopg2.Error as error:
        raise BackupError(f"Postgres refused: {str(error).strip()} Nothing was changed.") from error
    finally:
        connection.close()


def _rows(cursor: Any, sql: str) -> list[dict[str, Any]]:
    cursor.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _column(cursor: Any, sql: str, schemas: Sequence[str] = ()) -> list[str]:
    cursor.execute(sql, {"schemas": list(schemas)})
    return [row[0] for row in cursor.fetchall()]
