"""Reading CMS items: pages with filters and order, of one or several locales, staged or live (Webflow dossier §5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sandbox.webflow.errors import bad_request, invalid, not_found
from sandbox.webflow.site import Record, Site

JsonObject = dict[str, Any]
_SORTS = {"createdOn", "lastPublished", "lastUpdated", "name", "slug"}


def list_items(
    site: Site, collection: str, query: dict[str, str], offset: int, limit: int, live: bool
) -> JsonObject:
    """One page; `lastUpdated[gte]` is inclusive, deleted items are not to be found by any filter."""
    locales = locales_of(site, query.get("cmsLocaleId", "").split(",") if query.get("cmsLocaleId") else None)
    every = site.records(collection, deleted=live, locales=locales)
    found = [record for record in every if not live or record["live"]]
    found = [record for record in found if _matches(record, query, live)]
    sort_by = query.get("sortBy")
    if sort_by is not None:
        if sort_by not in _SORTS:
            raise invalid("sortBy", f"Expected value to be one of: {', '.join(sorted(_SORTS))}")
        found.sort(
            key=lambda record: _sort_key(record, sort_by, live), reverse=query.get("sortOrder") == "desc"
        )
    page = [site.envelope(record, live=live) for record in found[offset : offset + limit]]
    return {"items": page, "pagination": {"limit": limit, "offset": offset, "total": len(found)}}


def get_item(site: Site, collection: str, item_id: str, live: bool, locale: str | None = None) -> JsonObject:
    if not live:
        return site.envelope(site.record(item_id, collection, locale))
    for record in site.records(collection, deleted=True, locales=locales_of(site, locale and [locale])):
        if record["id"] == item_id and record["live"]:
            return site.envelope(record, live=True)
    raise not_found("item")


def locales_of(site: Site, given: Any) -> list[str]:
    """The cmsLocaleIds of a request, or the primary one."""
    if not given:
        return site.locales[:1]
    if not isinstance(given, list) or any(each not in site.locales for each in given):
        raise invalid("cmsLocaleId", "Expected value to be a locale of the site")
    return given


def _content(record: Record, live: bool) -> JsonObject:
    return dict(record["live"] if live else record["fieldData"])


def _matches(record: Record, query: dict[str, str], live: bool) -> bool:
    content = _content(record, live)
    return all(query[name] == content[name] for name in ("name", "slug") if name in query) and all(
        compare(record[field], query[f"{field}[{bound}]"])
        for field in ("createdOn", "lastPublished", "lastUpdated")
        for bound, compare in _BOUNDS.items()
        if f"{field}[{bound}]" in query
    )


def _sort_key(record: Record, sort_by: str, live: bool) -> str:
    return str((_content(record, live) if sort_by in {"name", "slug"} else record)[sort_by] or "")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise bad_request() from None
    if moment.tzinfo is None:
        raise bad_request()
    return moment


def _at_least(value: str | None, bound: str) -> bool:
    return value is not None and _moment(value) >= _moment(bound)


def _at_most(value: str | None, bound: str) -> bool:
    return value is not None and _moment(value) <= _moment(bound)


_BOUNDS: dict[str, Callable[[str | None, str], bool]] = {"gte": _at_least, "lte": _at_most}
