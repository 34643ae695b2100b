"""`karvon rehearse`: what an alert rule would have sent. The SQL is the model alert_events."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.table import Table

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.cli.display import table_console
from orchestration.cli.session import opened, plain_errors

_EVENTS, _RULES = "model.karvon.alert_events", "seed.karvon.alert_rules"


@click.command("rehearse")
@click.argument("rule")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(min=1), help="Newest so many are shown."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plain_errors
def rehearse_command(rule: str, limit: int, as_json: bool) -> None:
    """Show what RULE of seeds/alert_rules.csv would have fired over the stored history. Nothing is sent."""
    settings, warehouse = opened()
    _build_rules(settings, warehouse)
    with warehouse.session() as session:
        rules = session.rows("SELECT rule, is_active, note FROM marts.alert_rules ORDER BY rule")
        found = next((one for one in rules if one["rule"] == rule), None)
        if found is None:
            known = ", ".join(one["rule"] for one in rules)
            raise click.UsageError(f"There is no rule {rule!r} in seeds/alert_rules.csv; it has {known}.")
        (total,) = session.rows(
            "SELECT count(*) AS events, min(happened_at) AS first_at, max(happened_at) AS last_at, "
            "count(DISTINCT CAST(happened_at AS date)) AS days FROM marts.alert_events WHERE rule = $1",
            (rule,),
        )
        events = session.rows(
            "SELECT happened_at, title, fact, party_name, category_name, region_name FROM marts.alert_events "
            f"WHERE rule = $1 ORDER BY happened_at DESC, alert_key LIMIT {limit}",
            (rule,),
        )
    if as_json:
        click.echo(json.dumps({**found, **total, "newest": events}, default=str, indent=2))
        return
    state = "is switched on" if found["is_active"] else "is switched off"
    if not events:
        click.echo(f"{rule} ({state}) would have fired nothing over the stored history.")
        return
    click.echo(
        f"{rule} ({state}) would have fired {total['events']} time{'' if total['events'] == 1 else 's'} "
        f"on {total['days']} day{'' if total['days'] == 1 else 's'}, "
        f"{total['first_at']:%Y-%m-%d} to {total['last_at']:%Y-%m-%d} (UTC). The newest:"
    )
    _show(events)


def _build_rules(settings: Settings, warehouse: Warehouse) -> None:
    """Take in the rules as they are in the file now; the models below stay as they were built."""
    from orchestration.dbt import build, read_manifest, stale_models

    with warehouse.session() as session:
        if not session.has_table("marts.price_changes"):
            raise click.ClickException(
                "There is no market history in this warehouse yet: run `karvon run --select market` first."
            )
    manifest = read_manifest(settings, warehouse)
    stale = stale_models(manifest, warehouse, among={_EVENTS, _RULES})
    for _ in build(settings, warehouse, manifest, stale) if stale.models else ():
        pass


def _show(events: list[dict[str, Any]]) -> None:
    table = Table()
    for name in events[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for event in events:
        when = f"{event['happened_at']:%Y-%m-%d %H:%M}"
        table.add_row(when, *("" if value is None else str(value) for value in list(event.values())[1:]))
    table_console().print(table)
