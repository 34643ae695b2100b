"""What became of items whose creation was never answered, and which answered item belongs to which row.

An answer is in no promised order (Webflow dossier §2.4), so items are told apart by their slug.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from karvon.http import NotFound
from reverse_etl.destinations.webflow.client import JsonObject, WebflowClient
from reverse_etl.destinations.webflow.cms_packing import PRIMARY, kind, place
from reverse_etl.destinations.webflow.cms_values import item_id_of, item_record, place_of
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Outcome
from reverse_etl.state.operations import Operation

UNNAMED = "the answer does not name this item"
FEW = 3
"""So many items are asked for one by one; more are read from the list, newest first."""
_CLOCKS_DIFFER = timedelta(minutes=10)


async def find(client: WebflowClient, syncs: Mapping[str, Sync], call: Sequence[Operation]) -> list[Outcome]:
    """Outcomes of a call of unknown outcome. Raises from the `RemoteError` tree."""
    if kind(call[0]) != "create":
        # Sending it again does no harm.
        return [Outcome(one, "absent") for one in call]
    there = await made(client, place(call[0]).partition("/")[0], call)
    return [done(syncs, one, there[one.seq]) if one.seq in there else Outcome(one, "absent") for one in call]


async def made(client: WebflowClient, collection: str, call: Sequence[Operation]) -> dict[int, JsonObject]:
    """The items of a create that are there after all, by the operation's number. Raises from the `RemoteError` tree."""
    if len(call) <= FEW:
        items = [
            item
            for one in call
            for item in await client.items(collection, slug=one.payload["fieldData"]["slug"])
        ]
    else:
        items = await _newest(client, collection, call)
    same = {_identity(item["fieldData"]): item for item in items}
    return {one.seq: same[key] for one in call if (key := _identity(one.payload["fieldData"])) in same}


async def read(client: WebflowClient, remote_id: str) -> JsonObject | None:
    """An item as it stands now, None when it is not there. Raises from the `RemoteError` tree."""
    collection, _, locale = place_of(remote_id).partition("/")
    try:
        return await client.item_in(collection, item_id_of(remote_id), locale)
    except NotFound:
        return None


def created(
    syncs: Mapping[str, Sync], call: Sequence[Operation], answered: Sequence[JsonObject]
) -> list[Outcome]:
    """Outcomes of created items, of which the primary locale's is the row's own."""
    primary = call[0].payload.get(PRIMARY)
    items = matched(call, [item for item in answered if not primary or item.get("cmsLocaleId") == primary])
    return [
        done(syncs, one, items[one.seq]) if one.seq in items else Outcome(one, "unknown", error=UNNAMED)
        for one in call
    ]


def matched(call: Sequence[Operation], answered: Sequence[JsonObject]) -> dict[int, JsonObject]:
    """Created items by the operation's number: by slug, else by name where the slug was changed, each item once."""
    left, found = list(answered), dict[int, JsonObject]()
    for is_same in (_same_slug, _same_name):
        for operation in call:
            match = [item for item in left if is_same(operation, item)]
            if operation.seq not in found and len(match) == 1:
                found[operation.seq] = match[0]
                left.remove(match[0])
    return found


def slug_note(operation: Operation, values: Mapping[str, Any]) -> str | None:
    """The slug that the destination answers rules; a difference is worth a warning (dossier §6.1)."""
    asked = operation.changes.get("slug", {}).get("after")
    given = values.get("slug")
    return (
        f"slug {asked!r} was taken; the shop gave {given!r}" if asked and given and asked != given else None
    )


def done(syncs: Mapping[str, Sync], operation: Operation, item: JsonObject) -> Outcome:
    """The outcome of an operation whose item was answered."""
    record = item_record(syncs[operation.sync], place(operation), item, None)
    return Outcome(operation, "done", record=record, note=slug_note(operation, record.values))


def _same_slug(operation: Operation, item: JsonObject) -> bool:
    return bool(operation.payload["fieldData"].get("slug") == item["fieldData"].get("slug"))


def _same_name(operation: Operation, item: JsonObject) -> bool:
    """The slug that was asked for, made unique (dossier §6.1)."""
    asked, data = operation.payload["fieldData"], item["fieldData"]
    return asked.get("name") == data.get("name") and str(data.get("slug")).startswith(
        str(asked.get("slug", ""))
    )


def _identity(data: Mapping[str, Any]) -> tuple[Any, Any]:
    return data.get("slug"), data.get("name")


async def _newest(client: WebflowClient, collection: str, call: Sequence[Operation]) -> list[JsonObject]:
    """Items made since the call was sent, until all of it are found or none is left."""
    wanted = {_identity(one.payload["fieldData"]) for one in call}
    sent_at = min((one.sent_at for one in call if one.sent_at), default=None)
    since = {} if sent_at is None else {
        "createdOn[gte]": f"{sent_at - _CLOCKS_DIFFER:%Y-%m-%dT%H:%M:%S}.000Z"
    }  # fmt: skip
    found: list[JsonObject] = []
    while True:
        page = await client.items(
            collection, offset=len(found), limit=100, sortBy="createdOn", sortOrder="desc", **since
        )
        found += page
        if len(page) < 100 or wanted <= {_identity(item["fieldData"]) for item in found}:
            return found
