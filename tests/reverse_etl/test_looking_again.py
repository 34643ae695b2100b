"""After writing, a run reads what it wrote, and what moved: a write that was accepted and had no effect shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from karvon.settings import load_settings
from orchestration.defs import activation
from pipelines.landing import LoadOptions, load
from pipelines.sources import webflow
from pipelines.sources.webflow import changes


def test_a_write_without_effect_is_planned_again(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # However small the shop, only what moved.
    monkeypatch.setattr(changes, "LOOKS_FOR_CHANGES", -1)
    monkeypatch.setattr(changes, "CURSOR_OVERLAP", timedelta(0))
    monkeypatch.setattr(activation, "webflow_connections", lambda _: {"default": bench.connection})

    def run() -> Any:
        bench.build()
        plan = bench.plan()
        result = bench.apply(plan)
        assert (result.failed, result.stopped) == (0, None), result.errors
        activation.look_again(load_settings(), bench.warehouse, plan, bench.syncs)
        return plan

    for key in ("p1", "p2", "p3"):
        bench.product(key)
    load(webflow.SOURCE, bench.connection, bench.warehouse, LoadOptions())
    run()
    assert bench.plan().is_empty
    bench.change("products", "p1", name="New", brand="New")
    [product] = [
        one
        for one in bench._pages(f"/sites/{bench.site_id}/products")
        if one["product"]["fieldData"]["slug"] == "p-p1"
    ]
    told = {
        **product["product"],
        "fieldData": {**product["product"]["fieldData"], "name": "New", "brand": "New"},
    }
    bench.fault(
        "status",
        method="PATCH",
        path="/products/",
        status=200,
        body=told,
    )
    plan = run()
    assert [(one.key, sorted(one.changes)) for one in plan.operations] == [("p1", ["brand", "name"])]
    again = run()
    assert [(one.key, sorted(one.changes)) for one in again.operations] == [("p1", ["brand", "name"])]
    assert bench.shop()["products"]["p-p1"]["fields"]["name"] == "New"
    with bench.warehouse.session() as session:
        looks = session.rows(
            "SELECT scope FROM raw_webflow.observations WHERE resource = 'products' ORDER BY observed_at"
        )
    assert [one["scope"] for one in looks] == ["all", "all", "written", "written"]
    assert bench.plan().is_empty
