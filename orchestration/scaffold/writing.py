"""The files of a scaffold: SQL that adds matched attributes to rows, and the YAML of the sync."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from orchestration.scaffold.matching import Match

_HEAD = "{{# Written by `karvon webflow scaffold` for the collection {collection}: a beginning, yours to change. #}}\n"
_UNPACKED = {"Int": "integer", "Decimal": "numeric(18, 4)", "Date": "date", "Boolean": "boolean", "Media": "id",
             "MediaGallery": "ids", "Dropdown": "words", "MultiSelect": "words"}  # fmt: skip
_AS = {"RichText": "html", "Image": "image", "MultiImage": "images", "File": "file", "Option": "option",
       "Number": "number", "Switch": "bool"}  # fmt: skip
_RESERVED = frozenset({
    "all", "and", "any", "as", "asc", "case", "cast", "check", "column", "create", "default", "desc", "distinct", "do",
    "else", "end", "for", "foreign", "from", "grant", "group", "having", "in", "into", "is", "join", "left", "like",
    "limit", "not", "null", "offset", "on", "only", "or", "order", "primary", "references", "right", "select", "table",
    "then", "to", "union", "unique", "user", "using", "when", "where", "window", "with",
})  # fmt: skip
_DATA_TYPE = {"Int": "bigint", "Decimal": "numeric(18, 4)", "Boolean": "boolean"}


# The mark behind `#` makes a replaced picture another one; it is cut off before anything is sent.
_ASSETS = """assets as (
    select
        asset_key,
        url,
        url || '#' || substr(
            md5(coalesce(cast(file_modified_at as text), '') || ':' || coalesce(cast(file_size_bytes as text), '')),
            1, 8
        ) as image_url
    from {{ ref('stg_plytix__assets') }}
    where not is_deleted
)"""


@dataclass(frozen=True)
class Column:
    """A column of the written model. `meta` is empty for one that is no field."""

    name: str
    data_type: str
    description: str
    expression: str
    meta: Mapping[str, object]


@dataclass(frozen=True)
class Model:
    """A model to write. `base` is the relation it adds columns to; attributes are read from its `key`'s record."""

    name: str
    collection: str
    base: str
    key: str
    columns: tuple[Column, ...]
    matches: tuple[Match, ...]
    sync: Mapping[str, object]
    above: str | None = None
    """Column of the record that is asked when the row's own has no value."""


def added(match: Match, taken: set[str]) -> Column:
    """The column for a matched attribute."""
    attribute, field = match.attribute, match.field
    name = re.sub(r"\W", "_", attribute.label, flags=re.ASCII).lower()
    if name in _RESERVED or not name.isidentifier():
        name = f"{name}_value" if name.isidentifier() else f"attribute_{name}"
    while name in taken:
        name += "_value"
    taken.add(name)
    meta: dict[str, object] = {"field": field.slug}
    kind = _AS.get(field.type)
    if kind:
        meta["as"] = kind
    if kind in ("html", "image", "images", "file"):
        meta["compare"] = "source_hash"
    data_type = _DATA_TYPE.get(attribute.kind, "text") if field.type != "PlainText" else "text"
    return Column(name, data_type, f"{attribute.name} ({attribute.label} in Plytix).", "", meta)


def sql(model: Model) -> str:
    """The model's SQL."""
    columns = dict(zip([one.attribute.label for one in model.matches], _added(model), strict=True))
    pairs = [(columns[one.attribute.label], one) for one in model.matches]
    parts = [_HEAD.format(collection=model.collection)]
    if pairs:
        parts.append(
            "{% set fields = [\n" + "".join(_field(column, match) for column, match in pairs) + "] %}\n\n"
        )
    ctes = [f"base as (\n{model.base}\n)", *_attribute_ctes(pairs)]
    parts.append("with " + ",\n\n".join(ctes) + "\n\nselect\n")
    lines = [f"    {_kept(one, pairs)}" for one in model.columns if one not in _added(model)]
    lines += [f"    {_value(column, match, model)} as {column.name}" for column, match in pairs]
    parts.append(",\n".join(lines) + "\nfrom base\n")
    parts += list(_joins(pairs, model))
    return "".join(parts)


def _kept(column: Column, pairs: Sequence[tuple[Column, Match]]) -> str:
    """A column of the base. A value that is not of its type holds the row back, as everywhere."""
    if column.name == "hold_reasons" and pairs:
        return "{{ sentences(['base.hold_reasons', 'own.cast_problems']) }} as hold_reasons"
    return column.expression


