"""The fields that a Webflow collection has, as the mirror landed them, and whether a sync fits them.

The schema is the newest document of each collection in `raw_webflow.collections` (Webflow dossier §1.6, §2.1).
Nothing here reads a value of a model: `field_values` does.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from karvon.warehouse import Session
from reverse_etl.spec.problems import MappingProblem
from reverse_etl.spec.syncs import FieldSpec, Sync

COLLECTIONS_TABLE = "raw_webflow.collections"
MAX_FIELDS = 60
"""Of one collection (dossier §2.1)."""
MAX_NAME_LENGTH = 256
"""Of `name` and `slug`: quoted everywhere, documented nowhere (dossier §5)."""


@dataclass(frozen=True)
class FieldType:
    """One of the 17 types: what `as:` may feed it, and how a value is written (dossier §2.2)."""

    name: str
    takes: tuple[str, ...]
    written: str
    limits: str = ""


FIELD_TYPES: Mapping[str, FieldType] = {
    one.name: one
    for one in (
        FieldType("PlainText", ("text",), "string", "singleLine, minLength, maxLength"),
        FieldType("RichText", ("html", "text"), "HTML string", "minLength, maxLength"),
        FieldType("Image", ("image",), "{url, alt}", "4 MB; sizes in pixels; acceptedExtensions"),
        FieldType("MultiImage", ("images",), "list of {url, alt}, replaced whole", "4 MB each"),
        FieldType("File", ("file",), "{url}", "maxImageSize where set"),
        FieldType("Link", ("text",), "URL"),
        FieldType("VideoLink", ("text", "video"), "URL; read back as an object"),
        FieldType("Email", ("text",), "string"),
        FieldType("Phone", ("text",), "string"),
        FieldType("Number", ("number",), "number", "format, precision, allowNegative, minValue, maxValue"),
        FieldType("Switch", ("bool",), "true or false"),
        FieldType("DateTime", ("text", "date"), "ISO 8601", "format"),
        FieldType("Color", ("text", "color"), "#RRGGBB, rgb(), hsl() or a CSS name"),
        FieldType("Option", ("text", "option"), "id of an option", "1 to 100 options"),
        FieldType("Reference", ("references", "reference"), "item id", "item must exist"),
        FieldType("MultiReference", ("references",), "list of item ids, replaced whole", "items must exist"),
        FieldType("ExtFileRef", (), "not writable through the API"),
    )
}
_STORE_FIELDS: Mapping[str, str] = {
    "price": "money", "compare-at-price": "money", "sku-properties": "sku_properties", "sku-values": "sku_values",
}  # fmt: skip
"""Fields of a store whose types are outside the 17 and named nowhere: known by slug (dossier §1)."""
_ENVELOPE = frozenset({"isArchived", "isDraft"})
_SET_BY_THE_STORE = frozenset({"product", "default-sku"})
_STORE_SLUGS = {
    "products": ("product", "products"), "skus": ("sku", "skus"), "categories": ("category", "categories")
}  # fmt: skip


@dataclass(frozen=True)
class Option:
    id: str
    name: str


@dataclass(frozen=True)
class RemoteField:
    """One field of a collection. `validations` are Webflow's, as read."""

    slug: str
    name: str
    type: str
    is_required: bool = False
    is_editable: bool = True
    validations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> tuple[Option, ...]:
        return tuple(
            Option(str(one["id"]), str(one["name"])) for one in self.validations.get("options") or ()
        )

    @property
    def collection_id(self) -> str | None:
        """Of a reference: the collection whose items it takes."""
        return self.validations.get("collectionId")

    @property
    def max_length(self) -> int | None:
        stated = self.validations.get("maxLength")
        if self.slug in ("name", "slug"):
            return min(int(stated or MAX_NAME_LENGTH), MAX_NAME_LENGTH)
        return int(stated) if stated else None

    @property
    def limits(self) -> str:
        """Validations and options in one line for people."""
        plain = {
            name: value for name, value in self.validations.items() if name not in ("options", "collectionId")
        }
        # As Webflow's own documents write them: true, not True.
        said = [
            f"{name} {value if isinstance(value, str) else orjson.dumps(value).decode()}"
            for name, value in plain.items()
        ]
        said += [f"items of {self.collection_id}"] if self.collection_id else []
        said += [
            " | ".join(f"{one.name} ({one.id})" if one.name != one.id else one.name for one in self.options)
        ]
        return "; ".join(part for part in said if part)

    @property
    def takes(self) -> tuple[str, ...] | None:
        """The `as:` that fit; None where nothing is known of the type."""
        if self.slug in _STORE_FIELDS:
            return (_STORE_FIELDS[self.slug],)
        known = FIELD_TYPES.get(self.type)
        return known.takes if known else None


@dataclass(frozen=True)
class Collection:
    """A collection of one site with its fields, in the Designer's order."""

    id: str
    slug: str
    name: str
    fields: tuple[RemoteField, ...]

    def field(self, slug: str) -> RemoteField | None:
        return next((one for one in self.fields if one.slug == slug), None)


