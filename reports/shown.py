"""Stored values as a person reads them: prices with their currency, options and references by name, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from karvon.warehouse import Session
from reverse_etl.state.operations import compact

LONGEST = 6_000
"""Characters of one value; what is longer is cut, and says so."""
Shown = str | dict[str, list[dict[str, Any]]] | None
"""Text, or `{"images": [{"url", "alt"}]}`; None for nothing."""


@dataclass(frozen=True)
class Reader:
    """How values of one plan are read."""

    exponents: Mapping[str, int] = field(default_factory=dict)
    """Currency → digits behind the point; two where it is not known."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Key or remote id of a referred row → its name."""

    def shown(self, value: Any) -> Shown:
        """A value of any kind; what it is shows in its shape, so that plans of an older mapping can be read too."""
        if value is None or value in ("", [], {}):
            return None
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list):
            return self._list(value)
        return _cut(str(value))

    def text(self, value: Any) -> str:
        """The same in one line of text."""
        shown = self.shown(value)
        if isinstance(shown, dict):
            return ", ".join(str(image["url"]) for image in shown["images"])
        return " ".join((shown or "").split())

    def _object(self, value: Mapping[str, Any]) -> Shown:
        if set(value) == {"value", "unit"} and isinstance(value["value"], (int, float)):
            digits = self.exponents.get(str(value["unit"]), 2)
            return f"{Decimal(str(value['value'])).scaleb(-digits):,.{digits}f} {value['unit']}"
        if "url" in value:
            return {"images": [_image(value)]}
        return _cut("; ".join(f"{name}: {self.text(one)}" for name, one in value.items()))

    def _list(self, value: Sequence[Any]) -> Shown:
        if all(isinstance(one, Mapping) and "url" in one for one in value):
            return {"images": [_image(one) for one in value]}
        if all(isinstance(one, Mapping) and "name" in one for one in value):
            return _cut("; ".join(self._option(one) for one in value))
        return _cut(", ".join(self.names.get(str(one), str(one)) for one in value))

    def _option(self, option: Mapping[str, Any]) -> str:
        values = option.get("values") or option.get("enum") or []
        names = [str(one["name"] if isinstance(one, Mapping) else one) for one in values]
        return f"{option['name']}: {', '.join(names)}" if names else str(option["name"])


def exponents(session: Session) -> dict[str, int]:
    """Digits of each currency's smallest unit, as the project's seed says."""
    if not session.has_table("marts.currencies"):
        return {}
    rows = session.rows("SELECT currency, exponent FROM marts.currencies")
    return {row["currency"]: int(row["exponent"]) for row in rows}


def _image(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": str(value["url"] or ""), "alt": value.get("alt")}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def one_line(value: Any, longest: int = 120) -> str:
    """Any JSON value cut to a line, for terminals."""
    text = value if isinstance(value, str) else "" if value is None else compact(value)
    text = " ".join(text.split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
