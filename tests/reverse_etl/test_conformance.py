"""Every request that goes to Webflow is as its published description wants it (Webflow dossier §8).

The description is not part of this repository. It is looked for in `KARVON_TEST_SHARED`, or in `shared` beside the
repository; without it the test says that it was not run. With `KARVON_TEST_PRISM` (the address of a Prism mock of the
patched description) each request is sent there too: see docs/webflow_conformance.md.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from karvon.settings import PROJECT_ROOT

SHARED = Path(os.environ.get("KARVON_TEST_SHARED", PROJECT_ROOT.parent / "shared"))
SCHEMAS = SHARED / "specs" / "webflow" / "webflow-request-schemas.json"
SENT = {"create_product", "update_product", "create_skus", "update_sku", "update_inventory", "delete_items"}
ITEMS = {
    "staging": {"create_items", "update_items"},
    "live": {"create_items_live", "update_items_live"},
}


@pytest.fixture(scope="module")
def operations() -> Mapping[str, Any]:
    if not SCHEMAS.is_file():
        pytest.skip(
            f"not run: {SCHEMAS} is not there; set KARVON_TEST_SHARED to the folder that holds specs/"
        )
    found: Mapping[str, Any] = json.loads(SCHEMAS.read_text())["operations"]
    return found


def catalogue(bench) -> None:
    bench.category("c1")
    bench.category("c2")
    bench.product("p1", category_keys='["c1"]')
    bench.product("p2", sizes=("S", "M", "L"), category_keys='["c1", "c2"]')
    bench.change("skus", "p2-M", stock_quantity=7, compare_at_price_minor=2999)
    bench.change("skus", "p1", stock_quantity=3)


def changes(bench) -> None:
    bench.change("categories", "c1", name="Other name")
    bench.change("products", "p1", name="New name", description="<p>New</p>", category_keys='["c2"]')
    bench.change("products", "p2", seo_title="Other")
    bench.change("skus", "p1", price_minor=2500, main_image_url="https://img.example/other.png")
    bench.change("skus", "p2-M", price_minor=2600, stock_quantity=4)
    bench.sku("p2", "XL", 3)
    bench.change(
        "products", "p2", sku_properties=json.dumps([{"name": "Größe", "values": ["S", "M", "L", "XL"]}])
    )


def removals(bench) -> None:
    del bench.tables["webflow__skus"]["p2-L"]
    bench.drop("p1")


# What is sent does not depend on the engine.
@pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize("publish", ["staging", "live"])
def test_every_request_fits_the_published_description(bench, operations, publish) -> None:
    bench.overrides = {name: {"publish": publish} for name in bench.tables}
    seen: Counter[str] = Counter()
    for step in (catalogue, changes, removals, catalogue):
        step(bench)
        result = bench.run()
        assert result.failed == 0, result.errors
        seen.update(_checked(bench, operations))
    bench.overrides["webflow__products"]["on_removal"] = "delete"
    bench.drop("p2")
    bench.switch(cms_store_writes="accept")
    assert bench.run().failed == 0
    seen.update(_checked(bench, operations))
    assert SENT | ITEMS[publish] <= set(seen)


def _checked(bench, operations: Mapping[str, Any]) -> Iterator[str]:
    """The names of the operations that the last apply called, each request checked."""
    query = {"since": bench._mark, "vendor": "webflow", "account": bench.account}
    for request in bench.control.get("/requests", params=query).json()["requests"]:
        path = request["path"].removeprefix("/webflow/v2")
        _sent_to_prism(request, path)
        if request["method"] == "GET":
            continue
        name = _operation(operations, request["method"], path)
        problems = [
            f"{'/'.join(map(str, problem.absolute_path))}: {problem.message[:300]}"
            for problem in Draft202012Validator(operations[name]["request"]).iter_errors(request["body"])
        ]
        assert problems == [], (name, request["body"])
        yield name


def _operation(operations: Mapping[str, Any], method: str, path: str) -> str:
    fitting = [
        name
        for name, one in operations.items()
        if one["method"] == method and re.fullmatch(re.sub(r"\{[a-z_]+\}", "[0-9a-f]{24}", one["path"]), path)
    ]
    assert fitting, f"{method} {path} is not in the description"
    return fitting[0]


def _sent_to_prism(request: Mapping[str, Any], path: str) -> None:
    prism = os.environ.get("KARVON_TEST_PRISM")
    if not prism:
        return
    answer = httpx.request(
        request["method"], f"{prism}{path}?{request['query']}", json=request["body"],
        headers={"Authorization": "Bearer any"}, timeout=60,
    )  # fmt: skip
    assert answer.status_code < 300, (
        request["method"],
        path,
        answer.headers.get("sl-violations"),
        request["body"],
    )
