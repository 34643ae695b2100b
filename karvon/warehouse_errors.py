"""What the engines say when the warehouse cannot be used, as sentences with a way out."""

from __future__ import annotations

import errno
import os
from pathlib import Path


class WarehouseError(Exception):
    """The warehouse cannot be used; the message says why and what to do."""


class WarehouseLocked(WarehouseError):
    """Another process holds the DuckDB file."""


class WarehouseDamaged(WarehouseError):
    """The DuckDB file cannot be read, whole or in part."""


_FULL = ("No space left on device", "File too large", "Disk quota exceeded")
_DAMAGED = (
    "Corrupt database file", "checksum", "not a valid DuckDB database", "Could not read", "while replaying WAL",
    "previous fatal error",
)  # fmt: skip
_CLOSED = ("Permission denied", "Read-only file system", "read-only mode")


def of_duckdb(error: Exception, path: Path, what: str = "cannot be read whole") -> WarehouseError | None:
    """What an error of DuckDB says about its file; None when it is about the statement."""
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if any(words in said for words in _FULL):
        return WarehouseError(
            f"The disk is full: {path} cannot be written. Nothing is half written; free space, then run "
            f"again. ({said})"
        )
    if any(words in said for words in _CLOSED):
        return WarehouseError(
            f"{path} cannot be written: {said}. Give this user the right to, or set KARVON_HOME."
        )
    if any(words in said for words in _DAMAGED):
        return WarehouseDamaged(
            f"The warehouse file {path} is damaged and {what}: {said}. Bring a backup back with "
            "`karvon restore FILE`, or begin "
            "anew with `karvon reset`."
        )
    return None


def of_postgres(error: Exception) -> WarehouseError:
    """What a server says when it cannot go on: full, going down, out of reach, damaged."""
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    state = getattr(error, "pgcode", None) or ""
    if state == "53100":
        return WarehouseError(
            f"The disk of the Postgres server is full: {said}. Free space there, then run again."
        )
    if state.startswith("XX"):
        return WarehouseDamaged(
            f"The Postgres database is damaged: {said}. Bring a backup back with `karvon restore FILE`."
        )
    return WarehouseError(
        f"Postgres gave up: {said}. Look at the server, then run again: nothing is half written."
    )


def of_the_disk(error: OSError) -> str:
    """One sentence for an error of the operating system, with the file and the way out."""
    where = f"{error.filename} " if error.filename else ""
    way_out = {
        errno.ENOSPC: "Free space, then run again: what was done stays, the rest is done then.",
        errno.EDQUOT: "Free space, then run again: what was done stays, the rest is done then.",
        errno.EFBIG: "The file may not grow so large here (`ulimit -f`).",
        errno.EROFS: "Set KARVON_HOME to a folder that can be written to.",
        errno.EACCES: "Give this user the right to, or set KARVON_HOME to a folder of its own.",
        errno.EPERM: "Give this user the right to, or set KARVON_HOME to a folder of its own.",
    }.get(error.errno or 0, "Look at the path.")
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{where}cannot be used: {reason}. {way_out}" if where else f"{reason}. {way_out}"
