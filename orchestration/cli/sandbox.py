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
    run_server(settings.sandbox_state, settings.sandbox_port, products=settings.sandbox_products)


@sandbox_command.command("next-day")
@plain_errors
def next_day() -> None:
    """Let the world move on: a day of edits, new goods and removals in the PIM."""
    from orchestration.sandbox_process import control, running_sandbox

    settings, _ = opened()
    with running_sandbox(settings):
        done = control(settings, "POST", "/_control/plytix/next-day", {})
    for change in done["changes"]:
        click.echo(f"  {change['kind']}: {change.get('sku') or change.get('name') or change.get('id', '')}")
    click.echo(f"{len(done['changes'])} changes. `karvon run` moves them to the shop.")


@sandbox_command.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@plain_errors
def load(file: Path) -> None:
    """Fill the sandbox PIM from your own catalogue, a CSV or JSON FILE (format: sandbox/README.md)."""
    from orchestration.sandbox_process import control, running_sandbox

    settings, _ = opened()
    with running_sandbox(settings):
        loaded = control(settings, "POST", "/_control/plytix/load", {"path": str(file.absolute())})
    click.echo(", ".join(f"{count} {what}" for what, count in loaded.items() if isinstance(count, int)))


@sandbox_command.command("reset")
@click.confirmation_option(prompt="Forget the sandbox's PIM and shop?")
@plain_errors
def reset() -> None:
    """Start over with the default world."""
    settings, _ = opened()
    shutil.rmtree(settings.sandbox_state, ignore_errors=True)
    click.echo("The next run makes a new world. `karvon reset` forgets the warehouse as well.")
