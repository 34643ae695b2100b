"""Paths as a mapping writes them: names, places, every entry of a list, entries of a list by what they say.

`customer.emails[0].address`, `['odd name'].value`, `refunds[].amount`, `field_data[name=email].values[0]`,
`refunds[].transactions[kind=refund, status=success].amount`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

MAX_LISTS = 3
"""Lists inside one another that a path may go through, and conditions on the entries of one: the models unroll them."""
_STEP = re.compile(
    r"""\.?(?P<name>[A-Za-z_@$][\w@$-]*)|\[(?P<place>\d+)\]|\['(?P<odd>[^'"\\]+)'\]|\[(?P<where>[^\]]*)\]"""
)
_CONDITION = re.compile(r"\s*(?P<name>[\w@$.-]+)\s*=\s*(?:'(?P<quoted>[^']*)'|(?P<bare>[^,'\]]+?))\s*(?=,|$)")


@dataclass(frozen=True)
class Entries:
    """A list on the way, and which of its entries count; `place` chooses one and leaves the others known."""

    steps: tuple[str | int, ...]
    where: tuple[tuple[tuple[str | int, ...], str], ...] = ()
    place: int | None = None


@dataclass(frozen=True)
class Route:
    """A path taken apart: through lists, and from the last entry on by names and places."""

    lists: tuple[Entries, ...]
    steps: tuple[str | int, ...]


@dataclass(frozen=True)
class Found:
    """A value at a route; `is_chosen` unless a place of the path chose another entry of the list."""

    value: Any
    is_chosen: bool
    at: tuple[str | int, ...]
    """Where it is in the record."""


@lru_cache(maxsize=8192)
def route(text: str, *, open_places: bool = False) -> Route:
    """Take a path apart; with `open_places` `[0]` is a choice among the entries of its list. Raises `ValueError`."""
    lists: list[Entries] = []
    steps: list[str | int] = []
    rest, at = text.removeprefix("$").removeprefix("."), 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            raise ValueError(_no_path(text))
        at = step.end()
        if name := step["name"] or step["odd"]:
            steps.append(name)
        elif step["place"] is not None and not open_places:
            steps.append(int(step["place"]))
        else:
            place = None if step["place"] is None else int(step["place"])
            lists.append(Entries(tuple(steps), _conditions(step["where"] or "", text), place))
            steps = []
    if len(lists) > MAX_LISTS or any(len(one.where) > MAX_LISTS for one in lists):
        raise ValueError(
            f"{text!r} goes through more than {MAX_LISTS} lists, or asks more than {MAX_LISTS} things of one"
        )
    return Route(tuple(lists), tuple(steps))


@lru_cache(maxsize=8192)
def plain_route(text: str) -> tuple[str | int, ...]:
    """The steps of a path that leads to one place in a record. Raises `ValueError`."""
    found = route(text)
    if found.lists:
        raise ValueError(f"{text!r} leads to several values; only `fields` can take a path through a list")
    return found.steps


def json_path(text: str) -> str:
    """`emails[0].address` → `$."emails"[0]."address"`, which both engines read. Raises `ValueError`."""
    return as_json_path(plain_route(text))


def as_json_path(steps: tuple[str | int, ...]) -> str:
    return "$" + "".join(f'."{step}"' if isinstance(step, str) else f"[{step}]" for step in steps)


def walk(record: Any, found: Route) -> Iterator[Found]:
    """Every value at a route, in the order of the document; None where an entry has nothing."""
    yield from _walk(record, found.lists, found.steps, (), True)


def _walk(
    node: Any, lists: tuple[Entries, ...], steps: tuple[str | int, ...], at: tuple[str | int, ...], is_chosen: bool
) -> Iterator[Found]:  # fmt: skip
    if not lists:
        yield Found(step_to(node, steps), is_chosen, at + steps)
        return
    entries = step_to(node, lists[0].steps)
    for place, entry in enumerate(entries if isinstance(entries, list) else ()):
        if all(as_text(step_to(entry, way)) == said for way, said in lists[0].where):
            chosen = is_chosen and lists[0].place in (None, place)
            yield from _walk(entry, lists[1:], steps, (*at, *lists[0].steps, place), chosen)


def step_to(node: Any, steps: tuple[str | int, ...]) -> Any:
    """What stands at names and places, or None."""
    for step in steps:
        if isinstance(step, str):
            node = node.get(step) if isinstance(node, dict) else None
        else:
            node = node[step] if isinstance(node, list) and step < len(node) else None
    return node


def as_text(value: Any) -> str | None:
    """A value as the warehouse reads it as text: trimmed, None for nothing."""
    if value is None or isinstance(value, str):
        return (value or "").strip(" ") or None
    return orjson.dumps(value).decode() if isinstance(value, (bool, list, dict)) else str(value)


def _conditions(text: str, path: str) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    found, at = [], 0
    while at < len(text):
        condition = _CONDITION.match(text, at)
        if condition is None:
            raise ValueError(_no_path(path))
        said = condition["quoted"] if condition["quoted"] is not None else condition["bare"]
        found.append((plain_route(condition["name"]), said.strip()))
        at = condition.end() + 1
    return tuple(found)


def _no_path(text: str) -> str:
    return (
        f"{text!r} is no path; write names and places such as customer.emails[0].address, [] for every entry of a "
        "list, and [name=email] for the entries that say so"
    )
