"""`karvon held`, `approve` and `undo`: what waits for a person, their yes, and the way back."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.markdown import Markdown

from orchestration.cli.exit_status import BLOCKED, PENDING
from orchestration.cli.session import opened, opened_for_reading, plain_errors, this_user


@click.command("held")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@plain_errors
def held_command(as_json: bool) -> None:
    """Rows that wait for a person, and plans that a guard blocks. Exit status 3 if anything waits."""
    from reverse_etl.review.approvals import waiting
    from reverse_etl.state.outstanding import total

    _, warehouse, moment = opened_for_reading()
    found = waiting(warehouse)
    tally = total(found.tallies.values())
    if as_json:
        content = {
            "rows": [asdict(one) for one in found.holds],
            "undone": [asdict(one) for one in found.undone],
            "guards": found.guards,
            **tally.as_row(),
        }
        click.echo(json.dumps(content, default=str, indent=2))
    else:
        if moment:
            click.echo(moment)
        for guard in found.guards:
            click.echo(f"plan {guard['plan_id']} is blocked by {guard['guard']}: {guard['message']}")
        for one in (*found.holds, *found.undone):
            click.echo(
                f"{one.sync} {one.key} [{one.rule}] since {one.held_at:%Y-%m-%d %H:%M} UTC: {one.message}"
            )
        if found.holds:
            click.echo(
                "`karvon approve --all`, `--key KEY` or `--rule RULE` lets rows go with the next plan."
            )
        click.echo(f"{tally.spoken()}.")
    raise click.exceptions.Exit(BLOCKED if tally.waits else 0)


@click.command("approve")
@click.option("--all", "everything", is_flag=True, help="All held rows.")
@click.option("--key", "keys", multiple=True, help="Only the row with this key; may be given several times.")
@click.option("--rule", help="Only what this rule holds, such as max_price_change.")
@click.option("--plan", "plan_id", help="What this plan holds, and the guards that block it.")
@click.option("--by", "approver", help="Who approves; default: the user of this terminal.")
@plain_errors
def approve_command(
    everything: bool, keys: tuple[str, ...], rule: str | None, plan_id: str | None, approver: str | None
) -> None:
    """Let what waits go, with exactly the values it was held with. Nothing is sent: the next run or plan has it."""
    from reverse_etl.review.approvals import approve

    if not (everything or keys or rule or plan_id):
        raise click.UsageError(
            "Say what: --all, --key KEY, --rule RULE or --plan PLAN_ID; `karvon held` lists it."
        )
    _, warehouse = opened()
    given = approve(warehouse, approver or this_user(), keys=keys, rule=rule, plan_id=plan_id)
    for one in given:
        click.echo(f"{one.approver} approved {one.rule} of {one.sync} {one.key or f'for plan {one.plan_id}'}")


@click.command("undo")
@click.argument("plan_id")
@click.option("--json", "as_json", is_flag=True, help="The whole plan as JSON.")
@plain_errors
def undo_command(plan_id: str, as_json: bool) -> None:
    """Plan the way back from what the plan PLAN_ID did. Nothing is sent: apply the new plan.

    Exit status: 0 nothing can be undone, 2 changes pending, 3 blocked by a guard.
    """
    from orchestration.dbt import read_manifest
    from reverse_etl.destinations import DESTINATIONS, rate_per_minute
    from reverse_etl.review.undo import make_undo
    from reverse_etl.spec.manifest import read_syncs

    settings, warehouse = opened()
    read_manifest(settings, warehouse)
    syncs = read_syncs(settings.manifest_path, settings.profile)
    plan = make_undo(
        warehouse,
        syncs,
        DESTINATIONS,
        plan_id,
        rate_per_minute=rate_per_minute(settings),
        profile=settings.profile,
    )
    if as_json:
        click.echo(plan.to_json())
    elif sys.stdout.isatty():
        Console().print(Markdown(plan.to_markdown()))
    else:
        click.echo(plan.to_markdown())
    if plan.operations and not as_json:
        click.echo(f"\nApply exactly this with: karvon apply {plan.plan_id}")
    raise click.exceptions.Exit(BLOCKED if plan.is_blocked else 0 if plan.is_empty else PENDING)
