"""Where steps are done: what is said when something for Celery is missing, and what changes when nothing is."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from karvon.settings import Settings, SettingsError, load_settings
from orchestration.executor import celery_options, executor
from orchestration.instance import prepare_dagster_home

_POSTGRES = "postgresql://me:sesame@db.test/karvon"


@pytest.fixture
def celery(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    for name, value in {
        "KARVON_HOME": str(tmp_path),
        "KARVON_EXECUTOR": "celery",
        "KARVON_CELERY_BROKER": "redis://:sesame@redis.test/0",
        "KARVON_CELERY_LOST_AFTER_SECONDS": "60",
        "KARVON_WAREHOUSE_URL": _POSTGRES,
        "KARVON_DAGSTER_STORAGE_URL": _POSTGRES,
        "KARVON_CRAWL_WORKERS": "4",
    }.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_steps_stay_here_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARVON_EXECUTOR", "")
    assert executor(load_settings(), dg.in_process_executor) is dg.in_process_executor


@pytest.mark.parametrize(
    "missing", ["KARVON_CELERY_BROKER", "KARVON_WAREHOUSE_URL", "KARVON_DAGSTER_STORAGE_URL"]
)
def test_what_celery_needs_is_named(celery: Settings, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(missing, "")
    with pytest.raises(SettingsError, match=missing):
        executor(load_settings(), dg.in_process_executor)


def test_a_missing_package_is_named(celery: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dagster_celery.executor", None)
    with pytest.raises(SettingsError, match=r"requirements-celery\.lock"):
        executor(celery, dg.in_process_executor)


def test_run_and_workers_agree(celery: Settings) -> None:
    options = celery_options(celery)
    assert options["broker"] == options["backend"] == "redis://:sesame@redis.test/0"
    assert options["config_source"]["task_acks_late"]
    assert options["config_source"]["broker_transport_options"]["visibility_timeout"] == 60


def test_runs_that_wait_for_workers_may_be_many(celery: Settings) -> None:
    prepare_dagster_home(celery)
    written = yaml.safe_load((celery.dagster_home / "dagster.yaml").read_text())
    assert written["concurrency"]["runs"]["max_concurrent_runs"] == 5
