"""What a destination must be able to do. One folder in `destinations/` implements both faces.

`Destination` is known while planning: it reads landed documents and never touches the network. `Channel` is an
open connection while applying: it turns calls into requests.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, cast

from karvon.rate_limits import RateWindow
from karvon.settings import Settings
from karvon.warehouse import Dialect, Session
from reverse_etl.spec.problems import MappingProblem
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import Finding, Operation


@dataclass(frozen=True)
class Record:
    """One remote record in our words: values by field name, and what else must be remembered of it."""

    remote_id: str
    parent_remote_id: str | None
    values: Mapping[str, Any]
    archived: bool = False
    extras: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, bool] = field(default_factory=dict)
    """What holds of the record as a whole (`states`), as far as the destination tells."""
    unseen: str | None = None
    """Why no visitor sees it, whatever is written to it."""
    is_staged: bool = False
    """Visitors see it as it stands here only after the next publish of the whole site."""


@dataclass(frozen=True)
class Outcome:
    """What became of one operation of a call.

    `unknown`: sent, and nobody knows whether it happened. `absent`: looked up, and it did not happen.
    """

    operation: Operation
    status: Literal["done", "failed", "deferred", "skipped", "unknown", "absent"]
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
class Bound:
    """A sync and its destination as they fit together with what the destination really has."""

    sync: Sync
    destination: Destination
    problems: tuple[MappingProblem, ...] = ()
    """Why the sync cannot be planned."""
    stands_alone: bool = False
    """Whether the other syncs can go on without it."""


class Destination(Protocol):
    """The planning face. `WithoutMirror` answers most of it for a destination that cannot be read."""

    @property
    def resources(self) -> Collection[str]:
        """Kinds of records that syncs can name."""

    @property
    def takes_sets(self) -> bool:
        """Whether the model goes out as a whole (`sets`); such a destination sees one operation per sync."""

    def bind(self, session: Session, sync: Sync, syncs: Mapping[str, Sync]) -> Bound:
        """The sync typed by the landed schema of its connection, and a destination that knows that schema.

        `syncs` are all syncs by name, for references. Reads the warehouse only.
        """

    def container(self, sync: Sync, row: Mapping[str, Any]) -> str | None:
        """Which place a row belongs to, where a destination has several; None where it has one.

        Raises `WrongValue` for a place that is not there.
        """

    def container_of(self, remote_id: str) -> str | None:
        """The place that a record is in."""

    def referred_id(self, remote_id: str) -> str:
        """What a reference to a record looks like in the destination's documents."""

    def fault(self, sync: Sync, row: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, str] | None:
        """The first field whose value the destination would refuse, and why."""

    def mapping_problems(self, session: Session, sync: Sync) -> Sequence[MappingProblem]:
        """What the destination's landed schema says against the sync; nothing where no schema is known."""

    def problems(self, sync: Sync) -> Iterator[str]:
        """What is wrong with a sync's settings in the eyes of this destination, each with the way out."""

    def channels(self, settings: Settings) -> Mapping[str, Opener]:
        """Connection → opens a channel. Raises `SettingsError` for missing secrets."""

    def rate_limits(self, settings: Settings) -> Sequence[RateWindow]:
        """The rate windows of all connections; none for what is not sent over a network."""

    def mirror(self, sync: Sync) -> str | None:
        """The landed table (`schema.table`) that shows the sync's records, if anything does."""

    def stock_mirror(self, sync: Sync) -> str | None:
        """The landed table of stock, by remote id."""

    def document_of(self, sync: Sync) -> Literal["remote_id", "parent_remote_id"]:
        """Which of the ledger's ids is the document key of the mirror."""

    def record(self, sync: Sync, document: Mapping[str, Any], remote_id: str) -> Record | None:
        """The record inside its document, or None when the document does not hold it."""

    def identifiers(self, sync: Sync, dialect: Dialect, latest: str) -> str:
        """A query over the relation `latest` (document_key, document): remote_id, parent_remote_id, name, value.

        Where records have containers, the value begins with the container and a slash.
        """

    def codes(self, sync: Sync, document: Mapping[str, Any], remote_id: str, name: str) -> Collection[str]:
        """What the record inside the document has in a match field; of a field of children those of all."""

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

        `changes` are the fields to send, `values` all values of the row, `known` the record's extras and, where
        there is one, the row's `container`.
        """

    def pack(
        self, operations: Sequence[Operation], syncs: Sequence[Sync]
    ) -> tuple[list[Operation], list[Finding]]:
        """Bundle operations into calls, in the order they must be sent, each with its request count."""

    def extra_requests(self, operations: Sequence[Operation]) -> int:
        """Requests that a plan needs besides those of its calls."""


Destinations = Mapping[str, Destination]
"""All that there are, by the name that a sync's YAML uses. Whoever runs the engine hands them in."""


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

    async def read(self, operation: Operation, known: Known) -> Mapping[str, Any] | None:
        """The document that holds the operation's record, as `Destination.record` takes it, as it stands now.

        None when it is not there, or cannot be looked at. Unlike the other calls it raises from the `RemoteError` tree.
        """

    async def find(self, call: Sequence[Operation], known: Known) -> list[Outcome]:
        """What became of a call of unknown outcome: done, absent, unknown, or failed when it cannot be told.

        What can be repeated without harm is `absent` without a look.
        """


