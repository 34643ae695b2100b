"""A copy of the DuckDB warehouse for everybody who only looks, so that reading never disturbs the one who writes.

`<home>/<profile>/published/warehouse.duckdb` holds the marts, what goes to destinations and what was done there, no
document and no personal value in the clear; beside it each mart as Parquet. A copy is made after a run that changed
something: under another name, then renamed, so that a reader sees one moment and keeps it for as long as it has the
file open. Only tables that changed are written anew. Postgres needs none of this: there readers block nobody.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from karvon.settings import Settings
from karvon.warehouse import Session, Warehouse, WarehouseError

SCHEMAS = ("marts", "activation", "reverse_etl")
ALSO = ("raw_user_apis.source_runs", "staging.stg_user_apis__users", "staging.rejected_documents")
"""What the views of the marts and people's commands read besides."""
TABLE_ROWS = "main.table_rows"
"""`name`, `rows`: of the tables that are not in the copy."""
_WHAT_COUNTS = {
    "reverse_etl.parity": "SELECT 1 WHERE false",
    "reverse_etl.leases": "SELECT 1 WHERE false",
    "reverse_etl.plans": "FROM reverse_etl.plans WHERE plan_id IN (SELECT plan_id FROM reverse_etl.operations)",
    "reverse_etl.outstanding": "SELECT sync, key, why, cause, field, row_count FROM reverse_etl.outstanding",
    "raw_user_apis.source_runs": "FROM raw_user_apis.source_runs WHERE rows_landed > 0 OR outcome <> 'complete'",
}
"""Of tables that every run writes a line to, what is a change: an idle run makes none."""
_log = logging.getLogger("karvon.published")


class Copy(BaseModel):
    """What is known of the copy: which moments it stands for, and of what each of its tables was made."""

    model_config = ConfigDict(frozen=True)

    warehouse: str
    """Its path from the copy's folder, so that a home can be moved."""
    published_at: datetime
    looked_at: datetime
    """When the warehouse was last found to be as the copy shows it."""
    modified_ns: int
    fingerprints: dict[str, str]

    def moment(self, warehouse: Path) -> str:
        """Of when it is, as a sentence."""
        line = f"As of {self.published_at:%Y-%m-%d %H:%M:%S} UTC"
        if self.looked_at > self.published_at:
            line += f"; nothing had changed at {self.looked_at:%Y-%m-%d %H:%M:%S} UTC"
        if _modified(warehouse) != self.modified_ns:
            line += "; the warehouse was written to since: a run is at work, or was stopped"
        return f"{line}."


def copy_path(settings: Settings) -> Path:
    """The file to open in a notebook or a BI tool."""
    return settings.published_path / "warehouse.duckdb"


def reading(settings: Settings, warehouse: Warehouse) -> tuple[Warehouse, str]:
    """Where to look: the copy, with a sentence that says of when it is, or the warehouse itself where there is none."""
    copy = _read(settings, warehouse)
    if copy is None or not warehouse.path.exists() or not copy_path(settings).exists():
        return warehouse, ""
    return Warehouse(f"duckdb:///{copy_path(settings)}", read_only=True), copy.moment(warehouse.path)


def publish(settings: Settings, warehouse: Warehouse) -> list[str]:
    """Renew the copy if anything in it changed; gives the tables that were written.

    Raises `WarehouseError` and `OSError`; the copy is then the old one.
    """
    import duckdb

    if warehouse.dialect == "postgres" or not warehouse.path.exists():
        return []
    copy, now = _read(settings, warehouse), datetime.now(UTC)
    if copy is not None and copy.modified_ns == _modified(warehouse.path):
        return []
    settings.published_path.mkdir(parents=True, exist_ok=True)
    with warehouse.session() as session:
        found = _fingerprints(session)
        before = copy.fingerprints if copy is not None and copy_path(settings).exists() else {}
        changed = [name for name in found if found[name] != before.get(name)]
        if changed or found.keys() != before.keys():
            try:
                _renew(settings, session, found, changed, kept=before.keys() & found.keys())
            except duckdb.Error as error:
                raise WarehouseError(f"The copy for reading could not be made: {error}") from error
            copy = None
    # After the session: closing it may write the log into the file.
    made = Copy(
        warehouse=_from_copy(settings, warehouse), published_at=copy.published_at if copy else now, looked_at=now,
        modified_ns=_modified(warehouse.path), fingerprints=found,
    )  # fmt: skip
    with _appearing(settings.published_path / "copy.json") as part:
        part.write_text(made.model_dump_json(indent=1))
    return changed


def withdraw(settings: Settings) -> None:
    """Delete the copy, blocks of deleted rows included; the next `publish` makes a fresh one."""
    shutil.rmtree(settings.published_path, ignore_errors=True)


