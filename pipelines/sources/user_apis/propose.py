"""A first definition from a sample: where the list is, how it pages, its key, what the records could be for us."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.sources.user_apis.cleaning import Cleaned, cleaned
from pipelines.sources.user_apis.definition import DataSource, ResourceSpec
from pipelines.sources.user_apis.entities import ENTITIES, Entity
from pipelines.sources.user_apis.mapping import FieldMapping
from pipelines.sources.user_apis.records import value_at

_NAMES: Mapping[str, tuple[str, ...]] = {
    "created_at": (
        "created_at",
        "created",
        "date_created",
        "creation_date",
        "createdon",
        "signup_date",
        "date",
    ),
    "ordered_at": ("ordered_at", "order_date", "placed_at", "created_at", "created", "date_created", "date"),
    "updated_at": ("updated_at", "updated", "modified", "modified_at", "last_modified", "changed_at"),
    "refunded_at": ("refunded_at", "refund_date"),
    "email": ("email", "email_address", "mail", "e_mail"),
    "phone": ("phone", "phone_number", "mobile", "tel", "telephone"),
    "name": ("name", "full_name", "fullname", "display_name", "last_name"),
    "status": ("status", "state", "stage", "order_status", "lifecycle", "financial_status"),
    "campaign": ("campaign", "utm_campaign", "campaign_name", "source"),
    "cost_amount": ("cost", "cost_amount", "spend"),
    "customer_key": (
        "customer_id",
        "customerid",
        "customer",
        "client_id",
        "contact_id",
        "user_id",
        "buyer_id",
    ),
    "gross_amount": ("gross_amount", "total", "total_price", "amount", "grand_total", "sum", "price"),
    "refunded_amount": ("refunded_amount", "amount_refunded", "total_refunded", "refund"),
    "currency": ("currency", "currency_code", "curr"),
}
_STATUS_WORDS: Mapping[str, tuple[str, ...]] = {
    "pending": ("pending", "open", "created", "processing", "unpaid", "on-hold"),
    "paid": ("paid", "complete", "completed", "success", "fulfilled", "closed", "shipped", "delivered"),
    "cancelled": ("cancelled", "canceled", "void", "voided", "failed"),
    "refunded": ("refunded", "returned"),
    "partly_refunded": ("partially_refunded", "partly_refunded"),
    "active": ("active", "enabled", "customer", "subscriber"),
    "inactive": ("inactive", "disabled", "archived"),
    "blocked": ("blocked", "banned"),
    "new": ("new", "created", "open"),
    "qualified": ("qualified", "mql", "sql", "contacted"),
    "converted": ("converted", "won", "customer"),
    "lost": ("lost", "dead", "unqualified", "rejected"),
}
_KEYS = ("id", "uuid", "guid", "_id", "key", "number", "code", "no")


@dataclass(frozen=True)
class Proposal:
    """What was found out about one list; `open_questions` are for the person who adds the source."""

    key: str | None
    cursor: str | None
    entity: Entity | None
    fields: Mapping[str, Any]
    open_questions: Sequence[str] = field(default_factory=tuple)


def propose(records: Sequence[Mapping[str, Any]]) -> Proposal:
    """Key, cursor, entity and mapping of a sample of records."""
    paths = list(dict.fromkeys(path for record in records for path in _paths(record)))
    entity = _entity(paths)
    fields: dict[str, Any] = {}
    questions: list[str] = []
    for name, known in (ENTITIES[entity] if entity else {}).items():
        path = _match(name, paths)
        if path is None:
            if known.required:
                questions.append(f"nothing in the sample looks like {name}")
            continue
        fields[name] = path
        if known.choices:
            fields[name], unknown = _status(records, path, known.choices)
            questions += [f"{name}: what is {value!r} for us?" for value in unknown]
    key = _key(records, paths)
    if key is None:
        questions.append("no field has a different value in each record")
    return Proposal(key, _match("updated_at", paths), entity, fields, questions)


def money_questions(
    found: Proposal,
    records: Sequence[Mapping[str, Any]],
    exponents: Mapping[str, int],
) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Of the proposed fields those that the cleaned sample proves, those that it does not, and what to ask of them."""
    fields, open_fields, questions = dict(found.fields), {}, list(_leave_outs(found, records))
    resource = ResourceSpec.model_construct(
        name="sample", path="", key=found.key or "id", entity=found.entity,
        fields={name: FieldMapping.model_validate(one) for name, one in fields.items()},
    )  # fmt: skip
    source = DataSource.model_construct(user_id="", source_id="", base_url="", resources=())
    rows = [cleaned(source, resource, record, exponents) for record in records]
    for name, known in ENTITIES[found.entity or "lead"].items():
        if known.type != "amount" or name not in fields:
            continue
        path, reasons = (
            fields[name],
            Counter(one for row in rows for one in row.reasons if one.startswith(name)),
        )
        if reasons:
            questions.append(reasons.most_common(1)[0][0])
        elif not any(name in row.fields for row in rows):
            questions.append(f"{name} ← {path}: nothing in the sample says so much as one amount")
        elif _may_be_minor(name, rows, exponents):
            questions.append(
                f"{name} ← {path}: only whole numbers, such as {_example(records, path)}; if they are cents, write "
                f"{{path: {path}, minor_units: true}}"
            )
        else:
            continue
        open_fields[name] = fields.pop(name)
    if "refunded_amount" not in fields and (lists := _lists_of_refunds(records)):
        questions.append(f"refunds are in {lists}: write refunded_amount: {{sum: '{lists}[].…', sign: …}}")
    return fields, open_fields, questions


