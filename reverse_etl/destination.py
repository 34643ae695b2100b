"""What a destination must be able to do. One folder in `destinations/` implements both faces.

`Destination` is known while planning: it reads landed documents and never touches the network. `Channel` is an
open connection while applying: it turns calls into requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from karvon.warehouse import Dialect, Session
from reverse_etl.ledger import Entry
from reverse_etl.operations import Finding, Operation
from reverse_etl.syncs import Sync


@dataclass(frozen=True)
class Record:
    """One remote record in our words: values by field name, and what else must be remembered of it."""

    remote_id: str
    parent_remote_id: str | None
    values: Mapping[str, Any]
    archived: bool = False
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one operation of a call.

    `unknown`: sent, and nobody knows whether it happened. `absent`: looked up, and it did not happen.
    """

    operation: Operation
    status: Literal["done", "failed", "held", "skipped", "unknown", "absent"]
    record: Record | None = None
    stock: int | None = None
    error: str | None = None
    error_field: str | None = None
    permanent: bool = False
    note: str | None = None
    stops: Literal["no", "creates", "run", "outage"] = "no"
    """What the failure means for others: nothing, no more creates, the end of the run, or the end of the run if
    everything that was tried at the same time ended so."""


@dataclass(frozen=True)
class Known:
    """What the ledger knows of the rows that a batch of calls is about, by (sync, key)."""

    entries: Mapping[tuple[str, str], Entry]

    def of(self, sync: str | None, key: str | None) -> Entry | None:
        return self.entries.get((sync or "", key or ""))


@dataclass(frozen=True)
class MappingProblem:
    """One thing in a sync's YAML that the destination would refuse. `line` is of `file`, where it was looked up."""

    model: str
    file: str
    field: str
    what: str
    way_out: str
    column: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}, model {self.model}, field {self.field}: {self.what}; {self.way_out}"


class Destination(Protocol):
    """The planning face."""

    resources: frozenset[str]

    def mapping_problems(self, session: Session, sync: Sync) -> Sequence[MappingProblem]:
        """What the destination's landed schema says against the sync; nothing where no schema is known."""

    def mirror(self, sync: Sync) -> str:
        """The landed table (`schema.table`) that shows the sync's records."""

    def stock_mirror(self, sync: Sync) -> str | None:
        """The landed table of stock, by remote id."""

    def document_of(self, sync: Sync) -> Literal["remote_id", "parent_remote_id"]:
        """Which of the ledger's ids is the document key of the mirror."""

    def record(self, sync: Sync, document: Mapping[str, Any], remote_id: str) -> Record | None:
        """The record inside its document, or None when the document does not hold it."""

    def identifiers(self, sync: Sync, dialect: Dialect, latest: str) -> str:
        """A query over the relation `latest` (document_key, document): remote_id, parent_remote_id, name, value."""

    def default_child(self, document: Mapping[str, Any]) -> tuple[str, int]:
        """The default child's remote id of a parent document, and how many children there are."""

    def payload(
        self,
        sync: Sync,
        action: str,
        changes: Mapping[str, Any],
        values: Mapping[str, Any],
        known: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The body of one operation, with symbols for what only the apply can know.

        `changes` are the fields to send, `values` all values of the row, `known` the record's extras.
        """

    def pack(
        self, operations: Sequence[Operation], syncs: Sequence[Sync]
    ) -> tuple[list[Operation], list[Finding]]:
        """Bundle operations into calls, in the order they must be sent, each with its request count."""

    def extra_requests(self, operations: Sequence[Operation]) -> int:
        """Requests that a plan needs besides those of its calls."""


class Channel(Protocol):
    """The sending face. Remote errors become outcomes; none is raised."""

    @property
    def requests(self) -> int:
        """Requests sent so far."""

    @property
    def throttled(self) -> int:
        """How many of them were refused for their rate."""

    async def prepare(self, call: Sequence[Operation], known: Known) -> list[Operation | Outcome]:
        """Everything that must be read or resolved before the call is journaled as sent; writes nothing."""

    async def send(self, call: Sequence[Operation]) -> list[Outcome]:
        """Carry the call out, one outcome per operation."""

    async def find(self, call: Sequence[Operation], known: Known) -> list[Outcome]:
        """What became of a call of unknown outcome: done, absent, unknown, or failed when it cannot be told.

        What can be repeated without harm is `absent` without a look.
        """


Channels = Mapping[tuple[str, str], Callable[[Mapping[str, Sync]], AbstractAsyncContextManager[Channel]]]
"""(destination, connection) → opens a channel for some syncs."""
