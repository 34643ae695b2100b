"""Kills, lost answers, two runs at once, and stock that moves meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.state import leases
from reverse_etl.state.leases import Busy, hold
from reverse_etl.state.operations import now

TARGET = ("webflow_store", "default")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def shape(bench) -> dict[str, tuple[int, int]]:
    """Slug → SKUs, broken variants."""
    return {
        slug: (len(one["skus"]), one["broken_variants"]) for slug, one in bench.shop()["products"].items()
    }


def filled(bench) -> None:
    bench.category("c1")
    bench.product("p1", category_keys='["c1"]')
    bench.product("p2", sizes=("S", "M", "L"))
    bench.change("skus", "p2-M", stock_quantity=3)
    bench.mirror()


WHOLE = {"p-p1": (1, 0), "p-p2": (3, 0)}


@pytest.mark.parametrize("path", ["/items$", "/products$", "/skus$", "/inventory$"])
def test_an_answer_that_never_comes_is_looked_up_and_nothing_is_doubled(bench, path) -> None:
    filled(bench)
    bench.fault("drop_after_processing", path=path, times=1)
    result = bench.apply(bench.plan())
    assert (result.failed, result.stopped) == (0, None), result.errors
    assert shape(bench) == WHOLE
    assert len(bench.shop()["categories"]) == 1
    assert bench.settle().is_empty


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("body", [{}, [], "ok"])
def test_an_answer_of_another_shape_is_no_traceback_and_nothing_is_doubled(bench, method, body) -> None:
    filled(bench)
    if method == "PATCH":
        bench.apply(bench.plan())
        bench.mirror()
        bench.change("products", "p1", name="New")
        bench.change("skus", "p2-L", price_minor=5)
    # A proxy answers in place of the API: nothing was carried out, whatever the status says.
    bench.fault("status", method=method, path="/(products|skus)(/[^/]*)?$", times=2, status=200, body=body)
    result = bench.apply(bench.plan())
    assert (result.failed, result.stopped) == (0, None), result.errors
    assert bench.settle().is_empty
    assert shape(bench) == WHOLE


@pytest.mark.parametrize("path", ["/items$", "/products$", "/skus$", "/inventory$"])
def test_a_request_that_never_arrived_is_sent_again(bench, path) -> None:
    filled(bench)
    bench.fault("drop_connection", path=path, times=1)
    result = bench.apply(bench.plan())
    assert (result.failed, result.stopped) == (0, None), result.errors
    assert shape(bench) == WHOLE
    assert bench.settle().is_empty


@pytest.mark.parametrize("stage", range(4))
@pytest.mark.parametrize("is_sent", [False, True])
def test_a_run_killed_around_a_write_is_resumed_without_doubles(bench, monkeypatch, stage, is_sent) -> None:
    filled(bench)
    plan = bench.plan()
    genuine, calls = StoreChannel.send, []

    async def send(self, call):
        if call[0].stage == stage:
            if is_sent:
                await genuine(self, call)
            raise Killed
        calls.append(call)
        return await genuine(self, call)

    monkeypatch.setattr(StoreChannel, "send", send)
    with pytest.raises(Killed):
        bench.apply(plan)
    monkeypatch.setattr(StoreChannel, "send", genuine)
    assert bench.rows("SELECT * FROM reverse_etl.operations WHERE status = 'sent'")
    assert bench.recover() > 0
    result = bench.run()
    assert result.failed == 0, result.errors
    assert shape(bench) == WHOLE
    assert len(bench.shop()["categories"]) == 1
    assert bench.settle().is_empty


@pytest.mark.parametrize(("is_sent", "status"), [(False, "skipped"), (True, "done")])
def test_an_update_that_a_killed_run_left_is_looked_at(bench, monkeypatch, is_sent, status) -> None:
    filled(bench)
    bench.run()
    bench.change("products", "p1", name="Renamed")
    bench.mirror()
    plan = bench.plan()
    genuine = StoreChannel.send

    async def send(self, call):
        if is_sent:
            await genuine(self, call)
        raise Killed

    monkeypatch.setattr(StoreChannel, "send", send)
    with pytest.raises(Killed):
        bench.apply(plan)
    monkeypatch.setattr(StoreChannel, "send", genuine)
    assert bench.recover() == 1
    journal = f"SELECT status FROM reverse_etl.operations WHERE plan_id = '{plan.plan_id}'"
    assert bench.rows(journal) == [{"status": status}]
    assert bench.run().applied == (0 if is_sent else 1)
    assert bench.settle().is_empty


KILLING = """import os, signal, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from pydantic import SecretStr
from karvon.connections import WebflowConnection
from karvon.warehouse import Warehouse
from reverse_etl.applying.apply import apply_plan
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.spec.manifest import read_syncs

