"""Envelopes and errors of Plytix v1 and v2 (Plytix dossier §4)."""

from typing import Any

import orjson
from starlette.responses import Response


class ApiError(Exception):
    """An answer of the form ``{"error": {"msg", "errors"?: [{"field", "msg"}]}}``."""

    def __init__(self, status: int, message: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"msg": message} | ({"errors": errors} if errors else {})}


def schema_error(message: str, field: str = "schema") -> ApiError:
    return ApiError(422, "Schema validation error", [{"field": field, "msg": message}])


def not_found(what: str, key: str) -> ApiError:
    # The leading space is Plytix's own.
    return ApiError(404, f" No results found for {key}", [{"field": "id", "msg": f"{what} does not exist"}])


def json_response(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")


def data_response(rows: list[Any], pagination: dict[str, Any] | None = None, status: int = 200) -> Response:
    """`data` is a list also for one record."""
    return json_response({"data": rows} | ({"pagination": pagination} if pagination else {}), status)
