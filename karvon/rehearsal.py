"""A transport that sends nothing: every request is kept and answered here, so that a client shows what it would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson


@dataclass(frozen=True)
class Request:
    """One request as it would have gone out; the path without the host, no header."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any


class Rehearsal(httpx.AsyncBaseTransport):
    """Give it to an `HttpClient`. `answer` makes the JSON of each answer; None answers 404.

    Several rehearsals can write into one list of `requests`.
    """

    def __init__(self, answer: Callable[[Request], Any], requests: list[Request] | None = None) -> None:
        self._answer = answer
        self.requests: list[Request] = [] if requests is None else requests

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        body = orjson.loads(content) if content else None
        seen = Request(request.method, request.url.path, dict(request.url.params), body)
        self.requests.append(seen)
        answered = self._answer(seen)
        return httpx.Response(404 if answered is None else 200, content=orjson.dumps(answered or {}))
