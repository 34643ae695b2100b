"""`karvon forget`: erase a person, a user, or what a source does not keep of persons everywhere, and prove it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import click

from karvon.published import withdraw
from karvon.settings import Settings
from karvon.warehouse import Session, Warehouse, WarehouseError
from orchestration.cli.exit_status import FAILURE
from orchestration.cli.session import opened, plain_errors


@click.command("forget")
@click.option(
    "--user", "user_id", help="Everything of this user; with --email, the person at this user only."
)
@click.option("--email", help="Every record that holds this e-mail address.")
@click.option(
    "--persons",
    "source_name",
    metavar="SOURCE",
    help="What an earlier version landed of persons and this one does not, out of every version of SOURCE.",
)
@click.option("--dry-run", is_flag=True, help="With --persons: only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@plain_errors
def forget_command(
    user_id: str | None, email: str | None, source_name: str | None, dry_run: bool, yes: bool
) -> None:
    """Erase rows, history included, suppress them for the next loads, rewrite the file, and look for what is left."""
    from orchestration.reset import alone, refuse_while_working

    if not (user_id or email or source_name) or (source_name and (user_id or email)):
        raise click.UsageError(
            "say whom: --user, --email, or both for a person at one user; or --persons SOURCE alone."
        )
    if dry_run and not source_name:
        raise click.UsageError("--dry-run goes with --persons.")
    if source_name:
        _take_persons_out(source_name, dry_run=dry_run, yes=yes)
        return
    settings, warehouse = opened()
    refuse_while_working(settings, warehouse)
    who = f"{email} at {user_id}" if email and user_id else email or f"the user {user_id}"
    if not yes and not click.confirm(f"Erase {who} for good? Backups are not touched (docs/user_apis.md)."):
        raise click.Abort
    with alone(settings, warehouse, "karvon forget"):
        _erase(settings, warehouse, who, user_id, email)
    if email and not user_id:
        click.echo("It is in no table any more.")
    click.echo("Exports that were made before, and backups, are yours to delete or to let expire.")


def _erase(
    settings: Settings, warehouse: Warehouse, who: str, user_id: str | None, email: str | None
) -> None:
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
    if not any(erased.rows.values()):
        click.echo(f"There was no row of {who}.")
    steps: dict[str, Callable[[], None]] = {
        "the copy for reading": lambda: withdraw(settings),
        "the days that these rows were counted in": lambda: _rebuild(settings, warehouse, _of_users),
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


def _take_persons_out(name: str, *, dry_run: bool, yes: bool) -> None:
    from orchestration.dbt import read_manifest
    from orchestration.defs.ingestion import SOURCES
    from orchestration.reset import alone, refuse_while_working
    from pipelines.relanding import relanded

    keeping = [one for one in SOURCES if any(resource.kept for resource in one.resources)]
    sources = [one for one in keeping if one.name == name]
    if not sources:
        raise click.UsageError(
            f"--persons {name!r}: what is kept is declared of {', '.join(one.name for one in keeping)}; "
            'for a source of a user see docs/user_apis.md, "Forgetting".'
        )
    settings, warehouse = opened()
    refuse_while_working(settings, warehouse)
    manifest = read_manifest(settings, warehouse)
    with warehouse.session() as session:
        found = relanded(session, sources, None)
    for one in found:
        click.echo(f"  {one.outdated:>8} of {one.versions} versions in {one.table} hold more than is kept")
    if dry_run or not any(one.outdated for one in found):
        click.echo("Nothing was changed.")
        return
    if not yes and not click.confirm("Take it out of them for good? Backups are not touched."):
        raise click.Abort
    readers = _readers(manifest, {one.table for one in found if one.outdated})
    with alone(settings, warehouse, "karvon forget"):
        with warehouse.session() as session:
            relanded(session, sources, lambda _: _read_anew(session, readers))
        _do_all(
            {
                "the copy for reading": lambda: withdraw(settings),
                "the models that read these tables": lambda: _rebuild(settings, warehouse, lambda _: readers),
                "what the files of the engine hold of deleted rows": lambda: _compact(warehouse),
                "folders of loads that were killed": lambda: _delete_packages(warehouse),
            }
        )
    click.echo(
        "Taken out, and the models built anew. `karvon doctor` looks for what else seems to be a person's."
    )


def _readers(manifest: Mapping[str, Any], tables: Collection[str]) -> list[str]:
    """Models below these tables, those that read them first."""
    waiting = [
        unique_id
        for unique_id, one in manifest["sources"].items()
        if f"{one['schema']}.{one['identifier']}" in tables
    ]
    found: dict[str, None] = {}
    while waiting:
        below = [one for one in manifest["child_map"].get(waiting.pop(0), ()) if one in manifest["nodes"]]
        waiting += [one for one in below if one.startswith("model.") and one not in found]
        found |= dict.fromkeys(one for one in below if one.startswith("model."))
    return list(found)


def _read_anew(session: Session, models: Collection[str]) -> None:
    """The models are not what the project would make, and those that grow by loads are made from nothing."""
    for model in models:
        if session.has_table("staging.model_checksums"):
            name = model.rpartition(".")[2]
            session.execute("DELETE FROM staging.model_checksums WHERE model = $1", (name,))
        if session.has_table("staging.built_models"):
            session.execute("UPDATE staging.built_models SET fingerprint = NULL WHERE model = $1", (model,))


def _of_users(manifest: Mapping[str, Any]) -> list[str]:
    return [name for name, node in manifest["nodes"].items() if "user_apis" in node["path"]]


def _rebuild(
    settings: Settings, warehouse: Warehouse, ours: Callable[[Mapping[str, Any]], list[str]]
) -> None:
    from orchestration.dbt import build, read_manifest, stale_models

    manifest = read_manifest(settings, warehouse)
    stale = stale_models(manifest, warehouse, among=ours(manifest))
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
            "(schemaname LIKE 'raw\\_%' OR schemaname IN ('staging', 'restricted', 'marts'))"
        ):
            session.execute(f"VACUUM FULL {row['name']}")


def _delete_packages(warehouse: Warehouse) -> None:
    """Load packages of this home; a running load was refused before we came here."""
    from pipelines.load_folder import delete_left_over

    if left := delete_left_over(warehouse):
        raise WarehouseError(f"{', '.join(str(folder) for folder in left)}: in use, or not ours to delete.")
