"""Control of the exchange below /_control/uzex: the next day and the ground truth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from starlette.routing import BaseRoute, Route

from sandbox.dated_world import control_endpoint
from sandbox.state import Document
from sandbox.uzex.exchange import KINDS, Exchange
from sandbox.uzex.truth import truth_of


def control_routes(exchange: Exchange) -> list[BaseRoute]:
    """GET the world, truth; POST next-day, push. `sandbox/README.md` gives the forms."""
    actions: tuple[tuple[str, str, Callable[[Exchange, Document], Any]], ...] = (
        ("GET", "", world), ("GET", "/truth", truth), ("POST", "/next-day", move_on), ("POST", "/reset", reset),
        ("POST", "/push", push),
    )  # fmt: skip
    return [
        Route(f"/_control/uzex{path}", control_endpoint(exchange.ready, act), methods=[method])
        for method, path, act in actions
    ]


def world(exchange: Exchange, _given: Document) -> Document:
    """The clock and, by kind, how many are open, became deals, failed."""
    return {
        **exchange.clock(),
        "lots": exchange.lots, "seed": exchange.seed,
        "kinds": {name: {"all": len(book.all), "open": len(book.open), "deals": len(exchange.deals_shown_in(name)),
                         "failed": len(book.failed)}
                  for name, book in exchange.books.items()},
    }  # fmt: skip


def reset(exchange: Exchange, given: Document) -> Document:
    """`{lots?, seed?, began?}`: the world begins anew; `began` (a date) is its day 0, without one today."""
    began = date.fromisoformat(given["began"]) if "began" in given else None
    exchange.found(lots=given.get("lots"), seed=given.get("seed"), began=began)
    return world(exchange, {})


def move_on(exchange: Exchange, given: Document) -> Document:
    """`{days?: 1, truth?: true}`; gives `{day, date, now, days: [truth of each]}`."""
    first = exchange.day + 1
    for _ in range(int(given.get("days", 1))):
        exchange.next_day()
    told = range(first, exchange.day + 1) if given.get("truth", True) else ()
    days = [truth_of(exchange, day) for day in told]
    return {**exchange.clock(), "days": days}


def truth(exchange: Exchange, given: Document) -> Document:
    """What happened on each day from 1; `?from_day=&to_day=` narrow it."""
    first, last = int(given.get("from_day", 1)), min(int(given.get("to_day", exchange.day)), exchange.day)
    return {"day": exchange.day, "days": [truth_of(exchange, day) for day in range(first, last + 1)]}


def push(exchange: Exchange, given: Document) -> Document:
    """`{kind, ended?: true, count?: 1}`: procedures arrive at rank 1 on the present day."""
    kind, ended = str(given["kind"]), bool(given.get("ended", True))
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; known: {', '.join(KINDS)}")
    for _ in range(int(given.get("count", 1))):
        exchange.push(kind, ended=ended)
    return world(exchange, {})
