"""The jobs of a shop team: approve, apply, undo and retry without a terminal; and the message about held rows."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from shop_bench import Bench

from karvon.settings import Settings, load_settings
from karvon.warehouse import Warehouse
from orchestration.cli import cli
from orchestration.dbt import Stale
from orchestration.defs.messages import tell_about_held_rows
from orchestration.defs.review import review
from reverse_etl.state.stored_plans import latest_plan_id, load_plan

_accounts = itertools.count()


@pytest.fixture
def shop(
    duckdb_url: str, sandbox_url: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """A shop of its own, with one product; the jobs reach it instead of the one in the settings."""
    made = Bench(Warehouse(duckdb_url), sandbox_url, tmp_path, f"jobs{next(_accounts)}")
    monkeypatch.setattr("orchestration.defs.review.channels", lambda _: made.channels)
    monkeypatch.setattr("orchestration.defs.review.look_again", lambda *_: made.mirror())
    made.overrides = {"webflow__skus": {"guards": {"max_price_change": "30%"}}}
    made.product("p1")
    made.run()
    made.mirror()
    yield made
    made.close()


def run(shop: Bench, job: str, op: str, **config: Any) -> dg.ExecuteInProcessResult:
    jobs = review(load_settings(), shop.warehouse, shop.syncs).jobs or []
    (found,) = [one for one in jobs if one.name == job]
    assert isinstance(found, dg.JobDefinition)
    return found.execute_in_process(run_config={"ops": {op: {"config": config}}}, raise_on_error=False)


def price(shop: Bench) -> int:
    return int(shop.shop()["products"]["p-p1"]["skus"][0]["fields"]["price"]["value"])


def test_a_held_price_is_approved_applied_and_undone_by_jobs(shop: Bench) -> None:
    shop.change("skus", "p1", price_minor=9999)
    assert shop.plan().is_empty
    assert run(shop, "approve_rows", "approve_held_rows", approver="Malika").success
    assert shop.rows("SELECT approver FROM reverse_etl.approvals") == [{"approver": "Malika"}]
    plan = shop.plan()
    assert run(shop, "apply_plan", "apply_stored_plan", plan_id=plan.plan_id).success
    assert price(shop) == 9999
    assert run(shop, "undo_plan", "plan_the_way_back", plan_id=plan.plan_id).success
    back = latest_plan_id(shop.warehouse) or ""
    assert load_plan(shop.warehouse, back).undoes == plan.plan_id
    assert run(shop, "apply_plan", "apply_stored_plan", plan_id=back).success
    assert price(shop) == 1999


def test_the_commands_list_what_waits_and_let_it_go(shop: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KARVON_PROFILE", "sandbox")
    monkeypatch.setenv("KARVON_HOME", str(shop.folder / "home"))
    monkeypatch.setenv("KARVON_WAREHOUSE_URL", shop.warehouse.url)

    def command(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, arguments)
        return done.exit_code, done.output

    assert command("held") == (0, "0 not ready, 0 wait for a person, 0 refused.\n")
    shop.change("skus", "p1", price_minor=9999)
    shop.plan()
    status, said = command("held")
    assert status == 3
    assert "webflow__skus p1 [max_price_change]" in said
    assert [row["key"] for row in json.loads(command("held", "--json")[1])["rows"]] == ["p1"]
    # Nothing else would change, and the plan says all the same that somebody is waited for.
    monkeypatch.setattr("orchestration.dbt.read_manifest", lambda *_: {})
    monkeypatch.setattr("orchestration.built.stale_above", lambda *_: Stale((), False))
    monkeypatch.setattr("reverse_etl.spec.manifest.read_syncs", lambda *_: shop.syncs)
    status, said = command("plan")
    assert (status, "0 changes" in said, "1 waits for a person" in said) == (3, True, True), said
    assert command("approve")[0] == 2
    assert command("approve", "--key", "p2")[0] == 1
    assert command("approve", "--key", "p1", "--by", "Malika") == (
        0,
        "Malika approved max_price_change of webflow__skus p1\n",
    )
    assert [one.key for one in shop.plan().operations] == ["p1"]
    status, said = command("held")
    assert (status, said.splitlines()[-1]) == (0, "0 not ready, 0 wait for a person, 0 refused.")


def test_a_job_that_has_nothing_to_do_or_may_not_says_why(shop: Bench) -> None:
    for job, op, config in (
        ("approve_rows", "approve_held_rows", {"approver": "Malika", "rule": "max_emptied"}),
        ("undo_plan", "plan_the_way_back", {"plan_id": shop.plan().plan_id}),
        ("apply_plan", "apply_stored_plan", {"plan_id": "nothing"}),
    ):
        result = run(shop, job, op, **config)
        assert not result.success
        failure = next(event for event in result.all_events if event.is_step_failure)
        assert failure.step_failure_data.user_failure_data is not None


def test_rows_that_begin_to_wait_are_told_once_with_a_link(
    shop: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[bytes] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("KARVON_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{server.server_port}/hook")
        settings: Settings = load_settings()
        shop.change("skus", "p1", price_minor=9999)
        for _ in range(2):
            tell_about_held_rows(settings, shop.warehouse, shop.plan(), "run-1")
        server.shutdown()
    (message,) = received
    text = json.loads(message)["text"]
    assert "webflow__skus p1: price would move by +400%, and max_price_change is 30%" in text
    assert text.endswith("http://127.0.0.1:3000/runs/run-1")
