"""The live schema of a site's CMS collections, as landed, and whether a sync fits it (Webflow dossier §2.1, §2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from karvon.warehouse import Session
from reverse_etl.destinations.webflow.field_types import Collection, RemoteField, collection_of, problem
from reverse_etl.spec.problems import MappingProblem
from reverse_etl.spec.states import PUBLISHED
from reverse_etl.spec.syncs import As, FieldSpec, Routed, Sync

AS: Mapping[str, As] = {
    "PlainText": "text", "Email": "text", "Phone": "text", "Link": "text", "RichText": "html", "Number": "number",
    "Switch": "bool", "DateTime": "date", "Color": "color", "VideoLink": "video", "Option": "option",
    "Image": "image", "MultiImage": "images", "File": "file", "Reference": "reference",
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


def landed_locales(session: Session, connection: str) -> tuple[str | None, dict[str, str]]:
    """The primary locale's cmsLocaleId, and tag or cmsLocaleId → cmsLocaleId of the secondary ones (§2.6)."""
    primary: str | None = None
    secondary: dict[str, str] = {}
    if not session.has_table("raw_webflow.sites"):
        return primary, secondary
    rows = session.rows(
        """SELECT CAST(document AS text) AS document FROM (
          SELECT document, is_deleted, row_number() OVER (PARTITION BY document_key ORDER BY landed_at DESC) AS nth
          FROM raw_webflow.sites WHERE connection = $1) AS versions WHERE nth = 1 AND NOT is_deleted""",
        (connection,),
    )
    for site in (orjson.loads(row["document"]) for row in rows):
        locales = site.get("locales") or {}
        primary = (locales.get("primary") or {}).get("cmsLocaleId") or primary
        for one in locales.get("secondary") or []:
            secondary |= {str(one.get("tag")): one["cmsLocaleId"], one["cmsLocaleId"]: one["cmsLocaleId"]}
    return primary, secondary


def typed(
    sync: Sync, collections: Mapping[str, Collection], syncs: Mapping[str, Sync]
) -> tuple[Sync, list[MappingProblem]]:
    """The sync with the kinds that the live fields ask for, and why it does not fit, if it does not.

    `collections` are those of the site by slug, `syncs` all syncs by name, for references.
    """
    if not sync.collections:
        way_out = "write `collection: <slug>`, or `collection: {column: <column>, among: [<slugs>]}`"
        return sync, [problem(sync, "collection", "a sync to webflow_cms names where its rows go", way_out)]
    if missing := [slug for slug in sync.collections if slug not in collections]:
        return sync, [_no_collection(sync, missing, collections)]
    chosen = [collections[slug] for slug in sync.collections]
    problems: list[MappingProblem] = []
    fields = []
    for spec in sync.fields:
        kind = ENVELOPE.get(spec.field)
        if kind is None:
            kind, found = _kind(sync, spec, chosen, collections, syncs)
            problems += found
        fields.append(spec.model_copy(update={"as_": kind or spec.as_, "can_be_null": True}))
    problems += _unmapped(sync, chosen)
    if sync.publish == "live":
        drafts = sync.field("isDraft")
        # A view that says itself what is a draft decides what visitors see.
        policy = drafts.policy if drafts and drafts.policy != "create_only" else sync.states.published
        shown = FieldSpec.model_validate(
            {
                "column": sync.key, "field": PUBLISHED, "as": "published", "policy": policy,
                "alt": drafts.column if drafts else None,
            }
        )  # fmt: skip
        fields.append(shown)
    return sync.model_copy(update={"fields": tuple(fields)}), problems


