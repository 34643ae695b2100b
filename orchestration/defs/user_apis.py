"""The APIs that users bring: one asset in the ordinary run, and a partition per source to look at and repeat."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from karvon.settings import Settings
from karvon.turns import landing
from karvon.warehouse import Warehouse
from orchestration.automation import OWNERS
from orchestration.dbt import Manifest
from orchestration.executor import executor
from orchestration.user_apis import declared_sources, surroundings
from pipelines.sources.user_apis.ingest import IngestReport, ingest
from pipelines.sources.user_apis.status import SourceRun

PARTITIONS = dg.DynamicPartitionsDefinition(name="data_sources")
SOURCE_ASSET = dg.AssetKey(["user_apis", "data_source"])
_TABLES = ("records", "definitions", "users", "source_runs")


def user_apis(settings: Settings, warehouse: Warehouse, manifest: Manifest) -> dg.Definitions:
    """`raw_user_apis/*` for the sync job, and `user_apis/data_source` with a partition per source."""
    # One run for many partitions is what Dagster calls beta; users need not read that.
    warnings.simplefilter("ignore", dg.BetaWarning)
    described = {
        node["name"]: node["description"]
        for node in manifest["sources"].values()
        if node["source_name"] == "raw_user_apis"
    }

    @dg.multi_asset(
        name="load_user_apis",
        specs=[
            dg.AssetSpec(
                ["raw_user_apis", table], group_name="user_apis", kinds={"dlt", "json"}, owners=OWNERS,
                description=described.get(table),
            )
            for table in _TABLES
        ],
    )  # fmt: skip
    def load_user_apis(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        report = _ingest(settings, warehouse)
        _note_partitions(context, report)
        for problem in report.problems:
            context.log.warning("not read: %s", problem)
        counts = _counts(report)
        for table in _TABLES:
            yield dg.MaterializeResult(
                asset_key=["raw_user_apis", table], metadata=counts if table == "records" else {}
            )

    @dg.asset(
        key=SOURCE_ASSET,
        partitions_def=PARTITIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name="user_apis",
        owners=OWNERS,
        description="One data source of a user; materialize a partition to read it now, whether due or not.",
    )
    def data_source(context: dg.AssetExecutionContext) -> None:
        names = list(context.partition_keys)
        report = _ingest(settings, warehouse, names)
        for run in report.runs:
            context.add_asset_metadata(_metadata(run), partition_key=run.connection)
        if report.failed:
            raise dg.Failure("\n".join(f"{run.connection}: {run.error}" for run in report.failed))

    job = dg.define_asset_job(
        "data_source_job", selection=dg.AssetSelection.assets(SOURCE_ASSET),
        executor_def=executor(settings, dg.multiprocess_executor),
        description="Read chosen data sources of users again.",
    )  # fmt: skip
    return dg.Definitions(assets=[load_user_apis, data_source], jobs=[job])


def _ingest(settings: Settings, warehouse: Warehouse, only: Sequence[str] | None = None) -> IngestReport:
    with landing(warehouse, "user_apis", "the load of the users' APIs"):
        return ingest(declared_sources(settings), surroundings(settings, warehouse), only=only)


def _note_partitions(context: dg.AssetExecutionContext, report: IngestReport) -> None:
    """The partitioned asset shows what the ordinary run did with each source."""
    ran = [run.connection for run in report.runs]
    context.instance.add_dynamic_partitions("data_sources", ran)
    for run in report.runs:
        if run.outcome in ("complete", "capped"):
            context.log_event(
                dg.AssetMaterialization(SOURCE_ASSET, partition=run.connection, metadata=_metadata(run))
            )
        else:
            context.log.warning("%s %s: %s", run.connection, run.outcome, run.error)


def _metadata(run: SourceRun) -> dict[str, Any]:
    return {
        "outcome": run.outcome, "rows_seen": run.rows_seen, "rows_landed": run.rows_landed,
        "requests": run.requests, **({"error": run.error} if run.error else {}),
    }  # fmt: skip


def _counts(report: IngestReport) -> dict[str, Any]:
    resources = [one for reports in report.resources.values() for one in reports]
    names = ("seen", "new", "changed", "unchanged", "deleted", "missing", "refused", "failed", "requests")
    counts: dict[str, Any] = {name: sum(getattr(one, name) for one in resources) for name in names}
    failed = [f"{run.connection}: {run.error}" for run in report.failed]
    return {
        **counts,
        "sources": len(report.runs),
        "sources_failed": len(failed),
        "not_due": len(report.skipped),
        "problems": dg.MetadataValue.md(
            "\n".join(f"* {line}" for line in [*report.problems, *failed]) or "none"
        ),
        "dagster/row_count": sum(one.landed for one in resources),
    }
