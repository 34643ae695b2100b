"""One warehouse, two engines: DuckDB (embedded file) and Postgres. Nothing else knows which it is.

SQL is given with `$1, $2, …` placeholders. Reads come as rows or Arrow, bulk writes go as Arrow. The DuckDB
file has one writer process at a time, so a session holds it open only inside its block.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa

from karvon.settings import Settings
from karvon.turns import FILE, turn
from karvon.warehouse_errors import (
    WarehouseDamaged,
    WarehouseError,
    WarehouseLocked,
    of_duckdb,
    of_postgres,
    of_the_disk,
)

Dialect = Literal["duckdb", "postgres"]
_log = logging.getLogger("karvon.warehouse")
_NOT_IN_LOADS = set("'*?[")
"""dlt puts paths into SQL as they are, where DuckDB takes these for the end of it or for many files."""
_TELL_EVERY_SECONDS = 15
_WORK_MEMORY = "64MB"
"""With Postgres's 4 MB the joins of a big catalogue go through temporary files. Few sessions are open at once."""


__all__ = ["Dialect", "Session", "Warehouse", "WarehouseDamaged", "WarehouseError", "WarehouseLocked"]

OLDEST_POSTGRES = 16
"""`pg_input_is_valid`, by which casts fail for one value and not for all, came with it."""


