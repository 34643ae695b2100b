"""The one HTTP client: rate windows, retries, one exception tree, redaction, caps. httpx stays behind this file.

    RemoteError               anything a remote API did wrong, or that we did wrong in its eyes
    ├── Refused               4xx that stays: credentials, rights, validation, conflicts; redirects too
    │   └── NotFound          404, 410
    ├── Throttled             over a limit (429, or said otherwise) until the time budget was used up
    ├── Unavailable           5xx or no connection, after retries; `outcome_unknown` if a write may have happened
    └── Malformed             an answer that is not JSON, is cut short, or is larger than allowed

Permanent and transient failures are told apart here and nowhere else: 408, 425, 429, 5xx and transport errors
are tried again with jitter, everything else is final. Whatever a remote sends, slowly, cut or rotten, ends within the
budget of the request and in this tree.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import httpx
import orjson
import tenacity

from karvon.http_body import ACCEPTED, TooDeep, TooLarge, bounded, parse_json
from karvon.http_limits import is_over_limit, retry_after
from karvon.http_retries import Budget, Stop, Transient, wait_before_retry
from karvon.rate_limits import Paused, Place, RateLimiter, RateWindow
from karvon.redaction import cleaned, holds, redact, remember, without

if TYPE_CHECKING:
    import ssl

USER_AGENT = "Karvon/0.1 (declarative ELT)"

_log = logging.getLogger("karvon.http")
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 507, 508, 520, 521, 522, 523, 524})
_OTHER_KINDS = frozenset(
    {"text/csv", "application/csv", "application/x-ndjson", "application/ndjson", "application/jsonl"}
)
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class RemoteError(Exception):
    """A remote call that failed for good. `body` is the redacted, shortened answer; `detail` its JSON or None."""

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        url: str = "",
        status: int | None = None,
        body: str = "",
        detail: Any = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.method, self.url, self.status = method, url, status
        self.body, self.detail, self.outcome_unknown = body, detail, outcome_unknown


class Refused(RemoteError):
    """The remote understood and said no; the same request will be refused again."""


class NotFound(Refused):
    """404 or 410: the thing is not there."""


class Throttled(RemoteError):
    """Still over the rate limit when the time budget ended."""


class Unavailable(RemoteError):
    """The remote did not answer, or answered 5xx, after all retries."""


class Malformed(RemoteError):
    """The answer is not what it should be: no JSON, cut short, too large."""


@dataclass(frozen=True)
class Answer:
    """A successful answer. `data` is the parsed JSON (None for an empty body)."""

    status: int
    data: Any
    headers: Mapping[str, str]
    echoes: bool = False
    """Whether a secret of the client stands in it, in any form."""


Meaning = Literal["refused", "missing", "busy", "failed"]
"""What an answer means where its status does not say it: final no, not there, over the limit, to be tried again."""
_STATUS_OF_MEANING: Mapping[Meaning, int] = {"refused": 403, "missing": 404, "busy": 429, "failed": 503}


@dataclass
class Statistics:
    """What a client did: every request on the wire, repeats among them, and 429 answers."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0


_limiters: dict[str, RateLimiter] = {}


@cache
def certificates() -> ssl.SSLContext:
    """Whom to trust. Reading the list takes 20 ms, so it is read once, not for every client."""
    return httpx.create_ssl_context()


