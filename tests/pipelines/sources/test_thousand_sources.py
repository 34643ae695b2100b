"""A thousand sources of a thousand records in one run: bounded memory, and nobody harms anybody else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from karvon.settings import PROJECT_ROOT
from karvon.warehouse import Warehouse

_HERE = Path(__file__).parent
_PROJECT = PROJECT_ROOT / "dbt_project"
_SOURCES, _ROWS, _CAP = 1_000, 1_000, 20_000
_ODD = ("hanging", "broken", "html", "endless")
_DEFINITION = """\
user_id: user{user}
source_id: {name}
base_url: http://127.0.0.1:{port}/{name}
rate_limit: {{requests: 1000, seconds: 1}}
limits: {{rows: {cap}, seconds: 60}}
resources:
  - name: orders
    path: orders
    paginator: {{type: page_number, page_param: page, base_page: 1, total_path: pages}}
    data_path: items
    key: id
    entity: order
    fields:
      ordered_at: created
      status: {{path: state, map: {{PAID: paid}}}}
      gross_amount: total
      currency: {{constant: EUR}}
      email: email
"""


@pytest.fixture
def port() -> Iterator[int]:
    """The APIs, served by a process of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    server = subprocess.Popen([sys.executable, _HERE / "thousand_apis.py", str(number), str(_ROWS)])
    while socket.socket().connect_ex(("127.0.0.1", number)):
        time.sleep(0.05)
    yield number
    # One of its answers hangs: it would wait for that.
    server.kill()
    server.wait(10)


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_a_thousand_sources_fit_in_memory_and_four_bad_ones_harm_none(
    tmp_path: Path, duckdb_url: str, port: int
) -> None:
    registry = tmp_path / "registry"
    registry.mkdir()
    names = [*_ODD, *(f"s{number}" for number in range(len(_ODD), _SOURCES))]
    for number, name in enumerate(names):
        text = _DEFINITION.format(user=number % 50, name=name, port=port, cap=_CAP)
        (registry / f"{name}.yml").write_text(text)
    done = subprocess.run(
        [sys.executable, _HERE / "ingest_and_measure.py", registry, duckdb_url],
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    runs = told["runs"]
    assert {name: runs[name][0] for name in _ODD} == {
        "hanging": "failed", "broken": "failed", "html": "failed", "endless": "capped",
    }  # fmt: skip
    assert _CAP < runs["endless"][1] <= 1.25 * _CAP
    fine = {name: run for name, run in runs.items() if name not in _ODD}
    assert len(fine) == _SOURCES - len(_ODD)
    assert {tuple(run) for run in fine.values()} == {("complete", _ROWS, None)}
    assert told["peak_megabytes"] < 1_536, told
    # Packages hold many sources: their number follows rows and time, not sources.
    assert told["packages"] < 100, told
    with Warehouse(duckdb_url).session() as session:
        landed = session.rows(
            "SELECT count(*) AS rows, count(DISTINCT (user_id, source_id, document_key)) AS records "
            "FROM raw_user_apis.records"
        )
    expected = (_SOURCES - len(_ODD)) * _ROWS + runs["endless"][1]
    assert landed == [{"rows": expected, "records": expected}]
    # The models are those of any number of sources, and know them all.
    assert _built(tmp_path, duckdb_url) == len([*_PROJECT.rglob("models/*/user_apis/*.sql")])
    with Warehouse(duckdb_url).session() as session:
        measured = session.rows(
            "SELECT count(DISTINCT (user_id, source_id)) AS sources, sum(order_count) AS orders "
            "FROM marts.source_metrics_daily"
        )
    assert measured == [{"sources": _SOURCES - len(_ODD) + 1, "orders": expected}]


def _built(folder: Path, duckdb_url: str) -> int:
    """Build the models of users' APIs; how many there were."""
    places = ["--project-dir", _PROJECT, "--profiles-dir", _PROJECT, "--target-path", folder / "target",
              "--log-path", folder / "logs"]  # fmt: skip
    dbt = Path(sys.executable).with_name("dbt")
    chosen = ["--exclude-resource-types", "test", "unit_test", "--select", "+path:models/marts/user_apis"]
    target = {"KARVON_DBT_TARGET": "duckdb", "KARVON_DUCKDB_PATH": duckdb_url.removeprefix("duckdb:///")}
    done = subprocess.run(
        [dbt, "build", *chosen, *places],
        env={**os.environ, **target}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    return sum(result["unique_id"].startswith("model.") for result in results)
