"""Whether the tables that a plan reads are those of the project: a plan of old tables looks like any other."""

from __future__ import annotations

from collections.abc import Sequence

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.built_models import is_own, problems
from orchestration.dbt import DbtError, Manifest, Stale, build, read_manifest, stale_models
from reverse_etl.spec.syncs import Sync

NAMED = 20
_TOLD = 3
_WAY_OUT = "`karvon plan --build` builds what is stale."


class NotBuilt(DbtError):
    """Models above a sync changed, or their last build failed, and they have not been built since."""


def stale_above(manifest: Manifest, warehouse: Warehouse, syncs: Sequence[Sync]) -> Stale:
    """What would have to be built, of the syncs' own models and all that they read."""
    names = {sync.name for sync in syncs}
    waiting = [
        one for one, node in manifest["nodes"].items() if one.startswith("model.") and node["name"] in names
    ]
    above: set[str] = set()
    while waiting:
        unique_id = waiting.pop()
        if unique_id in manifest["nodes"] and unique_id not in above:
            above.add(unique_id)
            waiting += manifest["parent_map"].get(unique_id, ())
    return stale_models(manifest, warehouse, among=above)


def require_built(manifest: Manifest, stale: Stale) -> str | None:
    """What to know before a plan is made: that new loads are not in it. Raises `NotBuilt` for changed models."""
    if stale.changed and stale.changed == stale.models and len(stale.changed) > NAMED:
        raise NotBuilt(
            f"All {len(stale.changed)} models above the syncs are not built, or a macro changed: a plan would be "
            "of old tables. `karvon plan --build` builds them and plans; `karvon run` loads too."
        )
    if stale.changed:
        nodes = [manifest["nodes"][one] for one in stale.changed]
        named = ", ".join(f"{node['name']} ({node['original_file_path']})" for node in nodes[:NAMED])
        more = f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else ""
        raise NotBuilt(
            f"{len(nodes)} {'model' if len(nodes) == 1 else 'models'} changed, not built since: a plan would be of "
            f"old tables: {named}{more}. `karvon plan --build` builds what is stale and plans; `karvon run` loads too."
        )
    if stale.models:
        return (
            f"{len(stale.models)} models have not taken in what was loaded last; the plan is of before. "
            "`karvon plan --build` builds them first."
        )
    return None


def caution(settings: Settings, warehouse: Warehouse, syncs: Sequence[Sync]) -> str | None:
    """A line for whoever is shown these tables: that they are not what the project would make now, or None."""
    manifest = read_manifest(settings, warehouse)
    stale = stale_above(manifest, warehouse, syncs)
    if not stale.changed:
        if not stale.models:
            return None
        return f"Of before the last load, not yet in {_counted(stale.models)} above these rows. {_WAY_OUT}"
    said = problems(warehouse)
    # Those that have the problem themselves say more than those that only read them.
    shown = sorted(stale.changed, key=lambda one: (not is_own(said.get(one)), one))[:_TOLD]
    named = ", ".join(
        manifest["nodes"][one]["name"] + (f" ({said[one].splitlines()[0]})" if one in said else "")
        for one in shown
    )
    more = f" and {len(stale.changed) - len(shown)} more" if len(stale.changed) > len(shown) else ""
    return f"Of old tables, not built: {_counted(stale.changed)} above these rows: {named}{more}. {_WAY_OUT}"


def _counted(models: Sequence[str]) -> str:
    return f"{len(models)} {'model' if len(models) == 1 else 'models'}"


def build_stale(settings: Settings, warehouse: Warehouse, manifest: Manifest, stale: Stale) -> None:
    """Build it, tests included. Raises `DbtError`."""
    if stale.models:
        for _ in build(settings, warehouse, manifest, stale):
            pass
