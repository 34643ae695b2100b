"""DuckDB's way: the database file itself, checkpointed, is the exact copy."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO
from zipfile import ZipFile

import duckdb

from karvon.progress import track
from karvon.warehouse import Session, Warehouse, WarehouseError, WarehouseLocked
from orchestration.backup.content import BackupError, Content

_MEMBER = "warehouse.duckdb"
_BLOCK = 4 << 20


def dump(warehouse: Warehouse, archive: ZipFile) -> Content:
    """Copy the file while this process holds it, so that nobody writes meanwhile, after reading every row of it."""
    # Opened before and closed after the session: closing any handle of a file drops the process' locks on it.
    with warehouse.path.open("rb") as source, warehouse.session() as session:
        rows = _read_every_row(session, warehouse.path)
        _checkpoint(session)
        with archive.open(_MEMBER, "w", force_zip64=True) as target:
            checksum = _copy(source, target, "copy the warehouse", warehouse.path.stat().st_size)
    return Content(rows, {_MEMBER: checksum})


def load(warehouse: Warehouse, archive: ZipFile, content: Content) -> None:
    """Unpack beside the warehouse, compare it with what was saved, read every row, then take its place in one step."""
    warehouse.path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=warehouse.path.parent) as folder:
        unpacked = Path(folder) / _MEMBER
        with archive.open(_MEMBER) as source, unpacked.open("wb") as target:
            checksum = _copy(source, target, "unpack the backup", archive.getinfo(_MEMBER).file_size)
            os.fsync(target.fileno())
        content.check(_MEMBER, checksum)
        try:
            with Warehouse(f"duckdb:///{unpacked}").session() as session:
                found = _read_every_row(session, unpacked)
        except WarehouseError as error:
            raise BackupError(
                f"DuckDB cannot read this backup; the warehouse is as it was. {error}"
            ) from error
        if found != content.rows:
            raise BackupError("The backup does not hold the rows it promises; the warehouse is as it was.")
        _take_the_place(warehouse, unpacked)


def rewrite(warehouse: Warehouse) -> None:
    """Write the file anew from its rows: what was deleted is in no block of it any more."""
    with tempfile.TemporaryDirectory(prefix=".rewrite-", dir=warehouse.path.parent) as folder:
        fresh = Path(folder) / _MEMBER
        with warehouse.session() as session:
            name = session.value("SELECT current_database()")
            session.execute("ATTACH '{}' AS fresh".format(str(fresh).replace("'", "''")))
            session.execute(f'COPY FROM DATABASE "{name}" TO fresh')
            session.execute("DETACH fresh")
        _take_the_place(warehouse, fresh)


def remove(warehouse: Warehouse) -> None:
    """Delete the file and its log. Raises `WarehouseLocked` when another process is at work on it."""
    if warehouse.path.exists():
        _holding(warehouse, warehouse.path.unlink)
    _log_of(warehouse.path).unlink(missing_ok=True)


def _take_the_place(warehouse: Warehouse, unpacked: Path) -> None:
    def replace() -> None:
        # A log of the old file must never be replayed on the new one.
        _log_of(warehouse.path).unlink(missing_ok=True)
        unpacked.replace(warehouse.path)

    if warehouse.path.exists():
        _holding(warehouse, replace)
    else:
        replace()


def _holding(warehouse: Warehouse, act: Callable[[], None]) -> None:
    """Act while no other process can have the file open. A damaged file cannot be held, nor need it be."""
    try:
        with warehouse.session() as session:
            _checkpoint(session)
            act()
    except WarehouseLocked:
        raise
    except WarehouseError:
        act()


def _checkpoint(session: Session) -> None:
    """Bring everything from the log into the file."""
    try:
        session.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise BackupError(f"DuckDB cannot write its file: {error}") from error


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _read_every_row(session: Session, path: Path) -> dict[str, int]:
    """Rows per table, every value of them read: DuckDB compares a block with its checksum when it is read, and a plain
    count reads none. Raises `BackupError` naming the table that cannot be read whole.
    """
    tables = session.rows(
        "SELECT table_schema AS schema, table_name AS name FROM information_schema.tables "
        "WHERE table_type = 'BASE TABLE' AND table_catalog = current_database() ORDER BY 1, 2"
    )
    rows = {}
    with track("read every table", total=len(tables)) as step:
        for table in tables:
            plain = f"{table['schema']}.{table['name']}"
            name = f'"{table["schema"]}"."{table["name"]}"'
            try:
                read = session.rows(
                    f"SELECT count(*) AS rows, bit_xor(hash(t)) AS every_value FROM {name} AS t"
                )
                rows[plain] = int(read[0]["rows"])
            except (WarehouseError, duckdb.Error) as error:
                raise BackupError(f"The table {plain} of {path} cannot be read whole: {error}") from error
            step.advance()
    return rows


def _copy(source: IO[bytes], target: IO[bytes], label: str, size: int) -> str:
    """Copy all of it; gives its SHA-256."""
    checksum = hashlib.sha256()
    with track(f"{label}, MB", total=size >> 20) as step:
        for block in iter(lambda: source.read(_BLOCK), b""):
            target.write(block)
            checksum.update(block)
            step.advance(len(block) >> 20)
    return checksum.hexdigest()
