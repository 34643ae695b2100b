"""From one load to the next: where to begin, and which records are gone (dossier §5.4, §13)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from karvon.http import NotFound
from pipelines.source import Context
from pipelines.sources.plytix.client import PlytixClient
from pipelines.sources.plytix.search import Query, Row, Window, moment
from pipelines.sources.plytix.settings import CONFIRM_AT_MOST, SETTLED_AFTER
from pipelines.sources.side_by_side import side_by_side


def beginning(context: Context) -> datetime | None:
    """The time up to which everything is known: `--since`, else the cursor; None to read all."""
    given = context.since or context.cursor
    if given is None:
        return None
    start = moment(given)
    if start is None:
        raise ValueError(f"{given!r} is no ISO date or time, such as 2026-10-01 or 2026-10-01T12:00:00")
    return start


def changes(context: Context) -> Window:
    """Everything that changed since the last load, with the overlap.

    What was read again long enough is left out: after an import of thousands every load would read them all until
    somebody edits something.
    """
    start = beginning(context)
    settled = context.since is None and context.cursor_stood >= SETTLED_AFTER
    return Window("modified", start, reaches_back=start is not None, is_settled=settled)


@dataclass(frozen=True)
class Sweep:
    """A complete list of ids, compared with the warehouse."""

    listed: dict[str, Row]
    unknown: dict[str, Row]
    """Listed, but neither in the warehouse nor read in this load."""
    present: list[str]
    """Everything that exists: listed, read, or found by asking for it."""


async def sweep_ids(
    client: PlytixClient, context: Context, path: str, seen: Collection[str], single: str
) -> Sweep:
    """Read all ids (100 a page, no columns), ordered by `created`, which an edit meanwhile does not move.

    A few known records that are not listed are asked for one by one (`single` is their path): a page that
    shifted must not delete a product. Many are left to the caller's shrink guard.
    """
    listed: dict[str, Row] = {}
    async for _, rows in client.portions(Query(path), Window("created")):
        listed |= rows
    known = context.known()
    absent = sorted(known - listed.keys() - set(seen))
    found: list[str] = []
    if len(absent) <= CONFIRM_AT_MOST and len(absent) * 2 <= len(known):
        answers = await side_by_side(exists(client, single.format(id=key)) for key in absent)
        found = [key for key, is_there in zip(absent, answers, strict=True) if is_there]
    unknown = {key: row for key, row in listed.items() if key not in known and key not in seen}
    return Sweep(listed, unknown, [*listed, *seen, *found])


async def exists(client: PlytixClient, path: str) -> bool:
    """Whether a single record is there and not marked as deleted."""
    try:
        rows = await client.single(path)
    except NotFound:
        return False
    return bool(rows) and rows[0].get("mark_as_deleted") is not True
