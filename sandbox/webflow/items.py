"""CMS items: staged and live forms, bulk of 100, publishing (Webflow dossier §2.3 to §2.6)."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from sandbox.webflow.errors import ApiError, bad_request, conflict, invalid, not_found
from sandbox.webflow.item_lists import locales_of
from sandbox.webflow.site import Record, Site

JsonObject = dict[str, Any]
MOST_AT_ONCE = 100
_NEVER_PUBLISHED = "Item has never been published: publish it before updating it live"


def create_items(
    site: Site, collection: str, body: JsonObject, *, live: bool, skip_invalid_files: bool
) -> JsonObject:
    """One item or up to 100, all or none. Drafts unless asked otherwise; live ones are published at once.

    The answer to a bulk request is in no promised order: here it is reversed.
    """
    several = "items" in body
    given = _batch(body["items"] if several else [body])
    site.check_room(len(given))
    writing = site.writing(collection, skip_invalid_files=skip_invalid_files)
    taken: set[str] = set()
    created = []
    for each in given:
        flags = {
            "isArchived": bool(each.get("isArchived", False)),
            "isDraft": bool(each.get("isDraft", not live)),
        }
        record = site.new_record(collection, **flags)
        if each.get("cmsLocaleId"):
            # Made one by one, items of two locales are two items.
            [record["cmsLocaleId"]] = locales_of(site, [each["cmsLocaleId"]])
        if not isinstance(each.get("fieldData"), dict):
            raise bad_request()
        fields = dict(each["fieldData"])
        if "slug" not in fields and isinstance(fields.get("name"), str):
            fields["slug"] = _free_slug(site, collection, fields["name"], taken)
        created.append(site.checked(record, fields, writing, taken))
    site.save(created)
    if live:
        _publish(site, created)
    site.keep_files(writing)
    shown = [site.envelope(record, just_written=True) for record in created]
    return {"items": shown[::-1]} if several else shown[0]


def create_bulk(site: Site, collection: str, body: JsonObject, *, skip_invalid_files: bool) -> JsonObject:
    """The older form: one set of flags and locales, `fieldData` an object or a list of them.

    An item is made in each of `cmsLocaleIds`, under one id; each of these counts.
    """
    fields = body.get("fieldData")
    flags = {name: body[name] for name in ("isDraft", "isArchived") if name in body}
    given = [{**flags, "fieldData": each} for each in (fields if isinstance(fields, list) else [fields])]
    first, *others = locales_of(site, body.get("cmsLocaleIds"))
    if len(given) * (1 + len(others)) > MOST_AT_ONCE:
        raise invalid("fieldData", f"Expected at most {MOST_AT_ONCE} items")
    given = [{**each, "cmsLocaleId": first} for each in given]
    answer = create_items(
        site, collection, {"items": given}, live=False, skip_invalid_files=skip_invalid_files
    )
    copies = [
        {**site.record(item["id"], collection, first), "cmsLocaleId": locale}
        for item in answer["items"]
        for locale in others
    ]
    site.save(copies)
    return {"items": [*answer["items"], *(site.envelope(copy, just_written=True) for copy in copies)]}


def update_items(
    site: Site, collection: str, given: list[JsonObject], *, live: bool, skip_invalid_files: bool
) -> list[JsonObject]:
    """All or none. A live update of an item that was never published refuses the whole batch with 409."""
    writing = site.writing(collection, skip_invalid_files=skip_invalid_files)
    taken: set[str] = set()
    changed = []
    for each in _batch(given):
        record = _to_update(site, each, collection)
        if live and record["live"] is None:
            raise conflict(_NEVER_PUBLISHED)
        record |= {name: bool(each[name]) for name in ("isArchived", "isDraft") if name in each}
        changed.append(site.checked(record, each.get("fieldData") or {}, writing, taken))
    site.save(changed)
    if live:
        _publish(site, changed, draft=None)
    site.keep_files(writing)
    return [site.envelope(record, just_written=True) for record in changed]


def _to_update(site: Site, given: JsonObject, collection: str) -> Record:
    """The item in the locale that is meant; whether an update makes it there is a switch."""
    item_id, locale = _item_id(given), given.get("cmsLocaleId")
    try:
        return site.record(item_id, collection, locale)
    except ApiError:
        if locale not in site.locales or site.switch("update_in_new_locale") == "refuse":
            raise
        return {
            **site.record(item_id, collection),
            "cmsLocaleId": locale,
            "live": None,
            "lastPublished": None,
        }


def delete_items(site: Site, collection: str, chosen: list[tuple[str, str | None]]) -> None:
    """Staged: a published item stays visible, and its slug taken, until the site is published.

    `chosen` are (item id, locale); None is the primary one.
    """
    doomed = [site.record(item_id, collection, locale) for item_id, locale in chosen]
    if collection == "product":
        doomed += [sku for item_id, _ in chosen for sku in site.skus(item_id)]
    for record in doomed:
        if record["live"] is None:
            site.forget(record)
        else:
            site.save([{**record, "deleted": True}])


def unpublish_items(site: Site, collection: str, chosen: list[tuple[str, str | None]]) -> None:
    """Off the live site, back to a draft; nothing is deleted."""
    every = site.records(collection, deleted=True, locales=site.locales)
    live = {site.key_of(record): record for record in every if record["live"]}
    keys = [
        item_id if locale in (None, site.locales[0]) else f"{item_id}@{locale}" for item_id, locale in chosen
    ]
    if any(key not in live for key in keys):
        raise not_found("item")
    for key in keys:
        if live[key]["deleted"]:
            site.forget(live[key])
    kept = [live[key] for key in keys if not live[key]["deleted"]]
    site.save([{**record, "isDraft": True, "lastPublished": None, "live": None} for record in kept])


def publish_items(site: Site, collection: str, body: JsonObject) -> JsonObject:
    """202 whatever happens to single items: read `errors` (Webflow dossier §0.13)."""
    if "itemIds" in body:
        given = body["itemIds"]
        if not isinstance(given, list) or not given or not all(isinstance(each, str) for each in given):
            raise bad_request()
        chosen: list[tuple[str, str | None]] = [(item_id, None) for item_id in given]
    else:
        chosen = chosen_items(site, body)
    most = site.switch("max_items_per_publish")
    if most and len(chosen) > most:
        raise invalid("itemIds", f"Expected at most {most} items")
    if site.switch("site_published") == "never":
        raise conflict("Site is not published")
    if collection in site.about["changedCollections"]:
        raise conflict("The collection structure changed since the last publish")
    published, errors = [], []
    for item_id, locale in chosen:
        try:
            record = site.record(item_id, collection, locale)
        except ApiError:
            errors.append(f"Staging item ID {item_id} not found.")
            continue
        if record["isArchived"]:
            errors.append(f"Staging item ID {item_id} is archived and cannot be published.")
        else:
            published.append(record)
    _publish(site, published)
    return {"publishedItemIds": [record["id"] for record in published], "errors": errors}


def publish_everything(site: Site) -> None:
    """What a site publish does to items: queued ones go live, deleted and archived ones go."""
    for schema in site.schemas():
        records = list(site.records(schema["slug"], deleted=True, locales=site.locales))
        for record in records:
            if record["deleted"]:
                site.forget(record)
        kept = [record for record in records if not record["deleted"]]
        _publish(site, [record for record in kept if not record["isDraft"] and not record["isArchived"]])
        gone = [{**record, "live": None} for record in kept if record["isArchived"] and record["live"]]
        site.save(gone, touch=False)
    site.save_about(changedCollections=[])


def _publish(site: Site, records: list[Record], draft: bool | None = False) -> None:
    """`draft` None leaves the flag: a live update may set it."""
    now = site.now()
    site.save(
        (
            {
                **record,
                "lastPublished": now,
                "live": record["fieldData"],
                "isDraft": record["isDraft"] if draft is None else draft,
            }
            for record in records
        ),
        touch=False,
    )
    for record in records:
        record |= {"lastPublished": now, "isDraft": record["isDraft"] if draft is None else draft}


def _batch(given: Any) -> list[JsonObject]:
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise bad_request()
    if len(given) > MOST_AT_ONCE:
        raise invalid("items", f"Expected at most {MOST_AT_ONCE} items")
    return given


def _item_id(given: Any) -> str:
    if not isinstance(given, dict) or not isinstance(given.get("id"), str):
        raise bad_request()
    return str(given["id"])


def chosen_items(site: Site, body: JsonObject) -> list[tuple[str, str | None]]:
    """(item id, locale) of a bulk delete, unpublish or publish; None is the primary locale."""
    return [
        (_item_id(each), locale)
        for each in _batch(body.get("items"))
        for locale in locales_of(site, each.get("cmsLocaleIds"))
    ]


def _free_slug(site: Site, collection: str, name: str, taken: set[str]) -> str:
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    wanted = re.sub(r"[^a-z0-9]+", "-", ascii_name.lower()).strip("-") or "item"
    slug, number = wanted, 2
    while slug in taken or site.has_slug(collection, slug):
        slug, number = f"{wanted}-{number}", number + 1
    return slug
