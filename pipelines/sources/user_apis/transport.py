"""requests' side of the one HTTP policy: what dlt's REST client sends goes through `HttpClient`.

So rate windows, retries, caps, redaction, the error tree and the check of addresses are the same for every API.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from karvon.http import Answer, HttpClient, Refused, Unavailable

_CARRIED = ("authorization", "content-type")


class Parsed(Response):
    """An answer whose JSON was parsed already."""

    def __init__(self, request: PreparedRequest, answer: Answer) -> None:
        super().__init__()
        self.request, self.url = request, request.url or ""
        self.status_code, self.data = answer.status, answer.data
        self.headers = CaseInsensitiveDict(answer.headers)
        self._content = b""

    def json(self, **_: Any) -> Any:
        return self.data


class PolicyAdapter(BaseAdapter):
    """Sends through an `HttpClient`; refuses to leave the origins it was made for, until a deadline."""

    def __init__(self, http: HttpClient, loop: asyncio.AbstractEventLoop, origins: frozenset[str],
                 headers: frozenset[str], seconds: float) -> None:  # fmt: skip
        super().__init__()
        self._http, self._loop, self._origins = http, loop, origins
        self._headers = {name.lower() for name in headers} | {*_CARRIED}
        self._deadline = time.monotonic() + seconds

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """Raises from the `RemoteError` tree."""
        url = request.url or ""
        if origin(url) not in self._origins:
            # A next page elsewhere would carry the credentials there.
            raise Refused(
                f"{self._http.name}: the API sent us on to {origin(url)}, which is not its own address"
            )
        body = request.body.encode() if isinstance(request.body, str) else request.body
        if not isinstance(body, bytes | None):
            raise TypeError("a body is sent whole, never streamed")
        call = self._http.request(
            request.method or "GET", url, content=body, headers=self._carried(request.headers)
        )
        try:
            answer = self._loop.run_until_complete(asyncio.wait_for(call, self._left()))
        except TimeoutError:
            raise Unavailable(
                f"{self._http.name}: the time that a run may take was over while {request.method} "
                f"{origin(url)} was not answered; raise `limits: {{seconds: …}}` if that is expected"
            ) from None
        return Parsed(request, answer)

    def close(self) -> None:
        pass

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _carried(self, headers: Mapping[str, str | bytes]) -> dict[str, str]:
        return {name: str(value) for name, value in headers.items() if name.lower() in self._headers}


def session(adapter: PolicyAdapter) -> Session:
    """A requests session that has no other way out."""
    made = Session()
    made.trust_env = False
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def origin(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.hostname}:{port}"
