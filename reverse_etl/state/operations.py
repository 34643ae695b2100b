"""Operations: single changes to single rows, from plan to answer, and their journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Literal

import orjson
import pyarrow as pa

from karvon.warehouse import Session

Action = Literal[
    "create",
    "update",
    "adopt",
    "publish",
    "archive",
    "unpublish",
    "unarchive",
    "delete",
    "set_stock",
    "export",
]
Status = Literal["planned", "sent", "done", "failed", "deferred", "skipped", "unknown"]
"""deferred: not sent, as its row moved since the plan or something that it needs is not there yet."""
REMOVALS = frozenset({"archive", "unpublish", "delete"})
_JSON = ("changes", "payload", "desired", "baseline", "extras")
_NOT_STORED = ("is_default", "position")


@dataclass(frozen=True)
class Operation:
    """One change to one row. Operations with the same `call` travel in one request."""

    sync: str
    destination: str
    connection: str
    key: str
    resource: str
    action: Action
    changes: Mapping[str, Any]
    """Field → {"before", "after"}, as values."""
    payload: Mapping[str, Any]
    """The body, with symbols for ids that only the apply can know."""
    desired: Mapping[str, Any] = field(default_factory=dict)
    """The ledger's `sent` forms once this is done."""
    baseline: Mapping[str, Any] = field(default_factory=dict)
    """The ledger's `answered` values of the fields that are not sent."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    """What else the plan knows of the record, such as the ids of its options."""
    remote_id: str | None = None
    parent_sync: str | None = None
    parent_key: str | None = None
    payload_hash: str = ""
    row_hash: str | None = None
    mapping_hash: str | None = None
    mirror_hash: str | None = None
    is_complete: bool = True
    """False when a field had to wait or stays different on purpose: the next plan looks at the row again."""
    plan_id: str = ""
    seq: int = 0
    call: int = 0
    stage: int = 0
    requests: int = 1
    status: Status = "planned"
    error: str | None = None
    error_field: str | None = None
    is_permanent: bool = False
    note: str | None = None
    undoes: str | None = None
    """The plan that this takes back."""
    attempts: int = 0
    planned_at: datetime | None = None
    edited_at: datetime | None = None
    """When the row was last edited at its source, as the model says."""
    sent_at: datetime | None = None
    answered_at: datetime | None = None
    is_default: bool = False
    position: float = 0

    @property
    def identity(self) -> tuple[str, str]:
        return self.sync, self.key

    @property
    def is_stock(self) -> bool:
        """Whether it writes a stock, which has a ledger of its own; a child is removed that way too."""
        return "quantity" in self.payload

    @property
    def is_set(self) -> bool:
        """Whether it carries many rows of the model at once (`sets`)."""
        return self.action == "export"

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows by what happens to them: itself, or all those of the set."""
        counts: Mapping[str, int] = self.payload["rows"] if self.is_set else {self.action: 1}
        return counts

    @property
    def target(self) -> tuple[str, str]:
        return self.destination, self.connection


Kind = Literal[
    "not_built",
    "not_ready",
    "reject",
    "ambiguous",
    "waits",
    "refused",
    "undone",
    "drift",
    "gone",
    "deferred",
    "not_undone",
    "schema",
]
_ROUTINE: frozenset[Kind] = frozenset({"not_ready", "reject", "gone", "deferred"})
OVERWRITTEN: Literal["overwritten"] = "overwritten"


@dataclass(frozen=True)
class Violation:
    """One guard that a plan breaks."""

    sync: str
    guard: str
    count: int
    existing: int
    message: str


@dataclass(frozen=True)
class Finding:
    """Something a person should know although nothing (or something else) is done about it.

    not_ready, reject (its key or a value cannot be used) and ambiguous speak of the row's own data; waits of a person,
    and undone of what somebody took back; refused of the destination. deferred: the next plan looks again by itself.
    schema: the sync does not fit what the destination has, and is left out. not_built: its
    model could not be built; left out too.
    """

    kind: Kind
    sync: str
    key: str
    message: str
    field: str | None = None
    rows: int = 1
    """More than one where rows have no key of their own."""
    cause: str = ""
    """The rule behind it, where the message has more than that."""

    @property
    def is_routine(self) -> bool:
        """Whether nobody need decide about it one by one."""
        return self.kind in _ROUTINE or self.cause.startswith(OVERWRITTEN)


def revised(operation: Operation, **values: Any) -> Operation:
    """`dataclasses.replace` for plans of thousands: an operation checks nothing when it is made."""
    copy = object.__new__(Operation)
    copy.__dict__.update(operation.__dict__, **values)
    return copy


def now() -> datetime:
    return datetime.now(UTC)


def compact(value: Any) -> str:
    return orjson.dumps(value).decode()


_COLUMNS = tuple(column.name for column in fields(Operation) if column.name not in _NOT_STORED)
_IN_COLUMNS = attrgetter(*_COLUMNS)
_TIMES = ("planned_at", "edited_at", "sent_at", "answered_at")
_NUMBERS = ("seq", "call", "stage", "requests", "attempts")
_SCHEMA = pa.schema(
    [
        (
            name,
            pa.timestamp("us", "UTC")
            if name in _TIMES
            else pa.int64()
            if name in _NUMBERS
            else pa.bool_()
            if name.startswith("is_")
            else pa.string(),
        )
        for name in _COLUMNS
    ]
)


def store(session: Session, operations: Sequence[Operation]) -> None:
    """Append planned operations."""
    for start in range(0, len(operations), 5000):
        some = operations[start : start + 5000]
        columns: dict[str, Sequence[Any]] = dict(
            zip(_COLUMNS, zip(*map(_IN_COLUMNS, some), strict=True), strict=True)
        )
        columns |= {name: [compact(value) for value in columns[name]] for name in _JSON}
        session.append("reverse_etl.operations", pa.table(columns, schema=_SCHEMA))


def load(session: Session, where: str, params: Sequence[Any]) -> list[Operation]:
    """Stored operations in order."""
    columns = ", ".join(_COLUMNS)
    rows = session.rows(
        f"SELECT {columns} FROM reverse_etl.operations WHERE {where} ORDER BY planned_at, plan_id, seq",
        params,
    )
    return [
        Operation(**{name: orjson.loads(value) if name in _JSON else value for name, value in row.items()})
        for row in rows
    ]


def rewrite(session: Session, operations: Iterable[Operation]) -> None:
    """Replace stored operations by what they have become; call it inside a transaction.

    Deleting and appending is one bulk step on both engines, where single updates would be hundreds.
    """
    changed = list(operations)
    by_plan: dict[str, list[Operation]] = {}
    for operation in changed:
        by_plan.setdefault(operation.plan_id, []).append(operation)
    for plan_id, mine in by_plan.items():
        numbers = ", ".join(str(operation.seq) for operation in mine)
        session.execute(
            f"DELETE FROM reverse_etl.operations WHERE plan_id = $1 AND seq IN ({numbers})", (plan_id,)
        )
    store(session, changed)


def sending(operation: Operation) -> Operation:
    """The operation as it stands in the journal right before it is sent."""
    return replace(operation, status="sent", sent_at=now(), attempts=operation.attempts + 1, error=None)
