"""What is asked of a Plytix search: conditions, columns, windows of time (dossier §5)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pipelines.sources.plytix.settings import CURSOR_OVERLAP, DATE_ONLY_OVERLAP, EARLIEST, PAGE_SIZE

Row = dict[str, Any]


def identity(row: Row) -> str:
    """The id of a row; the v2 beta also called it `_id` (dossier §6.1)."""
    return str(row.get("id") or row["_id"])


def parent_of(row: Row) -> str | None:
    """The parent's id: `parent_id` in v2, `_parent_id` in v1, absent or null when there is none."""
    return row.get("parent_id") or row.get("_parent_id") or None


def moment(value: Any) -> datetime | None:
    """Read a Plytix time: with or without offset (then UTC), with or without fraction, or a bare date."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def newest(rows: Collection[Row], began: datetime) -> str | None:
    """The highest `modified` of some rows, as cursor: UTC with six digits, so that text order is time order.

    Never later than when the load began: what was edited while it ran is read again by the next one.
    """
    times = [time for row in rows if (time := moment(row.get("modified")))]
    return min(max(times), began).astimezone(UTC).isoformat(timespec="microseconds") if times else None


@dataclass(frozen=True)
class Window:
    """Rows whose `field` lies in [start, end); None leaves that side open."""

    field: Literal["modified", "created"]
    start: datetime | None = None
    end: datetime | None = None
    reaches_back: bool = False
    """Begins at a cursor, so it overlaps what was read before: by minutes, or by a day if only dates are taken."""
    is_settled: bool = False
    """Begins behind the cursor instead, where filters can say so (not by dates only)."""

    def conditions(self, dates_only: bool) -> list[dict[str, str]]:
        """As filters, never narrower than the window: whole seconds, or whole days where only dates are taken."""
        step = timedelta(days=1) if dates_only else timedelta(seconds=1)
        form = "%Y-%m-%d" if dates_only else "%Y-%m-%dT%H:%M:%S"
        conditions = []
        if self.start:
            overlap = DATE_ONLY_OVERLAP if dates_only else CURSOR_OVERLAP
            if self.reaches_back:
                start = self.start + step if self.is_settled and not dates_only else self.start - overlap
            else:
                start = self.start
            value = _floor(start, step).strftime(form)
            conditions.append({"field": self.field, "operator": "gte", "value": value})
        if self.end:
            value = _floor(self.end + step - timedelta(microseconds=1), step).strftime(form)
            conditions.append({"field": self.field, "operator": "lt", "value": value})
        return conditions

    def halves(self, dates_only: bool, now: datetime) -> tuple[Window, Window] | None:
        """Two windows that together are this one, or None when it is as narrow as filters can say."""
        step = timedelta(days=1) if dates_only else timedelta(seconds=1)
        start = _floor(self.start or EARLIEST, step)
        end = self.end or max(now, start) + timedelta(days=2)
        middle = _floor(start + (end - start) / 2, step)
        if middle <= start:
            middle = start + step
        if middle >= end:
            return None
        return replace(self, end=middle), replace(self, start=middle, reaches_back=False)


@dataclass(frozen=True)
class Query:
    """One search. `windows` must all hold; `skus` are alternatives (text takes `eq` only: dossier §5.2)."""

    path: str
    columns: tuple[str, ...] = ()
    windows: tuple[Window, ...] = ()
    skus: tuple[str, ...] = ()
    order: str = ""

    def body(self, page: int, refused: Collection[str], dates_only: bool) -> dict[str, Any]:
        """The request body of one page, without the columns the API has refused."""
        held = [condition for window in self.windows for condition in window.conditions(dates_only)]
        filters = [[{"field": "sku", "operator": "eq", "value": sku}] for sku in self.skus] or (
            [held] if held else []
        )
        columns = [column for column in self.columns if column not in refused]
        # `order: null` is refused: it is left out when there is none (dossier §5.3).
        pagination = {"page": page, "page_size": PAGE_SIZE} | ({"order": self.order} if self.order else {})
        return (
            ({"filters": filters} if filters else {})
            | ({"attributes": columns} if columns else {})
            | {"pagination": pagination}
        )


def _floor(value: datetime, step: timedelta) -> datetime:
    since = value - EARLIEST
    return EARLIEST + since // step * step
