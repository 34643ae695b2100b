"""An open site's CMS: calls of up to 100 items in, one outcome per item out (Webflow dossier §2.4, §2.5).

One bad item fails a whole bulk call and the answer does not say which: the call is split until it is alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from karvon.addresses import Exceptions
from karvon.connections import WebflowConnection
from karvon.http import NotFound, Refused, RemoteError
from karvon.rehearsal import Rehearsal
from reverse_etl.destinations.webflow import cms_lookup
from reverse_etl.destinations.webflow.client import JsonObject, WebflowClient
from reverse_etl.destinations.webflow.cms_packing import (
    ITEM,
    LIVE,
    REPLACED,
    SIBLINGS,
    is_published,
    kind,
    never_seen,
    place,
)
from reverse_etl.destinations.webflow.cms_values import item_id_of, item_record, remote_id_of
from reverse_etl.destinations.webflow.fields import REFERENCES
from reverse_etl.destinations.webflow.library import Library, Unsendable
from reverse_etl.destinations.webflow.refusals import is_about_image, outcome, outcomes, stops
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Known, Outcome, Record
from reverse_etl.state.operations import Operation


class _Waits(Exception):
    """Something that the operation needs is not on the site."""


class CmsChannel:
    """One site's collections; an async context manager."""

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
        prepared: list[Operation | Outcome] = []
        for operation in call:
            try:
                if (item := never_seen(operation)) and await cms_lookup.read(self._client, item):
                    raise _Waits(f"{item} is still there; read the mirror again")
                prepared.append(await self._library.ready(_resolved(operation, known)))
            except (_Waits, Unsendable) as reason:
                prepared.append(Outcome(operation, "deferred", error=str(reason)))
            except RemoteError as error:
                # Nothing was written: there is no doubt about the outcome.
                told = outcome(operation, error)
                in_doubt = told.status == "unknown"
                prepared.append(replace(told, status="failed", stops="outage") if in_doubt else told)
        return prepared

    async def send(self, call: Sequence[Operation]) -> list[Outcome]:
        try:
            return await self._send(call)
        except RemoteError as error:
            if len(call) > 1 and isinstance(error, Refused) and error.status in (400, 404):
                middle = len(call) // 2
                halves = await asyncio.gather(self.send(call[:middle]), self.send(call[middle:]))
                return [*halves[0], *halves[1]]
            if is_about_image(error):
                # Imports fail for reasons that pass (dossier §6.3).
                try:
                    return await self._send(call)
                except RemoteError as again:
                    error = again
            if isinstance(error, NotFound) and call[0].action == "create":
                there = (
                    "the item is not in this locale, and Webflow does not take it over; make it there by hand"
                )
                return [Outcome(one, "failed", error=there, permanent=True) for one in call]
            return outcomes(call, error)

    async def read(self, operation: Operation, known: Known) -> Mapping[str, Any] | None:
        entry = known.of(operation.sync, operation.key)
        if entry is None:
            return None
        return await cms_lookup.read(self._client, entry.remote_id)

    async def find(self, call: Sequence[Operation], known: Known) -> list[Outcome]:
        try:
            return await cms_lookup.find(self._client, self._syncs, call)
        except RemoteError as error:
            return [replace(outcome(one, error), status="unknown") for one in call]

    async def _send(self, call: Sequence[Operation]) -> list[Outcome]:
        sending: dict[str, Callable[[Sequence[Operation]], Awaitable[list[Outcome]]]] = {
            "create": self._create, "update": self._update, "publish": self._publish,
            "archive": self._archive, "unpublish": self._unpublish, "delete": self._delete,
        }  # fmt: skip
        act = sending.get(kind(call[0]))
        return await act(call) if act else [_done(one, {}) for one in call]

    async def _create(self, call: Sequence[Operation]) -> list[Outcome]:
        collection = _collection(call)
        siblings = call[0].payload.get(SIBLINGS)
        if siblings:
            body = {**_flags(call[0]), "cmsLocaleIds": siblings, "fieldData": [_data(one) for one in call]}
            answered = await self._client.create_in_locales(collection, body)
        else:
            live = bool(call[0].payload[LIVE]) and not call[0].payload.get("isDraft")
            items = [{**_flags(one), "fieldData": _data(one)} for one in call]
            answered = await self._client.create_items(collection, items, live=live)
        return cms_lookup.created(self._syncs, call, answered)

    async def _update(self, call: Sequence[Operation]) -> list[Outcome]:
        """Straight to the live site where the items are there already; else staged, and published after."""
        items = [{**_address(one), **_flags(one), "fieldData": _data(one)} for one in call]
        live = bool(call[0].payload.get(LIVE))
        if live and is_published(call[0]):
            try:
                return self._answered(
                    call, await self._client.update_items(_collection(call), items, live=True)
                )
            except Refused as error:
                # Unpublished meanwhile: one such item refuses the whole call (dossier §0.12).
                if error.status != 409 or stops(error) != "no":
                    raise
        changed = self._answered(call, await self._client.update_items(_collection(call), items, live=False))
        # An archived item takes what is written and cannot be published.
        waiting = [one for one in changed if live and one.status == "done" and not _is_archived(one)]
        if not waiting:
            return changed
        seqs = {one.operation.seq for one in waiting}
        published = await self._publish([one.operation for one in waiting], changed)
        return [*(one for one in changed if one.operation.seq not in seqs), *published]

    async def _publish(self, call: Sequence[Operation], changed: Sequence[Outcome] = ()) -> list[Outcome]:
        """A 202 says nothing about single items: its body does (dossier §0.13)."""
        answer = await self._client.publish_items(_collection(call), [_publishing(one) for one in call])
        published = set(answer.get("publishedItemIds") or [])
        errors = [str(one) for one in answer.get("errors") or []]
        records = {one.operation.seq: one.record for one in changed}
        return [self._published(one, published, errors, records.get(one.seq)) for one in call]

    def _published(
        self, operation: Operation, published: set[str], errors: Sequence[str], record: Record | None
    ) -> Outcome:
        item_id = _item_id(operation)
        said = next((one for one in errors if item_id in one), None)
        if said is None and item_id in published:
            shown = record or Record(remote_id_of(place(operation), item_id), None, {})
            values = {**shown.values, "isPublished": True}
            extras = {**operation.extras, **shown.extras, "published": True}
            return Outcome(operation, "done", record=replace(shown, values=values, extras=extras))
        words = said or "; ".join(errors) or "the shop did not say that it was published"
        return Outcome(
            operation, "failed", error=words, error_field="isPublished", permanent=said is not None
        )

    async def _archive(self, call: Sequence[Operation]) -> list[Outcome]:
        await self._off_the_live_site(call)
        items = [{**_address(one), **_flags(one)} for one in call]
        await self._client.update_items(_collection(call), items, live=False)
        return [Outcome(one, "done") for one in call]

    async def _unpublish(self, call: Sequence[Operation]) -> list[Outcome]:
        await self._client.remove_items(_collection(call), [_removing(one) for one in call], live=True)
        return [Outcome(one, "done") for one in call]

    async def _delete(self, call: Sequence[Operation]) -> list[Outcome]:
        await self._off_the_live_site(call)
        await self._client.remove_items(_collection(call), [_removing(one) for one in call], live=False)
        return [Outcome(one, "done") for one in call]

    async def _off_the_live_site(self, call: Sequence[Operation]) -> None:
        """A staged removal alone leaves the page visible until the next site publish (dossier §2.5)."""
        if not call[0].payload.get(LIVE) or not is_published(call[0]):
            return
        try:
            await self._unpublish(call)
        except NotFound:
            if len(call) > 1:
                raise

    def _answered(self, call: Sequence[Operation], items: Sequence[JsonObject]) -> list[Outcome]:
        by_id = {str(item["id"]): item for item in items}
        return [
            Outcome(
                one, "done", record=item_record(self._syncs[one.sync], place(one), by_id[_item_id(one)], None)
            )
            if _item_id(one) in by_id
            else Outcome(one, "unknown", error=cms_lookup.UNNAMED)
            for one in call
        ]


