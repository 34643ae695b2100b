"""CMS collections while planning: any sync into any collection, typed by the live schema (Webflow dossier §2).

Items come from `raw_webflow.collection_items`, collections from `raw_webflow.collections`, locales from
`raw_webflow.sites`. Everything here is computed from the warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from karvon.addresses import Exceptions
from karvon.connections import webflow_connections
from karvon.rate_limits import RateWindow
from karvon.settings import Settings
from karvon.warehouse import Dialect, Session
from reverse_etl.destinations.webflow import cms_packing
from reverse_etl.destinations.webflow.cms_faults import first_fault
from reverse_etl.destinations.webflow.cms_schema import (
    ENVELOPE,
    landed_locales,
    slug_of_row,
    typed,
)
from reverse_etl.destinations.webflow.cms_values import encode, item_id_of, item_record, place_of
from reverse_etl.destinations.webflow.field_types import Collection, read_collections
from reverse_etl.spec.problems import MappingProblem
from reverse_etl.spec.states import PUBLISHED
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import WrongValue
from reverse_etl.state.destination import Bound, Opener, Record
from reverse_etl.state.operations import Finding, Operation


@dataclass(frozen=True)
class WebflowCms:
    """Items of the CMS collections of one site per connection. Unbound, it knows no collection."""

    collections: Mapping[str, Collection] = field(default_factory=dict)
    """By slug: those that the sync feeds."""
    primary_locale: str | None = None
    locales: Mapping[str, str] = field(default_factory=dict)
    """Tag or cmsLocaleId → cmsLocaleId of the secondary locales."""
    resources: frozenset[str] = frozenset({"rows"})
    takes_sets: bool = False

    def problems(self, sync: Sync) -> Iterator[str]:
        if sync.options:
            yield "options: webflow_cms has none; remove them"
        if sync.cap:
            yield "cap: items go in bulk; use guards, or `karvon run --limit`"

    def channels(self, settings: Settings) -> Mapping[str, Opener]:
        # The channel reads records with the functions of this package.
        from reverse_etl.destinations.webflow.cms_channel import CmsChannel

        exceptions = Exceptions(settings.profile == "sandbox", settings.reachable_private_hosts)
        return {
            name: partial(CmsChannel, site, exceptions=exceptions)
            for name, site in webflow_connections(settings).items()
        }

    def rate_limits(self, settings: Settings) -> Sequence[RateWindow]:
        return [window for site in webflow_connections(settings).values() for window in site.rate_limits]

    def bind(self, session: Session, sync: Sync, syncs: Mapping[str, Sync]) -> Bound:
        known = {one.slug: one for one in read_collections(session, sync.site)}
        fitting, problems = typed(sync, known, syncs)
        primary, locales = landed_locales(session, sync.site) if sync.locale else (None, {})
        own = {slug: known[slug] for slug in sync.collections if slug in known}
        return Bound(fitting, WebflowCms(own, primary, locales), tuple(problems), stands_alone=True)

    def mapping_problems(self, session: Session, sync: Sync) -> Sequence[MappingProblem]:
        return self.bind(session, sync, {}).problems

    def container(self, sync: Sync, row: Mapping[str, Any]) -> str | None:
        slug = slug_of_row(sync, row)
        collection = self.collections.get(slug or "")
        if collection is None:
            raise WrongValue(
                f"{sync.file}: the row asks for the collection {slug!r}, but the sync feeds "
                f"{', '.join(sync.collections)}; list it in `collection: {{among: […]}}`"
            )
        tag = row[sync.locale] if sync.locale else None
        if not tag:
            return collection.id
        if str(tag) not in self.locales:
            raise WrongValue(
                f"{sync.file}: {tag!r} in {sync.locale} is no secondary locale of the site; it has "
                f"{', '.join(self.locales) or 'none'} (null is the primary one)"
            )
        return f"{collection.id}/{self.locales[str(tag)]}"

    def container_of(self, remote_id: str) -> str | None:
        return place_of(remote_id)

    def referred_id(self, remote_id: str) -> str:
        return item_id_of(remote_id)

    def fault(self, sync: Sync, row: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, str] | None:
        return first_fault(sync, self.collections[slug_of_row(sync, row) or ""], values)

    def mirror(self, sync: Sync) -> str:
        return "raw_webflow.collection_items"

    def stock_mirror(self, sync: Sync) -> str | None:
        return None

    def document_of(self, sync: Sync) -> Literal["remote_id", "parent_remote_id"]:
        return "remote_id"

    def record(self, sync: Sync, document: Mapping[str, Any], remote_id: str) -> Record | None:
        return item_record(sync, place_of(remote_id), document, self._collection(remote_id))

    def codes(self, sync: Sync, document: Mapping[str, Any], remote_id: str, name: str) -> Sequence[str]:
        value = (document.get("fieldData") or {}).get(name)
        # Values are compared with their container before them, as `identifiers` gives them.
        return [f"{place_of(remote_id)}/{value}"] if value else []

    def default_child(self, document: Mapping[str, Any]) -> tuple[str, int]:
        return "", 0

    def identifiers(self, sync: Sync, dialect: Dialect, latest: str) -> str:
        names = [name for name in sync.match if name.replace("-", "_").isidentifier()]
        ids = ", ".join(f"'{collection.id}'" for collection in self.collections.values())

        def text(*path: str) -> str:
            if dialect == "duckdb":
                quoted = ".".join(f'"{part}"' for part in path)
                return f"json_extract_string(document, '$.{quoted}')"
            return f"(CAST(document AS json) #>> '{{{','.join(path)}}}')"

        locale = (
            f"CASE WHEN {text('secondaryLocale')} IS NOT NULL THEN '/' || {text('cmsLocaleId')} ELSE '' END"
        )
        return " UNION ALL ".join(
            f"SELECT document_key AS remote_id, CAST(NULL AS text) AS parent_remote_id, '{name}' AS name, "
            f"{text('collectionId')} || {locale} || '/' || {text('fieldData', name)} AS value FROM {latest} "
            f"WHERE {text('collectionId')} IN ({ids})"
            for name in names
        )

    def payload(
        self,
        sync: Sync,
        action: str,
        changes: Mapping[str, Any],
        values: Mapping[str, Any],
        known: Mapping[str, Any],
    ) -> dict[str, Any]:
        if action in ("archive", "unpublish", "delete"):
            archived = {"isArchived": True} if action == "archive" else {}
            return {**archived, cms_packing.LIVE: sync.publish == "live"}
        envelope = {name: bool(changes[name]) for name in ENVELOPE if name in changes}
        if action in ("create", "unarchive"):
            # Items are drafts by default and would never be published (dossier §2.3).
            envelope.setdefault("isDraft", bool(values.get("isDraft")))
        place = known["container"]
        stays_archived = bool(envelope.get("isArchived", known.get("archived")))
        collection = self._collection(place)
        return {
            **envelope,
            "fieldData": encode(sync, changes, collection) if collection else {},
            cms_packing.PLACE: place,
            cms_packing.LIVE: values.get(PUBLISHED) is True and not stays_archived,
            **({cms_packing.PRIMARY: self.primary_locale} if sync.locale else {}),
        }

    def pack(
        self, operations: Sequence[Operation], syncs: Sequence[Sync]
    ) -> tuple[list[Operation], list[Finding]]:
        return cms_packing.pack(operations), []

    def extra_requests(self, operations: Sequence[Operation]) -> int:
        return 0

    def _collection(self, place_or_id: str) -> Collection | None:
        wanted = place_or_id.partition("/")[0]
        return next((one for one in self.collections.values() if one.id == wanted), None)
