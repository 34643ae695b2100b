"""A plan: what it holds, how it is stored, how it reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import orjson

from karvon.warehouse import Session, Warehouse
from reverse_etl import holding
from reverse_etl import operations as journal
from reverse_etl.guards import Violation
from reverse_etl.holding import UNDONE, Hold
from reverse_etl.operations import Finding, Operation, compact
from reverse_etl.schema import migrate

STORED_FINDINGS = 200
"""Per sync and kind; the counts are always whole."""


class NoSuchPlan(Exception):
    """There is no stored plan of this id."""


@dataclass(frozen=True)
class Plan:
    """The changes of one moment; the status says what they wait for, or what became of them."""

    plan_id: str
    created_at: datetime
    profile: str
    status: Literal["empty", "ready", "blocked", "applied", "partial", "stopped"]
    operations: tuple[Operation, ...]
    findings: tuple[Finding, ...]
    violations: tuple[Violation, ...]
    counts: dict[str, dict[str, int]]
    """Sync → action or finding → rows."""
    request_count: int
    minutes: float
    """At the destination's rate limit."""
    holds: tuple[Hold, ...] = ()
    """What waits for a person; of a stored plan what it was the last to hold."""
    undoes: str | None = None
    """The plan that this one takes back."""

    @property
    def is_empty(self) -> bool:
        return not self.operations

    @property
    def is_blocked(self) -> bool:
        return self.status == "blocked"

    @property
    def needs_approval(self) -> bool:
        """Whether rows wait that nobody has decided about; what was undone was decided."""
        return any(hold.rule != UNDONE for hold in self.holds)

    def to_json(self) -> str:
        """The whole plan, operations and findings included."""
        content = {
            "plan_id": self.plan_id,
            "created_at": self.created_at,
            "tool_version": tool_version(),
            "profile": self.profile,
            "status": self.status,
            "counts": self.counts,
            "request_count": self.request_count,
            "minutes": round(self.minutes, 2),
            "undoes": self.undoes,
            "violations": [asdict(one) for one in self.violations],
            "holds": [asdict(one) for one in self.holds],
            "findings": [asdict(one) for one in self.findings],
            "operations": [_public(operation) for operation in self.operations],
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()

    def to_markdown(self, rows: int = 50) -> str:
        """Counts, guards and a table of at most so many changed fields, for a terminal, Dagster or a pull request."""
        lines = [f"**Plan {self.plan_id}** ({self.status}): {self.summary()}", ""]
        lines += [f"> **Blocked by {one.guard}**: {one.message}" for one in self.violations]
        table = [line for operation in self.operations for line in _lines(operation)]
        if table:
            lines += [
                "",
                "| action | sync | key | field | before | after |",
                "|---|---|---|---|---|---|",
                *table[:rows],
            ]
        if len(table) > rows:
            lines += ["", f"… and {len(table) - rows} more changed fields."]
        told = [f"- {one.kind} · {one.sync} · {one.key}: {one.message}" for one in self.findings]
        if told:
            lines += ["", "Left alone or worth knowing:", "", *told[:rows]]
        if len(told) > rows:
            lines.append(f"- … and {len(told) - rows} more.")
        return "\n".join(lines)

    def summary(self) -> str:
        """One line: what would change, and what it costs."""
        if self.is_empty:
            return "0 changes"
        total: Counter[str] = Counter()
        for operation in self.operations:
            total.update(operation.rows)
        what = ", ".join(f"{count} {action}" for action, count in sorted(total.items()))
        return f"{what}; {self.request_count} requests, about {self.minutes:.1f} minutes"


def tool_version() -> str:
    try:
        return version("karvon")
    except PackageNotFoundError:
        return "0"


def store_plan(session: Session, plan: Plan) -> None:
    """Write the plan down; call it inside a transaction."""
    kept: Counter[tuple[str, str]] = Counter()
    findings = []
    for finding in plan.findings:
        kept[finding.sync, finding.kind] += 1
        if kept[finding.sync, finding.kind] <= STORED_FINDINGS:
            findings.append(asdict(finding))
    session.execute(
        "INSERT INTO reverse_etl.plans (plan_id, created_at, tool_version, profile, status, counts, findings, "
        "violations, request_count, minutes, undoes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        (
            plan.plan_id, plan.created_at, tool_version(), plan.profile, plan.status, compact(plan.counts),
            compact(findings), compact([asdict(one) for one in plan.violations]), plan.request_count, plan.minutes,
            plan.undoes,
        ),
    )  # fmt: skip
    journal.store(session, plan.operations)


def load_plan(warehouse: Warehouse, plan_id: str) -> Plan:
    """A stored plan with its operations as they stand now. Raises `NoSuchPlan`."""
    with warehouse.session() as session:
        migrate(warehouse, session)
        found = session.rows("SELECT * FROM reverse_etl.plans WHERE plan_id = $1", (plan_id,))
        if not found:
            raise NoSuchPlan(
                f"There is no plan {plan_id}; `karvon history` lists them, `karvon plan` makes one."
            )
        row = found[0]
        return Plan(
            plan_id=plan_id, created_at=row["created_at"], profile=row["profile"], status=row["status"],
            operations=tuple(journal.load(session, "plan_id = $1", (plan_id,))),
            findings=tuple(Finding(**one) for one in orjson.loads(row["findings"])),
            violations=tuple(Violation(**one) for one in orjson.loads(row["violations"])),
            counts=orjson.loads(row["counts"]), request_count=row["request_count"], minutes=row["minutes"],
            holds=tuple(holding.load(session, "plan_id = $1", (plan_id,))), undoes=row["undoes"],
        )  # fmt: skip


def latest_plan_id(warehouse: Warehouse) -> str | None:
    """The plan made last."""
    with warehouse.session() as session:
        migrate(warehouse, session)
        found = session.value("SELECT plan_id FROM reverse_etl.plans ORDER BY created_at DESC LIMIT 1")
        return None if found is None else str(found)


def count(operations: Sequence[Operation], findings: Sequence[Finding]) -> dict[str, dict[str, int]]:
    """Sync → action or kind of finding → rows."""
    counts: dict[str, Counter[str]] = {}
    for operation in operations:
        counter = counts.setdefault(operation.sync, Counter())
        for action, rows in operation.rows.items():
            counter[action] += rows
    for finding in findings:
        counts.setdefault(finding.sync, Counter())[finding.kind] += 1
    return {sync: dict(sorted(counter.items())) for sync, counter in counts.items()}


def _lines(operation: Operation) -> list[str]:
    head = f"| {operation.action} | {operation.sync} | {operation.key} |"
    if not operation.changes:
        return [f"{head} | | |"]
    return [
        f"{head} {name} | {_cell(change['before'])} | {_cell(change['after'])} |"
        for name, change in operation.changes.items()
    ]


def _cell(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"value", "unit"}:
        value = f"{value['value']} {value['unit']} (minor units)"
    text = "" if value is None else value if isinstance(value, str) else compact(value)
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= 60 else text[:57] + "…"


def _public(operation: Operation) -> dict[str, Any]:
    content = asdict(operation)
    for name in ("is_default", "position", "baseline", "desired"):
        del content[name]
    return content
