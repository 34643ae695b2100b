"""Webhooks as a destination: one POST per row, sent once (docs/destinations.md).

The ledger knows by key what was sent; `mode: upsert` sends a row again when it changed, `mode: once` never.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Any

from karvon.connections import rate_windows, webhook_connection, webhook_names
from karvon.rate_limits import RateWindow
from karvon.settings import Settings
from reverse_etl.destinations.webhook.channel import WebhookChannel
from reverse_etl.destinations.webhook.messages import message
from reverse_etl.destinations.webhook.options import WebhookOptions
from reverse_etl.spec.options import problems_of
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import digest
from reverse_etl.state.destination import (
    Channel,
    Opener,
    WithoutMirror,
    without_guards,
    without_shop_settings,
)
from reverse_etl.state.operations import Finding, Operation


class Webhook(WithoutMirror):
    """One receiver per connection."""

    def problems(self, sync: Sync) -> Iterator[str]:
        yield from without_shop_settings(sync)
        yield from problems_of(WebhookOptions, sync)
        yield from without_guards(
            sync, "max_removals", "max_read_age_hours", reason="what was sent cannot be taken back"
        )
        if sync.mode == "once":
            yield from without_guards(
                sync, "max_updates", "max_emptied", reason="`mode: once` never sends a row again"
            )
        if sync.mode not in ("once", "upsert"):
            yield "mode: write `once` (a row is sent when it appears) or `upsert` (again whenever it changed)"
        if sync.removal != "keep":
            yield "on_removal: what was sent cannot be taken back; leave it out"

    def channels(self, settings: Settings) -> Mapping[str, Opener]:
        return {name: partial(_opened, settings, name) for name in webhook_names(settings)}

    def rate_limits(self, settings: Settings) -> Sequence[RateWindow]:
        return rate_windows("6000/60" if settings.profile == "sandbox" else settings.webhook_rate_limits)

    def payload(
        self, sync: Sync, action: str, changes: Mapping[str, Any], values: Mapping[str, Any], known: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        options = WebhookOptions.model_validate(dict(sync.options))
        content = {"sync": sync.name, "action": action, "fields": dict(values)}
        named = (
            content if options.text is None and options.body is None else {**content, **values, "row": values}
        )
        return {"body": message(options.template, options.text, options.body, named)}

    def pack(
        self, operations: Sequence[Operation], syncs: Sequence[Sync]
    ) -> tuple[list[Operation], list[Finding]]:
        once = {sync.name: digest(dict(sync.options)) for sync in syncs if sync.mode == "once"}
        # One attempt per key: a message that failed for good stays failed when its row changes.
        named = [
            replace(one, payload_hash=digest([one.key, once[one.sync]])) if one.sync in once else one
            for one in operations
        ]
        return super().pack(named, syncs)


def _opened(settings: Settings, name: str, syncs: Mapping[str, Sync]) -> AbstractAsyncContextManager[Channel]:
    """Only now the address must be known. Raises `SettingsError`."""
    return WebhookChannel(webhook_connection(settings, name), syncs)
