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
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from karvon.settings import PROJECT_ROOT

SHARED = Path(os.environ.get("KARVON_TEST_SHARED", PROJECT_ROOT.parent / "shared"))
SPECS = SHARED / "specs" / "webflow"
SCHEMAS = SPECS / "webflow-request-schemas.json"
DESCRIPTION = SPECS / "webflow-openapi.patched.json"
"""What the request schemas leave out."""
UNLISTED = {
    "create_in_locales": "/collections/{collection_id}/items/bulk",
    "create_asset": "/sites/{site_id}/assets",
}
SENT = {"create_product", "update_product", "create_skus", "update_sku", "update_inventory", "delete_items"}
ITEMS = {
    "staging": {"create_items", "update_items"},
    "live": {"create_items_live", "update_items_live"},
}
CMS = {
    "staging": {*ITEMS["staging"], "create_in_locales", "delete_items"},
    "live": {"create_items_live", "update_items", "update_items_live", "create_in_locales", "publish_items",
             "unpublish_items"},
}  # fmt: skip


@pytest.fixture(scope="module")
def operations() -> Mapping[str, Any]:
    if not SCHEMAS.is_file():
        pytest.skip(
            f"not run: {SCHEMAS} is not there; set KARVON_TEST_SHARED to the folder that holds specs/"
        )
    found = json.loads(SCHEMAS.read_text())["operations"]
    description = json.loads(DESCRIPTION.read_text())
    for name, path in UNLISTED.items():
        place = f"#/paths/{path.replace('/', '~1')}/post/requestBody/content/application~1json/schema"
        found[name] = {"method": "POST", "path": path, "request": {**description, "$ref": place}}
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


COLUMNS = {
    "locale": ("text", {}), "text": ("text", {"field": "text"}), "rank": ("bigint", {"field": "rank"}),
    "maker": ("text", {"field": "maker", "sync": "makers"}), "also": ("text", {"field": "also", "sync": "makers"}),
    "cover": ("text", {"field": "cover"}), "size": ("text", {"field": "size"}),
    "day": ("timestamptz", {"field": "day"}), "draft": ("boolean", {"field": "isDraft"}),
}  # fmt: skip


def notes(cms, settings: Mapping[str, Any]) -> None:
    cms.locales("fr")
    cms.collection("makers")
    cms.collection(
        "notes", text="RichText", rank="Number", maker=("Reference", ">makers"), also=("MultiReference", ">makers"),
        cover="Image", size=("Option", ["Small", "Large"]), day="DateTime",
    )  # fmt: skip
    cms.model("makers", {}, collection="makers", **settings)
    cms.model("notes", COLUMNS, collection="notes", locale="locale", **settings)
    cms.row("makers", "m1")
    day = datetime(2026, 11, 1, tzinfo=UTC)
    for key in ("n1", "n2", "n3"):
        cms.row("notes", key, text="<p>One</p>", rank=1, maker="m1", also='["m1"]', size="Large", day=day, draft=False,
                cover="https://img.example/1.png")  # fmt: skip
    cms.row("notes", "n1", locale="fr", text="<p>Un</p>", draft=False)


def more_notes(cms) -> None:
    cms.row("notes", "n1", text=None, rank=2, maker="m1", also="[]", size="Small", draft=False)
    cms.row("notes", "n2", text="<p>Two</p>", rank=0, draft=True)
    cms.row("notes", "n4", rank=4, draft=True)


def fewer_notes(cms) -> None:
    cms.gone("notes", "n3")
    cms.row("notes", "n4", rank=4, draft=False)


@pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)
@pytest.mark.parametrize("publish", ["staging", "live"])
def test_every_request_about_items_fits_the_published_description(cms, operations, publish) -> None:
    removal = "delete" if publish == "staging" else "unpublish"
    seen: Counter[str] = Counter()
    for step in (
        partial(notes, settings={"publish": publish, "on_removal": removal}),
        more_notes,
        fewer_notes,
    ):
        step(cms)
        result = cms.run()
        assert result.failed == 0, result.errors
        seen.update(_checked(cms, operations))
    assert CMS[publish] <= set(seen)


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
