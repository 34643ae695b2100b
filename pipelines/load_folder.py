"""Where a load is put together: a folder of its own in the home of its warehouse, gone with the load.

A load that was killed leaves its folder, with documents in it. Whoever has a folder keeps a file in it locked; the next
load deletes the folders that nobody has any more, and `karvon forget` does it at once.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from karvon.warehouse import Warehouse

_LOCK = ".in-use"


@contextmanager
def load_folder(warehouse: Warehouse, name: str) -> Iterator[Path]:
    """A fresh folder for the block."""
    with ExitStack() as mine:
        with _turn(warehouse):
            _delete_left_over(warehouse)
            made = tempfile.TemporaryDirectory(prefix=f"{name}_", dir=warehouse.loads_folder)
            folder = Path(mine.enter_context(made))
            lock = mine.enter_context((folder / _LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def delete_left_over(warehouse: Warehouse) -> list[Path]:
    """Delete the folders of loads that were killed; gives those that are left, being in use or not to be deleted."""
    with _turn(warehouse):
        return _delete_left_over(warehouse)


@contextmanager
def _turn(warehouse: Warehouse) -> Iterator[None]:
    """A folder must not be found before its lock is taken."""
    warehouse.loads_folder.mkdir(parents=True, exist_ok=True)
    with (warehouse.loads_folder / ".turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        yield


def _delete_left_over(warehouse: Warehouse) -> list[Path]:
    return [folder for folder in sorted(warehouse.loads_folder.glob("*_*")) if not _is_deleted(folder)]


def _is_deleted(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        # Its owner deleted it in this moment.
        return True
    return not folder.exists()
