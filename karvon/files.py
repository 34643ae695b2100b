"""Files from and to addresses that are not an API of ours: a picture fetched, a form posted to a bucket.

Every address goes through the guard (`karvon.addresses`), redirects too. Errors are those of `karvon.http`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from karvon.addresses import Exceptions, GuardedTransport
from karvon.http import USER_AGENT, Malformed, NotFound, Refused, RemoteError, Unavailable
from karvon.http_body import ACCEPTED, TooLarge, bounded

MAX_BYTES = 64 * 1024 * 1024
_TIMEOUT_SECONDS = 60
_BUDGET_SECONDS = 300
"""For one file with all its bytes: a server that drips must not hold a run."""


async def fetch_file(url: str, exceptions: Exceptions, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes behind a URL. Raises `ForbiddenAddress`, and `RemoteError` when they cannot be had."""
    async with _client(exceptions, max_bytes) as client:
        try:
            async with (
                asyncio.timeout(_BUDGET_SECONDS),
                client.stream("GET", url, follow_redirects=True) as answer,
            ):
                _check(answer, "GET", url)
                return await answer.aread()
        except httpx.DecodingError as error:
            if not isinstance(error.__cause__, TooLarge):
                raise _unavailable(url, "cannot be fetched", error) from None
            raise Malformed(
                f"{_bare(url)} has more than {max_bytes / 2**20:.0f} MB", method="GET", url=_bare(url)
            ) from None
        except (httpx.RequestError, httpx.InvalidURL, TimeoutError) as error:
            raise _unavailable(url, "cannot be fetched", error) from None


async def post_form(
    url: str, fields: Mapping[str, str], name: str, content: bytes, content_type: str, exceptions: Exceptions
) -> None:
    """Post a form whose last part is the file, as buckets want it; no credential goes along."""
    async with _client(exceptions, MAX_BYTES) as client:
        try:
            async with (
                asyncio.timeout(_BUDGET_SECONDS),
                client.stream(
                    "POST", url, data=dict(fields), files={"file": (name, content, content_type)}
                ) as answer,
            ):
                _check(answer, "POST", url)
        except (httpx.RequestError, httpx.InvalidURL, TimeoutError) as error:
            raise _unavailable(url, "took no file", error) from None


def _client(exceptions: Exceptions, max_bytes: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=GuardedTransport(exceptions),
        timeout=_TIMEOUT_SECONDS,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPTED},
        event_hooks={"response": [bounded(max_bytes)]},
        max_redirects=5,
    )


def _check(answer: httpx.Response, method: str, url: str) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        return
    kind: type[RemoteError] = NotFound if status in (404, 410) else Refused if status < 500 else Unavailable
    raise kind(f"{method} {_bare(url)} answered {status}", method=method, url=_bare(url), status=status)


def _unavailable(url: str, what: str, error: Exception) -> Unavailable:
    return Unavailable(f"{_bare(url)} {what} ({type(error).__name__})", url=_bare(url))


def _bare(url: str) -> str:
    """Without the query, which may hold a signature."""
    return url.partition("?")[0]
