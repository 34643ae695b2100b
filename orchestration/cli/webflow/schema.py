"""`karvon webflow schema, field-types, validate, info`: what the shop has, and whether the syncs fit it."""

from __future__ import annotations

from dataclasses import asdict

import click

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.cli.exit_status import FAILURE
from orchestration.cli.session import opened, plain_errors
from orchestration.cli.webflow.answers import as_json_option, project_syncs, say_json, say_table


@click.command("schema")
@click.argument("collection", required=False)
@click.option("--connection", default="default", show_default=True, help="Which site, of connections.yml.")
@click.option("--fresh", is_flag=True, help="Read the collections from the API first.")
@as_json_option
@plain_errors
def schema_command(collection: str | None, connection: str, fresh: bool, as_json: bool) -> None:
    """The fields of COLLECTION (product, sku, category, …), or of all, as last read from the shop."""
    from reverse_etl.destinations.webflow.field_types import MAX_FIELDS, read_collections

    settings, warehouse = opened()
    if fresh:
        _read_schema(settings, warehouse, connection)
    with warehouse.session() as session:
        found = read_collections(session, connection)
    if not found:
        raise click.ClickException(
            "The fields of the shop are not known yet; add --fresh, or `karvon run` first."
        )
    chosen = [one for one in found if collection in (None, one.slug, one.id)]
    if not chosen:
        raise click.ClickException(
            f"There is no collection {collection}; there are {', '.join(one.slug for one in found)}."
        )
    if as_json:
        say_json([asdict(one) for one in chosen])
        return
    for one in chosen:
        click.echo(f"\n{one.name} ({one.slug}, {one.id}), {len(one.fields)} of at most {MAX_FIELDS} fields")
        rows = [
            (
                field.slug,
                field.type,
                "yes" if field.is_required else "",
                "/".join(field.takes or "?"),
                field.limits,
            )
            for field in one.fields
        ]
        say_table(("field", "type", "required", "as", "validations and options"), rows)


def _read_schema(settings: Settings, warehouse: Warehouse, connection: str) -> None:
    from karvon.connections import webflow_connections
    from orchestration.sandbox_process import running_sandbox
    from pipelines.landing import LoadError, LoadOptions, load
    from pipelines.sources import webflow

    sites = webflow_connections(settings)
    if connection not in sites:
        raise click.UsageError(
            f"There is no Webflow connection {connection!r}; known are {', '.join(sites)}."
        )
    try:
        with running_sandbox(settings):
            load(
                webflow.SOURCE,
                sites[connection],
                warehouse,
                LoadOptions(resources=frozenset({"collections"})),
            )
    except LoadError as error:
        raise click.ClickException(str(error)) from None


@click.command("field-types")
@as_json_option
def field_types_command(as_json: bool) -> None:
    """The field types of Webflow: what may feed each, how it is written, what limits it."""
    from reverse_etl.destinations.webflow.field_types import FIELD_TYPES

    if as_json:
        say_json([asdict(one) for one in FIELD_TYPES.values()])
        return
    rows = [(one.name, "/".join(one.takes) or "–", one.written, one.limits) for one in FIELD_TYPES.values()]
    say_table(("type", "as", "written as", "validations, limits"), rows)


@click.command("validate")
@as_json_option
@plain_errors
def validate_command(as_json: bool) -> None:
    """Hold every sync against the live fields and the data: unknown fields, types, required, lengths, options.

    Exit status: 0 all fits, 1 something does not.
    """
    from orchestration.dbt import PROJECT
    from reverse_etl.destinations import DESTINATIONS
    from reverse_etl.destinations.webflow.validation import validate, webflow_syncs

    _, warehouse, syncs = project_syncs()
    with warehouse.session() as session:
        problems = validate(session, syncs, DESTINATIONS, PROJECT)
    if as_json:
        say_json([asdict(one) for one in problems])
    else:
        for one in problems:
            click.echo(str(one))
        click.echo(f"{len(webflow_syncs(syncs))} syncs, {len(problems)} problems")
    raise click.exceptions.Exit(FAILURE if problems else 0)


@click.command("info")
@as_json_option
@plain_errors
def info_command(as_json: bool) -> None:
    """What each sync feeds: its collection, mapped and unmapped fields, rows, those not ready and those in the shop."""
    from reverse_etl.destinations.webflow.validation import coverage

    _, warehouse, syncs = project_syncs()
    with warehouse.session() as session:
        found = coverage(session, syncs)
    if as_json:
        say_json([asdict(one) for one in found])
        return
    rows = [
        (one.sync, one.collection, one.mode, len(one.mapped), one.rows, one.not_ready, one.in_shop,
         ", ".join(one.unmapped))
        for one in found
    ]  # fmt: skip
    say_table(
        ("sync", "collection", "mode", "mapped", "rows", "not ready", "in shop", "unmapped fields"), rows
    )
