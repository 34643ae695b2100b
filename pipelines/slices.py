"""Which numbers to visit next: slices of the universe by age, and single records by expected change.

Everything is asked of the observations: they are written with the documents, so they never claim a slice that
did not land.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from karvon.connections import Universe
from karvon.warehouse import Session, Warehouse
from pipelines.source import Source

State = Literal["never visited", "failed", "stale", "fresh"]
VISITS = "visits"
"""The table that says which single records a revisit asked for."""


@dataclass(frozen=True)
class Slice:
    """Numbers that are visited together and landed in one load; `scope` names them in the observations."""

    scope: str
    ids: Sequence[int]
    is_revisit: bool = False

    @staticmethod
    def between(first: int, last: int) -> Slice:
        """All numbers of a range, both ends included."""
        return Slice(f"ids {first}-{last}", range(first, last + 1))

    @staticmethod
    def of(ids: Sequence[int]) -> Slice:
        """Single numbers."""
        digest = hashlib.blake2b(json.dumps(list(ids)).encode(), digest_size=4).hexdigest()
        return Slice(f"revisit {len(ids)} ids {digest}", ids, is_revisit=True)

    @staticmethod
    def named(scope: str) -> Slice:
        """The slice that a scope `ids 1-1000` names."""
        first, last = scope.removeprefix("ids ").split("-")
        return Slice.between(int(first), int(last))


@dataclass(frozen=True)
class SliceStatus:
    """A slice and its last visit, complete or not. Times are UTC."""

    slice: Slice
    state: State
    visited_at: datetime | None = None
    """When it was last visited completely."""
    tried_at: datetime | None = None
    seen: int = 0
    missing: int = 0
    refused: int = 0
    failed: int = 0


def status(
    warehouse: Warehouse, source: Source, resource: str, connection: str, universe: Universe, now: datetime
) -> list[SliceStatus]:
    """All slices of the universe, in order. It ends behind the last slice that found anything."""
    with warehouse.session() as session:
        last = _last_visits(session, source, resource, connection)
    found = [Slice.named(scope).ids[-1] for scope, visit in last.items() if visit["seen"]]
    top = max([universe.last_id, *(highest + universe.stop_after_missing for highest in found)])
    if not found:
        top = max(top, universe.first_id + universe.stop_after_missing - 1, universe.first_id)
    size = universe.slice_size
    slices = [Slice.between(first, first + size - 1) for first in range(universe.first_id, top + 1, size)]
    return [
        _status(one, last.get(one.scope), now - timedelta(hours=universe.max_age_hours)) for one in slices
    ]


def _status(one: Slice, visit: dict[str, Any] | None, stale_before: datetime) -> SliceStatus:
    if visit is None:
        return SliceStatus(one, "never visited")
    state: State = (
        "failed" if not visit["is_complete"] else "fresh" if visit["visited_at"] >= stale_before else "stale"
    )
    counts = {name: visit[name] for name in ("seen", "missing", "refused", "failed")}
    return SliceStatus(one, state, visit["visited_at"], visit["tried_at"], **counts)


def due(
    statuses: Sequence[SliceStatus], now: datetime, retry_after: timedelta = timedelta(0)
) -> list[SliceStatus]:
    """Slices to visit: those never visited, then what failed or is stale, the longest ago first."""
    never = [one for one in statuses if one.state == "never visited"]
    again = [
        one
        for one in statuses
        if one.tried_at is not None
        and (one.state == "stale" or (one.state == "failed" and one.tried_at <= now - retry_after))
    ]
    return never + sorted(again, key=lambda one: (one.tried_at or now, one.slice.ids[0]))


def within(statuses: Sequence[SliceStatus], requests: int) -> list[SliceStatus]:
    """As many of them as the requests are for; at least one."""
    chosen: list[SliceStatus] = []
    for one in statuses:
        requests -= len(one.slice.ids)
        if requests < 0 and chosen:
            break
        chosen.append(one)
    return chosen


def revisits(
    warehouse: Warehouse, source: Source, connection: str, universe: Universe, requests: int, now: datetime
) -> list[Slice]:
    """The records that are worth a visit most, by the model `crawl_priorities`, in slices.

    Those that were visited since the model was built are left out: it does not know it yet.
    """
    with warehouse.session() as session:
        if requests <= 0 or not session.has_table("marts.crawl_priorities"):
            return []
        listed = session.rows(
            "SELECT product_id FROM marts.crawl_priorities "
            "WHERE source = $1 AND connection = $2 AND last_seen_at < $3 "
            f"ORDER BY visit_order LIMIT {requests * 2}",
            (source.name, connection, now),
        )
        built = session.value(
            "SELECT max(last_seen_at) FROM marts.crawl_priorities WHERE source = $1 AND connection = $2",
            (source.name, connection),
        )
        lately = _visited_ids(session, source, connection, built)
    ids = [row["product_id"] for row in listed if row["product_id"] not in lately][:requests]
    size = universe.slice_size
    return [Slice.of(ids[at : at + size]) for at in range(0, len(ids), size)]


def _visited_ids(
    session: Session, source: Source, connection: str, since: datetime | None
) -> Collection[int]:
    if since is None or not session.has_table(f"{source.schema}.{VISITS}"):
        return frozenset()
    rows = session.rows(
        f"SELECT document::text AS document FROM {source.schema}.{VISITS} "
        "WHERE connection = $1 AND landed_at > $2",
        (connection, since),
    )
    return {number for row in rows for number in json.loads(row["document"])["ids"]}


def visited_since(
    warehouse: Warehouse, source: Source, resource: str, connection: str, one: Slice, since: datetime
) -> bool:
    """Whether somebody else finished this slice meanwhile."""
    with warehouse.session() as session:
        if not session.has_table(f"{source.schema}.observations"):
            return False
        return bool(
            session.value(
                f"SELECT 1 {_committed(source)} AND o.scope = $3 AND o.is_complete AND o.observed_at >= $4 LIMIT 1",
                (resource, connection, one.scope, since),
            )
        )


def _last_visits(
    session: Session, source: Source, resource: str, connection: str
) -> dict[str, dict[str, Any]]:
    if not session.has_table(f"{source.schema}.observations"):
        return {}
    rows = session.rows(
        "SELECT DISTINCT ON (scope) scope, observed_at AS tried_at, is_complete, seen, missing, refused, failed, "
        "max(CASE WHEN is_complete THEN observed_at END) OVER (PARTITION BY scope) AS visited_at "
        f"FROM (SELECT o.* {_committed(source)} AND o.scope LIKE 'ids %') visits "
        "ORDER BY scope, observed_at DESC, _dlt_load_id DESC",
        (resource, connection),
    )
    return {row["scope"]: row for row in rows}


def _committed(source: Source) -> str:
    """Observations of loads that are wholly there; dlt commits table by table."""
    return (
        f"FROM {source.schema}.observations o "
        f"JOIN {source.schema}._dlt_loads l ON l.load_id = o._dlt_load_id AND l.status = 0 "
        "WHERE o.resource = $1 AND o.connection = $2"
    )
