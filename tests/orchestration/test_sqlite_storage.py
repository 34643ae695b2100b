"""Dagster's run history in SQLite: the same files and answers as Dagster's own storage, also with several at once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from karvon.settings import load_settings
from orchestration.instance import prepare_dagster_home
from orchestration.sqlite_storage import KEPT_OPEN, EventLog, SqliteStorage

RUNS = KEPT_OPEN + 2


@dg.asset(check_specs=[dg.AssetCheckSpec("is_there", asset="shelf")])
def shelf() -> Iterator[Any]:
    yield dg.MaterializeResult(
        metadata={"rows": 3}, check_results=[dg.AssetCheckResult(passed=True, check_name="is_there")]
    )


def history(home: Path, storage: type[DagsterSqliteStorage]) -> dict[str, list[str]]:
    """Run → kinds of its events, and of all runs the materializations, as this storage reads them."""
    kept = storage(str(home))
    with dg.DagsterInstance.ephemeral() as instance:
        kept.register_instance(instance)
        runs = [run.run_id for run in kept.run_storage.get_runs()]
        found = {
            run: [
                str(one.dagster_event_type)
                for one in kept.event_log_storage.get_logs_for_run(run)
                if one.is_dagster_event
            ]
            for run in runs
        }
        seen = kept.event_log_storage.fetch_materializations(dg.AssetKey("shelf"), limit=100).records
        kept.dispose()
        return found | {"shelf": sorted(one.run_id for one in seen)}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KARVON_HOME", str(tmp_path))
    monkeypatch.setenv("KARVON_DAGSTER_STORAGE_URL", "")
    settings = load_settings()
    prepare_dagster_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
    return settings.dagster_home


def test_the_history_is_what_dagsters_own_storage_reads_and_goes_on_with(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, EventLog)
        for _ in range(RUNS):
            assert dg.materialize([shelf], instance=instance).success
    ours = history(home, SqliteStorage)
    assert len(ours["shelf"]) == RUNS
    assert ours == history(home, DagsterSqliteStorage)
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.get() as instance:
        assert dg.materialize([shelf], instance=instance).success
    assert len(history(home, SqliteStorage)["shelf"]) == RUNS + 1


WRITER = """
import sys
from collections.abc import Iterator
import dagster as dg
with dg.DagsterInstance.get() as instance:
    for number in range(25):
        instance.report_runless_asset_event(dg.AssetMaterialization(f"shelf_{sys.argv[1]}_{number}"))
"""


def test_processes_side_by_side_lose_no_event(home: Path) -> None:
    # Dagster's own storage cannot be made by several at once.
    dg.DagsterInstance.get().dispose()
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(number)]) for number in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    with dg.DagsterInstance.get() as instance:
        assert len(instance.get_asset_keys()) == 50
