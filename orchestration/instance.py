"""Dagster's own storage: its folder, its configuration, and the runs a killed process left behind."""

from __future__ import annotations

import os

import dagster as dg
import yaml

from karvon.settings import PROJECT_ROOT, Settings

PROCESS_TAG = "karvon/process"


def prepare_dagster_home(settings: Settings) -> None:
    """Write `dagster.yaml` into DAGSTER_HOME, with Postgres storage when the settings name one."""
    config = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text())
    if settings.dagster_storage_url is not None:
        config["storage"] = {"postgres": {"postgres_url": {"env": "KARVON_DAGSTER_STORAGE_URL"}}}
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    (settings.dagster_home / "dagster.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def close_dead_runs(instance: dg.DagsterInstance) -> None:
    """Report runs whose process is gone as failed and give back their pool slots; nothing else would."""
    unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
    for run in instance.get_runs(filters=unfinished):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and not _is_running(int(process)):
            instance.report_run_failed(run, f"The process {process} of this run ended without finishing it.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
