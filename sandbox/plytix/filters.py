"""Filters of the search endpoints: outer list OR, inner list AND (Plytix dossier §5, §5.2)."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sandbox.plytix.answers import ApiError, schema_error
from sandbox.plytix.world import EMPTY, stamp
from sandbox.state import Document

Predicate = Callable[[Document], bool]

EXISTENCE = ("exists", "!exists")
COMPARISONS = ("eq", "!eq", "gt", "gte", "lt", "lte")
OPERATORS: dict[str, tuple[str, ...]] = {
    "TextAttribute": (*EXISTENCE, "like", "eq", "!eq"),
    "DropdownAttribute": (*EXISTENCE, "eq", "!eq", "in", "!in"),
    "MultiSelectAttribute": (*EXISTENCE, "in", "!in"),
    "IntAttribute": (*EXISTENCE, *COMPARISONS),
    "DecimalAttribute": (*EXISTENCE, *COMPARISONS),
    "BooleanAttribute": (*EXISTENCE, "eq"),
    "DateAttribute": (*EXISTENCE, "eq", "gt", "gte", "lt", "lte"),
    "MediaAttribute": EXISTENCE,
    "MediaGalleryAttribute": EXISTENCE,
    "Identifier": ("eq", "!eq", "in", "!in"),
    "Key": (*EXISTENCE, "like", "eq", "!eq", "in", "!in"),
    "Status": ("eq", "in", "!in"),
    "StaticLists": ("in",),
    "Flag": ("eq",),
}
STATUSES = ("Draft", "Completed", "Archived")
DATE_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}")
TEXT_SEARCH = "text_search"


class Field(NamedTuple):
    """A field that can be filtered; `kind` is a key of `OPERATORS`."""

    kind: str
    read: Callable[[Document], Any]
    is_moment: bool = False


class DateRules(NamedTuple):
    """The two switches on dates."""

    accepts_timestamp: bool = True
    gt_of_a_day: str = "midnight"


def compile_filters(
    filters: object, fields: Mapping[str, Field], rules: DateRules, *, text_search: bool = True
) -> Predicate | None:
    """One predicate for a `filters` value; None when it lets everything pass. Raises ApiError 422."""
    if filters is None or filters == []:
        return None
    if not isinstance(filters, list) or not all(isinstance(group, list) for group in filters):
        raise schema_error("filters must be a list of lists", "filters")
    groups = [[compile_one(entry, fields, rules, text_search) for entry in group] for group in filters]
    if all(len(group) == 1 and group[0]["operator"] == "eq" for group in filters):
        names = {entry["field"] for [entry] in filters}
        field = fields[names.pop()]
        if not names and field.kind == "Key":
            return equal_to_any(field, [entry.get("value") for [entry] in filters])

    def passes(document: Document) -> bool:
        return any(all(test(document) for test in group) for group in groups)

    return passes


def equal_to_any(field: Field, values: list[object]) -> Predicate:
    """The same as one group for each value, which a search by many SKUs would try on every product in turn."""
    needles = {str(value).lower() for value in values}
    return lambda document: str(field.read(document) or "").lower() in needles


def compile_one(entry: object, fields: Mapping[str, Field], rules: DateRules, text_search: bool) -> Predicate:
    if not isinstance(entry, dict) or not {"field", "operator"} <= set(entry):
        raise schema_error("a filter needs field and operator", "filters")
    name, operator, value = entry["field"], entry["operator"], entry.get("value")
    if operator == TEXT_SEARCH and text_search:
        return text_search_test(name, value, fields)
    field = fields.get(name) if isinstance(name, str) else None
    if field is None:
        raise ApiError(
            422, "Filter validation error", [{"field": str(name), "msg": "Field is not filterable"}]
        )
    allowed = OPERATORS[field.kind]
    if operator not in allowed:
        message = f"Operator {operator} is not valid for {field.kind}, valid operators are {list(allowed)}"
        raise ApiError(422, "Filter validation error", [{"field": name, "msg": message, "value": operator}])
    if operator in EXISTENCE:
        return lambda document: (field.read(document) not in EMPTY) == (operator == "exists")
    if operator in ("in", "!in"):
        return membership_test(name, field, operator, value)
    if field.is_moment or field.kind == "DateAttribute":
        return moment_test(name, field, operator, value, rules)
    if field.kind in ("IntAttribute", "DecimalAttribute"):
        return number_test(name, field, operator, value)
    return text_test(name, field, operator, value)


def text_search_test(names: object, value: object, fields: Mapping[str, Field]) -> Predicate:
    if not isinstance(names, list) or not names or any(name not in fields for name in names):
        raise schema_error("text_search needs a list of known fields", "filters")
    reads, needle = [fields[name].read for name in names], str(value).lower()
    return lambda document: any(needle in str(read(document) or "").lower() for read in reads)


def membership_test(name: str, field: Field, operator: str, value: object) -> Predicate:
    """Case-sensitive, unlike `eq`."""
    if not isinstance(value, list):
        raise ApiError(422, "Filter validation error", [{"field": name, "msg": "Value must be a list"}])
    check_status(name, field, value)
    wanted = {str(entry) for entry in value}

    def passes(document: Document) -> bool:
        found = field.read(document)
        values = found if isinstance(found, list) else [found]
        return any(entry in wanted for entry in values if entry is not None) == (operator == "in")

    return passes


def text_test(name: str, field: Field, operator: str, value: object) -> Predicate:
    """`eq` and `like` ignore case."""
    if field.kind in ("Flag", "BooleanAttribute"):
        if not isinstance(value, bool):
            raise ApiError(
                422, "Filter validation error", [{"field": name, "msg": "Value must be a boolean"}]
            )
        return lambda document: bool(field.read(document)) is value
    check_status(name, field, [value])
    needle = str(value).lower()
    if operator == "like":
        return lambda document: needle in str(field.read(document) or "").lower()
    return lambda document: (str(field.read(document) or "").lower() == needle) == (operator == "eq")


def number_test(name: str, field: Field, operator: str, value: object) -> Predicate:
    try:
        wanted = float(str(value))
    except ValueError:
        raise ApiError(
            422, "Filter validation error", [{"field": name, "msg": "Value is not a number"}]
        ) from None

    def passes(document: Document) -> bool:
        found = field.read(document)
        return isinstance(found, int | float) and compare(operator, found, wanted)

    return passes


def moment_test(name: str, field: Field, operator: str, value: object, rules: DateRules) -> Predicate:
    """Dates and times as UTC; a date alone stands for midnight, or for its end if the switch says so."""
    text = str(value)
    if DATE_ONLY.fullmatch(text):
        if operator == "eq":
            return lambda document: str(field.read(document) or "").startswith(text)
        if not field.is_moment:
            return lambda document: (
                bool(field.read(document)) and compare(operator, field.read(document)[:10], text)
            )
        at_end = rules.gt_of_a_day == "end_of_day" and operator in ("gt", "lte")
        wanted = f"{text}T23:59:59.999" if at_end else f"{text}T00:00:00.000"
    else:
        if not rules.accepts_timestamp:
            raise ApiError(
                422, "Filter validation error", [{"field": name, "msg": "Value is not a valid date"}]
            )
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ApiError(
                422, "Filter validation error", [{"field": name, "msg": "Value is not a valid date"}]
            ) from None
        wanted = stamp(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))
    return lambda document: bool(field.read(document)) and compare(operator, field.read(document), wanted)


def compare(operator: str, found: Any, wanted: Any) -> bool:
    match operator:
        case "eq":
            return bool(found == wanted)
        case "!eq":
            return bool(found != wanted)
        case "gt":
            return bool(found > wanted)
        case "gte":
            return bool(found >= wanted)
        case "lt":
            return bool(found < wanted)
        case _:
            return bool(found <= wanted)


def check_status(name: str, field: Field, values: list[Any]) -> None:
    if field.kind == "Status" and not set(map(str, values)) <= set(STATUSES):
        message = f"Value is not valid, valid values are [{', '.join(STATUSES)}]"
        raise ApiError(422, "Filter validation error", [{"field": name, "msg": message}])
