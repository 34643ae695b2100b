"""Values that a collection would refuse, found before anything is sent (Webflow dossier §2.1, §2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from reverse_etl.destinations.webflow.field_types import Collection, RemoteField
from reverse_etl.spec.syncs import FieldSpec, Sync

_SLUG = re.compile(r"^[_a-zA-Z0-9][-_a-zA-Z0-9]*$")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_LINK = re.compile(r"^(https?://[^\s/]\S*|mailto:\S+|tel:\S+|[/#]\S*)$", re.IGNORECASE)
_COLOR = re.compile(
    r"^(#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})|(rgb|hsl)a?\([^)]*\)|[a-z]+)$", re.IGNORECASE
)


def first_fault(sync: Sync, collection: Collection, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Field and reason of the first value that would be refused."""
    for spec in sync.fields:
        field = collection.field(spec.field)
        if field is None:
            continue
        reason = next(_reasons(spec, field, values[spec.field]), None)
        if reason is not None:
            return (
                spec.field,
                f"{sync.file}: column {spec.column}, field {collection.slug}.{spec.field}: {reason}",
            )
    return None


def _reasons(spec: FieldSpec, field: RemoteField, value: Any) -> Iterator[str]:
    if value is None:
        if field.is_required and spec.policy != "create_only":
            yield "it is empty, and the collection requires it"
        return
    match spec.as_:
        case "text" | "html":
            yield from _text(field, str(value))
        case "number":
            yield from _number(field.validations, value)
        case "option" if not any(value in (one.name, one.id) for one in field.options):
            yield f"{value!r} is not offered; the options are {', '.join(one.name for one in field.options)}"
        case "color" if not _COLOR.match(value):
            yield f"{value!r} is no colour (#RRGGBB, rgb(…), hsl(…) or a CSS name)"
        case "video" if not _LINK.match(value):
            yield f"{value!r} is no address of a video"
        case "image" | "file":
            yield from _file(value["url"])
        case "images":
            for image in value:
                yield from _file(image["url"])


def _text(field: RemoteField, text: str) -> Iterator[str]:
    if field.max_length and len(text) > field.max_length:
        yield f"it is {len(text)} characters long, Webflow takes {field.max_length}"
    if len(text) < (field.validations.get("minLength") or 0):
        yield f"it is {len(text)} characters long, Webflow wants {field.validations['minLength']} at least"
    if field.validations.get("singleLine") and "\n" in text:
        yield "it has several lines, and the field takes one"
    if field.slug == "slug" and not _SLUG.match(text):
        yield f"{text!r} is no slug: letters a-z, digits, - and _"
    if field.type == "Email" and not _EMAIL.match(text):
        yield f"{text!r} is no email address"
    if field.type == "Link" and not _LINK.match(text):
        yield f"{text!r} is no address (https://…, mailto:…, tel:…, /path)"


def _number(rules: Mapping[str, Any], value: float) -> Iterator[str]:
    if rules.get("format") == "integer" and value != int(value):
        yield f"{value} is no whole number"
    if rules.get("allowNegative") is False and value < 0:
        yield f"{value} is negative"
    if rules.get("allowZero") is False and value == 0:
        yield "it is zero"
    low, high = rules.get("minValue"), rules.get("maxValue")
    if (low is not None and value < low) or (high is not None and value > high):
        yield f"{value} is not between {low if low is not None else '-∞'} and {high if high is not None else '∞'}"


def _file(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or re.search(r"\s", url):
        yield f"{url!r} is no address that Webflow could fetch a file from"
