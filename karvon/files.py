"""Files from and to addresses that are not an API of ours: a picture fetched, a form posted to a bucket.

Every address goes through the guard (`karvon.addresses`), redirects too. Errors are those of `karvon.http`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from karvon.addresses import Exceptions, GuardedTransport
from karvon.http import USER_AGENT, Malformed, NotFound, Refused, RemoteError, Unavailable

MAX_BYTES = 64 * 1024 * 1024
_TIMEOUT_SECONDS = 60
_BUDGET_SECONDS = 300
"""For one file with all its bytes: a server that drips must not hold a run."""


async def fetch_file(url: str, exceptions: Exceptions, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes behind a URL. Raises `ForbiddenAddress`, and `RemoteError` when they cannot be had."""
    async with _client(exceptions) as client:
        try:
            async with (
                asyncio.timeout(_BUDGET_SECONDS),
                client.stream("GET", url, follow_redirects=True) as answer,
            ):
                _check(answer, "GET", url)
                content = bytearray()
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > max_bytes:
                        raise Malformed(
                            f"{_bare(url)} has more than {max_bytes // 2**20} MB", method="GET", url=url
                        )
                return bytes(content)
        except (httpx.RequestError, httpx.InvalidURL, TimeoutError) as error:
            raise Unavailable(f"{_bare(url)} cannot be fetched ({type(error).__name__})", url=url) from None


async def post_form(
    url: str, fields: Mapping[str, str], name: str, content: bytes, content_type: str, exceptions: Exceptions
) -> None:
    """Post a form whose last part is the file, as buckets want it; no credential goes along."""
    async with _client(exceptions) as client:
        try:
            answer = await client.post(url, data=dict(fields), files={"file": (name, content, content_type)})
        except httpx.RequestError as error:
            raise Unavailable(f"{_bare(url)} took no file ({type(error).__name__})", url=url) from None
        _check(answer, "POST", url)


def _client(exceptions: Exceptions) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=GuardedTransport(exceptions),
        timeout=_TIMEOUT_SECONDS,
        headers={"User-Agent": USER_AGENT},
        max_redirects=5,
    )


def _check(answer: httpx.Response, method: str, url: str) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        return
    kind: type[RemoteError] = NotFound if status in (404, 410) else Refused if status < 500 else Unavailable
    raise kind(f"{method} {_bare(url)} answered {status}", method=method, url=_bare(url), status=status)


def _bare(url: str) -> str:
    """Without the query, which may hold a signature."""
    return url.partition("?")[0]
