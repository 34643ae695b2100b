"""One state of a shop, asked in every place: not ready, waiting and refused rows are the same numbers everywhere."""

from __future__ import annotations

import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from rich.console import Console
from served_sandbox import served_sandbox
from shop_bench import Bench

from karvon.published import publish
from karvon.settings import PROJECT_ROOT, load_settings
from karvon.warehouse import Warehouse
from orchestration.cli import cli
from orchestration.cli.run import _summary
from orchestration.defs.activation import activation
from reports.plan import plan_page
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.plan import make_plan
from reverse_etl.state.stored_plans import latest_plan_id, load_plan

_accounts = itertools.count()
RIGHT = {"not_ready": 7, "waits": 2, "refused": 2}
BY_SYNC = {
    "webflow__products": {"not_ready": 4, "waits": 0, "refused": 1},
    "webflow__skus": {"not_ready": 3, "waits": 2, "refused": 1},
}
SPOKEN = "7 not ready, 2 wait for a person (`karvon held`), 2 refused (`karvon errors`)"


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_sandbox(tmp_path_factory.mktemp("sandbox"), products=1) as url:
        yield url


@pytest.fixture
def shop(
    warehouse: Warehouse, sandbox_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    made = Bench(warehouse, sandbox_url, tmp_path, f"words{next(_accounts)}")
    made.overrides = {"webflow__skus": {"guards": {"max_price_change": "30%"}}}
    monkeypatch.setenv("KARVON_PROFILE", "sandbox")
    monkeypatch.setenv("KARVON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KARVON_WAREHOUSE_URL", warehouse.url)
    monkeypatch.setattr("orchestration.defs.activation.channels", lambda *_: made.channels)
    monkeypatch.setattr("orchestration.defs.activation.look_again", lambda *_: made.mirror())
    yield made
    made.close()


Ran = tuple[tuple[int, str], dict[str, dict[str, Any]], dict[tuple[str, str], bool]]


def run(shop: Bench) -> Ran:
    """What `karvon run` ends with (exit status, summary), metadata by sync, and checks, of one Dagster run."""
    shop.build()
    syncs = tuple(shop.syncs)
    assets = list(activation(load_settings(), shop.warehouse, syncs).assets or ())
    result = dg.materialize(
        assets, run_config={"ops": {"webflow_store": {"config": {"apply": True}}}}, raise_on_error=False
    )
    metadata = {
        "__".join(one.asset_key.path): {name: value.value for name, value in one.metadata.items()}
        for one in (event.materialization for event in result.get_asset_materialization_events())
    }
    checks = {
        ("__".join(one.asset_key.path), one.check_name): one.passed
        for one in result.get_asset_check_evaluations()
    }
    # As after every run: on DuckDB people look into the copy.
    publish(load_settings(), shop.warehouse)
    console = Console(file=io.StringIO(), width=400)
    status = _summary(console, load_settings(), result, 1.0)
    return (status, console.file.getvalue()), metadata, checks


def told(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, arguments)
    return done.exit_code, done.output


def view(warehouse: Warehouse) -> dict[str, dict[str, int]]:
    """`marts.sync_outstanding` as dbt would build it."""
    text = (PROJECT_ROOT / "dbt_project/models/marts/operations/sync_outstanding.sql").read_text()
    text = re.sub(r"\{#.*?#\}", "", text).replace(
        "{{ source('reverse_etl', 'outstanding') }}", "reverse_etl.outstanding"
    )
    with warehouse.session() as session:
        rows = session.rows(text)
    return {row["sync"]: {word: row[f"{word}_count"] for word in RIGHT} for row in rows}


def fill(shop: Bench) -> None:
    """Two rows out; then one state with rows of every kind."""
    for key in ("sold", "dear", "cheap"):
        shop.product(key)
    assert run(shop)[0][0] == 0
    # Not ready: a product with its two SKUs, one SKU, a product without a key, two that share one.
    shop.product("draft", sizes=("S", "M"), hold_reasons="status is Draft")
    shop.change("skus", "sold", hold_reasons="it has no picture")
    for name, key in (("nameless", None), ("twin", "twin"), ("other", "twin")):
        shop.product(name, product_key=key)
        shop.drop_skus(name)
    # Waits: two prices that fell too far. Refused: a product that comes with its SKU.
    shop.change("skus", "dear", price_minor=90, weight=2.0)
    shop.change("skus", "cheap", price_minor=10)
    shop.product("odd", tax_category="no such category")


def test_one_state_is_counted_the_same_everywhere(shop: Bench) -> None:
    fill(shop)
    # In the second run nothing is sent again: the rows stand refused, and the sync is red still.
    for _ in range(2):
        (status, said), metadata, checks = run(shop)
        assert status == 1
        assert SPOKEN in said
        plan = load_plan(shop.warehouse, latest_plan_id(shop.warehouse) or "")
        assert plan.tally.as_row() == RIGHT
        assert {name: plan.tallies[name].as_row() for name in BY_SYNC} == BY_SYNC
        assert SPOKEN in plan.summary()
        assert SPOKEN in plan.to_markdown(rows=3)
        shown = json.loads(plan.to_json())
        assert {word: shown[word] for word in RIGHT} == RIGHT
        assert view(shop.warehouse) == BY_SYNC
        for sync, counts in BY_SYNC.items():
            assert {word: metadata[sync][word] for word in RIGHT} == counts
            assert checks[sync, "shop_equals_view"] is False
        standing = json.loads(told("status", "--json")[1])
        assert {word: standing[word] for word in RIGHT} == RIGHT
        by_sync = {row["sync"]: {word: row[word] for word in RIGHT} for row in standing["syncs"]}
        assert {name: by_sync[name] for name in BY_SYNC} == BY_SYNC
        assert SPOKEN in told("status")[1]
        code, said = told("held")
        assert (code, SPOKEN in said) == (3, True)
        held = json.loads(told("held", "--json")[1])
        assert len({(row["sync"], row["key"]) for row in held["rows"]}) == RIGHT["waits"]
        assert SPOKEN in told("errors")[1]
        assert len(json.loads(told("errors", "--json")[1])) == RIGHT["refused"]
        page = plan_page(shop.warehouse, plan, shop.syncs, DESTINATIONS)
        (content,) = re.findall(r'<script[^>]*id="content"[^>]*>(.*?)</script>', page, re.DOTALL)
        assert json.loads(content)["tally"] == RIGHT


def test_what_a_person_decides_or_mends_counts_no_more(shop: Bench) -> None:
    fill(shop)
    run(shop)
    assert told("approve", "--key", "dear")[0] == 0
    assert json.loads(told("held", "--json")[1])["waits"] == 1
    assert told("approve", "--all", "--by", "Zuhra")[0] == 0
    assert told("held")[0] == 0
    del shop.tables["webflow__products"]["nameless"], shop.tables["webflow__products"]["twin"]
    shop.drop("other")
    shop.drop("odd")
    for table in ("products", "skus"):
        for row in shop.tables[f"webflow__{table}"].values():
            row["hold_reasons"] = None
    (status, _), metadata, checks = run(shop)
    assert status == 0
    assert all(checks.values())
    assert all(metadata[sync][word] == 0 for sync in BY_SYNC for word in RIGHT)
    said = "0 not ready, 0 wait for a person, 0 refused."
    assert all(said in told(command)[1] for command in ("held", "errors", "status"))
    assert set(view(shop.warehouse)) == set()


def test_a_blocked_plan_waits_as_a_whole_until_somebody_allows_it(shop: Bench) -> None:
    shop.overrides = {"webflow__products": {"guards": {"max_creates": 1}}}
    for number in range(3):
        shop.product(f"new{number}")
    (status, said), metadata, _ = run(shop)
    assert (status, "6 wait for a person" in said) == (3, True)
    assert (metadata["webflow__products"]["waits"], metadata["webflow__skus"]["waits"]) == (3, 3)
    plan_id = latest_plan_id(shop.warehouse) or ""
    assert load_plan(shop.warehouse, plan_id).tally.waits == 6
    code, said = told("held")
    assert code == 3
    assert f"plan {plan_id} is blocked by max_creates" in said
    assert "6 wait for a person" in said
    # Another destination plans afterwards: the blocked one waits all the same.
    make_plan(
        shop.warehouse,
        [one for one in shop.syncs if one.name == "webflow__categories"],
        DESTINATIONS,
    )
    assert told("held")[0] == 3
    assert told("approve", "--plan", plan_id)[0] == 0
    assert told("held")[0] == 0
    assert load_plan(shop.warehouse, plan_id).status == "ready"
    assert shop.apply(load_plan(shop.warehouse, plan_id)).applied == 6


def test_a_stock_that_got_through_does_not_hide_its_refused_row(shop: Bench) -> None:
    shop.product("lamp")
    run(shop)
    shop.change("skus", "lamp", main_image_url="https://img.example/not an image", stock_quantity=7)
    run(shop)
    assert [(row["key"], row["status"]) for row in json.loads(told("errors", "--json")[1])] == [
        ("lamp", "failed")
    ]
    shop.change("skus", "lamp", main_image_url="https://img.example/lamp-2.png")
    assert run(shop)[0][0] == 0
    assert json.loads(told("errors", "--json")[1]) == []
