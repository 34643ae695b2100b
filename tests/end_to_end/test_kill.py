"""`kill -9` of a run at each stage: the next run ends where an undisturbed one would have."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import FirstRun
from karvon_command import Karvon, kill, until
from shop_and_view import differences, different_rows, marts, skus_of

Reached = Callable[[], Any]
_DAY = {"new_product": 3, "new_variant": 1, "price": 3, "stock": 3, "title": 1, "product_archived": 1}
_LONG = 120.0
"""Seconds that a request hangs: longer than a test waits for anything."""


@dataclass(frozen=True)
class Day:
    """A day of changes that waits to be moved, and how things stand once a run moved it undisturbed."""

    karvon: Karvon
    shop: dict[str, Any]
    marts: dict[str, list[str]]
    writes: int
    listings: int
    """How often the run listed the shop's products before its first write."""


@pytest.fixture(scope="session")
def day(first_run: FirstRun, tmp_path_factory: pytest.TempPathFactory) -> Day:
    assert first_run.done.status == 0, first_run.done.output
    waiting = shutil.copytree(first_run.karvon.home, tmp_path_factory.mktemp("day") / "waiting")
    karvon = replace(first_run.karvon, home=waiting, serving=[])
    karvon.serve()
    karvon.sandbox.next_day(**_DAY)
    karvon.stop_serving()
    moved = replace(karvon, home=shutil.copytree(waiting, waiting.with_name("moved")))
    moved.serve()
    done = moved("run")
    assert done.status == 0, done.output
    sandbox = moved.sandbox
    writes = sandbox.writes()
    listings = sandbox.requests(vendor="webflow", method="GET", path="/products$")
    found = Day(
        karvon, sandbox.shop(), marts(moved), len(writes),
        sum(one["seq"] < writes[0]["seq"] for one in listings),
    )  # fmt: skip
    moved.stop_serving()
    return found


@pytest.fixture
def waiting(day: Day, tmp_path: Path) -> Iterator[Karvon]:
    """An installation for which a day of changes waits."""
    karvon = replace(day.karvon, home=shutil.copytree(day.karvon.home, tmp_path / "home"), serving=[])
    karvon.serve()
    yield karvon
    karvon.stop_serving()


def _kill_when(karvon: Karvon, reached: Reached) -> None:
    """Start a run, wait until it is where it shall die, and kill it with all it started."""
    process = karvon.start("run")

    def here() -> Any:
        if found := reached():
            return found
        assert process.poll() is None, (karvon.home / "started.log").read_text()
        return None

    try:
        until(here, 90)
    finally:
        kill(process)
    karvon.sandbox.no_faults()


def _ends_as_if_undisturbed(karvon: Karvon, day: Day) -> None:
    done = karvon("run")
    assert done.status == 0, done.output
    assert differences(karvon) == []
    assert len(skus_of(karvon.sandbox.shop())) == len(skus_of(day.shop))
    assert karvon.sandbox.shop() == day.shop
    assert different_rows(marts(karvon), day.marts) == {}
    assert karvon("plan").status == 0


def _histories(karvon: Karvon) -> list[Path]:
    """Dagster's event logs, one for each run."""
    return sorted((karvon.home / "sandbox" / "dagster" / "history" / "runs").glob("*-*.db"), key=_born)


def _logged(history: Path, condition: str) -> bool:
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as log:
        try:
            return bool(log.execute(f"SELECT 1 FROM event_logs WHERE {condition}").fetchall())
        except sqlite3.OperationalError:  # not made yet
            return False


def _in_this_run(karvon: Karvon, *conditions: str) -> Reached:
    """The run that begins now has logged all of this."""
    before = len(_histories(karvon))

    def logged() -> bool:
        now = _histories(karvon)
        return len(now) > before and all(_logged(now[-1], condition) for condition in conditions)

    return logged


def _born(path: Path) -> int:
    return path.stat().st_ctime_ns


def _dbt_built(karvon: Karvon, model: str) -> Reached:
    """dbt says in its log that it made a model, after what the log holds now."""
    log = karvon.home / "sandbox" / "dbt" / "logs" / "dbt.log"
    before = log.stat().st_size

    def said() -> bool:
        with log.open("rb") as lines:
            lines.seek(before if log.stat().st_size >= before else 0)
            return any(b'"LogModelResult"' in line and model.encode() in line for line in lines)

    return said


