"""What each field type takes on a write, and the form a read gives back (Webflow dossier §2.2 and §1.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.webflow.errors import FileRefused
from sandbox.webflow.images import FileImports

MOST = 2**53
"""Beyond it a JSON number is not exact."""
_HEX_ID = re.compile(r"^[0-9a-f]{24}$")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
_COLOR = re.compile(
    r"^(#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})|(rgb|hsl)a?\([^)]*\)|[a-z]+)$", re.IGNORECASE
)
_WEB_ADDRESS = re.compile(r"^(https?://[^\s/]+\S*|mailto:\S+|tel:\S+|[/#]\S*)$", re.IGNORECASE)


class ValueRefused(Exception):
    """A value that does not fit its field; the message is the API's description."""


@dataclass(frozen=True)
class Writing:
    """What one write request needs from the shop while its values are checked.

    `is_store` means products and SKUs: numbers cannot be null there, and an image may be a bare URL.
    `item_exists(collection id, item id)` answers for references.
    """

    currency: str
    is_store: bool
    skip_invalid_files: bool
    max_name_length: int
    max_images: int
    imports: FileImports
    item_exists: Callable[[str, str], bool]


def accept(field: dict[str, Any], value: Any, writing: Writing) -> Any:
    """The value as it will be read back.

    Raises:
        ValueRefused: the value does not fit.
        FileRefused: a remote file cannot be imported.
    """
    accepting = _ACCEPTING.get(field["type"])
    return value if accepting is None else accepting(_Check(field, writing), value)


