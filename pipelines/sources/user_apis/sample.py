"""Two pages of a source, for people: what they look like, what the mapping makes of them, and what that adds up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from typing import Any

from karvon.http import RemoteError
from pipelines.sources.user_apis.api import Capped
from pipelines.sources.user_apis.cleaning import Cleaned, cleaned, totals
from pipelines.sources.user_apis.definition import DataSource, ResourceSpec
from pipelines.sources.user_apis.entities import ENTITIES
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.paths import as_text, route, walk
from pipelines.sources.user_apis.propose import money_questions, propose
from pipelines.sources.user_apis.records import document_key

SHOWN = 200
"""Records of a page that are looked at."""
_ROWS = 5
_PERSONAL = ("email", "phone", "name")


@dataclass(frozen=True)
class Sample:
    """The records of the first two pages, and the definition of the paginator that read them."""

    pages: Sequence[Sequence[Mapping[str, Any]]]
    paginator: Mapping[str, Any]
    problem: str | None = None
    """Why the second page could not be read."""

    @property
    def records(self) -> Sequence[Mapping[str, Any]]:
        return [record for page in self.pages for record in page]

    def is_paging_proven(self, key: str | None) -> bool:
        """Whether a second page was read, and holds other records than the first."""
        if len(self.pages) < 2 or not self.pages[1] or key is None:
            return False
        key_of = document_key((key,))
        return {key_of(one) for one in self.pages[0]}.isdisjoint({key_of(one) for one in self.pages[1]})


@dataclass(frozen=True)
class Proposed:
    """A definition of what the sample proves, what else it suggests, and what a person must say."""

    definition: Mapping[str, Any]
    suggested: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the resource that nothing proves."""
    questions: Sequence[str] = ()


def read_sample(source: DataSource, resource: ResourceSpec, around: Surroundings) -> Sample:
    """The first two pages. Raises from the `RemoteError` tree, `ForbiddenAddress`, `Misconfigured` for the first."""
    with around.open(source) as api:
        first, found = api.first_page(resource)
        pages: list[Any] = []
        try:
            # Not gathered at once: the second page may fail when the first is there.
            for page in islice(api.pages(resource, None), 2):
                pages.append(page[:SHOWN])
        except (RemoteError, Capped) as error:
            return Sample(pages or [first[:SHOWN]], found, str(error))
    return Sample(pages, found)


def report(
    source: DataSource, resource: ResourceSpec, sample: Sample, exponents: Mapping[str, int]
) -> Iterator[str]:
    """Lines for people: where each field comes from, cleaned rows, rejects, and totals by currency."""
    key_of = document_key(resource.key_paths)
    keyless = sum(key_of(record) is None for record in sample.records)
    yield f"key {', '.join(resource.key_paths)}: {keyless or 'no'} records without one"
    if resource.entity is None:
        return
    yield from _fields(resource, sample.records)
    rows = [(key_of(record), cleaned(source, resource, record, exponents)) for record in sample.records]
    for key, row in rows[:_ROWS]:
        yield f"{key}: {_shown(row, exponents)}"
    if len(rows) > _ROWS:
        yield f"… and {len(rows) - _ROWS} more"
    reasons = Counter(
        reason for _, row in rows for reason in row.reasons if not (row.is_ignored or row.is_deleted)
    )
    for reason, count in reasons.most_common():
        first = next(key for key, row in rows if reason in row.reasons)
        yield f"rejected, {count} of {len(rows)}, such as {first}: {reason}"
    counts = {
        "left out": sum(row.is_ignored for _, row in rows),
        "deleted": sum(row.is_deleted for _, row in rows),
    }
    yield from (f"{what}: {count} of {len(rows)}" for what, count in counts.items() if count)
    if resource.entity == "order":
        found = totals(row for _, row in rows)
        for currency, (count, gross, refunded) in sorted(found.items()):
            paid, back, net = (
                _money(one, currency, exponents) for one in (gross, refunded, gross - refunded)
            )
            yield f"total {currency}: {count} paid orders, {paid} paid, {back} paid back, {net} net"
        if not found:
            yield "total: no paid order in the sample"


