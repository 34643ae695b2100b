"""What stands in front of all routes: the request log, the rate limits and the faults.

A request is carried out at most once. Its whole answer is known before the first byte leaves, so that a
fault can keep back, cut or delay the answer of a request that was really carried out.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.faults import CARRIED_OUT, FaultRule, Faults
from sandbox.rate_limits import RateLimits, Verdict
from sandbox.request_log import RequestLog
from sandbox.state import State

HTML_PAGE = (
    b"<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
)
VENDOR_BY_PREFIX = {
    "/plytix/auth/": "plytix_auth",
    "/plytix/files/": "plytix_files",
    "/plytix/thumbs/": "plytix_files",
    "/plytix/": "plytix",
    "/webflow/files/": "webflow_files",
    "/webflow/": "webflow",
    "/shop": "shop",
    "/_webhook/": "webhook",
    "/uzum/seller-openapi/": "uzum_seller",
    "/uzum/graphql": "uzum_graphql",
    "/uzum/": "uzum",
    "/uzex/": "uzex",
}


class ConnectionDropped(ConnectionError):
    """Raised instead of an answer when there is no socket to close (in-process test clients)."""


@dataclass
class Answer:
    """A whole HTTP answer; `sent_bytes` under the length of the body cuts the connection there."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    sent_bytes: int | None = field(default=None)


class Gate:
    """ASGI middleware. `identify` tells the account by vendor and Authorization header."""

    def __init__(
        self, app: ASGIApp, *, state: State, faults: Faults, limits: RateLimits, log: RequestLog,
        identify: Mapping[str, Callable[[str], str]],
    ) -> None:  # fmt: skip
        self._app = app
        self._state = state
        self._faults = faults
        self._limits = limits
        self._log = log
        self._identify = identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        vendor = vendor_of(scope["path"]) if scope["type"] == "http" else None
        if vendor is None:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        body = await read_body(receive)
        account = self._account(vendor, scope)
        answer = await self._answer(vendor, account, scope, body)
        self._log.add(
            vendor=vendor, account=account, method=scope["method"], path=scope["path"],
            query=scope["query_string"].decode("latin-1"), body=body,
            status=answer.status if answer else 0, seconds=time.perf_counter() - started,
        )  # fmt: skip
        if answer is None:
            await drop_connection(receive, send)
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        if answer.sent_bytes is not None:
            await send(
                {"type": "http.response.body", "body": answer.body[: answer.sent_bytes], "more_body": True}
            )
            await drop_connection(receive, send)
            return
        await send({"type": "http.response.body", "body": answer.body})

    def _account(self, vendor: str, scope: Scope) -> str:
        identify = self._identify.get(vendor)
        authorization = next(
            (value for name, value in scope["headers"] if name.lower() == b"authorization"), b""
        )
        return identify(authorization.decode("latin-1")) if identify else "-"

    async def _answer(self, vendor: str, account: str, scope: Scope, body: bytes) -> Answer | None:
        """None: the connection closes without an answer."""
        verdict = self._limits.admit(vendor, account)
        if verdict.retry_after is not None:
            return self._too_many(vendor, verdict, verdict.retry_after)
        fault = self._faults.strike(vendor, account, scope["method"], scope["path"])
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault is not None and fault.kind not in CARRIED_OUT:
            return refused_answer(fault, vendor)
        answer = await carry_out(self._app, scope, body)
        answer.headers += limit_headers(vendor, verdict)
        return await spoilt(answer, fault) if fault is not None else answer

    def _too_many(self, vendor: str, verdict: Verdict, seconds: int) -> Answer:
        headers = limit_headers(vendor, verdict)
        if self._state.switches["sandbox.retry_after"]:
            headers.append((b"retry-after", str(seconds).encode()))
        return json_answer(429, error_body(vendor, 429, "Rate limit exceeded", seconds), headers)


async def carry_out(app: ASGIApp, scope: Scope, body: bytes) -> Answer:
    """Run the application with a body already read, and hold its whole answer."""
    answer = Answer(500, [], b"")
    unread = [body]

    async def receive() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")

    await app(scope, receive, send)
    return answer


async def spoilt(answer: Answer, fault: FaultRule) -> Answer | None:
    """What becomes of the answer to a request that was carried out."""
    if fault.kind == "drop_after_processing":
        return None
    if fault.kind == "delay_answer":
        await asyncio.sleep(fault.seconds)
    elif fault.kind == "truncated":
        answer.body = answer.body[: len(answer.body) // 2]
        answer.headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
        answer.headers.append((b"content-length", str(len(answer.body)).encode()))
    elif fault.kind == "cut_answer":
        answer.sent_bytes = len(answer.body) // 2
    return answer


def refused_answer(fault: FaultRule, vendor: str) -> Answer | None:
    """What a client gets instead of having its request carried out."""
    if fault.kind == "drop_connection":
        return None
    if fault.kind == "empty_200":
        return Answer(200, [(b"content-type", b"application/json"), (b"content-length", b"0")], b"")
    if fault.kind == "redirect":
        return Answer(302, [(b"location", fault.location.encode()), (b"content-length", b"0")], b"")
    headers = [] if fault.retry_after is None else [(b"retry-after", f"{fault.retry_after:g}".encode())]
    if fault.kind == "html":
        length = str(len(HTML_PAGE)).encode()
        return Answer(
            fault.status, [(b"content-type", b"text/html"), (b"content-length", length), *headers], HTML_PAGE
        )
    body = fault.body if fault.body is not None else error_body(vendor, fault.status, "Injected fault", None)
    return json_answer(fault.status, body, headers)


def error_body(vendor: str, status: int, text: str, retry_after: int | None) -> object:
    if vendor == "webflow":
        code = {404: "resource_not_found", 409: "conflict", 429: "too_many_requests"}.get(
            status, "internal_error"
        )
        return {"message": text, "code": code, "externalReference": None, "details": []}
    if vendor.startswith("uzum"):
        errors = [{"code": f"http-{status}", "message": text, "detailMessage": text}]
        return {"payload": None, "errors": errors, "error": text}
    if vendor == "uzex":
        return {"status": status, "message": text}
    return {"error": {"msg": text} | ({"retry_after": retry_after} if retry_after is not None else {})}


def limit_headers(vendor: str, verdict: Verdict) -> list[tuple[bytes, bytes]]:
    """Webflow dossier §9, Plytix dossier §2 (auth host); the PIM host is not known to send any."""
    if verdict.limit is None:
        return []
    limit, remaining = str(verdict.limit).encode(), str(verdict.remaining).encode()
    if vendor == "webflow":
        return [(b"x-ratelimit-limit", limit), (b"x-ratelimit-remaining", remaining)]
    if vendor == "plytix_auth":
        return [(b"ratelimit-limit", limit), (b"x-ratelimit-limit-second", limit)]
    return []


def json_answer(status: int, body: object, headers: list[tuple[bytes, bytes]]) -> Answer:
    content = orjson.dumps(body)
    fixed = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    return Answer(status, fixed + headers, content)


def vendor_of(path: str) -> str | None:
    """None for the control interface, which is neither limited nor logged."""
    return next((vendor for prefix, vendor in VENDOR_BY_PREFIX.items() if path.startswith(prefix)), None)


async def read_body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return body


async def drop_connection(receive: Receive, send: Send) -> None:
    """Close the socket without (the rest of) an answer.

    ASGI has no message for it. uvicorn's `send` is a method of the cycle that owns the transport; in-process
    test clients have no transport, they get an exception.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionDropped("the sandbox dropped the connection, as a fault rule asked")
    transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass
