"""A copy of the project in which one file at a time is another, and the two ways to ask its tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from karvon.settings import PROJECT_ROOT, Settings
from karvon.warehouse import Warehouse
from reverse_etl.state.schema import migrate
from tests.mutants.asked import a_test_fails
from tests.mutants.faults import Fault
from tests.mutants.rooms import Room

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.graph.nodes import ModelNode, UnitTestDefinition

FAULTY = "mutant_"


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

    def tests_notice(
        self, fault: Fault, room: Room, engine: str, measured: Sequence[str] = ()
    ) -> bool | None:
        """Whether a test fails: of those that are measured, then of the room's files that are not.

        None when the time was up.
        """
        files = dict.fromkeys([*(test.partition("::")[0] for test in measured), *room.tests])
        if not files:
            return False  # no test runs it
        other = "postgres" if engine == "duckdb" else "duckdb"
        options = ["-m", "not slow and not proof", "-k", f"not {other}", *files]
        with self.having(fault):
            return a_test_fails(str(PROJECT_ROOT), str(self.folder), options, measured, room.seconds)


class Models:
    """dbt in this process, on a DuckDB file that holds every model empty: unit tests need their inputs' columns."""

    def __init__(self, scratch: Scratch) -> None:
        from dbt.cli.main import dbtRunner

        home = scratch.folder / ".karvon"
        settings = Settings(
            _env_file=None,
            KARVON_PROFILE="sandbox",
            KARVON_HOME=home,
            KARVON_WAREHOUSE_URL=f"duckdb:///{home / 'mutants.duckdb'}",
        )
        os.environ |= settings.environment_for_children()
        project = str(scratch.folder / "dbt_project")
        self._arguments = ["--project-dir", project, "--profiles-dir", project]
        self._runner = dbtRunner
        if not home.exists():
            home.mkdir()
            warehouse = Warehouse(settings.warehouse_url)
            with warehouse.session() as session:
                # As a run does before it calls dbt. Raw tables that were never landed read as empty.
                migrate(warehouse, session)
            self._run(None, "seed")
            self._run(None, "run", "--empty")

    def noticed(self, faults: Sequence[Fault]) -> list[bool | None]:
        """Whether a unit test of its model fails with each fault; None where the model has no unit test.

        One run of dbt asks them all: each fault is a model of its own, beside the real one, with copies of its tests.
        """
        manifest: Manifest = self._run(None, "parse").result
        models = {
            node.original_file_path: node for node in manifest.nodes.values() if node.resource_type == "model"
        }
        tests = defaultdict(list)
        for test in manifest.unit_tests.values():
            tests[test.depends_on.nodes[0]].append(test)
        asked = []
        for number, fault in enumerate(faults):
            model = models[str(fault.path.relative_to("dbt_project"))]
            faulty = replace(
                model,
                unique_id=f"{model.unique_id}_fault_{number}",
                name=f"{model.name}_fault_{number}",
                raw_code=fault.put_into((PROJECT_ROOT / fault.path).read_text()),
            )
            manifest.nodes[faulty.unique_id] = faulty
            copies = [_of_faulty(test, faulty, number) for test in tests[model.unique_id]]
            manifest.unit_tests.update((copy.unique_id, copy) for copy in copies)
            asked.append({copy.unique_id for copy in copies})
        done = self._run(manifest, "test", "--select", f"{FAULTY}*")
        failed = {one.node.unique_id for one in done.result if str(one.status) not in ("pass", "success")}
        return [bool(one & failed) if one else None for one in asked]

    def _run(self, manifest: Manifest | None, *command: str) -> Any:
        quietly = ["--log-level", "none", "--no-write-json"]
        done = self._runner(manifest=manifest).invoke([*quietly, *command, *self._arguments])
        if done.result is None:
            raise RuntimeError(f"dbt {command[0]} could not be asked: {done.exception}")
        return done


def _of_faulty(test: UnitTestDefinition, model: ModelNode, number: int) -> UnitTestDefinition:
    name = f"{FAULTY}{number}_{test.name}"
    return replace(
        test,
        unique_id=f"{test.unique_id}_fault_{number}",
        name=name,
        fqn=[*test.fqn[:-1], name],
        model=model.name,
        depends_on=replace(test.depends_on, nodes=[model.unique_id]),
    )
