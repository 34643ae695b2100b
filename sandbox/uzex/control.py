"""Control of the exchange below /_control/uzex: the next day and the ground truth."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

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
        Route(f"/_control/uzex{path}", _endpoint(exchange, act), methods=[method])
        for method, path, act in actions
    ]


def _endpoint(
    exchange: Exchange, act: Callable[[Exchange, Document], Any]
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            raw = await request.body()
            given = orjson.loads(raw) if raw else dict(request.query_params)
            status, answer = 200, act(exchange.ready(), given)
        except ValueError as error:
            status, answer = 400, {"error": str(error)}
        except KeyError as error:
            status, answer = 400, {"error": f"missing or unknown: {error.args[0]}"}
        return Response(orjson.dumps(answer), status, media_type="application/json")

    return handle


def world(exchange: Exchange, _given: Document) -> Document:
    """The clock and, by kind, how many are open, became deals, failed."""
    return {
        "day": exchange.day, "date": exchange.date_of(exchange.day).isoformat(), "now": exchange.now.isoformat(),
        "lots": exchange.lots, "seed": exchange.seed,
        "kinds": {name: {"all": len(book.all), "open": len(book.open), "deals": len(book.deals),
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
    return {
        "day": exchange.day,
        "date": exchange.date_of(exchange.day).isoformat(),
        "now": exchange.now.isoformat(),
        "days": days,
    }


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
