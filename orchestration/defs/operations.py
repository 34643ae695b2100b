"""The jobs, the schedule, and the sensor that tells people about failed runs."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from karvon.connections import markets_wanted
from karvon.published import publish
from karvon.settings import Settings, load_settings
from karvon.warehouse import Warehouse, WarehouseError
from orchestration.automation import MARKET, sync_cron
from orchestration.defs.crawl import SLICES
from orchestration.defs.messages import tell
from orchestration.defs.user_apis import SOURCE_ASSET
from orchestration.executor import executor

_MARKETS = dg.AssetSelection.tag(*next(iter(MARKET.items())))
_COPY_PATIENCE = 5
_PUT_ASIDE = dg.AssetSelection.assets(["marts", "rejected_documents"])
"""What sources got wrong: a view over all of them, so it belongs to both jobs."""
_BY_PARTITION = dg.AssetSelection.assets(SLICES, SOURCE_ASSET)
"""Read by jobs of their own: an ordinary run has no partition."""


def market_job(settings: Settings) -> dg.UnresolvedAssetJobDefinition:
    """The markets alone."""
    return dg.define_asset_job(
        "market_job",
        selection=(_MARKETS | _PUT_ASIDE) - _BY_PARTITION,
        executor_def=executor(settings, dg.in_process_executor),
        description="Visit what is due on Uzum, read what is new on UZEX, build their models.",
    )


def sync_job(settings: Settings) -> dg.UnresolvedAssetJobDefinition:
    """The chain from the PIM to the shop, with the markets if they are wanted."""
    everything = dg.AssetSelection.all() - _BY_PARTITION
    return dg.define_asset_job(
        "sync_job",
        selection=everything if markets_wanted(settings) else everything - _MARKETS,
        executor_def=executor(settings, dg.in_process_executor),
        description="Load what changed, build the models, plan the changes to the shop, apply them if allowed.",
    )


def operations(settings: Settings) -> dg.Definitions:
    """Jobs, schedule, failure sensor."""
    job = sync_job(settings)
    schedule = dg.ScheduleDefinition(
        name="sync_schedule",
        job=job,
        cron_schedule=sync_cron(settings.sync_every_minutes),
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every KARVON_SYNC_EVERY_MINUTES; writes to destinations only if KARVON_APPLY allows it.",
    )
    return dg.Definitions(
        jobs=[job, market_job(settings)],
        schedules=[schedule],
        # On Postgres readers need no copy.
        sensors=[
            tell_about_failures,
            *(publishing() if settings.warehouse_url.startswith("duckdb:") else ()),
        ],
    )


def publishing() -> Iterator[dg.SensorDefinition]:
    """Publish the copy for readers after each run; one that failed has changed something too."""
    yield _publishing(dg.DagsterRunStatus.SUCCESS)
    yield _publishing(dg.DagsterRunStatus.FAILURE)


def _publishing(status: dg.DagsterRunStatus) -> dg.SensorDefinition:

    @dg.run_status_sensor(
        run_status=status,
        name=f"publish_after_{status.value.lower()}_sensor",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Renews the copy of the warehouse that people read (docs/observability.md), if anything changed.",
    )
    def renew(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
        settings = load_settings()
        try:
            changed = publish(settings, Warehouse.of(settings, lock_seconds=_COPY_PATIENCE))
        except (WarehouseError, OSError) as error:
            # Another run is at work; its end renews the copy.
            return dg.SkipReason(f"The copy was not renewed: {error}")
        context.log.info("%d tables of the copy are new", len(changed))
        return None

    return renew


@dg.run_failure_sensor(
    name="failed_run_sensor",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts failed and held runs to KARVON_ALERT_WEBHOOK_URL (Slack-compatible), if set.",
)
def tell_about_failures(context: dg.RunFailureSensorContext) -> None:
    """One message per failed run; without a webhook address nothing is sent."""
    run = context.dagster_run
    reasons = [
        str(event.step_failure_data.user_failure_data.description)
        for event in context.get_step_failure_events()
        if event.step_failure_data.user_failure_data is not None
    ]
    what = " ".join(reasons) or context.failure_event.message or ""
    tell(load_settings(), f"{run.job_name} run {run.run_id[:8]} failed. {what}", run.run_id)
