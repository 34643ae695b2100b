"""All destinations by the name that a sync's YAML uses. A new one is a folder here and a line below."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from karvon.connections import webflow_connections
from karvon.rehearsal import Rehearsal
from karvon.settings import Settings
from reverse_etl.destinations.files import Files
from reverse_etl.destinations.webflow.cms import WebflowCms
from reverse_etl.destinations.webflow.store import WebflowStore
from reverse_etl.destinations.webhook import Webhook
from reverse_etl.state.destination import Channels, Destinations

DESTINATIONS: Destinations = {
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
