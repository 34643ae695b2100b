"""Values in one form, so that equal things compare equal.

A *value* is what a person reads: text, a number, `{"value": 2499, "unit": "USD"}`, `{"url": …, "alt": …}`, HTML,
keys of other rows. Destinations translate between values and their own words. From a value two *canonical*
forms are made: of what we sent (`sent_form`), and of what the destination shows (`shown_form`), because a
destination rewrites images and HTML and gives references its own ids (Webflow dossier §2.2, §6.2).
Null, absent and empty are the same.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import orjson

from reverse_etl.spec.syncs import FILES, FieldSpec

_PLAIN_ADDRESS = re.compile(r"https?://[a-z0-9.:-]+/[A-Za-z0-9._/-]*")
"""Nothing to bring into one form; taking addresses apart was a tenth of comparing a row."""

Value = Any
"""A JSON value."""


class WrongValue(ValueError):
    """A cell of the model cannot become its field."""


def digest(value: Value) -> str:
    """A short hash of any JSON value, keys in any order."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:24]


def wanted(field: FieldSpec, row: Mapping[str, Any]) -> Value:
    """The value that a model's row has for a field. Raises `WrongValue`."""
    cell = row[field.column]
    match field.as_:
        case "text" | "html" | "color" | "option" | "video":
            return _text(cell)
        case "money":
            if cell is None:
                return None
            unit = row[field.currency or ""]
            if not unit:
                raise WrongValue(f"{field.column} has no currency in {field.currency}")
            return {"value": _whole(field, cell), "unit": str(unit)}
        case "image":
            if not cell:
                return None
            alt = row[field.alt] if field.alt else None
            return {"url": str(cell), "alt": alt or None}
        case "images":
            return [{"url": str(url)} for url in _parsed(field, cell, list)] or None
        case "references":
            return [str(key) for key in _parsed(field, cell, list)] or None
        case "reference":
            return [str(cell)] if cell not in (None, "") else None
        case "file":
            return {"url": str(cell)} if cell else None
        case "date":
            return _moment(field, cell)
        case "published":
            return None if field.alt and row[field.alt] else True
        case "sku_properties":
            return _parsed(field, cell, list) or None
        case "sku_values":
            return _parsed(field, cell, dict) or None
        case "stock":
            return None if cell is None else _whole(field, cell)
        case "number":
            return _number(field, cell)
        case "bool":
            return None if cell is None else bool(cell)


