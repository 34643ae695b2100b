"""All destinations by the name that a sync's YAML uses. A new one is a folder here and a line below."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from karvon.connections import webflow_connections
from karvon.rehearsal import Rehearsal
from karvon.settings import Settings
from reverse_etl.destinations.files import Files
from reverse_etl.destinations.webflow.cms import WebflowCms
from reverse_etl.destinations.webflow.store import WebflowStore
from reverse_etl.destinations.webhook import Webhook
from reverse_etl.spec.manifest import SyncError
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Channels, Destination

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


def rehearsed_channels(settings: Settings, connection: str, known_as: str, rehearsal: Rehearsal) -> Channels:
    """Channels of one connection that send nothing; plans find them under the name `known_as`."""
    from reverse_etl.destinations.webflow.channel import StoreChannel
    from reverse_etl.destinations.webflow.cms_channel import CmsChannel

    site = replace(
        webflow_connections(settings)[connection], base_url="https://rehearsal.invalid", rate_limits=()
    )
    return {
        ("webflow_store", known_as): partial(StoreChannel, site, rehearsal=rehearsal),
        ("webflow_cms", known_as): partial(CmsChannel, site, rehearsal=rehearsal),
    }


def rate_per_minute(settings: Settings, only: Collection[str] = frozenset(DESTINATIONS)) -> float:
    """Requests a minute that the slowest connection takes: what a plan's minutes are counted with."""
    windows = [window for name in only for window in DESTINATIONS[name].rate_limits(settings)]
    return min((window.requests * 60 / window.seconds for window in windows), default=60)


def _idle_guards(sync: Sync) -> Iterator[str]:
    """Guards that the sync gives nothing to watch."""
    if sync.guards.max_price_change is not None and not any(one.as_ == "money" for one in sync.fields):
        yield "guards.max_price_change: no column is `as: money`, so it would watch nothing; leave it out"
    if sync.canary and sync.canary.page and sync.publish != "live":
        yield "canary.page: with `publish: staging` no page is asked; write `publish: live`, or leave it out"


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
            problems += [
                f"{where}: {problem}" for problem in (*_idle_guards(sync), *destination.problems(sync))
            ]
    if problems:
        raise SyncError(problems)
