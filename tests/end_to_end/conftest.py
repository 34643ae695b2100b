"""A first run, made once and copied for each test that goes on from there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from karvon_command import Done, Karvon, copy_project, free_port


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the working tree that nobody edits while the tests run."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def port() -> int:
    """One port for all sandboxes of this process, one after the other: image addresses hold it."""
    return free_port()


@dataclass(frozen=True)
class FirstRun:
    """An installation after its first run, stopped."""

    karvon: Karvon
    done: Done
    requests: list[dict[str, Any]]


@pytest.fixture(scope="session")
def first_run(project: Path, port: int, tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    karvon = Karvon(tmp_path_factory.mktemp("first") / "home", port, project)
    karvon.serve()
    try:
        done = karvon("run")
        return FirstRun(karvon, done, karvon.sandbox.requests())
    finally:
        karvon.stop_serving()


@pytest.fixture
def fresh(project: Path, port: int, tmp_path: Path) -> Iterator[Karvon]:
    """An installation that never ran; nothing serves its sandbox yet."""
    karvon = Karvon(tmp_path / "home", port, project)
    yield karvon
    karvon.stop_serving()


@pytest.fixture
def karvon(first_run: FirstRun, tmp_path: Path) -> Iterator[Karvon]:
    """An installation after its first run, with its sandbox served and an empty request log."""
    assert first_run.done.status == 0, first_run.done.output
    home = shutil.copytree(first_run.karvon.home, tmp_path / "home")
    karvon = replace(first_run.karvon, home=home, serving=[])
    karvon.serve()
    yield karvon
    karvon.stop_serving()
