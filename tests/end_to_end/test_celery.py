"""Two Celery workers, a real Redis, Postgres for both stores: work is divided, and a killed worker costs little."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import psycopg2
import pytest
from karvon_command import Karvon, free_port, kill, until

from orchestration.defs.crawl import allow_workers

_HERE = Path(__file__).parent
_LOST_AFTER = 15
_SLICE = 100
_MISSING = [
    what
    for what, found in (
        ("redis-server (Debian: apt-get install redis-server)", shutil.which("redis-server")),
        ("dagster-celery (deploy/requirements-celery.lock)", importlib.util.find_spec("dagster_celery")),
    )
    if not found
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(20)


class Deployment:
    """An installation whose steps go to Celery, with the processes that serve it."""

    def __init__(self, karvon: Karvon) -> None:
        self.karvon = karvon
        self._started: list[subprocess.Popen[bytes]] = []
        self._runs = itertools.count(1)

    def worker(self, name: str, **environment: str) -> subprocess.Popen[bytes]:
        """A worker for one step at a time, ready."""
        process = self._start(
            name, "celery", "-A", "orchestration.celery_worker", "worker", "-Q", "dagster", "-c", "1",
            "-n", f"{name}@here", "-l", "INFO", **environment,
        )  # fmt: skip
        until(lambda: " ready." in self.log(name), 120)
        return process

    def daemon(self) -> subprocess.Popen[bytes]:
        return self._start("daemon", "dagster-daemon", "run", "-w", "workspace.yaml")

    def slice(self, first: int, size: int = _SLICE) -> subprocess.Popen[bytes]:
        """A run of one slice in a process of its own: it hands out its step and waits."""
        key = f"default ids {first}-{first + size - 1}"
        with self.instance() as instance:
            instance.add_dynamic_partitions("uzum_slices", [key])
            allow_workers(instance, 2)
        return self.run("slice", key)

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        script = str(_HERE / "celery_run.py")
        return self._start(f"run {next(self._runs)}", sys.executable, script, *arguments)

    def log(self, name: str) -> str:
        return (self.karvon.home / f"{name}.log").read_text()

    def _start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        self.karvon.home.mkdir(parents=True, exist_ok=True)
        paths = os.pathsep.join([str(self.karvon.project), str(_HERE)])
        variables = {**self.karvon.variables, "PYTHONPATH": paths, **environment}
        with (self.karvon.home / f"{name}.log").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "orchestration.instance", *command],
                cwd=self.karvon.project, env=variables, start_new_session=True, stdout=said, stderr=said,
            )  # fmt: skip
        self._started.append(process)
        return process

    def stop(self) -> None:
        for process in self._started:
            if process.poll() is None:
                kill(process)

    def instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.karvon.home / "sandbox" / "dagster"))

    def runs(self, job: str = "crawl_job") -> list[dg.DagsterRun]:
        with self.instance() as instance:
            return list(instance.get_runs(dg.RunsFilter(job_name=job)))

    def taken(self, job: str = "crawl_job") -> dict[str, list[tuple[str, float, float]]]:
        """By worker: the steps that it took and that somebody ended, from when to when."""
        found: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
        with self.instance() as instance:
            for run in instance.get_runs(dg.RunsFilter(job_name=job)):
                entries = instance.all_logs(run.run_id)
                ends = {
                    entry.step_key: entry.timestamp
                    for entry in entries
                    if entry.dagster_event is not None and entry.dagster_event.is_step_success
                }
                for entry in entries:
                    event = entry.dagster_event
                    if event is not None and event.is_engine_event and entry.step_key:
                        worker = event.engine_event_data.metadata.get("Celery worker")
                        if worker is not None and entry.step_key in ends:
                            what = f"{run.tags.get('dagster/partition', '')} {entry.step_key}".strip()
                            found[str(worker.value)].append((what, entry.timestamp, ends[entry.step_key]))
        return found

    def visits(self) -> list[int]:
        log = self.karvon.sandbox.requests(vendor="uzum", path="/product/")
        return [int(one["path"].rpartition("/")[2]) for one in log]


@pytest.fixture
def deployment(
    fresh: Karvon, redis: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """1,000 numbers to walk in ten slices, each of some seconds; two shares of the rate."""
    karvon = fresh.having(
        KARVON_EXECUTOR="celery",
        KARVON_CELERY_BROKER=redis,
        KARVON_CELERY_LOST_AFTER_SECONDS=str(_LOST_AFTER),
        KARVON_WAREHOUSE_URL=postgres_url,
        KARVON_DAGSTER_STORAGE_URL=_another_database(postgres_url),
        KARVON_CRAWL_WORKERS="2",
        KARVON_SANDBOX_PRODUCTS="12",
        UZUM_RATE_LIMITS="200/1",
        UZUM_SLICE_SIZE=str(_SLICE),
        UZUM_LAST_ID="1000",
        UZUM_STOP_AFTER_MISSING="0",
        KARVON_SYNC_EVERY_MINUTES="1440",
    )
    monkeypatch.setenv("KARVON_DAGSTER_STORAGE_URL", karvon.variables["KARVON_DAGSTER_STORAGE_URL"])
    karvon.serve()
    karvon.sandbox.call("POST", "/uzum/reset", {"ids": 1000})
    karvon.sandbox.switch("uzum.latency_ms", 200)
    one = Deployment(karvon)
    yield one
    one.stop()


def _another_database(url: str) -> str:
    name = url.split("?")[0].rpartition("/")[2]
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE dagster_{name}")
    connection.close()
    return url.replace("postgresql://", "postgresql+psycopg2://").replace(f"/{name}?", f"/dagster_{name}?")


def _crawled_once(deployment: Deployment, up_to: int = 1000) -> None:
    """Every product is there in one version, and every slice has one complete visit."""
    karvon = deployment.karvon
    rows = karvon.rows("SELECT document_key FROM raw_uzum.products WHERE NOT is_deleted")
    there = {one["product"] for one in karvon.sandbox.call("GET", "/uzum/products")["products"]}
    assert sorted(int(row["document_key"]) for row in rows) == sorted(one for one in there if one <= up_to)
    visits = karvon.rows(
        "SELECT scope, count(*) AS n FROM raw_uzum.observations o JOIN raw_uzum._dlt_loads l "
        "ON l.load_id = o._dlt_load_id AND l.status = 0 WHERE is_complete GROUP BY scope"
    )
    assert {row["scope"]: row["n"] for row in visits} == {
        f"ids {first}-{first + _SLICE - 1}": 1 for first in range(1, up_to, _SLICE)
    }


def _ended(*processes: subprocess.Popen[bytes]) -> list[int]:
    return [process.wait(240) for process in processes]


def _slices_done(deployment: Deployment) -> bool:
    runs = [run for run in deployment.runs() if not run.tags["dagster/partition"].endswith("revisit")]
    return len(runs) == 10 and all(run.is_finished for run in runs)


def test_the_daemon_hands_slices_to_both_workers_and_each_is_crawled_once(deployment: Deployment) -> None:
    deployment.karvon = deployment.karvon.having(KARVON_MARKETS="true")
    for name in ("first", "second"):
        deployment.worker(name)
    deployment.daemon()
    until(lambda: _slices_done(deployment), 600)
    assert {run.status for run in deployment.runs()} == {dg.DagsterRunStatus.SUCCESS}
    assert sorted(deployment.visits()) == list(range(1, 1001))
    _crawled_once(deployment)
    assert set(deployment.taken()) == {"first@here", "second@here"}


def test_a_killed_worker_costs_one_slice_again_and_nothing_is_lost_or_doubled(deployment: Deployment) -> None:
    deployment.karvon.sandbox.switch("uzum.latency_ms", 2000)
    first = deployment.worker("first")
    runs = [deployment.slice(one) for one in (1, 101, 201)]
    until(lambda: len(deployment.visits()) > 10, 120)
    kill(first)
    before = Counter(deployment.visits())
    deployment.worker("second")
    assert _ended(*runs) == [0, 0, 0]
    visits = Counter(deployment.visits())
    twice = {number for number, count in visits.items() if count > 1}
    assert set(visits) == set(range(1, 301))
    # Of the slice that was in work, nothing else.
    assert twice <= set(before)
    assert len(twice) <= _SLICE
    assert len({(number - 1) // _SLICE for number in twice}) == 1
    _crawled_once(deployment, up_to=300)


def test_a_step_whose_process_is_killed_begins_again_but_not_for_ever(deployment: Deployment) -> None:
    deployment.karvon.sandbox.switch("uzum.latency_ms", 2000)
    worker = deployment.worker("first")
    run = deployment.slice(1)
    _kill_children(deployment, worker, when_begun=1)
    assert _ended(run) == [0]
    assert [what for what, *_ in deployment.taken()["first@here"]] == [
        "default ids 1-100 crawl__uzum_slices"
    ] * 2
    _crawled_once(deployment, up_to=100)
    run = deployment.slice(101)
    for begun in (3, 4, 5):
        _kill_children(deployment, worker, when_begun=begun)
    assert _ended(run) == [1]
    assert "its worker was lost each time" in deployment.log("run 2")


def _kill_children(deployment: Deployment, worker: subprocess.Popen[bytes], when_begun: int) -> None:
    """As soon as the worker has begun so many steps."""
    until(lambda: deployment.log("first").count("- STEP_START -") == when_begun, 120)
    for child in psutil.Process(worker.pid).children():
        child.kill()


def test_a_slice_that_takes_longer_than_a_lost_one_is_waited_for(deployment: Deployment) -> None:
    deployment.karvon.sandbox.switch("uzum.latency_ms", 2000)
    for name in ("first", "second"):
        deployment.worker(name)
    # 300 numbers, sixteen at a time: 38 seconds, over twice as long as a lost one is waited for.
    run = deployment.slice(1, 300)
    assert _ended(run) == [0]
    # The message came again, and whoever got it saw that somebody was at it.
    assert "requeue=True: in work" in deployment.log("first") + deployment.log("second")
    assert sorted(deployment.visits()) == list(range(1, 301))


def test_sources_are_loaded_side_by_side_once(deployment: Deployment, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.yml"
    accounts.write_text("plytix:\n  default: {}\n  eu: {}\n")
    deployment.karvon = deployment.karvon.having(
        KARVON_CONNECTIONS_FILE=str(accounts), KARVON_MARKETS="true", KARVON_SANDBOX_PRODUCTS="300"
    )
    for name in ("first", "second"):
        deployment.worker(name)
    deployment.karvon.sandbox.switch("uzex.latency_ms", 200)
    accounts_of = {"raw_plytix/products": 2, "raw_webflow/products": 1, "raw_uzex/auction_deals": 1}
    assert _ended(deployment.run("sync", *accounts_of)) == [0]
    for table, connections in accounts_of.items():
        (found,) = deployment.karvon.rows(
            "SELECT count(*) AS n, count(DISTINCT (connection, document_key)) AS keys, "
            f"count(DISTINCT connection) AS connections FROM {table.replace('/', '.')}"
        )
        assert found["n"] == found["keys"] > 0
        assert found["connections"] == connections
    taken = deployment.taken("sync_job")
    assert sorted(what for steps in taken.values() for what, *_ in steps) == [
        "load_plytix", "load_uzex", "load_webflow",
    ]  # fmt: skip
    first, second = (steps[0] for steps in taken.values())
    assert max(first[1], second[1]) < min(first[2], second[2])


def test_the_whole_chain_by_workers_that_share_no_folder(deployment: Deployment, tmp_path: Path) -> None:
    for name in ("first", "second"):
        deployment.worker(name, KARVON_HOME=str(tmp_path / name))
    assert _ended(deployment.run("sync")) == [0]
    taken = deployment.taken("sync_job")
    assert {"load_plytix", "load_webflow", "dbt_models", "webflow_store"} <= {
        what for steps in taken.values() for what, *_ in steps
    }
    assert set(taken) == {"first@here", "second@here"}
    # What a step left in a folder, another machine could not read.
    assert not [*tmp_path.glob("*/sandbox/dagster/storage/**/*")]
    assert deployment.karvon.sandbox.writes()
