"""A scaffold is a beginning that works: it parses, builds, and plans what the shop lacks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from karvon_command import Karvon


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_scaffolded_product_set_parses_builds_and_plans_the_fields_of_this_shop(
    karvon: Karvon, tmp_path: Path
) -> None:
    mine = replace(karvon, project=shutil.copytree(karvon.project, tmp_path / "tree"))
    field = {
        "collection": "product",
        "add": "warranty-months",
        "type": "Number",
        "validations": {"format": "integer"},
    }
    karvon.sandbox.call("POST", "/webflow/field", field)
    assert "warranty-months" in mine("webflow", "schema", "product", "--fresh").output
    told = mine("webflow", "scaffold", "products", "--json")
    assert told.status == 0, told.output
    matches = json.loads(told.output)["collections"]["sku"]["matches"]
    assert {"length", "width", "height"} <= {one["field"]["slug"] for one in matches}

    planned = mine("run", "--plan-only")
    assert planned.status == 2, planned.output
    assert karvon.sandbox.writes() == []
    plan = json.loads(mine("plan", "--json").output)
    changed = {
        (one["sync"], field)
        for one in plan["operations"]
        for field in one["changes"]
        if one["sync"].startswith("shop")
    }
    # Everything that the shop shows already is known again by SKU; only what was never sent is to be sent.
    assert ("shop__products", "warranty-months") in changed
    assert {field for _, field in changed} <= {
        "warranty-months", "length", "width", "height", "inventory", "description",
    }  # fmt: skip
    assert mine("webflow", "validate").status == 0
