"""Parity, the edit-to-live clock and the last runs, read from the views in `marts` that are made from stored runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from karvon.warehouse import Session, Warehouse


@dataclass(frozen=True)
class Measures:
    """What is known of one sync; a part is None before the first run has measured it."""

    sync: str
    parity: float | None
    """Share of mapped fields equal in view and destination, 0 to 1."""
    measured_at: datetime | None
    edits: int
    """Edits of the last 30 days that the clock has measured."""
    p50_seconds: float | None
    p95_seconds: float | None

    def as_row(self) -> dict[str, Any]:
        return asdict(self)


def measures(warehouse: Warehouse) -> dict[str, Measures]:
    """By sync; empty before the views are built."""
    with warehouse.session() as session:
        return read_measures(session)


def read_measures(session: Session) -> dict[str, Measures]:
    """The same in an open session."""
    if not (session.has_table("marts.sync_parity") and session.has_table("marts.field_edits")):
        return {}
    rows = session.rows(
        """SELECT coalesce(p.sync, e.sync) AS sync, p.equal_share AS parity, p.measured_at,
          coalesce(e.edits, 0) AS edits, e.p50_seconds, e.p95_seconds
        FROM (
          SELECT sync, sum(equal_count) / nullif(CAST(sum(field_count) AS double precision), 0) AS equal_share,
            max(measured_at) AS measured_at
          FROM (SELECT *, rank() OVER (PARTITION BY sync, destination, connection ORDER BY measured_at DESC) AS nth
                FROM marts.sync_parity) AS ranked
          WHERE nth = 1 GROUP BY sync) AS p
        FULL JOIN (
          SELECT sync, count(*) AS edits,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds_to_live) AS p50_seconds,
            percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds_to_live) AS p95_seconds
          FROM marts.field_edits WHERE live_at > now() - interval '30 days' GROUP BY sync) AS e ON e.sync = p.sync
        ORDER BY 1"""
    )
    return {row["sync"]: Measures(**row) for row in rows}


def last_runs(warehouse: Warehouse, sync: str, limit: int = 40) -> list[dict[str, Any]]:
    """The last applied runs of a sync, oldest first: ended_at, done_count, refused_count, duration_seconds."""
    with warehouse.session() as session:
        if not session.has_table("marts.sync_runs"):
            return []
        rows = session.rows(
            "SELECT plan_id, ended_at, done_count, refused_count, duration_seconds FROM marts.sync_runs "
            "WHERE sync = $1 AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT $2",
            (sync, limit),
        )
    return rows[::-1]


def last_parities(warehouse: Warehouse, sync: str, limit: int = 40) -> list[float]:
    """The last measured parities of a sync, oldest first."""
    with warehouse.session() as session:
        if not session.has_table("marts.sync_parity"):
            return []
        rows = session.rows(
            "SELECT equal_share FROM marts.sync_parity WHERE sync = $1 AND equal_share IS NOT NULL "
            "ORDER BY measured_at DESC LIMIT $2",
            (sync, limit),
        )
    return [row["equal_share"] for row in rows[::-1]]


def duration(seconds: float | None) -> str:
    """Seconds as people say them: 45 s, 12 min, 3.5 h, 2 d."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size * 2 or (seconds >= size and unit == "min"):
            return f"{seconds / size:.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.0f} s"


def percent(share: float | None) -> str:
    """A share that never says 100 % of what is not whole."""
    if share is None:
        return ""
    return "100%" if share == 1 else f"{min(share * 100, 99.99):.2f}%"


def spoken(found: Sequence[Measures]) -> list[dict[str, str]]:
    """Measures as a table for people."""
    return [
        {
            "sync": one.sync,
            "parity": percent(one.parity),
            "edits in 30 days": str(one.edits),
            "half live within": duration(one.p50_seconds),
            "95% live within": duration(one.p95_seconds),
        }
        for one in found
    ]
