"""`karvon dev` and `karvon dbt`: the tools behind, with Karvon's settings."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import click

from karvon.settings import PROJECT_ROOT, child_environment
from orchestration.cli.session import opened, plain_errors


@click.command("dev")
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
@plain_errors
def dev_command(port: int) -> None:
    """Dagster UI with daemon and sandbox on loopback, until interrupted."""
    from orchestration.instance import prepare_dagster_home
    from orchestration.sandbox_process import running_sandbox

    settings, _ = opened()
    prepare_dagster_home(settings)
    with running_sandbox(settings):
        click.echo(f"Dagster UI: http://127.0.0.1:{port}")
        if settings.profile == "sandbox":
            click.echo(f"Shop:       {settings.sandbox_url}/shop")
        dagster = Path(sys.executable).with_name("dagster")
        command = [str(dagster), "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
        with subprocess.Popen(command, cwd=PROJECT_ROOT, env=child_environment(settings)) as dagster_dev:
            try:
                status = dagster_dev.wait()
            finally:
                # It stops its own children when it is interrupted, not when it is killed.
                dagster_dev.send_signal(signal.SIGINT)
    raise click.exceptions.Exit(status)


@click.command("definitions")
@plain_errors
def definitions_command() -> None:
    """Load the workspace as Dagster does and say whether it is valid."""
    from orchestration.instance import prepare_dagster_home

    settings, _ = opened()
    prepare_dagster_home(settings)
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "definitions", "validate", "-w", "workspace.yaml"]
    done = subprocess.run(command, cwd=PROJECT_ROOT, env=child_environment(settings), check=False)
    raise click.exceptions.Exit(done.returncode)


@click.command("dbt", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@plain_errors
def dbt_command(arguments: tuple[str, ...]) -> None:
    """Run dbt with the settings of this profile."""
    from orchestration.dbt import dbt_command as command_line
    from orchestration.rights import keep_rights
    from reverse_etl.schema import migrate

    settings, warehouse = opened()
    settings.dbt_target_path.mkdir(parents=True, exist_ok=True)
    if settings.warehouse_url.startswith("duckdb:"):
        Path(settings.warehouse_url.removeprefix("duckdb:///")).parent.mkdir(parents=True, exist_ok=True)
    if {"build", "run"} & set(arguments):
        with warehouse.session() as session:
            # The views about runs read these tables.
            migrate(warehouse, session)
    done = subprocess.run(command_line(*arguments), env=child_environment(settings), check=False)
    if {"build", "run"} & set(arguments):
        keep_rights(warehouse)
    raise click.exceptions.Exit(done.returncode)
