"""`karvon webflow mapping export, import`: all mappings as JSON, and back into the YAML."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from karvon.written_yaml import MAX_BYTES, UnreadableYaml, parse_json
from orchestration.cli.session import plain_errors
from orchestration.cli.webflow.answers import project_syncs


@click.group("mapping")
def mapping_command() -> None:
    """All mappings as JSON, for teams that keep them elsewhere."""


@mapping_command.command("export")
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), help="A file; else standard output.")
@plain_errors
def export_command(to: Path | None) -> None:
    """Write every column's field, kind and policy as JSON."""
    from reverse_etl.review.mappings import exported
    from reverse_etl.spec.manifest import read_columns

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
    from reverse_etl.destinations import DESTINATIONS
    from reverse_etl.review.mappings import changes, edited
    from reverse_etl.spec.manifest import read_columns

    settings, warehouse, syncs = project_syncs()
    try:
        document = parse_json(file.read(MAX_BYTES + 1))
    except UnreadableYaml as error:
        raise click.ClickException(f"{file.name}, line {error.line}: {error}") from None
    with warehouse.session() as session:
        changed = changes(session, syncs, DESTINATIONS, read_columns(settings.manifest_path), document)
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