def _renew(
    settings: Settings,
    session: Session,
    names: Collection[str],
    changed: Collection[str],
    kept: Collection[str],
) -> None:
    with _appearing(copy_path(settings)) as part:
        if kept:
            shutil.copyfile(copy_path(settings), part)
        with _attached(session, part):
            _drop_the_gone(session, names)
            # A schema can hold views alone.
            for schema in dict.fromkeys((*SCHEMAS, *(name.split(".")[0] for name in names))):
                session.execute(f'CREATE SCHEMA IF NOT EXISTS shown."{schema}"')
            for name in changed:
                session.execute(f"CREATE OR REPLACE TABLE shown.{_quoted(name)} AS FROM {_quoted(name)}")
            _count_the_others(session, names)
        broken = _make_views(part, _views(session))
        if broken:
            # What reads tables that are not in the copy is there as the rows that it gave.
            with _attached(session, part):
                for name in broken:
                    session.execute(f"CREATE OR REPLACE TABLE shown.{_quoted(name)} AS FROM {_quoted(name)}")
    for name in (name for name in changed if name.startswith("marts.")):
        with _appearing(settings.published_path / f"{name}.parquet") as part:
            session.execute(f"COPY {_quoted(name)} TO '{_text(part)}' (FORMAT parquet, COMPRESSION zstd)")


def _fingerprints(session: Session) -> dict[str, str]:
    """Of the columns of each table, and of its rows whatever their order."""
    found = {}
    columns = {
        row["name"]: row["columns"]
        for row in session.rows(
            "SELECT table_schema || '.' || table_name AS name, md5(string_agg(column_name || ' ' || data_type, ',' "
            "ORDER BY ordinal_position)) AS columns FROM information_schema.columns GROUP BY 1"
        )
    }
    for row in session.rows(
        "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables "
        "WHERE table_type = 'BASE TABLE' AND table_catalog = current_database() ORDER BY 1"
    ):
        name = row["name"]
        if name.split(".")[0] in SCHEMAS or name in ALSO:
            rows = _WHAT_COUNTS.get(name, f"FROM {_quoted(name)}")
            told = session.rows(f"SELECT count(*) AS rows, sum(hash(t)) AS sum FROM ({rows}) AS t")
            found[name] = f"{told[0]['rows']}/{told[0]['sum']}/{columns[name]}"
    return found


def _drop_the_gone(session: Session, names: Collection[str]) -> None:
    for table in session.rows(
        "SELECT schema_name || '.' || table_name AS name FROM duckdb_tables() WHERE database_name = 'shown'"
    ):
        if table["name"] not in names:
            session.execute(f"DROP TABLE shown.{_quoted(table['name'])}")
    for view in session.rows(
        "SELECT schema_name || '.' || view_name AS name FROM duckdb_views() "
        "WHERE database_name = 'shown' AND NOT internal"
    ):
        session.execute(f"DROP VIEW shown.{_quoted(view['name'])}")


def _count_the_others(session: Session, names: Collection[str]) -> None:
    counted = [
        f"SELECT '{row['name']}' AS name, count(*) AS rows FROM {_quoted(row['name'])}"
        for row in session.rows(
            "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables "
            "WHERE table_catalog = current_database() AND table_type = 'BASE TABLE' "
            "AND (table_schema LIKE 'raw_%' OR table_schema = 'staging') ORDER BY 1"
        )
        if row["name"] not in names
    ]
    rows = " UNION ALL ".join(counted) or "SELECT NULL AS name, 0 AS rows WHERE false"
    session.execute(f"CREATE OR REPLACE TABLE shown.{TABLE_ROWS} AS {rows}")


def _views(session: Session) -> dict[str, str]:
    """Statement by name."""
    return {
        row["name"]: row["sql"]
        for row in session.rows(
            "SELECT schema_name || '.' || view_name AS name, sql FROM duckdb_views() "
            f"WHERE NOT internal AND database_name = current_database() AND schema_name IN {SCHEMAS}"
        )
    }


def _make_views(path: Path, views: Mapping[str, str]) -> list[str]:
    """Make each view after those it reads; gives those that read what the copy does not have."""
    waiting = dict(views)
    with Warehouse(f"duckdb:///{path}").session() as session:
        while made := [name for name, statement in waiting.items() if _is_made(session, statement)]:
            for name in made:
                del waiting[name]
    return list(waiting)


def _is_made(session: Session, statement: str) -> bool:
    import duckdb

    try:
        session.execute(statement)
    except (duckdb.CatalogException, duckdb.BinderException):
        return False
    return True


@contextmanager
def _attached(session: Session, path: Path) -> Iterator[None]:
    session.execute(f"ATTACH '{_text(path)}' AS shown")
    try:
        yield
        session.execute("CHECKPOINT shown")
    finally:
        session.execute("DETACH shown")


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A name beside the target; what is written there takes the target's place in one step."""
    with tempfile.TemporaryDirectory(prefix=".part-", dir=target.parent) as folder:
        part = Path(folder) / target.name
        yield part
        part.replace(target)


def _read(settings: Settings, warehouse: Warehouse) -> Copy | None:
    if warehouse.dialect == "postgres":
        return None
    try:
        copy = Copy.model_validate_json((settings.published_path / "copy.json").read_bytes())
    except (OSError, ValidationError):
        return None
    return copy if copy.warehouse == _from_copy(settings, warehouse) else None


def _from_copy(settings: Settings, warehouse: Warehouse) -> str:
    return os.path.relpath(warehouse.path, settings.published_path)


def _modified(path: Path) -> int:
    """Nanoseconds; 0 when it is not there. A log beside the file is a change that is not in it yet."""
    files = [one for one in (path, path.with_name(f"{path.name}.wal")) if one.exists()]
    return max((one.stat().st_mtime_ns for one in files), default=0)


def _quoted(name: str) -> str:
    return ".".join(f'"{part}"' for part in name.split("."))


def _text(path: Path) -> str:
    return str(path).replace("'", "''")
