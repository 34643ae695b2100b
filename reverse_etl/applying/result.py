"""What became of a plan that was applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from reverse_etl.state.operations import Operation

_WORDS = {"planned": "not tried", "failed": "refused", "unknown": "of unknown outcome"}


@dataclass
class ApplyResult:
    """What became of a plan's operations. `stopped` says why the rest was not tried."""

    plan_id: str
    counts: Counter[str] = field(default_factory=Counter)
    """Status → operations: done, failed, deferred, skipped, unknown, planned (not tried)."""
    requests: int = 0
    traffic: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    """(destination, connection) → requests, and how many of them were answered 429."""
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    stopped: str | None = None

    @property
    def applied(self) -> int:
        return self.counts["done"]

    @property
    def failed(self) -> int:
        return self.counts["failed"] + self.counts["unknown"]

    @property
    def deferred(self) -> int:
        return self.counts["deferred"]

    def summary(self) -> str:
        """One line: how many operations ended how."""
        parts = [f"{self.applied} applied"]
        parts += [
            f"{count} {_WORDS.get(name, name)}"
            for name, count in sorted(self.counts.items())
            if count and name != "done"
        ]
        text = f"{', '.join(parts)}; {self.requests} request{'' if self.requests == 1 else 's'}"
        return f"{text}; {self.stopped}" if self.stopped else text

    def take(self, changed: Iterable[Operation]) -> None:
        for one in changed:
            self.counts[one.status] += 1
            if one.note and one.status == "done":
                self.notes.append(f"{one.sync} {one.key}: {one.note}")
            if one.error:
                self.errors.append(f"{one.sync} {one.key}: {one.error}")
