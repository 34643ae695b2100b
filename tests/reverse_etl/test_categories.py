"""Categories of the store go in bulk, and are as safe as if each went alone."""

from __future__ import annotations

import json

import pytest

from reverse_etl.state.history import errors


def seeded(bench, count: int) -> None:
    for number in range(count):
        bench.category(f"c{number:03}")
    result = bench.run()
    assert (result.applied, result.failed) == (count, 0)


def names(bench) -> dict[str, str]:
    return {one["fields"]["slug"]: one["fields"]["name"] for one in bench.shop()["categories"]}


def test_a_hundred_categories_are_one_request_whatever_is_done_to_them(bench) -> None:
    seeded(bench, 205)
    assert len(bench.requests("POST")) == 3
    assert len(names(bench)) == 205
    bench.mirror()
    for number in range(150):
        bench.change("categories", f"c{number:03}", name=f"New {number}")
    plan = bench.plan()
    result = bench.apply(plan, override_guards=True)
    # two bulk calls, and one to find the store's collections
    assert len(bench.requests()) == result.requests == plan.request_count == 3
    assert names(bench)["c-c149"] == "New 149"
    assert bench.settle().is_empty


@pytest.mark.parametrize("removal", ["archive", "delete"])
def test_categories_that_leave_are_removed_in_bulk(bench, removal) -> None:
    bench.overrides["webflow__categories"] = {"on_removal": removal}
    seeded(bench, 12)
    bench.mirror()
    for number in range(3):
        del bench.tables["webflow__categories"][f"c{number:03}"]
    plan = bench.plan()
    result = bench.apply(plan, override_guards=True)
    assert (result.applied, result.requests, plan.request_count) == (3, 2, 2)
    left = [one for one in bench.shop()["categories"] if not one["is_archived"]]
    assert len(left) == 9
    assert bench.settle().is_empty


def test_one_bad_category_is_found_and_the_others_get_through(bench) -> None:
    for number in range(8):
        bench.category(f"c{number:03}")
    bench.change("categories", "c005", slug="allégro")
    result = bench.run()
    assert (result.applied, result.failed) == (7, 1)
    [told] = errors(bench.warehouse)
    assert (told["key"], told["error_field"]) == ("c005", "slug")
    assert len(names(bench)) == 7
    plan = bench.settle()
    assert plan.is_empty
    # What waits for a person costs nothing; the others are counted as they go.
    bench.change("categories", "c006", name="Other")
    assert bench.plan().request_count == 2


def test_a_category_that_is_gone_does_not_hide_the_others(bench) -> None:
    bench.overrides["webflow__categories"] = {"on_removal": "delete"}
    seeded(bench, 6)
    bench.mirror()
    for number in range(3):
        del bench.tables["webflow__categories"][f"c{number:03}"]
    plan = bench.plan()
    [one, *_] = [one["id"] for one in bench.shop()["categories"] if one["fields"]["slug"] == "c-c001"]
    path = f"/collections/{bench.collections['category']}/items/{one}"
    bench.api.delete(path).raise_for_status()
    assert bench.apply(plan, override_guards=True).applied == 3
    assert len(names(bench)) == 3


@pytest.mark.parametrize("count", [2, 7])
def test_a_bulk_create_whose_answer_never_comes_doubles_nothing(bench, count) -> None:
    for number in range(count):
        bench.category(f"c{number:03}")
    bench.fault("drop_after_processing", method="POST", path="/items")
    bench.run()
    bench.run()
    assert len(bench.shop()["categories"]) == count
    assert bench.settle().is_empty


def test_products_find_categories_that_were_made_in_bulk(bench) -> None:
    bench.category("c1")
    bench.category("c2")
    bench.product("p1", category_keys=json.dumps(["c2", "c1"]))
    bench.run()
    assert sorted(bench.shop()["products"]["p-p1"]["categories"]) == ["c-c1", "c-c2"]
