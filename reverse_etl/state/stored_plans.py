"""A plan: what it holds, how it is stored, how it reads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import orjson

from karvon.warehouse import Session, Warehouse
from reverse_etl.state import holds, outstanding
from reverse_etl.state import operations as journal
from reverse_etl.state.holds import Hold
from reverse_etl.state.operations import Finding, Kind, Operation, Violation, compact
from reverse_etl.state.outstanding import Tally
from reverse_etl.state.schema import migrate

STORED_ROUTINE = 200
"""Findings named per sync and kind where nobody need decide; `causes` counts the others, and all rows that are not
out are in `reverse_etl.outstanding`."""
_IN_ORDER: tuple[Kind, ...] = ("schema", "waits", "refused", "ambiguous", "undone", "not_undone", "drift")
_VARYING = re.compile(r"""'[^']*'|"[^"]*"|\d[\d.,:]*""")


class NoSuchPlan(Exception):
    """There is no stored plan of this id."""


@dataclass(frozen=True)
class Cause:
    """Routine findings of one sync that say the same, numbers and names apart."""

    kind: Kind
    sync: str
    message: str
    """Of one of them."""
    key: str
    """Of the same."""
    rows: int


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
    """Sync → action, finding, or word of `outstanding` → rows."""
    request_count: int
    minutes: float
    """At the destination's rate limit."""
    holds: tuple[Hold, ...] = ()
    """What waits for a person; of a stored plan what it was the last to hold."""
    undoes: str | None = None
    """The plan that this one takes back."""
    causes: tuple[Cause, ...] = ()
    """All routine findings, those too that a stored plan does not name."""

    @cached_property
    def tallies(self) -> dict[str, Tally]:
        """Rows that are not out by sync, as the operations stand now."""
        spoken = [one for one in self.findings if outstanding.WHY.get(one.kind) in ("waits", "refused")]
        found = outstanding.tallied(
            outstanding.of_plan(self.operations, spoken, self.violations if self.is_blocked else ())
        )
        # Of what is not ready a stored plan names only some.
        unready = {sync: Tally(counts.get("not_ready", 0)) for sync, counts in self.counts.items()}
        return {sync: found.get(sync, Tally()) + unready.get(sync, Tally()) for sync in {**unready, **found}}

    @property
    def tally(self) -> Tally:
        return outstanding.total(self.tallies.values())

    @property
    def is_empty(self) -> bool:
        return not self.operations

    @property
    def is_blocked(self) -> bool:
        return self.status == "blocked"

    @property
    def needs_approval(self) -> bool:
        """Whether anything waits for a person; what was undone was decided."""
        return self.tally.waits > 0

    def to_json(self) -> str:
        """The whole plan, operations and findings included."""
        content = {
            "plan_id": self.plan_id,
            "created_at": self.created_at,
            "tool_version": tool_version(),
            "profile": self.profile,
            "status": self.status,
            "counts": self.counts,
            **self.tally.as_row(),
            "request_count": self.request_count,
            "minutes": round(self.minutes, 2),
            "undoes": self.undoes,
            "violations": [asdict(one) for one in self.violations],
            "holds": [asdict(one) for one in self.holds],
            "causes": [asdict(one) for one in self.causes],
            "findings": [asdict(one) for one in self.findings],
            "operations": [_public(operation) for operation in self.operations],
        }
        return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()

    def to_markdown(self, rows: int = 50) -> str:
        """Counts and guards, all that needs a person, and so many changed fields; the rest by kind and cause."""
        lines = [f"**Plan {self.plan_id}** ({self.status}): {self.summary()}", ""]
        lines += [f"> **Blocked by {one.guard}**: {one.message}" for one in self.violations]
        needed = [
            one for kind in _IN_ORDER for one in self.findings if one.kind == kind and not one.is_routine
        ]
        if needed:
            lines += [
                "",
                "Needs a person:",
                "",
                *(f"- {_told(one)} · {one.key}: {one.message}" for one in needed),
            ]
        table = [(one, line) for one in self.operations for line in _lines(one)]
        if table:
            lines += [
                "",
                "| action | sync | key | field | before | after |",
                "|---|---|---|---|---|---|",
                *(line for _, line in table[:rows]),
            ]
        if len(table) > rows:
            left = Counter(f"{one.action} of {one.sync}" for one, _ in table[rows:])
            what = ", ".join(f"{count} in {name}" for name, count in sorted(left.items()))
            whole = f"`karvon plan show {self.plan_id} --json` or `--html FILE` has all"
            lines += ["", f"… and {len(table) - rows} more changed fields ({what}); {whole}."]
        if self.causes:
            lines += ["", "Left alone, by cause:", ""]
        for cause in self.causes:
            such = (
                f" (such as {cause.key})"
                if cause.key and cause.rows > 1
                else f" ({cause.key})"
                if cause.key
                else ""
            )
            count = f"{cause.rows} row{'' if cause.rows == 1 else 's'}"
            lines.append(f"- {_told(cause)} · {count}{such}: {cause.message}")
        return "\n".join(lines)

    def summary(self) -> str:
        """One line: what would change, what it costs, and what is not out whatever is sent."""
        rest = f"; {self.tally.spoken()}" if self.tally != Tally() else ""
        if self.is_empty:
            return f"0 changes{rest}"
        total: Counter[str] = Counter()
        for operation in self.operations:
            total.update(operation.rows)
        what = ", ".join(f"{count} {action.replace('_', ' ')}" for action, count in sorted(total.items()))
        return f"{what}; {spoken_cost(self.request_count, self.minutes)}{rest}"


