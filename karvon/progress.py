"""Live progress of a step, shown by whoever listens (the CLI) and silent otherwise.

Rooms say what they do with `track`; they never print.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Step(Protocol):
    """One running step: advance it as work gets done; the total may become known later."""

    def advance(self, count: int = 1) -> None: ...

    def expect(self, total: int) -> None: ...


class Listener(Protocol):
    """Shows steps, for example as bars."""

    def start(self, label: str, total: int | None) -> Step: ...

    def finish(self, step: Step) -> None: ...


class _Silent:
    def advance(self, count: int = 1) -> None: ...

    def expect(self, total: int) -> None: ...


_listener: list[Listener] = []


@contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Show all steps of this process, from any thread, to `listener` while the block runs."""
    _listener.append(listener)
    try:
        yield
    finally:
        _listener.remove(listener)


@contextmanager
def track(label: str, total: int | None = None) -> Iterator[Step]:
    """A step with a label and, if known, a total count."""
    if not _listener:
        yield _Silent()
        return
    listener = _listener[-1]
    step = listener.start(label, total)
    try:
        yield step
    finally:
        listener.finish(step)
