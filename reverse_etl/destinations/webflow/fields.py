"""Between our values and Webflow's field data (Webflow dossier §1, §2.2)."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urldefrag

from reverse_etl.spec.syncs import FieldSpec, Sync

ENVELOPE = frozenset({"isArchived", "isDraft"})
"""Fields that stand beside `fieldData`."""
_ISO = 19
"""Letters of a time to the second."""
OPTIONS = "$options"
REFERENCES = "$references"


def decode(sync: Sync, item: Mapping[str, Any], properties: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Values of the mapped fields of one item; `properties` are its product's `sku-properties`."""
    data = item.get("fieldData") or {}
    return {
        spec.field: _decode(
            spec, item.get(spec.field) if spec.field in ENVELOPE else data.get(spec.field), properties
        )
        for spec in sync.plain_fields
        if spec.field in ENVELOPE or spec.field in data
    }


def states_of(item: Mapping[str, Any]) -> dict[str, bool]:
    return {name: bool(item.get(name)) for name in sorted(ENVELOPE)}


def unseen(item: Mapping[str, Any]) -> str | None:
    """Why no visitor sees an item: archived comes before draft (Webflow dossier §2.5).

    A draft that was published before is seen in its old version.
    """
    if item.get("isArchived"):
        return "it is archived there"
    if item.get("isDraft"):
        before = item.get("lastPublished")
        return (
            f"it is a draft there, visitors see the version of {before}" if before else "it is a draft there"
        )
    return None


def is_staged(item: Mapping[str, Any]) -> bool:
    """Whether the item, or its last change, waits for the next publish of the site; seconds, because publishing itself
    may touch an item."""
    published, updated = item.get("lastPublished"), item.get("lastUpdated")
    return published is None or bool(updated and str(published)[:_ISO] < str(updated)[:_ISO])


def encode(sync: Sync, changes: Mapping[str, Any], properties: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Field data for some values. Numbers are left out, never null (dossier §1.5)."""
    encoded = {}
    for spec in sync.plain_fields:
        if spec.field not in changes or spec.field in ENVELOPE:
            continue
        value = changes[spec.field]
        if value is None and spec.as_ == "number":
            continue
        encoded[spec.field] = _encode(spec, value, properties)
    return encoded


def option_ids(wanted: Mapping[str, str], properties: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """`{"Colour": "Red"}` → property id → option id of this product. Raises KeyError naming what is missing."""
    ids: dict[str, str] = {}
    for name, value in wanted.items():
        found = next((one for one in properties if one["name"] == name), None)
        option = next((one for one in found["enum"] if one["name"] == value), None) if found else None
        if found is None or option is None:
            raise KeyError(f"{name} = {value}")
        ids[found["id"]] = option["id"]
    return ids


def slug_of(name: str, taken: set[str]) -> str:
    """An id for an option: ASCII, unique among `taken`, the same for the same name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not slug or slug in taken:
        slug = f"{slug or 'o'}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    taken.add(slug)
    return slug


def _decode(spec: FieldSpec, raw: Any, properties: Sequence[Mapping[str, Any]]) -> Any:
    if raw is None or raw in ("", [], {}):
        return None
    match spec.as_:
        case "money":
            if raw.get("value") is None:
                return None
            return {"value": round(float(raw["value"])), "unit": raw.get("unit") or raw.get("currency")}
        case "image":
            return _image(raw)
        case "images":
            return [_image(image) for image in raw]
        case "reference" | "references":
            return [str(raw)] if isinstance(raw, str) else [str(one) for one in raw]
        case "sku_properties":
            return [
                {"name": one["name"], "values": [option["name"] for option in one["enum"]]} for one in raw
            ]
        case "sku_values":
            return _option_names(raw, properties)
        case _:
            return raw


def _option_names(raw: Mapping[str, str], properties: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Ids that the product does not know stay ids: they differ from any name, so they show as drift."""
    names = {one["id"]: one["name"] for one in properties}
    options = {(one["id"], option["id"]): option["name"] for one in properties for option in one["enum"]}
    return {names.get(prop, prop): options.get((prop, option), option) for prop, option in raw.items()}


def _image(raw: Any) -> dict[str, Any]:
    if isinstance(raw, str):
        return {"fileId": None, "url": raw, "alt": None}
    return {"fileId": raw.get("fileId"), "url": raw.get("url"), "alt": raw.get("alt") or None}


def _encode(spec: FieldSpec, value: Any, properties: Sequence[Mapping[str, Any]]) -> Any:
    match spec.as_:
        case "reference" | "references":
            return {REFERENCES: {"sync": spec.sync, "keys": value or [], "single": spec.as_ == "reference"}}
        case "sku_properties":
            return _properties(value or [], properties)
        case "sku_values":
            return {OPTIONS: value or {}}
        case "image" if value is not None:
            return _sent_image(value)
        case "images":
            return [_sent_image(image) for image in value or []]
        case _:
            return value


def _sent_image(image: Mapping[str, Any]) -> dict[str, Any]:
    """Without the fragment, which marks the file's version for us alone."""
    alt = {"alt": image["alt"]} if image.get("alt") is not None else {}
    return {"url": urldefrag(image["url"]).url, **alt}


def _properties(
    wanted: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Properties in our order with the ids the shop knows.

    Options that are no longer wanted keep their place: SKUs cannot be deleted, what happens to those that refer to a
    missing option is not known, and the first options are those of the default SKU (dossier §1.2).
    """
    by_name = {one["name"]: one for one in known}
    taken = {one["id"] for one in known}
    encoded = []
    for one in wanted:
        before = by_name.get(one["name"], {"id": None, "enum": []})
        options = {option["name"]: option for option in before["enum"]}
        slugs = {option["id"] for option in before["enum"]}
        chosen = [options.get(name) or _option(name, slugs) for name in map(str, one["values"])]
        enum = _with_left(chosen, before["enum"])
        encoded.append({"id": before["id"] or slug_of(one["name"], taken), "name": one["name"], "enum": enum})
    return encoded


def _with_left(
    chosen: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The chosen options, and each known one that is not among them behind the one that it stands behind now."""
    enum, names = list(chosen), {option["name"] for option in chosen}
    for place, option in enumerate(known):
        if option["name"] not in names:
            before = known[place - 1]["name"] if place else None
            at = next((n for n, one in enumerate(enum, 1) if one["name"] == before), 0)
            enum.insert(at, option)
    return enum


def _option(name: str, taken: set[str]) -> dict[str, str]:
    slug = slug_of(name, taken)
    return {"id": slug, "name": name, "slug": slug}