def _may_be_minor(name: str, rows: Sequence[Cleaned], exponents: Mapping[str, int]) -> bool:
    """Whether all amounts are whole although their currency has a smaller unit: nothing tells euros from cents then."""
    said = [(row.fields[name], row.fields.get("currency", "")) for row in rows if row.fields.get(name)]
    return bool(said) and all(
        amount == amount.to_integral_value() and exponents.get(currency, 2) > 0 for amount, currency in said
    )


def _example(records: Sequence[Mapping[str, Any]], path: str) -> Any:
    return next((value for record in records if (value := value_at(record, path)) not in (None, "", 0)), 0)


def _lists_of_refunds(records: Sequence[Mapping[str, Any]]) -> str | None:
    return next(
        (
            name
            for record in records
            for name, value in record.items()
            if isinstance(value, list) and "refund" in name.lower()
        ),
        None,
    )


def _leave_outs(found: Proposal, records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = {name: value for record in records for name, value in record.items() if value is not None}
    for name in sorted(names):
        word = _plain(name)
        if word in ("test", "is_test", "test_mode", "livemode", "sandbox") and isinstance(names[name], bool):
            live = word == "livemode"
            yield f"records say `{name}`: are some to be left out? ignore: {{{name}: {'false' if live else 'true'}}}"
        elif word in ("deleted", "is_deleted", "removed", "trashed", "deleted_at"):
            test = "{exists: true}" if word.endswith("_at") else "true"
            yield f"records say `{name}`: are some deleted? deleted: {{{name}: {test}}}"
        elif word in ("cancelled_at", "canceled_at") and found.entity == "order":
            yield f"records say `{name}`: cases: [{{when: {{{name}: {{exists: true}}}}, then: cancelled}}] for status?"


def _paths(record: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[str]:
    for name, value in record.items():
        path = f"{prefix}{name}" if re.fullmatch(r"[A-Za-z_@$][\w@$-]*", name) else f"{prefix}['{name}']"
        if isinstance(value, Mapping) and depth < 2:
            yield from _paths(value, f"{path}.", depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping) and depth < 2:
            yield from _paths(value[0], f"{path}[0].", depth + 1)
        elif not isinstance(value, (list, Mapping)):
            yield path


def _plain(path: str) -> str:
    """The last name of a path, in the spelling of the synonyms."""
    last = re.split(r"[.\[\]']", path.rstrip("]'"))[-1]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last).lower().replace("-", "_")


def _match(name: str, paths: Sequence[str]) -> str | None:
    """The path whose name comes first among the synonyms; of equals the one nearest to the top."""
    words = (*_NAMES.get(name, ()), name)
    ranked = sorted(
        (words.index(said), path.count(".") + path.count("["), path)
        for path in paths
        for said in (_plain(path), _with_parent(path))
        if said in words
    )
    return ranked[0][2] if ranked else None


def _with_parent(path: str) -> str:
    """`customer.id` is a `customer_id`."""
    parent, _, last = path.rpartition(".")
    return f"{_plain(parent)}_{_plain(last)}" if parent else ""


def _entity(paths: Sequence[str]) -> Entity | None:
    has = {name for name in _NAMES if _match(name, paths)}
    if "gross_amount" in has and ({"currency", "customer_key", "status"} & has):
        return "order"
    if "campaign" in has and ({"email", "phone", "cost_amount"} & has):
        return "lead"
    return "customer" if "email" in has else None


def _key(records: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> str | None:
    unique = [
        path
        for path in paths
        if len({str(value_at(record, path)) for record in records}) == len(records)
        and all(value_at(record, path) is not None for record in records)
    ]
    ranked = sorted(
        (
            _KEYS.index(_plain(path)) if _plain(path) in _KEYS else 20 + (not _plain(path).endswith("_id")),
            # The key of a thing inside, such as the order's customer, may differ in each record of a sample too.
            path.count(".") + path.count("["),
            path,
        )
        for path in unique
        if _plain(path) in _KEYS or _plain(path).endswith("_id")
    )
    return ranked[0][2] if ranked else None


def _status(
    records: Sequence[Mapping[str, Any]], path: str, choices: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    values = Counter(str(value) for record in records if (value := value_at(record, path)) is not None)
    meaning = {
        value: ours
        for value in values
        for ours in choices
        if value.lower() == ours or value.lower().replace(" ", "_") in _STATUS_WORDS[ours]
    }
    unknown = [value for value in values if value not in meaning]
    return {"path": path, **({"map": meaning} if meaning else {})}, unknown
