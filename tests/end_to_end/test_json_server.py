"""A real API server of others, installed from npm: its source is added, read and measured without any Python."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from karvon_command import Karvon, free_port, until

_ORDERS = [
    {
        "id": number,
        "created_at": f"2026-03-{1 + number % 20:02}T12:00:00Z",
        "updated_at": f"2026-03-{1 + number % 20:02}T12:00:00Z",
        "status": "paid" if number % 5 else "cancelled",
        "total": round(10 + number * 1.37, 2),
        "currency": "EUR",
        "customer": {"id": number % 9, "email": f"person{number % 9}@shop.example"},
    }
    for number in range(1, 61)
]


@pytest.fixture
def json_server(tmp_path: Path) -> Iterator[str]:
    """json-server with sixty orders."""
    npm, node = shutil.which("npm"), shutil.which("node")
    assert npm, "npm is not on the PATH; on Debian: apt-get install -y nodejs npm"
    assert node, "node is not on the PATH; on Debian: apt-get install -y nodejs npm"
    folder = tmp_path / "json-server"
    folder.mkdir()
    (folder / "db.json").write_text(json.dumps({"orders": _ORDERS}))
    install = [
        npm,
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        folder,
        "json-server@0.17.4",
    ]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"npm cannot install json-server; is the registry reachable?\n{done.stderr[-2000:]}"
    )
    port = free_port()
    program = folder / "node_modules" / "json-server" / "lib" / "cli" / "bin.js"
    server = subprocess.Popen(
        [node, program, "--host", "127.0.0.1", "--port", str(port), "--quiet", "db.json"], cwd=folder
    )
    url = f"http://127.0.0.1:{port}"
    until(lambda: _answers(url))
    yield url
    server.terminate()
    server.wait(10)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/orders/1", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _days(orders: list[dict[str, Any]]) -> dict[str, tuple[int, Decimal]]:
    """Day → paid orders and what they came to."""
    found: dict[str, tuple[int, Decimal]] = {}
    for order in orders:
        if order["status"] == "paid":
            count, amount = found.get(order["created_at"][:10], (0, Decimal()))
            found[order["created_at"][:10]] = (count + 1, amount + Decimal(str(order["total"])))
    return found


def _measured(karvon: Karvon) -> dict[str, tuple[int, Decimal]]:
    rows = karvon.rows(
        "SELECT CAST(metric_date AS text) AS day, order_count, gross_amount FROM marts.user_metrics_daily "
        "WHERE user_id = 'olga' AND order_count > 0"
    )
    return {row["day"]: (row["order_count"], row["gross_amount"]) for row in rows}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_source_of_a_real_server_is_added_read_and_measured_without_python(
    fresh: Karvon, json_server: str, tmp_path: Path
) -> None:
    registry = tmp_path / "registry"
    karvon = fresh.having(KARVON_SOURCES_DIR=str(registry))
    karvon.serve()
    try:
        added = karvon(
            "sources", "add", "--user", "olga", "--source", "shop", "--url", json_server,
            "--path", "orders?_page=1&_limit=25", "--auth", "none", "--since-param", "updated_at_gte", "--yes",
        )  # fmt: skip
        assert added.status == 0, added.output
        resource = yaml.safe_load((registry / "olga" / "shop.yml").read_text())["resources"][0]
        assert resource["paginator"] == {"type": "header_link"}
        assert (resource["key"], resource["entity"]) == ("id", "order")
        assert (
            "25 records on the first page, paging: header_link"
            in karvon("sources", "test", "olga/shop").output
        )
        chain = '+key:"user_apis/reports"'
        first = karvon("run", "--select", chain, seconds=400)
        assert first.status == 0, first.output
        assert _measured(karvon) == _days(_ORDERS)
        # An order is cancelled there: only its day changes here, and only what changed since is asked for.
        changed = {**_ORDERS[-1], "status": "cancelled", "updated_at": "2026-04-01T00:00:00Z"}
        request = urllib.request.Request(
            f"{json_server}/orders/60", method="PUT", data=json.dumps(changed).encode(),
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        urllib.request.urlopen(request, timeout=10).close()
        second = karvon("run", "--select", chain, seconds=400)
        assert "records 1 changed" in second.output
        assert _measured(karvon) == _days([*_ORDERS[:-1], changed])
        assert "olga" in karvon("metrics", "--user", "olga", "--days", "7").output
        assert (karvon.home / "sandbox" / "reports" / "users" / "olga.html").exists()
    finally:
        karvon.stop_serving()