_, _, url, manifest, base_url, site, account, plan_id, stage = sys.argv
genuine = StoreChannel.send

async def send(self, call):
    outcomes = await genuine(self, call)
    if call[0].stage == int(stage):
        os.kill(os.getpid(), signal.SIGKILL)
    return outcomes

StoreChannel.send = send
connection = WebflowConnection("default", base_url, site, SecretStr(f"sandbox-token-{account}"), ())
channels = {("webflow_store", "default"): lambda syncs: StoreChannel(connection, syncs)}
apply_plan(Warehouse(url), plan_id, read_syncs(Path(manifest), "sandbox"), DESTINATIONS, channels)
"""


@pytest.mark.parametrize("stage", [1, 2])
def test_a_process_killed_between_a_create_and_its_answer_doubles_nothing(bench, stage) -> None:
    filled(bench)
    plan = bench.plan()
    arguments = [
        str(Path(__file__).parents[2]), bench.warehouse.url, str(bench.folder / "manifest.json"),
        bench.connection.base_url, bench.site_id, bench.account, plan.plan_id, str(stage),
    ]  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", KILLING, *arguments], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    result = bench.run()
    assert result.failed == 0, result.errors
    assert shape(bench) == WHOLE
    assert bench.settle().is_empty


def test_the_same_plan_can_be_taken_up_after_a_kill(bench, monkeypatch) -> None:
    filled(bench)
    plan = bench.plan()
    genuine = StoreChannel.send

    async def send(self, call):
        if call[0].resource == "skus":
            raise Killed
        return await genuine(self, call)

    monkeypatch.setattr(StoreChannel, "send", send)
    with pytest.raises(Killed):
        bench.apply(plan)
    monkeypatch.setattr(StoreChannel, "send", genuine)
    result = bench.apply(plan)
    assert result.failed == 0, result.errors
    bench.run()
    assert shape(bench) == WHOLE
    assert bench.settle().is_empty


def test_a_destination_that_is_down_stops_the_run_and_the_next_one_finishes_it(bench, monkeypatch) -> None:
    from karvon import http

    monkeypatch.setattr(http, "wait_before_retry", lambda _: 0.01)
    filled(bench)
    plan = bench.plan()
    bench.fault("drop_connection", path="/", times=0)
    result = bench.apply(plan)
    assert "does not answer" in result.stopped
    bench.control.delete("/faults")
    result = bench.run()
    assert result.failed == 0, result.errors
    assert shape(bench) == WHOLE
    assert bench.settle().is_empty


def test_only_one_run_applies_to_a_connection(bench) -> None:
    filled(bench)
    plan = bench.plan()
    with hold(bench.warehouse, [TARGET]), pytest.raises(Busy, match="is applying"):
        bench.apply(plan)
    assert bench.apply(plan).failed == 0


@pytest.mark.parametrize("holder", ["elsewhere:1:x", None])
def test_the_lease_of_a_dead_run_ends(bench, holder) -> None:
    filled(bench)
    plan = bench.plan()
    expires = now() - timedelta(seconds=1) if holder else now() + timedelta(minutes=2)
    dead = holder or f"{leases.socket.gethostname()}:99999999:x"
    with bench.warehouse.session() as session:
        session.execute(
            "INSERT INTO reverse_etl.leases VALUES ($1, $2, $3, $4, $5)", (*TARGET, dead, now(), expires)
        )
    assert bench.apply(plan).failed == 0


def test_a_lease_of_another_machine_is_taken_for_alive_until_it_expires(bench) -> None:
    filled(bench)
    plan = bench.plan()
    with bench.warehouse.session() as session:
        session.execute(
            "INSERT INTO reverse_etl.leases VALUES ($1, $2, $3, $4, $5)",
            (*TARGET, "elsewhere:99999999:x", now(), now() + timedelta(minutes=2)),
        )
    with pytest.raises(Busy, match="elsewhere:99999999:x"):
        bench.apply(plan)
    assert bench.requests() == []


def test_a_lease_is_about_one_connection_and_a_lost_one_stops_the_run(bench) -> None:
    """A site that is busy keeps nobody from another, and a run whose lease was taken writes no more."""
    filled(bench)
    plan = bench.plan()
    with hold(bench.warehouse, [("webflow_store", "other site"), ("webflow_cms", "default")]) as other:
        assert bench.apply(plan).failed == 0
        with bench.warehouse.session() as session:
            other.renew(session)
            before = session.rows("SELECT connection, expires_at FROM reverse_etl.leases ORDER BY 1")
            assert [row["connection"] for row in before] == ["default", "other site"]
            session.execute("UPDATE reverse_etl.leases SET holder = 'thief:1:x' WHERE connection = 'default'")
            with pytest.raises(leases.LeaseLost, match="webflow_cms"):
                other.renew(session)
    assert bench.rows("SELECT holder FROM reverse_etl.leases") == [{"holder": "thief:1:x"}]


def stock(bench) -> int:
    return bench.shop()["products"]["p-p1"]["skus"][0]["inventory"]["quantity"]


def stocked(bench) -> None:
    bench.product("p1")
    bench.change("skus", "p1", stock_quantity=10)
    bench.run()
    bench.mirror()


def test_a_sale_between_plan_and_apply_is_not_overwritten(bench) -> None:
    stocked(bench)
    bench.change("skus", "p1", stock_quantity=15)
    plan = bench.plan()
    assert plan.request_count == 3
    bench.sale("CODE-p1", 2)
    result = bench.apply(plan)
    assert stock(bench) == 13
    assert "moved from 10 to 8" in result.notes[0]
    assert bench.settle().is_empty


def test_a_moved_stock_is_held_where_the_sync_says_so(bench) -> None:
    bench.overrides = {"webflow__skus": {"on_moved": "hold"}}
    stocked(bench)
    bench.change("skus", "p1", stock_quantity=15)
    plan = bench.plan()
    bench.sale("CODE-p1", 2)
    assert bench.apply(plan).deferred == 1
    assert stock(bench) == 8


def test_sales_in_the_shop_alone_change_nothing_and_are_told(bench) -> None:
    stocked(bench)
    bench.sale("CODE-p1", 4)
    plan = bench.settle()
    assert plan.is_empty
    assert [(one.kind, one.field) for one in plan.findings] == [("drift", "inventory")]
    assert stock(bench) == 6


def test_a_known_stock_is_written_when_the_pim_changes_it(bench) -> None:
    stocked(bench)
    bench.sale("CODE-p1", 4)
    bench.mirror()
    bench.change("skus", "p1", stock_quantity=20)
    bench.apply(bench.plan())
    assert stock(bench) == 20
    assert len(bench.requests()) == 3


def test_a_stock_write_whose_outcome_nobody_can_tell_is_left_to_a_person(bench, monkeypatch) -> None:
    stocked(bench)
    bench.change("skus", "p1", stock_quantity=15)
    genuine = StoreChannel.send

    async def send(self, call):
        await genuine(self, call)
        bench.sale("CODE-p1", 1)
        raise Killed

    monkeypatch.setattr(StoreChannel, "send", send)
    with pytest.raises(Killed):
        bench.apply(bench.plan())
    monkeypatch.setattr(StoreChannel, "send", genuine)
    bench.recover()
    plan = bench.plan()
    assert plan.is_empty
    assert plan.findings[0].kind == "refused"
    assert "15 was sent without an answer, and now it is 14" in plan.findings[0].message
    assert stock(bench) == 14
