"""Raw assets: one op per source, which loads all its connections; one asset per resource."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from karvon.connections import plytix_connections, webflow_connections
from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.automation import OWNERS, freshness
from orchestration.dbt import Manifest
from pipelines.landing import LoadError, LoadOptions, LoadReport, load
from pipelines.source import Source
from pipelines.sources import plytix, webflow
from reverse_etl.ledger import managed_stock
from reverse_etl.syncs import Sync

# A new source is one line here: what it loads, and which connections of it exist.
SOURCES: Mapping[Source, Callable[[Settings], Mapping[str, Any]]] = {
    plytix.SOURCE: plytix_connections,
    webflow.SOURCE: webflow_connections,
}


class LoadConfig(dg.Config):
    """What an operator may ask of one run."""

    refresh: list[str] = []
    since: str | None = None
    key: str | None = None


def ingestion(
    settings: Settings, warehouse: Warehouse, manifest: Manifest, syncs: tuple[Sync, ...]
) -> dg.Definitions:
    """An asset for each resource of each source; the syncs say which of the destination's collections matter."""
    return dg.Definitions(
        assets=[_ingest_assets(source, settings, warehouse, manifest, syncs) for source in SOURCES]
    )


def fed_collections(syncs: tuple[Sync, ...], connection: str) -> list[str]:
    """Slugs of the collections that syncs of a connection feed: those whose items the mirror must show."""
    return sorted({slug for sync in syncs if sync.connection == connection for slug in sync.collections})


def _ingest_assets(
    source: Source, settings: Settings, warehouse: Warehouse, manifest: Manifest, syncs: tuple[Sync, ...]
) -> dg.AssetsDefinition:
    described = {
        node["name"]: node
        for node in manifest["sources"].values()
        if node["source_name"] == f"raw_{source.name}"
    }
    specs = [
        dg.AssetSpec(
            key=[f"raw_{source.name}", resource.name],
            group_name=source.name,
            description=described.get(resource.name, {}).get("description"),
            kinds={"dlt", "json"},
            owners=OWNERS,
            freshness_policy=freshness(settings),
            metadata={"dagster/column_schema": _columns(described.get(resource.name, {}))},
        )
        for resource in source.resources
    ]

    @dg.multi_asset(name=f"load_{source.name}", specs=specs, can_subset=True, pool=f"{source.name}_api")
    def load_source(
        context: dg.AssetExecutionContext, config: LoadConfig
    ) -> Iterator[dg.MaterializeResult[Any]]:
        wanted = {key.path[-1] for key in context.selected_asset_keys}
        yield from _load(source, settings, warehouse, wanted, config, syncs)

    return load_source


def _columns(node: Mapping[str, Any]) -> dg.TableSchema:
    columns = node.get("columns", {}).values()
    return dg.TableSchema(
        [
            dg.TableColumn(
                column["name"], column.get("data_type") or "text", description=column["description"]
            )
            for column in columns
        ]
    )


def _load(
    source: Source,
    settings: Settings,
    warehouse: Warehouse,
    wanted: set[str],
    config: LoadConfig,
    syncs: tuple[Sync, ...],
) -> Iterator[dg.MaterializeResult[Any]]:
    reports: list[LoadReport] = []
    problems: list[str] = []
    for name, connection in SOURCES[source](settings).items():
        options = LoadOptions(
            resources=frozenset(wanted),
            refresh=frozenset(_refreshed(source, config.refresh)),
            since=config.since,
            key=config.key,
            max_shrink_percent=settings.max_shrink_percent,
            sweep_every_hours=settings.sweep_every_hours,
            parameters={
                "stock_sku_ids": managed_stock(
                    warehouse, name, datetime.now(UTC) - timedelta(hours=settings.stock_read_after_hours)
                ),
                "stock_reads_per_run": settings.stock_reads_per_run,
                "item_collections": fed_collections(syncs, name),
            },
        )
        try:
            reports.append(load(source, connection, warehouse, options))
        except LoadError as error:
            reports.append(error.report)
            problems.append(str(error))
    for resource in sorted(wanted):
        yield _result(source, resource, reports)
    if problems:
        raise dg.Failure("\n".join(problems))


def _refreshed(source: Source, wishes: list[str]) -> set[str]:
    """`plytix` means all its resources, `plytix.products` one."""
    names = {resource.name for resource in source.resources}
    asked = {wish.partition(".")[2] or "*" for wish in wishes if wish.partition(".")[0] == source.name}
    return names if "*" in asked else names & asked


def _result(source: Source, resource: str, reports: list[LoadReport]) -> dg.MaterializeResult[Any]:
    counted = [report for load in reports for report in load.resources if report.resource == resource]
    names = ("seen", "new", "changed", "unchanged", "deleted", "missing", "refused", "failed", "requests")
    totals = {name: sum(getattr(report, name) for report in counted) for name in names}
    return dg.MaterializeResult(
        asset_key=[f"raw_{source.name}", resource],
        metadata={
            **totals,
            "seconds": round(sum(report.seconds for report in counted), 3),
            "complete": all(report.is_complete for report in counted),
            "load_ids": ", ".join(report.load_id for report in reports),
            "dagster/row_count": sum(report.landed for report in counted),
        },
    )
