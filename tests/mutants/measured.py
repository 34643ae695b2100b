"""Which tests run which lines, as `--measure` wrote it, and which of them to ask about a fault."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from karvon.settings import PROJECT_ROOT
from tests.mutants.faults import Fault
from tests.mutants.rooms import Room

LINES = PROJECT_ROOT / ".mutants" / "lines.jsonl"
SECONDS = 40.0
"""So many measured seconds are asked about one fault, the quickest tests first."""


class Measured:
    """Tests whose file changed since are not believed."""

    def __init__(self, path: Path = LINES) -> None:
        written = path.read_text().splitlines() if path.exists() else []
        self._tests = {
            one["test"]: one for one in map(json.loads, written) if one["file"] == file_hash(one["test"])
        }

    def tests_of(self, fault: Fault, content: str) -> list[str]:
        """Of tests that run the statement, or of those that run anything of the file, where it runs on import."""
        wanted, path = set(_lines_of(fault, content)), str(fault.path)
        ran = [one for one in self._tests.values() if path in one["lines"]]
        chosen = [one for one in ran if wanted & set(one["lines"][path])] or ran
        return list(_within_seconds(sorted(chosen, key=lambda one: float(one["seconds"]))))

    def left_of(self, room: Room) -> Room:
        """The room with those of its test files that were not measured."""
        known = {test.partition("::")[0] for test in self._tests}
        return replace(room, tests=tuple(one for one in room.tests if one not in known))


def _within_seconds(tests: Sequence[dict[str, object]]) -> Iterator[str]:
    left = SECONDS
    for one in tests:
        if left < 0:
            return
        left -= float(str(one["seconds"]))
        yield str(one["test"])


def _lines_of(fault: Fault, content: str) -> list[str]:
    """The innermost statement's lines; of one that holds others, its head."""
    line = content.count("\n", 0, fault.start) + 1
    around = [
        one for one in ast.walk(ast.parse(content))
        if isinstance(one, ast.stmt) and one.lineno <= line <= (one.end_lineno or one.lineno)
    ]  # fmt: skip
    if not around:
        return []  # a decorator: it runs on import
    inner = max(around, key=lambda one: one.lineno)
    body = getattr(inner, "body", None)
    end = max(body[0].lineno, inner.lineno + 1) if body else (inner.end_lineno or inner.lineno) + 1
    return [text for one in content.splitlines()[inner.lineno - 1 : end - 1] if (text := one.strip())]


def file_hash(test: str) -> str:
    path = PROJECT_ROOT / test.partition("::")[0]
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else ""


def measure(tests: Sequence[str]) -> int:
    LINES.parent.mkdir(exist_ok=True)
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.mutants.lines",
        "-m", "not slow and not proof", "-k", "not postgres", *tests,
    ]  # fmt: skip
    return subprocess.run(
        command, cwd=PROJECT_ROOT, env={**os.environ, "KARVON_LINES": str(LINES)}, check=False
    ).returncode
