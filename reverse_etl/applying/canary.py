"""The canary: the first rows of a plan are written, read back and compared, before the rest is sent.

Destinations take pictures over and publish pages in their own time (Webflow dossier §6.2), so what is missing is
looked for again for about half a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from karvon.http import HttpClient, RemoteError
from reverse_etl.applying.reading_back import ids_of, read_back
from reverse_etl.applying.window import needed_by
from reverse_etl.planning.narrowing import root_of
from reverse_etl.spec.syncs import FieldSpec, Sync
from reverse_etl.spec.values import already_there, shown_form
from reverse_etl.state.destination import Bound, Channel, Known, Record
from reverse_etl.state.operations import REMOVALS, Operation

WAITS: Sequence[float] = (0, 1, 2, 4, 8, 16)
"""Seconds before each look at a row."""


def split(
    operations: Sequence[Operation], syncs: Mapping[str, Sync]
) -> tuple[list[Operation], list[Operation]]:
    """The operations that go first, and the rest: the first rows of each sync with a canary, their children, and
    the rows of this plan that they refer to. A bulk call may be cut in two by it.
    """
    rows: set[tuple[str, str]] = set()
    for sync in syncs.values():
        if sync.canary:
            roots = dict.fromkeys(root_of(one) for one in operations if one.sync == sync.name)
            rows |= set(list(roots)[: sync.canary.rows])
    rows |= needed_by(one for one in operations if root_of(one) in rows)
    first = [one for one in operations if root_of(one) in rows or one.identity in rows]
    numbers = {one.seq for one in first}
    return first, [one for one in operations if one.seq not in numbers]


async def faults(
    done: Sequence[Operation],
    known: Known,
    bounds: Mapping[str, Bound],
    channels: Mapping[tuple[str, str], Channel],
) -> list[str]:
    """What written rows do not show as it was sent, in words. Nothing is written."""
    wrong: list[str] = []
    async with HttpClient("page", base_url="", attempts=1) as http:
        for one in done:
            if one.action in REMOVALS or one.is_stock or not one.changes:
                continue
            for wait in WAITS:
                await asyncio.sleep(wait)
                found = await _faults(one, known, bounds, channels[one.target], http)
                if not found:
                    break
            wrong += [f"{one.sync} {one.key}: {fault}" for fault in found]
    return wrong


async def _faults(
    one: Operation, known: Known, bounds: Mapping[str, Bound], channel: Channel, http: HttpClient
) -> list[str]:
    sync = bounds[one.sync].sync
    try:
        record = await read_back(one, known, bounds, channel)
    except RemoteError as error:
        return [f"it cannot be read back ({error})"]
    if record is None:
        return ["it is not there"]
    wrong = [
        f"{name} should be {_short(change['after'])} and is {_short(record.values.get(name))}"
        for name, change in one.changes.items()
        if not _shows(sync, name, change["after"], record, known, bounds)
    ]
    canary = sync.canary
    if canary and canary.page and sync.publish == "live" and not wrong:
        shown = {name: quote(str(record.values.get(name) or "")) for name in canary.page_fields}
        address = canary.page.format(**shown)
        try:
            await http.request("GET", address, as_json=False)
        except RemoteError as error:
            wrong.append(f"its page {address} does not answer ({error.status or 'no connection'})")
    return wrong


def _shows(
    sync: Sync, name: str, sent: Any, record: Record, known: Known, bounds: Mapping[str, Bound]
) -> bool:
    spec = sync.field(name)
    if spec is None:
        return name != "isArchived" or record.archived is bool(sent)
    if spec.policy == "create_only":
        return True  # What the destination answered rules.
    shown = shown_form(spec, record.values.get(name))
    if sent in (None, [], "") or shown is None:
        return (sent in (None, [], "")) is (shown is None)
    match spec.as_:
        case "image" | "images":
            return _arrived(spec, sent, record.values[name])
        case "html":
            return True
        case "sku_properties":
            offered = {one["name"]: set(one["values"]) for one in shown}
            return all(set(map(str, one["values"])) <= offered.get(one["name"], set()) for one in sent)
        case _:
            return already_there(spec, sent, shown, ids_of(spec, known, bounds))


def _arrived(spec: FieldSpec, sent: Any, shown: Any) -> bool:
    """A picture that the destination took over has a file of its own there."""
    mine, theirs = (value if isinstance(value, list) else [value] for value in (sent, shown))
    return len(mine) == len(theirs) and all(
        there.get("fileId") and there.get("url") and (not spec.alt or here.get("alt") == there.get("alt"))
        for here, there in zip(mine, theirs, strict=True)
    )


def _short(value: Any) -> str:
    text = "empty" if value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "…"