def referred(fields: Iterable[FieldSpec], rows: Collection[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Sync → keys of its rows that these rows refer to.

    What cannot be read refers to nothing: whoever compares the row says so.
    """
    found: dict[str, set[str]] = {}
    for field in fields:
        if not field.refers or not field.sync:
            continue
        keys = found.setdefault(field.sync, set())
        for row in rows:
            with suppress(WrongValue):
                keys.update(wanted(field, row) or ())
    return found


def sent_form(field: FieldSpec, value: Value) -> Value:
    """The canonical form of what we send: equal forms need no second sending."""
    if value is None:
        return None
    match field.as_:
        case "money":
            return [int(value["value"]), value["unit"]]
        case "image":
            return {"source": source_hash(value["url"]), "alt": value.get("alt")}
        case "images":
            return [source_hash(image["url"]) for image in value]
        case "file":
            return source_hash(value["url"])
        case "color":
            return str(value).lower()
        case "html":
            return digest(value)
        case _:
            return value


def shown_form(field: FieldSpec, value: Value) -> Value:
    """The canonical form of what the destination shows."""
    if value is None or value in ("", [], {}):
        return None
    match field.as_:
        case "money":
            return [int(value["value"]), value["unit"]]
        case "image":
            return _shown_image(value, with_alt=field.alt is not None)
        case "images":
            return [_shown_image(image, with_alt=False) for image in value]
        case "file":
            return _shown_image(value, with_alt=False)
        case "html":
            return digest(value)
        case "number":
            return _number(field, value)
        case "color":
            return str(value).lower()
        case "date":
            return _moment(field, value)
        case _:
            return value


def same_shown(field: FieldSpec, one: Value, other: Value) -> bool:
    """Whether two shown forms are the same thing.

    An image's id may be missing right after a write (dossier §5), so only two different ids are two images.
    """
    if field.as_ in ("bool", "published"):
        return bool(one) == bool(other)
    if one is None or other is None or field.as_ not in FILES:
        return bool(one == other)
    if field.as_ != "images":
        return _same_image(one, other)
    return len(one) == len(other) and all(map(_same_image, one, other))


def already_there(field: FieldSpec, value: Value, shown: Value, references: Mapping[str, str | None]) -> bool:
    """Whether a record that we never wrote already shows the value; `references` maps our keys to remote ids.

    An imported image keeps the source's file name at its end; that is the only trace of where it came from.
    """
    if field.as_ in FILES:
        mine = value if isinstance(value, list) else [value] if value else []
        theirs = shown if isinstance(shown, list) else [shown] if shown else []
        return len(mine) == len(theirs) and all(
            _file_name(there["url"]).endswith(_file_name(here["url"]))
            and (not field.alt or here.get("alt") == there.get("alt"))
            for here, there in zip(mine, theirs, strict=True)
        )
    if field.refers and value is not None:
        value = [references.get(key) or f"(not there: {key})" for key in value]
    return same_shown(field, shown_form(field, value), shown)


def source_hash(url: str) -> str:
    """Identity of a picture by where it comes from. The query carries sizes and signatures and does not count; the
    fragment does, where a model marks a new version of a file that keeps its address.
    """
    plain = url
    if not _PLAIN_ADDRESS.fullmatch(url):
        parts = urlsplit(url.strip())
        plain = urlunsplit(
            (parts.scheme.lower(), parts.netloc.lower(), unquote(parts.path), "", parts.fragment)
        )
    return hashlib.sha256(plain.encode()).hexdigest()[:24]


def _shown_image(image: Any, *, with_alt: bool) -> dict[str, Any]:
    if isinstance(image, str):
        image = {"url": image}
    shown = {"file": image.get("fileId"), "url": image.get("url")}
    return {**shown, "alt": image.get("alt") or None} if with_alt else shown


def _same_image(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one.get("alt") != other.get("alt"):
        return False
    return not (one["file"] and other["file"]) or one["file"] == other["file"]


def _file_name(url: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "", unquote(urlsplit(url).path.rsplit("/", 1)[-1]).lower())


def _parsed(field: FieldSpec, cell: Any, kind: type) -> Any:
    if cell is None or cell == "":
        return kind()
    try:
        value = orjson.loads(cell) if isinstance(cell, str) else cell
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, kind):
        raise WrongValue(
            f"{field.column} must hold a JSON {'array' if kind is list else 'object'}, not {cell!r}"
        )
    return value


def _whole(field: FieldSpec, cell: Any) -> int:
    if int(cell) != cell:
        raise WrongValue(f"{field.column} must be a whole number (money in minor units), not {cell!r}")
    return int(cell)


def _number(field: FieldSpec, cell: Any) -> int | float | None:
    """The same number to the last digit, whole ones as integers. Raises `WrongValue` where JSON cannot carry it."""
    if cell is None:
        return None
    try:
        # Postgres gives numerics as texts.
        number = Decimal(cell) if isinstance(cell, str) else cell
    except InvalidOperation:
        raise WrongValue(f"{field.column} is {cell!r}, which is no number") from None
    if not math.isfinite(number):
        raise WrongValue(f"{field.column} is {cell}, which is no number that can be sent")
    if number == (whole := int(number)) and (abs(whole) < 2**63 or not isinstance(number, float)):
        if abs(whole) >= 2**63:
            raise WrongValue(_too_long(field, cell))
        return whole
    near = float(number)
    if isinstance(number, Decimal) and Decimal(repr(near)) != number:
        raise WrongValue(_too_long(field, cell))
    return near


def _too_long(field: FieldSpec, cell: Any) -> str:
    return f"{field.column} is {cell}, more digits than a number can be sent with; map it `as: text`, or round it"


def _moment(field: FieldSpec, cell: Any) -> str | None:
    """ISO 8601 in UTC to the millisecond, as Webflow shows it; a moment without a zone is UTC."""
    if cell is None or cell == "":
        return None
    try:
        moment = datetime.fromisoformat(cell) if isinstance(cell, str) else cell
    except ValueError:
        raise WrongValue(f"{field.column} must be an ISO 8601 date or time, not {cell!r}") from None
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _text(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    if isinstance(cell, (datetime, date)):
        return cell.isoformat()
    if isinstance(cell, Decimal) and cell.is_finite():
        return str(int(cell)) if cell == int(cell) else f"{cell.normalize():f}"
    return str(cell)
