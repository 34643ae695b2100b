"""How each source stands: its last run, when it is tried again, what its user has used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pyarrow as pa

from karvon.warehouse import Session
from pipelines.sources.user_apis.definition import DataSource

Outcome = Literal["complete", "capped", "failed", "refused", "misconfigured"]
TABLE = "raw_user_apis.source_runs"
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=24)

COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "user_id": {"data_type": "text", "nullable": False},
    "source_id": {"data_type": "text", "nullable": False},
    "started_at": {"data_type": "timestamp", "timezone": True},
    "finished_at": {"data_type": "timestamp", "timezone": True},
    "outcome": {"data_type": "text"},
    "error": {"data_type": "text"},
    "failures": {"data_type": "bigint"},
    "next_try_at": {"data_type": "timestamp", "timezone": True},
    "definition_hash": {"data_type": "text"},
    "rows_seen": {"data_type": "bigint"},
    "rows_landed": {"data_type": "bigint"},
    "requests": {"data_type": "bigint"},
}
_TYPES = {"text": pa.string(), "bigint": pa.int64(), "timestamp": pa.timestamp("us", "UTC")}


@dataclass(frozen=True)
class SourceRun:
    """One run of one source. `next_try_at` is None while it is paused: for good, until its file changes."""

    user_id: str
    source_id: str
    started_at: datetime
    finished_at: datetime
    outcome: Outcome
    error: str | None
    failures: int
    next_try_at: datetime | None
    definition_hash: str
    rows_seen: int = 0
    rows_landed: int = 0
    requests: int = 0

    @property
    def connection(self) -> str:
        return f"{self.user_id}/{self.source_id}"

    def as_arrow(self) -> pa.Table:
        return pa.table(
            {
                name: pa.array([getattr(self, name)], _TYPES[str(column["data_type"])])
                for name, column in COLUMNS.items()
            }
        )


def next_try(outcome: Outcome, failures: int, now: datetime) -> datetime | None:
    """A failure waits longer each time; a refusal waits for a person."""
    if outcome in ("complete", "capped"):
        return now
    if outcome in ("refused", "misconfigured"):
        return None
    doubled: timedelta = FIRST_WAIT * 2 ** min(failures - 1, 20)
    return now + min(doubled, LONGEST_WAIT)


def last_runs(session: Session) -> dict[str, SourceRun]:
    """The last run of each source by its connection."""
    if not session.has_table(TABLE):
        return {}
    columns = ", ".join(COLUMNS)
    rows = session.rows(
        f"SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY user_id, source_id "
        f"ORDER BY finished_at DESC) AS nth FROM {TABLE}) AS runs WHERE nth = 1"
    )
    runs = [SourceRun(**row) for row in rows]
    return {run.connection: run for run in runs}


def used_today(session: Session) -> dict[str, dict[str, float]]:
    """Rows, requests and minutes of each user since midnight UTC."""
    if not session.has_table(TABLE):
        return {}
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = session.rows(
        f"""SELECT user_id, sum(rows_seen) AS rows, sum(requests) AS requests,
          sum(extract(epoch FROM finished_at - started_at)) / 60.0 AS minutes
        FROM {TABLE} WHERE finished_at >= $1 GROUP BY user_id""",
        (midnight,),
    )
    return {
        row["user_id"]: {name: float(row[name] or 0) for name in ("rows", "requests", "minutes")}
        for row in rows
    }


def why_not_now(source: DataSource, last: SourceRun | None, now: datetime) -> str | None:
    """Why a source is not due, in words; None when it is."""
    if not source.enabled:
        return "disabled in its file"
    if last is None or last.definition_hash != source.definition_hash:
        return None
    if last.next_try_at is None:
        return f"paused: {last.error}"
    if last.next_try_at > now:
        return (
            f"waits until {last.next_try_at:%Y-%m-%d %H:%M} UTC after {last.failures} "
            f"failure{'' if last.failures == 1 else 's'}: {last.error}"
        )
    return None
