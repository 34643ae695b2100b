"""`karvon reset`: what it lists, what goes, and what is none of its business."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest
from kept_warehouse import Profile, fill, picture

from karvon.warehouse import Warehouse
from orchestration.instance import PROCESS_TAG

pytestmark = pytest.mark.usefixtures("files_close")


@dg.op
def nothing() -> None: ...


@dg.job(executor_def=dg.in_process_executor)
def some_job() -> None:
    nothing()


@pytest.fixture
def profile(warehouse: Warehouse, tmp_path: Path) -> Profile:
    fill(warehouse)
    profile = Profile(tmp_path / "home", warehouse.url)
    for folder in ("sandbox/dagster", "sandbox/dbt", "live/dagster", "sandbox"):
        (profile.home / folder).mkdir(parents=True, exist_ok=True)
    (profile.home / "sandbox" / "sandbox.sqlite").touch()
    return profile


def schemas(warehouse: Warehouse) -> set[str]:
    return {table.split(".")[0] for table in picture(warehouse) if "." in table}


def test_it_lists_what_goes_and_does_nothing_without_a_yes(profile: Profile) -> None:
    before = picture(profile.warehouse)
    stopped = profile.karvon("reset", answer="\n")
    assert stopped.exit_code == 1
    wanted = (
        [str(profile.warehouse.path)]
        if profile.warehouse.dialect == "duckdb"
        else ["schema raw_shop of ", "schema reverse_etl of "]
    )
    for words in [*wanted, str(profile.home / "sandbox" / "dagster"), str(profile.home / "sandbox" / "dbt")]:
        assert words in stopped.output
    assert picture(profile.warehouse) == before


def test_warehouse_runs_and_dbt_target_go_and_the_sandbox_stays(profile: Profile) -> None:
    done = profile.karvon("reset", "--yes")
    assert done.exit_code == 0, done.output
    assert schemas(profile.warehouse) == set()
    left = {str(path.relative_to(profile.home)) for path in profile.home.rglob("*")}
    assert left == {"live", "live/dagster", "sandbox", "sandbox/sandbox.sqlite"}


def test_the_sandbox_goes_when_asked(profile: Profile) -> None:
    assert profile.karvon("reset", "--sandbox", "--yes").exit_code == 0
    assert not (profile.home / "sandbox").exists()
    again = profile.karvon("reset", "--sandbox", "--yes")
    assert again.exit_code == 0


def test_nothing_to_forget_is_said(tmp_path: Path, duckdb_url: str) -> None:
    done = Profile(tmp_path / "home", duckdb_url).karvon("reset")
    assert done.exit_code == 0
    assert "nothing to forget" in done.output


def test_on_postgres_other_schemas_stay_and_views_of_others_are_named(
    postgres_url: str, tmp_path: Path
) -> None:
    warehouse = Warehouse(postgres_url)
    fill(warehouse)
    with warehouse.session() as session:
        for schema in ("reports", "raw_of_others"):
            session.execute(f"CREATE SCHEMA {schema}")
            session.execute(f"CREATE TABLE {schema}.orders AS SELECT 1 AS id")
        session.execute("CREATE VIEW reports.names AS SELECT name FROM marts.products")
    profile = Profile(tmp_path / "home", postgres_url)
    asked = profile.karvon("reset", answer="n\n")
    assert "view reports.names" in asked.output
    assert "raw_of_others" not in asked.output
    assert profile.karvon("reset", "--yes").exit_code == 0
    assert schemas(warehouse) == {"reports", "raw_of_others"}


def test_the_live_profile_warns_of_its_memory(profile: Profile) -> None:
    live = Profile(profile.home, profile.url, name="live")
    asked = live.karvon("reset", answer="n\n")
    assert "`karvon backup` saves it" in asked.output


def test_a_run_at_work_is_not_disturbed(profile: Profile) -> None:
    from karvon.settings import Settings
    from orchestration.instance import prepare_dagster_home

    settings = Settings(KARVON_PROFILE="sandbox", KARVON_HOME=profile.home)
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        instance.create_run_for_job(
            some_job, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: str(os.getpid())}
        )
    refused = profile.karvon("reset", "--yes")
    assert refused.exit_code == 1
    assert f"`karvon run` is at work (process {os.getpid()})" in refused.output
    assert schemas(profile.warehouse)


def test_runs_kept_in_postgres_are_forgotten(duckdb_url: str, postgres_url: str, tmp_path: Path) -> None:
    fill(Warehouse(duckdb_url))
    profile = Profile(tmp_path / "home", duckdb_url)
    storage = {"KARVON_DAGSTER_STORAGE_URL": postgres_url}
    driver_url = postgres_url.replace("postgresql://", "postgresql+psycopg2://")
    config = {"storage": {"postgres": {"postgres_url": driver_url}}}
    folder = tmp_path / "reader"
    folder.mkdir()
    (folder / "dagster.yaml").write_text(str(config))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        some_job.execute_in_process(instance=instance)
        assert instance.get_runs_count() == 1
        done = profile.karvon("reset", "--yes", **storage)
        assert done.exit_code == 0, done.output
        assert "Dagster's runs in the database" in done.output
        assert instance.get_runs_count() == 0