def spoken_cost(requests: int, minutes: float) -> str:
    """What a plan costs at the destination's rate limit: requests, and seconds or minutes."""
    if not requests:
        return "0 requests"
    seconds = max(round(minutes * 60), 1)
    time = f"{seconds} s" if seconds < 90 else f"{minutes:.0f} minutes"
    return f"{requests} request{'' if requests == 1 else 's'}, about {time}"


def tool_version() -> str:
    try:
        return version("karvon")
    except PackageNotFoundError:
        return "0"


def store_plan(session: Session, plan: Plan) -> None:
    """Write the plan down; call it inside a transaction."""
    named: Counter[tuple[str, str]] = Counter()
    findings = []
    for finding in plan.findings:
        named[finding.sync, finding.kind] += 1
        if not finding.is_routine or named[finding.sync, finding.kind] <= STORED_ROUTINE:
            findings.append(asdict(finding))
    session.execute(
        "INSERT INTO reverse_etl.plans (plan_id, created_at, tool_version, profile, status, counts, findings, "
        "violations, request_count, minutes, undoes, causes) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        (
            plan.plan_id, plan.created_at, tool_version(), plan.profile, plan.status, compact(plan.counts),
            compact(findings), compact([asdict(one) for one in plan.violations]), plan.request_count, plan.minutes,
            plan.undoes, compact([asdict(one) for one in plan.causes]),
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
            holds=tuple(holds.load(session, "plan_id = $1", (plan_id,))), undoes=row["undoes"],
            causes=tuple(Cause(**one) for one in orjson.loads(row["causes"] or "[]")),
        )  # fmt: skip


def latest_plan_id(warehouse: Warehouse) -> str | None:
    """The plan made last."""
    with warehouse.session() as session:
        migrate(warehouse, session)
        found = session.value("SELECT plan_id FROM reverse_etl.plans ORDER BY created_at DESC LIMIT 1")
        return None if found is None else str(found)


def count(
    operations: Sequence[Operation], findings: Sequence[Finding], violations: Sequence[Violation]
) -> dict[str, dict[str, int]]:
    """Sync → action, word of `outstanding`, or kind of finding that is none of the three → rows."""
    counts: dict[str, Counter[str]] = {}
    for operation in operations:
        counter = counts.setdefault(operation.sync, Counter())
        for action, rows in operation.rows.items():
            counter[action] += rows
    for finding in findings:
        if finding.kind not in outstanding.WHY:
            counts.setdefault(finding.sync, Counter())[finding.kind] += finding.rows
    for sync, tally in outstanding.tallied(outstanding.of_plan(operations, findings, violations)).items():
        counts.setdefault(sync, Counter()).update(
            {name: rows for name, rows in tally.as_row().items() if rows}
        )
    return {sync: dict(sorted(counter.items())) for sync, counter in counts.items()}


def by_cause(findings: Iterable[Finding]) -> tuple[Cause, ...]:
    """Routine findings that say the same as one, the most frequent first."""
    first: dict[tuple[str, str, str], Finding] = {}
    rows: Counter[tuple[str, str, str]] = Counter()
    for one in findings:
        if one.is_routine:
            place = one.kind, one.sync, one.cause or _VARYING.sub("…", one.message)
            first.setdefault(place, one)
            rows[place] += one.rows
    return tuple(
        Cause(one.kind, one.sync, one.message, one.key, count)
        for place, count in rows.most_common()
        if (one := first[place])
    )


def _told(one: Finding | Cause) -> str:
    return f"{one.kind.replace('_', ' ')} · {one.sync}"


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