@pytest.mark.slow
def test_killed_while_a_created_product_is_not_answered_it_is_not_created_twice(
    waiting: Karvon, day: Day
) -> None:
    hangs = {"kind": "delay_answer", "seconds": _LONG}
    waiting.sandbox.fault(vendor="webflow", method="POST", path="/products$", fault=hangs)
    products = len(waiting.sandbox.shop()["products"])
    _kill_when(waiting, waiting.sandbox.struck)
    assert len(waiting.sandbox.shop()["products"]) > products
    _ends_as_if_undisturbed(waiting, day)


@pytest.mark.slow
def test_killed_half_way_through_reading_plytix_nothing_is_lost(waiting: Karvon, day: Day) -> None:
    hangs = {"kind": "delay", "seconds": _LONG}
    waiting.sandbox.fault(vendor="plytix", path="/v2/products/search", after=1, fault=hangs)
    _kill_when(waiting, waiting.sandbox.struck)
    _ends_as_if_undisturbed(waiting, day)


@pytest.mark.slow
def test_killed_while_loads_are_written_to_the_warehouse(waiting: Karvon, day: Day) -> None:
    loads = waiting.warehouse.loads_folder
    _kill_when(waiting, lambda: list(loads.glob("plytix_*/*/load/normalized/*/started_jobs/*products*")))
    _ends_as_if_undisturbed(waiting, day)


@pytest.mark.slow
def test_killed_between_load_and_models(waiting: Karvon, day: Day) -> None:
    ended = "dagster_event_type = 'STEP_SUCCESS' AND step_key = "
    _kill_when(waiting, _in_this_run(waiting, f"{ended} 'load_plytix'", f"{ended} 'load_webflow'"))
    _ends_as_if_undisturbed(waiting, day)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["stg_plytix__products", "webflow__skus"])
def test_killed_while_dbt_builds(waiting: Karvon, day: Day, model: str) -> None:
    _kill_when(waiting, _dbt_built(waiting, model))
    _ends_as_if_undisturbed(waiting, day)


@pytest.mark.slow
def test_killed_with_a_plan_of_which_nothing_was_carried_out(waiting: Karvon, day: Day) -> None:
    for method in ("POST", "PATCH"):
        hangs = {"kind": "delay", "seconds": _LONG}
        waiting.sandbox.fault(vendor="webflow", method=method, times=0, fault=hangs)
    before = waiting.sandbox.shop()
    _kill_when(waiting, _in_this_run(waiting, "step_key = 'webflow_store' AND event LIKE '%\"plan 2%'"))
    newest = "SELECT status FROM reverse_etl.plans ORDER BY created_at DESC LIMIT 1"
    assert waiting.rows(newest) == [{"status": "ready"}]
    assert waiting.sandbox.shop() == before
    _ends_as_if_undisturbed(waiting, day)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/skus$", "delay_answer"),
        ("PATCH", "/products/[0-9a-f]+$", "delay"),
        ("PATCH", "/products/[0-9a-f]+$", "delay_answer"),
        ("PATCH", "/inventory$", "delay_answer"),
    ],
    ids=["new skus", "product not carried out", "product", "stock"],
)
def test_killed_between_the_sending_and_the_answer_of_a_write(
    waiting: Karvon, day: Day, method: str, path: str, kind: str
) -> None:
    waiting.sandbox.fault(vendor="webflow", method=method, path=path, fault={"kind": kind, "seconds": _LONG})
    _kill_when(waiting, waiting.sandbox.struck)
    _ends_as_if_undisturbed(waiting, day)


@pytest.mark.slow
def test_killed_after_the_last_write_before_the_end(waiting: Karvon, day: Day) -> None:
    hangs = {"kind": "delay", "seconds": _LONG}
    waiting.sandbox.fault(vendor="webflow", method="GET", path="/products$", after=day.listings, fault=hangs)
    _kill_when(waiting, waiting.sandbox.struck)
    assert len(waiting.sandbox.writes()) == day.writes
    assert waiting.sandbox.shop() == day.shop
    _ends_as_if_undisturbed(waiting, day)
