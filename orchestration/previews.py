"""Previews of the project's syncs: the engine's preview with the channels and the landed shop of this installation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from karvon.rehearsal import Rehearsal, Request
from karvon.settings import Settings
from karvon.warehouse import Session, Warehouse
from reverse_etl.destinations import DESTINATIONS, rehearsed_channels
from reverse_etl.destinations.webflow.field_types import read_collections
from reverse_etl.destinations.webflow.rehearsal import answers
from reverse_etl.review.preview import Preview, preview
from reverse_etl.spec.syncs import AS_NEW, Sync
from reverse_etl.state.destination import Channels


def previewed(
    settings: Settings,
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    key: str,
    *,
    as_new: bool = False,
    values: Mapping[str, str] | None = None,
) -> Preview:
    """What one row would send to Webflow. Raises `UnknownKey`, `UnknownColumn`, `SettingsError`."""
    syncs = [sync for sync in syncs if sync.destination.startswith("webflow")]
    requests: list[Request] = []
    channels: Channels = {}
    for connection in {sync.connection for sync in syncs}:
        with warehouse.session() as session:
            collections, stocks = read_collections(session, connection), _stocks(session, connection)
        rehearsal = Rehearsal(answers(collections, stocks), requests)
        known_as = f"{AS_NEW}{connection}" if as_new else connection
        channels = {**channels, **rehearsed_channels(settings, connection, known_as, rehearsal)}
    return preview(warehouse, syncs, DESTINATIONS, key, requests, channels, as_new=as_new, values=values)


def sample_keys(warehouse: Warehouse, syncs: Sequence[Sync], count: int) -> list[str]:
    """The first keys of each sync that has no parent and holds no row back for them."""
    keys: list[str] = []
    with warehouse.session() as session:
        for sync in syncs:
            if sync.parent is None:
                ready = f'WHERE "{sync.held}" IS NULL' if sync.held else ""
                found = session.rows(
                    f'SELECT CAST("{sync.key}" AS text) AS key FROM {sync.relation} {ready} ORDER BY 1 LIMIT {count}'
                )
                keys += [row["key"] for row in found]
    return keys


def _stocks(session: Session, connection: str) -> dict[str, dict[str, Any]]:
    if not session.has_table("raw_webflow.inventory"):
        return {}
    rows = session.rows(
        """SELECT document_key, CAST(document AS text) AS document FROM (
          SELECT document_key, document, row_number() OVER (PARTITION BY document_key ORDER BY landed_at DESC) AS nth
          FROM raw_webflow.inventory WHERE connection = $1) AS versions WHERE nth = 1""",
        (connection,),
    )
    return {row["document_key"]: orjson.loads(row["document"]) for row in rows}
