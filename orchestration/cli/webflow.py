"""`karvon webflow`: the shop's fields, the mappings held against them, and what a change would send."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.table import Table

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.cli import FAILURE
from orchestration.cli.session import opened, plain_errors
from orchestration.scaffold.matching import Unmatched
from reverse_etl.syncs import Sync

as_json_option: Callable[..., Callable[..., None]] = click.option(
    "--json", "as_json", is_flag=True, help="As JSON."
)


@click.group("webflow")
def webflow_command() -> None:
    """Fields and mappings of the shop: look, check, try, write. Nothing here writes to the shop."""


def project_syncs() -> tuple[Settings, Warehouse, tuple[Sync, ...]]:
    """What most of these commands begin with. Raises `SyncError` for wrong YAML."""
    from orchestration.dbt import read_manifest
    from reverse_etl.manifest import read_syncs

    settings, warehouse = opened()
    read_manifest(settings, warehouse)
    return settings, warehouse, read_syncs(settings.manifest_path, settings.profile)


def say_json(content: object) -> None:
    click.echo(orjson.dumps(content, option=orjson.OPT_INDENT_2))


def say_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table that fits a terminal, and is not cut where there is none."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 200).print(table, markup=False, highlight=False)


@webflow_command.command("schema")
@click.argument("collection", required=False)
@click.option("--connection", default="default", show_default=True, help="Which site, of connections.yml.")
@click.option("--fresh", is_flag=True, help="Read the collections from the API first.")
@as_json_option
@plain_errors
def schema_command(collection: str | None, connection: str, fresh: bool, as_json: bool) -> None:
    """The fields of COLLECTION (product, sku, category, …), or of all, as last read from the shop."""
    from reverse_etl.destinations.webflow.field_types import read_collections

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
        click.echo(f"\n{one.name} ({one.slug}, {one.id}), {len(one.fields)} fields")
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


@webflow_command.command("field-types")
@as_json_option
def field_types_command(as_json: bool) -> None:
    """The field types of Webflow: what may feed each, how it is written, what limits it."""
    from reverse_etl.destinations.webflow.field_types import FIELD_TYPES

    if as_json:
        say_json([asdict(one) for one in FIELD_TYPES.values()])
        return
    rows = [(one.name, "/".join(one.takes) or "–", one.written, one.limits) for one in FIELD_TYPES.values()]
    say_table(("type", "as", "written as", "validations, limits"), rows)


@webflow_command.command("validate")
@as_json_option
@plain_errors
def validate_command(as_json: bool) -> None:
    """Hold every sync against the live fields and the data: unknown fields, types, required, lengths, options.

    Exit status: 0 all fits, 1 something does not.
    """
    from orchestration.dbt import PROJECT
    from reverse_etl.destinations.webflow.validation import validate, webflow_syncs

    _, warehouse, syncs = project_syncs()
    with warehouse.session() as session:
        problems = validate(session, syncs, PROJECT)
    if as_json:
        say_json([asdict(one) for one in problems])
    else:
        for one in problems:
            click.echo(str(one))
        click.echo(f"{len(webflow_syncs(syncs))} syncs, {len(problems)} problems")
    raise click.exceptions.Exit(FAILURE if problems else 0)


@webflow_command.command("info")
@as_json_option
@plain_errors
def info_command(as_json: bool) -> None:
    """What each sync feeds: its collection, mapped and unmapped fields, rows ready, held and in the shop."""
    from reverse_etl.destinations.webflow.validation import coverage

    _, warehouse, syncs = project_syncs()
    with warehouse.session() as session:
        found = coverage(session, syncs)
    if as_json:
        say_json([asdict(one) for one in found])
        return
    rows = [
        (one.sync, one.collection, one.mode, len(one.mapped), one.rows, one.held, one.in_shop, ", ".join(one.unmapped))
        for one in found
    ]  # fmt: skip
    say_table(("sync", "collection", "mode", "mapped", "rows", "held", "in shop", "unmapped fields"), rows)


@webflow_command.command("preview")
@click.argument("key", required=False)
@click.option(
    "--sample", type=click.IntRange(1, 20), help="Without KEY: the first so many rows of each root sync."
)
@click.option(
    "--as-new", is_flag=True, help="As if the shop did not have it yet: every field, in creating requests."
)
@click.option(
    "--set", "changes", multiple=True, metavar="COLUMN=VALUE", help="Try another value (or SYNC.COLUMN=…)."
)
@as_json_option
@plain_errors
def preview_command(
    key: str | None, sample: int | None, as_new: bool, changes: tuple[str, ...], as_json: bool
) -> None:
    """Show the exact requests that KEY (key or SKU code) would cause now. Nothing is sent or stored."""
    from orchestration.previews import previewed, sample_keys

    settings, warehouse, syncs = project_syncs()
    if (key is None) == (sample is None):
        raise click.UsageError("Give a KEY, or --sample N.")
    values = dict(change.split("=", 1) for change in changes if "=" in change)
    if len(values) != len(changes):
        raise click.UsageError("--set takes COLUMN=VALUE.")
    keys = [key] if key is not None else sample_keys(warehouse, syncs, sample or 1)
    found = {one: previewed(settings, warehouse, syncs, one, as_new=as_new, values=values) for one in keys}
    if as_json:
        shown = {
            one: {
                "requests": [asdict(r) for r in made.requests],
                "findings": [asdict(f) for f in made.findings],
            }
            for one, made in found.items()
        }
        say_json(shown[key] if key is not None else shown)
        return
    for one, made in found.items():
        click.echo(
            f"# {one}: {len(made.requests)} requests" + ("" if made.requests else ", nothing to change")
        )
        for request in made.requests:
            query = "&".join(f"{name}={value}" for name, value in request.query.items())
            click.echo(f"{request.method} {request.path}{'?' if query else ''}{query}")
            if request.body is not None:
                say_json(request.body)
        for finding in made.findings:
            click.echo(f"- {finding.kind} · {finding.sync} · {finding.key}: {finding.message}")


@webflow_command.command("estimate")
@click.option("--as-new", is_flag=True, help="For a shop that has nothing yet: the first sync.")
@as_json_option
@plain_errors
def estimate_command(as_new: bool, as_json: bool) -> None:
    """How many requests and minutes a sync of everything takes now, and how many items of the plan's cap it fills."""
    from reverse_etl.destinations import rate_per_minute
    from reverse_etl.preview import estimate

    settings, warehouse, syncs = project_syncs()
    found = estimate(warehouse, syncs, rate_per_minute(settings), as_new=as_new)
    if as_json:
        say_json(asdict(found))
        return
    click.echo(
        f"{found.requests} requests, about {found.minutes:.1f} minutes at {found.rate_per_minute:g} a minute; "
        f"{found.items} items in the shop afterwards (SKUs count)."
    )
    say_table(
        ("sync", "what", "rows"), [(s, w, n) for s, counts in found.counts.items() for w, n in counts.items()]
    )