def _is_archived(outcome: Outcome) -> bool:
    return outcome.record is not None and outcome.record.archived


def _resolved(operation: Operation, known: Known) -> Operation:
    """With ids in the place of symbols. Raises `_Waits`."""
    payload = {**operation.payload}
    remote_id = operation.remote_id
    if kind(operation) in ("update", "publish") and remote_id is None:
        # The row's own item, made a moment ago, or the item of the primary locale that this is another locale of.
        item = known.of(operation.sync, operation.key) or known.of(
            operation.parent_sync, operation.parent_key
        )
        if item is None or item.remote_id == payload.get(REPLACED):
            raise _Waits(f"its item {operation.parent_key or operation.key} is not on the site")
        payload[ITEM] = item_id_of(item.remote_id)
    if data := payload.get("fieldData"):
        payload["fieldData"] = {name: _reference(value, known) for name, value in data.items()}
    return replace(operation, payload=payload)


def _reference(value: Any, known: Known) -> Any:
    if not isinstance(value, Mapping) or REFERENCES not in value:
        return value
    symbol = value[REFERENCES]
    entries = {key: known.of(symbol["sync"], key) for key in symbol["keys"]}
    if missing := [key for key, entry in entries.items() if entry is None]:
        raise _Waits(f"{', '.join(missing[:3])} of {symbol['sync']} is not in the shop")
    ids = [item_id_of(entry.remote_id) for entry in entries.values() if entry is not None]
    return next(iter(ids), None) if symbol["single"] else ids


def _collection(call: Sequence[Operation]) -> str:
    return place(call[0]).partition("/")[0]


def _item_id(operation: Operation) -> str:
    return str(operation.payload.get(ITEM) or item_id_of(operation.remote_id or ""))


def _address(operation: Operation) -> JsonObject:
    locale = place(operation).partition("/")[2]
    return {"id": _item_id(operation), **({"cmsLocaleId": locale} if locale else {})}


def _removing(operation: Operation) -> JsonObject:
    locale = place(operation).partition("/")[2]
    return {"id": _item_id(operation), **({"cmsLocaleIds": [locale]} if locale else {})}


_publishing = _removing


def _flags(operation: Operation) -> JsonObject:
    return {name: operation.payload[name] for name in ("isDraft", "isArchived") if name in operation.payload}


def _data(operation: Operation) -> JsonObject:
    return dict(operation.payload.get("fieldData") or {})


def _done(operation: Operation, values: Mapping[str, Any]) -> Outcome:
    return Outcome(operation, "done", record=Record(operation.remote_id or "", None, values))
