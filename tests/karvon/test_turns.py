"""One at a time: who has the turn is named, and it is free when its holder ends, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg2
import pytest

from karvon import turns
from karvon.warehouse import Warehouse, WarehouseLocked

HOLDER = """
import sys, time
from karvon import turns
from karvon.warehouse import Warehouse
with turns.turn(Warehouse(sys.argv[1]), sys.argv[2], "a long build", shared=sys.argv[3] == "shared"):
    print("mine", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(warehouse: Warehouse, name: str, kind: str = "alone") -> Iterator[subprocess.Popen[str]]:
    """Another process that has a turn until the block ends."""
    command = [sys.executable, "-c", HOLDER, warehouse.url, name, kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        try:
            yield holder
        finally:
            holder.kill()


def impatient(warehouse: Warehouse, seconds: float = 0.2) -> Warehouse:
    return Warehouse(warehouse.url, turn_seconds=seconds)


def test_the_second_is_told_who_is_at_work_on_what_and_since_when(warehouse: Warehouse) -> None:
    with held(warehouse, turns.MODELS) as holder:
        told = rf"a long build \(process {holder.pid} on \S+, since \d{{4}}-.* UTC\); waited 0 s"
        with pytest.raises(WarehouseLocked, match=told), turns.building(impatient(warehouse), "another"):
            pass


def test_the_second_goes_on_when_the_first_has_ended(warehouse: Warehouse) -> None:
    with held(warehouse, turns.MODELS) as holder:
        assert holder.stdin is not None
        holder.stdin.close()
        with turns.building(impatient(warehouse, 20), "another"):
            assert holder.wait(10) == 0


def test_a_killed_holder_keeps_nobody_waiting(warehouse: Warehouse) -> None:
    with held(warehouse, turns.MODELS) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(10)
        with turns.building(impatient(warehouse, 5), "another"):
            pass


def test_the_log_says_for_whom_one_waits(warehouse: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    with (
        held(warehouse, turns.MODELS),
        pytest.raises(WarehouseLocked),
        turns.building(impatient(warehouse, 1.5), "another"),
    ):
        pass
    assert "waiting for a long build (process" in caplog.text


def test_a_process_may_ask_again_for_what_it_has(warehouse: Warehouse) -> None:
    mine = impatient(warehouse)
    with turns.building(mine, "outer"):
        with turns.building(mine, "inner"), turns.applying(mine, ["files"], "an apply in it"):
            pass
        # Still ours after the inner one gave it back.
        assert _is_taken(warehouse, turns.MODELS)
    assert not _is_taken(warehouse, turns.MODELS)


def test_applies_to_two_destinations_go_side_by_side_on_postgres_and_one_after_the_other_on_duckdb(
    warehouse: Warehouse,
) -> None:
    with turns.applying(impatient(warehouse), ["files"], "files"):
        assert _is_taken(warehouse, turns.MODELS)
        assert _is_taken(warehouse, turns.MODELS, "shared") == (warehouse.dialect == "duckdb")
        assert _is_taken(warehouse, "apply files")
        assert not _is_taken(warehouse, "apply webhook")


WORKERS = """
import sys
from karvon import turns
from karvon.warehouse import Warehouse, WarehouseLocked
warehouse = Warehouse(sys.argv[1], turn_seconds=0)
kinds = {
    "building": turns.building, "reading": turns.reading_models, "crawling": turns.working,
    "applying": lambda warehouse, doing: turns.applying(warehouse, ["files"], doing),
    "landing": lambda warehouse, doing: turns.landing(warehouse, "shop", doing),
}
for name, work in kinds.items():
    try:
        with work(warehouse, name):
            print(name, "has its turn", flush=True)
            sys.stdin.readline()
    except WarehouseLocked as error:
        print(error, flush=True)
"""


def test_who_erases_waits_for_every_kind_of_work_and_keeps_it_away(warehouse: Warehouse) -> None:
    command = [sys.executable, "-c", WORKERS, warehouse.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        for name in ("building", "reading", "crawling", "applying", "landing"):
            assert other.stdout.readline() == f"{name} has its turn\n"
            told = rf"at work for {name} \(process {other.pid} on"
            with pytest.raises(WarehouseLocked, match=told), turns.alone(impatient(warehouse), "an erasure"):
                pass
            other.stdin.write("\n")
            other.stdin.flush()
    with turns.alone(impatient(warehouse, 5), "an erasure"):
        told = subprocess.run(command, capture_output=True, text=True, check=True, input="").stdout
        assert told.count(f"at work for an erasure (process {os.getpid()} on") == 5
        with turns.building(impatient(warehouse), "what an erasure has to build"), warehouse.session():
            pass


def test_who_erases_is_not_kept_waiting_by_those_who_come_later(warehouse: Warehouse) -> None:
    with held(warehouse, turns.WHOLE, "shared") as slice_of_a_crawl, ThreadPoolExecutor(1) as threads:
        erased = threads.submit(_alone, impatient(warehouse, 10))
        until = time.monotonic() + 5
        while not _is_taken(warehouse, "queue", "shared") and time.monotonic() < until:
            time.sleep(0.05)
        assert _is_taken(warehouse, "queue", "shared"), "the next slice stands behind the erasure"
        slice_of_a_crawl.kill()
        assert erased.result(10)


def _alone(warehouse: Warehouse) -> bool:
    with turns.alone(warehouse, "an erasure"):
        return True


def _is_taken(warehouse: Warehouse, name: str, kind: str = "alone") -> bool:
    """As another process sees it."""
    asked = HOLDER.replace('    print("mine", flush=True)\n    sys.stdin.read()', "    pass").replace(
        "Warehouse(sys.argv[1])", "Warehouse(sys.argv[1], turn_seconds=0)"
    )
    command = [sys.executable, "-c", asked, warehouse.url, name, kind]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "WarehouseLocked" in done.stderr, done.stderr
    return bool(done.returncode)


def test_nobody_opens_a_duckdb_file_that_another_program_needs_whole(duckdb_url: str) -> None:
    warehouse = Warehouse(duckdb_url)
    with (
        held(warehouse, turns.FILE),
        pytest.raises(WarehouseLocked, match="a long build"),
        impatient(warehouse).session(),
    ):
        pass
    with warehouse.session() as session:
        assert session.value("SELECT 1") == 1


def test_who_lost_the_connection_that_held_the_turn_stops(postgres_url: str) -> None:
    warehouse = Warehouse(postgres_url)

    def lose_it() -> None:
        with turns.building(warehouse, "a build") as turn:
            turn.check()
            _break_connections(postgres_url, f"{os.getpid()}@")
            turn.check()

    with pytest.raises(turns.TurnLost, match="another process may have begun"):
        lose_it()
    with turns.building(impatient(warehouse, 5), "the next"):
        pass


def _break_connections(url: str, name: str) -> None:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s",
            (f"{name}%",),
        )
        assert cursor.rowcount
    connection.close()
    time.sleep(0.2)
