"""`karvon webflow scaffold, discover-images`: a first mapping out of what both sides have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from orchestration.cli.session import opened, plain_errors
from orchestration.cli.webflow.answers import as_json_option, project_syncs, say_json, say_table
from orchestration.scaffold.matching import Unmatched


@click.command("scaffold")
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
    from reverse_etl.spec.manifest import read_columns

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


@click.command("discover-images")
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
