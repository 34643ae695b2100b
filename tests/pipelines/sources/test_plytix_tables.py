"""The small tables of Plytix and its assets (dossier §7 to §11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from stand_ins import Loader, Sandbox, of

from pipelines.sources.plytix.incremental import sweep_ids


def test_small_tables_carry_what_models_need(loader: Loader) -> None:
    loader.plytix(
        "attributes", "attribute_groups", "families", "family_attributes", "categories", "relationships"
    )
    attributes = {row["label"]: row for row in loader.live("raw_plytix.attributes").values()}
    assert attributes["short_description"]["type_class"] == "MultilineAttribute"
    assert attributes["color"]["options"]
    assert attributes["web_completeness"]["attributes"]
    assert {"name", "order", "attribute_labels"} <= set(
        next(iter(loader.live("raw_plytix.attribute_groups").values()))
    )
    families = loader.live("raw_plytix.families")
    assert {row["name"] for row in families.values()} == {"Apparel", "Footwear", "Tools"}
    levels = loader.live("raw_plytix.family_attributes")
    assert set(levels) == set(families)
    assert {"id", "label", "name", "attribute_level"} <= set(next(iter(levels.values()))["attributes"][0])
    category = max(loader.live("raw_plytix.categories").values(), key=lambda row: len(row["path"]))
    assert len(category["parents_ids"]) == len(category["path"]) - 1
    assert {row["label"] for row in loader.live("raw_plytix.relationships").values()} == {
        "related_products",
        "goes_well_with",
    }


@pytest.mark.parametrize("paging", ["stable", "overlapping"])
def test_a_small_table_over_several_pages_is_read_whole(
    loader: Loader, sandbox: Sandbox, paging: str
) -> None:
    sandbox.switch(unsorted_paging=paging)
    small = [{"id": f"{n:024x}", "name": f"c{n}"} for n in range(130)]
    for page in (small[:100], small[100:]):
        answer = {"data": page, "pagination": {"count": 130, "page_size": 100}}
        sandbox.fault("categories/product/search", "status", status=200, body=answer)
    assert of(loader.plytix("categories"), "categories").seen == 130


def test_family_attributes_are_read_again_only_for_families_that_changed(
    loader: Loader, sandbox: Sandbox
) -> None:
    loader.plytix("families", "family_attributes")
    sandbox.forget_requests()
    loader.plytix("families", "family_attributes")
    assert not sandbox.requests("product_families/.*/attributes")
    loader.plytix("families", "family_attributes", sweep_every_hours=0)
    assert len(sandbox.requests("product_families/.*/attributes")) == 3


def test_a_record_that_left_a_small_table_gets_a_tombstone(loader: Loader, sandbox: Sandbox) -> None:
    loader.plytix("attribute_groups")
    groups = list(loader.live("raw_plytix.attribute_groups").values())
    sandbox.fault(
        "attribute-groups/product/search", "status", status=200, body={"data": groups[1:], "pagination": {}}
    )
    assert of(loader.plytix("attribute_groups"), "attribute_groups").deleted == 1


def test_assets_come_again_only_when_modified(loader: Loader) -> None:
    loader.plytix("assets")
    assets = loader.live("raw_plytix.assets")
    assert {"url", "file_modified", "file_size"} <= set(next(iter(assets.values())))
    assert "n_products" not in next(iter(assets.values()))
    again = of(loader.plytix("assets"), "assets")
    assert (again.new, again.changed, again.requests) == (0, 0, 1)


def test_an_asset_missing_from_the_sweep_is_asked_for_and_a_deleted_one_is_deleted(
    loader: Loader, sandbox: Sandbox
) -> None:
    loader.plytix("assets")
    assets = loader.live("raw_plytix.assets")
    lost, gone, *rest = sorted(assets, key=lambda key: str(assets[key]["created"]))
    sandbox.fault(
        "assets/search", "status", after=1, status=200, body={"data": [{"id": key} for key in rest[:99]]}
    )
    sandbox.fault(f"assets/{gone}$", "status", status=404, body={"error": {"msg": "No results found"}})
    report = of(loader.plytix("assets", sweep_every_hours=0), "assets")
    assert report.deleted == 1
    assert lost in loader.live("raw_plytix.assets")
    assert gone not in loader.live("raw_plytix.assets")


def test_an_asset_found_only_by_the_sweep_has_the_shape_of_the_others(
    loader: Loader, sandbox: Sandbox
) -> None:
    loader.plytix("assets", since="2030-01-01")
    loader.plytix("assets")
    shapes = {frozenset(row) for row in loader.live("raw_plytix.assets").values()}
    refreshed = of(loader.plytix("assets", refresh=frozenset({"assets"})), "assets")
    assert len(shapes) == 1
    assert refreshed.changed == 0


def test_a_column_that_a_small_search_does_not_know_is_left_out(loader: Loader, sandbox: Sandbox) -> None:
    unknown = {
        "error": {"msg": "Schema validation error", "errors": [{"field": "symmetrical", "msg": "no field"}]}
    }
    sandbox.fault("relationships/search", "status", status=422, body=unknown)
    assert of(loader.plytix("relationships"), "relationships").seen == 2


def test_a_count_that_promises_too_much_costs_one_more_look_and_no_more(
    loader: Loader, sandbox: Sandbox
) -> None:
    answer = {"data": [{"id": "1", "label": "a", "name": "A"}], "pagination": {"count": 500}}
    sandbox.fault("relationships/search", "status", times=0, status=200, body=answer)
    assert of(loader.plytix("relationships"), "relationships").requests == 2


class _Shifted:
    """A list whose pages moved while they were read: it shows some of the records that are there."""

    def __init__(self, listed: set[str], there: set[str]) -> None:
        self._listed, self._there = listed, there
        self.asked: list[str] = []

    async def portions(self, *_: Any) -> AsyncIterator[tuple[int, dict[str, Any]]]:
        yield 1, {key: {"id": key} for key in self._listed}

    async def single(self, path: str) -> list[dict[str, Any]]:
        self.asked.append(path)
        return [{"id": path}] if path in self._there else []


@pytest.mark.parametrize(
    ("listed", "asked"), [("ab", "cd"), ("a", "")], ids=["half is missing", "more than half is missing"]
)
def test_records_that_a_shifted_list_does_not_show_are_asked_for_unless_they_are_most(
    listed: str, asked: str
) -> None:
    """Most of them missing is left to the guard against lists that shrank."""
    client, context = _Shifted(set(listed), set("abc")), SimpleNamespace(known=lambda: set("abcd"))
    found = asyncio.run(sweep_ids(client, context, "products", (), "{id}"))  # type: ignore[arg-type]
    assert "".join(sorted(client.asked)) == asked
    assert set(found.present) == set(listed) | (set(asked) & set("abc"))
