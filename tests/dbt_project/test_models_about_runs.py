"""Stored operations as tables: runs, errors, days, parity, and the clock from edit to live."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from dbt_build import Build

from reverse_etl.review import parity
from reverse_etl.state.operations import Operation
from reverse_etl.state.stored_plans import Plan, store_plan

# The clock counts the last 30 days.
DAY = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=2)


def at(hour: float, seconds: float = 0) -> datetime:
    return DAY + timedelta(hours=hour, seconds=seconds)


def operation(plan: str, seq: int, key: str, planned: float, **more: Any) -> Operation:
    given = {
        "sync": "webflow__skus", "destination": "webflow_store", "connection": "default", "resource": "skus",
        "action": "update", "changes": {"price": {"before": 1, "after": 2}}, "payload": {}, "status": "done",
        "planned_at": at(planned), "sent_at": at(planned, 10), "answered_at": at(planned, 20), **more,
    }  # fmt: skip
    return Operation(plan_id=plan, seq=seq, key=key, **given)


@pytest.fixture(scope="module")
def built(project: Build) -> Build:
    """Two runs: the first fills the shop, the second brings three edits, one of which is refused."""
    first = [
        operation("p1", 1, "a", 0, action="create", edited_at=at(-9000)),
        operation("p1", 2, "b", 0, action="create", edited_at=at(-9000)),
    ]
    second = [
        operation("p2", 1, "a", 2, edited_at=at(1.5)),
        operation("p2", 2, "b", 2, edited_at=at(1), changes={"price": {}, "name": {}}, answered_at=at(2, 40)),
        # Nobody edited it in between: drift that was overwritten.
        operation("p2", 3, "c", 2, edited_at=at(-1)),
        operation(
            "p2", 4, "d", 2, status="failed", error="Price is too odd", error_field="price", edited_at=at(1)
        ),
        operation("p2", 5, "e", 2, status="planned", sent_at=None, answered_at=None),
    ]
    with project.warehouse.session() as session, session.transaction():
        for name, status, listed in (("p1", "applied", first), ("p2", "partial", second)):
            plan = Plan(
                name, listed[0].planned_at or DAY, "sandbox", status, tuple(listed), (), (), {}, 9, 1.0
            )  # type: ignore[arg-type]
            store_plan(session, plan)
        session.execute(
            "INSERT INTO reverse_etl.traffic VALUES ('p2', 'webflow_store', 'default', $1, 12, 2)",
            (at(2, 50),),
        )
        rows = [
            {"plan_id": "p2", "measured_at": at(2, 60), "destination": "webflow_store", "connection": "default",
             "sync": "webflow__skus", "field": field, "row_count": 4, "equal_count": equal}
            for field, equal in (("price", 3), ("name", 4))
        ]  # fmt: skip
        session.append("reverse_etl.parity", pa.Table.from_pylist(rows, schema=parity.SCHEMA))
    project.dbt("build", "--select", "path:models/marts/operations")
    return project


def test_a_run_counts_its_operations(built: Build) -> None:
    run = built.by("plan_id", "marts.sync_runs")["p2"]
    names = ("operation_count", "update_count", "done_count", "refused_count", "open_count")
    assert [run[name] for name in names] == [5, 5, 3, 1, 1]
    assert run["duration_seconds"] == 30
    assert run["failed_share"] == 0.25


def test_an_error_keeps_the_words_and_whether_it_still_stands(built: Build) -> None:
    (error,) = built.rows("select * from marts.sync_errors")
    assert (error["key"], error["error"], error["is_last_try"]) == ("d", "Price is too odd", True)


def test_a_day_adds_up_what_was_done_and_what_it_cost(built: Build) -> None:
    (day,) = built.rows("select * from marts.sync_daily")
    names = ("run_count", "done_count", "refused_count", "request_count", "throttled_count")
    assert [day[name] for name in names] == [2, 5, 1, 12, 2]
    assert day["duration_seconds"] == 40


def test_the_clock_counts_edits_and_nothing_else(built: Build) -> None:
    rows = built.rows("select key, field, seconds_to_live from marts.field_edits order by key, field")
    assert [tuple(row.values()) for row in rows] == [
        ("a", "price", 1820.0), ("b", "name", 3640.0), ("b", "price", 3640.0),
    ]  # fmt: skip


def test_half_and_most_of_the_edits(built: Build) -> None:
    clock = built.by("field", "marts.edit_to_live")
    assert clock["price"]["edit_count"] == 2
    assert clock["price"]["p50_seconds"] == 2730
    assert clock["price"]["p95_seconds"] == pytest.approx(3549)
    assert clock["name"]["p50_seconds"] == 3640


def test_parity_is_the_share_of_equal_fields(built: Build) -> None:
    (measured,) = built.rows("select * from marts.sync_parity")
    assert (measured["field_count"], measured["equal_count"], measured["equal_share"]) == (8, 7, 0.875)


def test_an_empty_history_builds(built: Build) -> None:
    assert built.rows("select * from marts.sync_drift") == []
