"""The code location: everything below `defs/`, loaded by Dagster.

dagster dev -w workspace.yaml
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from karvon.settings import export_environment, load_settings


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors."""
    export_environment(load_settings())
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
