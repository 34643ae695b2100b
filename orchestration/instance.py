"""Dagster's own storage: its folder, its configuration, and the runs a killed process left behind.

`python -m orchestration.instance COMMAND …` prepares it and becomes the command: the entry point of the image.
"""

from __future__ import annotations

import os
import sys

import dagster as dg
import yaml

from karvon.home import keep_private
from karvon.settings import PROJECT_ROOT, Settings, child_environment, load_settings

PROCESS_TAG = "karvon/process"
_STORAGE_VARIABLE = "KARVON_DAGSTER_STORAGE_URL"


def prepare_dagster_home(settings: Settings) -> None:
    """Write `dagster.yaml` into DAGSTER_HOME, with Postgres storage when the settings name one."""
    config = yaml.safe_load((PROJECT_ROOT / "dagster.yaml").read_text())
    config["storage"]["custom"]["config"]["base_dir"] = str(settings.dagster_home.absolute())
    if settings.dagster_storage_url is not None:
        config["storage"] = {"postgres": {"postgres_url": {"env": _STORAGE_VARIABLE}}}
        # Dagster reads it from the environment only; ours may have come from .env or a mounted file. Without a
        # driver's name SQLAlchemy 2.1 takes psycopg 3, which nothing else here needs.
        address = settings.dagster_storage_url.get_secret_value().partition("://")[2]
        os.environ[_STORAGE_VARIABLE] = f"postgresql+psycopg2://{address}"
    if settings.executor == "celery":
        # A run waits for its steps here and works elsewhere: one for each crawler, and one beside them.
        config["concurrency"]["runs"]["max_concurrent_runs"] = settings.crawl_workers + 1
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    # Renamed into place: other processes of this home may be reading it.
    written = settings.dagster_home / f".dagster.{os.getpid()}.yaml"
    written.write_text(yaml.safe_dump(config, sort_keys=False))
    written.replace(settings.dagster_home / "dagster.yaml")


def close_dead_runs(instance: dg.DagsterInstance) -> None:
    """Report runs whose process is gone as failed and give back their pool slots; nothing else would."""
    for run in _unfinished(instance):
        process = run.tags.get(PROCESS_TAG)
        if process is not None and not _is_running(int(process)):
            instance.report_run_failed(run, f"The process {process} of this run ended without finishing it.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def working_processes(instance: dg.DagsterInstance) -> list[int]:
    """Processes of this machine that are in the middle of `karvon run`."""
    processes = [int(run.tags.get(PROCESS_TAG, 0)) for run in _unfinished(instance)]
    return [process for process in processes if process and _is_running(process)]


def _unfinished(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    statuses = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    return list(instance.get_runs(filters=dg.RunsFilter(statuses=statuses)))


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main(command: list[str]) -> None:
    """Become the command, with Dagster's home prepared and everything it needs in its environment."""
    settings = load_settings()
    keep_private(settings)
    prepare_dagster_home(settings)
    os.execvpe(command[0], command, child_environment(settings))  # noqa: S606 - the caller's own command


if __name__ == "__main__":
    main(sys.argv[1:])
