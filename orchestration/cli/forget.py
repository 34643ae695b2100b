"""`karvon forget`: erase a person or a user everywhere, and prove it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from karvon.published import withdraw
from karvon.settings import Settings
from karvon.warehouse import Session, Warehouse, WarehouseError
from orchestration.cli import FAILURE
from orchestration.cli.session import opened, plain_errors


@click.command("forget")
@click.option(
    "--user", "user_id", help="Everything of this user; with --email, the person at this user only."
)
@click.option("--email", help="Every record that holds this e-mail address.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_errors
def forget_command(user_id: str | None, email: str | None, yes: bool) -> None:
    """Erase rows, history included, suppress them for the next loads, rewrite the file, and look for what is left."""
    from orchestration.reset import alone, refuse_while_working

    if not (user_id or email):
        raise click.UsageError("say whom: --user, --email, or both for a person at one user.")
    settings, warehouse = opened()
    refuse_while_working(settings, warehouse)
    who = f"{email} at {user_id}" if email and user_id else email or f"the user {user_id}"
    if not yes and not click.confirm(f"Erase {who} for good? Backups are not touched (docs/user_apis.md)."):
        raise click.Abort
    with alone(settings, warehouse, "karvon forget"):
        _erase(settings, warehouse, user_id, email)
    if email and not user_id:
        click.echo("It is in no table any more.")
    click.echo("Exports that were made before, and backups, are yours to delete or to let expire.")


def _erase(settings: Settings, warehouse: Warehouse, user_id: str | None, email: str | None) -> None:
    from pipelines.sources.user_apis.forget import forget_person, forget_user
    from reports.user import page_path

    with warehouse.session() as session:
        erased = (
            forget_person(session, email, user_id, _mark_as_stale)
            if email
            else forget_user(session, str(user_id), _mark_as_stale)
        )
    for table, count in sorted(erased.rows.items()):
        click.echo(f"  {count:>8} rows of {table}")
    steps: dict[str, Callable[[], None]] = {
        "the copy for reading": lambda: withdraw(settings),
        "the days that these rows were counted in": lambda: _rebuild(settings, warehouse),
        "what the files of the engine hold of deleted rows": lambda: _compact(warehouse),
        "folders of loads that were killed": lambda: _delete_packages(warehouse),
    }
    if not email:
        page = page_path(settings.user_reports_path, str(user_id))
        steps["the report page"] = lambda: page.unlink(missing_ok=True)
    if email and not user_id:
        steps["the proof"] = lambda: _prove(warehouse, email)
    _do_all(steps)


def _do_all(steps: Mapping[str, Callable[[], None]]) -> None:
    """Every step, whatever becomes of another; what is left is said at the end, and is done by the same command."""
    from orchestration.dbt import DbtError

    left = []
    for what, step in steps.items():
        try:
            step()
        except (WarehouseError, DbtError, OSError) as error:
            left.append(f"  {what}: {error}")
    if left:
        click.echo(
            "Erased from the sources' tables, and not landed again. Left is:\n" + "\n".join(left)
            + "\nRun the same command again; it does what is left.", err=True,
        )  # fmt: skip
        raise click.exceptions.Exit(FAILURE)


def _prove(warehouse: Warehouse, email: str) -> None:
    from pipelines.sources.user_apis.forget import remains

    with warehouse.session() as session:
        found = remains(session, email)
    if found:
        raise WarehouseError(f"Still found in {', '.join(found)}: a field that no definition maps holds it.")


def _mark_as_stale(session: Session) -> None:
    """Models that add up what has lost rows."""
    if session.has_table("staging.built_models"):
        for name in ("source_revenue_daily", "source_metrics_daily", "user_metrics_daily", "customer_lifetime",
                     "customer_cohorts"):  # fmt: skip
            session.execute(
                "UPDATE staging.built_models SET fingerprint = NULL WHERE model = $1",
                (f"model.karvon.{name}",),
            )


def _rebuild(settings: Settings, warehouse: Warehouse) -> None:
    from orchestration.dbt import build, read_manifest, stale_models

    manifest = read_manifest(settings, warehouse)
    ours = [name for name, node in manifest["nodes"].items() if "user_apis" in node["path"]]
    stale = stale_models(manifest, warehouse, among=ours)
    if stale.models:
        for _ in build(settings, warehouse, manifest, stale):
            pass


def _compact(warehouse: Warehouse) -> None:
    """What the engine's files still hold of deleted rows."""
    from orchestration.backup import duckdb_file

    if warehouse.dialect == "duckdb":
        duckdb_file.rewrite(warehouse)
        return
    with warehouse.session() as session:
        for row in session.rows(
            "SELECT schemaname || '.' || relname AS name FROM pg_stat_user_tables WHERE n_dead_tup > 0 AND "
            "schemaname IN ('raw_user_apis', 'staging', 'restricted', 'marts')"
        ):
            session.execute(f"VACUUM FULL {row['name']}")


def _delete_packages(warehouse: Warehouse) -> None:
    """Load packages of this home; a running load was refused before we came here."""
    from pipelines.load_folder import delete_left_over

    if left := delete_left_over(warehouse):
        raise WarehouseError(f"{', '.join(str(folder) for folder in left)}: in use, or not ours to delete.")
