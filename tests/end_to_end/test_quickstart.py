"""The quickstart of the README where nothing is set: a `git clone`, and an environment with a PATH and nothing else."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import venv
from pathlib import Path

import pytest
from karvon_command import BIN, ROOT, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with what `make` would have installed: the packages of the tests, and the commands of the clone."""
    folder = tmp_path / "karvon"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    venv.create(folder / ".venv", symlinks=True)
    packages = next((folder / ".venv" / "lib").glob("python*/site-packages"))
    (packages / "installed.pth").write_text("\n".join([str(folder), *site.getsitepackages()]))
    for command in ("karvon", "dbt", "dagster"):
        _, _, script = (BIN / command).read_text().partition("\n")
        (folder / ".venv" / "bin" / command).write_text(f"#!{folder}/.venv/bin/python\n{script}")
        (folder / ".venv" / "bin" / command).chmod(0o755)
    (folder / ".venv" / "ready").touch()
    # Settings stand in the file, so that the environment can be empty.
    (folder / ".env").write_text(f"KARVON_SANDBOX_PORT={free_port()}\nKARVON_SANDBOX_PRODUCTS=20\n")
    return folder


def make_run(clone: Path) -> str:
    make = shutil.which("make")
    assert make is not None
    path = os.pathsep.join(dict.fromkeys([str(Path(make).parent), "/usr/bin", "/bin"]))
    done = subprocess.run(
        ["/usr/bin/env", "-i", f"PATH={path}", "make", "run"], cwd=clone, timeout=500, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    return next(line for line in done.stdout.splitlines() if "plan and apply" in line)


def test_make_run_works_in_an_empty_environment_and_leaves_the_clone_clean(clone: Path) -> None:
    assert "create" in make_run(clone)
    assert " 0 changes" in make_run(clone)
    assert (clone / ".karvon" / "sandbox" / "warehouse.duckdb").is_file()
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert changed.stdout == ""
