"""What the models will make of a record, for people who try a mapping out before anything is landed.

The same rules as `restricted/record_fields` and `marts/user_records`; tests/reality/test_users_money.py holds the two
equal, record by record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.sources.user_apis import amounts
from pipelines.sources.user_apis.definition import DataSource, ResourceSpec
from pipelines.sources.user_apis.entities import ENTITIES
from pipelines.sources.user_apis.mapping import IGNORE, Condition, FieldMapping, as_rules
from pipelines.sources.user_apis.paths import Found, as_text, plain_route, route, step_to, walk
from pipelines.sources.user_apis.privacy import NO_CONTACT, is_contact, normalised


@dataclass
class Cleaned:
    """A record as fields of ours, and why it is rejected (empty when it is fine)."""

    fields: dict[str, Any] = field(default_factory=dict)
    """Text, Decimal or datetime (UTC)."""
    reasons: list[str] = field(default_factory=list)
    is_ignored: bool = False
    is_deleted: bool = False

    @property
    def is_fine(self) -> bool:
        return not (self.reasons or self.is_ignored or self.is_deleted)


def cleaned(source: DataSource, resource: ResourceSpec, record: Any, exponents: Mapping[str, int]) -> Cleaned:
    """One record of a resource with an entity. `exponents`: digits of the smallest unit by currency (ISO 4217)."""
    result, known = Cleaned(), ENTITIES[resource.entity or "lead"]
    result.is_deleted = any(_holds(one, record) for one in resource.deleted)
    result.is_ignored = any(_holds(one, record) for one in resource.ignore)
    texts = {name: _read(mapping, record, known[name].type) for name, mapping in resource.fields.items()}
    currency = (texts["currency"].text or "").upper() or None if "currency" in texts else None
    unreadable: list[str] = []
    for name in sorted(resource.fields):
        mapping, read, kind = resource.fields[name], texts[name], known[name].type
        if read.text is None:
            continue
        value: Any
        if kind == "amount":
            value, problem = amounts.judged(name, mapping, read, currency, exponents)
        elif kind == "timestamp":
            value, problem = _time(read.text, mapping, mapping.zone or source.time_zone), None
            if value is None:
                said = "ordered_at" if name == "created_at" else name
                unreadable.append(f'{said} "{read.text[:60]}" is not a time')
        else:
            value, problem = _text(kind, read.text, resource.entity)
        if problem:
            result.reasons.append(f"{name}{problem}")
        elif value is not None:
            result.fields[name] = value
    result.fields = {name: result.fields[name] for name in resource.fields if name in result.fields}
    result.is_ignored |= result.fields.get("status") == IGNORE
    result.reasons += [*unreadable, *_missing(resource, result, unreadable)]
    return result


def totals(rows: Iterable[Cleaned]) -> dict[str, tuple[int, Decimal, Decimal]]:
    """Of orders that count: how many, paid and paid back, by currency."""
    found: dict[str, tuple[int, Decimal, Decimal]] = {}
    for row in rows:
        status, gross = row.fields.get("status"), row.fields.get("gross_amount", Decimal())
        if row.is_fine and status in ("paid", "refunded", "partly_refunded"):
            back = row.fields.get("refunded_amount", gross if status == "refunded" else Decimal())
            count, paid, paid_back = found.get(row.fields["currency"], (0, Decimal(), Decimal()))
            found[row.fields["currency"]] = (count + 1, paid + gross, paid_back + back)
    return found


def _read(mapping: FieldMapping, record: Any, kind: str) -> amounts.Read:
    """The text of a field before it is cleaned, by cases, constant, map and default."""
    case = next((case.then for case in mapping.cases if _holds(case.when, record)), None)
    if case is not None or mapping.constant is not None:
        return amounts.Read(case if case is not None else mapping.constant)
    opens = kind == "amount" and mapping.opens_places
    branches = [list(walk(record, route(path, open_places=opens))) for path in mapping.paths]
    found = [one for branch in branches for one in branch if as_text(one.value) is not None]
    chosen = [one for one in found if one.is_chosen]
    if mapping.take == "sum":
        return amounts.total(mapping, [(as_text(one.value) or "", _is_number(one)) for one in found])
    if mapping.take == "join":
        text = mapping.separator.join(as_text(one.value) or "" for one in chosen) or None
    else:
        text = as_text(chosen[0].value) if chosen else None
    is_number = bool(chosen) and _is_number(chosen[0])
    if text is not None and mapping.map is not None:
        text = mapping.map.get(text, mapping.default if mapping.default is not None else text)
    count = sum(1 for one in found if re.search("[1-9]", as_text(one.value) or "")) if opens else 1
    return amounts.Read(text if text is not None else mapping.default, is_number, None, count)


def _is_number(found: Found) -> bool:
    return isinstance(found.value, (int, float)) and not isinstance(found.value, bool)


def _holds(condition: Condition, record: Any) -> bool:
    return all(
        _follows(rule, as_text(step_to(record, plain_route(rule["path"])))) for rule in as_rules(condition)
    )


def _follows(rule: Mapping[str, Any], text: str | None) -> bool:
    says_so = text is not None if rule["values"] is None else text in rule["values"]
    return says_so is not rule["is_negated"]


def _text(kind: str, text: str, entity: str | None) -> tuple[str | None, str | None]:
    if kind in ("email", "phone"):
        if is_contact(kind, text):
            return normalised(kind, text), None
        told = entity != "order" and text.lower() not in NO_CONTACT
        what = "no e-mail address" if kind == "email" else "no phone number"
        return None, f" is {what} (does the mapping read another field?)" if told else None
    return {"status": text.lower(), "currency": text.upper()}.get(kind, text), None


def _missing(resource: ResourceSpec, row: Cleaned, unreadable: list[str]) -> Iterator[str]:
    fields, told = row.fields, " ".join([*row.reasons, *unreadable])
    time_field = "ordered_at" if resource.entity == "order" else "created_at"
    if time_field not in fields and "ordered_at " not in told:
        yield "it has no time"
    if resource.entity == "order":
        if "gross_amount" not in fields and "gross_amount" not in told:
            yield "it has no amount"
        if not re.fullmatch("[A-Z]{3}", fields.get("currency", "")):
            yield "it has no currency"
        if "status" not in fields:
            yield "it has no status"
    choices, status = ENTITIES[resource.entity or "lead"]["status"].choices, fields.get("status")
    if status is not None and status not in (*choices, IGNORE):
        yield f'status "{status}" is not mapped'
    if fields.get("refunded_amount", Decimal()) > fields.get("gross_amount", Decimal("Infinity")):
        yield "more was refunded than paid"


_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?")
_DAY_OR_MONTH_FIRST = re.compile(r"(\d\d?)[./-](\d\d?)[./-](\d{4})(.*)")


def _time(text: str, mapping: FieldMapping, zone: str) -> datetime | None:
    """A time in a form that a mapping can declare; None where it is none."""
    if re.fullmatch(r"\d{9,10}(\.\d+)?|\d{12,13}", text):
        seconds = Decimal(text) / (1000 if len(text) > 11 and "." not in text else 1)
        return datetime.fromtimestamp(float(seconds), UTC)
    if mapping.date_order != "iso" and (found := _DAY_OR_MONTH_FIRST.fullmatch(text)):
        first, second = found[1].zfill(2), found[2].zfill(2)
        month, day = (second, first) if mapping.date_order == "day_first" else (first, second)
        text = f"{found[3]}-{month}-{day}{found[4]}"
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
