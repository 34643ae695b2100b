"""How a record of theirs becomes fields of ours: frozen specs, checked when the file is read.

The rules are data for the models (restricted/record_fields) and for `cleaning.py`, which shows them on a sample.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipelines.sources.user_apis import entities
from pipelines.sources.user_apis.paths import plain_route, route

IGNORE = "ignore"
"""The status of a record that is left out."""
Scalar = str | bool | int | float


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone; write one such as Europe/Berlin or UTC") from None
    return value


def _plain(value: str) -> str:
    plain_route(value)
    return value


def _through_lists(value: str) -> str:
    route(value)
    return value


def _several(value: object) -> object:
    return (value,) if isinstance(value, (str, Mapping)) else value


def _sign_of_decimals(value: object) -> object:
    return {",": "comma", ".": "point"}.get(value, value) if isinstance(value, str) else value


Zone = Annotated[str, AfterValidator(_zone)]
Path = Annotated[str, AfterValidator(_plain)]
"""To one value."""
ListPath = Annotated[str, AfterValidator(_through_lists)]
"""To one value or several."""


def _test(value: object) -> object:
    if value is None:
        return {"exists": False}
    if isinstance(value, Mapping) and set(value) not in ({"exists"}, {"not"}):
        raise ValueError("write a value, a list of values, {exists: true} or {not: …}")
    return value


def _digits(value: object) -> object:
    digits = list(value.values()) if isinstance(value, Mapping) else [value]
    codes = [str(code) for code in value] if isinstance(value, Mapping) else []
    if value in (True, False, "currency") or (
        all(type(one) is int and 0 <= one <= 4 for one in digits)
        and all(re.fullmatch("[A-Z]{3}", code) for code in codes)
    ):
        return value
    raise ValueError(
        "write true, the number of digits (0 to 4), or those of single currencies such as {ISK: 2}"
    )


class Exists(Spec):
    exists: bool


class Not(Spec):
    """Anything else, or nothing."""

    other_than: Scalar | tuple[Scalar, ...] = Field(alias="not")


Test = Annotated[Scalar | tuple[Scalar, ...] | Exists | Not, BeforeValidator(_test)]
Condition = Annotated[dict[Path, Test], Field(min_length=1)]
"""Path → what it must say, or several things of which it must say one; all paths of one condition together."""
Conditions = Annotated[tuple[Condition, ...], BeforeValidator(_several)]
"""One condition, or several of which one is enough."""


class Case(Spec):
    """A value of ours for the records that say something."""

    when: Condition
    then: str


class FieldMapping(Spec):
    """Where a field of ours comes from: a path in their record, several of them, or a constant."""

    path: ListPath | None = None
    first: tuple[ListPath, ...] | None = Field(None, min_length=1)
    """The first of these paths that has a value."""
    sum: Annotated[tuple[ListPath, ...], BeforeValidator(_several)] | None = Field(None, min_length=1)
    """All amounts at these paths together: `refunds[].total`."""
    join: tuple[ListPath, ...] | None = Field(None, min_length=1)
    """All texts at these paths, with the separator between them."""
    separator: str = " "
    constant: str | None = None
    cases: tuple[Case, ...] = ()
    """Asked before all else; the first that holds counts."""
    map: dict[str, str] | None = None
    """Their value → ours."""
    default: str | None = None
    """For a value that is missing or not in `map`."""
    zone: Zone | None = None
    """Zone of times that carry none; unsaid, the source's `time_zone`."""
    date_order: Literal["iso", "day_first", "month_first"] = "iso"
    """Of times such as 03.04.2026 10:00; seconds since 1970 and ISO 8601 need nothing."""
    decimal: Annotated[Literal["point", "comma"] | None, BeforeValidator(_sign_of_decimals)] = None
    """Of amounts written as text: 1,234.50 or 1.234,50. Unsaid, a text that can be read both ways is rejected."""
    minor_units: Annotated[bool | Literal["currency"] | int | dict[str, int], BeforeValidator(_digits)] = (
        False
    )
    """Amounts in the smallest unit of their currency (ISO 4217). A number must agree with it; `{ISK: 2}` says where the
    API differs."""
    sign: Literal["positive", "negative", "absolute", "signed"] = "positive"
    """Of their amounts: never below zero, never above it (turned round), either (made positive), or either (kept)."""
    others: Literal["reject", "ignore"] = "reject"
    """What a record is that has several amounts where the path reads one."""

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> Self:
        ways = [
            name for name in ("path", "first", "sum", "join", "constant") if getattr(self, name) is not None
        ]
        if len(ways) > 1 or not (ways or self.cases):
            raise ValueError(f"give one of `path`, `first`, `sum`, `join`, `constant`{_given(ways)}")
        if self.sum and (self.map or self.default):
            raise ValueError("a `sum` takes neither `map` nor `default`")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        return self.first or self.sum or self.join or ((self.path,) if self.path else ())

    @property
    def take(self) -> Literal["first", "sum", "join"]:
        return "sum" if self.sum else "join" if self.join else "first"

    @property
    def is_minor(self) -> bool:
        return self.minor_units is not False

    @property
    def opens_places(self) -> bool:
        """Whether `[0]` is looked at as one of several."""
        return self.take == "first" and self.others == "reject"


def _given(ways: list[str]) -> str:
    return f"; these are given together: {', '.join(ways)}" if ways else ""


_AMOUNTS_ONLY: Mapping[str, Any] = {
    "sum": None, "decimal": None, "minor_units": False, "sign": "positive", "others": "reject",
}  # fmt: skip


def wrong(name: str, field: entities.Field, mapping: FieldMapping) -> str | None:
    """What does not fit between a field of ours and its mapping, with the way out."""
    if field.type != "amount":
        said = [key for key, unsaid in _AMOUNTS_ONLY.items() if getattr(mapping, key) != unsaid]
        if said:
            return f"`{said[0]}` is for amounts, and {name} is none; take it out"
    elif mapping.opens_places:
        try:
            for path in mapping.paths:
                route(path, open_places=True)
        except ValueError as error:
            return str(error)
    if mapping.join and field.type != "text":
        return f"`join` is for texts, and {name} is none; write `first` or `path`"
    if name == "refunded_amount" and mapping.sign == "signed":
        return "a refund below zero would raise revenue; write `sign: negative` or `sign: absolute`"
    stated = {mapping.default or "", mapping.constant or "", *(case.then for case in mapping.cases)}
    ours = stated | set((mapping.map or {}).values())
    choices = (*field.choices, IGNORE)
    if field.choices and (unknown := sorted(ours - {*choices, ""})):
        return f"{name} cannot be {', '.join(unknown)}; it can be {', '.join(choices)}"
    return None


def as_rules(conditions: Condition) -> list[dict[str, Any]]:
    """A condition as the models read it: path, the texts it may say (None: any), and whether that is turned round."""
    return [{"path": path, **_rule(test)} for path, test in conditions.items()]


def _rule(test: Test) -> dict[str, Any]:
    if isinstance(test, Exists):
        return {"values": None, "is_negated": not test.exists}
    is_negated, said = isinstance(test, Not), test.other_than if isinstance(test, Not) else test
    values = said if isinstance(said, tuple) else (said,)
    return {"values": {_said(value): "1" for value in values}, "is_negated": is_negated}


def _said(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
