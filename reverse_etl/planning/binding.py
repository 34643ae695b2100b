"""Syncs as they fit the destinations: read once from the landed schemas before anything is planned or applied."""

from __future__ import annotations

from collections.abc import Sequence

from karvon.warehouse import Session
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Bound


def bind(session: Session, syncs: Sequence[Sync]) -> list[Bound]:
    """Every sync bound to its destination, in the given order. Destinations must be known."""
    by_name = {sync.name: sync for sync in syncs}
    return [DESTINATIONS[sync.destination].bind(session, sync, by_name) for sync in syncs]
