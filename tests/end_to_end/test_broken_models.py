"""An analyst breaks one model: whoever does not read it goes on, and everybody is told which line it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from karvon_command import Karvon, copy_project


def _exported(karvon: Karvon) -> bytes:
    (file,) = (karvon.home / "sandbox" / "exports").rglob("products.csv")
    return file.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_other_syncs_files_messages_and_reports_go_out(karvon: Karvon, tmp_path: Path) -> None:
    mine = replace(karvon, project=copy_project(tmp_path / "project"))
    brands = mine.project / "dbt_project" / "models" / "activation" / "webflow" / "webflow__brands.sql"
    right = brands.read_text()
    brands.write_text(right.replace("    brands.name,\n", "    brands.nome,\n", 1))
    line = 1 + brands.read_text().splitlines().index("    brands.nome,")
    mine.sandbox.next_day(price=3, new_product=2)
    before = _exported(mine)

    done = mine("run", seconds=600)
    assert done.status == 1, done.output
    told = f"models/activation/webflow/webflow__brands.sql:{line}: "
    assert f"Failed: {told}" in done.output
    assert f"webflow__brands: {told}" in done.output
    assert "These syncs were left out, all others are done" in done.output
    # The prices and products of the day are in the shop and in the file.
    latest = "SELECT sync, count(*) AS count FROM reverse_etl.operations WHERE status = 'done' AND plan_id = (SELECT " \
        "max(plan_id) FROM reverse_etl.operations WHERE destination LIKE 'webflow%') GROUP BY sync"  # fmt: skip
    sent = {row["sync"]: row["count"] for row in mine.rows(latest)}
    assert sent["webflow__products"] >= 2
    assert sent["webflow__skus"] >= 3
    assert "webflow__brands" not in sent
    assert _exported(mine) != before
    assert done.line("user reports").endswith("pages written")

    brands.write_text(right)
    healed = mine("run", seconds=600)
    assert healed.status == 0, healed.output
    assert mine("plan").status == 0
