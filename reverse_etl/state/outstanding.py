"""Rows that are not out, and why, in three words that mean the same wherever they are said and counted.

    not_ready   the row's own data keeps it back: the model gives reasons, or its key or a value cannot be used
    waits       for a person: a guard, a price, an adoption, a transition; `karvon approve` lets it go
    refused     by the destination, in whose words `karvon errors` says why

`reverse_etl.outstanding` is how things stand now: a plan replaces what it says of the rows that it looked at, an
approval and an answer of the destination take out or add what they are about. Whoever counts, counts this table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from karvon.warehouse import Session
from reverse_etl.state.ledger import keys_of, listed
from reverse_etl.state.operations import Finding, Operation, Violation

Why = Literal["not_ready", "waits", "refused"]
WHY: Mapping[str, Why] = {
    "not_ready": "not_ready", "reject": "not_ready", "ambiguous": "not_ready", "waits": "waits", "refused": "refused",
}  # fmt: skip
"""Kinds of findings that speak of a row that is not out; the others do not."""
TABLE = "reverse_etl.outstanding"
BLOCKED = "blocked plan"
"""The cause of what waits because a guard blocks its plan."""
ROW, STOCK = "row", "stock"
"""Causes of a refusal: a row and its stock are written, and refused, each for itself."""


@dataclass(frozen=True)
class Outstanding:
    """One reason why a row is not out. `row_count` is more than 1 where rows have no key of their own."""

    sync: str
    key: str
    why: Why
    cause: str
    field: str
    row_count: int


@dataclass(frozen=True)
class Tally:
    """Rows that are not out; a row counts once per word."""

    not_ready: int = 0
    waits: int = 0
    refused: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.not_ready + other.not_ready, self.waits + other.waits, self.refused + other.refused)

    def as_row(self) -> dict[str, int]:
        return asdict(self)

    def spoken(self) -> str:
        """`41 not ready, 1 waits for a person, 0 refused`, with the command that tells more."""
        return (
            f"{self.not_ready} not ready, {self.waits} {'waits' if self.waits == 1 else 'wait'} for a person"
            f"{' (`karvon held`)' if self.waits else ''}, {self.refused} refused"
            f"{' (`karvon errors`)' if self.refused else ''}"
        )


WORDS = tuple(one.name for one in fields(Tally))
_COLUMNS = tuple(one.name for one in fields(Outstanding))
_SCHEMA = pa.schema(
    [
        ("plan_id", pa.string()), ("since", pa.timestamp("us", "UTC")),
        *((name, pa.int64() if name == "row_count" else pa.string()) for name in _COLUMNS),
    ]
)  # fmt: skip


def of_plan(
    operations: Iterable[Operation], findings: Iterable[Finding], violations: Sequence[Violation]
) -> list[Outstanding]:
    """What a plan leaves outstanding: findings, operations that were refused, and of a blocked one all operations.

    `violations` are those that nobody allowed.
    """
    operations = list(operations)
    rows = [
        Outstanding(one.sync, one.key, WHY[one.kind], one.cause or one.message, one.field or "", one.rows)
        for one in findings
        if one.kind in WHY
    ]
    rows += [_refusal(one) for one in operations if one.status == "failed"]
    if violations:
        stopped = {one.identity: _rows(one) for one in operations}
        # A guard may speak where nothing is planned, as of an empty model.
        silent = {one.sync for one in violations} - {sync for sync, _ in stopped}
        stopped |= {(sync, ""): 1 for sync in silent}
        rows += [Outstanding(*identity, "waits", BLOCKED, "", count) for identity, count in stopped.items()]
    return rows


def tallied(rows: Iterable[Outstanding]) -> dict[str, Tally]:
    """By sync."""
    most: dict[tuple[str, str, str], int] = {}
    for one in rows:
        place = one.sync, one.why, one.key
        most[place] = max(most.get(place, 0), one.row_count)
    tallies: dict[str, Tally] = {}
    for (sync, why, _), count in most.items():
        tallies[sync] = tallies.get(sync, Tally()) + Tally(**{why: count})
    return tallies


def total(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def read(session: Session, where: str = "true", params: Sequence[Any] = ()) -> list[Outstanding]:
    """How things stand now."""
    rows = session.rows(
        f"SELECT {', '.join(_COLUMNS)} FROM reverse_etl.outstanding WHERE {where} ORDER BY sync, why, key",
        params,
    )
    return [Outstanding(**row) for row in rows]


def store(
    session: Session, plan_id: str, at: datetime, rows: Sequence[Outstanding],
    judged: Mapping[str, Sequence[str] | None],
) -> None:  # fmt: skip
    """Put what a plan says in place of what was; call it inside a transaction.

    `judged` are the keys that the plan looked at by sync, None for all.
    """
    for sync, keys in judged.items():
        if keys is None:
            session.execute("DELETE FROM reverse_etl.outstanding WHERE sync = $1", (sync,))
        elif these := {*keys, *(one.key for one in rows if one.sync == sync)}:
            session.execute(
                f"DELETE FROM reverse_etl.outstanding WHERE sync = $1 AND key IN {listed(2)}",
                (sync, keys_of(sorted(these))),
            )
    _append(session, plan_id, at, rows)


def answered(session: Session, at: datetime, operations: Sequence[Operation]) -> None:
    """Take in what became of operations that were sent; call it inside a transaction."""
    told = [one for one in operations if one.status in ("done", "failed")]
    for sync in sorted({one.sync for one in told}):
        for cause, mine in (
            (ROW, [one for one in told if one.sync == sync and not one.is_stock]),
            (STOCK, [one for one in told if one.sync == sync and one.is_stock]),
        ):
            if mine:
                session.execute(
                    "DELETE FROM reverse_etl.outstanding WHERE why = 'refused' AND sync = $1 "
                    f"AND key IN {listed(2)} AND cause = $3",
                    (sync, keys_of(sorted({one.key for one in mine})), cause),
                )
    for plan_id in sorted({one.plan_id for one in told}):
        failed = [_refusal(one) for one in told if one.status == "failed" and one.plan_id == plan_id]
        _append(session, plan_id, at, failed)


def _refusal(operation: Operation) -> Outstanding:
    cause = STOCK if operation.is_stock else ROW
    return Outstanding(*operation.identity, "refused", cause, operation.error_field or "", _rows(operation))


def _rows(operation: Operation) -> int:
    return sum(operation.rows.values()) if operation.is_set else 1


def approved(session: Session, holds: Iterable[tuple[str, str, str, str]], plans: Iterable[str]) -> None:
    """Somebody let these go: holds as (sync, key, rule, field), and plans whose every guard is allowed."""
    for place in holds:
        session.execute(
            "DELETE FROM reverse_etl.outstanding WHERE why = 'waits' AND sync = $1 AND key = $2 AND cause = $3 "
            "AND field = $4",
            place,
        )
    for plan_id in plans:
        session.execute(
            f"DELETE FROM reverse_etl.outstanding WHERE cause = '{BLOCKED}' AND plan_id = $1", (plan_id,)
        )


def blocked_plans(session: Session) -> list[str]:
    """Plans that a guard stops, newest first, unless a newer plan has looked at their rows."""
    rows = session.rows(
        f"SELECT plan_id FROM reverse_etl.outstanding WHERE cause = '{BLOCKED}' GROUP BY plan_id "
        "ORDER BY max(since) DESC, plan_id DESC"
    )
    return [row["plan_id"] for row in rows]


def _append(session: Session, plan_id: str, at: datetime, rows: Sequence[Outstanding]) -> None:
    if rows:
        content = [{"plan_id": plan_id, "since": at, **asdict(one)} for one in rows]
        session.append("reverse_etl.outstanding", pa.Table.from_pylist(content, schema=_SCHEMA))
