"""What Karvon writes is its owner's alone: folders 0700, files 0600, whatever the umask of the shell.

Every command and every process of Dagster calls `keep_private` when it begins. What an earlier version left open is
closed then. Only folders of Karvon's own making are touched: a home may be a folder that others use too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from karvon.settings import Settings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PROFILES = ("sandbox", "live")
"""The folders in a home."""
_LOOKED_AT = 2
"""Levels below a profile that are always looked at; deeper only where one of them was open: what has been made since
is closed, and Dagster keeps thousands of files."""


def keep_private(settings: Settings) -> None:
    """Make all that this process and its children write readable by its owner only, and close what is open."""
    os.umask(_OTHERS)
    home = settings.home.absolute()
    folders = [home / name for name in _PROFILES if (home / name).is_dir()]
    if folders and {entry.name for entry in _entries(home)} <= set(_PROFILES):
        _close(home)
    for folder in folders:
        _close_below(folder, _LOOKED_AT)
    if settings.warehouse_url.startswith("duckdb:"):
        file = Path(settings.warehouse_url.removeprefix("duckdb:///"))
        for path in (file, file.with_name(f"{file.name}.wal")):
            _close(path)


def share_like_folder(path: Path) -> None:
    """Give a file that is made for others the readers of the folder that they get it from; in the home, nobody."""
    readers = path.parent.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    path.chmod(stat.S_IRUSR | stat.S_IWUSR | readers)


def _close_below(folder: Path, levels: int, *, whole: bool = False) -> None:
    """The folder and the files in it and in so many levels of folders below, or in all of a folder that was open."""
    whole = _close(folder) or whole
    if not whole and levels < 0:
        return
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False):
            _close_below(Path(entry.path), levels - 1, whole=whole)
        elif entry.is_file(follow_symlinks=False):
            _close(Path(entry.path))


def _close(path: Path) -> bool:
    """Whether it was open to others. What cannot be changed, as on a disk that is only read, is left."""
    with suppress(OSError):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & _OTHERS:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
            return True
    return False


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(OSError), os.scandir(folder) as entries:
        yield from entries
