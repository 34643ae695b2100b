"""`karvon run`: the whole chain as one Dagster run in this process, with progress and a summary."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import click
import dagster as dg
from rich.console import Console

from karvon.settings import Settings
from orchestration.cli.display import shown_progress
from orchestration.cli.exit_status import BLOCKED, FAILURE, INTERRUPTED, PENDING
from orchestration.cli.session import opened, plain_errors

Metadata = Mapping[tuple[str, ...], Mapping[str, Any]]

_ROOMS = ("karvon.", "pipelines.", "reverse_etl.", "orchestration.")
_TOLD = ("new", "changed", "deleted", "missing", "refused", "failed")
_SHORT = {"market": 'tag:"karvon/domain"="market" or key:"marts/rejected_documents"'}
_DAGSTER_LEVEL = {"DEBUG": "DEBUG", "INFO": "INFO"}
_STEPS = {
    "load_plytix": "load Plytix",
    "load_webflow": "read the shop",
    "load_user_apis": "read user APIs",
    "load_uzum": "crawl Uzum",
    "load_uzum_seller": "own Uzum shop",
    "load_uzex": "load UZEX",
    "dbt_models": "build models",
    "models_are_built": "check models",
    "user_apis__reports": "user reports",
    "webflow_store": "plan and apply",
    "files": "write files",
    "webhook": "send messages",
}


@click.command("run")
@click.option("--select", help="`market`, or assets in Dagster's selection syntax, e.g. 'group:plytix'.")
@click.option("--refresh", multiple=True, metavar="SOURCE[.RESOURCE]", help="Read from the beginning.")
@click.option(
    "--since", metavar="DATE", help="Read what changed since this UTC date or time instead of the cursor."
)
@click.option("--key", help="Only this product (SKU or key), fetched fresh.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many rows are changed in the shop.")
@click.option("--retry", is_flag=True, help="Try rows again that the shop refused.")
@click.option(
    "--apply/--plan-only", default=None, help="Write to the shop or not. Default: only in the sandbox."
)
@plain_errors
def run_command(
    select: str | None,
    refresh: tuple[str, ...],
    since: str | None,
    key: str | None,
    limit: int | None,
    retry: bool,
    apply: bool | None,
) -> None:
    """Load what changed, build the models, plan the changes to the shop and apply them."""
    from orchestration.sandbox_process import running_sandbox
    from reverse_etl.destinations import DESTINATIONS
    from reverse_etl.state.destination import WithoutMirror

    _check(refresh, since)
    if (key or limit) and not select:
        # One product, or a first few: files and messages are about all of them.
        unread = [name for name, one in DESTINATIONS.items() if isinstance(one, WithoutMirror)]
        select = " and ".join(f"not group:{name}" for name in unread)
    settings, _ = opened()
    console = Console(stderr=True, soft_wrap=True)
    load = {"config": {"refresh": list(refresh), "since": since, "key": key}}
    activate = {"config": {"apply": apply, "key": key, "limit": limit, "retry": retry}}
    readers = [name for name in _STEPS if name.startswith("load_") and name != "load_user_apis"]
    ops: dict[str, Any] = {**dict.fromkeys(readers, load), **dict.fromkeys(DESTINATIONS, activate)}
    began = time.monotonic()
    with running_sandbox(settings), shown_progress(console):
        try:
            result = _execute(settings, ops, select)
        except dg.DagsterExecutionInterruptedError:
            raise click.Abort from None
    status = _summary(console, settings, result, time.monotonic() - began)
    raise click.exceptions.Exit(status)


def _check(refresh: Collection[str], since: str | None) -> None:
    """What click cannot check: names of tables, and a date."""
    from orchestration.defs.ingestion import SOURCES

    tables = {source.name: {resource.name for resource in source.resources} for source in SOURCES}
    for wish in refresh:
        source, _, resource = wish.partition(".")
        if source not in tables:
            raise click.UsageError(
                f"--refresh {wish!r}: there is no such source; known are {', '.join(tables)}."
            )
        if resource and resource not in tables[source]:
            known = ", ".join(sorted(tables[source]))
            raise click.UsageError(f"--refresh {wish!r}: {source} has no such table; it has {known}.")
    try:
        datetime.fromisoformat(since or "2000-01-01")
    except ValueError:
        raise click.UsageError(
            f"--since {since!r} is no ISO date or time, such as 2026-10-01 or 2026-10-01T12:00:00."
        ) from None


def selected(
    select: str | None, repository: dg.RepositoryDefinition
) -> tuple[dg.JobDefinition, list[dg.AssetKey] | None]:
    """The job to run and its assets that a selection in Dagster's words means; None is all of them.

    Raises `click.UsageError` for a selection that cannot be read or matches nothing.
    """
    return _job(repository, _chosen(select, repository) if select else None)


def _chosen(select: str, repository: dg.RepositoryDefinition) -> list[dg.AssetKey]:
    # Groups in a selection are what Dagster calls beta; users need not read that.
    warnings.simplefilter("ignore", dg.BetaWarning)
    try:
        # What is made together is chosen together.
        selection = dg.AssetSelection.from_string(_SHORT.get(select, select)).required_multi_asset_neighbors()
        chosen = sorted(selection.resolve(repository.asset_graph))
    except dg.DagsterInvalidSubsetError:
        chosen = []
    except dg.DagsterError as error:
        raise click.UsageError(f"--select {select!r}: {error}") from None
    if not chosen:
        raise click.UsageError(f"--select {select!r} matches no asset; `make dev` shows them.")
    return chosen


def _job(
    repository: dg.RepositoryDefinition, chosen: list[dg.AssetKey] | None
) -> tuple[dg.JobDefinition, list[dg.AssetKey] | None]:
    """The job that has the chosen assets: the markets have one of their own, as plain runs leave them out."""
    job, markets = repository.get_job("sync_job"), repository.get_job("market_job")
    if chosen is None:
        return job, None
    of_runs, of_markets = job.asset_layer.selected_asset_keys, markets.asset_layer.selected_asset_keys
    # Some tables belong to both, such as the list of what was put aside: they decide nothing.
    if not set(chosen) & (of_runs - of_markets) and set(chosen) & (of_markets - of_runs):
        job = markets
    return job, [key for key in chosen if key in job.asset_layer.selected_asset_keys]


def _execute(settings: Settings, ops: dict[str, Any], select: str | None) -> dg.ExecuteInProcessResult:
    from orchestration.definitions import defs
    from orchestration.instance import PROCESS_TAG, close_dead_runs, prepare_dagster_home

    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        close_dead_runs(instance)
        repository = defs().get_repository_def()
        job, chosen = selected(select, repository)
        subset = job.get_subset(asset_selection=set(chosen) if chosen else None)
        taking_part = {node.name for node in subset.nodes}
        return job.execute_in_process(
            instance=instance,
            run_config={
                "ops": {name: config for name, config in ops.items() if name in taking_part},
                # Failures are told by the summary; Dagster's own log is for those who ask for detail.
                "loggers": {
                    "console": {"config": {"log_level": _DAGSTER_LEVEL.get(settings.log_level, "CRITICAL")}}
                },
            },
            asset_selection=chosen,
            tags={PROCESS_TAG: str(os.getpid())},
            raise_on_error=False,
        )


def _summary(console: Console, settings: Settings, result: dg.ExecuteInProcessResult, seconds: float) -> int:
    """Say what happened, and give the exit status."""
    from reverse_etl.state.outstanding import WORDS, Tally

    took = {
        str(event.step_key): (event.step_success_data.duration_ms / 1000)
        for event in result.all_events
        if event.event_type_value == "STEP_SUCCESS"
    }
    metadata: Metadata = {
        tuple(event.asset_key.path) if event.asset_key else (): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
    }
    console.print()
    failed = {str(failure.step_key) for failure in result.filter_events(_is_failure)}
    for op in (*_STEPS, *sorted((failed | set(took)) - set(_STEPS))):
        label = _STEPS.get(op, op)
        if op in failed | set(took):
            time_taken = f"{took[op]:6.1f} s" if op in took else "  failed"
            console.print(f"  {label:<16}{time_taken}   {_line(op, metadata)}".rstrip(), highlight=False)
    if any(_is_interruption(event) for event in result.filter_events(_is_failure)):
        console.print("\nStopped. What was done stands; the next run goes on from there.", highlight=False)
        return INTERRUPTED
    plan = _plan_status(metadata)
    failures = [_reason(event) for event in result.filter_events(_is_failure)]
    for failure in failures:
        console.print(f"\n[red]Failed:[/red] {failure}", highlight=False)
    console.print(f"\n  {'done' if not failures else 'ended'} in {seconds:.1f} s", highlight=False)
    if settings.profile == "sandbox":
        console.print(
            f"  shop: {settings.sandbox_url}/shop (while `karvon sandbox serve` or `make dev` runs)"
        )
    console.print("  lineage and history: `make dev`; changes row by row: `karvon history`", highlight=False)
    tally = Tally(
        **{
            word: sum(counts.get(word, 0) for counts in metadata.values() if "plan_id" in counts)
            for word in WORDS
        }
    )
    if any("plan_id" in counts for counts in metadata.values()):
        console.print(f"  rows that are not out: {tally.spoken()}", highlight=False)
    if plan == "blocked":
        return BLOCKED
    if failures:
        return FAILURE
    if tally.waits:
        return BLOCKED
    return PENDING if plan == "ready" else 0


def _line(op: str, metadata: Metadata) -> str:
    if op.startswith("load_"):
        if op == "load_user_apis":
            return _user_apis(metadata)
        said = (
            (path[-1], " ".join(f"{counts[what]} {what}" for what in _TOLD if counts[what]))
            for path, counts in metadata.items()
            if path in _tables(op.removeprefix("load_"))
        )
        return ", ".join(f"{name} {counted}" for name, counted in said if counted) or "nothing new"
    if op == "dbt_models":
        models = [counts for counts in metadata.values() if "rebuilt" in counts]
        built = sum(counts["rebuilt"] for counts in models)
        rest = ", the others are up to date" if built < len(models) else ""
        return f"{built} of {len(models)} built{rest}"
    if op == "user_apis__reports":
        pages = metadata.get(("user_apis", "reports"), {})
        return f"{pages.get('written', 0)} of {pages.get('pages', 0)} pages written"
    vendor = op.split("_", 1)[0]
    sent = (counts for path, counts in metadata.items() if path[0] == vendor and "plan_id" in counts)
    return str(next(sent, {}).get("summary", ""))


def _user_apis(metadata: Metadata) -> str:
    counts = metadata.get(("raw_user_apis", "records"), {})
    landed = " ".join(f"{counts[what]} {what}" for what in _TOLD if counts.get(what))
    failed = counts.get("sources_failed", 0)
    told = f"; {failed} failed (`karvon sources list`)" if failed else ""
    return (f"records {landed}" if landed else "nothing new") + told


def _tables(source: str) -> set[tuple[str, ...]]:
    from orchestration.defs.ingestion import SOURCES

    return {
        (one.schema, resource.name) for one in SOURCES if one.name == source for resource in one.resources
    }


def _plan_status(metadata: Metadata) -> str:
    """The worst of all plans."""
    found = {str(counts["plan_status"]) for counts in metadata.values() if "plan_status" in counts}
    return next((status for status in ("blocked", "ready") if status in found), "")


def _is_failure(event: dg.DagsterEvent) -> bool:
    return event.event_type_value == "STEP_FAILURE"


def _is_interruption(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    return error is not None and error.cls_name == dg.DagsterExecutionInterruptedError.__name__


def _reason(event: dg.DagsterEvent) -> str:
    """What a person can act on: the description of a `Failure`, else the first cause."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return f"step {event.step_key} failed"
    # Our own errors are sentences; of others the class is half of what they say.
    ours, _, text = error.message.partition(f"{error.cls_name}: ")
    return (text if ours.startswith(_ROOMS) else error.message).strip()
