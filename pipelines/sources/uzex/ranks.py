"""Reading a list by ranks: windows in slices, down to what is known, whatever the ranks do meanwhile.

New rows push the others down, so a window may repeat rows of the one before (they are told apart by key); rows
that leave pull the others up, which the total gives away. Rows inside a window have no order, and a short window
ends nothing: only an empty one does (Uzum dossier §2.2).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.source import Batch, Context, Document
from pipelines.sources.uzex.client import UzexClient
from pipelines.sources.uzex.settings import DEAL_DATE_FORMS, IDLE_WINDOWS, WINDOWS_PER_SLICE, RankList


@dataclass(frozen=True)
class Walk:
    """Where the walk down a list stands; kept as the cursor. `rank` is 0 between two walks."""

    number: int = 0
    until: str = ""
    """Newest date that the last finished walk began with."""
    top: str = ""
    """The same of the walk under way."""
    rank: int = 0
    variant: int = 0
    """Which of the conditions of a list is being read."""

    @staticmethod
    def at(cursor: str | None) -> Walk:
        """The walk that a cursor describes."""
        return Walk(**json.loads(cursor.partition(" ")[2])) if cursor else Walk()

    @property
    def cursor(self) -> str:
        """With a growing number first, because of all cursors the highest is kept."""
        return f"{self.number:012d} {json.dumps(asdict(self))}"


def is_unfinished(cursor: str | None) -> bool:
    """Whether the walk has more slices to read."""
    return Walk.at(cursor).rank > 0


async def read_down(context: Context, listed: RankList) -> AsyncIterator[Batch]:
    """One slice of a list that has dates: from the newest row down to the watermark, over as many loads as it takes."""
    walk = Walk.at(context.cursor)
    bound = _day_before(walk.until, context.connection.look_back_days)
    first = rank = walk.rank or 1
    top, ended = walk.top, True
    async for window in windows(UzexClient.of(context), listed, rank, WINDOWS_PER_SLICE):
        dates = [when for row in window.rows if (when := moment(row.get(listed.date)))]
        if not top and dates:
            top = min(max(dates), context.now).isoformat()
        yield Batch(ours(listed, window.rows))
        rank, ended = window.next_rank, window.is_last
        if ended or (bound is not None and dates and max(dates) < bound):
            ended = True
            break
    else:
        ended = False
    after = replace(walk, number=walk.number + 1, top=top, rank=rank)
    if ended:
        after = replace(after, until=max(top, walk.until), top="", rank=0)
    yield Batch(cursor=after.cursor, scope=f"ranks {first}-{rank - 1}")


async def read_whole(context: Context, listed: RankList) -> AsyncIterator[Batch]:
    """A list that has no dates, whole in one load, so that what left it is known to be gone.

    One that is longer than a load may read is read on by the next; neither says anything about what it does not hold.
    """
    began = walk = Walk.at(context.reached)
    for number in range(began.variant, len(listed.variants)):
        one = replace(listed, body={**listed.body, **listed.variants[number]})
        rank, ended = walk.rank or 1, False
        async for window in windows(UzexClient.of(context), one, rank, context.connection.windows_per_run):
            rank, ended = window.next_rank, window.is_last
            yield Batch(ours(one, window.rows))
        walk = replace(began, number=began.number + 1, rank=0 if ended else rank, variant=number)
        if not ended:
            break
    if not walk.rank:
        walk = replace(walk, variant=0)
    if walk.rank or began.rank:
        yield Batch(cursor=walk.cursor, failed=1)


@dataclass(frozen=True)
class Window:
    """One answer of a list. `is_last`: nothing comes after it."""

    rows: Sequence[Document]
    next_rank: int
    is_last: bool


async def windows(client: UzexClient, listed: RankList, rank: int, most: int) -> AsyncIterator[Window]:
    """So many windows from a rank on; the last one is empty, or the third that brings nothing new."""
    seen: set[str] = set()
    idle, total = 0, 0
    for _ in range(most):
        rows = await client.window(listed.module, listed.path, _body(listed, rank))
        keys = {key_of(listed, row) for row in rows}
        idle = 0 if keys - seen else idle + 1
        seen = keys | (seen if idle else set())
        now = max((row.get("total_count") or 0 for row in rows), default=total)
        left = max(0, total - now)
        rank_after = rank + max(1, listed.rows - listed.overlap - left)
        yield Window(rows, rank_after, not rows or idle >= IDLE_WINDOWS)
        if not rows or idle >= IDLE_WINDOWS:
            return
        rank, total = rank_after, now


def _body(listed: RankList, rank: int) -> dict[str, Any]:
    first, last = listed.ranks
    return {**listed.body, first: rank, last: rank + listed.rows - (listed.window != "exclusive")}


def key_of(listed: RankList, row: Document) -> str:
    """A row's key: the first of the fields that it has."""
    return str(next(row[name] for name in listed.keys if row.get(name) is not None))


def ours(listed: RankList, rows: Sequence[Document]) -> list[Document]:
    """Rows that are what was asked for: the server may have ignored the filter."""
    return [
        row for row in rows if all(row.get(name) in (None, value) for name, value in listed.holds.items())
    ]


def moment(value: Any) -> datetime | None:
    """A time of the portal, in UTC as far as comparing goes: its own zone is the same everywhere."""
    if not isinstance(value, str) or not value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        for form in DEAL_DATE_FORMS:
            try:
                return datetime.strptime(value, form).replace(tzinfo=UTC)
            except ValueError:
                continue
        return None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _day_before(until: str, days: int) -> datetime | None:
    known = moment(until)
    return known - timedelta(days=days) if known else None