def _added(model: Model) -> tuple[Column, ...]:
    return model.columns[len(model.columns) - len(model.matches) :]


def _field(column: Column, match: Match) -> str:
    kind = _UNPACKED.get(match.attribute.kind) if match.field.type != "PlainText" else None
    kind = kind or ("words" if match.attribute.kind in ("Dropdown", "MultiSelect") else None)
    said = f", 'type': '{kind}'" if kind else ""
    return f"    {{'name': '{column.name}', 'path': '{match.attribute.label}'{said}}},\n"


def _attribute_ctes(pairs: Sequence[tuple[Column, Match]]) -> Iterator[str]:
    if not pairs:
        return
    yield (
        "records as (\n    select product_key, connection, attributes from {{ ref('stg_plytix__products') }}\n"
        "    where not is_deleted\n)"
    )
    yield "own as ({{ unpack('records', fields, keep=['product_key', 'connection'], document='attributes') }})"
    if any(match.attribute.kind in ("Media", "MediaGallery") for _, match in pairs):
        yield _ASSETS
    for column, match in pairs:
        if match.attribute.kind == "MediaGallery":
            yield (
                f"{column.name}_list as (\n    select\n        own.product_key,\n        '[' || string_agg("
                "{{ json_string('assets.image_url') }}, ',' order by entry.position) || ']' as urls\n    from own\n"
                f"    cross join lateral {{{{ json_elements('own.{column.name}', 'entry') }}}}\n"
                "    inner join assets on own.connection || ':' || {{ json_text('entry.value') }} = assets.asset_key\n"
                "    group by own.product_key\n)"
            )


def _value(column: Column, match: Match, model: Model) -> str:
    kind = match.attribute.kind
    if kind == "Media":
        return f"{column.name}_asset.{'image_url' if match.field.type == 'Image' else 'url'}"
    if kind == "MediaGallery":
        return f"coalesce({column.name}_list.urls, '[]')"
    value = f"own.{column.name}"
    if model.above:
        value = f"coalesce(own.{column.name}, above.{column.name})"
    if match.field.type == "RichText":
        return f"{{{{ clean_html('{value}') }}}}"
    if kind == "Date" and match.field.type == "DateTime":
        return f"cast({value} as text) || 'T00:00:00.000Z'"
    return value


def _joins(pairs: Sequence[tuple[Column, Match]], model: Model) -> Iterator[str]:
    if not pairs:
        return
    yield f"left join own on base.{model.key} = own.product_key\n"
    if model.above:
        yield f"left join own as above on base.{model.above} = above.product_key\n"
    for column, match in pairs:
        source = f"coalesce(own.{column.name}, above.{column.name})" if model.above else f"own.{column.name}"
        if match.attribute.kind == "Media":
            yield (
                f"left join assets as {column.name}_asset\n"
                f"    on own.connection || ':' || {source} = {column.name}_asset.asset_key\n"
            )
        elif match.attribute.kind == "MediaGallery":
            yield f"left join {column.name}_list on base.{model.key} = {column.name}_list.product_key\n"


def yml(models: Sequence[Model]) -> str:
    """One YAML file with the models and their exposures, in the style of the shipped ones."""
    parts = ["models:\n"]
    for model in models:
        parts.append(f"  - name: {model.name}\n")
        parts.append(
            f"    description: {_flow(f'{model.collection} of the shop; written by `karvon webflow scaffold`.')}\n"
        )
        parts.append("    config:\n      meta:\n        sync:\n")
        parts += [f"          {name}: {_flow(value)}\n" for name, value in model.sync.items()]
        parts.append("    columns:\n")
        for column in model.columns:
            content: dict[str, object] = {"name": column.name, "data_type": column.data_type}
            content["description"] = column.description
            if column.name == model.key:
                content["data_tests"] = ["is_key"]
            if column.meta:
                content["config"] = {"meta": dict(column.meta)}
            parts.append(f"      - {_flow(content)}\n")
        parts.append("\n")
    parts.append("exposures:\n")
    for model in models:
        parts.append(f"  - name: {model.name.replace('__', '_')}_of_the_shop\n")
        parts.append(
            f"    label: {_flow(f'{model.collection} in Webflow')}\n    type: application\n    maturity: low\n"
        )
        said = f"The collection {model.collection}, written by the sync {model.name}."
        parts.append(f"    description: {_flow(said)}\n    depends_on: [ref('{model.name}')]\n")
        parts.append("    owner: {name: Shop team}\n")
    return "".join(parts)


def _flow(value: object) -> str:
    written = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return written.removesuffix("...\n").strip()
