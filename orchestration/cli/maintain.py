"""`karvon reset`, `karvon backup`, `karvon restore`: the warehouse as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console

from karvon.turns import reading_models
from orchestration.cli.display import shown_progress
from orchestration.cli.session import opened, plain_errors


@click.command("reset")
@click.option("--sandbox", is_flag=True, help="Forget the sandbox's PIM and shop as well.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_errors
def reset_command(sandbox: bool, yes: bool) -> None:
    """Delete the warehouse and the run history of this profile. Other schemas of a Postgres are left alone."""
    from orchestration.reset import (
        alone,
        forget,
        local_state,
        refuse_while_served,
        refuse_while_working,
        warehouse_contents,
    )

    settings, warehouse = opened()
    refuse_while_working(settings, warehouse)
    if sandbox:
        refuse_while_served(settings)
    going = [*warehouse_contents(warehouse), *local_state(settings, sandbox=sandbox)]
    if not going:
        click.echo(f"There is nothing to forget in the {settings.profile} profile.")
        return
    _ask(f"This deletes, in the {settings.profile} profile:", going, settings.profile, yes)
    with alone(settings, warehouse, "karvon reset"):
        forget(settings, warehouse, sandbox=sandbox)
    click.echo("Forgotten. The next `karvon run` loads everything anew.")


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@plain_errors
def backup_command(file: Path, force: bool) -> None:
    """Write the whole warehouse to FILE: raw documents, models, plans, journal and ledger."""
    from orchestration.backup import make_backup

    settings, warehouse = opened()
    with shown_progress(Console(stderr=True)), reading_models(warehouse, "karvon backup"):
        label = make_backup(settings, warehouse, file, overwrite=force)
    click.echo(f"{file} ({file.stat().st_size / 1e6:.1f} MB): {label.summary()}.")


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_errors
def restore_command(file: Path, yes: bool) -> None:
    """Bring back the warehouse that `karvon backup` wrote to FILE. What is there now is replaced."""
    from orchestration.backup import read_label, restore_backup
    from orchestration.reset import alone, refuse_while_working, warehouse_contents

    settings, warehouse = opened()
    label = read_label(settings, warehouse, file)
    refuse_while_working(settings, warehouse)
    click.echo(f"{file}: {label.summary()}.")
    replaced = warehouse_contents(warehouse)
    if replaced:
        _ask("It replaces:", replaced, settings.profile, yes)
    with shown_progress(Console(stderr=True)), alone(settings, warehouse, "karvon restore"):
        restore_backup(settings, warehouse, file)
    click.echo("Restored. Look at `karvon run --plan-only` before anything is applied again.")


def _ask(what: str, going: Iterable[str], profile: str, yes: bool) -> None:
    click.echo(what)
    for line in going:
        click.echo(f"  {line}")
    if profile == "live" and not yes:
        click.echo(
            "The live warehouse remembers which records of the shop are ours. `karvon backup` saves it."
        )
    if not yes:
        click.confirm("Stop `karvon dev` and other runs first. Go on?", abort=True)
