"""requests' side of the one HTTP policy: what dlt's REST client sends goes through `HttpClient`.

So rate windows, retries, caps, redaction, the error tree and the check of addresses are the same for every API.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Collection, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from karvon.http import Answer, HttpClient, Malformed, Refused, Unavailable

_CARRIED = ("authorization", "content-type")
_Sent = tuple[str, str, bytes | None, tuple[tuple[str, str], ...]]
"""Method, URL, body and headers."""
_T = TypeVar("_T")


class LoopThread:
    """An event loop in a thread of its own, so that requests go on while the caller works on answers."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def begin(self, call: Coroutine[Any, Any, _T]) -> Future[_T]:
        return asyncio.run_coroutine_threadsafe(call, self._loop)

    def run(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Begin it and wait."""
        return self.begin(call).result()

    def cancel_all(self) -> None:
        """What is under way ends now."""
        self.run(_cancel_others())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class TimeIsUp(Unavailable):
    """The time that a run may take was over before an answer came."""


class Parsed(Response):
    """An answer whose JSON was parsed already."""

    def __init__(self, request: PreparedRequest, answer: Answer) -> None:
        super().__init__()
        self.request, self.url = request, request.url or ""
        self.status_code, self.data, self.echoes = answer.status, answer.data, answer.echoes
        self.headers = CaseInsensitiveDict(answer.headers)
        self._content = b""

    def json(self, **_: Any) -> Any:
        return self.data


class PolicyAdapter(BaseAdapter):
    """Sends through an `HttpClient`; refuses to leave the origins it was made for, until a deadline.

    Requests that are expected are sent before they are asked for; whoever asks gets that answer, or its error.
    """

    def __init__(self, http: HttpClient, loop: LoopThread, origins: frozenset[str],
                 headers: frozenset[str], seconds: float, sign_in: Collection[str] = ()) -> None:  # fmt: skip
        super().__init__()
        self._http, self._loop, self._origins = http, loop, origins
        self._headers = {name.lower() for name in headers} | {*_CARRIED}
        self._sign_in = {url.rstrip("/") for url in sign_in}
        self._deadline = time.monotonic() + seconds
        self._expected: dict[_Sent, Future[Answer]] = {}
        self._asked: set[tuple[str, str, bytes | None]] = set()

    def begin_list(self) -> None:
        """From here on no page is asked for twice."""
        self._asked.clear()

    def expect(self, urls: Sequence[str], like: PreparedRequest) -> None:
        """Have the same request to these URLs under way, and no other that was expected before."""
        method, _, body, headers = self._checked(like)
        wanted = [(method, self._inside(url), body, headers) for url in urls]
        for sent in self._expected.keys() - set(wanted):
            self._expected.pop(sent).cancel()
        for sent in wanted:
            if sent not in self._expected:
                self._expected[sent] = self._begin(sent)

    def expect_nothing(self) -> None:
        for answer in self._expected.values():
            answer.cancel()
        self._expected.clear()

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """Raises from the `RemoteError` tree."""
        sent = self._checked(request)
        self._refuse_circle(sent)
        answer = self._expected.pop(sent, None) or self._begin(sent)
        try:
            return Parsed(request, answer.result(max(0.0, self._deadline - time.monotonic())))
        except TimeoutError:
            answer.cancel()
            raise TimeIsUp(
                f"{self._http.name}: the time that a run may take was over while {request.method} "
                f"{origin(request.url or '')} was not answered; raise `limits: {{seconds: …}}` if that is expected"
            ) from None

    def _refuse_circle(self, sent: _Sent) -> None:
        """An API that names a page again would be read for ever. Signing in is the same request each time."""
        method, url, body, _ = sent
        if url.rstrip("/") in self._sign_in:
            return
        if (method, url, body) in self._asked:
            raise Malformed(
                f"{self._http.name}: the API names a page again that was read before (a cursor or link that repeats), "
                "so the list would never end"
            )
        self._asked.add((method, url, body))

    def _inside(self, url: str) -> str:
        if origin(url) not in self._origins:
            # A next page elsewhere would carry the credentials there.
            raise Refused(
                f"{self._http.name}: the API sent us on to {origin(url)}, which is not its own address"
            )
        return url

    def _checked(self, request: PreparedRequest) -> _Sent:
        url = self._inside(request.url or "")
        body = request.body.encode() if isinstance(request.body, str) else request.body
        if not isinstance(body, bytes | None):
            raise TypeError("a body is sent whole, never streamed")
        return request.method or "GET", url, body, tuple(self._carried(request.headers).items())

    def _begin(self, sent: _Sent) -> Future[Answer]:
        method, url, body, headers = sent
        return self._loop.begin(self._http.request(method, url, content=body, headers=dict(headers)))

    def close(self) -> None:
        pass

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
