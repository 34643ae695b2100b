"""The command line. Commands load when they are called, so that `karvon --help` stays quick.

Exit status: 0 nothing to do or all applied, 1 failure or rows that stand refused after a run, 2 changes pending,
3 blocked or held by a guard, 64 wrong usage, 130 and 143 stopped by SIGINT (Ctrl-C) and SIGTERM.
"""

from __future__ import annotations

import importlib
import signal
import sys

import click

from orchestration.cli.exit_status import FAILURE, INTERRUPTED, TERMINATED, WRONG_USAGE

# command → (module, one line of help); the help is here so that listing it imports nothing.
_COMMANDS = {
    "run": ("run", "Load what changed, build the models, plan the changes and apply them."),
    "plan": ("plan", "Show the changes that the shop needs, from what the warehouse holds."),
    "apply": ("plan", "Apply a stored plan."),
    "held": ("review", "Rows and plans that wait for a person."),
    "approve": ("review", "Let held rows or a blocked plan go, in your name."),
    "undo": ("review", "Plan the way back from what a plan did."),
    "explain": ("explain", "Why a product is not on the site, or why it shows what it shows."),
    "status": ("inspect", "The last run, the last plan and what waits."),
    "history": ("inspect", "Past plans and what became of them."),
    "errors": ("inspect", "Rows the destination refused, with its own words."),
    "rehearse": ("rehearse", "Show what an alert rule would have fired, before it is switched on."),
    "counts": ("inspect", "Rows in every table of the warehouse."),
    "crawl": ("crawl", "The walk over Uzum's product ids: status, run."),
    "doctor": ("doctor", "Check configuration, credentials, warehouse and the dbt project."),
    "sources": ("sources", "APIs that users bring: add, test, list, validate, disable."),
    "metrics": ("metrics", "A user's days in the terminal: revenue, orders, leads, freshness."),
    "report": ("report", "A user's report as one page that works offline."),
    "auth": ("auth", "Sign in to a data source, and keep the credential store's key."),
    "forget": ("forget", "Erase a person or a user of the user APIs everywhere (asks first)."),
    "reset": ("maintain", "Delete the local warehouse and run history (asks first)."),
    "backup": ("maintain", "Write the warehouse to one file."),
    "restore": ("maintain", "Bring a backup back (asks first)."),
    "webflow": (
        "webflow",
        "The shop's fields and the mappings: schema, scaffold, validate, preview, mapping.",
    ),
    "sandbox": ("sandbox", "The stand-in APIs: serve, next-day, load, reset."),
    "dev": ("dev", "Dagster UI with daemon and sandbox on loopback."),
    "definitions": ("dev", "Validate the Dagster definitions."),
    "dbt": ("dev", "Run dbt with Karvon's settings, for example `karvon dbt docs generate`."),
}


_WRITING = frozenset({"run", "plan", "apply", "approve", "undo", "crawl", "restore", "forget", "dbt"})
"""After these the copy that people read is renewed, if anything in it changed."""


class _Lazy(click.Group):
    def invoke(self, ctx: click.Context) -> object:
        is_told = False
        try:
            return super().invoke(ctx)
        except click.ClickException:
            is_told = True
            raise
        finally:
            if ctx.invoked_subcommand in _WRITING:
                from orchestration.cli.session import renew_copy

                renew_copy(quietly=is_told)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"orchestration.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="karvon")
def cli() -> None:
    """Karvon: load documents, shape them in SQL, push the smallest safe set of changes."""


def main() -> None:
    """Run a command and leave with its exit status; expected errors are one message, never a trace."""
    # So that a stopped command stops what it started; a shell starts background jobs deaf to interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        status = stop.exit_code
    except click.UsageError as error:
        error.show()
        status = WRONG_USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        status = INTERRUPTED
    except click.ClickException as error:
        error.show()
        status = FAILURE
    sys.exit(status if isinstance(status, int) else 0)
