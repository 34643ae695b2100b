"""What Webflow's errors mean (Webflow dossier §4): whose fault, for good or not, and what must stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from karvon.http import NotFound, Refused, RemoteError, Throttled, Unavailable
from reverse_etl.state.destination import Outcome
from reverse_etl.state.operations import REMOVALS, Operation

_PLAN_CAP = ("allowed on your current plan", "cms database")
_IMAGE = ("failed to import", "unsupported file type")


def words(error: RemoteError) -> tuple[str, str | None]:
    """The API's own words and the field they are about."""
    detail = error.detail
    if not isinstance(detail, Mapping):
        return str(error), None
    parts = [str(detail.get("message") or "")]
    field = None
    for one in detail.get("details") or []:
        if isinstance(one, Mapping):
            field = field or (str(one["param"]) if one.get("param") else None)
            parts.append(f"{one.get('param', '')}: {one.get('description', '')}")
        else:
            parts.append(str(one))
    text = "; ".join(part for part in parts if part)
    return (f"{error.status} {text}" if text else str(error)), field


def outcomes(call: Sequence[Operation], error: RemoteError) -> list[Outcome]:
    """One failure, told for every operation of the call."""
    return [outcome(operation, error) for operation in call]


def outcome(operation: Operation, error: RemoteError) -> Outcome:
    text, field = words(error)

    def failed(**more: Any) -> Outcome:
        return Outcome(operation, "failed", error=text, error_field=field, **more)

    if error.outcome_unknown:
        return Outcome(operation, "unknown", error=text)
    if isinstance(error, Throttled):
        return failed(stops="run")
    if isinstance(error, Unavailable):
        return failed(stops="outage")
    if isinstance(error, NotFound):
        if operation.action in REMOVALS:
            return Outcome(operation, "done", note="it was gone already")
        return failed()
    if isinstance(error, Refused):
        if error.status in (401, 403):
            return failed(stops="run")
        if error.status == 409:
            return failed(stops=stops(error))
        return failed(permanent=True)
    return failed()


def is_about_image(error: RemoteError) -> bool:
    """An import that failed; such failures can pass, so it is worth one more try (dossier §6.3)."""
    return error.status == 400 and any(mark in words(error)[0].lower() for mark in _IMAGE)


def wants_slug(error: RemoteError) -> bool:
    """A SKU update that must carry the slug although it did not change (dossier §1.1)."""
    text, _ = words(error)
    return error.status == 400 and "slug" in text and "required" in text.lower()


def can_be_split(error: RemoteError, first: Operation) -> bool:
    """Whether a smaller call may pass: some row is at fault, not the token, the plan or the network."""
    if isinstance(error, NotFound):
        # One category of many; the SKUs of a call have one product, which is gone for all.
        return first.resource == "categories"
    return isinstance(error, Refused) and (
        error.status == 400 or (error.status == 409 and stops(error) == "no")
    )


def stops(error: RemoteError) -> str:
    """What a conflict means for the rest of the run: nothing, no more creates, or its end."""
    text, _ = words(error)
    code = error.detail.get("code") if isinstance(error.detail, Mapping) else None
    if code == "ecommerce_not_enabled":
        return "run"
    return "creates" if any(mark in text.lower() for mark in _PLAN_CAP) else "no"
