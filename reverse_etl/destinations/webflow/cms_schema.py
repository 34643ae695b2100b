"""The live schema of a site's CMS collections, as landed, and whether a sync fits it (Webflow dossier §2.1, §2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from karvon.warehouse import Session
from reverse_etl.syncs import PUBLISHED, As, FieldSpec, Routed, Sync

AS: Mapping[str, As] = {
    "PlainText": "text", "Email": "text", "Phone": "text", "Link": "text", "RichText": "html", "Number": "number",
    "Switch": "bool", "DateTime": "date", "Color": "color", "VideoLink": "video", "Option": "option",
    "Image": "image", "MultiImage": "images", "File": "file", "ExtFileRef": "file", "Reference": "reference",
    "MultiReference": "references",
}  # fmt: skip
"""Field type → how its values are compared and sent."""
ENVELOPE: Mapping[str, As] = {"isArchived": "bool", "isDraft": "bool"}
"""Fields that stand beside `fieldData`."""
_COLUMN_KINDS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "number", "time"}),
    "number": frozenset({"number"}),
    "bool": frozenset({"bool"}),
    "date": frozenset({"time", "text"}),
}
_NEEDED = ("name", "slug")


@dataclass(frozen=True)
class Field:
    """One field of a collection; `rules` are its validations."""

    slug: str
    type: str
    is_required: bool
    is_editable: bool
    rules: Mapping[str, Any]

    @property
    def options(self) -> dict[str, str]:
        """Name → id."""
        return {one["name"]: one["id"] for one in self.rules.get("options") or []}


@dataclass(frozen=True)
class Collection:
    """One collection with its fields by slug."""

    id: str
    slug: str
    fields: Mapping[str, Field]


def landed_collections(session: Session, connection: str) -> dict[str, Collection]:
    """Slug → collection, as last read; empty when none were."""
    found = (
        Collection(
            str(document["id"]),
            str(document["slug"]),
            {
                field["slug"]: Field(
                    field["slug"],
                    field["type"],
                    bool(field.get("isRequired")),
                    field.get("isEditable") is not False,
                    field.get("validations") or {},
                )
                for field in document.get("fields") or []
            },
        )
        for document in _latest(session, "collections", connection)
    )
    return {collection.slug: collection for collection in found}


def landed_locales(session: Session, connection: str) -> tuple[str | None, dict[str, str]]:
    """The primary locale's cmsLocaleId, and tag or cmsLocaleId → cmsLocaleId of the secondary ones (§2.6)."""
    primary: str | None = None
    secondary: dict[str, str] = {}
    for site in _latest(session, "sites", connection):
        locales = site.get("locales") or {}
        primary = (locales.get("primary") or {}).get("cmsLocaleId") or primary
        for one in locales.get("secondary") or []:
            secondary |= {str(one.get("tag")): one["cmsLocaleId"], one["cmsLocaleId"]: one["cmsLocaleId"]}
    return primary, secondary


def _latest(session: Session, resource: str, connection: str) -> Iterator[dict[str, Any]]:
    if not session.has_table(f"raw_webflow.{resource}"):
        return
    rows = session.rows(
        f"""SELECT CAST(document AS text) AS document FROM (
          SELECT document, is_deleted, row_number() OVER (PARTITION BY document_key ORDER BY landed_at DESC) AS nth
          FROM raw_webflow.{resource} WHERE connection = $1) AS versions WHERE nth = 1 AND NOT is_deleted""",
        (connection,),
    )
    for row in rows:
        yield orjson.loads(row["document"])


def typed(
    sync: Sync, collections: Mapping[str, Collection], syncs: Mapping[str, Sync]
) -> tuple[Sync, list[str]]:
    """The sync with the kinds that the live fields ask for, and why it does not fit, if it does not."""
    if not sync.collections:
        return sync, [
            f"{_where(sync)}: a sync to webflow_cms names where its rows go: `collection: <slug>`, or "
            "`collection: {column: <column>, among: [<slugs>]}`"
        ]
    if missing := [slug for slug in sync.collections if slug not in collections]:
        return sync, [_no_collection(sync, missing, collections)]
    chosen = [collections[slug] for slug in sync.collections]
    problems: list[str] = []
    fields = []
    for spec in sync.fields:
        kind = ENVELOPE.get(spec.field)
        if kind is None:
            kind, why = _kind(sync, spec, chosen, collections, syncs)
            problems += why
        fields.append(spec.model_copy(update={"as_": kind or spec.as_, "can_be_null": True}))
    problems += _unmapped(sync, chosen)
    if sync.publish == "live":
        drafts = next((spec.column for spec in sync.fields if spec.field == "isDraft"), None)
        shown = FieldSpec.model_validate(
            {"column": sync.key, "field": PUBLISHED, "as": "published", "alt": drafts}
        )
        fields.append(shown)
    return sync.model_copy(update={"fields": tuple(fields)}), problems