class Session(Protocol):
    """An open connection in autocommit; `transaction` groups statements."""

    def execute(self, sql: str, params: Sequence[Any] = ()) -> None: ...

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]: ...

    def value(self, sql: str, params: Sequence[Any] = ()) -> Any: ...

    def arrow(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        """Bulk read. Inside a transaction on Postgres it sees committed data only."""

    def batches(self, sql: str, rows: int = 50_000) -> AbstractContextManager[pa.RecordBatchReader]:
        """Bulk read in parts of about so many rows, so that memory stays flat. No parameters; committed data
        only; nothing else is asked of the session inside the block.
        """

    def distinct(self, table: str, column: str) -> list[Any]:
        """The different values of a column that has few, on Postgres an indexed one, without reading all rows."""

    def selective(self, table: str, condition: str) -> str:
        """The condition, for a query of wide columns in which it holds for few rows of a table (no view)."""

    def append(self, table: str, data: pa.Table) -> None:
        """Bulk append into the existing `schema.table`, columns matched by name."""

    def has_table(self, table: str) -> bool: ...

    @contextmanager
    def transaction(self) -> Iterator[None]: ...


class Warehouse:
    """The warehouse behind a URL: `duckdb:///path/file.duckdb` or `postgresql://user:password@host/database`."""

    def __init__(
        self,
        url: str,
        *,
        lock_seconds: float = 30,
        turn_seconds: float = 3600,
        read_only: bool = False,
        loads: Path | None = None,
    ) -> None:
        if not url.startswith(("duckdb:///", "postgresql://", "postgres://")):
            raise WarehouseError(
                f"KARVON_WAREHOUSE_URL starts with {url.split(':', 1)[0]!r}; write duckdb:///path/file.duckdb "
                "or postgresql://user:password@host:5432/database."
            )
        self.url = url
        self.dialect: Dialect = "duckdb" if url.startswith("duckdb:") else "postgres"
        self.lock_seconds = lock_seconds
        self.turn_seconds = turn_seconds
        """How long to wait for others who are at work (karvon/turns.py)."""
        self.read_only = read_only
        """Of a DuckDB file: any number of processes may look into it at once, and none can write."""
        self._loads = loads

    @property
    def path(self) -> Path:
        """The DuckDB file."""
        return Path(self.url.removeprefix("duckdb:///"))

    @classmethod
    def of(
        cls, settings: Settings, *, lock_seconds: float | None = None, turn_seconds: float | None = None
    ) -> Warehouse:
        """That of the settings."""
        return cls(
            settings.warehouse_url,
            lock_seconds=settings.warehouse_lock_seconds if lock_seconds is None else lock_seconds,
            turn_seconds=settings.turn_seconds if turn_seconds is None else turn_seconds,
            loads=settings.loads_path,
        )

    @property
    def loads_folder(self) -> Path:
        """Where loads into this warehouse are put together, before they are in it."""
        beside = self.path.with_name("loads") if self.dialect == "duckdb" else None
        wanted = self._loads or beside
        if wanted is not None and not set(str(wanted)) & _NOT_IN_LOADS:
            return wanted
        name = hashlib.md5(f"{self.url} {os.getuid()}".encode(), usedforsecurity=False).hexdigest()
        return Path(tempfile.gettempdir()) / f"karvon-loads-{name}"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a connection for the block. Raises `WarehouseLocked` or `WarehouseError`."""
        if self.dialect == "postgres":
            with closing(_PostgresSession(self.url)) as opened:
                yield opened
            return
        with ExitStack() as stack:
            if not self.read_only:
                stack.enter_context(turn(self, FILE, "", shared=True))
            yield stack.enter_context(closing(self._open_duckdb()))

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """One process at a time in the block, for what Postgres cannot do side by side, such as making tables.

        DuckDB has one writer process anyway.
        """
        if self.dialect == "duckdb":
            yield
            return
        with self.session() as session:
            session.execute("SELECT pg_advisory_lock(hashtext($1))", (what,))
            yield

    @contextmanager
    def claim(self, what: str) -> Iterator[bool]:
        """Whether this session alone may do `what` while the block runs; the others are told no at once.

        A process that dies gives its claims back.
        """
        if self.dialect == "postgres":
            with self.session() as session:
                yield bool(session.value("SELECT pg_try_advisory_lock(hashtext($1))", (what,)))
            return
        name = hashlib.md5(what.encode(), usedforsecurity=False).hexdigest()
        folder = self.path.with_name(f"{self.path.name}.claims")
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / name).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    @contextmanager
    def appending(self) -> Iterator[None]:
        """While small loads are appended one after the other.

        DuckDB would merge their rows into pieces of 122,880 when it closes a file that doubled, all in memory: of
        documents more than a gigabyte. That is left to whoever else writes to the file.
        """
        if self.dialect == "postgres":
            yield
            return
        with self.session() as session:
            session.execute("SET max_vacuum_tasks = 0")
            yield

    def _open_duckdb(self) -> _DuckDBSession:
        import duckdb

        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WarehouseError(of_the_disk(error)) from None
        began = told = time.monotonic()
        while True:
            try:
                return _DuckDBSession(duckdb.connect(str(self.path), read_only=self.read_only), self.path)
            except duckdb.Error as error:
                holder = re.search(r"held in (.+?)(?: \(PID (\d+)\))", str(error))
                if holder is None:
                    raise of_duckdb(error, self.path, "cannot be opened") or WarehouseError(
                        f"The warehouse file {self.path} cannot be opened: {error}"
                    ) from error
                who = f"{self.path} is in use by process {holder[2]} ({holder[1]})"
                now = time.monotonic()
                if now - began > self.lock_seconds:
                    raise WarehouseLocked(
                        f"{who}; waited {self.lock_seconds:.0f} s. Wait for it or stop it: to look, open the published "
                        "copy (docs/observability.md); with Postgres several can work at once (KARVON_WAREHOUSE_URL)."
                    ) from None
                if now - told > _TELL_EVERY_SECONDS:
                    told = now
                    _log.warning("%s; waiting for it, %.0f s so far.", who, now - began)
                time.sleep(0.2)


class _DuckDBSession:
    def __init__(self, connection: Any, path: Path) -> None:
        self._connection = connection
        self._path = path
        connection.execute("SET TimeZone = 'UTC'")

    @contextmanager
    def _speaking(self) -> Iterator[Any]:
        """The connection, whose errors about the file become sentences; those about a statement stay DuckDB's."""
        import duckdb

        try:
            yield self._connection
        except duckdb.Error as error:
            raise of_duckdb(error, self._path) or error from None

    def execute(self, sql: str, params: Sequence[Any] = ()) -> None:
        with self._speaking() as connection:
            connection.execute(sql, list(params) or None)

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._speaking() as connection:
            cursor = connection.execute(sql, list(params) or None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def value(self, sql: str, params: Sequence[Any] = ()) -> Any:
        # To the end: DuckDB keeps a connection busy with a result that was not read up.
        with self._speaking() as connection:
            rows = connection.execute(sql, list(params) or None).fetchall()
        return rows[0][0] if rows else None

    def arrow(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        with self._speaking() as connection:
            return connection.sql(sql, params=list(params) or None).to_arrow_table()

    @contextmanager
    def batches(self, sql: str, rows: int = 50_000) -> Iterator[pa.RecordBatchReader]:
        with self._speaking() as connection:
            yield connection.sql(sql).to_arrow_reader(rows)

    def distinct(self, table: str, column: str) -> list[Any]:
        return [row[column] for row in self.rows(f"SELECT DISTINCT {column} FROM {table}")]

    def selective(self, table: str, condition: str) -> str:
        # DuckDB skips the other rows' wide columns only when it knows the numbers of those it wants.
        return f"rowid IN (SELECT rowid FROM {table} WHERE {condition})"

    def append(self, table: str, data: pa.Table) -> None:
        with self._speaking() as connection:
            connection.register("_appended", data)
            try:
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM _appended")
            finally:
                connection.unregister("_appended")

    def has_table(self, table: str) -> bool:
        return _has_table(self, table)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._connection.begin()
        try:
            yield
        except BaseException:
            with self._speaking() as connection:
                connection.rollback()
            raise
        with self._speaking() as connection:
            connection.commit()

    def close(self) -> None:
        with self._speaking() as connection:
            connection.close()


class _PostgresSession:
    """psycopg2 for statements, ADBC for bulk reads, COPY for bulk writes (inside the transaction)."""

    def __init__(self, url: str) -> None:
        import psycopg2
        import psycopg2.extras

        try:
            self._connection = psycopg2.connect(url, options=f"-c timezone=UTC -c work_mem={_WORK_MEMORY}")
        except (psycopg2.Error, UnicodeError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise WarehouseError(
                f"Postgres cannot be reached: {reason}. Check KARVON_WAREHOUSE_URL and that the server runs."
            ) from None
        version = self._connection.server_version // 10_000
        if version < OLDEST_POSTGRES:
            self._connection.close()
            raise WarehouseError(
                f"The server is PostgreSQL {version}; Karvon needs {OLDEST_POSTGRES} or later. Upgrade it, or name "
                "another one in KARVON_WAREHOUSE_URL."
            )
        self._connection.autocommit = True
        # JSON stays text on both engines; parsing is the reader's choice.
        psycopg2.extras.register_default_json(self._connection, loads=lambda text: text)
        self._url = url
        self._bulk: Any = None

    @contextmanager
    def _speaking(self) -> Iterator[Any]:
        """A cursor; what the server says of itself becomes a sentence, what it says of a statement stays psycopg2's."""
        import psycopg2

        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except (
            psycopg2.OperationalError,
            psycopg2.errors.DataCorrupted,
            psycopg2.errors.IndexCorrupted,
        ) as error:
            raise of_postgres(error) from error

    def execute(self, sql: str, params: Sequence[Any] = ()) -> None:
        with self._speaking() as cursor:
            cursor.execute(*_named(sql, params))

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._speaking() as cursor:
            cursor.execute(*_named(sql, params))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] if names else []

    def value(self, sql: str, params: Sequence[Any] = ()) -> Any:
        with self._speaking() as cursor:
            cursor.execute(*_named(sql, params))
            row = cursor.fetchone()
            return row[0] if row else None

    def arrow(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        with self._connection.cursor() as formatter:
            statement = formatter.mogrify(*_named(sql, params)).decode()
        with self._bulk_cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetch_arrow_table()

    @contextmanager
    def batches(self, sql: str, rows: int = 50_000) -> Iterator[pa.RecordBatchReader]:
        with self._bulk_cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": str(rows * 200)})
            cursor.execute(sql)
            yield cursor.fetch_record_batch()

    def _bulk_cursor(self) -> Any:
        if self._bulk is None:
            import adbc_driver_postgresql.dbapi

            self._bulk = adbc_driver_postgresql.dbapi.connect(self._url, autocommit=True)
            with self._bulk.cursor() as cursor:
                cursor.execute(f"SET work_mem = '{_WORK_MEMORY}'")
        return self._bulk.cursor()

    def distinct(self, table: str, column: str) -> list[Any]:
        # A loose index scan: one index probe per value.
        found = self.rows(
            f"WITH RECURSIVE v AS (SELECT min({column}) AS {column} FROM {table} UNION ALL "
            f"SELECT (SELECT min({column}) FROM {table} WHERE {column} > v.{column}) FROM v "
            f"WHERE v.{column} IS NOT NULL) SELECT {column} FROM v WHERE {column} IS NOT NULL"
        )
        return [row[column] for row in found]

    def selective(self, table: str, condition: str) -> str:
        return condition

    def append(self, table: str, data: pa.Table) -> None:
        import pyarrow.csv

        buffer = io.BytesIO()
        pyarrow.csv.write_csv(data, buffer, pyarrow.csv.WriteOptions(include_header=False))
        buffer.seek(0)
        columns = ", ".join(f'"{name}"' for name in data.column_names)
        with self._speaking() as cursor:
            cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN (FORMAT csv)", buffer)

    def has_table(self, table: str) -> bool:
        return _has_table(self, table)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def close(self) -> None:
        if self._bulk is not None:
            self._bulk.close()
        self._connection.close()


def _named(sql: str, params: Sequence[Any]) -> tuple[str, dict[str, Any] | None]:
    if not params:
        return sql, None
    named = re.sub(r"\$(\d+)", r"%(p\1)s", sql.replace("%", "%%"))
    return named, {f"p{position}": value for position, value in enumerate(params, 1)}


def _has_table(session: Session, table: str) -> bool:
    schema, name = table.split(".")
    found = "SELECT count(*) FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2"
    return bool(session.value(found, (schema, name)))
