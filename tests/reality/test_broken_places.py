"""Disks that are full, homes that cannot be written to, files that rotted: one sentence and the right exit status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from kept_warehouse import Profile, fill, picture

from karvon.warehouse import Warehouse

pytestmark = pytest.mark.usefixtures("files_close")

LOOKING = ("status", "history", "errors", "counts", "held", "metrics --user anna", "report --user anna")


def _is_a_sentence(done: Result, *words: str) -> None:
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert "Traceback" not in done.output
    assert done.output.startswith("Error: "), done.output
    for word in words:
        assert word in done.output, done.output


def test_a_warehouse_that_is_none_names_the_way_back(duckdb_url: str, tmp_path: Path) -> None:
    fill(Warehouse(duckdb_url))
    profile = Profile(tmp_path / "home", duckdb_url)
    whole = profile.warehouse.path.read_bytes()
    for content in (b"", b"not a database" * 500, b"\x00" * 20_000, whole[:100_000]):
        profile.warehouse.path.write_bytes(content)
        for command in LOOKING:
            _is_a_sentence(profile.karvon(*command.split()), "is damaged", "`karvon restore FILE`")


@pytest.mark.parametrize("below", [True, False])
def test_a_home_that_is_a_file_or_below_one_is_named(tmp_path: Path, below: bool) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    home = file / "home" if below else file
    profile = Profile(home, f"duckdb:///{home / 'sandbox' / 'warehouse.duckdb'}")
    for command in (*LOOKING, "run", "definitions"):
        _is_a_sentence(profile.karvon(*command.split()), str(file))


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_home_without_the_right_to_write_is_named(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o500)
    profile = Profile(home, f"duckdb:///{home / 'sandbox' / 'warehouse.duckdb'}")
    for command in (*LOOKING, "run"):
        _is_a_sentence(profile.karvon(*command.split()), str(home), "KARVON_HOME")


_COMMAND = "from orchestration.cli import main; sys.argv[0] = 'karvon'; main()"
_END_OF_ONE = "from orchestration.cli.session import renew_copy; renew_copy()"


def _with_little_space(
    profile: Profile, size: int, *arguments: str, program: str = _COMMAND
) -> subprocess.CompletedProcess[str]:
    """A command whose files may not grow beyond so many bytes: what a full disk does, without one."""
    limit = f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    return subprocess.run(
        [sys.executable, "-c", limit + program, *arguments],
        env=profile.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_full_disk_leaves_warehouse_backup_and_copy_as_they_were(duckdb_url: str, tmp_path: Path) -> None:
    warehouse = Warehouse(duckdb_url)
    fill(warehouse)
    with warehouse.session() as session:
        session.execute(
            "CREATE TABLE marts.long AS SELECT range AS id, md5(range::text) AS body FROM range(40000)"
        )
    profile = Profile(tmp_path / "home", duckdb_url)
    file = tmp_path / "all.backup"
    assert profile.karvon("backup", str(file)).exit_code == 0
    before = picture(warehouse)
    for arguments in (("restore", str(file), "--yes"), ("backup", str(tmp_path / "second.backup"))):
        full = _with_little_space(profile, 200_000, *arguments)
        assert full.returncode == 1, full.stdout + full.stderr
        assert "Traceback" not in full.stderr
        assert "File too large" in full.stderr, full.stderr
        assert picture(warehouse) == before
    assert not (tmp_path / "second.backup").exists()
    # What the command did stands; that others cannot see it yet is said.
    done = profile.karvon("restore", str(file), "--yes")
    assert done.exit_code == 0
    copy = profile.home / "sandbox" / "published" / "warehouse.duckdb"
    seen = copy.read_bytes()
    with warehouse.session() as session:
        session.execute("INSERT INTO marts.long SELECT range, md5(range::text) FROM range(40000, 90000)")
    full = _with_little_space(profile, 200_000, program=_END_OF_ONE)
    assert "was not renewed" in full.stderr, full.stderr
    assert "Traceback" not in full.stderr
    assert copy.read_bytes() == seen
