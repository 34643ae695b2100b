"""Run one source alone: `python -m pipelines.sources.<source> [RESOURCES]…`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import click

from karvon.home import keep_private
from karvon.logs import configure_logging
from karvon.settings import Settings, SettingsError, load_settings
from karvon.warehouse import Warehouse, WarehouseError
from pipelines.landing import LoadError, LoadOptions, load
from pipelines.source import Source


def command_for(source: Source, connections: Callable[[Settings], Mapping[str, Any]]) -> click.Command:
    """A command that loads one connection of `source` and prints what landed, one line per resource."""
    names = [resource.name for resource in source.resources]

    @click.command(
        help=f"Load {source.name} into the warehouse. RESOURCES: {', '.join(names)}; all if none is named."
    )
    @click.argument("resources", nargs=-1, metavar="[RESOURCES]...", type=click.Choice(names))
    @click.option("--connection", default="default", show_default=True, help="Which account or site.")
    @click.option("--since", help="ISO date or time (UTC) to begin at, instead of the cursor.")
    @click.option("--refresh", is_flag=True, help="Read from the beginning.")
    def command(resources: tuple[str, ...], connection: str, since: str | None, refresh: bool) -> None:
        try:
            settings = load_settings()
            known = connections(settings)
        except SettingsError as error:
            raise click.ClickException(str(error)) from None
        keep_private(settings)
        configure_logging(settings)
        if connection not in known:
            raise click.ClickException(f"No connection {connection!r}; known are {', '.join(known)}.")
        options = LoadOptions(
            resources=frozenset(resources) or None,
            refresh=frozenset(resources or names) if refresh else frozenset(),
            since=since,
            max_shrink_percent=settings.max_shrink_percent,
            sweep_every_hours=settings.sweep_every_hours,
            parameters={"stock_reads_per_run": settings.stock_reads_per_run},
        )
        warehouse = Warehouse.of(settings)
        try:
            report = load(source, known[connection], warehouse, options)
        except (LoadError, WarehouseError, ValueError) as error:
            raise click.ClickException(str(error)) from None
        for resource in report.resources:
            counts = {
                name: value for name, value in asdict(resource).items() if isinstance(value, int) and value
            }
            click.echo(
                f"{resource.resource}: " + ", ".join(f"{name} {value}" for name, value in counts.items())
            )

    return command
