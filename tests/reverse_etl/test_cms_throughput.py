"""Ten thousand items: as few requests as bulk calls allow, and never slower than the rate limit makes it."""

from __future__ import annotations

from datetime import datetime
from math import ceil
from pathlib import Path

import pytest
from cms_bench import CmsBench

from karvon.rate_limits import RateWindow
from karvon.warehouse import Warehouse

ITEMS = 10_000
CHANGED = 500
BAD = 3
LIMIT, SECONDS = 40, 60
"""A third of what the plan allows, so that a hundred requests fill several windows."""


def moments(bench: CmsBench) -> list[datetime]:
    query = {"since": bench._mark, "vendor": "webflow", "account": bench.account}
    found = bench.control.get("/requests", params=query).json()["requests"]
    assert not [one for one in found if one["status"] == 429]
    return sorted(datetime.fromisoformat(one["at"]) for one in found)


def utilisation(at: list[datetime]) -> float:
    """How soon a place in the window is taken again: its time to rest against the time until the next request."""
    gaps = [(later - sooner).total_seconds() for sooner, later in zip(at, at[LIMIT:], strict=False)]
    return SECONDS / (sum(gaps) / len(gaps))


def fill(bench: CmsBench) -> None:
    bench.collection("makers", rank="Number", note=("PlainText", {"singleLine": False}))
    columns = {"rank": ("bigint", {"field": "rank"}), "note": ("text", {"field": "note"})}
    bench.model("makers", columns, collection="makers", match=[])
    for number in range(ITEMS):
        bench.row("makers", f"m{number:05d}", rank=number, note="")


@pytest.mark.proof
@pytest.mark.timeout(900)
def test_ten_thousand_items_at_the_rate_limit(sandbox_url: str, duckdb_url: str, tmp_path: Path) -> None:
    cms = CmsBench(Warehouse(duckdb_url), sandbox_url, tmp_path, "throughput")
    try:
        cms.control.put("/limits", json={"webflow": []}).raise_for_status()
        fill(cms)
        cms.mirror()
        cms.control.put(
            "/limits", json={"webflow": [{"requests": LIMIT, "seconds": SECONDS}]}
        ).raise_for_status()
        cms.connection = type(cms.connection)(
            **{**cms.connection.__dict__, "rate_limits": (RateWindow(LIMIT, SECONDS),)}
        )
        plan = cms.plan()
        assert plan.request_count == ITEMS // 100
        result = cms.apply(plan)
        assert (result.applied, result.failed, result.requests) == (ITEMS, 0, ITEMS // 100)
        assert utilisation(moments(cms)) >= 0.97

        cms.control.put("/limits", json={"webflow": []}).raise_for_status()
        cms.mirror()
        for number in range(0, ITEMS, ITEMS // CHANGED):
            cms.row("makers", f"m{number:05d}", rank=number + ITEMS, note="")
        # What only the API refuses: the structure changes between plan and apply.
        for number in (20, 3_020, 9_980):
            cms.row("makers", f"m{number:05d}", rank=number + ITEMS, note="much too long")
        plan = cms.plan()
        assert plan.request_count == ceil(CHANGED / 100)
        change = {"account": cms.account, "collection": "makers", "add": "note", "type": "PlainText",
                  "validations": {"maxLength": 5}}  # fmt: skip
        cms.control.post("/webflow/field", json=change).raise_for_status()
        result = cms.apply(plan)
        assert (result.applied, result.failed) == (CHANGED - BAD, BAD)
        assert all("too long" in error for error in result.errors)
        assert result.requests <= ceil(CHANGED / 100) + BAD * 2 * 7
        items = cms.items("makers")
        assert sum(one["fields"]["rank"] >= ITEMS for one in items.values()) == CHANGED - BAD
        assert len(items) == ITEMS
    finally:
        cms.control.delete("/limits")
        cms.close()
