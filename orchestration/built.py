"""Whether the tables that a plan reads are those of the project: a plan of old tables looks like any other."""

from __future__ import annotations

from collections.abc import Sequence

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.dbt import DbtError, Manifest, Stale, build, stale_models
from reverse_etl.spec.syncs import Sync

NAMED = 20


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


def build_stale(settings: Settings, warehouse: Warehouse, manifest: Manifest, stale: Stale) -> None:
    """Build it, tests included. Raises `DbtError`."""
    if stale.models:
        for _ in build(settings, warehouse, manifest, stale):
            pass
