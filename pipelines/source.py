"""What a source declares: its resources, how each is fetched, and what a fetch is told and gives back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from karvon.http import HttpClient
from pipelines.kept import Kept

Document = dict[str, Any]


@dataclass(frozen=True)
class Batch:
    """A piece of a fetch: documents as received, and what was learned about other keys."""

    documents: Sequence[Document] = ()
    present: Sequence[str] = ()
    """Keys known to exist although their documents were not fetched (an id sweep)."""
    gone: Sequence[str] = ()
    """Keys the API answered 404 or 410 for; they get a tombstone at once."""
    is_counted: bool = False
    """The number that a list states says the same of `gone`: however many they are, they are believed."""
    missing: int = 0
    refused: int = 0
    failed: int = 0
    cursor: str | None = None
    """Highest cursor value in this batch; kept for the next load once this one is complete."""
    scope: str | None = None
    """What this load looks at, if it is a slice: `ids 1-1000`, `ranks 1-5000`."""
    requests: int = 0
    """Requests that other clients than the load's own sent for this batch."""


@dataclass(frozen=True)
class Context:
    """What a fetch may use. Times are UTC."""

    http: HttpClient
    connection: Any
    cursor: str | None
    """Where the last complete load of this resource and connection ended; None to start over."""
    reached: str | None
    """Where the newest load ended, complete or not: a list too long for one load is read on from there."""
    cursor_stood: timedelta
    """How long loads have ended at this cursor: from the first to the last of them, by our clock."""
    since: str | None
    """The operator's `--since` (ISO date or time), instead of the cursor."""
    key: str | None
    """The operator's `--key`: fetch just this record (and what belongs to it), fresh."""
    now: datetime
    last_sweep_at: datetime | None
    known: Callable[[], set[str]]
    """Keys of this resource and connection that are live in the warehouse."""
    parameters: Mapping[str, Any]
    changed: Mapping[str, Sequence[Document]]
    """New and changed documents of earlier resources of this load, of those declared with `share`."""
    lacking: Callable[[str, str, int], list[str]]
    """Of another resource, values of a top-level field that this resource has no key for: so many, highest first."""

    @property
    def reads_everything(self) -> bool:
        """Whether nothing narrows the fetch."""
        return self.cursor is None and self.since is None and self.key is None


def sweep_is_due(context: Context) -> bool:
    """Whether this load reads the complete list: the first time, and then so many hours after the last."""
    if context.since is not None:
        return False
    if context.cursor is None or context.last_sweep_at is None:
        return True
    hours = float(context.parameters["sweep_every_hours"])
    return context.now - context.last_sweep_at >= timedelta(hours=hours)


Fetch = Callable[[Context], AsyncIterator[Batch]]


async def _nothing(_context: Context) -> AsyncIterator[Batch]:
    """What a resource that is walked by number gives to an ordinary load."""
    return
    yield


Visit = Callable[[HttpClient, int], Awaitable[Document]]
"""Read one numbered record. Raises `NotFound` when there is none, and what `HttpClient` raises."""


@dataclass(frozen=True)
class Resource:
    """One table of a source. `sweep` says that a fetch lists everything, so that absent keys are deletions."""

    name: str
    key: Callable[[Document], str]
    fetch: Fetch = _nothing
    noise: tuple[str, ...] = ()
    """Top-level keys that are not kept: they repeat, or change without meaning."""
    kept: Kept | None = None
    """For documents that may hold persons: the only paths that are landed. None: all but the noise."""
    sweep: bool | Callable[[Context], bool] = False
    """Asked after the fetch, which may have found out that a complete list is needed."""
    visit: Visit | None = None
    """For records that no list gives: they are walked by number (pipelines.crawl), and `fetch` is not called."""
    is_unfinished: Callable[[str | None], bool] = lambda _cursor: False
    """Whether a load that ended with this cursor read one slice of more: load again until it says no."""
    share: bool = False
    by_key: bool = False
    """Whether `fetch` can read one record; a load with a key takes only such resources, if the source has any."""
    shrink_advice: str = "check the rights of the key's role"


@dataclass(frozen=True)
class Source:
    """All resources of a vendor, loaded in this order through one client per connection."""

    name: str
    resources: tuple[Resource, ...]
    connect: Callable[[Any], HttpClient] = field(repr=False)
    probe: Callable[[Any], Awaitable[str]] = field(repr=False)
    """Ask the API for the least, to prove the credentials; says what was found. Raises `RemoteError`."""
    belongs_to: str = ""
    """The source whose schema holds the tables, for one that only has credentials of its own."""

    @property
    def schema(self) -> str:
        """Where the tables are."""
        return f"raw_{self.belongs_to or self.name}"

    def loaded(self, wanted: Collection[str] | None, key: str | None) -> list[Resource]:
        """The resources that a load takes, in order."""
        one = key is not None and any(resource.by_key for resource in self.resources)
        return [
            resource
            for resource in self.resources
            if (wanted is None or resource.name in wanted)
            and (resource.by_key or not one)
            and resource.visit is None
        ]
