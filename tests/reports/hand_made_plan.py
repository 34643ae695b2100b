"""Plans made by hand, written down and read again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from karvon.warehouse import Warehouse
from reverse_etl.state.operations import Finding, Operation, Violation
from reverse_etl.state.schema import migrate
from reverse_etl.state.stored_plans import Plan, count, load_plan, store_plan

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ATTACK = '</script><img src=x onerror="window.attacked=1"><script>window.attacked=1</script>'
PICTURE = {"url": "http://127.0.0.1:9/lamp.png", "alt": "A lamp"}


def operation(number: int, **more: object) -> Operation:
    """An update of one price, unless told otherwise."""
    change = {"before": {"value": 1999, "unit": "USD"}, "after": {"value": 2499, "unit": "USD"}}
    usual = Operation(
        sync="webflow__skus", destination="webflow_store", connection="default", key=f"default:{number}",
        resource="skus", action="update", changes={"price": change}, payload={}, plan_id="p1", seq=number,
        planned_at=NOW, desired={"name": f"Lamp {number}", "sku": f"L-{number:04}"},
    )  # fmt: skip
    return replace(usual, **more)  # type: ignore[arg-type]


def stored(
    warehouse: Warehouse, operations: list[Operation], *findings: Finding, broken: bool = False
) -> Plan:
    """A plan, written down and read again."""
    guard = Violation("webflow__skus", "max_updates", 3, 4, "3 updates planned; raise guards.max_updates")
    violations = (guard,) if broken else ()
    plan = Plan(
        "p1", NOW, "sandbox", "blocked" if broken else "ready", tuple(operations), findings, violations,
        count(operations, findings, violations), len(operations), 1.5,
    )  # fmt: skip
    with warehouse.session() as session:
        migrate(warehouse, session)
        with session.transaction():
            store_plan(session, plan)
    return load_plan(warehouse, "p1")
