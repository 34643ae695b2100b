"""The walls between rooms stand: a planted import makes the lint fail and say why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

from karvon.settings import PROJECT_ROOT

ROOMS = ("karvon", "pipelines", "reverse_etl", "reports", "orchestration", "sandbox")


@pytest.fixture(scope="module")
def copied_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    for room in ROOMS:
        shutil.copytree(PROJECT_ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT_ROOT / "pyproject.toml", folder)
    return folder


def lint(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_project_keeps_its_walls(copied_project: Path) -> None:
    done = lint(copied_project)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("room", "planted", "reason"),
    [
        ("karvon", "import dlt", "karvon/ is the foundation"),
        ("karvon", "import pipelines.landing", "karvon/ is the foundation"),
        ("pipelines", "import dagster", "pipelines/ loads documents"),
        ("pipelines", "from reverse_etl import plan", "pipelines/ loads documents"),
        ("reverse_etl", "import dlt", "reverse_etl/ plans and applies"),
        ("reverse_etl", "import orchestration.dbt", "reverse_etl/ plans and applies"),
        ("reports", "import orchestration.dbt", "reports/ draws pages"),
        ("reports", "from reverse_etl.applying.apply import apply_plan", "reports/ draws pages"),
        ("reverse_etl/state", "from reverse_etl.planning import plan", "rooms in the order of a sync's life"),
        (
            "reverse_etl/review",
            "from reverse_etl.destinations import webflow",
            "rooms in the order of a sync's life",
        ),
        ("sandbox", "from karvon.http import HttpClient", "sandbox/ stands in"),
        ("sandbox", "from reverse_etl.destinations import webflow", "sandbox/ stands in"),
    ],
)
def test_a_planted_import_is_refused_with_its_reason(
    copied_project: Path, room: str, planted: str, reason: str
) -> None:
    intruder = copied_project / room / "intruder.py"
    intruder.write_text(planted + "\n")
    try:
        done = lint(copied_project)
    finally:
        intruder.unlink()
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert re.search(re.escape(reason) + r"((?! KEPT).)* BROKEN", said), done.stdout


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside of functions and for types alone count too."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    left = {one: set(graph.find_modules_directly_imported_by(one)) for one in graph.modules}
    while leaves := {one for one, imported in left.items() if not imported}:
        left = {one: imported - leaves for one, imported in left.items() if one not in leaves}
    # What is left is in a circle, or leads to one.
    assert sorted(left) == []