def _fields(resource: ResourceSpec, records: Sequence[Any]) -> Iterator[str]:
    for name, mapping in resource.fields.items():
        if not mapping.paths:
            yield f"{name} = {mapping.constant!r}" if mapping.constant is not None else f"{name} by its cases"
            continue
        texts = [
            [as_text(one.value) for path in mapping.paths for one in walk(record, route(path))]
            for record in records
        ]
        found = [text for several in texts for text in several if text is not None]
        missing = sum(not any(several) for several in texts)
        unmapped = sorted(
            {text for text in found if mapping.map and mapping.default is None and text not in mapping.map}
        )
        example = "…" if name in _PERSONAL and found else repr(found[0] if found else None)
        way = "" if mapping.take == "first" else f"{mapping.take} of "
        yield (
            f"{name} ← {way}{', '.join(mapping.paths)}: {example}"
            f"{f', missing in {missing} of {len(records)}' if missing else ''}"
            f"{f', not in `map`: {unmapped}' if unmapped else ''}"
        )
    if left := [name for name in ENTITIES[resource.entity or "lead"] if name not in resource.fields]:
        yield f"not mapped: {', '.join(left)}"


def _money(amount: Decimal, currency: str | None, exponents: Mapping[str, int]) -> str:
    """With the digits of its currency, and more only where it has them."""
    own = -int(amount.normalize().as_tuple().exponent)
    return f"{amount:,.{max(own, exponents.get(currency or '', 2))}f}"


def _shown(row: Cleaned, exponents: Mapping[str, int]) -> str:
    said = {
        name: "…"
        if name in _PERSONAL
        else f"{value:%Y-%m-%d %H:%M} UTC"
        if hasattr(value, "tzinfo")
        else _money(value, row.fields.get("currency"), exponents)
        if isinstance(value, Decimal)
        else f"{value}"
        for name, value in row.fields.items()
    }
    state = (
        "left out" if row.is_ignored else "deleted" if row.is_deleted else "rejected" if row.reasons else ""
    )
    return ", ".join([*([state] if state else []), *(f"{name} {value}" for name, value in said.items())])


def proposed(
    draft: Mapping[str, Any], sample: Sample, since_param: str | None, exponents: Mapping[str, int]
) -> Proposed:
    """The draft's definition with what the sample proves; all else is a question."""
    found = propose(sample.records)
    resource = {**draft["resources"][0], "key": found.key or "id"}
    suggested: dict[str, Any] = {}
    questions = list(found.open_questions)
    if sample.is_paging_proven(found.key):
        resource["paginator"] = dict(sample.paginator)
    else:
        suggested["paginator"] = dict(sample.paginator)
        why = sample.problem or "no second page with other records was seen"
        questions.append(
            f"paging looks like {sample.paginator['type']}, and {why}: is the list complete without it?"
        )
    if since_param and found.cursor:
        resource["incremental"] = {"cursor": found.cursor, "param": since_param}
    elif since_param:
        questions.append("nothing in the sample looks like a time of change; no cursor was proposed")
    if found.entity:
        known = ENTITIES[found.entity].items()
        fields, open_fields, asked = money_questions(found, sample.records, exponents)
        questions += asked
        missing = [name for name, one in known if one.required and name not in fields]
        if missing:
            questions.append(
                f"it looks like a list of {found.entity}s; map {', '.join(missing)} to make it one"
            )
            suggested |= {"entity": found.entity, "fields": {**fields, **open_fields}}
        else:
            resource |= {"entity": found.entity, "fields": fields}
            suggested |= {"fields": open_fields} if open_fields else {}
    return Proposed({**draft, "resources": [resource]}, suggested, questions)
