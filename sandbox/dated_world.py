"""A world whose clock is a number of days, and the calls that control one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.state import Document

World = TypeVar("World", bound="DatedWorld")
# Each day is seen at 21:00 in Tashkent, after all that happens on it.
SEEN_AT = time(16, tzinfo=UTC)


class DatedWorld:
    """`began` is the date of day 0; `day` counts from there."""

    began: date
    day: int

    def date_of(self, day: int) -> date:
        return self.began + timedelta(days=day)

    @property
    def now(self) -> datetime:
        """When the present day is seen."""
        return datetime.combine(self.date_of(self.day), SEEN_AT)

    def clock(self) -> Document:
        return {"day": self.day, "date": self.date_of(self.day).isoformat(), "now": self.now.isoformat()}


def json_answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS)
    return Response(content, status, media_type="application/json", headers=headers)


def control_endpoint(
    world: Callable[[], World], act: Callable[[World, Document], Any]
) -> Callable[[Request], Awaitable[Response]]:
    """A control call: what was given in the body or the query goes in, JSON comes out, a wrong use is a 400."""

    async def handle(request: Request) -> Response:
        try:
            raw = await request.body()
            return json_answer(act(world(), orjson.loads(raw) if raw else dict(request.query_params)))
        except ValueError as error:
            return json_answer({"error": str(error)}, 400)
        except KeyError as error:
            return json_answer({"error": f"missing or unknown: {error.args[0]}"}, 400)

    return handle
