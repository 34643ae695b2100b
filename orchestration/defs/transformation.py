"""dbt models and seeds as assets, their tests as checks; one dbt process per run, for stale models only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from karvon.progress import track
from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.automation import MARKET, OWNERS
from orchestration.dbt import DbtError, Manifest, build, in_build_order, row_counts, stale_models
from orchestration.dbt_translation import DagsterDbtTranslator, DbtCoreCliEventMessage, dbt_assets
from orchestration.patience import when_free
from orchestration.rights import keep_rights
from reverse_etl import schema

MARKET_FOLDERS = {"uzum", "uzex", "market", "procurement"}


class _Translator(DagsterDbtTranslator):
    """Asset keys are `<schema>/<name>`, so that raw tables join by themselves; groups are the layers."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
        if node["resource_type"] == "source":
            return spec
        return spec.replace_attributes(
            key=dg.AssetKey([node["schema"], node["name"]]),
            group_name=node["schema"],
            owners=OWNERS,
            tags={**spec.tags, **(MARKET if _is_of_markets(manifest, unique_id) else {})},
        )


def _is_of_markets(manifest: Mapping[str, Any], unique_id: str) -> bool:
    """By folder; a seed is, if only such models read it."""
    node = manifest["nodes"][unique_id]
    if node["resource_type"] != "seed":
        return bool(MARKET_FOLDERS & set(node["fqn"]))
    readers = [child for child in manifest["child_map"].get(unique_id, ()) if child.startswith("model.")]
    return bool(readers) and all(_is_of_markets(manifest, reader) for reader in readers)


def transformation(settings: Settings, warehouse: Warehouse, manifest: Manifest) -> dg.Definitions:
    """The dbt project."""
    translator = _Translator()

    @dbt_assets(manifest=manifest, name="dbt_models", dagster_dbt_translator=translator)
    def dbt_models(context: dg.AssetExecutionContext) -> Iterator[Any]:
        selected = _selected_models(manifest, translator, context)
        stale = stale_models(manifest, warehouse, among=selected)
        context.log.info("%d of %d models are stale", len(stale.models), len(selected))
        events: list[dict[str, Any]] = []
        problem: DbtError | None = None
        if stale.models:
            try:
                with track("dbt models and tests") as step:
                    for event in when_free(warehouse, lambda: build(settings, warehouse, manifest, stale)):
                        events.append(event)
                        step.advance()
            except DbtError as error:
                problem = error
        keep_rights(warehouse)
        counts = row_counts(warehouse)
        built = list(_built(manifest, translator, context, events, counts))
        # A test of two models runs when one of them is built, whichever it belongs to.
        checked = {_identity(result) for result in built if isinstance(result, dg.AssetCheckResult)}
        # Dagster wants parents first; what is downstream of a stale model is stale, so these come before.
        for model in in_build_order(manifest, selected.keys() - set(stale.models)):
            for result in _up_to_date(selected[model], counts.get(model), context):
                if not isinstance(result, dg.AssetCheckResult) or _identity(result) not in checked:
                    yield result
        yield from built
        if problem:
            raise dg.Failure(str(problem))

    return dg.Definitions(assets=[dbt_models, *_other_tables(manifest)])


def _other_tables(manifest: Manifest) -> list[dg.AssetSpec]:
    """What syncs and staging write about themselves, and the hash key: no assets, what reads them must not wait."""
    return [
        dg.AssetSpec(
            key=dg.AssetKey([source["source_name"], source["name"]]),
            description=source["description"],
            group_name=source["source_name"],
            owners=OWNERS,
        )
        for source in manifest["sources"].values()
        if source["source_name"] in (schema.NAME, "restricted", "staging")
    ]


def _identity(result: dg.AssetCheckResult) -> tuple[dg.AssetKey | None, str | None]:
    return result.asset_key, result.check_name


def _up_to_date(asset: dg.AssetKey, rows: int | None, context: dg.AssetExecutionContext) -> Iterator[Any]:
    """Nothing it reads changed since it was built, and a model with a failed blocking test counts as not built."""
    counted = {} if rows is None else {"dagster/row_count": rows}
    yield dg.MaterializeResult(asset_key=asset, metadata={"rebuilt": False, **counted})
    for check in context.assets_def.check_specs:
        if check.asset_key == asset and check.blocking:
            metadata = {"note": "passed when the model was last built"}
            yield dg.AssetCheckResult(asset_key=asset, check_name=check.name, passed=True, metadata=metadata)


def _selected_models(
    manifest: Manifest, translator: _Translator, context: dg.AssetExecutionContext
) -> dict[str, dg.AssetKey]:
    keys = {
        unique_id: translator.get_asset_spec(manifest, unique_id, None).key
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in {"model", "seed", "snapshot"}
    }
    return {unique_id: key for unique_id, key in keys.items() if key in context.selected_asset_keys}


def _built(
    manifest: Manifest,
    translator: _Translator,
    context: dg.AssetExecutionContext,
    events: Sequence[dict[str, Any]],
    counts: Mapping[str, int],
) -> Iterator[Any]:
    """dbt's result events as Dagster's, with row counts."""
    for event in events:
        message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
        unique_id = event["data"]["node_info"]["unique_id"]
        for result in message.to_default_asset_events(manifest, translator, context):
            if isinstance(result, dg.Output):
                metadata: dict[str, Any] = {**result.metadata, "rebuilt": True}
                if unique_id in counts:
                    metadata["dagster/row_count"] = counts[unique_id]
                yield dg.Output(None, result.output_name, metadata=metadata)
            else:
                yield result
