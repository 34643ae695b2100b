"""A copy of the project in which one file at a time is another, and the two ways to ask its tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from karvon.settings import PROJECT_ROOT, Settings
from karvon.warehouse import Warehouse
from reverse_etl.state.schema import migrate
from tests.mutants.faults import Fault
from tests.mutants.rooms import Room


class Scratch:
    """Copied once; per fault only the changed file is written, and put back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            if (PROJECT_ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(PROJECT_ROOT / name, folder / name)

    @contextmanager
    def having(self, fault: Fault) -> Iterator[None]:
        path = self.folder / fault.path
        before = path.read_text()
        path.write_text(fault.put_into(before))
        try:
            yield
        finally:
            path.write_text(before)

    def tests_notice(self, room: Room, engine: str) -> bool | None:
        """Whether a test fails; None when the time was up (the fault made something endless, or the tests are slow)."""
        other = "postgres" if engine == "duckdb" else "duckdb"
        command = [
            sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header",
            "-m", "not slow and not proof", "-k", f"not {other}", *room.tests,
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:  # fmt: skip
            try:
                return process.wait(timeout=room.seconds) != 0
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                return None


class Models:
    """dbt in this process, on a DuckDB file that holds every model empty: unit tests need their inputs' columns."""

    def __init__(self, scratch: Scratch) -> None:
        from dbt.cli.main import dbtRunner

        home = scratch.folder / ".karvon"
        home.mkdir(exist_ok=True)
        settings = Settings(home=home, warehouse_url=f"duckdb:///{home / 'mutants.duckdb'}")
        os.environ |= settings.environment_for_children()
        project = str(scratch.folder / "dbt_project")
        self._arguments = ["--project-dir", project, "--profiles-dir", project]
        self._dbt = dbtRunner()
        warehouse = Warehouse(settings.warehouse_url)
        with warehouse.session() as session:
            # As a run does before it calls dbt. Raw tables that were never landed read as empty.
            migrate(warehouse, session)
        self._run("seed")
        self._run("run", "--empty")

    def tests_notice(self, model: str) -> bool | None:
        """Whether a unit test of the model fails; None when it has none."""
        results = self._run("test", "--select", f"{model},test_type:unit")
        if results is None:
            return True
        statuses = {str(result.status) for result in results}
        return None if not statuses else bool(statuses - {"pass", "success"})

    def _run(self, *command: str) -> list[object] | None:
        done = self._dbt.invoke(["--log-level", "none", "--no-write-json", *command, *self._arguments])
        return None if done.result is None else list(done.result)
