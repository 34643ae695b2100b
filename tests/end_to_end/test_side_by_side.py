"""Two at once on one warehouse, and kills inside dbt: staging, marts and shop are what one undisturbed run makes.

`KARVON_PROOF_ROUNDS` says how often each pair is tried (default: once), `KARVON_PROOF_KILLS` how often dbt is killed
(three times).
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from karvon_command import Karvon, until
from shop_and_view import different_rows, marts

pytestmark = [pytest.mark.proof, pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("KARVON_PROOF_ROUNDS", "1"))
KILLS = int(os.environ.get("KARVON_PROOF_KILLS", "3"))
_DAY = {"new_product": 3, "new_variant": 1, "price": 3, "stock": 3, "title": 1, "product_archived": 1}
_OF_THE_LOAD = {"load_id", "landed_at", "built_at", "seen_at"}
_copies = itertools.count()


@dataclass(frozen=True)
class Day:
    """A day of changes that waits, and how things stand once one run moved it."""

    karvon: Karvon
    copy: Callable[[Path], Karvon]
    marts: dict[str, list[str]]
    staging: dict[str, list[str]]
    shop: dict[str, Any]
    results: int
    """So many models and tests dbt told of in that run."""


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def day(
    request: pytest.FixtureRequest, project: Path, port: int, tmp_path_factory: pytest.TempPathFactory
) -> Day:
    folder = tmp_path_factory.mktemp("day")
    karvon = Karvon(folder / "home", port, project)
    if request.param == "postgres":
        server: str = request.getfixturevalue("postgres_server")
        karvon = karvon.having(KARVON_WAREHOUSE_URL=_database(server, None))

    def copy(home: Path) -> Karvon:
        copied = replace(karvon, home=shutil.copytree(karvon.home, home), serving=[])
        if request.param == "postgres":
            template = karvon.variables["KARVON_WAREHOUSE_URL"].partition("?")[0].rpartition("/")[2]
            copied = copied.having(KARVON_WAREHOUSE_URL=_database(server, template))
        return copied

    with _served(karvon):
        done = karvon("run", seconds=600)
        assert done.status == 0, done.output
        karvon.sandbox.next_day(**_DAY)
    moved = copy(folder / "moved")
    with _served(moved):
        done = moved("run", seconds=600)
        assert done.status == 0, done.output
        results = _results(moved) - _results(karvon)
        return Day(karvon, copy, marts(moved), staging(moved), moved.sandbox.shop(), results)


def _database(server: str, template: str | None) -> str:
    name = f"side_by_side_{os.getpid()}_{next(_copies)}"
    connection = psycopg2.connect(server)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    connection.close()
    return server.replace("/postgres?", f"/{name}?")


class _served:
    """The sandbox beside the commands while the block runs."""

    def __init__(self, karvon: Karvon) -> None:
        self._karvon = karvon

    def __enter__(self) -> Karvon:
        self._karvon.serve()
        return self._karvon

    def __exit__(self, *_: object) -> None:
        self._karvon.stop_serving()


@pytest.fixture(params=range(ROUNDS))
def waiting(day: Day, tmp_path: Path) -> Iterator[Karvon]:
    """An installation for which the day waits."""
    with _served(day.copy(tmp_path / "home")) as karvon:
        yield karvon


def staging(karvon: Karvon) -> dict[str, list[str]]:
    """Every row of staging as text, but for which load brought it."""
    with karvon.warehouse.session() as session:
        tables = session.rows(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'staging' "
            "AND table_name LIKE 'stg_%' ORDER BY 1"
        )
        return {
            table["name"]: sorted(
                json.dumps(
                    {k: v for k, v in row.items() if k not in _OF_THE_LOAD}, default=str, sort_keys=True
                )
                for row in session.rows(f"SELECT * FROM staging.{table['name']}")
            )
            for table in tables
        }


def _stands_as_after_one_run(karvon: Karvon, day: Day) -> None:
    assert different_rows(staging(karvon), day.staging) == {}
    assert different_rows(marts(karvon), day.marts) == {}
    assert karvon.sandbox.shop() == day.shop
    again = karvon("run", seconds=600)
    assert again.status == 0, again.output
    assert " 0 changes" in again.line("plan and apply")


def _started(karvon: Karvon, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(Path(shutil.which("karvon", path=karvon.variables["PATH"]) or "karvon")), *arguments],
        cwd=karvon.project, env=karvon.variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def _ended_well(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return said


def test_two_runs(waiting: Karvon, day: Day) -> None:
    both = [_started(waiting, "run"), _started(waiting, "run")]
    for process in both:
        _ended_well(process)
    _stands_as_after_one_run(waiting, day)


def test_two_runs_on_a_new_warehouse(day: Day, port: int, project: Path, tmp_path: Path) -> None:
    karvon = Karvon(tmp_path / "home", port, project)
    if "KARVON_WAREHOUSE_URL" in day.karvon.environment:
        server = day.karvon.variables["KARVON_WAREHOUSE_URL"]
        database = server.partition("?")[0].rpartition("/")[2]
        karvon = karvon.having(
            KARVON_WAREHOUSE_URL=_database(server.replace(f"/{database}?", "/postgres?"), None)
        )
    with _served(karvon):
        both = [_started(karvon, "run"), _started(karvon, "run")]
        for process in both:
            _ended_well(process)
        again = karvon("run", seconds=600)
        assert again.status == 0, again.output
        assert " 0 changes" in again.line("plan and apply")


def test_a_run_beside_a_crawl(waiting: Karvon, day: Day) -> None:
    crawler = waiting.having(UZUM_RATE_LIMITS="40/1", UZUM_SLICE_SIZE="50")
    both = [_started(crawler, "crawl", "run"), _started(waiting, "run")]
    for process in both:
        _ended_well(process)
    rows = waiting.rows("SELECT document_key FROM raw_uzum.products WHERE NOT is_deleted")
    there = {str(one["product"]) for one in waiting.sandbox.call("GET", "/uzum/products")["products"]}
    assert sorted(row["document_key"] for row in rows) == sorted(there)
    _stands_as_after_one_run(waiting, day)


def test_a_run_beside_a_backup(waiting: Karvon, day: Day, tmp_path: Path) -> None:
    run = _started(waiting, "run")
    for nth in range(3):
        _ended_well(_started(waiting, "backup", str(tmp_path / f"{nth}.karvon")))
    _ended_well(run)
    _stands_as_after_one_run(waiting, day)


def _dbt_of(karvon: Karvon) -> list[int]:
    """The processes of dbt that build in this home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_dbt = b"dbt_process" in (process / "cmdline").read_bytes()
            if is_dbt and str(karvon.home).encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def _in_dbt(karvon: Karvon, *command: str) -> subprocess.Popen[str]:
    """A command that has come as far as dbt."""
    process = _started(karvon, *command)
    try:
        until(lambda: _dbt_of(karvon) or process.poll() is not None, 300, every=0.1)
    except AssertionError:
        process.kill()
        raise
    return process


