"""Progress bars on a terminal, one line per finished step elsewhere; and the summary of a run."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from karvon.progress import Step, listen

_QUIET_SECONDS = 1.0
"""A step that is done sooner is not worth a line in a log."""


@dataclass
class _Line:
    """A step shown as one line when it ends, and every ten seconds while it runs."""

    console: Console
    label: str
    total: int | None
    count: int = 0
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)

    def advance(self, count: int = 1) -> None:
        self.count += count
        if time.monotonic() - self.said > 10:
            self.said = time.monotonic()
            self.say("…")

    def expect(self, total: int) -> None:
        self.total = total

    def say(self, end: str = "") -> None:
        of = f" of {self.total}" if self.total else ""
        seconds = time.monotonic() - self.began
        self.console.print(f"  {self.label}: {self.count}{of} in {seconds:.1f} s{end}", highlight=False)


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console = console

    def start(self, label: str, total: int | None) -> Step:
        return _Line(self._console, label, total)

    def finish(self, step: Step) -> None:
        assert isinstance(step, _Line)  # noqa: S101 - what start gave
        if time.monotonic() - step.began > _QUIET_SECONDS:
            step.say()


class _Bar:
    def __init__(self, progress: Progress, label: str, total: int | None) -> None:
        self.progress, self.task = progress, progress.add_task(label, total=total)

    def advance(self, count: int = 1) -> None:
        self.progress.advance(self.task, count)

    def expect(self, total: int) -> None:
        self.progress.update(self.task, total=total)


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress, self._lock = progress, threading.Lock()

    def start(self, label: str, total: int | None) -> Step:
        with self._lock:
            return _Bar(self._progress, label, total)

    def finish(self, step: Step) -> None:
        assert isinstance(step, _Bar)  # noqa: S101 - what start gave
        with self._lock:
            task = next(task for task in self._progress.tasks if task.id == step.task)
            if (task.elapsed or 0) > _QUIET_SECONDS:
                self._progress.update(step.task, total=task.completed or 1, completed=task.completed or 1)
            else:
                self._progress.remove_task(step.task)


def table_console() -> Console:
    """For tables on standard output: as wide as the terminal; where there is none nothing is broken up to fit."""
    return Console(width=None if sys.stdout.isatty() else 200)


@contextmanager
def shown_progress(console: Console) -> Iterator[None]:
    """Show the steps of this process while the block runs."""
    if not sys.stderr.isatty():
        with listen(_Lines(console)):
            yield
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress, listen(_Bars(progress)):
        yield
