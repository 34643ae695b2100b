"""A stand-in for whoever receives messages: takes a POST below /_webhook/<name>, keeps it, answers as Slack does.

What arrived is listed with its signature checked, so that tests and people see what a receiver would see.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.state import State

SECRET = b"sandbox-secret"


def webhook_routes(state: State) -> list[BaseRoute]:
    """The receiver, and `GET /_control/webhook/messages?name=` with `DELETE` to forget."""

    async def receive(request: Request) -> Response:
        raw = await request.body()
        name = request.path_params["name"]
        box = state.collection(f"webhook/{name}/messages")
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return PlainTextResponse("invalid_payload", 400)
        box.put(f"{len(box) + 1:08d}", _kept(request, name, raw, body, state))
        return PlainTextResponse("ok")

    async def messages(request: Request) -> Response:
        name = request.query_params.get("name", "default")
        box = state.collection(f"webhook/{name}/messages")
        if request.method == "DELETE":
            box.clear()
        return JSONResponse({"count": len(box), "messages": box.values()})

    return [
        Route("/_webhook/{name}", receive, methods=["POST"]),
        Route("/_control/webhook/messages", messages, methods=["GET", "DELETE"]),
    ]


def _kept(request: Request, name: str, raw: bytes, body: Any, state: State) -> dict[str, Any]:
    return {
        "at": state.now().isoformat(),
        "name": name,
        "body": body,
        "idempotency_key": request.headers.get("idempotency-key"),
        "signature": _signature(request.headers.get("karvon-signature"), raw),
    }


def _signature(header: str | None, raw: bytes) -> str:
    """`missing`, `wrong` or `right`."""
    if header is None:
        return "missing"
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    wanted = hmac.new(SECRET, parts.get("t", "").encode() + b"." + raw, hashlib.sha256).hexdigest()
    return "right" if hmac.compare_digest(wanted, parts.get("v1", "")) else "wrong"
