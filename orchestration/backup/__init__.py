"""A backup: the whole warehouse in one file, and back. Each engine has its own way; the envelope is one.

The file is a zip: what the engine wrote, and `karvon-backup.json`, which says what it is. A backup shows one
moment (DuckDB: the file between two writers; Postgres: one snapshot) and brings every type, value, index and
view back as it was. Both ways read every row of every table: a rotten block is found when the backup is made, and what
is brought back is compared with the checksums of what was saved, before anything is replaced. A
backup of one engine does not restore on the other: their types differ, and a warehouse that moves engines is better
loaded anew.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal

from packaging.version import Version
from pydantic import BaseModel, ConfigDict, ValidationError

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.backup import duckdb_file, postgres_tables
from orchestration.backup.content import BackupError, Content
from reverse_etl.state import schema

__all__ = ["BackupError", "Label", "make_backup", "read_label", "restore_backup"]

FORMAT = 1
_LABEL = "karvon-backup.json"


class Label(BaseModel):
    """What a backup says about itself."""

    model_config = ConfigDict(frozen=True)

    made_by: Literal["karvon"] = "karvon"
    format: int = FORMAT
    karvon_version: str
    reverse_etl_version: int
    profile: str
    engine: Literal["duckdb", "postgres"]
    created_at: datetime
    tables: dict[str, int]
    """Rows by `schema.table`."""
    checksums: dict[str, str] = {}
    """SHA-256 by member of the archive; empty in backups that were made before they were kept."""

    @property
    def content(self) -> Content:
        return Content(self.tables, self.checksums)

    def summary(self) -> str:
        """One line for a person."""
        return (
            f"{len(self.tables)} tables with {sum(self.tables.values())} rows of the {self.profile} profile, "
            f"{self.engine}, made {self.created_at:%Y-%m-%d %H:%M} UTC by Karvon {self.karvon_version}"
        )


def make_backup(settings: Settings, warehouse: Warehouse, target: Path, *, overwrite: bool = False) -> Label:
    """Write the warehouse to `target`, which appears only when it is complete. Raises `BackupError`."""
    if target.exists() and not overwrite:
        raise BackupError(f"{target} exists; choose another name, or replace it with --force.")
    if target.is_dir():
        raise BackupError(f"{target} is a folder; name a file in it.")
    if warehouse.dialect == "duckdb":
        if target.resolve() == warehouse.path.resolve():
            raise BackupError(f"{target} is the warehouse itself; choose another name.")
        if not warehouse.path.is_file():
            raise BackupError(f"There is no warehouse at {warehouse.path} yet; `karvon run` makes one.")
    with (
        _appearing(target) as path,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        with warehouse.session() as session:
            reverse_etl_version = schema.version(session)
        content = _dump(warehouse, archive)
        label = Label(
            karvon_version=installed_version("karvon"),
            reverse_etl_version=reverse_etl_version,
            profile=settings.profile,
            engine=warehouse.dialect,
            created_at=datetime.now(UTC),
            tables=dict(content.rows),
            checksums=dict(content.checksums),
        )
        archive.writestr(_LABEL, label.model_dump_json(indent=1))
    return label


def read_label(settings: Settings, warehouse: Warehouse, file: Path) -> Label:
    """What a file holds, if it may be restored here. Raises `BackupError`."""
    try:
        with zipfile.ZipFile(file) as archive:
            label = Label.model_validate_json(archive.read(_LABEL))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValidationError):
        raise BackupError(
            f"{file} is not a complete backup of Karvon: `karvon backup` did not write it, or it was cut short."
        ) from None
    except OSError as error:
        raise BackupError(f"{file} cannot be read: {error.strerror}.") from None
    here = installed_version("karvon")
    if label.format != FORMAT or Version(label.karvon_version) > Version(here):
        raise BackupError(
            f"{file} was made by Karvon {label.karvon_version} (format {label.format}); this is Karvon {here} "
            f"(format {FORMAT}). Restore it with the version that made it."
        )
    if label.reverse_etl_version > schema.LATEST:
        raise BackupError(
            f"{file} has version {label.reverse_etl_version} of the reverse_etl tables, this Karvon knows up to "
            f"{schema.LATEST}. Restore it with the version that made it."
        )
    if label.profile != settings.profile:
        raise BackupError(
            f"{file} is of the profile {label.profile}, this is {settings.profile}. Sandbox and live never mix; "
            f"set KARVON_PROFILE={label.profile} if that is what you want to restore."
        )
    if label.engine != warehouse.dialect:
        raise BackupError(
            f"{file} was made on {label.engine}, this warehouse is {warehouse.dialect}; their types differ. Restore "
            f"it on {label.engine} (KARVON_WAREHOUSE_URL), or load this warehouse anew with `karvon run`."
        )
    return label


def restore_backup(settings: Settings, warehouse: Warehouse, file: Path) -> Label:
    """Replace the warehouse by a backup, whole or not at all. Raises `BackupError` or `WarehouseLocked`."""
    label = read_label(settings, warehouse, file)
    try:
        with zipfile.ZipFile(file) as archive:
            if label.engine == "duckdb":
                duckdb_file.load(warehouse, archive, label.content)
            else:
                postgres_tables.load(warehouse, archive, label.content)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValidationError, NotImplementedError):
        raise BackupError(f"{file} is damaged; the warehouse is as it was. Take another backup.") from None
    except OSError as error:
        raise BackupError(f"The restore failed: {error.strerror}. The warehouse is as it was.") from error
    return label


def _dump(warehouse: Warehouse, archive: zipfile.ZipFile) -> Content:
    if warehouse.dialect == "duckdb":
        return duckdb_file.dump(warehouse, archive)
    return postgres_tables.dump(warehouse, archive)


@contextmanager
def _appearing(target: Path) -> Iterator[Path]:
    """A file beside the target, readable by its owner only, that takes the target's name at the end."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        path = Path(name)
        try:
            yield path
            os.fsync(handle)
            path.replace(target)
        finally:
            os.close(handle)
            path.unlink(missing_ok=True)
    except OSError as error:
        raise BackupError(f"{target} was not written: {error.strerror}.") from error