def _kind(
    sync: Sync, spec: FieldSpec, chosen: Sequence[Collection], collections: Mapping[str, Collection],
    syncs: Mapping[str, Sync],
) -> tuple[As | None, list[MappingProblem]]:  # fmt: skip
    def wrong(what: str, way_out: str) -> MappingProblem:
        return problem(sync, spec.field, f"column {spec.column}: {what}", way_out)

    found = {one.slug: one.field(spec.field) for one in chosen}
    if lacking := [slug for slug, field in found.items() if field is None]:
        known = ", ".join(sorted(field.slug for field in chosen[0].fields))
        return None, [
            wrong(
                f"the collection {', '.join(lacking)} has no such field",
                f"{chosen[0].slug} has {known} (a field keeps its slug when it is renamed)",
            )
        ]
    fields = [field for field in found.values() if field is not None]
    types = sorted({field.type for field in fields})
    if len(types) > 1:
        return None, [
            wrong(f"it is {' and '.join(types)} in the collections that the sync feeds", "make them alike")
        ]
    field, kind = fields[0], AS.get(types[0])
    if kind is None or not field.is_editable:
        return None, [
            wrong(f"Webflow sets this field ({field.type}) itself", "take the column's `field` out")
        ]
    refers = kind in ("reference", "references")
    if refers and spec.sync is None:
        return None, [wrong(f"it is a {field.type}", "say whose keys the column holds: `sync: <sync>`")]
    problems = []
    if spec.is_typed and spec.as_ != kind:
        said = f"the YAML says `as: {spec.as_}`, but the field is {field.type}"
        problems.append(wrong(said, f"write `as: {kind}`, or nothing"))
    allowed = _COLUMN_KINDS.get(kind, frozenset({"text"}))
    if spec.column_kind not in allowed:
        takes = " or ".join(sorted(_NAMES[name] for name in allowed))
        said = f"it holds {_NAMES[spec.column_kind]}, but the field is {field.type}, which takes {takes}"
        problems.append(wrong(said, "cast it in the model"))
    target = syncs.get(spec.sync or "")
    if refers and target and (leads := _elsewhere(field, target, collections)):
        problems.append(wrong(leads, "correct `sync:`, or the field in Webflow"))
    return kind, problems


_NAMES = {"text": "text", "number": "a number", "bool": "a boolean", "time": "a date or time"}


def _elsewhere(field: RemoteField, target: Sync, collections: Mapping[str, Collection]) -> str | None:
    """A reference field leads into one collection, and the sync must feed exactly that."""
    own = [collections[slug] for slug in target.collections if slug in collections]
    store = None if target.collections else collection_of(target, tuple(collections.values()))
    fed = {one.id: one.slug for one in (*own, *((store,) if store else ()))}
    wrong = [slug for id_, slug in fed.items() if id_ != field.collection_id]
    if not wrong:
        return None
    leads = next(
        (one.slug for one in collections.values() if one.id == field.collection_id), "another collection"
    )
    return f"the field refers to {leads}, but {target.name} fills {', '.join(sorted(wrong))}"


def _unmapped(sync: Sync, chosen: Iterable[Collection]) -> Iterator[MappingProblem]:
    """Fields without which no item can be created."""
    mapped = {spec.field for spec in sync.fields}
    for collection in chosen if sync.creates else ():
        required = [*_NEEDED, *(one.slug for one in collection.fields if one.is_required)]
        for name in dict.fromkeys(required):
            if name not in mapped:
                what = f"{collection.slug} requires this field, and no column feeds it"
                yield problem(sync, name, what, "map it, or set `mode: update_only`")


def _no_collection(
    sync: Sync, missing: Sequence[str], collections: Mapping[str, Collection]
) -> MappingProblem:
    if not collections:
        what = f"the collections of the site ({sync.connection}) were never read"
        return problem(sync, "collection", what, "run `karvon run --select 'group:webflow'`")
    return problem(
        sync, "collection", f"the site ({sync.connection}) has no collection {', '.join(missing)}",
        f"it has {', '.join(sorted(collections))}: make it in Webflow, correct `collection:`, or set `enabled: false`",
    )  # fmt: skip


def slug_of_row(sync: Sync, row: Mapping[str, Any]) -> str | None:
    """The slug of the collection that a row goes to."""
    if isinstance(sync.collection, Routed):
        cell = row[sync.collection.column]
        return None if cell is None else str(cell)
    return sync.collection
