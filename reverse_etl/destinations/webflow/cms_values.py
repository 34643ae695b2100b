"""Between our values and the items of a CMS collection (Webflow dossier §2.2, §2.3), and how items are addressed.

A *place* is `<collection>`, or `<collection>/<locale>` outside the primary locale. A remote id is
`<collection>/<item>` or `<collection>/<item>/<locale>`: all locales of an item share its id (§2.6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urldefrag

from reverse_etl.destinations.webflow.cms_schema import ENVELOPE
from reverse_etl.destinations.webflow.field_types import Collection
from reverse_etl.destinations.webflow.fields import REFERENCES, is_staged, states_of, unseen
from reverse_etl.spec.states import PUBLISHED
from reverse_etl.spec.syncs import FieldSpec, Sync
from reverse_etl.state.destination import Record

JsonObject = dict[str, Any]


def remote_id_of(place: str, item_id: str) -> str:
    collection, _, locale = place.partition("/")
    return f"{collection}/{item_id}" + (f"/{locale}" if locale else "")


def place_of(remote_id: str) -> str:
    collection, _, *locale = remote_id.split("/")
    return "/".join([collection, *locale])


def item_id_of(remote_id: str) -> str:
    """The item's id; a product or category of the store has no other."""
    parts = remote_id.split("/")
    return parts[1] if len(parts) > 1 else parts[0]


def item_record(sync: Sync, place: str, item: Mapping[str, Any], collection: Collection | None) -> Record:
    """An item as a record. Without its collection's schema options stay out: their ids have no names."""
    data = item.get("fieldData") or {}
    published = item.get("lastPublished") is not None
    values: JsonObject = {}
    for spec in sync.plain_fields:
        if spec.field == PUBLISHED:
            values[PUBLISHED] = published
        elif spec.field in ENVELOPE:
            values[spec.field] = bool(item.get(spec.field))
        elif spec.field in data and (spec.as_ != "option" or collection is not None):
            values[spec.field] = _decoded(spec, data[spec.field], collection)
    archived = bool(item.get("isArchived"))
    extras = {"archived": archived, "published": published}
    taken_off = sync.publish == "live" and not published
    return Record(
        remote_id_of(place, str(item["id"])), None, values, archived=archived, extras=extras,
        states=states_of(item), is_staged=is_staged(item) and not taken_off,
        unseen=unseen(item) or ("it is not published" if taken_off else None),
    )  # fmt: skip


def encode(sync: Sync, changes: Mapping[str, Any], collection: Collection) -> JsonObject:
    """Field data for some values, with symbols for references."""
    return {
        spec.field: _encoded(spec, changes[spec.field], collection)
        for spec in sync.plain_fields
        if spec.field in changes and spec.field not in ENVELOPE and spec.field != PUBLISHED
    }


def _decoded(spec: FieldSpec, raw: Any, collection: Collection | None) -> Any:
    if raw is None or raw in ("", [], {}):
        return None
    match spec.as_:
        case "image" | "file":
            return _file(raw)
        case "images":
            return [_file(one) for one in raw]
        case "reference":
            return [str(raw)]
        case "references":
            return [str(one) for one in raw]
        case "video":
            return raw.get("url") if isinstance(raw, Mapping) else raw
        case "option" if collection is not None:
            field = collection.field(spec.field)
            return next((one.name for one in field.options if one.id == raw), raw) if field else raw
        case _:
            return raw


def _file(raw: Any) -> JsonObject:
    if isinstance(raw, str):
        return {"fileId": None, "url": raw, "alt": None}
    return {"fileId": raw.get("fileId"), "url": raw.get("url"), "alt": raw.get("alt") or None}


def _encoded(spec: FieldSpec, value: Any, collection: Collection) -> Any:
    match spec.as_:
        case "reference" | "references":
            return {REFERENCES: {"sync": spec.sync, "keys": value or [], "single": spec.as_ == "reference"}}
        case "option" if value is not None:
            field = collection.field(spec.field)
            return next((one.id for one in field.options if one.name == value), value) if field else value
        case "image" | "file" if value is not None:
            return _sent_file(value)
        case "images":
            return [_sent_file(one) for one in value or []]
        case _:
            return value


def _sent_file(file: Mapping[str, Any]) -> JsonObject:
    """Without the fragment, which marks the file's version for us alone."""
    alt = {"alt": file["alt"]} if file.get("alt") is not None else {}
    return {"url": urldefrag(file["url"]).url, **alt}