def accept_null(field: dict[str, Any], writing: Writing) -> None:
    """Raises ValueRefused where a field cannot be cleared (Webflow dossier §1.5)."""
    if field["isRequired"]:
        raise ValueRefused("Value is required")
    if writing.is_store and field["type"] == "Number":
        raise ValueRefused("Expected value to be a number")


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass(frozen=True)
class _Check:
    """One method per field type: what was sent in, what a read gives out."""

    field: dict[str, Any]
    writing: Writing

    @property
    def rules(self) -> dict[str, Any]:
        return self.field["validations"] or {}

    def plain_text(self, value: Any) -> str:
        text = _text(value)
        is_name = self.field["slug"] == "name"
        longest = self.writing.max_name_length if is_name else self.rules.get("maxLength")
        self.check_length(text, longest)
        if is_name and not text.strip():
            raise ValueRefused("Value is required")
        if self.rules.get("singleLine") and "\n" in text:
            raise ValueRefused("Value must be a single line")
        return text

    def check_length(self, text: str, longest: int | None) -> None:
        if longest and len(text) > longest:
            raise ValueRefused(f"Value is too long: must be at most {longest} characters")
        if len(text) < self.rules.get("minLength", 0):
            raise ValueRefused(f"Value is too short: must be at least {self.rules['minLength']} characters")

    def rich_text(self, value: Any) -> str:
        """HTML comes back in other words than it was sent, and the content of code blocks is lost."""
        self.check_length(_text(value), self.rules.get("maxLength"))
        html = re.sub(r"<(/?)b>", r"<\1strong>", _text(value))
        html = re.sub(r"<(/?)i>", r"<\1em>", html)
        html = re.sub(r"<(p|h[1-6]|ul|ol|li|blockquote)>", r'<\1 id="">', html)
        html = re.sub(r"(<pre[^>]*>).*?(</pre>)", r"\1\2", html, flags=re.DOTALL)
        return re.sub(r"<(br|hr)\s*/>", r"<\1>", html)

    def number(self, value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MOST:
            raise ValueRefused("Expected value to be a number")
        if self.rules.get("format") == "integer" and value != int(value):
            raise ValueRefused("Expected value to be an integer")
        if self.rules.get("allowNegative") is False and value < 0:
            raise ValueRefused("Value must not be negative")
        if self.rules.get("allowZero") is False and value == 0:
            raise ValueRefused("Value must not be zero")
        if not self.rules.get("minValue", -MOST) <= value <= self.rules.get("maxValue", MOST):
            raise ValueRefused("Value is out of range")
        return float(value) if isinstance(value, float) else int(value)

    def switch(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueRefused("Expected value to be a boolean")
        return value

    def date_time(self, value: Any) -> str:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise ValueRefused("Expected value to be an ISO 8601 date") from None
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))

    def link(self, value: Any) -> str:
        return _matching(_WEB_ADDRESS, value, "a URL")

    def email(self, value: Any) -> str:
        return _matching(_EMAIL, value, "an email address")

    def phone(self, value: Any) -> str:
        return _text(value)

    def color(self, value: Any) -> str:
        return _matching(_COLOR, value, "a color")

    def video(self, value: Any) -> dict[str, Any]:
        url = self.link(value.get("url") if isinstance(value, dict) else value)
        return {"url": url, "metadata": {"title": None, "html": None, "thumbnail_url": None}}

    def option(self, value: Any) -> str:
        """Ids only: names are not understood."""
        if value not in [option["id"] for option in self.rules["options"]]:
            raise ValueRefused("Expected value to be the id of an option of this field")
        return str(value)

    def reference(self, value: Any) -> str:
        item_id = _matching(_HEX_ID, value, "an item id")
        if not self.writing.item_exists(self.rules["collectionId"], item_id):
            raise ValueRefused(f"Referenced item not found: '{item_id}'")
        return item_id

    def references(self, value: Any) -> list[str]:
        given = [value] if self.writing.is_store and isinstance(value, str) else value
        return [self.reference(each) for each in _array(given)]

    def image(self, value: Any) -> dict[str, Any]:
        return self.file(value, images_only=True)

    def images(self, value: Any) -> list[dict[str, Any]]:
        most = self.writing.max_images
        if most and len(_array(value)) > most:
            raise ValueRefused(f"Expected at most {most} images")
        return [self.image(each) for each in _array(value)]

    def file(self, value: Any, *, images_only: bool = False) -> dict[str, Any]:
        given = {"url": value} if self.writing.is_store and isinstance(value, str) else value
        if not isinstance(given, dict) or "url" not in given:
            raise ValueRefused("Expected value to have a 'url' field")
        taken = self.writing.imports.take(given["url"], given.get("alt"), images_only=images_only)
        accepted = self.rules.get("acceptedExtensions")
        if accepted and not str(taken["url"]).lower().endswith(tuple(accepted)):
            raise FileRefused("Unsupported file type")
        return taken

    def price(self, value: Any) -> dict[str, Any]:
        """Whole minor units; a read also repeats the currency."""
        amount = value.get("value") if isinstance(value, dict) else None
        if isinstance(amount, bool) or not isinstance(amount, int | float) or amount != int(amount):
            raise ValueRefused("Expected price value to be a whole number of minor units")
        if not 0 <= amount <= MOST:
            raise ValueRefused("Price must not be negative, nor beyond all bounds")
        unit = value.get("unit") or value.get("currency")
        if unit != self.writing.currency:
            raise ValueRefused(
                f"Expected price unit to be the currency of the store: {self.writing.currency}"
            )
        return {"value": int(amount), "unit": unit, "currency": unit}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueRefused("Expected value to be a string")
    return value


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueRefused("Expected value to be an array")
    return value


def _matching(pattern: re.Pattern[str], value: Any, what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueRefused(f"Expected value to be {what}")
    return value


_ACCEPTING: dict[str, Callable[[_Check, Any], Any]] = {
    "PlainText": _Check.plain_text,
    "RichText": _Check.rich_text,
    "Number": _Check.number,
    "Switch": _Check.switch,
    "DateTime": _Check.date_time,
    "Link": _Check.link,
    "Email": _Check.email,
    "Phone": _Check.phone,
    "Color": _Check.color,
    "VideoLink": _Check.video,
    "Option": _Check.option,
    "Reference": _Check.reference,
    "MultiReference": _Check.references,
    "Image": _Check.image,
    "File": _Check.file,
    "ExtFileRef": _Check.file,
    "MultiImage": _Check.images,
    "Price": _Check.price,
}
