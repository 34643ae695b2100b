"""What these commands share: the project's syncs, and answers for people and for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click
import orjson
from rich.table import Table

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.cli.display import table_console
from orchestration.cli.session import opened
from reverse_etl.spec.syncs import Sync

as_json_option: Callable[..., Callable[..., None]] = click.option(
    "--json", "as_json", is_flag=True, help="As JSON."
)


def project_syncs() -> tuple[Settings, Warehouse, tuple[Sync, ...]]:
    """What most of these commands begin with. Raises `SyncError` for wrong YAML."""
    from orchestration.dbt import read_manifest
    from reverse_etl.spec.manifest import read_syncs

    settings, warehouse = opened()
    read_manifest(settings, warehouse)
    syncs = read_syncs(settings.manifest_path, settings.profile)
    # Files and messages have no fields that somebody else declares.
    return settings, warehouse, tuple(sync for sync in syncs if sync.destination.startswith("webflow"))


def say_json(content: object) -> None:
    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))


def say_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table that fits a terminal, and is not cut where there is none."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    table_console().print(table, markup=False, highlight=False)
