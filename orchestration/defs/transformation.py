"""dbt models and seeds as assets, their tests as checks; one dbt process per run, for stale models only."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

from karvon.progress import track
from karvon.settings import Settings
from karvon.turns import building
from karvon.warehouse import Warehouse
from orchestration import built_models
from orchestration.automation import MARKET, OWNERS
from orchestration.build_outcome import in_build_order
from orchestration.dbt import DbtError, Manifest, Stale, build, stale_models
from orchestration.dbt_translation import DagsterDbtTranslator, DbtCoreCliEventMessage, dbt_assets
from orchestration.patience import when_free
from orchestration.rights import keep_rights
from reverse_etl.state import schema

_IS_BUILT = "is_built"
NOT_MADE = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}
"""Of an output: its asset was not made. Dagster skips whatever reads a missing output, whole; so the output is there
without an event, and those who read it look themselves at what is not built (`built_models.problems`). Dagster 1.13 has
no public name for such an output; tests/end_to_end/test_broken_models.py notices when this one goes."""
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

    def get_asset_check_spec(self, *args: Any, **kwargs: Any) -> dg.AssetCheckSpec | None:
        """A failed test stops what reads its model, not the step: see `NOT_MADE`."""
        spec = super().get_asset_check_spec(*args, **kwargs)
        return spec and spec._replace(blocking=False)


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
        selected = _selected_models(manifest, translator, context.selected_asset_keys)
        with building(warehouse, "a build of the models"):
            read = _selected_models(manifest, translator, _read_in_this_run(context))
            stale = stale_models(manifest, warehouse, among=selected, read_by_others=read)
            context.log.info("%d of %d models are stale", len(stale.models), len(selected))
            events = _build(settings, warehouse, manifest, stale, context) if stale.models else []
            keep_rights(warehouse)
            counts, problems = built_models.row_counts(warehouse), built_models.problems(warehouse)
        broken = problems.keys() & selected.keys()
        # What was built only because others read it is nobody's wish: it has no output.
        mine = [one for one in events if _is_asked_for(one["data"]["node_info"]["unique_id"], selected)]
        built = list(_built(manifest, translator, context, mine, counts, broken))
        # Dagster wants parents first; what is downstream of a stale model is stale, so these come before.
        for model in in_build_order(manifest, selected.keys() - set(stale.models)):
            counted = {"dagster/row_count": counts[model]} if model in counts else {}
            yield dg.MaterializeResult(asset_key=selected[model], metadata={"rebuilt": False, **counted})
        yield from built
        for model in in_build_order(manifest, broken):
            yield dg.Output(None, output_of(context, selected[model]), metadata=NOT_MADE)

    @dg.multi_asset_check(
        name="models_are_built",
        specs=[
            dg.AssetCheckSpec(_IS_BUILT, asset=key, description="The table is what the project says.")
            for key in _model_keys(manifest, translator).values()
        ],
        can_subset=True,
    )
    def models_are_built(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        asked = {key.asset_key for key in context.selected_asset_check_keys}
        problems = built_models.problems(warehouse)
        mine = _selected_models(manifest, translator, asked)
        for model, key in mine.items():
            why = {"problem": problems[model]} if model in problems else {}
            yield dg.AssetCheckResult(asset_key=key, check_name=_IS_BUILT, passed=not why, metadata=why)
        if told := [problems[model] for model in mine if built_models.is_own(problems.get(model))]:
            waiting = sum(model in problems for model in mine) - len(told)
            more = [f"{waiting} models that read them are not built either."] if waiting else []
            raise dg.Failure("\n".join([*dict.fromkeys(told), *more]))

    return dg.Definitions(assets=[dbt_models, *_other_tables(manifest)], asset_checks=[models_are_built])


def _build(
    settings: Settings,
    warehouse: Warehouse,
    manifest: Manifest,
    stale: Stale,
    context: dg.AssetExecutionContext,
) -> list[dict[str, Any]]:
    """dbt's events. What was not built is in the warehouse; only a dbt that built nothing at all fails the step."""
    events: list[dict[str, Any]] = []
    try:
        with track("dbt models and tests") as step:
            for event in when_free(warehouse, lambda: build(settings, warehouse, manifest, stale)):
                events.append(event)
                step.advance()
    except DbtError as error:
        if not events:
            raise dg.Failure(str(error)) from None
        context.log.error("%s", error)
    return events


def output_of(context: dg.AssetExecutionContext, key: dg.AssetKey) -> str:
    """The output of the op that stands for an asset."""
    return str(next(name for name, one in context.assets_def.keys_by_output_name.items() if one == key))


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


def _is_asked_for(unique_id: str, selected: Collection[str]) -> bool:
    return unique_id.startswith(("test.", "unit_test.")) or unique_id in selected


def _read_in_this_run(context: dg.AssetExecutionContext) -> set[dg.AssetKey]:
    """What the chosen assets of this run read; of a run without a choice everything is built anyway."""
    graph = context.job_def.asset_layer.asset_graph
    return {parent for key in context.run.asset_selection or () for parent in graph.get(key).parent_keys}


def _model_keys(manifest: Manifest, translator: _Translator) -> dict[str, dg.AssetKey]:
    return {
        unique_id: translator.get_asset_spec(manifest, unique_id, None).key
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in {"model", "seed", "snapshot"}
    }


def _selected_models(
    manifest: Manifest, translator: _Translator, chosen: Collection[dg.AssetKey]
) -> dict[str, dg.AssetKey]:
    return {unique_id: key for unique_id, key in _model_keys(manifest, translator).items() if key in chosen}


def _built(
    manifest: Manifest,
    translator: _Translator,
    context: dg.AssetExecutionContext,
    events: Sequence[dict[str, Any]],
    counts: Mapping[str, int],
    broken: Collection[str],
) -> Iterator[Any]:
    """dbt's result events as Dagster's, with row counts. A model that a test speaks against was not made."""
    for event in events:
        message = DbtCoreCliEventMessage(raw_event=event, event_history_metadata={})
        unique_id = event["data"]["node_info"]["unique_id"]
        for result in message.to_default_asset_events(manifest, translator, context):
            if isinstance(result, dg.Output):
                if unique_id in broken:
                    continue
                metadata: dict[str, Any] = {**result.metadata, "rebuilt": True}
                if unique_id in counts:
                    metadata["dagster/row_count"] = counts[unique_id]
                yield dg.Output(None, result.output_name, metadata=metadata)
            else:
                yield result