@webflow_command.command("scaffold")
@click.argument("target", metavar="products|COLLECTION")
@click.option("--prefix", default="shop", show_default=True, help="Models are called PREFIX__TARGET.")
@click.option("--connection", default="default", show_default=True, help="Which site, of connections.yml.")
@click.option("--dry-run", is_flag=True, help="Only say what matches; write nothing.")
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@as_json_option
@plain_errors
def scaffold_command(
    target: str, prefix: str, connection: str, dry_run: bool, force: bool, as_json: bool
) -> None:
    """Write a first model and sync for the product set or a collection, from what Plytix and the shop have."""
    from orchestration.dbt import PROJECT
    from orchestration.scaffold.attributes import NothingLanded
    from orchestration.scaffold.plan import CannotScaffold, scaffold
    from reverse_etl.manifest import read_columns

    if not prefix.isidentifier() or "__" in prefix:
        raise click.UsageError("--prefix takes letters, digits and single underscores.")
    settings, warehouse, syncs = project_syncs()
    try:
        with warehouse.session() as session:
            made = scaffold(session, syncs, read_columns(settings.manifest_path), target, prefix, connection)
        folder = PROJECT / "models" / "activation" / "webflow"
        written = [] if dry_run else made.write(folder, force=force)
    except (CannotScaffold, NothingLanded) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        say_json({"written": [path.name for path in written], "files": list(made.files),
                  "collections": {slug: asdict(one) for slug, one in made.matchings.items()}})  # fmt: skip
        return
    for slug, matching in made.matchings.items():
        click.echo(f"\n{slug}: {len(matching.matches)} matched")
        rows = [
            (
                one.field.slug,
                one.field.type,
                one.attribute.label,
                one.attribute.kind,
                (one.attribute.sample or "")[:40],
            )
            for one in matching.matches
        ]
        say_table(("field", "type", "attribute", "kind", "sample"), rows)
        click.echo(f"fields without an attribute: {_left(matching.fields)}")
    *_, last = made.matchings.values()
    click.echo(f"\nattributes that feed no field directly: {_left(last.attributes)}")
    for path in written:
        click.echo(f"wrote {path.relative_to(PROJECT.parent)}")
    if written and target == "products":
        click.echo(
            "Two syncs must not feed the same products: take the `sync` out of webflow__products and webflow__skus."
        )


