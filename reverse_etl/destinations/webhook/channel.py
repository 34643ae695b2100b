"""An open receiver: one operation is one POST, with an idempotency key and a signature over the body."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from karvon.addresses import ForbiddenAddress, GuardedTransport
from karvon.connections import WebhookConnection
from karvon.http import HttpClient, Refused, RemoteError, Throttled, Unavailable
from reverse_etl.destinations.webhook.messages import CHAT
from reverse_etl.destinations.webhook.options import WebhookOptions
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import digest
from reverse_etl.state.destination import Known, Outcome, Record
from reverse_etl.state.operations import Operation

SIGNATURE = "Karvon-Signature"
IDEMPOTENCY = "Idempotency-Key"
_LEFT = "it is not sent again by itself (on_unknown: report); look there, then `karvon errors --retry` sends it again"
# The row is at fault; everything else that is refused is the address or the right to use it.
_ABOUT_THE_ROW = frozenset({400, 409, 413, 415, 422})


class WebhookChannel:
    """One receiver; an async context manager."""

    def __init__(self, receiver: WebhookConnection, syncs: Mapping[str, Sync]) -> None:
        self._receiver, self._syncs = receiver, syncs
        url = receiver.url.get_secret_value()
        parts = urlsplit(url)
        self._path = url.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
        secret = receiver.secret.get_secret_value() if receiver.secret else ""
        self._http = HttpClient(
            f"webhook:{receiver.name}",
            base_url=f"{parts.scheme}://{parts.netloc}",
            limits=receiver.rate_limits,
            auth=_Signing(secret.encode()) if secret else None,
            secrets=(self._path, *_tokens(self._path), secret),
            concurrency=4,
            timeout_seconds=30,
            budget_seconds=120,
            max_body_bytes=1024 * 1024,
            transport=GuardedTransport(receiver.exceptions),
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    @property
    def requests(self) -> int:
        return self._http.statistics.requests

    @property
    def throttled(self) -> int:
        return self._http.statistics.throttled

    async def prepare(self, call: Sequence[Operation], known: Known) -> list[Operation | Outcome]:
        return list(call)

    async def send(self, call: Sequence[Operation]) -> list[Outcome]:
        return [await self._send(one) for one in call]

    async def read(self, operation: Operation, known: Known) -> Mapping[str, Any] | None:
        # What was sent cannot be looked at.
        return None

    async def find(self, call: Sequence[Operation], known: Known) -> list[Outcome]:
        """Nobody can be asked what arrived: the sync says what is worse, a message twice or none."""
        return [
            Outcome(one, "absent")
            if self._may_repeat(one)
            else Outcome(one, "failed", error=f"nobody knows whether it arrived; {_LEFT}", permanent=True)
            for one in call
        ]

    async def _send(self, operation: Operation) -> Outcome:
        body = operation.payload["body"]
        if isinstance(body, Mapping) and body.get("chat_id") == CHAT:
            body = {**body, "chat_id": self._receiver.chat}
        try:
            await self._http.request(
                "POST", self._path, json=body, headers={IDEMPOTENCY: idempotency_key(operation)},
                repeatable=self._may_repeat(operation), as_json=False,
            )  # fmt: skip
        except ForbiddenAddress as error:
            return Outcome(operation, "failed", error=str(error), stops="run")
        except RemoteError as error:
            return self._failed(operation, error)
        return Outcome(operation, "done", record=Record(operation.key, None, {}))

    def _failed(self, operation: Operation, error: RemoteError) -> Outcome:
        if error.status and error.status < 300:
            # Taken; only the answer was more than anybody wants to read.
            return Outcome(operation, "done", record=Record(operation.key, None, {}))
        text = _words(error)
        if isinstance(error, Unavailable):
            if error.outcome_unknown and not self._may_repeat(operation):
                return Outcome(operation, "failed", error=f"{text}; {_LEFT}", permanent=True, stops="outage")
            return Outcome(operation, "failed", error=text, stops="outage")
        if isinstance(error, Throttled) or error.status not in _ABOUT_THE_ROW:
            return Outcome(operation, "failed", error=text, stops="run")
        return Outcome(operation, "failed", error=text, permanent=isinstance(error, Refused))

    def _may_repeat(self, operation: Operation) -> bool:
        options = WebhookOptions.model_validate(dict(self._syncs[operation.sync].options))
        return options.on_unknown == "resend"


class _Signing(httpx.Auth):
    """`Karvon-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`, made anew for each sending."""

    requires_request_body = True

    def __init__(self, key: bytes) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        at = str(int(time.time()))
        signed = hmac.new(self._key, at.encode() + b"." + request.content, hashlib.sha256).hexdigest()
        request.headers[SIGNATURE] = f"t={at},v1={signed}"
        yield request


def idempotency_key(operation: Operation) -> str:
    """The same for each sending of one message; a changed row is another message."""
    return digest([operation.connection, operation.sync, operation.key, operation.payload_hash])


def _tokens(path: str) -> list[str]:
    """Parts of an address that look like a key (Slack, Telegram) and not like a word."""
    return [part for part in path.split("/") if len(part) >= 8 and any(sign.isdigit() for sign in part)]


def _words(error: RemoteError) -> str:
    """The receiver's own words where it has some (Telegram: `description`, Slack: plain text)."""
    detail: Any = error.detail
    told = (
        detail.get("description") or detail.get("message")
        if isinstance(detail, Mapping)
        else error.body.strip()
    )
    return f"{error.status} {told}" if error.status and told else str(error)
