"""`karvon dev` and `karvon dbt`: the tools behind, with Karvon's settings."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from karvon.settings import PROJECT_ROOT, child_environment
from orchestration.cli.exit_status import WRONG_USAGE
from orchestration.cli.session import opened, plain_errors

_WRITING = frozenset({"build", "run", "seed", "snapshot", "test", "run-operation", "clone", "retry"})
_OFFLINE = frozenset({"parse", "ls", "list", "clean", "deps", "--help", "-h", "--version", "-v", "-V"})
"""What of dbt never opens the warehouse."""


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


@click.command("dbt", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@plain_errors
def dbt_command(arguments: tuple[str, ...]) -> None:
    """Run dbt with the settings of this profile."""
    from karvon.turns import building, whole_file
    from orchestration.dbt import check_written
    from orchestration.dbt_process import running
    from orchestration.rights import keep_rights
    from reverse_etl.state.schema import migrate

    settings, warehouse = opened()
    check_written()
    doing = f"karvon dbt {' '.join(arguments)}"[:80]
    with ExitStack() as turns:
        if _WRITING & set(arguments):
            turns.enter_context(building(warehouse, doing))
            with warehouse.session() as session:
                # The views about runs read these tables.
                migrate(warehouse, session)
        if not _OFFLINE & set(arguments):
            if warehouse.dialect == "duckdb":
                warehouse.path.parent.mkdir(parents=True, exist_ok=True)
            turns.enter_context(whole_file(warehouse, doing))
        settings.dbt_target_path.mkdir(parents=True, exist_ok=True)
        process = turns.enter_context(
            running(arguments or ("--help",), child_environment(settings), reads_output=False)
        )
        status = process.wait()
        if _WRITING & set(arguments):
            keep_rights(warehouse)
    # Of dbt 2 is a command line that it does not know; of ours it is changes that wait to be applied.
    raise click.exceptions.Exit(WRONG_USAGE if status == 2 or not arguments else status)
