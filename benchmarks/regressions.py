"""Ratios of `--quick` held against the committed ones: what got slower than a machine's noise explains."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.table import Line

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 1.5
"""Ratios of two machines, one twice as fast, differed by up to 1.4; two calls on one by up to 1.26."""


def record(lines: Sequence[Line]) -> None:
    """Make these ratios the ones to hold."""
    ratios = {line.what: round(line.ratio, 2) for line in lines if line.ratio is not None}
    BASELINE.write_text(json.dumps(ratios, indent=2) + "\n")


def worse(lines: Sequence[Line]) -> Iterator[str]:
    """What is worse than the baseline, in words."""
    baseline = _baseline()
    for line in lines:
        if line.ratio is None or line.what not in baseline:
            continue
        was = baseline[line.what]
        most = was * (1 if line.is_exact else TOLERANCE)
        if line.ratio > most:
            yield f"{line.what}: ratio {line.ratio:.2f}, was {was:.2f}, at most {most:.2f}"


def unmatched(lines: Sequence[Line]) -> Iterator[str]:
    """Ratios that are only measured or only recorded, in words."""
    for what in sorted(_baseline().keys() ^ {line.what for line in lines if line.ratio is not None}):
        yield f"{what}: measured or recorded, not both; `python -m benchmarks --quick --record` writes the baseline"


def _baseline() -> dict[str, float]:
    return dict(json.loads(BASELINE.read_text()))
