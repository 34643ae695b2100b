"""`karvon explain`: one row from the source document to the live value, with every reason it waits."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from orchestration.cli.session import opened, plain_errors

_COLUMNS = {
    "field": "field",
    "source": "document",
    "view": "view",
    "live": "live",
    "state": "state",
    "written_at": "written",
}


@click.command("explain")
@click.argument("key")
@click.option("--all", "every", is_flag=True, help="All fields, also those that are as they should be.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plain_errors
def explain_command(key: str, every: bool, as_json: bool) -> None:
    """Why KEY (a key or a SKU code) is not on the site, or why it shows what it shows. Nothing is written."""
    from orchestration.built import caution
    from orchestration.dbt import read_manifest
    from reports.explanation import explained, text
    from reverse_etl.destinations import DESTINATIONS
    from reverse_etl.review.lineage import read_lineage
    from reverse_etl.spec.manifest import read_syncs

    settings, warehouse = opened()
    read_manifest(settings, warehouse)
    syncs = read_syncs(settings.manifest_path, settings.profile)
    if note := caution(settings, warehouse, syncs):
        click.echo(note, err=True)
    found = explained(warehouse, syncs, DESTINATIONS, read_lineage(settings.manifest_path, syncs), key)
    if as_json:
        click.echo(json.dumps(found, default=str, indent=2))
        return
    console = Console()
    for one in found:
        if not (one["reasons"] or one["is_asked"] or every):
            click.echo(f"{one['sync']}  {one['key']}  {one['standing']}")
            continue
        click.echo(text(one))
        if every or one["is_asked"]:
            filled = [field for field in one["fields"] if field["view"] or field["live"] or field["source"]]
            shown = [field for field in filled if every or field["state"] != "not managed"]
            console.print(_table(shown))
        click.echo()


def _table(fields: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 1), expand=True)
    for name, title in _COLUMNS.items():
        is_value = name in ("source", "view", "live")
        # Names and states are short and must be read whole; of values a glimpse will do.
        table.add_column(title, no_wrap=True, overflow="ellipsis", ratio=1 if is_value else None)
    for field in fields:
        table.add_row(*(str(field[name] or "") for name in _COLUMNS))
    return table
