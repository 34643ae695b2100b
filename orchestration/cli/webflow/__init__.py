"""`karvon webflow`: the shop's fields, the mappings held against them, and what a change would send."""

from __future__ import annotations

import click

from orchestration.cli.webflow.mapping import mapping_command
from orchestration.cli.webflow.preview import estimate_command, preview_command
from orchestration.cli.webflow.scaffold import discover_images_command, scaffold_command
from orchestration.cli.webflow.schema import (
    field_types_command,
    info_command,
    schema_command,
    validate_command,
)


@click.group("webflow")
def webflow_command() -> None:
    """Fields and mappings of the shop: look, check, try, write. Nothing here writes to the shop."""


for command in (
    schema_command, field_types_command, info_command, validate_command, discover_images_command, scaffold_command,
    preview_command, estimate_command, mapping_command,
):  # fmt: skip
    webflow_command.add_command(command)
