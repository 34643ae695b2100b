"""An open Webflow store: calls in, outcomes out (Webflow dossier §1).

`prepare` puts ids in the place of symbols and reads stocks; `send` writes; `find` tells what became of writes
whose answer never came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from karvon.addresses import Exceptions
from karvon.connections import WebflowConnection
from karvon.http import NotFound, RemoteError
from karvon.rehearsal import Rehearsal
from reverse_etl.destinations.webflow import lookup, stock
from reverse_etl.destinations.webflow.client import JsonObject, WebflowClient
from reverse_etl.destinations.webflow.cms_lookup import matched
from reverse_etl.destinations.webflow.cms_values import item_id_of
from reverse_etl.destinations.webflow.fields import OPTIONS, REFERENCES, option_ids
from reverse_etl.destinations.webflow.library import Library, Unsendable
from reverse_etl.destinations.webflow.records import product_record, sku_record
from reverse_etl.destinations.webflow.refusals import (
    can_be_split,
    is_about_image,
    outcome,
    outcomes,
    wants_slug,
)
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Known, Outcome, Record
from reverse_etl.state.operations import Operation

_SLUG = "$slug"
_PARENT = "$product"


class _Waits(Exception):
    """Something that the operation needs is not in the shop."""


class StoreChannel:
    """One site's store; an async context manager."""

    def __init__(
        self,
        site: WebflowConnection,
        syncs: Mapping[str, Sync],
        rehearsal: Rehearsal | None = None,
        exceptions: Exceptions = Exceptions(),  # noqa: B008 - frozen
    ) -> None:
        self._client = WebflowClient(site, rehearsal)
        self._library = Library(self._client, exceptions, is_rehearsal=rehearsal is not None)
        self._syncs = syncs
        self._properties: dict[str, Sequence[Mapping[str, Any]]] = {}
        self._slug_is_needed = False

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    @property
    def requests(self) -> int:
        return self._client.requests

    @property
    def throttled(self) -> int:
        return self._client.throttled

    async def prepare(self, call: Sequence[Operation], known: Known) -> list[Operation | Outcome]:
        try:
            if any(one.resource == "categories" or one.action == "delete" or one.is_stock for one in call):
                await self._client.find_collections()
            if call[0].is_stock:
                return [await stock.prepare(self._client, one, known) for one in call]
            if (there := await self._still_there(call)) is not None:
                return there
            ready = [await self._with_files(one) for one in call]
        except RemoteError as error:
            # Nothing was written: there is no doubt about the outcome.
            return [
                replace(one, status="failed", stops="outage") if one.status == "unknown" else one
                for one in outcomes(call, error)
            ]
        prepared: list[Operation | Outcome] = []
        for operation in ready:
            if isinstance(operation, Outcome):
                prepared.append(operation)
                continue
            try:
                prepared.append(self._resolved(operation, call, known))
            except _Waits as waits:
                prepared.append(Outcome(operation, "deferred", error=str(waits)))
        if _together(call) and any(isinstance(one, Outcome) for one in prepared):
            reason = next(one.error for one in prepared if isinstance(one, Outcome))
            return [Outcome(one, "deferred", error=reason) for one in call]
        return prepared

    async def send(self, call: Sequence[Operation]) -> list[Outcome]:
        first = call[0]
        if all(one.action == "adopt" and not one.changes for one in call):
            return [_done_unseen(one) for one in call]
        try:
            return await self._send(call)
        except RemoteError as error:
            if is_about_image(error):
                try:
                    return await self._send(call)
                except RemoteError as again:
                    error = again
            if len(call) > 1 and can_be_split(error, first) and not _together(call):
                middle = 1 if first.resource == "products" else len(call) // 2
                return [*await self.send(call[:middle]), *await self.send(call[middle:])]
            return outcomes(call, error)

    async def read(self, operation: Operation, known: Known) -> Mapping[str, Any] | None:
        entry = known.of(operation.sync, operation.key)
        if entry is None:
            return None
        try:
            if operation.resource == "categories":
                await self._client.find_collections()
                return await self._client.item("category", entry.remote_id)
            return await self._client.product(entry.parent_remote_id or entry.remote_id)
        except NotFound:
            return None

    async def find(self, call: Sequence[Operation], known: Known) -> list[Outcome]:
        try:
            await self._client.find_collections()
            return await lookup.find(self._client, self._syncs, call, known)
        except RemoteError as error:
            return [replace(outcome(one, error), status="unknown") for one in call]

    async def _with_files(self, operation: Operation) -> Operation | Outcome:
        try:
            return await self._library.ready(operation)
        except Unsendable as reason:
            return Outcome(operation, "deferred", error=str(reason))

    async def _still_there(self, call: Sequence[Operation]) -> list[Operation | Outcome] | None:
        """A record that the mirror says is gone is made again only if it really is."""
        remote_id = call[0].remote_id
        if call[0].action != "create" or not remote_id:
            return None
        try:
            if call[0].resource == "categories":
                await self._client.item("category", remote_id)
            elif call[0].resource == "products":
                await self._client.product(remote_id)
            else:
                return None
        except NotFound:
            return None
        return [
            Outcome(one, "deferred", error=f"{remote_id} is still there; read the mirror again")
            for one in call
        ]

    def _resolved(self, operation: Operation, call: Sequence[Operation], known: Known) -> Operation:
        payload = {**operation.payload}
        parent = known.of(operation.parent_sync, operation.parent_key)
        if operation.resource == "skus" and call[0].resource == "products":
            payload[_PARENT] = call[0].remote_id
        elif operation.resource == "skus":
            if parent is None:
                raise _Waits(f"its product {operation.parent_key} is not in the shop")
            payload[_PARENT] = parent.remote_id
            self._properties[parent.remote_id] = parent.extras.get("sku_properties") or []
        entry = known.of(operation.sync, operation.key)
        if operation.resource == "skus" and entry is not None and operation.action != "create":
            payload[_SLUG] = entry.answered.get("slug")
        data = payload.get("fieldData")
        if data:
            payload["fieldData"] = {
                name: self._value(value, operation, call, payload, known) for name, value in data.items()
            }
        return replace(operation, payload=payload)

    def _value(
        self, value: Any, operation: Operation, call: Sequence[Operation], payload: JsonObject, known: Known
    ) -> Any:
        if not isinstance(value, Mapping):
            return value
        if REFERENCES in value:
            symbol = value[REFERENCES]
            entries = {key: known.of(symbol["sync"], key) for key in symbol["keys"]}
            if missing := [key for key, entry in entries.items() if entry is None]:
                raise _Waits(f"{', '.join(missing[:3])} of {symbol['sync']} is not in the shop")
            ids = [item_id_of(entry.remote_id) for entry in entries.values() if entry is not None]
            return next(iter(ids), None) if symbol.get("single") else ids
        if OPTIONS in value:
            if _together(call):
                properties = call[0].payload["fieldData"].get("sku-properties") or []
            else:
                properties = self._properties[payload[_PARENT]]
            try:
                return option_ids(value[OPTIONS], properties)
            except KeyError as missing:
                raise _Waits(f"its product has no option {missing.args[0]}") from None
        return value

    async def _send(self, call: Sequence[Operation]) -> list[Outcome]:
        first = call[0]
        if first.is_stock:
            return [await stock.send(self._client, one) for one in call]
        if first.action == "delete":
            collection = {"categories": "category", "products": "product", "skus": "sku"}[first.resource]
            gone = [{"id": one.remote_id} for one in call]
            await self._client.remove_items(self._client.collection(collection), gone, live=False)
            return [Outcome(one, "done") for one in call]
        if first.resource == "categories":
            return await self._send_categories(call)
        if first.resource == "products":
            return await (
                self._create_product(call) if first.action == "create" else self._update_product(call)
            )
        return await self._create_skus(call) if first.action == "create" else [await self._update_sku(first)]

    async def _send_categories(self, call: Sequence[Operation]) -> list[Outcome]:
        collection = self._client.collection("category")
        live = call[0].payload.get("publishStatus") == "live"
        if call[0].action == "create":
            items = await self._client.create_items(collection, [_part(one) for one in call], live=live)
            answered = matched(call, items)
        else:
            changed = [{"id": one.remote_id, **_part(one)} for one in call]
            items = await self._client.update_items(collection, changed, live=live)
            by_id = {item["id"]: item for item in items}
            answered = {one.seq: by_id[one.remote_id] for one in call if one.remote_id in by_id}
        return lookup.categories(self._syncs, call, answered)

    async def _create_product(self, call: Sequence[Operation]) -> list[Outcome]:
        product, sku = call
        answer = await self._client.create_product(
            {**_publish(product), "product": _part(product), "sku": _part(sku)}
        )
        return lookup.created(self._syncs, call, answer)

    async def _update_product(self, call: Sequence[Operation]) -> list[Outcome]:
        product, *skus = call
        body = {**_publish(product), "product": _part(product)}
        if skus:
            body["sku"] = self._sku_part(skus[0])
        answer = await self._client.update_product(product.remote_id or "", body)
        record = product_record(self._syncs[product.sync], answer, ())
        self._properties[record.remote_id] = record.extras["sku_properties"]
        return [Outcome(product, "done", record=record), *(_done_unseen(sku) for sku in skus)]

    async def _create_skus(self, call: Sequence[Operation]) -> list[Outcome]:
        product_id = call[0].payload[_PARENT]
        body = {**_publish(call[0]), "skus": [_part(one) for one in call]}
        answer = await self._client.create_skus(product_id, body)
        product = self._as_product(product_id)
        return [
            lookup.sku_outcome(self._syncs, one, answer, product, place) for place, one in enumerate(call)
        ]

    async def _update_sku(self, operation: Operation) -> Outcome:
        product_id, sku_id = operation.payload[_PARENT], operation.remote_id or ""
        try:
            answer = await self._client.update_sku(
                product_id, sku_id, {**_publish(operation), "sku": self._sku_part(operation)}
            )
        except RemoteError as error:
            if self._slug_is_needed or not wants_slug(error):
                raise
            self._slug_is_needed = True
            answer = await self._client.update_sku(
                product_id, sku_id, {**_publish(operation), "sku": self._sku_part(operation)}
            )
        record = sku_record(self._syncs[operation.sync], answer, self._as_product(product_id))
        return Outcome(operation, "done", record=record)

    def _sku_part(self, operation: Operation) -> JsonObject:
        part = _part(operation)
        slug = operation.payload.get(_SLUG)
        if self._slug_is_needed and slug:
            part["fieldData"] = {"slug": slug, **part["fieldData"]}
        return part

    def _as_product(self, product_id: str) -> JsonObject:
        return {"id": product_id, "fieldData": {"sku-properties": self._properties.get(product_id) or []}}


def _done_unseen(operation: Operation) -> Outcome:
    """Done, without an answer that shows the record."""
    parent = operation.payload.get(_PARENT)
    return Outcome(operation, "done", record=Record(operation.remote_id or "", parent, {}))


def _together(call: Sequence[Operation]) -> bool:
    """A product and its default SKU are created by one call that cannot be split."""
    return call[0].resource == "products" and call[0].action == "create"


def _publish(operation: Operation) -> JsonObject:
    return {"publishStatus": operation.payload.get("publishStatus", "staging")}


def _part(operation: Operation) -> JsonObject:
    return {
        name: operation.payload[name]
        for name in ("isArchived", "isDraft", "fieldData")
        if name in operation.payload
    }
