"""Bundling changes of items into the fewest calls: up to 100 items of one collection and locale each (dossier §2.4).

create      1 per 100; items that exist in several locales are made in all of them at once and count once each;
            1 more for an item that was never seen again after it was made, to look first
update      1 per 100; 2 when items that were never published must be published too
publish     1 per 100
removal     archive 1, unpublish 1, delete 1 per 100; one more where published items must leave the live site first

What can only be said once all items are there (references among the items of one sync; publishing items made in
several locales) becomes a second operation of the same row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reverse_etl.destinations.webflow.cms_values import place_of
from reverse_etl.destinations.webflow.fields import REFERENCES
from reverse_etl.spec.states import PUBLISHED
from reverse_etl.spec.values import digest
from reverse_etl.state.operations import REMOVALS, Operation

MOST = 100
"""Items of one bulk call."""
PLACE, LIVE, PRIMARY, SIBLINGS = "$place", "$live", "$primary", "$siblings"
ITEM, REPLACED = "$item", "$replaced"
"""Symbols of a payload: where the row belongs, whether visitors shall see it, the primary locale, the locales to
make an item in, the item that another locale of the row belongs to, the item in whose place another was made."""
LEAVING, CREATING, CHANGING, PUBLISHING, REMOVING = range(5)


def pack(operations: Sequence[Operation]) -> list[Operation]:
    """Operations in sending order with call, stage and request count."""
    groups: dict[tuple[Any, ...], list[Operation]] = defaultdict(list)
    for operation in _completed(operations):
        groups[_group(operation)].append(operation)
    packed: list[Operation] = []
    number = 0
    for group in sorted(groups, key=lambda key: key[0]):
        size = MOST // max(1, len(groups[group][0].payload.get(SIBLINGS, ())))
        for start in range(0, len(groups[group]), size):
            number += 1
            call = groups[group][start : start + size]
            packed += [
                replace(
                    one,
                    call=number,
                    stage=group[0],
                    requests=(0 if place else requests(one)) + bool(never_seen(one)),
                )
                for place, one in enumerate(call)
            ]
    return packed


def kind(operation: Operation) -> str:
    """What is done: create, update (also of a new locale), publish, archive, unpublish, delete, nothing."""
    is_off_the_site = operation.action == "unpublish" and not is_published(operation)
    if is_off_the_site or not operation.payload:
        return "nothing"
    if operation.action in REMOVALS or operation.action == "publish":
        return operation.action
    return "create" if operation.action == "create" and not operation.parent_key else "update"


def place(operation: Operation) -> str:
    """Collection and locale of an operation."""
    return str(operation.payload.get(PLACE) or place_of(operation.remote_id or ""))


def never_seen(operation: Operation) -> str | None:
    """The id of an item that is made again although only the silence of the list says that it is gone."""
    return operation.remote_id if kind(operation) == "create" and operation.mirror_hash is None else None


def is_published(operation: Operation) -> bool:
    return bool(operation.extras.get("published"))


def requests(operation: Operation) -> int:
    """Requests of a call that begins with this operation."""
    live = bool(operation.payload.get(LIVE))
    match kind(operation):
        case "nothing":
            return 0
        case "update":
            return 2 if live and not is_published(operation) else 1
        case "archive" | "delete":
            return 2 if live and is_published(operation) else 1
        case _:
            return 1


def _group(operation: Operation) -> tuple[Any, ...]:
    """What operations of one call have in common; the stage comes first."""
    stage = {"create": CREATING, "update": CHANGING, "nothing": CHANGING, "publish": PUBLISHING}.get(
        kind(operation), LEAVING if operation.row_hash else REMOVING
    )
    siblings = tuple(operation.payload.get(SIBLINGS, ()))
    # Where items are made in several locales, the flags are those of the call.
    flags = operation.payload.get("isDraft") if siblings or kind(operation) == "create" else None
    return (
        stage, kind(operation), operation.connection, place(operation), bool(operation.payload.get(LIVE)),
        is_published(operation), siblings, flags,
    )  # fmt: skip


def _completed(operations: Sequence[Operation]) -> Iterator[Operation]:
    """All operations, with locales known to those that create, and second steps where they are needed."""
    creating = {one.identity for one in operations if one.action == "create"}
    locales: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in operations:
        if one.action == "create" and one.parent_key:
            locales[one.sync, one.parent_key].append(place(one).partition("/")[2])
    for one in operations:
        if kind(one) != "create":
            yield one
            continue
        primary = one.payload.get(PRIMARY)
        if primary and locales[one.identity]:
            siblings = [primary, *sorted(locales[one.identity])]
            one = replace(one, payload={**one.payload, SIBLINGS: siblings})
        yield from _in_steps(one, creating)


def _in_steps(operation: Operation, creating: set[tuple[str, str]]) -> Iterator[Operation]:
    data = operation.payload["fieldData"]
    later = {name for name, value in data.items() if _refers_to(value, operation.sync, creating)}
    together = SIBLINGS in operation.payload
    if together and operation.payload[LIVE]:
        later.add(PUBLISHED)
    if not later:
        yield operation
        return
    first = {
        **operation.payload,
        "fieldData": _without(data, later),
        LIVE: operation.payload[LIVE] and not together,
    }
    yield replace(
        operation, payload=first, payload_hash=digest(first), changes=_without(operation.changes, later),
        desired=_without(operation.desired, later), is_complete=False,
    )  # fmt: skip
    rest = {name: value for name, value in data.items() if name in later}
    second = {"fieldData": rest, PLACE: operation.payload[PLACE], LIVE: operation.payload[LIVE]}
    if operation.remote_id:
        second[REPLACED] = operation.remote_id
    known = {**operation.extras, "published": operation.payload[LIVE] and not together}
    yield replace(
        operation, action="update" if rest else "publish", remote_id=None, payload=second,
        payload_hash=digest(second), extras=known,
        changes={name: change for name, change in operation.changes.items() if name in later},
    )  # fmt: skip


def _refers_to(value: Any, sync: str, creating: set[tuple[str, str]]) -> bool:
    symbol = value.get(REFERENCES) if isinstance(value, Mapping) else None
    return bool(symbol and symbol["sync"] == sync and any((sync, key) in creating for key in symbol["keys"]))


def _without(content: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}
