"""All destinations by the name that a sync's YAML uses. A new one is a folder here and a line below."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from karvon.settings import Settings
from reverse_etl.destination import Channels, Destination
from reverse_etl.destinations.files import Files
from reverse_etl.destinations.webflow.cms import WebflowCms
from reverse_etl.destinations.webflow.store import WebflowStore
from reverse_etl.destinations.webhook import Webhook
from reverse_etl.manifest import SyncError
from reverse_etl.syncs import Sync

DESTINATIONS: Mapping[str, Destination] = {
    "webflow_store": WebflowStore(),
    "webflow_cms": WebflowCms(),
    "files": Files(),
    "webhook": Webhook(),
}


def channels(settings: Settings, only: Collection[str] = frozenset(DESTINATIONS)) -> Channels:
    """An openable channel for every configured connection. Raises `SettingsError` for missing secrets."""
    return {
        (name, connection): opener
        for name in sorted(only)
        for connection, opener in DESTINATIONS[name].channels(settings).items()
    }


def rate_per_minute(settings: Settings, only: Collection[str] = frozenset(DESTINATIONS)) -> float:
    """Requests a minute that the slowest connection takes: what a plan's minutes are counted with."""
    windows = [window for name in only for window in DESTINATIONS[name].rate_limits(settings)]
    return min((window.requests * 60 / window.seconds for window in windows), default=60)


def check(syncs: Sequence[Sync]) -> None:
    """Raises `SyncError` with everything that the destinations find wrong with the syncs."""
    problems = []
    for sync in syncs:
        where = f"{sync.file}, model {sync.name}"
        destination = DESTINATIONS.get(sync.destination)
        if destination is None:
            known = ", ".join(DESTINATIONS)
            problems.append(f"{where}: unknown destination {sync.destination}; known are {known}")
        elif sync.resource not in destination.resources:
            problems.append(
                f"{where}: {sync.destination} has no resource {sync.resource}; "
                f"it has {', '.join(sorted(destination.resources))}"
            )
        else:
            problems += [f"{where}: {problem}" for problem in destination.problems(sync)]
    if problems:
        raise SyncError(problems)
