"""From an HTTP request to a call on a site, and from what it gives back to an answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from sandbox.webflow.errors import (
    ApiError,
    bad_request,
    conflict,
    invalid,
    invalid_id,
    missing_scopes,
    not_authorized,
    not_found,
)
from sandbox.webflow.site import Site
from sandbox.webflow.sites import Sites, signed_in_account
from sandbox.webflow.switches import MISSING_SCOPES

JsonObject = dict[str, Any]
Outcome = tuple[int, JsonObject | None]
_HEX_ID = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True)
class Call:
    """One request to a site, with its path, query and body taken apart."""

    site: Site
    path: dict[str, str]
    query: dict[str, str]
    body: JsonObject

    @property
    def collection(self) -> str:
        return str(self.site.schema_by_id(self.path["collection_id"])["slug"])

    @property
    def page(self) -> tuple[int, int]:
        """Offset and limit. Raises ApiError 400 over the maximum of 100."""
        offset, limit = _number(self.query, "offset", 0), _number(self.query, "limit", 100)
        if limit > 100 or limit < 1 or offset < 0:
            raise invalid("limit" if offset >= 0 else "offset", "Value is out of range")
        return offset, limit

    @property
    def skip_invalid_files(self) -> bool:
        return self.query.get("skipInvalidFiles", "true").lower() != "false"


def endpoint(
    sites: Sites, scope: str, act: Callable[[Call], Outcome]
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            account = signed_in_account(request.headers.get("authorization", ""))
            if account is None:
                raise not_authorized()
            site = sites.of(account)
            _check_access(site, scope, request)
            call = Call(site, dict(request.path_params), dict(request.query_params), await _body(request))
            status, payload = act(call)
        except ApiError as error:
            return error_response(error)
        return Response(status_code=status) if payload is None else _json(status, payload)

    return handle


def _check_access(site: Site, scope: str, request: Request) -> None:
    if scope in MISSING_SCOPES[site.switch("scopes")]:
        raise missing_scopes([scope])
    if any(not _HEX_ID.fullmatch(value) for value in request.path_params.values()):
        raise invalid_id()
    if request.path_params.get("site_id", site.id) != site.id:
        raise not_found("site")
    if scope.startswith("ecommerce:") and not site.switch("ecommerce_enabled"):
        raise conflict("Ecommerce is not yet initialized", "ecommerce_not_enabled")


async def _body(request: Request) -> JsonObject:
    raw = await request.body()
    if request.method == "GET" or (request.method == "DELETE" and not raw):
        return {}
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise bad_request() from None
    if not isinstance(body, dict):
        raise bad_request()
    return body


def _number(query: dict[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name, default))
    except ValueError:
        raise invalid(name, "Expected value to be an integer") from None


def _json(status: int, payload: JsonObject) -> Response:
    return Response(orjson.dumps(payload), status, media_type="application/json")


def error_response(error: ApiError) -> Response:
    answer = _json(error.status, error.body)
    if error.retry_after is not None:
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer
