"""What moved since the last load, for lists that are too long to be read each time (README.md says when)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from karvon.http import NotFound
from pipelines.source import Batch, Context, Document, sweep_is_due
from pipelines.sources.side_by_side import side_by_side
from pipelines.sources.webflow.client import WebflowClient
from pipelines.sources.webflow.settings import AFTER_WRITING, CURSOR_OVERLAP, LOOKS_FOR_CHANGES, PAGE_SIZE


def pages_of(count: int) -> int:
    return -(-count // PAGE_SIZE)


def can_be_asked(context: Context, pages: int, lists: int = 1) -> bool:
    """Whether asking so many lists for what moved is enough and costs less than reading their pages."""
    return not sweep_is_due(context) and pages > LOOKS_FOR_CHANGES * lists


def as_cursor(moment: datetime) -> str:
    """As Webflow writes times; always as long, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def behind(cursor: str) -> str:
    """Where to ask from: clocks differ."""
    return as_cursor(datetime.fromisoformat(cursor) - CURSOR_OVERLAP)


def just_written(context: Context, resource: str) -> list[str]:
    """Keys of what was just written (`written`): read whatever their clocks say, as a write may have had no effect."""
    return list(context.parameters.get("written", {}).get(resource, ()))


async def read_each(client: WebflowClient, paths: Mapping[str, str]) -> dict[str, Document | None]:
    """Records by key, read one by one; None for one that is gone."""
    answers = await side_by_side(read_or_none(client, path) for path in paths.values())
    return dict(zip(paths, answers, strict=True))


async def read_or_none(client: WebflowClient, path: str) -> Document | None:
    try:
        document: Document = await client.get(path)
    except NotFound:
        return None
    return document


def news(read: Mapping[str, Document | None], absent: int, written: Sequence[str]) -> Batch | None:
    """What was read; None when not just so many are gone as the list lacks."""
    gone = [key for key, document in read.items() if document is None]
    if len(gone) != absent:
        return None
    documents = [document for document in read.values() if document is not None]
    return Batch(documents, gone=gone, is_counted=True, scope=AFTER_WRITING if written else None)
