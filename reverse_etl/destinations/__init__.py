"""All destinations by the name that a sync's YAML uses. A new one is a folder here and a line below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from karvon.addresses import Exceptions
from karvon.connections import webflow_connections
from karvon.rehearsal import Rehearsal
from karvon.settings import Settings
from reverse_etl.destination import Channels, Destination
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.destinations.webflow.store import WebflowStore

DESTINATIONS: Mapping[str, Destination] = {"webflow_store": WebflowStore()}


def channels(settings: Settings) -> Channels:
    """An openable channel for every configured connection. Raises `SettingsError` for missing secrets."""
    exceptions = Exceptions(settings.profile == "sandbox", settings.reachable_private_hosts)
    return {
        ("webflow_store", name): partial(StoreChannel, site, exceptions=exceptions)
        for name, site in webflow_connections(settings).items()
    }


def rehearsed_channels(settings: Settings, connection: str, known_as: str, rehearsal: Rehearsal) -> Channels:
    """Channels of one connection that send nothing; plans find them under the name `known_as`."""
    site = replace(
        webflow_connections(settings)[connection], base_url="https://rehearsal.invalid", rate_limits=()
    )
    return {("webflow_store", known_as): partial(StoreChannel, site, rehearsal=rehearsal)}


def rate_per_minute(settings: Settings) -> float:
    """Requests a minute that the slowest connection takes: what a plan's minutes are counted with."""
    windows = [window for site in webflow_connections(settings).values() for window in site.rate_limits]
    return min(window.requests * 60 / window.seconds for window in windows)
