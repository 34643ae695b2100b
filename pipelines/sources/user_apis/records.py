"""Reading a record of unknown shape by the paths of its definition: its key, its cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from pipelines.sources.user_apis.definition import Incremental
from pipelines.sources.user_apis.paths import plain_route, step_to


def value_at(record: Any, path: str) -> Any:
    """The value at a path, or None where the record has nothing."""
    return step_to(record, plain_route(path))


def document_key(paths: Sequence[str]) -> Callable[[Any], str | None]:
    """What tells the identity of a record as text, or None when a part of it is missing."""

    def combined(record: Any) -> str | None:
        parts = [_key_part(value_at(record, path)) for path in paths]
        return None if None in parts else orjson.dumps(parts).decode()

    if len(paths) > 1:
        return combined
    path, steps = paths[0], plain_route(paths[0])
    if len(steps) == 1 and isinstance(name := steps[0], str):
        # Nearly all keys are such, and it is asked of every record.
        return lambda record: _key_part(record.get(name))
    return lambda record: _key_part(value_at(record, path))


def _key_part(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return None if value is None or isinstance(value, (dict, list)) else str(value)


def highest(records: Sequence[Any], path: str, so_far: str | None) -> str | None:
    """The highest cursor of the records, as text; numbers are compared as numbers."""
    values = [value for value in (value_at(record, path) for record in records) if value is not None]
    values += [] if so_far is None else [so_far]
    return str(max(values, key=rank)) if values else None


def rank(value: Any) -> tuple[int, float, str]:
    """What cursors are compared by: numbers as numbers, everything else as text."""
    try:
        return 0, float(value), ""
    except (TypeError, ValueError):
        return 1, 0.0, str(value)


def cursor_parameter(spec: Incremental, cursor: str | None) -> str | int | None:
    """What is sent for the cursor: a little before where the last load ended, in the API's format."""
    if cursor is None:
        return spec.initial
    overlap = timedelta(minutes=spec.overlap_minutes)
    at = instant(cursor)
    if at is None:
        return cursor
    at -= overlap
    exact = at if at.tzinfo else at.replace(tzinfo=UTC)
    if spec.format == "epoch":
        return int(exact.timestamp())
    if spec.format == "epoch_ms":
        return int(exact.timestamp() * 1000)
    if spec.format == "date":
        return at.date().isoformat()
    if cursor.replace(".", "", 1).isdigit():
        return cursor
    return at.isoformat().replace("+00:00", "Z") if cursor.endswith("Z") else at.isoformat()


def instant(cursor: str) -> datetime | None:
    """The moment that a cursor stands for, without a zone where it has none; None if it is no time."""
    try:
        if cursor.replace(".", "", 1).isdigit():
            seconds = float(cursor)
            # Seconds until the year 5138; above that it must be milliseconds.
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        return datetime.fromisoformat(cursor)
    except (ValueError, OverflowError, OSError):
        return None
