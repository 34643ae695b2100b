"""The UZEX source: procurement lists, details and reference data. README.md says what each costs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial

from karvon.connections import UzexConnection
from karvon.http import NotFound, Refused, RemoteError
from pipelines.source import Batch, Context, Document, Fetch, Resource, Source
from pipelines.sources.side_by_side import side_by_side
from pipelines.sources.uzex import kept
from pipelines.sources.uzex.client import UzexClient
from pipelines.sources.uzex.ranks import is_unfinished, key_of, read_down, read_whole
from pipelines.sources.uzex.settings import (
    DETAILS,
    LISTS,
    REFERENCES,
    Detail,
    RankList,
)

DETAILS_AT_ONCE = 20
ABSENT = object()
"""The portal answered 404, which says that the record is not there, or that the path is wrong."""


def _list(listed: RankList) -> Resource:
    return Resource(
        listed.name,
        partial(key_of, listed),
        partial(read_down if listed.date else read_whole, listed=listed),
        kept=kept.ROWS,
        sweep=not listed.date,
        is_unfinished=is_unfinished if listed.date else lambda _cursor: False,
        share=any(listed.name in dict(detail.parents) for detail in DETAILS),
        shrink_advice="the list may have been cut: UZEX_WINDOWS_PER_RUN bounds it",
    )


def _details(detail: Detail) -> Fetch:
    """Details of rows that are new or changed, then of those that never had one, within the budget.

    Of the latter the newest come first and a quarter by chance: some that always fail do not keep out the rest.
    """

    async def fetch(context: Context) -> AsyncIterator[Batch]:
        client, budget = UzexClient.of(context), context.connection.details_per_run
        wanted = [
            str(row[field])
            for parent, field in detail.parents
            for row in context.changed.get(parent, ())
            if row.get(field) is not None
        ]
        for parent, field in detail.parents:
            wanted += context.lacking(parent, field, budget * 10)
        numbers = _chosen(list(dict.fromkeys(wanted)), budget, context.now.isoformat())
        absent: list[str] = []
        is_answered = False
        for at in range(0, len(numbers), DETAILS_AT_ONCE):
            group = numbers[at : at + DETAILS_AT_ONCE]
            found = await side_by_side(_detail(client, detail, number) for number in group)
            documents = [document for document in found if isinstance(document, dict)]
            absent += [number for number, document in zip(group, found, strict=True) if document is ABSENT]
            is_answered |= bool(documents)
            missing = sum("is_missing" in document for document in documents)
            yield Batch(documents, missing=missing, failed=found.count(None))
        if absent and (is_answered or await _is_known(client, detail, context.known())):
            yield Batch([_missing(detail, number) for number in absent], missing=len(absent))
        elif absent:
            yield Batch(failed=len(absent))

    return fetch


def _chosen(numbers: list[str], most: int, seed: str) -> list[str]:
    """So many of the numbers: three quarters from the front, the rest from anywhere behind."""
    front = numbers[: most - most // 4]
    behind = numbers[len(front) :]
    return front + random.Random(seed).sample(behind, min(len(behind), most - len(front)))  # noqa: S311


async def _is_known(client: UzexClient, detail: Detail, known: set[str]) -> bool:
    """Whether the path still answers for a record that it answered for: then a 404 is about the other one."""
    for number in sorted(known, key=lambda one: (len(one), one))[-3:]:
        if isinstance(await _detail(client, detail, number), dict):
            return True
    return False


def _missing(detail: Detail, number: str) -> Document:
    """What the portal does not have is landed as such, or it would be asked for ever."""
    return {detail.key: int(number), "is_missing": True}


async def _detail(client: UzexClient, detail: Detail, number: str) -> Document | object | None:
    """One detail; None if it failed."""
    try:
        answer = await client.get(detail.module, detail.path.format(id=number))
    except NotFound:
        return ABSENT
    except RemoteError as error:
        # A question about one number that the portal does not like says nothing of the others.
        if isinstance(error, Refused) and error.status not in (400, 422):
            raise
        return None
    identity = {detail.key: int(number)}
    if isinstance(answer, list):
        return {**identity, "items": answer}
    return {**answer, **identity} if isinstance(answer, dict) else _missing(detail, number)


def _reference(path: str) -> Fetch:
    async def fetch(context: Context) -> AsyncIterator[Batch]:
        yield Batch(await UzexClient.of(context).get("trade", path) or ())

    return fetch


async def probe(connection: UzexConnection) -> str:
    """The regions of one host and a row of another: the hosts refuse one by one."""
    async with UzexClient(connection) as client:
        regions, rows = await asyncio.gather(
            client.get("trade", REFERENCES["regions"]),
            client.window(LISTS[0].module, LISTS[0].path, {**LISTS[0].body, "from": 1, "to": 2}),
        )
    return f"answers; {len(regions or ())} regions, {len(rows)} auction deals in a window of one"


SOURCE = Source(
    name="uzex",
    probe=probe,
    connect=UzexClient,
    resources=(
        *(
            Resource(name, lambda row: str(row["id"]), _reference(path), sweep=True)
            for name, path in REFERENCES.items()
        ),
        *(_list(listed) for listed in LISTS),
        *(
            Resource(
                detail.name,
                lambda document, key=detail.key: str(document[key]),  # type: ignore[misc]
                _details(detail),
                kept=kept.DETAILS,
            )
            for detail in DETAILS
        ),
    ),
)
