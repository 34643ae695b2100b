"""All destinations by the name that a sync's YAML uses. A new one is a folder here and a line below."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from karvon.connections import webflow_connections
from karvon.settings import Settings
from reverse_etl.destination import Channels, Destination
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.destinations.webflow.cms import WebflowCms
from reverse_etl.destinations.webflow.cms_channel import CmsChannel
from reverse_etl.destinations.webflow.store import WebflowStore

DESTINATIONS: Mapping[str, Destination] = {"webflow_store": WebflowStore(), "webflow_cms": WebflowCms()}


def channels(settings: Settings) -> Channels:
    """An openable channel for every configured connection. Raises `SettingsError` for missing secrets."""
    opened: dict[tuple[str, str], Any] = {}
    for name, site in webflow_connections(settings).items():
        opened["webflow_store", name] = partial(StoreChannel, site)
        opened["webflow_cms", name] = partial(CmsChannel, site)
    return opened


def rate_per_minute(settings: Settings) -> float:
    """Requests a minute that the slowest connection takes: what a plan's minutes are counted with."""
    windows = [window for site in webflow_connections(settings).values() for window in site.rate_limits]
    return min(window.requests * 60 / window.seconds for window in windows)
