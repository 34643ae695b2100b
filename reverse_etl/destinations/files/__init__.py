"""Files as a destination: a model as CSV, XLSX or Parquet in a folder (docs/destinations.md).

One operation is one file: it is complete or not there (`reverse_etl.sets` keeps the rows).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from karvon.connections import files_connections
from karvon.rate_limits import RateWindow
from karvon.settings import Settings
from karvon.warehouse import Warehouse
from reverse_etl.destinations.files.channel import FilesChannel
from reverse_etl.destinations.files.options import FileOptions
from reverse_etl.spec.options import problems_of
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Opener, WithoutMirror, without_guards, without_shop_settings


class Files(WithoutMirror):
    """One folder per connection."""

    takes_sets = True

    def problems(self, sync: Sync) -> Iterator[str]:
        yield from without_shop_settings(sync)
        yield from problems_of(FileOptions, sync)
        yield from without_guards(
            sync, "max_price_change", "max_emptied", reason="a file goes out whole and holds no single row"
        )
        if sync.cap:
            yield "cap: a file is one call; leave it out"
        if sync.mode != "mirror" or sync.on_removal == "keep":
            yield "mode: a file is as the model is, rows that left it included; write `mode: mirror`"
        is_key_there = any(field.column == sync.key for field in sync.fields)
        if sync.options.get("export") == "changes" and not is_key_there:
            yield f"export: changes names removed rows by their key; give the column {sync.key} a `field`"
        if any(field.field == "_action" for field in sync.fields):
            yield "field _action: the name is taken; choose another"

    def channels(self, settings: Settings) -> Mapping[str, Opener]:
        warehouse = Warehouse.of(settings)
        return {
            name: partial(FilesChannel, self, folder, warehouse)
            for name, folder in files_connections(settings).items()
        }

    def rate_limits(self, settings: Settings) -> Sequence[RateWindow]:
        return ()

    def payload(
        self, sync: Sync, action: str, changes: Mapping[str, Any], values: Mapping[str, Any], known: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        raise AssertionError("a set has no rows of its own to make bodies of")
