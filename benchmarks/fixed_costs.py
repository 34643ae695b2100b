"""What a command pays whatever the data: the command line's help, and loading the Dagster definitions."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.measuring import Clock, Facts, Measurement, Program, Scale, measure
from benchmarks.table import Line, compared, verdict
from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.dbt import read_manifest

KARVON = str(Path(sys.executable).with_name("karvon"))
CLICK = (sys.executable, "-c", "import click")
DEFINITIONS = (
    sys.executable,
    "-c",
    "from orchestration.definitions import defs; defs().get_repository_def()",
)
LIBRARIES = (sys.executable, "-c", "import dagster, dagster_dbt; dagster.Definitions().get_repository_def()")


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """Help, then definitions, each as a whole process."""
    given = {"KARVON_HOME": str(folder), "KARVON_PROFILE": "sandbox", "KARVON_WAREHOUSE_URL": ""}
    settings = Settings(KARVON_HOME=folder, KARVON_PROFILE="sandbox")
    read_manifest(settings, Warehouse.of(settings))
    commands = {
        "help": (KARVON, "--help"),
        "click": CLICK,
        "definitions": DEFINITIONS,
        "libraries": LIBRARIES,
    }
    ran = measure(
        {name: program(command, given) for name, command in commands.items()},
        {"full": 5, "quick": 3, "small": 1}[scale],
    )
    yield _within("`karvon --help`", ran["help"], ran["click"], "import click", 0.4)
    yield _within(
        "Dagster definitions load", ran["definitions"], ran["libraries"], "import dagster, dagster_dbt", 4
    )


def program(command: Sequence[str], environment: Mapping[str, str]) -> Program:
    """A command as something to measure, with these variables."""
    return Program(
        "benchmarks.fixed_costs:run", lambda: {"command": [*command], "environment": {**environment}}
    )


def run(clock: Clock, *, command: Sequence[str], environment: Mapping[str, str]) -> Facts:
    """A whole process, from start to end; gives what it wrote."""
    with clock:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            stderr=subprocess.STDOUT,
            stdout=subprocess.PIPE,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return {"output": done.stdout}


def _within(what: str, ours: Measurement, least: Measurement, floor: str, seconds: float) -> Line:
    line = compared(what, "", ours, least)
    reached = verdict(ours.median <= seconds)
    return replace(line, floor=f"{least} s: {floor}", must=f"≤ {seconds:g} s", verdict=reached, peak_mb="")