class HttpClient:
    """A client of one remote account; use it as an async context manager.

    `name` is the account (`plytix:default`): clients of the same name in one process share the rate windows.
    `limit_header` names a header that states the limit and the seconds it counts for. `budget_seconds` bounds
    one request with all its attempts, waits and the pauses that the remote asked for, however slowly it answers; only
    waiting for a place in our own windows is not counted. `max_body_bytes` bounds an answer, unpacked. `meaning` is
    asked about every answer whose status may not say what it means, with status and body.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        limits: Sequence[RateWindow] = (),
        limit_header: tuple[str, float] | None = None,
        auth: httpx.Auth | None = None,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        concurrency: int = 8,
        timeout_seconds: float = 60,
        budget_seconds: float = 900,
        attempts: int = 6,
        max_body_bytes: int = 64 * 1024 * 1024,
        meaning: Callable[[int, bytes], Meaning | None] = lambda _status, _body: None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = name
        self.statistics = Statistics()
        self.limiter = _limiters.setdefault(f"{name}@{base_url}", RateLimiter(limits))
        self._limit_header = limit_header
        self._secrets = tuple(filter(None, secrets))
        remember(*self._secrets)
        self._budget_seconds, self._attempts = budget_seconds, attempts
        self._max_body_bytes, self._meaning = max_body_bytes, meaning
        self._slots = asyncio.Semaphore(concurrency)
        # One waits for the limiter, the others for their turn: nobody is woken only to wait on.
        self._turn = asyncio.Lock()
        self._client = httpx.AsyncClient(
            base_url=base_url,
            auth=auth,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": ACCEPTED,
                **(headers or {}),
            },
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            event_hooks={"response": [bounded(max_body_bytes)]},
            transport=transport,
            trust_env=transport is None,
            verify=certificates() if transport is None else True,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        repeatable: bool = True,
        as_json: bool = True,
    ) -> Answer:
        """Send one request and return its answer, or raise from the `RemoteError` tree.

        The body is `json`, or `content` as it is with its `Content-Type` among the `headers`.

        `repeatable=False` is for creates: they are sent again only when it is certain that nothing happened
        (no connection, 429); otherwise `Unavailable(outcome_unknown=True)` tells the caller to look first.
        `as_json=False` is for receivers that answer anything, such as webhooks; the body is then not read into
        the answer.
        """
        if json is not None:
            content, headers = orjson.dumps(json), {"Content-Type": "application/json", **(headers or {})}
        try:
            request = self._client.build_request(
                method, path, content=content, params=params, headers=headers
            )
        except httpx.InvalidURL as error:
            raise Refused(
                f"{self.name}: {self.redacted(path[:200])!r} is no URL ({error})", method=method
            ) from None
        budget = Budget(self._budget_seconds)
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Transient),
            wait=wait_before_retry,
            stop=Stop(self._attempts, budget),
            before_sleep=lambda state: self._note_retry(state, budget),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return await self._send(request, repeatable, as_json, budget)
        except Transient as failure:
            raise failure.final from None
        raise AssertionError("unreachable: the loop returns or raises")

    def _note_retry(self, state: tenacity.RetryCallState, budget: Budget) -> None:
        self.statistics.retries += 1
        budget.left -= state.upcoming_sleep
        failure = state.outcome.exception() if state.outcome else None
        _log.info("%s: attempt %d failed (%s), again", self.name, state.attempt_number, failure)

    async def _send(self, request: httpx.Request, repeatable: bool, as_json: bool, budget: Budget) -> Answer:
        method, url = request.method, without(str(request.url.copy_with(query=None)), self._secrets)
        async with self._slots:
            place = await self._place(method, url, budget)
            self.statistics.requests += 1
            began = time.monotonic()
            try:
                async with asyncio.timeout(budget.left):
                    request.extensions["trace"] = self._tracer(place)
                    response = await self._client.send(request, stream=True)
                    self.limiter.answered(place)
                    payload = await self._read(response, method, url, repeatable, as_json)
            except TimeoutError:
                raise Unavailable(
                    f"{self.name}: {method} {url} was not answered whole within the {self._budget_seconds:g} s that "
                    "a request may take. Check that the service is up.",
                    method=method,
                    url=url,
                    outcome_unknown=True,
                ) from None
            except httpx.RequestError as error:
                never_sent = isinstance(error, _NEVER_SENT)
                failure = Unavailable(
                    f"{self.name}: {method} {url} got no answer ({type(error).__name__}: {self.redacted(str(error))}). "
                    "Check the address and that the service is up.",
                    method=method,
                    url=url,
                    outcome_unknown=not never_sent,
                )
                raise (Transient(failure) if repeatable or never_sent else failure) from None
            finally:
                budget.left -= time.monotonic() - began
        self._learn(response.headers)
        if not as_json and 200 <= response.status_code < 300:
            return Answer(response.status_code, None, dict(response.headers))
        return self._judge(method, url, response, payload, repeatable)

    async def _place(self, method: str, url: str, budget: Budget) -> Place:
        """A place in the windows. Raises `Throttled` when the remote's pause outlasts the budget."""
        try:
            async with self._turn:
                place = await self.limiter.acquire(budget.left)
        except Paused as paused:
            raise Throttled(
                f"{self.name}: {method} {url} was not sent: the API asked for a pause, of which "
                f"{paused.seconds:.0f} s are left, longer than a request may take.{_advice(429)}",
                method=method,
                url=url,
                status=429,
            ) from None
        budget.left -= place.paused
        return place

    def _tracer(self, place: Place) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
        async def trace(event: str, _info: Mapping[str, Any]) -> None:
            if event == "http11.send_request_body.complete":
                self.limiter.left(place)

        return trace

    async def _read(
        self, response: httpx.Response, method: str, url: str, repeatable: bool, as_json: bool
    ) -> bytes:
        try:
            payload = await response.aread()
        except httpx.DecodingError as error:
            if isinstance(error.__cause__, TooLarge):
                raise self._too_large(response, method, url) from None
            if response.status_code >= 300 or not as_json:
                # What it says is known without the body.
                return b""
            malformed = Malformed(
                f"{self.name}: {method} {url} answered {response.status_code} with a body that is not whole: {error}.",
                method=method,
                url=url,
                status=response.status_code,
                outcome_unknown=not repeatable,
            )
            raise (Transient(malformed) if repeatable else malformed) from None
        finally:
            await response.aclose()
        if len(payload) > self._max_body_bytes:
            raise self._too_large(response, method, url)
        return payload

    def _too_large(self, response: httpx.Response, method: str, url: str) -> Malformed:
        return Malformed(
            f"{self.name}: {method} {url} answered more than {self._max_body_bytes} bytes; refused.",
            method=method,
            url=url,
            status=response.status_code,
        )

    def _learn(self, headers: httpx.Headers) -> None:
        if self._limit_header:
            name, seconds = self._limit_header
            stated = headers.get(name, "")
            if stated.isdigit():
                self.limiter.learn(RateWindow(int(stated), seconds))

    def _judge(
        self, method: str, url: str, response: httpx.Response, payload: bytes, repeatable: bool
    ) -> Answer:
        """An answer, a final error, or a `Transient` one."""
        status = response.status_code
        if meaning := self._meaning(status, payload):
            status = _STATUS_OF_MEANING[meaning]
        elif is_over_limit(status, response.headers):
            status = 429
        if 200 <= status < 300:
            try:
                data = parse_json(payload) if payload.strip() else None
            except ValueError as error:
                text = self._excerpt(payload, 200)
                malformed = Malformed(
                    f"{self.name}: {method} {url} answered {status} with {_kind(response)} that is not JSON "
                    f"({error}); it begins {text!r}. A proxy page or a cut connection looks like this.",
                    method=method,
                    url=url,
                    status=status,
                    body=text,
                    outcome_unknown=not repeatable,
                )
                # A broken answer may be whole the next time; one of another kind stays what it is.
                is_broken = not isinstance(error, TooDeep) and _kind(response) not in _OTHER_KINDS
                raise (Transient(malformed) if repeatable and is_broken else malformed) from None
            return Answer(status, data, dict(response.headers), holds(payload, self._secrets))
        failure = self._failure(method, url, status, response, payload)
        if status == 429:
            self.statistics.throttled += 1
            wait = retry_after(response.headers)
            self.limiter.pause(wait if wait is not None else 1.0)
            raise Transient(failure, is_throttled=True, wait_seconds=wait)
        if status in _TRANSIENT_STATUS and (repeatable or status in (408, 425)):
            raise Transient(failure, wait_seconds=retry_after(response.headers))
        failure.outcome_unknown = status >= 500
        raise failure

    def _failure(
        self, method: str, url: str, status: int, response: httpx.Response, payload: bytes
    ) -> RemoteError:
        text = self._excerpt(payload, 2000)
        try:
            detail = parse_json(payload)
        except ValueError:
            detail = None
        kind = (
            Throttled
            if status == 429
            else NotFound
            if status in (404, 410)
            else Unavailable
            if status in _TRANSIENT_STATUS or status >= 500
            else Refused
        )
        target = (
            f" to {self.redacted(response.headers.get('location', '?'))[:200]}" if 300 <= status < 400 else ""
        )
        return kind(
            f"{self.name}: {method} {url} answered {response.status_code}{target}: {text[:500] or '(empty)'}"
            f"{_advice(status if status in (response.status_code, 429) else 0)}",
            method=method,
            url=url,
            status=response.status_code,
            body=text,
            detail=self.cleaned(detail),
        )

    def redacted(self, text: str) -> str:
        """A text without secrets."""
        return redact(text, self._secrets)

    def cleaned(self, value: Any) -> Any:
        """Parsed JSON without the secrets of this client, which an API may give back."""
        return cleaned(value, self._secrets)

    def _excerpt(self, payload: bytes, most: int) -> str:
        """The beginning of a body, cut only when its secrets are out: half of one would not be known."""
        return self.redacted(payload[: most + 4096].decode("utf-8", "replace"))[:most]


def _kind(response: httpx.Response) -> str:
    """What an answer says that it is: a CSV or a page is told from a broken answer."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind[:60] if kind and "json" not in kind.split("/")[-1].split("+") else "something"


def _advice(status: int) -> str:
    advice = {
        0: " The status does not say it, but this is a refusal, or there is nothing; see docs/markets.md.",
        401: " Check the credentials of this connection (`karvon doctor`).",
        403: " The key lacks a right (role or scope) for this.",
        429: " The rate limit did not clear within the time budget; run again later, nothing is lost.",
    }
    return advice.get(status, "")
