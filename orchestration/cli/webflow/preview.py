"""`karvon webflow preview, estimate`: what would be sent, and what it would cost."""

from __future__ import annotations

from dataclasses import asdict

import click

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.cli.session import plain_errors
from orchestration.cli.webflow.answers import as_json_option, project_syncs, say_json, say_table
from reverse_etl.spec.syncs import Sync


@click.command("preview")
@click.argument("key", required=False)
@click.option(
    "--sample", type=click.IntRange(1, 20), help="Without KEY: the first so many rows of each root sync."
)
@click.option(
    "--as-new", is_flag=True, help="As if the shop did not have it yet: every field, in creating requests."
)
@click.option(
    "--set", "changes", multiple=True, metavar="COLUMN=VALUE", help="Try another value (or SYNC.COLUMN=…)."
)
@as_json_option
@plain_errors
def preview_command(
    key: str | None, sample: int | None, as_new: bool, changes: tuple[str, ...], as_json: bool
) -> None:
    """Show the exact requests that KEY (key or SKU code) would cause now. Nothing is sent or stored."""
    from orchestration.previews import previewed, sample_keys

    settings, warehouse, syncs = _syncs_to_look_at()
    if (key is None) == (sample is None):
        raise click.UsageError("Give a KEY, or --sample N.")
    values = dict(change.split("=", 1) for change in changes if "=" in change)
    if len(values) != len(changes):
        raise click.UsageError("--set takes COLUMN=VALUE.")
    keys = [key] if key is not None else sample_keys(warehouse, syncs, sample or 1)
    found = {one: previewed(settings, warehouse, syncs, one, as_new=as_new, values=values) for one in keys}
    if as_json:
        shown = {
            one: {
                "requests": [asdict(r) for r in made.requests],
                "findings": [asdict(f) for f in made.findings],
            }
            for one, made in found.items()
        }
        say_json(shown[key] if key is not None else shown)
        return
    for one, made in found.items():
        click.echo(
            f"# {one}: {len(made.requests)} request{'' if len(made.requests) == 1 else 's'}"
            + ("" if made.requests else ", nothing to change")
        )
        for request in made.requests:
            query = "&".join(f"{name}={value}" for name, value in request.query.items())
            click.echo(f"{request.method} {request.path}{'?' if query else ''}{query}")
            if request.body is not None:
                say_json(request.body)
        for finding in made.findings:
            click.echo(f"- {finding.kind} · {finding.sync} · {finding.key}: {finding.message}")


@click.command("estimate")
@click.option("--as-new", is_flag=True, help="For a shop that has nothing yet: the first sync.")
@as_json_option
@plain_errors
def estimate_command(as_new: bool, as_json: bool) -> None:
    """How many requests and minutes a sync of everything takes now, and how many items of the plan's cap it fills."""
    from reverse_etl.destinations import DESTINATIONS, rate_per_minute
    from reverse_etl.review.preview import estimate
    from reverse_etl.state.stored_plans import spoken_cost

    settings, warehouse, syncs = _syncs_to_look_at()
    found = estimate(warehouse, syncs, DESTINATIONS, rate_per_minute(settings), as_new=as_new)
    if as_json:
        say_json(asdict(found))
        return
    click.echo(
        f"{spoken_cost(found.requests, found.minutes)} at {found.rate_per_minute:g} a minute; "
        f"{found.items} items in the shop afterwards (SKUs count)."
    )
    rows = [
        (s, what.replace("_", " "), n) for s, counts in found.counts.items() for what, n in counts.items()
    ]
    if rows:
        say_table(("sync", "what", "rows"), rows)


def _syncs_to_look_at() -> tuple[Settings, Warehouse, tuple[Sync, ...]]:
    """The syncs, after a line that says so if their tables are not those of the project."""
    from orchestration.built import caution

    settings, warehouse, syncs = project_syncs()
    if note := caution(settings, warehouse, syncs):
        click.echo(note, err=True)
    return settings, warehouse, syncs
