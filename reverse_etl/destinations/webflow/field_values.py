"""Whether the values of a model fit the fields of a Webflow collection: one query per sync, one scan.

What can only be seen in the data: too long or too short, an option that is not offered, numbers outside their
bounds, an empty required field. Held rows do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from karvon.warehouse import Session
from reverse_etl.destinations.webflow.field_types import Collection, RemoteField, problem
from reverse_etl.spec.problems import MappingProblem
from reverse_etl.spec.syncs import FieldSpec, Sync

_SHORTEN = "shorten it in the model, hold such rows back there, or raise the limit in the Designer"
_CORRECT = "correct it in the model or at the source, or hold such rows back"


@dataclass(frozen=True)
class _Rule:
    """A condition that no ready row may fulfil. `largest` is what the worst row is told by."""

    field: str
    condition: str
    what: str
    way_out: str
    largest: str = "NULL"


def value_problems(
    session: Session, sync: Sync, collection: Collection, *, routed_by: str | None = None
) -> tuple[MappingProblem, ...]:
    """Rows that a field would refuse, counted per rule. Nothing while the model is not built.

    `routed_by` is the column that says which rows go to this collection; without it all do.
    """
    rules = [rule for spec in sync.fields for rule in _rules(spec, collection.field(spec.field))]
    if not rules or not session.has_table(f"{sync.schema_name}.{sync.table}"):
        return ()
    counted = ", ".join(
        f"count(*) FILTER (WHERE {rule.condition}) AS n{number}, "
        f"min(CAST({_quoted(sync.key)} AS text)) FILTER (WHERE {rule.condition}) AS k{number}, "
        f"max({rule.largest}) FILTER (WHERE {rule.condition}) AS l{number}"
        for number, rule in enumerate(rules)
    )
    conditions = [f"{_quoted(sync.held)} IS NULL"] if sync.held else []
    conditions += [f"{_quoted(routed_by)} = {_literal(collection.slug)}"] if routed_by else []
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    (found,) = session.rows(f"SELECT {counted} FROM {sync.relation} {where}")
    return tuple(
        problem(sync, rule.field, _said(rule, found, number), rule.way_out)
        for number, rule in enumerate(rules)
        if found[f"n{number}"]
    )


def _said(rule: _Rule, found: dict[str, Any], number: int) -> str:
    count, key, largest = (found[f"{letter}{number}"] for letter in "nkl")
    rows = "1 row" if count == 1 else f"{count} rows"
    worst = f", the longest has {largest}" if largest is not None else ""
    return f"{rows} (first {key}): {rule.what}{worst}"


def _rules(spec: FieldSpec, there: RemoteField | None) -> Iterator[_Rule]:
    if there is None or spec.as_ == "stock":
        return
    if there.is_required:
        column = _quoted(spec.column)
        yield _Rule(
            there.slug, f"{column} IS NULL OR CAST({column} AS text) = ''", "the shop requires it and it is empty",
            _CORRECT,
        )  # fmt: skip
    if spec.as_ in ("text", "html", "option"):
        yield from _text_rules(spec, there)
    elif spec.as_ == "number":
        yield from _number_rules(spec, there)


def _text_rules(spec: FieldSpec, there: RemoteField) -> Iterator[_Rule]:
    text, rules = f"CAST({_quoted(spec.column)} AS text)", there.validations
    kind: str = spec.as_
    if there.max_length:
        yield _Rule(
            there.slug, f"length({text}) > {there.max_length}", f"longer than {there.max_length} characters",
            _SHORTEN, f"length({text})",
        )  # fmt: skip
    if rules.get("minLength"):
        least = int(rules["minLength"])
        yield _Rule(
            there.slug,
            f"length({text}) BETWEEN 1 AND {least - 1}",
            f"shorter than {least} characters",
            _CORRECT,
        )
    if rules.get("singleLine"):
        yield _Rule(there.slug, f"{text} LIKE '%' || chr(10) || '%'", "has more than one line", _CORRECT)
    if there.options:
        offered = [one.name if kind == "option" else one.id for one in there.options]
        names = ", ".join(_literal(one) for one in offered)
        shown = ", ".join(offered[:6]) + (" …" if len(offered) > 6 else "")
        what = "option" if kind == "option" else "id of an option"
        yield _Rule(
            there.slug, f"{text} <> '' AND {text} NOT IN ({names})", f"no {what} that the field offers: {shown}",
            "add the option in the Designer, or correct the value in the model",
        )  # fmt: skip
    if pattern := _SHAPES.get(there.type):
        likes = " AND ".join(f"{text} NOT LIKE {_literal(one)}" for one in pattern[1])
        yield _Rule(there.slug, f"{text} <> '' AND {likes}", f"is no {pattern[0]}", _CORRECT)


_SHAPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Link": ("URL", ("http://_%", "https://_%", "mailto:_%", "tel:_%", "/%", "#%")),
    "VideoLink": ("URL", ("http://_%", "https://_%")),
    "Email": ("e-mail address", ("_%@_%._%",)),
    "DateTime": ("ISO 8601 date", ("____-__-__%",)),
}


def _number_rules(spec: FieldSpec, there: RemoteField) -> Iterator[_Rule]:
    column, rules = _quoted(spec.column), there.validations
    if rules.get("format") == "integer":
        yield _Rule(there.slug, f"{column} <> floor({column})", "is no whole number", _CORRECT)
    if rules.get("allowNegative") is False:
        yield _Rule(there.slug, f"{column} < 0", "is negative", _CORRECT)
    if rules.get("allowZero") is False:
        yield _Rule(there.slug, f"{column} = 0", "is zero", _CORRECT)
    for name, sign, word in (("minValue", "<", "below"), ("maxValue", ">", "above")):
        if isinstance(bound := rules.get(name), int | float):
            yield _Rule(there.slug, f"{column} {sign} {bound}", f"is {word} {bound}", _CORRECT)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
