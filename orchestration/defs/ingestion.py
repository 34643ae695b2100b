"""Raw assets: one op per source, which loads all its connections; one asset per resource."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from karvon.connections import (
    plytix_connections,
    uzex_connections,
    uzum_connections,
    uzum_seller_connections,
    webflow_connections,
)
from karvon.settings import Settings
from karvon.turns import landing
from karvon.warehouse import Warehouse
from orchestration.automation import MARKET, OWNERS, freshness
from orchestration.dbt import Manifest
from orchestration.sandbox_process import sandbox_time
from pipelines.crawl import crawl_due, load_slices
from pipelines.landing import LoadError, LoadOptions, LoadReport
from pipelines.source import Source
from pipelines.sources import plytix, uzex, uzum, webflow
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.ledger import managed_stock

# A new source is one line here: what it loads, and which connections of it exist.
SOURCES: Mapping[Source, Callable[[Settings], Mapping[str, Any]]] = {
    plytix.SOURCE: plytix_connections,
    webflow.SOURCE: webflow_connections,
    uzum.SOURCE: uzum_connections,
    uzum.SELLER_SOURCE: uzum_seller_connections,
    uzex.SOURCE: uzex_connections,
}
MARKET_SOURCES = (uzum.SOURCE, uzum.SELLER_SOURCE, uzex.SOURCE)
"""Sources that a plain run leaves out unless they are wanted (KARVON_MARKETS)."""


class LoadConfig(dg.Config):
    """What an operator may ask of one run."""

    refresh: list[str] = []
    since: str | None = None
    key: str | None = None


def ingestion(
    settings: Settings, warehouse: Warehouse, manifest: Manifest, syncs: tuple[Sync, ...]
) -> dg.Definitions:
    """An asset for each resource of each source, and the observations that models read.

    The syncs say which of the destination's collections matter.
    """
    return dg.Definitions(
        assets=[
            *(_ingest_assets(source, settings, warehouse, manifest, syncs) for source in SOURCES),
            *(_observations(node) for node in manifest["sources"].values() if node["name"] == "observations"),
        ]
    )


def _observations(node: Mapping[str, Any]) -> dg.AssetSpec:
    """Every load writes them beside its documents."""
    return dg.AssetSpec(
        key=[node["schema"], node["name"]],
        group_name=node["schema"].removeprefix("raw_"),
        description=node["description"],
        kinds={"dlt"},
        owners=OWNERS,
    )


def fed_collections(syncs: tuple[Sync, ...], connection: str) -> list[str]:
    """Slugs of the collections that syncs of a connection feed: those whose items the mirror must show."""
    return sorted({slug for sync in syncs if sync.connection == connection for slug in sync.collections})


def _ingest_assets(
    source: Source, settings: Settings, warehouse: Warehouse, manifest: Manifest, syncs: tuple[Sync, ...]
) -> dg.AssetsDefinition:
    described = {
        node["name"]: node for node in manifest["sources"].values() if node["source_name"] == source.schema
    }
    specs = [
        dg.AssetSpec(
            key=[source.schema, resource.name],
            group_name=source.name,
            tags=MARKET if source in MARKET_SOURCES else {},
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
        with landing(warehouse, source.name, f"the load of {source.name}"):
            reports, problems = _load(source, settings, warehouse, wanted, config, syncs)
        for resource in sorted(wanted):
            yield _result(source, resource, reports)
        if problems:
            raise dg.Failure("\n".join(problems))

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
) -> tuple[list[LoadReport], list[str]]:
    """What was loaded of all connections, and what went wrong."""
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
            for report in _loads(source, connection, settings, warehouse, options):
                reports.append(report)
        except LoadError as error:
            reports.append(error.report)
            problems.append(str(error))
    return reports, problems


def _loads(
    source: Source, connection: Any, settings: Settings, warehouse: Warehouse, options: LoadOptions
) -> Iterator[LoadReport]:
    """Lists first, slice by slice; then what is walked by number."""
    if source in MARKET_SOURCES:
        options = replace(options, now=sandbox_time(settings, source.belongs_to or source.name))
    walked = {resource.name for resource in source.resources if resource.visit is not None}
    if (options.resources or walked) - walked:
        yield from load_slices(source, connection, warehouse, options, settings.uzex_windows_per_run)
    if walked & (options.resources or walked):
        yield from crawl_due(source, connection, warehouse, options)


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
        asset_key=[source.schema, resource],
        metadata={
            **totals,
            "seconds": round(sum(report.seconds for report in counted), 3),
            "complete": all(report.is_complete for report in counted),
            "load_ids": ", ".join(report.load_id for report in reports),
            "dagster/row_count": sum(report.landed for report in counted),
        },
    )
