"""`karvon crawl`: the walk over Uzum's product ids, by hand and at a glance."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import click
from rich.console import Console

from orchestration.cli.display import shown_progress
from orchestration.cli.exit_status import FAILURE
from orchestration.cli.session import opened, plain_errors

_connection = click.option("--connection", default="default", show_default=True, help="Which connection.")


@click.group("crawl")
def crawl_command() -> None:
    """The walk over Uzum's product ids: which slices are fresh, stale, failed; visit what is due."""


@crawl_command.command("status")
@_connection
@click.option("--all", "every", is_flag=True, help="Fresh slices and those never visited too.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plain_errors
def status(connection: str, every: bool, as_json: bool) -> None:
    """Slices by state, and those that need a visit. Missing, refused and failed ids are told apart."""
    from karvon.connections import uzum_connections
    from orchestration.defs.crawl import slices_of
    from orchestration.sandbox_process import running_sandbox

    settings, warehouse = opened()
    with running_sandbox(settings):
        slices = slices_of(settings, warehouse, _named(uzum_connections(settings), connection))
    counted = {
        state: sum(one.state == state for one in slices)
        for state in ("fresh", "stale", "failed", "never visited")
    }
    totals = {
        what: sum(getattr(one, what) for one in slices) for what in ("seen", "missing", "refused", "failed")
    }
    shown = [one for one in slices if every or one.state in ("stale", "failed")]
    if as_json:
        rows = [
            {"scope": one.slice.scope, "state": one.state, "visited_at": one.visited_at, "tried_at": one.tried_at,
             "seen": one.seen, "missing": one.missing, "refused": one.refused, "failed": one.failed}
            for one in shown
        ]  # fmt: skip
        click.echo(json.dumps({"slices": counted, "ids": totals, "due": rows}, default=str, indent=2))
        return
    click.echo("slices: " + ", ".join(f"{count} {state}" for state, count in counted.items()))
    click.echo("ids at their last visit: " + ", ".join(f"{count} {what}" for what, count in totals.items()))
    for one in shown:
        visited = f"{one.visited_at:%Y-%m-%d %H:%M} UTC" if one.visited_at else "never"
        click.echo(
            f"  {one.slice.scope}: {one.state}, last complete {visited}; "
            f"{one.seen} seen, {one.missing} missing, {one.refused} refused, {one.failed} failed"
        )


@crawl_command.command("run")
@_connection
@click.option("--requests", type=click.IntRange(min=1), help="Instead of UZUM_REQUESTS_PER_RUN.")
@plain_errors
def run(connection: str, requests: int | None) -> None:
    """Visit what is due and land it. No models are built: `karvon run --select market` does that."""
    from karvon.connections import uzum_connections
    from orchestration.sandbox_process import running_sandbox, sandbox_time
    from pipelines.crawl import crawl_due
    from pipelines.landing import LoadError, LoadOptions
    from pipelines.sources.uzum import SOURCE

    settings, warehouse = opened()
    found = _named(uzum_connections(settings), connection)
    if requests is not None:
        found = replace(found, universe=replace(found.universe, requests_per_run=requests))
    with running_sandbox(settings), shown_progress(Console(stderr=True, soft_wrap=True)):
        options = LoadOptions(
            max_shrink_percent=settings.max_shrink_percent, now=sandbox_time(settings, SOURCE.name)
        )
        try:
            for report in crawl_due(SOURCE, found, warehouse, options):
                one = report.resources[0]
                click.echo(
                    f"{one.scope}: {one.seen} seen ({one.new} new, {one.changed} changed, {one.deleted} gone), "
                    f"{one.missing} missing, {one.failed} failed, {one.requests} requests"
                )
        except LoadError as error:
            click.echo(f"Error: {error}", err=True)
            raise click.exceptions.Exit(FAILURE) from None


def _named(connections: dict[str, Any], name: str) -> Any:
    if name not in connections:
        raise click.ClickException(f"No connection {name!r}; known are {', '.join(connections)}.")
    return connections[name]
