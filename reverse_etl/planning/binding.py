"""Syncs as they fit the destinations: read once from the landed schemas before anything is planned or applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from karvon.warehouse import Session
from reverse_etl.spec.manifest import SyncError
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Bound, Destinations


def bind(session: Session, syncs: Sequence[Sync], destinations: Destinations) -> list[Bound]:
    """Every sync bound to its destination, in the given order. Their destinations must be known (`check`)."""
    by_name = {sync.name: sync for sync in syncs}
    return [destinations[sync.destination].bind(session, sync, by_name) for sync in syncs]


def _idle_guards(sync: Sync) -> Iterator[str]:
    """Guards that the sync gives nothing to watch."""
    if sync.guards.max_price_change is not None and not any(one.as_ == "money" for one in sync.fields):
        yield "guards.max_price_change: no column is `as: money`, so it would watch nothing; leave it out"
    if sync.canary and sync.canary.page and sync.publish != "live":
        yield "canary.page: with `publish: staging` no page is asked; write `publish: live`, or leave it out"


def check(syncs: Sequence[Sync], destinations: Destinations) -> None:
    """Raises `SyncError` with everything that the destinations find wrong with the syncs."""
    problems = []
    for sync in syncs:
        where = f"{sync.file}, model {sync.name}"
        destination = destinations.get(sync.destination)
        if destination is None:
            known = ", ".join(destinations)
            problems.append(f"{where}: unknown destination {sync.destination}; known are {known}")
        elif sync.resource not in destination.resources:
            problems.append(
                f"{where}: {sync.destination} has no resource {sync.resource}; "
                f"it has {', '.join(sorted(destination.resources))}"
            )
        else:
            problems += [
                f"{where}: {problem}" for problem in (*_idle_guards(sync), *destination.problems(sync))
            ]
    if problems:
        raise SyncError(problems)