def _results(karvon: Karvon) -> int:
    """How many results of models and tests dbt has logged in this home."""
    log = karvon.home / "sandbox" / "dbt" / "logs" / "dbt.log"
    return sum(b'Result"' in line for line in log.read_bytes().splitlines())


def _is_killed_in_dbt(karvon: Karvon, command: Sequence[str], dice: random.Random, most: int) -> bool:
    """Kill the command after a result of dbt's that is drawn by lot; False when it ended before."""
    before, after = _results(karvon), int(most * dice.random() ** 2)
    process = _in_dbt(karvon, *command)
    try:
        until(lambda: _results(karvon) >= before + after or process.poll() is not None, 300, every=0.1)
        time.sleep(dice.uniform(0, 2))
    finally:
        process.kill()
    said, _ = process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0, 2), said
    until(lambda: not _dbt_of(karvon), 5)
    return process.returncode == -signal.SIGKILL


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for orphans in /proc")
def test_kills_inside_dbt_leave_no_orphan_and_nothing_lost_or_doubled(day: Day, tmp_path: Path) -> None:
    """Ten kills, or fewer when a build ends before its kill; then a run; and again from before the day."""
    dice, killed = random.Random(7), 0  # noqa: S311 - not for secrets
    for world in itertools.count():
        with _served(day.copy(tmp_path / f"home{world}")) as karvon:
            command = ["run"]  # loads the day
            for _ in range(min(10, KILLS - killed)):
                if not _is_killed_in_dbt(karvon, command, dice, day.results):
                    break
                killed += 1
                # The second is the cheaper one, and builds what is above the syncs alone.
                command = ["run"] if dice.random() < 0.25 else ["plan", "--build"]
            done = karvon("run", seconds=600)
            assert done.status == 0, done.output
            _stands_as_after_one_run(karvon, day)
        if killed >= KILLS:
            return


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_run_that_is_stopped_inside_dbt_says_so_and_takes_dbt_with_it(
    day: Day, tmp_path: Path, stop: signal.Signals
) -> None:
    with _served(day.copy(tmp_path / "home")) as karvon:
        process = _in_dbt(karvon, "run")
        time.sleep(3)
        process.send_signal(stop)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "Stopped." in said
        assert "Traceback" not in said
        assert _dbt_of(karvon) == []
        done = karvon("run", seconds=600)
        assert done.status == 0, done.output
        _stands_as_after_one_run(karvon, day)