def _left(unmatched: Sequence[Unmatched]) -> str:
    said = [f"{one.name} ({one.type}{f'; {one.reason}' if one.reason else ''})" for one in unmatched]
    return ", ".join(said) or "none"


@webflow_command.command("discover-images")
@as_json_option
@plain_errors
def discover_images_command(as_json: bool) -> None:
    """Attributes whose values lead to pictures or files, counted in the data."""
    from orchestration.scaffold.attributes import NothingLanded, read_attributes

    _, warehouse = opened()
    try:
        with warehouse.session() as session:
            found = [one for one in read_attributes(session) if one.images or one.files]
    except NothingLanded as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        say_json([asdict(one) for one in found])
        return
    rows = [(one.label, one.kind, one.filled, one.images, one.files, one.sample) for one in found]
    say_table(("attribute", "kind", "filled", "pictures", "files", "sample"), rows)


@webflow_command.group("mapping")
def mapping_command() -> None:
    """All mappings as JSON, for teams that keep them elsewhere."""


@mapping_command.command("export")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="A file; else standard output.")
@plain_errors
def export_command(to: Path | None) -> None:
    """Write every column's field, kind and policy as JSON."""
    from reverse_etl.manifest import read_columns
    from reverse_etl.mappings import exported

    settings, _, syncs = project_syncs()
    content = orjson.dumps(exported(syncs, read_columns(settings.manifest_path)), option=orjson.OPT_INDENT_2)
    if to is None:
        click.echo(content)
        return
    to.write_bytes(content + b"\n")
    click.echo(f"Wrote {len(syncs)} syncs to {to}.")


@mapping_command.command("import")
@click.argument("file", type=click.File("rb"))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@plain_errors
def import_command(file: click.utils.LazyFile, yes: bool, dry_run: bool) -> None:
    """Bring the mappings of FILE (as `export` writes them) into the YAML; comments and order of the rest stay.

    Everything is checked first against the models and the live fields; nothing is written when anything is wrong.
    """
    from orchestration.dbt import PROJECT
    from reverse_etl.manifest import read_columns
    from reverse_etl.mappings import changes, edited

    settings, warehouse, syncs = project_syncs()
    try:
        document = orjson.loads(file.read())
    except orjson.JSONDecodeError as error:
        raise click.ClickException(f"{file.name} is not JSON: {error}") from None
    with warehouse.session() as session:
        changed = changes(session, syncs, read_columns(settings.manifest_path), document)
    for one in changed:
        click.echo(str(one))
    if not changed or dry_run:
        click.echo(f"{len(changed)} changes.")
        return
    texts = edited(changed, PROJECT)
    if not yes:
        click.confirm(
            f"Write {len(changed)} changes to {', '.join(path.name for path in texts)}?", abort=True
        )
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    click.echo(f"{len(changed)} changes written; `karvon plan` shows their effect.")
