"""Nothing that Karvon writes can be read by another user of the machine, whatever the shell's umask and its past."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from karvon.home import keep_private, share_like_folder
from karvon.settings import Settings


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def _settings(home: Path, warehouse: str | None = None) -> Settings:
    return Settings(_env_file=None, KARVON_HOME=home, KARVON_WAREHOUSE_URL=warehouse)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _open(home: Path) -> list[Path]:
    return [path for path in (home, *home.rglob("*")) if not path.is_symlink() and _mode(path) & 0o077]


def test_what_is_written_from_now_on_is_closed(tmp_path: Path) -> None:
    settings = _settings(tmp_path / "home")
    keep_private(settings)
    settings.dagster_home.mkdir(parents=True)
    (settings.dagster_home / "run.db").write_text("x")
    assert _open(tmp_path / "home") == []


def test_what_an_earlier_version_left_open_is_closed_and_nothing_of_others(tmp_path: Path) -> None:
    home = tmp_path / "home"
    deep = home / "live" / "dagster" / "storage" / "run" / "logs"
    deep.mkdir(parents=True)
    (deep / "out.log").write_text("x")
    (home / "sandbox").mkdir()
    (home / "sandbox" / "server.log").write_text("x")
    outside = tmp_path / "of others"
    outside.mkdir()
    (outside / "theirs").write_text("x")
    (home / "live" / "link").symlink_to(outside)
    program = home / "live" / "program"
    program.write_text("x")
    program.chmod(0o755)
    keep_private(_settings(home))
    assert _open(home) == []
    assert _mode(deep / "out.log") == 0o600
    assert _mode(program) == 0o700, "what can be run can still be run by its owner"
    assert (_mode(outside), _mode(outside / "theirs")) == (0o755, 0o644)


def test_a_single_file_that_was_opened_again_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    pages = home / "live" / "reports" / "users"
    pages.mkdir(parents=True)
    keep_private(_settings(home))
    for path in (home / "live" / "credentials.json", pages / "anna.html"):
        path.write_text("x")
        path.chmod(0o644)
    keep_private(_settings(home))
    assert _open(home) == []


def test_a_home_that_others_use_too_stays_theirs(tmp_path: Path) -> None:
    home = tmp_path / "srv"
    (home / "live").mkdir(parents=True)
    (home / "website").mkdir()
    keep_private(_settings(home))
    assert _mode(home) == 0o755
    assert _mode(home / "website") == 0o755
    assert _mode(home / "live") == 0o700


def test_a_warehouse_elsewhere_is_closed_and_its_folder_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "shop.duckdb").write_text("x")
    keep_private(_settings(tmp_path / "home", f"duckdb:///{folder / 'shop.duckdb'}"))
    assert _mode(folder / "shop.duckdb") == 0o600
    assert _mode(folder) == 0o755


@pytest.mark.parametrize(("folder_mode", "file_mode"), [(0o700, 0o600), (0o755, 0o644), (0o750, 0o640)])
def test_a_file_made_for_others_has_the_readers_of_its_folder(
    tmp_path: Path, folder_mode: int, file_mode: int
) -> None:
    keep_private(_settings(tmp_path / "home"))
    folder = tmp_path / "web"
    folder.mkdir()
    folder.chmod(folder_mode)
    page = folder / "anna.html"
    page.write_text("x")
    share_like_folder(page)
    assert _mode(page) == file_mode
