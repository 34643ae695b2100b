"""`karvon plan` and `karvon apply`: a plan from what the warehouse holds, and exactly that plan applied."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markdown import Markdown

from orchestration.cli.display import shown_progress
from orchestration.cli.exit_status import BLOCKED, FAILURE, PENDING
from orchestration.cli.session import opened, plain_errors, this_user

if TYPE_CHECKING:
    from karvon.warehouse import Warehouse
    from reverse_etl.spec.syncs import Sync
    from reverse_etl.state.stored_plans import Plan

_FORMS: tuple[Callable[[Any], Any], ...] = (
    click.option("--json", "as_json", is_flag=True, help="The whole plan as JSON."),
    click.option("--markdown", "as_markdown", is_flag=True, help="As Markdown text, for a pull request."),
    click.option(
        "--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
        help="Write the plan as one page: filter, before and after, pictures.",
    ),
)  # fmt: skip


def _in_forms(command: Callable[..., Any]) -> Callable[..., Any]:
    return reduce(lambda decorated, option: option(decorated), reversed(_FORMS), command)


@click.group("plan", invoke_without_command=True)
@click.option("--key", help="Only this product (its key or SKU).")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows.")
@click.option("--retry", is_flag=True, help="Plan rows again that the shop refused.")
@click.option(
    "--build", "build_first", is_flag=True, help="Build the models first that changed or have new data."
)
@_in_forms
@click.pass_context
@plain_errors
def plan_command(
    context: click.Context, key: str | None, limit: int | None, retry: bool, build_first: bool,
    as_json: bool, as_markdown: bool, html: Path | None,
) -> None:  # fmt: skip
    """Show the changes that the shop needs, from what the warehouse holds. Nothing is loaded or sent.

    Exit status: 0 nothing to change, 2 changes pending, 3 blocked or rows wait for a person, 1 models changed and are
    not built (--build builds them).
    """
    if context.invoked_subcommand:
        return
    from orchestration.built import build_stale, require_built, stale_above
    from orchestration.dbt import read_manifest
    from reverse_etl.destinations import DESTINATIONS, rate_per_minute
    from reverse_etl.planning.plan import make_plan
    from reverse_etl.spec.manifest import read_syncs

    settings, warehouse = opened()
    manifest = read_manifest(settings, warehouse)
    syncs = read_syncs(settings.manifest_path, settings.profile)
    stale = stale_above(manifest, warehouse, syncs)
    if build_first:
        with shown_progress(Console(stderr=True)):
            build_stale(settings, warehouse, manifest, stale)
    elif note := require_built(manifest, stale):
        click.echo(note, err=True)
    plan = make_plan(
        warehouse, syncs, DESTINATIONS, key=key, limit=limit, retry=retry, profile=settings.profile,
        rate_per_minute=rate_per_minute(settings, {sync.destination for sync in syncs}),
    )  # fmt: skip
    _show(warehouse, plan, syncs, as_json=as_json, as_markdown=as_markdown, html=html)
    if plan.operations and not (as_json or as_markdown):
        click.echo(f"\nApply exactly this with: karvon apply {plan.plan_id}")
    if plan.tally.waits and not as_json:
        click.echo("Rows wait for a person: `karvon held` lists them, `karvon approve` lets them go.")
    raise click.exceptions.Exit(BLOCKED if plan.tally.waits else 0 if plan.is_empty else PENDING)


@plan_command.command("show")
@click.argument("plan_id", required=False)
@_in_forms
@plain_errors
def show_command(plan_id: str | None, as_json: bool, as_markdown: bool, html: Path | None) -> None:
    """Show the stored plan PLAN_ID (default: the latest), its operations as they stand now."""
    from orchestration.dbt import read_manifest
    from reverse_etl.spec.manifest import read_syncs
    from reverse_etl.state.stored_plans import latest_plan_id, load_plan

    settings, warehouse = opened()
    read_manifest(settings, warehouse)
    plan_id = plan_id or latest_plan_id(warehouse)
    if plan_id is None:
        raise click.ClickException("There is no plan yet; `karvon plan` makes one.")
    syncs = read_syncs(settings.manifest_path, settings.profile)
    _show(
        warehouse, load_plan(warehouse, plan_id), syncs, as_json=as_json, as_markdown=as_markdown, html=html
    )


def _show(
    warehouse: Warehouse, plan: Plan, syncs: Sequence[Sync], *, as_json: bool, as_markdown: bool, html: Path | None
) -> None:  # fmt: skip
    if html is not None:
        from reports.plan import plan_page
        from reverse_etl.destinations import DESTINATIONS

        html.write_text(plan_page(warehouse, plan, syncs, DESTINATIONS))
        click.echo(f"{html}: {plan.summary()}", err=True)
    if as_json:
        click.echo(plan.to_json())
    elif as_markdown or (html is None and not sys.stdout.isatty()):
        click.echo(plan.to_markdown())
    elif html is None:
        Console().print(Markdown(plan.to_markdown()))


@click.command("apply")
@click.argument("plan_id", required=False)
@click.option("--override-guards", is_flag=True, help="Allow the guards that block the plan, in your name.")
@plain_errors
def apply_command(plan_id: str | None, override_guards: bool) -> None:
    """Apply the stored plan PLAN_ID (default: the latest). Rows that moved since are deferred."""
    from orchestration.dbt import read_manifest
    from orchestration.sandbox_process import running_sandbox
    from reverse_etl.applying.apply import Blocked, apply_plan
    from reverse_etl.destinations import DESTINATIONS, channels
    from reverse_etl.review.approvals import approve
    from reverse_etl.review.parity import measure
    from reverse_etl.spec.manifest import read_syncs
    from reverse_etl.state.stored_plans import latest_plan_id, load_plan

    settings, warehouse = opened()
    plan_id = plan_id or latest_plan_id(warehouse)
    if plan_id is None:
        raise click.ClickException("There is no plan yet; `karvon plan` makes one.")
    read_manifest(settings, warehouse)
    syncs = read_syncs(settings.manifest_path, settings.profile)
    plan = load_plan(warehouse, plan_id)
    if override_guards:
        for guard in {broken.guard for broken in plan.violations}:
            approve(warehouse, this_user(), plan_id=plan_id, rule=guard)
    taking_part = channels(settings, {one.destination for one in plan.operations})
    try:
        with running_sandbox(settings), shown_progress(Console(stderr=True)):
            result = apply_plan(warehouse, plan_id, syncs, DESTINATIONS, taking_part)
    except Blocked as blocked:
        click.echo(str(blocked), err=True)
        raise click.exceptions.Exit(BLOCKED) from None
    measure(warehouse, syncs, DESTINATIONS, plan_id)
    click.echo(f"Plan {plan_id}: {result.summary()}")
    raise click.exceptions.Exit(FAILURE if result.failed or result.stopped else 0)
