"""The code location: ingestion, transformation, activation and operations put together.

dagster dev -w workspace.yaml
"""

from __future__ import annotations

import dagster as dg

from karvon.home import keep_private
from karvon.settings import export_environment, load_settings
from karvon.warehouse import Warehouse
from orchestration.dbt import read_manifest
from orchestration.defs.activation import activation
from orchestration.defs.crawl import crawling
from orchestration.defs.ingestion import ingestion
from orchestration.defs.operations import operations
from orchestration.defs.review import review
from orchestration.defs.transformation import transformation
from orchestration.defs.user_apis import user_apis
from orchestration.defs.user_reports import user_reports
from reverse_etl.spec.manifest import read_syncs


@dg.definitions
def defs() -> dg.Definitions:
    """All assets, checks, jobs, schedules and sensors. Raises `SettingsError`, `DbtError`, `SyncError`."""
    settings = load_settings()
    keep_private(settings)
    export_environment(settings)
    patience = max(settings.warehouse_lock_seconds, settings.run_lock_seconds)
    warehouse = Warehouse.of(settings, lock_seconds=patience)
    manifest = read_manifest(settings, warehouse)
    syncs = read_syncs(settings.manifest_path, settings.profile)
    return dg.Definitions.merge(
        ingestion(settings, warehouse, manifest, syncs),
        crawling(settings, warehouse),
        user_apis(settings, warehouse, manifest),
        transformation(settings, warehouse, manifest),
        user_reports(settings, warehouse),
        activation(settings, warehouse, syncs),
        review(settings, warehouse, syncs),
        operations(settings),
    )
