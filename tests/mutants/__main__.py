"""The share of small faults that the tests notice (`python -m tests.mutants --help`).

The sample is drawn evenly over the rooms, and within a room over its files. A mutant whose time was up is listed and
not counted. Exit status 1 when a room is below `--least`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from karvon.settings import PROJECT_ROOT
from tests.mutants.faults import Fault, faults_in
from tests.mutants.measured import Measured, measure
from tests.mutants.rooms import BUILDS, MODELS, ROOMS
from tests.mutants.scratch import Models, Scratch


@dataclass
class Score:
    noticed: int = 0
    survived: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        tried = self.noticed + len(self.survived)
        return self.noticed / tried if tried else 1.0


def files_by_room() -> dict[str, list[Path]]:
    """Python files by the room that covers them, and SQL models by their folder."""
    found: dict[str, list[Path]] = {}
    for name, room in ROOMS.items():
        paths = [
            one.relative_to(PROJECT_ROOT)
            for pattern in room.files
            for one in sorted(PROJECT_ROOT.glob(pattern))
        ]
        found[name] = [one for one in paths if one.name != "__init__.py"]
    for path in sorted((PROJECT_ROOT / MODELS).rglob("*.sql")):
        folder = path.parent.relative_to(PROJECT_ROOT / MODELS)
        found.setdefault(str(folder), []).append(path.relative_to(PROJECT_ROOT))
    return found


def drawn(files: Mapping[str, Sequence[Path]], size: int, seed: int) -> list[tuple[str, Fault]]:
    """The same faults for the same seed and project, room by room in turns."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret is drawn
    piles: dict[str, list[Fault]] = {}
    for room, paths in files.items():
        by_file = [faults_in(path, (PROJECT_ROOT / path).read_text()) for path in paths]
        pile: list[Fault] = []
        for one in by_file:
            chance.shuffle(one)
        while any(by_file):
            chance.shuffle(by_file)
            pile += [one.pop() for one in by_file if one]
        piles[room] = pile[::-1]
    chosen: list[tuple[str, Fault]] = []
    while len(chosen) < size and any(piles.values()):
        for room, pile in piles.items():
            if pile and len(chosen) < size:
                chosen.append((room, pile.pop()))
    return sorted(chosen, key=lambda one: one[0])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--room", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--file", nargs="*", default=[], metavar="PATH", help="only these files")
    parser.add_argument(
        "--builds", action="store_true", help="ask whole builds too where no unit test notices (slow)"
    )
    parser.add_argument("--engine", choices=("duckdb", "postgres"), default="duckdb")
    parser.add_argument(
        "--least", type=float, default=0.0, help="share per room below which the exit status is 1"
    )
    parser.add_argument(
        "--measure",
        nargs="+",
        metavar="TESTS",
        help="write which lines these tests run, so that only they are asked",
    )
    asked = parser.parse_args(arguments)
    if asked.measure:
        return measure(asked.measure)
    files = files_by_room()
    if unknown := set(asked.room) - set(files):
        parser.error(f"no such room: {', '.join(sorted(unknown))}; known are {', '.join(files)}")
    files = {
        room: [path for path in paths if not asked.file or str(path) in asked.file]
        for room, paths in files.items()
        if not asked.room or room in asked.room
    }
    faults = drawn(files, asked.sample, asked.seed)
    print(f"{len(faults)} faults, SEED={asked.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="karvon_mutants_") as folder:
        scores = _tried(Scratch(Path(folder)), faults, asked.engine, asked.builds)
    return _told(scores, asked.least)


def _tried(
    scratch: Scratch, faults: Sequence[tuple[str, Fault]], engine: str, builds: bool
) -> dict[str, Score]:
    scores: dict[str, Score] = defaultdict(Score)
    in_models = [fault for _, fault in faults if fault.path.suffix == ".sql"]
    of_units = dict(zip(in_models, Models(scratch).noticed(in_models), strict=True)) if in_models else {}
    lines = Measured()
    for number, (room, fault) in enumerate(faults, 1):
        content = (PROJECT_ROOT / fault.path).read_text()
        began = time.monotonic()
        noticed: bool | None
        if fault not in of_units:
            noticed, why = (
                scratch.tests_notice(fault, ROOMS[room], engine, lines.tests_of(fault, content)),
                "",
            )
        else:
            noticed, why = bool(of_units[fault]), " (no unit test)" if of_units[fault] is None else ""
            if builds and not noticed and room in BUILDS:
                noticed, why = scratch.tests_notice(fault, BUILDS[room], engine), ""
        score, told = scores[room], fault.told(content) + why
        if noticed:
            score.noticed += 1
        elif noticed is None:
            score.slow.append(told)
        else:
            score.survived.append(told)
        word = "noticed" if noticed else "time was up" if noticed is None else "SURVIVED"
        print(f"{number:4} {time.monotonic() - began:5.0f} s {word:11} {told}", flush=True)
    return scores


def _told(scores: Mapping[str, Score], least: float) -> int:
    print("\nroom                      noticed  of    share")
    for room, one in scores.items():
        print(f"{room:25} {one.noticed:7} {one.noticed + len(one.survived):3} {one.share:8.0%}")
    for title, lists in (("Survived", "survived"), ("Time was up, not counted", "slow")):
        lines = [f"  {told}" for one in scores.values() for told in getattr(one, lists)]
        if lines:
            print(f"\n{title}:", *lines, sep="\n")
    return int(any(one.share < least for one in scores.values()))


if __name__ == "__main__":
    sys.exit(main())
