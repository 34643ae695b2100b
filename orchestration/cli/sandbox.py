"""`karvon sandbox`: the stand-in APIs."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from orchestration.cli.session import opened, plain_errors


@click.group("sandbox")
def sandbox_command() -> None:
    """The stand-in APIs of Plytix and Webflow on loopback."""


@sandbox_command.command()
@plain_errors
def serve() -> None:
    """Serve the APIs and the shop page until interrupted."""
    from sandbox.server import serve as run_server

    settings, _ = opened()
    click.echo(
        f"Shop: {settings.sandbox_url}/shop   Control: {settings.sandbox_url}/_control (sandbox/README.md)"
    )
    run_server(
        settings.sandbox_state, settings.sandbox_port, products=settings.sandbox_products,
        uzum_ids=settings.sandbox_uzum_ids, uzex_lots=settings.sandbox_uzex_lots,
    )  # fmt: skip


@sandbox_command.command("next-day")
@click.option("--market", is_flag=True, help="A day of sales and deals on Uzum and UZEX instead.")
@plain_errors
def next_day(market: bool) -> None:
    """Let the world move on: a day of edits, new goods and removals in the PIM."""
    from orchestration.sandbox_process import control, running_sandbox

    settings, _ = opened()
    with running_sandbox(settings):
        if market:
            for vendor in ("uzum", "uzex"):
                control(settings, "POST", f"/_control/{vendor}/next-day", {})
                at = control(settings, "GET", f"/_control/{vendor}")["date"]
                click.echo(f"  {vendor}: it is {at} now")
            click.echo("`karvon run --select market` looks at it.")
            return
        done = control(settings, "POST", "/_control/plytix/next-day", {})
    for change in done["changes"]:
        click.echo(f"  {change['kind']}: {change.get('sku') or change.get('name') or change.get('id', '')}")
    click.echo(f"{len(done['changes'])} changes. `karvon run` moves them to the shop.")


@sandbox_command.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--keep-shop", is_flag=True, help="Let the shop and the warehouse be as they are.")
@click.option("--yes", is_flag=True, help="Do not ask before a warehouse of your own is emptied.")
@plain_errors
def load(file: Path, keep_shop: bool, yes: bool) -> None:
    """Fill the sandbox PIM from your own catalogue, a CSV or JSON FILE (format: sandbox/README.md).

    The rehearsal begins with an empty shop: the sandbox's shop and this profile's warehouse start over.
    """
    from orchestration.reset import alone, forget, refuse_while_working, warehouse_contents
    from orchestration.sandbox_process import control, running_sandbox

    settings, warehouse = opened()
    if settings.profile != "sandbox":
        raise click.ClickException(
            "A rehearsal needs KARVON_PROFILE=sandbox; the live profile is left alone."
        )
    refuse_while_working(settings, warehouse)
    # The sandbox's own file holds nothing else; a warehouse that somebody named might.
    if (
        not keep_shop
        and not yes
        and settings.warehouse is not None
        and (going := warehouse_contents(warehouse))
    ):
        click.confirm("\n".join(["This forgets:", *going, "Go on?"]), abort=True)
    with running_sandbox(settings):
        loaded = control(settings, "POST", "/_control/plytix/load", {"path": str(file.absolute())})
        if not keep_shop:
            control(settings, "POST", "/_control/reset", {"vendor": "webflow"})
            with alone(settings, warehouse, "karvon sandbox load"):
                forget(settings, warehouse, sandbox=False)
    click.echo(", ".join(f"{count} {what}" for what, count in loaded.items() if isinstance(count, int)))
    click.echo("`karvon run` brings them into the shop.")


@sandbox_command.command("reset")
@click.confirmation_option(prompt="Forget the sandbox's PIM and shop?")
@plain_errors
def reset() -> None:
    """Start over with the default world."""
    from orchestration.reset import refuse_while_served

    settings, _ = opened()
    refuse_while_served(settings)
    shutil.rmtree(settings.sandbox_state, ignore_errors=True)
    click.echo("The next run makes a new world. `karvon reset` forgets the warehouse as well.")
