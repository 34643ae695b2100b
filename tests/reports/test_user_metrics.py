"""`karvon metrics` and `karvon report` on both engines: the marts' numbers, in the terminal and as a file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hand_made_marts import LAST, make_marts

from karvon.warehouse import Warehouse
from orchestration.cli import cli
from orchestration.cli.metrics import sparkline


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, warehouse: Warehouse) -> Iterator[None]:
    before = dict(os.environ)
    os.environ |= {
        "KARVON_HOME": str(tmp_path / "home"),
        "KARVON_WAREHOUSE_URL": warehouse.url,
        "COLUMNS": "160",
    }
    yield
    os.environ.clear()
    os.environ |= before


def karvon(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_days_totals_and_sources_are_the_marts(warehouse: Warehouse) -> None:
    make_marts(warehouse)
    told = json.loads(karvon("metrics", "--user", "anna", "--days", "14", "--json").output)
    with warehouse.session() as session:
        net = session.value(
            "SELECT sum(net_amount) FROM marts.user_metrics_daily WHERE metric_date > $1",
            (LAST - timedelta(14),),
        )
    assert Decimal(told["totals"]["net_amount"]) == net
    assert len(told["days"]) == 14
    assert [(one["source_id"], one["outcome"]) for one in told["sources"]] == [
        ("ads", "failed"), ("crm", "refused"), ("shop", "complete"),
    ]  # fmt: skip
    shown = karvon("metrics", "--user", "anna", "--days", "14").output
    assert f"{net:,.2f}" in shown
    assert "said no. (paused; `karvon sources list`)" in shown
    of_shop = json.loads(
        karvon("metrics", "--user", "anna", "--days", "14", "--source", "shop", "--json").output
    )
    assert Decimal(of_shop["totals"]["net_amount"]) == net


def test_who_is_not_there_is_told_and_what_is_known(warehouse: Warehouse) -> None:
    before = karvon("metrics", "--user", "anna")
    assert before.exit_code == 1
    assert "`karvon run` reads the sources" in before.output
    make_marts(warehouse)
    assert "There is no user dora; known are anna, boris." in karvon("metrics", "--user", "dora").output
    assert "anna has no source till; known are ads, crm, shop." in karvon(
        "metrics", "--user", "anna", "--source", "till"
    ).output  # fmt: skip
    assert "No figures yet" in karvon("metrics", "--user", "boris").output


def test_pages_are_written_where_they_are_wanted(warehouse: Warehouse, tmp_path: Path) -> None:
    make_marts(warehouse)
    out = tmp_path / "pages"
    assert f"Wrote {out / 'anna.html'}" in karvon("report", "--user", "anna", "--out", str(out)).output
    assert karvon("report", "--all", "--out", str(out)).output == (
        f"{out / 'anna.html'} is as it was\nWrote {out / 'boris.html'}\n"
    )
    assert karvon("report").exit_code == 2
    assert "There is no user dora" in karvon("report", "--user", "dora").output


def test_a_sparkline_has_a_bar_for_each_value() -> None:
    assert sparkline([0, 1, 4, 8, -3]) == "▁▂▅█▁"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""
