"""Destinations as assets: one op plans all syncs that belong together and, if allowed, applies the plan."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from karvon.connections import webflow_connections
from karvon.settings import Settings
from karvon.turns import applying, landing
from karvon.warehouse import Warehouse
from orchestration import built_models
from orchestration.automation import OWNERS, freshness
from orchestration.defs.ingestion import fed_collections
from orchestration.defs.messages import tell_about_held_rows
from orchestration.defs.run_report import run_metadata, write_page
from orchestration.defs.transformation import NOT_MADE, output_of
from pipelines.landing import LoadOptions, load
from pipelines.sources import webflow
from reverse_etl.applying.apply import apply_plan, recover
from reverse_etl.applying.result import ApplyResult
from reverse_etl.destinations import DESTINATIONS, channels, rate_per_minute
from reverse_etl.planning.plan import make_plan
from reverse_etl.review.documents import written_documents
from reverse_etl.review.parity import measure
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.history import status
from reverse_etl.state.outstanding import WORDS, Tally
from reverse_etl.state.stored_plans import Plan

WRITTEN = frozenset({"products", "categories", "collection_items"})
"""Tables of the mirror that an apply changes and that are cheap to read again."""
WITHIN_GUARDS = "plan_is_within_guards"
SHOP_EQUALS_VIEW = "shop_equals_view"
NOTHING_WAITS = "nothing_waits"
_AFTER = "After the run a plan is empty, and no row waits for a person or is refused"
SHOP = "webflow_store"
"""The op of all syncs to the shop, which refer to each other."""


class ActivationConfig(dg.Config):
    """What an operator may ask of one run. `apply` unset: what KARVON_APPLY says."""

    apply: bool | None = None
    key: str | None = None
    limit: int | None = None
    retry: bool = False


def activation(settings: Settings, warehouse: Warehouse, syncs: tuple[Sync, ...]) -> dg.Definitions:
    """One multi-asset per group of syncs, downstream of their models."""
    return dg.Definitions(
        assets=[_activation_assets(settings, warehouse, name, mine) for name, mine in groups(syncs).items()]
    )


def groups(syncs: tuple[Sync, ...]) -> dict[str, tuple[Sync, ...]]:
    """Syncs by op: those of the shop together; of destinations that nobody can read, each destination for itself."""
    found: dict[str, tuple[Sync, ...]] = {}
    for sync in syncs:
        name = SHOP if DESTINATIONS[sync.destination].mirror(sync) else sync.destination
        found[name] = (*found.get(name, ()), sync)
    return found


def asset_key(sync: Sync) -> dg.AssetKey:
    """`webflow/products` for the sync `webflow__products`."""
    return dg.AssetKey(sync.name.split("__", 1))


def _activation_assets(
    settings: Settings, warehouse: Warehouse, name: str, syncs: tuple[Sync, ...]
) -> dg.AssetsDefinition:
    is_shop = name == SHOP
    specs = [
        dg.AssetSpec(
            key=asset_key(sync),
            deps=[dg.AssetKey([sync.schema_name, sync.table])],
            group_name=name,
            description=f"{_what(sync)}, kept equal to {sync.schema_name}.{sync.table} ({sync.file}).",
            kinds={sync.destination.split("_", 1)[0]},
            owners=OWNERS,
            freshness_policy=freshness(settings),
            metadata={"dagster/column_schema": _columns(sync)},
        )
        for sync in syncs
    ]
    checks = [
        dg.AssetCheckSpec(check, asset=asset_key(sync), description=text)
        for sync in syncs
        for check, text in (
            (WITHIN_GUARDS, "The plan stays within the guards of the sync's YAML."),
            (
                (SHOP_EQUALS_VIEW, f"{_AFTER}: the shop shows what the view says of every row that is ready.")
                if is_shop
                else (NOTHING_WAITS, f"{_AFTER}: every row that is ready is out.")
            ),
        )
    ]

    @dg.multi_asset(
        name=name, specs=specs, check_specs=checks, pool="webflow_api" if is_shop else f"{name}_channel"
    )
    def activate(
        context: dg.AssetExecutionContext, config: ActivationConfig
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.Output[Any]]:
        yield from _activate(context, config, settings, warehouse, syncs)

    return activate


def _what(sync: Sync) -> str:
    if DESTINATIONS[sync.destination].mirror(sync):
        return f"The shop's {', '.join(sync.collections) or sync.resource}"
    return f"What goes to {sync.destination} ({sync.connection})"


def _columns(sync: Sync) -> dg.TableSchema:
    """The fields of the destination that the sync keeps."""
    return dg.TableSchema(
        [
            dg.TableColumn(field.field, field.as_, description=f"from {field.column}; drift: {field.policy}")
            for field in sync.fields
        ]
    )


def _activate(
    context: dg.AssetExecutionContext,
    config: ActivationConfig,
    settings: Settings,
    warehouse: Warehouse,
    syncs: tuple[Sync, ...],
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.Output[Any]]:
    done = _carry_out(context, config, settings, warehouse, syncs)
    for sync in syncs:
        yield from _results(context, sync, done)
    _raise_if_red(done, sum(int(done.standing(one).get("refused", 0)) for one in syncs))


@dataclass(frozen=True)
class _Done:
    """What one op did: its plan, what became of it, and what is left to do."""

    plan: Plan
    result: ApplyResult | None
    remaining: Plan
    not_built: Mapping[str, str]
    rows: Mapping[str, Mapping[str, Any]]
    more: Mapping[str, Mapping[str, Any]]

    def standing(self, sync: Sync) -> Mapping[str, Any]:
        """Its rows there, and how many are not out and why."""
        return self.rows.get(sync.name, {})


def _carry_out(
    context: dg.AssetExecutionContext,
    config: ActivationConfig,
    settings: Settings,
    warehouse: Warehouse,
    syncs: tuple[Sync, ...],
) -> _Done:
    destinations = {sync.destination for sync in syncs}
    allowed = settings.apply if config.apply is None else config.apply
    with applying(warehouse, destinations, f"planning and applying to {', '.join(sorted(destinations))}"):
        not_built = syncs_not_built(warehouse, syncs)
        if allowed:
            recover(warehouse, syncs, DESTINATIONS, channels(settings, destinations))
        plan = make_plan(
            warehouse, syncs, DESTINATIONS, key=config.key, limit=config.limit, profile=settings.profile,
            retry=config.retry, rate_per_minute=rate_per_minute(settings, destinations), not_built=not_built,
        )  # fmt: skip
        context.log.info("plan %s: %s", plan.plan_id, plan.summary())
        tell_about_held_rows(settings, warehouse, plan, context.run_id)
        result = None
        if allowed and not plan.is_empty and not plan.is_blocked:
            result = apply_plan(
                warehouse, plan.plan_id, syncs, DESTINATIONS, channels(settings, destinations)
            )
            look_again(settings, warehouse, plan, syncs)
        # Of a run that wrote nothing the plan itself says how far the shop is from the view.
        remaining = plan
        if result is not None:
            remaining = make_plan(
                warehouse, syncs, DESTINATIONS, profile=settings.profile, store=False, not_built=not_built
            )
        # Opening its file costs DuckDB more than what is asked here: once for all.
        with warehouse.session():
            measure(warehouse, syncs, DESTINATIONS, plan.plan_id, but=not_built)
            page = write_page(settings, warehouse, plan, syncs)
            rows = {row["sync"]: row for row in status(warehouse)}
            more = run_metadata(warehouse, syncs, page)
    return _Done(plan, result, remaining, not_built, rows, more)


def syncs_not_built(warehouse: Warehouse, syncs: Sequence[Sync]) -> dict[str, str]:
    """Syncs whose models are not to be relied on, and why. A parent and its children go together or not at all."""
    problems = {
        model.rsplit(".", 1)[-1]: why.partition("\n")[0]
        for model, why in built_models.problems(warehouse).items()
    }
    found = {sync.name: problems[sync.name] for sync in syncs if sync.name in problems}
    for sync in syncs:
        if sync.parent and (why := found.get(sync.parent.sync) or found.get(sync.name)):
            found.setdefault(sync.name, f"it goes with {sync.parent.sync}: {why}")
            found.setdefault(sync.parent.sync, f"{sync.name} goes with it: {why}")
    return found


def look_again(settings: Settings, warehouse: Warehouse, plan: Plan, syncs: tuple[Sync, ...]) -> None:
    """Read the shop after writing to it: the check below compares with what is there, not with what was answered."""
    mirrored = {one.connection for one in plan.operations if one.destination.startswith("webflow")}
    for name in mirrored:
        options = LoadOptions(
            resources=WRITTEN,
            max_shrink_percent=settings.max_shrink_percent,
            sweep_every_hours=settings.sweep_every_hours,
            parameters={
                "item_collections": fed_collections(syncs, name),
                # What was accepted and had no effect is not among what changed.
                "written": written_documents(
                    warehouse, plan.plan_id, [one for one in syncs if one.connection == name], DESTINATIONS
                ),
            },
        )
        with landing(warehouse, webflow.SOURCE.name, "reading the shop after an apply"):
            load(webflow.SOURCE, webflow_connections(settings)[name], warehouse, options)


def _results(
    context: dg.AssetExecutionContext, sync: Sync, done: _Done
) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult | dg.Output[Any]]:
    plan, result, remaining = done.plan, done.result, done.remaining
    if why := done.not_built.get(sync.name):
        # Nobody looked: what its checks said last is what is known.
        yield dg.Output(None, output_of(context, asset_key(sync)), metadata=NOT_MADE)
        yield dg.AssetCheckResult(
            asset_key=asset_key(sync), check_name=_left_to_do(sync), passed=False,
            severity=dg.AssetCheckSeverity.WARN, metadata={"not_built": why},
        )  # fmt: skip
        return
    tally = Tally(**{word: done.standing(sync).get(word, 0) for word in WORDS})
    broken = [violation.message for violation in plan.violations if violation.sync == sync.name]
    yield dg.MaterializeResult(
        asset_key=asset_key(sync),
        metadata={
            "plan": dg.MetadataValue.md(plan.to_markdown(rows=200)),
            "plan_id": plan.plan_id,
            "plan_status": "applied" if result else plan.status,
            "summary": plan.summary() if result is None else f"{plan.summary()}; {result.summary()}",
            "requests": plan.request_count if result is None else result.requests,
            "dagster/row_count": int(done.standing(sync).get("rows") or 0),
            **done.more[sync.name],
            **{
                f"planned_{name}": count
                for name, count in plan.counts.get(sync.name, {}).items()
                if name not in WORDS
            },
            **tally.as_row(),
        },
    )
    yield dg.AssetCheckResult(
        asset_key=asset_key(sync),
        check_name=WITHIN_GUARDS,
        passed=not broken,
        metadata={"violations": broken},
    )
    left = [operation for operation in remaining.operations if operation.sync == sync.name]
    yield dg.AssetCheckResult(
        asset_key=asset_key(sync),
        check_name=_left_to_do(sync),
        passed=not (left or tally.waits or tally.refused),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "still_different": len(left),
            **tally.as_row(),
            "plan": dg.MetadataValue.md(remaining.to_markdown(rows=50)),
        },
    )


def _left_to_do(sync: Sync) -> str:
    return SHOP_EQUALS_VIEW if DESTINATIONS[sync.destination].mirror(sync) else NOTHING_WAITS


def _raise_if_red(done: _Done, refused: int) -> None:
    """A run that a guard stopped, after which a row stands refused, or in which a sync was left out, has failed."""
    plan, result = done.plan, done.result
    if plan.is_blocked:
        raise dg.Failure("\n".join(violation.message for violation in plan.violations))
    unknown = 0 if result is None else result.counts["unknown"]
    if refused or unknown:
        raise dg.Failure(
            f"{refused} rows are refused, {unknown} of unknown outcome; `karvon errors` lists them with the "
            "destination's words."
        )
    if result is not None and result.stopped:
        raise dg.Failure(result.stopped)
    misfits = [finding.message for finding in plan.findings if finding.kind == "schema"]
    misfits += [f"{name}: {why}" for name, why in done.not_built.items()]
    if misfits:
        raise dg.Failure("These syncs were left out, all others are done:\n" + "\n".join(misfits))
