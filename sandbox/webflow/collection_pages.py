"""CMS collections as a person sees them: /shop/collections/{slug}, one card per item, values by field."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from sandbox.webflow.clean_html import clean_html
from sandbox.webflow.schema import STORE_COLLECTIONS
from sandbox.webflow.site import Record, Site

MOST_SHOWN = 200
_NOT_SHOWN = {"name", "slug"}


def collection_links(site: Site) -> list[dict[str, Any]]:
    """Name, slug and number of items of each collection that is not the store's."""
    return [
        {"name": each["displayName"], "slug": each["slug"], "count": len(site.item_ids(each["slug"]))}
        for each in site.schemas()
        if each["slug"] not in STORE_COLLECTIONS
    ]


def collection_page(site: Site, slug: str) -> dict[str, Any] | None:
    """The values of one collection's page, or None if there is no such collection."""
    schema = next((each for each in site.schemas() if each["slug"] == slug), None)
    if schema is None or slug in STORE_COLLECTIONS:
        return None
    records = list(site.records(slug, locales=site.locales))
    return {
        "collection": schema,
        "found": len(records),
        "entries": [_entry(site, schema, record) for record in records[:MOST_SHOWN]],
    }


def _entry(site: Site, schema: Record, record: Record) -> dict[str, Any]:
    badges = {
        "Archived": record["isArchived"],
        "Draft": record["isDraft"],
        "Hand-made": record["hand_made"],
        "Not published": record["live"] is None,
    }
    return {
        "name": record["fieldData"]["name"],
        "slug": record["fieldData"]["slug"],
        "locale": record["cmsLocaleId"] if record["cmsLocaleId"] != site.locales[0] else None,
        "badges": [name for name, applies in badges.items() if applies],
        "facts": [
            (field["displayName"], _shown(site, field, value))
            for field in schema["fields"]
            if field["slug"] not in _NOT_SHOWN
            and (value := record["fieldData"].get(field["slug"])) is not None
        ],
    }


def _shown(site: Site, field: Record, value: Any) -> Markup:
    rules = field["validations"] or {}
    match field["type"]:
        case "RichText":
            return Markup(clean_html(value))  # noqa: S704 cleaned here
        case "Image" | "MultiImage":
            images = value if isinstance(value, list) else [value]
            return Markup("").join(_image(site, each) for each in images)
        case "Option":
            return escape(next((one["name"] for one in rules["options"] if one["id"] == value), value))
        case "Reference" | "MultiReference":
            ids = value if isinstance(value, list) else [value]
            return escape(", ".join(_name_of(site, rules["collectionId"], each) for each in ids))
        case "File" | "ExtFileRef" | "VideoLink":
            return escape(value["url"])
        case _:
            return escape(value)


def _image(site: Site, image: Record) -> Markup:
    file = site.files.get(image.get("fileId", ""))
    url = f"/webflow/files/{image['fileId']}/{file['name']}" if file else image.get("url", "")
    return Markup('<img src="{}" alt="{}" loading="lazy">').format(url, image.get("alt") or "")


def _name_of(site: Site, collection_id: str, item_id: str) -> str:
    slug = site.schema_by_id(collection_id)["slug"]
    if item_id not in site.item_ids(slug):
        return "(deleted)"
    return str(site.record(item_id, slug)["fieldData"]["name"])
