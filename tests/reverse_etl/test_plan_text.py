"""How a plan reads: what needs a person is never left out, the rest is counted by cause and not cut in silence."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from karvon.warehouse import Warehouse
from reverse_etl.state.operations import Finding, Operation
from reverse_etl.state.schema import migrate
from reverse_etl.state.stored_plans import Plan, by_cause, count, load_plan, store_plan


def stored(warehouse: Warehouse, operations: list[Operation], findings: list[Finding]) -> Plan:
    """The plan as it is read back."""
    made = Plan(
        "p1", operations[0].planned_at, "sandbox", "ready", tuple(operations), tuple(findings), (),  # type: ignore[arg-type]
        count(operations, findings, ()), len(operations), 1.0, causes=by_cause(findings),
    )  # fmt: skip
    with warehouse.session() as session:
        migrate(warehouse, session)
        with session.transaction():
            store_plan(session, made)
    return load_plan(warehouse, "p1")


def update(number: int) -> Operation:
    return Operation(
        "shop__lamps", "webflow_store", "default", f"l{number}", "products", "update",
        {"name": {"before": "a", "after": "b"}}, {}, plan_id="p1", seq=number, planned_at=datetime.now(UTC),
    )  # fmt: skip


def test_routine_never_hides_what_needs_a_person(warehouse: Warehouse) -> None:
    routine = [
        Finding("not_ready", "shop__lamps", f"r{n}", f"price is {n}, it needs one") for n in range(700)
    ]
    routine += [Finding("not_ready", "shop__lamps", f"q{n}", f'status is "{n}"') for n in range(300)]
    routine += [
        Finding(
            "drift",
            "shop__lamps",
            f"d{n}",
            f"name is N{n}: will be overwritten",
            "name",
            cause="overwritten name",
        )
        for n in range(250)
    ]
    asked = [
        Finding("waits", "shop__lamps", f"w{n}", "too dear", cause="max_price_change") for n in range(260)
    ]
    asked += [Finding("refused", "shop__lamps", f"x{n}", "400 odd", cause="row") for n in range(230)]
    asked += [Finding("ambiguous", "shop__lamps", f"a{n}", "two records") for n in range(210)]
    plan = stored(warehouse, [update(n) for n in range(90)], [*routine, *asked])

    text = plan.to_markdown(rows=5)
    for finding in asked:
        assert f"· {finding.key}: {finding.message}" in text
    assert text.index("w0:") < text.index("| update |") < text.index("Left alone, by cause")
    assert "85 more changed fields (85 in update of shop__lamps)" in text
    assert "- not ready · shop__lamps · 700 rows (such as r0): price is 0, it needs one" in text
    assert "- not ready · shop__lamps · 300 rows (such as q0)" in text
    assert "- drift · shop__lamps · 250 rows (such as d0)" in text
    shown = json.loads(plan.to_json())
    assert {one["key"] for one in shown["findings"]} >= {one.key for one in asked}
    assert sum(one["rows"] for one in shown["causes"]) == len(routine)
    assert (plan.tally.not_ready, plan.tally.waits, plan.tally.refused) == (1210, 260, 230)
    assert re.search(r"1210 not ready, 260 wait for a person .* 230 refused", plan.summary())


@pytest.mark.parametrize(
    ("requests", "minutes", "said"),
    [
        (0, 0.0, "1 set stock; 0 requests"),
        (1, 0.001, "1 set stock; 1 request, about 1 s"),
        (1491, 0.24, "1 set stock; 1491 requests, about 14 s"),
        (90, 1.4, "1 set stock; 90 requests, about 84 s"),
        (5400, 90.2, "1 set stock; 5400 requests, about 90 minutes"),
    ],
)
def test_what_a_plan_costs_is_said_in_a_persons_words(requests: int, minutes: float, said: str) -> None:
    operations = (replace(update(1), action="set_stock"),)
    plan = Plan(
        "p1", datetime.now(UTC), "sandbox", "ready", operations, (), (), count(operations, (), ()), 1, minutes
    )
    assert replace(plan, request_count=requests).summary() == said
