"""The Webflow store while planning: reading landed documents and building request bodies.

Records of the three resources come from `raw_webflow`: categories are items of a collection, a product's
document holds its SKUs, stock is a document of its own (Webflow dossier §1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from karvon.addresses import Exceptions
from karvon.connections import webflow_connections
from karvon.rate_limits import RateWindow
from karvon.settings import Settings
from karvon.warehouse import Dialect, Session
from reverse_etl.destinations.webflow import field_types, packing
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.destinations.webflow.fields import ENVELOPE, encode
from reverse_etl.destinations.webflow.records import category_record, default_sku, product_record, sku_record
from reverse_etl.planning import images
from reverse_etl.spec.problems import MappingProblem
from reverse_etl.spec.states import DRAFT
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Bound, Opener, Record
from reverse_etl.state.operations import Finding, Operation

DEFAULT_SKU = "$default_sku"


class WebflowStore:
    """Products, SKUs with stock, and categories of one site per connection."""

    resources: Collection[str] = frozenset({"categories", "products", "skus"})
    takes_sets = False

    def problems(self, sync: Sync) -> Iterator[str]:
        if sync.options:
            yield "options: webflow_store has none; remove them"
        if sync.cap:
            yield "cap: a product and its SKUs go together; use guards, or `karvon run --limit`"

    def channels(self, settings: Settings) -> Mapping[str, Opener]:
        exceptions = Exceptions(settings.profile == "sandbox", settings.reachable_private_hosts)
        return {
            name: partial(StoreChannel, site, exceptions=exceptions)
            for name, site in webflow_connections(settings).items()
        }

    def rate_limits(self, settings: Settings) -> Sequence[RateWindow]:
        return [window for site in webflow_connections(settings).values() for window in site.rate_limits]

    def mapping_problems(self, session: Session, sync: Sync) -> Sequence[MappingProblem]:
        return field_types.mapping_problems(session, sync)

    def bind(self, session: Session, sync: Sync, syncs: Mapping[str, Sync]) -> Bound:
        return Bound(sync, self, tuple(self.mapping_problems(session, sync)))

    def container(self, sync: Sync, row: Mapping[str, Any]) -> str | None:
        return None

    def container_of(self, remote_id: str) -> str | None:
        return None

    def referred_id(self, remote_id: str) -> str:
        return remote_id

    def fault(self, sync: Sync, row: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, str] | None:
        return None

    def mirror(self, sync: Sync) -> str:
        return "raw_webflow.categories" if sync.resource == "categories" else "raw_webflow.products"

    def stock_mirror(self, sync: Sync) -> str | None:
        return "raw_webflow.inventory" if sync.resource == "skus" else None

    def document_of(self, sync: Sync) -> Literal["remote_id", "parent_remote_id"]:
        return "parent_remote_id" if sync.resource == "skus" else "remote_id"

    def record(self, sync: Sync, document: Mapping[str, Any], remote_id: str) -> Record | None:
        if sync.resource == "categories":
            return category_record(sync, document)
        if sync.resource == "products":
            return product_record(sync, document["product"], document.get("skus") or [])
        sku = next((one for one in document.get("skus") or [] if one["id"] == remote_id), None)
        return None if sku is None else sku_record(sync, sku, document["product"])

    def codes(self, sync: Sync, document: Mapping[str, Any], remote_id: str, name: str) -> Collection[str]:
        items = [document] if sync.resource == "categories" else document.get("skus") or []
        if sync.resource == "skus" and remote_id != document["product"]["id"]:
            items = [one for one in items if one["id"] == remote_id]
        found = [(one.get("fieldData") or {}).get(name) for one in items]
        return [str(value) for value in found if value]

    def default_child(self, document: Mapping[str, Any]) -> tuple[str, int]:
        skus = document.get("skus") or []
        return default_sku(document["product"], skus) or "", len(skus)

    def identifiers(self, sync: Sync, dialect: Dialect, latest: str) -> str:
        names = [
            name
            for name in dict.fromkeys((*sync.match, "slug", "sku"))
            if name.replace("-", "_").isidentifier()
        ]

        def text(value: str, path: str) -> str:
            if dialect == "duckdb":
                return f"json_extract_string({value}, '$.{path}')"
            return f"(CAST({value} AS json) #>> '{{{path.replace('.', ',')}}}')"

        if sync.resource != "skus":
            prefix = "" if sync.resource == "categories" else "product."
            return " UNION ALL ".join(
                f"SELECT document_key AS remote_id, CAST(NULL AS text) AS parent_remote_id, '{name}' AS name, "
                f"{text('document', f'{prefix}fieldData.{name}')} AS value FROM {latest}"
                for name in names
            )
        each = (
            """unnest(from_json(json_extract(document, '$.skus'), '["JSON"]')) AS sku (item)"""
            if dialect == "duckdb"
            else "json_array_elements(CAST(document AS json) -> 'skus') AS sku (item)"
        )
        return " UNION ALL ".join(
            f"SELECT {text('item', 'id')} AS remote_id, document_key AS parent_remote_id, '{name}' AS name, "
            f"{text('item', f'fieldData.{name}')} AS value FROM {latest} CROSS JOIN {each}"
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
        # Publishing a draft would show what somebody took out of sight.
        publish = {"publishStatus": "staging" if changes.get(DRAFT) else sync.publish}
        if action == "archive" and sync.resource == "skus":
            # There is no way to delete a SKU (dossier §1.2): one that cannot be bought is as good as gone.
            return {"quantity": 0, "seen": None, "on_moved": "set", "is_new": False}
        if action == "archive":
            return {**publish, "isArchived": True}
        if action == "delete":
            return {}
        send = dict(changes)
        if sync.resource == "skus" and action != "create":
            # A PATCH of a SKU is asked to carry them; a slug sent unchanged has been refused (dossier §1.1, §6.1).
            send |= {name: values[name] for name in ("name", "price") if name in values}
        payload = {
            **publish,
            **{name: changes[name] for name in sorted(ENVELOPE & set(changes))},
            "fieldData": encode(sync, send, known.get("sku_properties") or []),
        }
        if action == "create" and sync.resource == "categories":
            # Items are drafts by default and would never be published (dossier §2.3).
            payload.setdefault("isDraft", False)
        if sync.resource == "products" and action != "create":
            payload[DEFAULT_SKU] = known.get("default_sku")
        return payload

    def pack(
        self, operations: Sequence[Operation], syncs: Sequence[Sync]
    ) -> tuple[list[Operation], list[Finding]]:
        return packing.pack(operations)

    def extra_requests(self, operations: Sequence[Operation]) -> int:
        return packing.extra_requests(operations) + images.marked(operations)
