"""What a run leaves for people: the plan's page below the home folder, measures and small plots as metadata."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from reports import plot
from reports.measures import Measures, duration, last_parities, last_runs, measures
from reports.plan import plan_page
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.stored_plans import Plan, load_plan

KEPT_PAGES = 50
"""Pages kept in the folder; `karvon plan show` makes any of them again."""


def write_page(settings: Settings, warehouse: Warehouse, plan: Plan, syncs: Sequence[Sync]) -> Path | None:
    """The page of a plan with something in it, its operations as they stand now."""
    if plan.is_empty and not plan.holds:
        return None
    settings.reports_path.mkdir(parents=True, exist_ok=True)
    page = settings.reports_path / f"plan-{plan.plan_id}.html"
    page.write_text(plan_page(warehouse, load_plan(warehouse, plan.plan_id), syncs, DESTINATIONS))
    for old in sorted(settings.reports_path.glob("plan-*.html"))[:-KEPT_PAGES]:
        old.unlink()
    return page


def run_metadata(warehouse: Warehouse, syncs: Sequence[Sync], page: Path | None) -> dict[str, dict[str, Any]]:
    """By sync: parity, the edit-to-live clock and the last runs."""
    found = measures(warehouse)
    return {sync.name: _metadata(warehouse, sync, found.get(sync.name), page) for sync in syncs}


def _metadata(warehouse: Warehouse, sync: Sync, found: Measures | None, page: Path | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"plan_page": dg.MetadataValue.path(page)} if page else {}
    if found is not None:
        if found.parity is not None:
            metadata["parity"] = round(found.parity, 4)
        if found.edits:
            half, most = duration(found.p50_seconds), duration(found.p95_seconds)
            metadata["edit_to_live"] = f"half within {half}, 95% within {most} ({found.edits} edits)"
    runs = last_runs(warehouse, sync.name)
    if runs:
        counts = [(run["done_count"], run["refused_count"]) for run in runs]
        drawn = plot.markdown(
            plot.bars(f"operations of the last {len(runs)} runs: done, refused", counts), "operations per run"
        )
        if shares := last_parities(warehouse, sync.name):
            drawn += "\n\n" + plot.markdown(plot.line("parity after each run", shares), "parity")
        metadata["last_runs"] = dg.MetadataValue.md(drawn)
    return metadata
