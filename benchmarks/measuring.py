"""One measurement is one function in a process of its own, repeated; the clock runs only in `with clock:`.

A measured function takes a `Clock` and JSON arguments, prepares (imports, data), does the work under the clock,
checks it, and returns facts. `python -m benchmarks.measuring MODULE:FUNCTION ARGUMENTS` runs one and prints it.
"""

from __future__ import annotations

import gc
import importlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

Facts = Mapping[str, Any]
Scale = Literal["full", "quick", "small"]
"""What the published figures come from; enough to see a regression; enough to see that everything runs."""
ROOT = Path(__file__).resolve().parent.parent
_PEAK_UNIT = 1024 * 1024 if sys.platform == "darwin" else 1024


class Clock:
    """Seconds and memory of the block. What was made before it is no longer looked at by the garbage collector."""

    seconds = 0.0
    before_mb = 0.0
    peak_mb = 0.0
    """High-water mark of the process, preparation included."""

    def __enter__(self) -> Clock:
        gc.collect()
        gc.freeze()
        self.before_mb = _peak_mb()
        self._began = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.perf_counter() - self._began
        self.peak_mb = _peak_mb()
        gc.unfreeze()


@dataclass(frozen=True)
class Program:
    """A measured function and how the arguments of each repetition are made, outside the clock."""

    function: str
    """`module:function`"""
    arguments: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Measurement:
    """All repetitions of a program, with what each returned."""

    seconds: tuple[float, ...]
    before_mb: float
    peak_mb: float
    returned: tuple[Facts, ...]

    @property
    def median(self) -> float:
        return sorted(self.seconds)[len(self.seconds) // 2]

    @property
    def facts(self) -> Facts:
        """What the median repetition returned."""
        return self.returned[self.seconds.index(self.median)]

    def __str__(self) -> str:
        if len(self.seconds) == 1:
            return f"{self.median:.2f}"
        return f"{self.median:.2f} ({min(self.seconds):.2f}–{max(self.seconds):.2f})"


def measure(programs: Mapping[str, Program], repeat: int) -> dict[str, Measurement]:
    """Run the programs in turns, so that what else the machine does falls on all of them."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in programs}
    for _ in range(repeat):
        for name, program in programs.items():
            runs[name].append(_run(program))
    return {
        name: Measurement(
            tuple(one["seconds"] for one in ran),
            max(one["before_mb"] for one in ran),
            max(one["peak_mb"] for one in ran),
            tuple(one["facts"] for one in ran),
        )
        for name, ran in runs.items()
    }


def _run(program: Program) -> dict[str, Any]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.measuring",
        program.function,
        json.dumps(program.arguments()),
    ]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _PEAK_UNIT


def _main(where: str, arguments: str) -> None:
    module, _, name = where.partition(":")
    clock = Clock()
    facts = getattr(importlib.import_module(module), name)(clock, **json.loads(arguments)) or {}
    measured = {"seconds": clock.seconds, "before_mb": clock.before_mb, "peak_mb": clock.peak_mb}
    print(json.dumps({**measured, "facts": facts}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
