"""The printed table: one line per comparison, in Markdown, so that it can be read and pasted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.measuring import Measurement

HEADERS = ("what", "size", "ours", "floor", "ratio", "must reach", "verdict", "peak MB")


@dataclass(frozen=True)
class Line:
    """What was compared. `ratio` is ours ÷ floor; a line without `must` is shown for information."""

    what: str
    size: str
    ours: str
    floor: str = ""
    ratio: float | None = None
    must: str = ""
    verdict: Literal["reached", "MISSED", ""] = ""
    peak_mb: str = ""
    is_exact: bool = False
    """Counted, not timed: a machine's noise explains no difference."""

    @property
    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (self.what, self.size, self.ours, self.floor, ratio, self.must, self.verdict, self.peak_mb)


def compared(
    what: str,
    size: str,
    ours: Measurement,
    floor: Measurement,
    *,
    at_most: float | None = None,
    scale: float = 1,
) -> Line:
    """Ours against a floor; `scale` is how much more work ours did."""
    ratio = ours.median / scale / floor.median
    return Line(
        what,
        size,
        f"{ours} s",
        f"{floor} s",
        ratio,
        "" if at_most is None else f"ratio ≤ {at_most:g}",
        verdict(at_most is None or ratio <= at_most, is_asked=at_most is not None),
        f"{ours.peak_mb:.0f} ({ours.before_mb:.0f} before)",
    )


def verdict(is_reached: bool, *, is_asked: bool = True) -> Literal["reached", "MISSED", ""]:
    if not is_asked:
        return ""
    return "reached" if is_reached else "MISSED"


def printed(lines: Sequence[Line], write: Callable[[str], object] = print) -> None:
    """The table with its columns aligned."""
    rows = [HEADERS, *(line.cells for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADERS))]
    ruler = tuple("-" * width for width in widths)
    for row in (rows[0], ruler, *rows[1:]):
        write(f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |")
