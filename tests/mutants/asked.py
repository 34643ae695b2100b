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


class _First:
    """Of files in which tests are named these, in this order; then what the other files hold."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._places = {test: place for place, test in enumerate(tests)}
        self._files = {test.partition("::")[0] for test in tests}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        wanted = [
            one
            for one in items
            if one.nodeid in self._places or one.nodeid.partition("::")[0] not in self._files
        ]
        items[:] = sorted(wanted, key=lambda one: self._places.get(one.nodeid, len(self._places)))


def a_test_fails(
    root: str, folder: str, options: Sequence[str], first: Sequence[str], seconds: float
) -> bool | None:
    """None when the time was up: the fault made something endless, or the tests are slow."""
    asked = _forks.Process(target=_ask, args=(root, folder, options, first))
    asked.start()
    asked.join(seconds)
    if asked.exitcode is None:
        assert asked.pid is not None
        os.killpg(asked.pid, signal.SIGKILL)
        asked.join()
        return None
    return asked.exitcode not in (0, 5)  # 5: no test was left to run


def _ask(root: str, folder: str, options: Sequence[str], first: Sequence[str]) -> None:
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
    sys.exit(int(pytest.main([*quietly, *options], plugins=[_First(first)])))
