"""The error bodies of the Webflow Data API (Webflow dossier §4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ApiError(Exception):
    """An answer with a status of 400 or more.

    `details` holds what the real API puts there: strings, or {"param", "description"} objects. In a bulk
    request neither says which of the records it is about.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Sequence[Any] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = list(details)
        self.retry_after = retry_after

    @property
    def body(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "externalReference": None,
            "details": self.details,
        }


class FileRefused(Exception):
    """A remote file that could not be imported; dropped or turned into a 400, as `skipInvalidFiles` says."""


def bad_request(message: str = "Bad Request: Request is malformed") -> ApiError:
    return ApiError(400, "bad_request", message)


def invalid(param: str, description: str) -> ApiError:
    """A field error. For an unknown field the real description is 'Field not described in schema: undefined'."""
    details = [{"param": param, "description": description}]
    return ApiError(400, "validation_error", "Validation Error", details)


def invalid_id() -> ApiError:
    return ApiError(400, "validation_error", "Validation Error: Provided ID is invalid")


def not_authorized() -> ApiError:
    return ApiError(401, "not_authorized", "Request not authorized")


def missing_scopes(scopes: Sequence[str]) -> ApiError:
    named = ", ".join(scopes)
    return ApiError(403, "missing_scopes", f"OAuthForbidden: You are missing the following scopes - {named}")


def not_found(what: str) -> ApiError:
    return ApiError(404, "resource_not_found", f"Requested resource not found: The {what} cannot be found")


def route_not_found(path: str) -> ApiError:
    return ApiError(404, "resource_not_found", f"Route not found: {path}")


def conflict(message: str, code: str = "conflict") -> ApiError:
    return ApiError(409, code, message)


def too_many_requests(retry_after: int | None) -> ApiError:
    return ApiError(429, "too_many_requests", "Too many requests", retry_after=retry_after)