def read_collections(session: Session, connection: str) -> tuple[Collection, ...]:
    """All collections of a connection as last landed, by slug; none if they were never landed."""
    if not session.has_table(COLLECTIONS_TABLE):
        return ()
    rows = session.rows(
        f"""SELECT CAST(document AS text) AS document FROM (
          SELECT document, is_deleted,
                 row_number() OVER (PARTITION BY document_key ORDER BY landed_at DESC) AS nth
          FROM {COLLECTIONS_TABLE} WHERE connection = $1) AS versions WHERE nth = 1 AND NOT is_deleted""",
        (connection,),
    )
    found = (_collection(orjson.loads(row["document"])) for row in rows)
    return tuple(sorted(found, key=lambda one: one.slug))


def collection_of(sync: Sync, collections: Sequence[Collection]) -> Collection | None:
    """The collection that a sync writes to: by slug or id; a store's resource by its singular slug (dossier §1.6)."""
    wanted = _STORE_SLUGS.get(sync.resource) if sync.destination == "webflow_store" else None
    names = wanted or sync.collections or (sync.resource,)
    return next((one for one in collections if one.slug in names or one.id in names), None)


def check(sync: Sync, collection: Collection) -> tuple[MappingProblem, ...]:
    """What of a sync's mapping does not fit the collection, without a look at any value."""
    return (*_wrong_fields(sync, collection), *_missing_fields(sync, collection))


def mapping_problems(session: Session, sync: Sync) -> tuple[MappingProblem, ...]:
    """`check` against the landed schema; nothing while no schema of the connection is known."""
    collections = read_collections(session, sync.site)
    collection = collection_of(sync, collections)
    if collection is None and collections:
        known = ", ".join(one.slug for one in collections)
        what = f"the site ({sync.site}) has no collection for {sync.resource}"
        return (problem(sync, "", what, f"it has {known}; `karvon webflow schema --fresh` reads them again"),)
    return check(sync, collection) if collection else ()


def problem(sync: Sync, name: str, what: str, way_out: str) -> MappingProblem:
    spec = sync.field(name)
    return MappingProblem(sync.name, sync.file, name, what, way_out, column=spec.column if spec else None)


def _wrong_fields(sync: Sync, collection: Collection) -> Iterator[MappingProblem]:
    for spec in sync.fields:
        if spec.field in _ENVELOPE or spec.as_ == "stock":
            continue
        there = collection.field(spec.field)
        if there is None:
            near = difflib.get_close_matches(spec.field, [one.slug for one in collection.fields], 3)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            yield problem(
                sync, spec.field, f"the collection {collection.slug} has no field with this slug",
                f"{hint}`karvon webflow schema {collection.slug}` lists its fields; a new field of the Designer is "
                "known after the next read of the shop (`karvon webflow schema --fresh`)",
            )  # fmt: skip
        elif spec.field in _SET_BY_THE_STORE and sync.destination == "webflow_store":
            yield problem(
                sync, spec.field, "the store sets this field itself", "take the field out of the YAML"
            )
        elif there.takes is not None and spec.as_ not in there.takes:
            yield problem(sync, spec.field, *_clash(spec, there))


def _clash(spec: FieldSpec, there: RemoteField) -> tuple[str, str]:
    takes = there.takes or ()
    what = f"it is a {there.type} field, and column {spec.column} is sent as {spec.as_}"
    if not takes:
        return what, "this type cannot be written through the API; take the field out of the YAML"
    cast = {"number": " (or give the column a numeric data_type)", "bool": " (or the data_type boolean)"}
    return what, f"write `as: {takes[0]}`{cast.get(takes[0], '')}, or choose another field"


def _missing_fields(sync: Sync, collection: Collection) -> Iterator[MappingProblem]:
    """Required fields without a column. Only a sync that creates must fill them; a child comes with its parent."""
    if not sync.creates and sync.parent is None:
        return
    mapped = {spec.field for spec in sync.fields}
    for one in collection.fields:
        if one.is_required and one.slug not in mapped | _SET_BY_THE_STORE:
            yield problem(
                sync, one.slug, f"{collection.slug} requires this field ({one.type}), and no column feeds it",
                f"give a column `config: {{meta: {{field: {one.slug}}}}}`, or make the field optional in the Designer",
            )  # fmt: skip


def _collection(document: Mapping[str, Any]) -> Collection:
    fields = tuple(
        RemoteField(
            slug=str(one["slug"]), name=str(one.get("displayName") or one["slug"]), type=str(one.get("type")),
            is_required=bool(one.get("isRequired")), is_editable=one.get("isEditable") is not False,
            validations=one.get("validations") or {},
        )
        for one in document.get("fields") or ()
        if one.get("slug")
    )  # fmt: skip
    return Collection(
        str(document["id"]), str(document.get("slug")), str(document.get("displayName")), fields
    )
