"""Tests run on a scratch copy, in a process that has the libraries already: importing them costs more than most tests.

Imports nothing of the project: the process that begins here must find the copy's modules, not ours.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_LIBRARIES = ["pytest", "pytest_timeout", "duckdb", "psycopg2", "pyarrow.parquet", "httpx", "dlt", "sqlglot"]
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(_LIBRARIES)


class _Only:
    """These tests, in this order; all of the files when none is named."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._places = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._places:
            items[:] = sorted(
                (one for one in items if one.nodeid in self._places), key=lambda one: self._places[one.nodeid]
            )


def a_test_fails(
    root: str, folder: str, options: Sequence[str], only: Sequence[str], seconds: float
) -> bool | None:
    """None when the time was up: the fault made something endless, or the tests are slow."""
    asked = _forks.Process(target=_ask, args=(root, folder, options, only))
    asked.start()
    asked.join(seconds)
    if asked.exitcode is None:
        assert asked.pid is not None
        os.killpg(asked.pid, signal.SIGKILL)
        asked.join()
        return None
    return asked.exitcode not in (0, 5)  # 5: no test was left to run


def _ask(root: str, folder: str, options: Sequence[str], only: Sequence[str]) -> None:
    import pytest

    os.setsid()
    os.chdir(folder)
    with Path(os.devnull).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    os.environ |= {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    sys.path[:] = [folder, *(one for one in sys.path if one not in ("", root))]
    for name in [one for one in sys.modules if one.partition(".")[0] == "tests"]:
        del sys.modules[name]
    quietly = ["-x", "-q", "-p", "no:cacheprovider", "--no-header"]
    sys.exit(int(pytest.main([*quietly, *options], plugins=[_Only(only)])))