def _kind(
    sync: Sync, spec: FieldSpec, chosen: Sequence[Collection], collections: Mapping[str, Collection],
    syncs: Mapping[str, Sync],
) -> tuple[As | None, list[str]]:  # fmt: skip
    where = f"{_where(sync)}, column {spec.column}, field {spec.field}"
    if lacking := [one.slug for one in chosen if spec.field not in one.fields]:
        known = ", ".join(sorted(chosen[0].fields))
        return None, [
            f"{where}: the collection {', '.join(lacking)} has no such field (a field keeps its slug when it is "
            f"renamed); {chosen[0].slug} has {known}"
        ]
    types = {one.fields[spec.field].type for one in chosen}
    if len(types) > 1:
        return None, [f"{where}: it is {' and '.join(sorted(types))} in the collections that the sync feeds"]
    [type_] = types
    field = chosen[0].fields[spec.field]
    kind = AS.get(type_)
    if kind is None or not field.is_editable:
        return None, [f"{where}: Webflow sets this field ({type_}) itself; take the column's `field` out"]
    if kind in ("reference", "references") and spec.sync is None:
        return None, [f"{where}: it is a {type_}; say whose keys the column holds: `sync: <sync>`"]
    problems = []
    if spec.is_typed and spec.as_ != kind:
        problems.append(f"{where}: the YAML says `as: {spec.as_}`, but the field is {type_} (`as: {kind}`)")
    allowed = _COLUMN_KINDS.get(kind, frozenset({"text"}))
    if spec.column_kind not in allowed:
        problems.append(
            f"{where}: the column holds {_NAMES[spec.column_kind]}, but the field is {type_}, which takes "
            f"{' or '.join(sorted(_NAMES[name] for name in allowed))}; cast it in the model"
        )
    if kind in ("reference", "references") and (target := syncs.get(spec.sync or "")):
        problems += _wrong_target(where, field, target, collections)
    return kind, problems


_NAMES = {"text": "text", "number": "a number", "bool": "a boolean", "time": "a date or time"}
_STORE = {
    "products": ("product", "products"),
    "skus": ("sku", "skus"),
    "categories": ("category", "categories"),
}


def _wrong_target(
    where: str, field: Field, target: Sync, collections: Mapping[str, Collection]
) -> Iterator[str]:
    """A reference field leads into one collection, and the sync must feed exactly that."""
    slugs = target.collections or _STORE.get(target.resource, ())
    fed = {collections[slug].id for slug in slugs if slug in collections}
    if wrong := fed - {field.rules.get("collectionId")}:
        names = {one.id: one.slug for one in collections.values()}
        leads = names.get(str(field.rules.get("collectionId")), "another collection")
        fills = ", ".join(sorted(names[one] for one in wrong))
        yield f"{where}: the field refers to {leads}, but {target.name} fills {fills}"


def _unmapped(sync: Sync, chosen: Iterable[Collection]) -> Iterator[str]:
    """Fields without which no item can be created."""
    mapped = {spec.field for spec in sync.fields}
    for collection in chosen if sync.creates else ():
        required = [one.slug for one in collection.fields.values() if one.is_required]
        if lacking := [name for name in dict.fromkeys((*_NEEDED, *required)) if name not in mapped]:
            yield (
                f"{_where(sync)}: {collection.slug} requires {', '.join(lacking)}, which no column feeds; "
                "map them, or set `mode: update_only`"
            )


def _no_collection(sync: Sync, missing: Sequence[str], collections: Mapping[str, Collection]) -> str:
    if not collections:
        return (
            f"{_where(sync)}: the collections of the site ({sync.connection}) were never read; "
            "run `karvon run --select 'group:webflow'`"
        )
    return (
        f"{_where(sync)}: the site ({sync.connection}) has no collection {', '.join(missing)}; it has "
        f"{', '.join(sorted(collections))}. Make it in Webflow, correct `collection:`, or set `enabled: false`"
    )


def _where(sync: Sync) -> str:
    return f"{sync.file}, model {sync.name}"


def slug_of_row(sync: Sync, row: Mapping[str, Any]) -> str | None:
    """The slug of the collection that a row goes to."""
    if isinstance(sync.collection, Routed):
        cell = row[sync.collection.column]
        return None if cell is None else str(cell)
    return sync.collection
