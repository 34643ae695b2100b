"""A pytest plugin that writes which lines of the project each test runs, and how long the test takes.

`python -m tests.mutants --measure` runs it. A line is kept as its text, not its number, so that what was measured
still holds after an edit elsewhere in the file. What processes run that a test starts is not seen.
"""

from __future__ import annotations

import json
import linecache
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from tests.mutants.measured import file_hash

ROOMS = ("karvon", "pipelines", "reverse_etl", "orchestration", "reports", "desk")

Ran = set[tuple[CodeType, int]]


class Lines:
    def __init__(self, root: Path, into: Path) -> None:
        self._roots = tuple(f"{root / room}{os.sep}" for room in ROOMS)
        self._into = into
        self._ran: Ran = set()
        self._shared: dict[str, Ran] = defaultdict(set)
        self._seconds = 0.0
        self._root = root

    def _call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        return self._line if frame.f_code.co_filename.startswith(self._roots) else None

    def _line(self, frame: FrameType, _event: str, _argument: object) -> Any:
        self._ran.add((frame.f_code, frame.f_lineno))
        return self._line

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._ran, self._seconds = set(), 0.0
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            lines = self._texts(self._ran | self._shared_by(item.nodeid))
            measured = {
                "test": item.nodeid,
                "file": file_hash(item.nodeid),
                "seconds": round(self._seconds, 2),
                "lines": lines,
            }
            with self._into.open("a") as file:
                file.write(json.dumps(measured) + "\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Iterator[object]:
        """What a fixture of a whole file runs counts for each of its tests: any of them may see what it made."""
        if fixturedef.scope == "function":
            return (yield)
        before, self._ran = self._ran, set()
        try:
            return (yield)
        finally:
            self._shared[request.node.nodeid.partition("::")[0]] |= self._ran
            self._ran = before

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds += report.duration

    def _shared_by(self, test: str) -> Ran:
        return self._shared[test.partition("::")[0]] | self._shared[""] | self._shared["."]

    def _texts(self, ran: Ran) -> dict[str, list[str]]:
        texts: dict[str, set[str]] = defaultdict(set)
        for code, number in ran:
            path = os.path.relpath(code.co_filename, self._root)
            texts[path].add(linecache.getline(code.co_filename, number).strip())
        return {path: sorted(one) for path, one in texts.items()}


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Lines(config.rootpath, Path(os.environ["KARVON_LINES"])))
