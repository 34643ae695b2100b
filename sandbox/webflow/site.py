"""One site: its collections, the items in them, and who has which slug.

Products, SKUs and categories are items of ordinary collections, as in the real system (Webflow dossier
§1.6), so one table holds all of them. A record is the item envelope and, besides, what only the shop knows:
`collection`, `live` (the published content), `deleted` (staged only: the slug stays reserved until the site
is published), `hand_made`, `listed_archived` (what a stale product list says).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from sandbox.state import State
from sandbox.webflow.cms_collections import CMS_COLLECTIONS
from sandbox.webflow.errors import ApiError, FileRefused, conflict, invalid, not_found
from sandbox.webflow.images import FileImports
from sandbox.webflow.schema import COLLECTIONS, STORE_COLLECTIONS, derived_id, made_collection, new_collection
from sandbox.webflow.values import ValueRefused, Writing, accept, accept_null, iso

Record = dict[str, Any]
DEFAULT_SITE_ID = "5f0c8c9e1c9d440000a1b2c3"
_SLUG = re.compile(r"^[_a-zA-Z0-9][-_a-zA-Z0-9]*$")
_PLAN_IS_FULL = "You've created all the items in your CMS Database allowed on your current plan."


def site_id_of(account: str) -> str:
    return DEFAULT_SITE_ID if account == "default" else derived_id(account)


class Site:
    """The stored shop of one account, with rules that hold for every collection."""

    def __init__(self, state: State, account: str) -> None:
        self.state = state
        self.account = account
        self.id = site_id_of(account)
        self._about = state.collection(f"webflow/{account}/site")
        self._schemas = state.collection(f"webflow/{account}/collections")
        self._records = state.collection(f"webflow/{account}/items")
        self.inventory = state.collection(f"webflow/{account}/inventory")
        self.files = state.collection(f"webflow/{account}/files")
        self._indexed_revision = -1
        self._owners: dict[tuple[str, str, str], str] = {}
        self._members: dict[str, dict[str, None]] = {}
        self._skus: dict[str, dict[str, None]] = {}

    # -- the site itself --------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        return "site" in self._about

    @property
    def about(self) -> Record:
        return dict(self._about.get("site") or {})

    def save_about(self, **changes: Any) -> None:
        self._about.put("site", {**self.about, **changes})

    def found(self, currency: str = "USD") -> None:
        """Make the empty site with its collections."""
        now = self.now()
        name = "Karvon" if self.account == "default" else self.account.replace("-", " ").title()
        self.save_about(
            id=self.id,
            workspaceId=derived_id(self.id, "workspace"),
            createdOn=now,
            displayName=f"{name} Shop",
            shortName=f"{name.lower().replace(' ', '-')}-shop",
            lastPublished=now,
            lastUpdated=now,
            previewUrl=f"{self.state.public_url}/shop",
            timeZone="Europe/Berlin",
            parentFolderId=None,
            customDomains=[],
            locales=None,
            dataCollectionEnabled=False,
            dataCollectionType="disabled",
            defaultCurrency=currency,
            cmsLocaleId=derived_id(self.id, "locale"),
            publishAttemptedAt=None,
            changedCollections=[],
        )
        self._schemas.put_many((slug, new_collection(self.id, slug, now)) for slug in COLLECTIONS)
        self._schemas.put_many(
            (each["slug"], made_collection(self.id, each, now)) for each in CMS_COLLECTIONS
        )

    def now(self) -> str:
        return iso(self.state.now())

    def switch(self, name: str) -> Any:
        return self.state.switches[f"webflow.{name}"]

    # -- collections ------------------------------------------------------------------------------------

    def schemas(self) -> list[Record]:
        return self._schemas.values()

    def schema(self, slug: str) -> Record:
        schema = self._schemas.get(slug)
        if schema is None:
            raise not_found("collection")
        return schema

    def schema_by_id(self, collection_id: str) -> Record:
        for schema in self._schemas.values():
            if schema["id"] == collection_id:
                return schema
        raise not_found("collection")

    def add_schema(self, given: Record) -> Record:
        """A new, empty collection. Raises ApiError 409 when the slug is taken, ValueError for an unknown type."""
        if given["slug"] in self._schemas:
            raise conflict(f"Collection with slug '{given['slug']}' already exists", "duplicate_collection")
        schema = made_collection(self.id, given, self.now())
        self._schemas.put(schema["slug"], schema)
        return schema

    def save_schema(self, schema: Record) -> None:
        """A changed structure: items of the collection cannot be published until the site is."""
        slug = schema["slug"]
        self._schemas.put(slug, {**schema, "lastUpdated": self.now()})
        self.save_about(changedCollections=sorted({*self.about["changedCollections"], slug}))

    # -- items ------------------------------------------------------------------------------------------

    @property
    def locales(self) -> list[str]:
        """cmsLocaleIds, the primary one first."""
        others = (self.about["locales"] or {}).get("secondary", [])
        return [self.about["cmsLocaleId"], *(each["cmsLocaleId"] for each in others)]

    def key_of(self, record: Record) -> str:
        """All locales of an item share its id (Webflow dossier §2.6)."""
        locale = record["cmsLocaleId"]
        return str(record["id"] if locale == self._primary else f"{record['id']}@{locale}")

    def record(self, item_id: str, collection: str, locale: str | None = None) -> Record:
        """A copy that may be changed and saved; of the primary locale unless told. Raises ApiError 404."""
        is_primary = locale in (None, self._primary)
        record = self._records.get(item_id if is_primary else f"{item_id}@{locale}")
        if record is None or record["deleted"] or record["collection"] != collection:
            raise not_found("item" if collection not in {"product", "sku"} else collection)
        return {**record, "fieldData": dict(record["fieldData"])}

    def records(
        self, collection: str, *, deleted: bool = False, locales: Collection[str] | None = None
    ) -> Iterator[Record]:
        """In the order of creation; with `deleted` also those that wait for a site publish.

        Those of the primary locale, unless `locales` names others.
        """
        self._refresh()
        wanted = {self._primary} if locales is None else set(locales)
        for key in self._members.get(collection, {}):
            record = self._records.get(key)
            if record is not None and record["cmsLocaleId"] in wanted and (deleted or not record["deleted"]):
                yield record

    @property
    def _primary(self) -> str:
        return str((self._about.get("site") or {})["cmsLocaleId"])

    def item_ids(self, collection: str) -> list[str]:
        return [record["id"] for record in self.records(collection)]

    def sku_ids(self, product_id: str) -> list[str]:
        self._refresh()
        return list(self._skus.get(product_id, {}))

    def skus(self, product_id: str) -> list[Record]:
        return [self.record(sku_id, "sku") for sku_id in self.sku_ids(product_id)]

    def size(self) -> int:
        """Items that count against the plan: products, SKUs and all others (Webflow dossier §4)."""
        self._refresh()
        return sum(1 for slug in self._schemas for _ in self.records(slug))

    def check_room(self, wanted: int) -> None:
        """Raises ApiError 409 when the plan allows no more items."""
        cap = self.switch("item_cap")
        if cap and self.size() + wanted > cap:
            raise conflict(_PLAN_IS_FULL)

    def new_record(self, collection: str, **given: Any) -> Record:
        now = self.now()
        return {
            "id": self.new_id(),
            "cmsLocaleId": self.about["cmsLocaleId"],
            "lastPublished": None,
            "lastUpdated": now,
            "createdOn": now,
            "isArchived": False,
            "isDraft": False,
            "fieldData": {},
            "collection": collection,
            "live": None,
            "deleted": False,
            "hand_made": False,
            "listed_archived": False,
            **given,
        }

    def new_id(self) -> str:
        return secrets.token_hex(12)

    def save(self, records: Iterable[Record], *, touch: bool = True) -> None:
        """Store records, all or none; `touch` moves `lastUpdated`."""
        saved = list(records)
        self._refresh()
        for record in saved:
            if touch:
                record["lastUpdated"] = self.now()
            before = self._records.get(self.key_of(record))
            if before is not None:
                self._owners.pop(_place_of(before, before["fieldData"]["slug"]), None)
        self._records.put_many((self.key_of(record), record) for record in saved)
        for record in saved:
            self._index(record)
        self._indexed_revision = self._records.revision

    def forget(self, record: Record) -> None:
        """Remove for good: the slug is free again."""
        self._records.delete(self.key_of(record))

    def _refresh(self) -> None:
        # A reset of the sandbox empties the table behind our back.
        if self._indexed_revision == self._records.revision:
            return
        self._owners, self._members, self._skus = {}, {}, {}
        for record in self._records.values():
            self._index(record)
        self._indexed_revision = self._records.revision

    def _index(self, record: Record) -> None:
        collection, item_id = record["collection"], record["id"]
        self._owners[_place_of(record, record["fieldData"]["slug"])] = item_id
        self._members.setdefault(collection, {})[self.key_of(record)] = None
        if collection == "sku" and not record["deleted"]:
            self._skus.setdefault(record["fieldData"]["product"], {})[item_id] = None

    # -- checking a write -------------------------------------------------------------------------------

    def writing(self, collection: str, *, skip_invalid_files: bool) -> Writing:
        """What the values of one request are checked against."""

        def exists(collection_id: str, item_id: str) -> bool:
            record = self._records.get(item_id)
            if record is None or record["deleted"]:
                return False
            return bool(self.schema(record["collection"])["id"] == collection_id)

        return Writing(
            currency=self.about["defaultCurrency"],
            is_store=collection in STORE_COLLECTIONS - {"category"},
            skip_invalid_files=skip_invalid_files,
            max_name_length=self.switch("max_name_length"),
            max_images=self.switch("max_images_per_field"),
            imports=FileImports(self.state, self.new_id),
            item_exists=exists,
        )

    def checked(self, record: Record, given: Any, writing: Writing, taken: set[str]) -> Record:
        """The record with `given` merged into its fields; fields that are not given stay.

        `taken` gathers the slugs of the request, which must differ from each other too.

        Raises:
            ApiError: 400 validation_error with one detail per field.
        """
        if not isinstance(given, dict):
            raise invalid("fieldData", "Expected value to be an object")
        fields = {field["slug"]: field for field in self.schema(record["collection"])["fields"]}
        result = dict(record["fieldData"])
        details = []
        for slug, value in given.items():
            if slug not in fields:
                details.append({"param": slug, "description": "Field not described in schema: undefined"})
                continue
            try:
                if slug == "slug":
                    result[slug] = self._checked_slug(record, value, taken)
                elif value is None:
                    accept_null(fields[slug], writing)
                    result[slug] = None
                else:
                    result[slug] = accept(fields[slug], value, writing)
            except FileRefused as refused:
                if not writing.skip_invalid_files:
                    details.append({"param": slug, "description": str(refused)})
            except ValueRefused as refused:
                details.append({"param": slug, "description": str(refused)})
        missing = [name for name, field in fields.items() if field["isRequired"] and result.get(name) is None]
        named = {detail["param"] for detail in details}
        details += [
            {"param": name, "description": "Value is required"} for name in missing if name not in named
        ]
        if details:
            raise ApiError(400, "validation_error", "Validation Error", details)
        return {**record, "fieldData": result}

    def _checked_slug(self, record: Record, given: Any, taken: set[str]) -> str:
        longest = self.switch("max_slug_length")
        value = str(given)
        if not isinstance(given, str) or not _SLUG.fullmatch(value):
            raise ValueRefused(f"Expected value to match the pattern {_SLUG.pattern}")
        if len(value) > longest:
            raise ValueRefused(f"Value is too long: must be at most {longest} characters")
        self._refresh()
        unchanged = record["fieldData"].get("slug") == value
        owner = self._owners.get(_place_of(record, value), record["id"])
        if (
            owner != record["id"]
            or value in taken
            or (unchanged and self.switch("unchanged_slug") == "refuse")
        ):
            if self.switch("duplicate_slug") == "refuse" or unchanged:
                raise ValueRefused(f"Unique value is already in database: '{value}'")
            value = f"{value}-x-{secrets.token_hex(3)[:5]}"
        taken.add(value)
        return value

    def has_slug(self, collection: str, slug: str) -> bool:
        """Also true for a slug that a deleted item reserves until the next site publish."""
        self._refresh()
        return (collection, self._primary, slug) in self._owners

    def keep_files(self, writing: Writing) -> None:
        """The files of a request that succeeded are now imported."""
        self.files.put_many(writing.imports.taken())

    def envelope(self, record: Record, *, live: bool = False, just_written: bool = False) -> Record:
        """An item as the API shows it: optional fields that are not set are null (Webflow dossier §2.2)."""
        content = record["live"] if live else record["fieldData"]
        slugs = [field["slug"] for field in self.schema(record["collection"])["fields"]]
        fields = {slug: content.get(slug) for slug in slugs}
        if just_written and self.switch("file_id_after_write") == "absent":
            fields = {slug: _without_file_id(value) for slug, value in fields.items()}
        names = ("id", "cmsLocaleId", "lastPublished", "lastUpdated", "createdOn", "isArchived", "isDraft")
        return {**{name: record[name] for name in names}, "fieldData": fields}


def _place_of(record: Record, slug: str) -> tuple[str, str, str]:
    """Slugs are unique in a collection and a locale."""
    return record["collection"], record["cmsLocaleId"], slug


def _without_file_id(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_file_id(each) for each in value]
    if isinstance(value, dict):
        return {key: each for key, each in value.items() if key != "fileId"}
    return value
