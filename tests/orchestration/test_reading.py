"""Commands that only look read the published copy, say of which moment it is, and disturb nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from kept_warehouse import Profile, fill

from karvon.warehouse import Warehouse
from orchestration.dbt import DbtError
from orchestration.defs.operations import publishing
from orchestration.patience import when_free
from reverse_etl.state.stored_plans import Plan, store_plan

pytestmark = pytest.mark.usefixtures("files_close")


@pytest.fixture
def profile(duckdb_url: str, tmp_path: Path) -> Profile:
    """A warehouse that a command has written to."""
    fill(Warehouse(duckdb_url))
    profile = Profile(tmp_path / "home", duckdb_url)
    file = tmp_path / "all.backup"
    assert profile.karvon("backup", str(file)).exit_code == 0
    assert profile.karvon("restore", str(file), "--yes").exit_code == 0
    return profile


@pytest.fixture
def held(profile: Profile) -> Iterator[int]:
    hold = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(profile.warehouse.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"")


def test_looking_needs_no_turn_while_somebody_writes(profile: Profile, held: int) -> None:
    for command in ("status", "history", "errors", "counts", "held"):
        seen = profile.karvon(command)
        assert seen.exit_code == 0, seen.output
        assert seen.output.startswith("As of 2"), seen.output
    assert profile.karvon("doctor").exit_code == 1, "held, the warehouse itself cannot be opened"


def test_counts_of_the_copy_are_those_of_the_warehouse(profile: Profile) -> None:
    counted = json.loads(profile.karvon("counts", "--json").output)
    with profile.warehouse.session() as session:
        tables = session.rows(
            "SELECT table_schema || '.' || table_name AS name FROM information_schema.tables "
            "WHERE table_schema IN ('raw_shop', 'staging', 'marts', 'activation', 'reverse_etl')"
        )
        assert counted == {
            row["name"]: session.value(f"SELECT count(*) FROM {row['name']}") for row in tables
        }
    assert counted["raw_shop.goods"] == 8


def test_the_id_of_a_plan_can_be_copied_from_the_table(duckdb_url: str, tmp_path: Path) -> None:
    warehouse = Warehouse(duckdb_url)
    fill(warehouse)
    made = Plan(
        "20260301-101500-a1b2c3",
        datetime(2026, 3, 1, 10, 15, tzinfo=UTC),
        "sandbox",
        "ready",
        (),
        (),
        (),
        {},
        7,
        1.0,
    )
    with warehouse.session() as session:
        store_plan(session, made)
    said = Profile(tmp_path / "home", duckdb_url).karvon("history").output
    assert made.plan_id in said, said


def test_the_status_fits_a_terminal_and_tells_of_a_second_connection(duckdb_url: str, tmp_path: Path) -> None:
    warehouse, profile = Warehouse(duckdb_url), Profile(tmp_path / "home", duckdb_url)
    fill(warehouse)

    def written(sync: str, connection: str) -> None:
        with warehouse.session() as session:
            session.execute(
                "INSERT INTO reverse_etl.ledger (destination, connection, sync, key, remote_id, sent, sent_hash, "
                "answered, extras, row_hash, mapping_hash, removed, applied_at, plan_id) "
                "VALUES ('webflow_store', $1, $2, 'k', 'r', '{}', '', '{}', '{}', '', '', false, $3, 'p')",
                (connection, sync, datetime(2026, 3, 1, 10, 15, tzinfo=UTC)),
            )

    written("webflow__spec_sheets", "default")
    said = profile.karvon("status").output.splitlines()
    assert "webflow__spec_sheets  1     2026-03-01 10:15:00  0          0      0" in [
        line.strip() for line in said
    ]
    assert max(len(line.rstrip()) for line in said if line[:1] != "A") <= 80, said
    written("webflow__outlet", "outlet")
    said = profile.karvon("status").output.splitlines()
    assert [line.split()[:3] for line in said if "__" in line][:2] == [
        ["webflow__outlet", "outlet", "1"], ["webflow__spec_sheets", "default", "1"],
    ]  # fmt: skip


def test_a_run_of_the_schedule_publishes_when_it_has_ended(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in profile.environment.items():
        monkeypatch.setenv(name, value)
    with profile.warehouse.session() as session:
        session.execute("INSERT INTO marts.products (product_key) VALUES ('of the run')")
    copy = profile.home / profile.name / "published" / "warehouse.duckdb"
    instance = dg.DagsterInstance.ephemeral()

    @dg.job
    def nothing() -> None: ...

    result = nothing.execute_in_process(instance=instance)
    for sensor in publishing():
        context = dg.build_run_status_sensor_context(
            sensor_name=sensor.name, dagster_instance=instance, dagster_run=result.dagster_run,
            dagster_event=next(event for event in result.all_events if event.event_type_value == "PIPELINE_SUCCESS"),
        )  # fmt: skip
        sensor(context)
        with duckdb.connect(str(copy), read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM marts.products").fetchall() == [(10,)]


def test_a_reset_takes_the_copy_with_it(profile: Profile) -> None:
    copy = profile.home / profile.name / "published" / "warehouse.duckdb"
    with duckdb.connect(str(copy), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM marts.products").fetchall() == [(9,)]
    listed = profile.karvon("reset", "--yes")
    assert "the copy for reading" in listed.output
    assert not copy.parent.exists()


def test_models_are_built_when_the_one_who_took_the_file_gives_it_back(duckdb_url: str) -> None:
    attempts = iter(
        ['IO Error: Could not set lock on file "w": held in python (PID 7)', "", "model x failed"]
    )

    def build() -> Iterator[str]:
        if said := next(attempts):
            raise DbtError(said)
        yield "built"

    assert list(when_free(Warehouse(duckdb_url), build)) == ["built"]
    with pytest.raises(DbtError, match="model x failed"):
        list(when_free(Warehouse(duckdb_url), build))