Opener = Callable[[Mapping[str, Sync]], AbstractAsyncContextManager[Channel]]
"""Opens a channel for some syncs."""
Channels = Mapping[tuple[str, str], Opener]
"""(destination, connection) → its opener."""


def without_guards(sync: Sync, *names: str, reason: str) -> Iterator[str]:
    """A guard that could never speak is worse than none: somebody relies on it."""
    for name in names:
        if getattr(sync.guards, name) is not None:
            yield f"guards.{name}: {sync.destination} cannot honour it, as {reason}; leave it out"


class WithoutMirror:
    """The planning face of a destination that nobody can read: what the ledger says is all that is known of it.

    One operation is one call, in the order of the plan.
    """

    resources: Collection[str] = frozenset({"rows"})
    takes_sets = False

    def mapping_problems(self, session: Session, sync: Sync) -> Sequence[MappingProblem]:
        return ()

    def bind(self, session: Session, sync: Sync, syncs: Mapping[str, Sync]) -> Bound:
        return Bound(sync, cast("Destination", self))

    def container(self, sync: Sync, row: Mapping[str, Any]) -> str | None:
        return None

    def container_of(self, remote_id: str) -> str | None:
        return None

    def referred_id(self, remote_id: str) -> str:
        return remote_id

    def fault(self, sync: Sync, row: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, str] | None:
        return None

    def mirror(self, sync: Sync) -> str | None:
        return None

    def stock_mirror(self, sync: Sync) -> str | None:
        return None

    def document_of(self, sync: Sync) -> Literal["remote_id", "parent_remote_id"]:
        return "remote_id"

    def record(self, sync: Sync, document: Mapping[str, Any], remote_id: str) -> Record | None:
        return None

    def identifiers(self, sync: Sync, dialect: Dialect, latest: str) -> str:
        return (
            f"SELECT NULL AS remote_id, NULL AS parent_remote_id, NULL AS name, NULL AS value FROM {latest}"
        )

    def codes(self, sync: Sync, document: Mapping[str, Any], remote_id: str, name: str) -> Collection[str]:
        return ()

    def default_child(self, document: Mapping[str, Any]) -> tuple[str, int]:
        return "", 0

    def pack(
        self, operations: Sequence[Operation], syncs: Sequence[Sync]
    ) -> tuple[list[Operation], list[Finding]]:
        return [replace(one, seq=place, call=place) for place, one in enumerate(operations, 1)], []

    def extra_requests(self, operations: Sequence[Operation]) -> int:
        return 0


def without_shop_settings(sync: Sync) -> Iterator[str]:
    """Settings that only a destination with records of its own can honour."""
    given = {
        "match": sync.match, "parent": sync.parent, "collection": sync.collection, "locale": sync.locale,
        "canary": sync.canary, "publish": sync.publish == "live",
    }  # fmt: skip
    for name in (name for name, value in given.items() if value):
        yield f"{name}: {sync.destination} has no records to look at; leave it out"
    for spec in sync.fields:
        if spec.policy in ("keep", "report") or spec.write == "into_empty":
            yield f"field {spec.field}: nobody can see what {sync.destination} shows; leave policy and write out"
    if sync.stock or any(field.as_ == "references" for field in sync.fields):
        yield f"`as: stock` and `as: references` mean records of a shop; {sync.destination} has none"
