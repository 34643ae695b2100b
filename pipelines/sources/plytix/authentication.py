"""Sign-in at Plytix: API key and password become a token of 15 minutes (dossier §2)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx

from karvon.connections import PlytixConnection
from karvon.http import Malformed, Refused, RemoteError, Throttled, Unavailable
from karvon.http_body import parse_json
from karvon.redaction import remember
from pipelines.sources.plytix.settings import SIGN_IN_ATTEMPTS, TOKEN_MARGIN_SECONDS, TOKEN_SECONDS


class PlytixSignIn(httpx.Auth):
    """Puts a valid token on every request: one sign-in shared by all, renewed early, and once after a 401.

    Raises `Refused` for wrong credentials, `Throttled` or `Unavailable` when the sign-in host (it has its own
    limit of 8 requests per second) does not recover, and `Malformed` for an answer without a token.
    """

    def __init__(self, connection: PlytixConnection, clock: Callable[[], float] = time.monotonic) -> None:
        self._connection, self._clock = connection, clock
        self._token, self._valid_until = "", 0.0
        self._lock = asyncio.Lock()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        for last in (False, True):
            async with self._lock:
                if self._clock() >= self._valid_until:
                    for attempt in range(SIGN_IN_ATTEMPTS):
                        answer = yield self._sign_in_request(request)
                        await answer.aread()
                        wait = self._take_token(answer, last=attempt + 1 == SIGN_IN_ATTEMPTS)
                        if wait is None:
                            break
                        await _pause(wait)
                token = self._token
            request.headers["Authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != 401 or last:
                return
            # Another request may have renewed it meanwhile; only the token that failed is thrown away.
            if token == self._token:
                self._valid_until = 0.0

    def _sign_in_request(self, request: httpx.Request) -> httpx.Request:
        body = {
            "api_key": self._connection.api_key.get_secret_value(),
            "api_password": self._connection.api_password.get_secret_value(),
        }
        headers = {"Accept": "application/json", "User-Agent": request.headers.get("User-Agent", "")}
        return httpx.Request(
            "POST", self._connection.auth_url, json=body, headers=headers, extensions=request.extensions
        )

    def _take_token(self, answer: httpx.Response, *, last: bool) -> float | None:
        """Keep the token of a sign-in answer (None), or seconds to wait before the next attempt."""
        status = answer.status_code
        if status == 429 or status >= 500:
            if not last:
                stated = answer.headers.get("retry-after", "")
                return float(stated) if stated.isdigit() else 1.0
            kind: type[RemoteError] = Throttled if status == 429 else Unavailable
            raise self._error(kind, status, f"answered {status} {SIGN_IN_ATTEMPTS} times; run again later")
        if status >= 300:
            raise self._error(
                Refused,
                status,
                f"refused the API key ({status}). Check the API key and password of the connection "
                f"{self._connection.name!r} (PLYTIX_API_KEY and PLYTIX_API_PASSWORD unless connections.yml names "
                "others; made at accounts.plytix.com under API) and the sign-in address: a wrong host answers the same",
            )
        try:
            token = _first(parse_json(answer.content))
            self._token, lifetime = (
                str(token["access_token"]),
                float(token.get("expires_in") or TOKEN_SECONDS),
            )
        except (ValueError, KeyError, TypeError):
            raise self._error(
                Malformed, status, "answered without a token; check the sign-in address (PLYTIX_AUTH_URL)"
            ) from None
        remember(self._token)
        margin = min(TOKEN_MARGIN_SECONDS, lifetime / 10)
        self._valid_until = self._clock() + lifetime - margin
        return None

    def _error(self, kind: type[RemoteError], status: int, what: str) -> RemoteError:
        url = self._connection.auth_url
        return kind(
            f"plytix:{self._connection.name}: sign-in at {url} {what}.", method="POST", url=url, status=status
        )


async def _pause(seconds: float) -> None:
    await asyncio.sleep(seconds + random.uniform(0.1, 0.5))  # noqa: S311 jitter


def _first(answer: Any) -> dict[str, Any]:
    data = answer["data"]
    token = data[0] if isinstance(data, list) and data else data
    return dict(token)
