"""The crawl as a job of its own: a partition per slice, a sensor that asks for the stalest ones.

Only documents are landed here; the models follow on their own schedule, whatever landed until then.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from karvon.connections import UzumConnection, markets_wanted, uzum_connections
from karvon.settings import Settings
from karvon.warehouse import Warehouse, WarehouseLocked
from orchestration.automation import MARKET, OWNERS
from orchestration.executor import executor
from orchestration.sandbox_process import sandbox_time
from pipelines.crawl import crawl
from pipelines.landing import LoadError, LoadOptions, LoadReport
from pipelines.slices import Slice, SliceStatus, due, revisits, status, within
from pipelines.sources.uzum import SOURCE

SLICES = dg.AssetKey(["crawl", "uzum_slices"])
POOL = f"{SOURCE.name}_api"
"""One with the load of the other resources: each step in it has one share of the rate limit."""
PARTITIONS = dg.DynamicPartitionsDefinition(name="uzum_slices")
REVISIT = "revisit"
"""The partition that stands for whatever is worth a visit out of turn."""
RETRY_AFTER = timedelta(hours=1)
_FRESH = "slices_are_fresh"
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def crawling(settings: Settings, warehouse: Warehouse) -> dg.Definitions:
    """The slices as one partitioned asset, the job that visits them, and the sensor that keeps it going."""

    @dg.asset(
        key=SLICES,
        partitions_def=PARTITIONS,
        group_name="uzum",
        kinds={"dlt", "json"},
        owners=OWNERS,
        tags=MARKET,
        pool=POOL,
        check_specs=[dg.AssetCheckSpec(_FRESH, asset=SLICES, description="No slice is stale or failed.")],
        description="Slices of Uzum's product ids; each is visited and landed in raw_uzum.products at once.",
    )
    def uzum_slices(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
        name, _, scope = context.partition_key.partition(" ")
        record = context.instance.get_run_record_by_id(context.run_id)
        # The sandbox has a clock of its own.
        asked_at = record.create_timestamp if record and settings.profile == "live" else None
        yield _visit(settings, warehouse, uzum_connections(settings)[name], scope, asked_at)

    crawl_job = dg.define_asset_job(
        "crawl_job",
        selection=dg.AssetSelection.assets(SLICES) | dg.AssetSelection.checks_for_assets(SLICES),
        executor_def=executor(settings, dg.multiprocess_executor),
        description="Visit one slice of Uzum's ids. Several runs share the rate limit (KARVON_CRAWL_WORKERS).",
    )

    # A tick has no time to wait: the next one looks again.
    quick = Warehouse.of(settings, lock_seconds=5, turn_seconds=5)

    @dg.sensor(
        name="crawl_sensor",
        job=crawl_job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING
        if markets_wanted(settings)
        else dg.DefaultSensorStatus.STOPPED,
        description="Asks for the stalest slices, within UZUM_REQUESTS_PER_RUN, and grows the universe.",
    )
    def crawl_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            allow_workers(context.instance, settings.crawl_workers)
            return wanted_slices(settings, quick, context.instance)
        except WarehouseLocked:
            return dg.SkipReason("The warehouse is busy; the next tick looks again.")

    return dg.Definitions(assets=[uzum_slices], jobs=[crawl_job], sensors=[crawl_sensor])


def allow_workers(instance: dg.DagsterInstance, workers: int) -> None:
    """As many steps of the crawl at once as there are shares of the rate limit."""
    instance.event_log_storage.set_concurrency_slots(POOL, workers)


def slices_of(settings: Settings, warehouse: Warehouse, connection: UzumConnection) -> list[SliceStatus]:
    """All slices of a connection as they are now."""
    now = sandbox_time(settings, SOURCE.name) or datetime.now(UTC)
    return status(warehouse, SOURCE, "products", connection.name, connection.universe, now)


def wanted_slices(
    settings: Settings, warehouse: Warehouse, instance: dg.DagsterInstance
) -> dg.SensorResult | dg.SkipReason:
    """A run for each slice that is due and not under way, as many as the requests are for."""
    known = set(instance.get_dynamic_partitions("uzum_slices"))
    under_way = {
        run.tags.get("dagster/partition")
        for run in instance.get_runs(dg.RunsFilter(job_name="crawl_job", statuses=_UNDER_WAY))
    }
    keys: list[str] = []
    wanted: list[str] = []
    for name, connection in uzum_connections(settings).items():
        slices = slices_of(settings, warehouse, connection)
        keys += [f"{name} {REVISIT}", *(f"{name} {one.slice.scope}" for one in slices)]
        waiting = due(slices, datetime.now(UTC), RETRY_AFTER)
        busy = sum(len(one.slice.ids) for one in slices if f"{name} {one.slice.scope}" in under_way)
        left = connection.universe.requests_per_run - busy
        if left <= 0:
            continue
        chosen = [f"{name} {one.slice.scope}" for one in within(waiting, left)]
        if len(chosen) < len(waiting) or not waiting:
            chosen.append(f"{name} {REVISIT}")
        wanted += [key for key in chosen if key not in under_way]
    new = [key for key in keys if key not in known]
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=key, tags={"dagster/priority": "-1"}) for key in wanted],
        dynamic_partitions_requests=[PARTITIONS.build_add_request(new)] if new else [],
    )


def _visit(
    settings: Settings,
    warehouse: Warehouse,
    connection: UzumConnection,
    scope: str,
    asked_at: datetime | None,
) -> dg.MaterializeResult[Any]:
    universe, clock = connection.universe, sandbox_time(settings, SOURCE.name)
    if scope == REVISIT:
        requests = int(universe.requests_per_run * universe.revisit_percent / 100)
        now = clock or datetime.now(UTC)
        slices = revisits(warehouse, SOURCE, connection.name, universe, requests, now)
    else:
        slices = [Slice.named(scope)]
    options = LoadOptions(max_shrink_percent=settings.max_shrink_percent, now=clock)
    try:
        reports = list(crawl(SOURCE, connection, warehouse, slices, options, asked_at))
    except LoadError as error:
        raise dg.Failure(str(error)) from None
    counts = _counts(reports)
    if counts["failed"]:
        raise dg.Failure(f"{counts['failed']} ids failed; the slice comes again.", metadata=counts)
    return dg.MaterializeResult(
        metadata=counts, check_results=[_freshness(slices_of(settings, warehouse, connection))]
    )


def _counts(reports: list[LoadReport]) -> dict[str, int]:
    names = ("seen", "new", "changed", "unchanged", "deleted", "missing", "refused", "failed", "requests")
    found = [report.resources[0] for report in reports]
    return {name: sum(getattr(one, name) for one in found) for name in names} | {"slices": len(reports)}


def _freshness(slices: list[SliceStatus]) -> dg.AssetCheckResult:
    """The slices as a table, the ones that need looking at first."""
    states = ("failed", "stale", "never visited", "fresh")
    listed = sorted(slices, key=lambda one: states.index(one.state))
    head = "| slice | state | visited | seen | missing | failed |\n|---|---|---|---|---|---|\n"
    rows = "\n".join(
        f"| {one.slice.scope} | {one.state} | {one.visited_at or ''} | {one.seen} | {one.missing} | {one.failed} |"
        for one in listed[:200]
    )
    counted = {state: sum(one.state == state for one in slices) for state in states}
    return dg.AssetCheckResult(
        passed=not counted["failed"] and not counted["stale"],
        check_name=_FRESH,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**counted, "slices": dg.MetadataValue.md(head + rows)},
    )
