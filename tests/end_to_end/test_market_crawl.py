"""The crawl as processes: killed at random points, several workers at once, and at the rate that is allowed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from karvon_command import Karvon, kill, until

from karvon.settings import export_environment, load_settings
from orchestration.defs.crawl import allow_workers
from orchestration.instance import prepare_dagster_home

_HERE = Path(__file__).parent
_SLICE = 100


@pytest.fixture
def served(fresh: Karvon) -> Karvon:
    """An installation with a served market of 1,000 ids; nothing is crawled yet."""
    karvon = fresh.having(
        KARVON_SANDBOX_PRODUCTS="12",
        KARVON_SANDBOX_UZUM_IDS="1000",
        UZUM_SLICE_SIZE=str(_SLICE),
        UZUM_LAST_ID="1000",
        UZUM_STOP_AFTER_MISSING="0",
    )
    karvon.serve()
    karvon.sandbox.call("POST", "/uzum/reset", {"ids": 1000})
    return karvon


def _worker(karvon: Karvon, *arguments: str) -> subprocess.Popen[str]:
    variables = {**karvon.variables, "PYTHONPATH": os.pathsep.join([str(karvon.project), str(_HERE)])}
    command = [sys.executable, str(_HERE / "crawl_worker.py"), *arguments]
    return subprocess.Popen(
        command, cwd=karvon.project, env=variables, start_new_session=True, stdout=subprocess.PIPE, text=True
    )


def _said(process: subprocess.Popen[str], seconds: float = 300) -> list[dict[str, Any]]:
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, output
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def _visits(karvon: Karvon) -> list[int]:
    log = karvon.sandbox.requests(vendor="uzum", path="/product/")
    return [int(one["path"].rpartition("/")[2]) for one in log]


def _everything_landed_once(karvon: Karvon) -> None:
    rows = karvon.rows("SELECT document_key, document_hash FROM raw_uzum.products WHERE NOT is_deleted")
    there = {str(one["product"]) for one in karvon.sandbox.call("GET", "/uzum/products")["products"]}
    assert sorted(row["document_key"] for row in rows) == sorted(there)


@pytest.mark.proof
@pytest.mark.timeout(1200)
def test_a_crawl_killed_at_twenty_random_points_repeats_little_and_loses_nothing(served: Karvon) -> None:
    chance, visited = random.Random(4), Counter[int]()  # noqa: S311 - not for secrets
    for _ in range(20):
        served.sandbox.forget_requests()
        process = _worker(served, "rate", "100")
        until(lambda: _visits(served), 90)
        time.sleep(chance.uniform(0.05, 2))
        kill(process)
        tried = Counter(_visits(served))
        assert set(tried.values()) <= {1}
        visited += tried
    before = Counter({number: count - 1 for number, count in visited.items() if count > 1})
    # Of each kill at most one whole slice, and what was read ahead of it.
    assert sum(before.values()) <= 20 * 2 * _SLICE
    _said(_worker(served, "due"))
    _everything_landed_once(served)


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_workers_of_dagster_crawl_different_slices_at_once_and_no_id_twice(
    served: Karvon, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    karvon = served.having(KARVON_WAREHOUSE_URL=postgres_url, UZUM_SLICE_SIZE="300")
    keys = ["default ids 1-300", "default ids 301-600", "default ids 1-300"]
    for name in ("KARVON_HOME", "KARVON_SANDBOX_PORT", "KARVON_WAREHOUSE_URL"):
        monkeypatch.setenv(name, karvon.variables[name])
    settings = load_settings()
    prepare_dagster_home(settings)
    for name, value in settings.environment_for_children().items():
        monkeypatch.setenv(name, value)
    export_environment(settings)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("uzum_slices", sorted(set(keys)))
        allow_workers(instance, 3)
    karvon.sandbox.switch("uzum.latency_ms", 500)
    workers = [_worker(karvon, "job", key) for key in keys]
    assert [_said(worker)[-1]["success"] for worker in workers] == [True, True, True]
    visits = _visits(karvon)
    assert sorted(visits) == list(range(1, 601))
    # Both were under way at once.
    first, second = (
        [at for at, number in enumerate(visits) if (number <= 300) is low] for low in (True, False)
    )
    assert first[0] < second[-1]
    assert second[0] < first[-1]
    with dg.DagsterInstance.get() as instance:
        found = instance.get_materialized_partitions(dg.AssetKey(["crawl", "uzum_slices"]))
    assert found == set(keys)


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_an_allowed_rate_is_used_up_with_half_a_core_and_without_a_429(served: Karvon) -> None:
    karvon = served.having(UZUM_SLICE_SIZE="1000", UZUM_LAST_ID="3000")
    karvon.sandbox.call("PUT", "/limits", {"uzum": [{"requests": 100, "seconds": 1}]})
    karvon.sandbox.switch("uzum.latency_ms", 100)
    said = _said(_worker(karvon, "rate", "100"))
    log = karvon.sandbox.requests(vendor="uzum", path="/product/")
    times = [datetime.fromisoformat(one["at"]) for one in log]
    used = (len(log) - 1) / (max(times) - min(times)).total_seconds() / 100
    print(f"{used:.1%} of the rate, {said[-1]['cores']:.0%} of a core")  # noqa: T201
    assert {one["status"] for one in log} <= {200, 404}
    assert len(log) == 3000
    assert used >= 0.97
    assert said[-1]["cores"] < 0.6
