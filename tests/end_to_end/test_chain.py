"""The whole chain as a user runs it: what is loaded, planned and written, and what is not."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest
from conftest import FirstRun
from karvon_command import Done, Karvon
from shop_and_view import changed_items, differences, marts, ours, products_by_sku, skus_of

_REFUSAL = {
    "message": "Validation Error",
    "code": "validation_error",
    "externalReference": None,
    "details": [{"param": "fieldData.name", "description": "Name is not welcome here"}],
}


def test_the_first_run_makes_the_shop_that_the_view_describes(first_run: FirstRun, karvon: Karvon) -> None:
    assert first_run.done.status == 0, first_run.done.output
    created = re.search(r"(\d+) create", first_run.done.line("plan and apply"))
    assert created is not None
    assert int(created[1]) > 100
    assert differences(karvon) == []
    defaults = karvon.rows(
        "SELECT sku_code FROM activation.webflow__skus WHERE is_default AND hold_reasons IS NULL"
    )
    shown = {code for code, sku in skus_of(karvon.sandbox.shop()).items() if sku["is_default"]}
    assert shown == {row["sku_code"] for row in defaults}


def test_products_made_by_hand_are_left_alone(first_run: FirstRun, karvon: Karvon) -> None:
    by_hand = {
        one["id"] for one in karvon.sandbox.call("GET", "/webflow/shop")["products"] if one["hand_made"]
    }
    assert len(by_hand) == 3
    written = [
        one["path"] for one in first_run.requests if one["vendor"] == "webflow" and one["method"] != "GET"
    ]
    assert not [path for path in written if any(name in path for name in by_hand)]


@pytest.mark.usefixtures("first_run")
def test_no_person_stands_in_what_was_landed(karvon: Karvon) -> None:
    told = karvon("doctor")
    assert told.status == 0, told.output
    assert "persons in raw: none found" in told.output


def test_a_second_run_loads_nothing_writes_nothing_and_says_so(karvon: Karvon) -> None:
    done = karvon("run")
    assert done.status == 0, done.output
    assert done.line("load Plytix").endswith("nothing new")
    assert done.line("read the shop").endswith("nothing new")
    assert " 0 changes; " in done.line("plan and apply")
    assert karvon.sandbox.writes() == []
    asked = [one["path"] for one in karvon.sandbox.requests(vendor="plytix")]
    assert len(asked) <= 12, asked
    assert not [path for path in asked if "/products/" in path and not path.endswith("/search")]


def test_a_day_is_planned_without_a_write_and_then_moves_exactly_its_changes(karvon: Karvon) -> None:
    before = karvon.sandbox.shop()
    day = karvon.sandbox.next_day()
    planned = karvon("run", "--plan-only")
    assert planned.status == 2, planned.output
    assert karvon.sandbox.writes() == []
    assert karvon.sandbox.shop() == before

    done = karvon("run")
    assert done.status == 0, done.output
    assert done.line("load Plytix").endswith("nothing new")
    assert differences(karvon) == []
    after = karvon.sandbox.shop()
    changed = changed_items(before, after)
    assert changed == _expected(after, day)
    assert _written(karvon) <= changed.keys() | (_categories(after) - _categories(before))


def _expected(shop: dict[str, Any], day: list[dict[str, Any]]) -> dict[str, set[str]]:
    """SKU code or product slug → fields of the shop that a day of changes in Plytix must move, and no others."""
    sold = products_by_sku(shop)
    slugs = {sku: product["fields"]["slug"] for sku, product in sold.items()}
    expected: dict[str, set[str]] = {}
    for change in day:
        kind, sku = change["kind"], change.get("sku", "")
        of_product, of_skus = _MOVED.get(kind, (None, None))
        if kind in ("price", "stock"):
            expected[sku] = {kind}
        elif kind == "new_variant":
            expected |= {sku: {"new"}, slugs[change["parent"]]: {"options"}}
        elif kind == "new_product":
            expected |= {name: {"new"} for name in (slugs[sku], *(change["variants"] or [sku]))}
        if of_product:
            expected[slugs[sku]] = {of_product}
        if of_skus:
            expected |= {one["fields"]["sku"]: {of_skus} for one in sold[sku]["skus"]}
    return expected


_MOVED: dict[str, tuple[str | None, str | None]] = {
    "title": ("name", "name"),
    "description": ("description", None),
    "gallery_reordered": (None, "more-images"),
    "product_archived": ("is_archived", None),
    "product_deleted": ("is_archived", None),
    "product_recategorised": ("categories", None),
}
"""Kind of change → field of the product and field of all its SKUs that follow from it."""


def _categories(shop: dict[str, Any]) -> set[str]:
    return {one["fields"]["name"] for one in shop["category"]}


def _written(karvon: Karvon) -> set[str]:
    """SKU codes, product slugs and category names that a request wrote to."""
    shop = karvon.sandbox.call("GET", "/webflow/shop")
    names = {one["id"]: one["fields"]["name"] for one in shop["category"]}
    for product in shop["products"]:
        names[product["id"]] = product["fields"]["slug"]
        names |= {sku["id"]: sku["fields"]["sku"] for sku in product["skus"]}
    found = set()
    for request in karvon.sandbox.writes():
        assert request["status"] in (200, 201, 202, 204), request
        if request["path"].endswith(("/items", "/items/live")) and "fieldData" not in request["body"]:
            continue  # Items of other collections go out in bulk; `differences` looks at them.
        last = re.findall(r"[0-9a-f]{24}", request["path"])[-1]
        if request["path"].endswith("/skus"):
            found |= {sku["fieldData"]["sku"] for sku in request["body"]["skus"]}
        elif request["path"].endswith("/products"):
            found.add(request["body"]["product"]["fieldData"]["slug"])
        elif request["path"].endswith("/items"):
            found.add(request["body"]["fieldData"]["name"])
        else:
            found.add(names[last])
    return found


@pytest.mark.slow
def test_a_row_that_the_shop_refuses_is_reported_once_and_sent_again_only_when_asked(karvon: Karvon) -> None:
    karvon.sandbox.next_day(new_product=2, price=2)
    refused = {"kind": "status", "status": 400, "body": _REFUSAL}
    karvon.sandbox.fault(vendor="webflow", method="POST", path="/products$", fault=refused)
    first = karvon("run")
    assert first.status == 1, first.output
    assert "karvon errors" in first.output
    missing = [line for line in differences(karvon) if not line.endswith("is missing")]
    assert missing == []
    assert differences(karvon)

    told = karvon("errors", "--json")
    # The product and its default SKU are one request, and refused together.
    failed = [row for row in json.loads(told.output) if row["status"] == "failed"]
    assert {row["resource"] for row in failed} == {"products", "skus"}
    assert {row["error_field"] for row in failed} == {"fieldData.name"}
    assert "Name is not welcome here" in karvon("errors").output
    karvon.sandbox.forget_requests()
    again = karvon("run")
    assert again.status == 1, again.output
    assert " 0 changes" in again.line("plan and apply")
    assert karvon.sandbox.writes() == []

    retried = karvon("errors", "--retry")
    assert retried.status == 0, retried.output
    assert differences(karvon) == []
    assert json.loads(karvon("errors", "--json").output) == []


@pytest.mark.slow
def test_a_plan_over_its_guards_is_blocked_until_somebody_says_that_it_may(karvon: Karvon) -> None:
    before = karvon.sandbox.shop()
    for sku in sorted(products_by_sku(before))[:6]:
        karvon.sandbox.edit(sku, status="Archived")
    blocked = karvon("run")
    assert blocked.status == 3, blocked.output
    said = re.search(r"6 removals planned for webflow__products.*max_removals is 10%", blocked.output)
    assert said is not None, blocked.output
    assert karvon.sandbox.writes() == []
    assert karvon.sandbox.shop() == before
    assert karvon("plan").status == 3

    allowed = re.search(r"karvon (apply \S+ --override-guards)", blocked.output)
    assert allowed is not None
    done = karvon(*allowed[1].split())
    assert done.status == 0, done.output
    assert sum(one["is_archived"] for one in ours(karvon.sandbox.shop()["products"])) == 6


@pytest.mark.slow
def test_one_product_and_a_few_rows_can_be_moved_alone(karvon: Karvon) -> None:
    before = karvon.sandbox.shop()
    prices = [change["sku"] for change in karvon.sandbox.next_day(price=4)]
    one = karvon("run", "--key", prices[0])
    assert one.status == 0, one.output
    assert changed_items(before, karvon.sandbox.shop()) == {prices[0]: {"price"}}

    few = karvon("run", "--limit", "2")
    assert few.status == 0, few.output
    changed = changed_items(before, karvon.sandbox.shop())
    assert len(changed) == 3
    assert changed.keys() <= set(prices)

    rest = karvon("run")
    assert rest.status == 0, rest.output
    assert changed_items(before, karvon.sandbox.shop()).keys() == set(prices)
    assert differences(karvon) == []


_WRONG = {
    "run --no-such-option": "No such option '--no-such-option'",
    "run --limit 0": "0 is not in the range",
    "run --select no_such_asset": "matches no asset",
    "run --select group:(": "Invalid selection",
    "run --refresh plytics": "known are plytix, webflow",
    "run --refresh plytix.prodcts": "it has assets, ",
    "run --since yesterday": "no ISO date",
    "no-such-command": "No such command",
    "sandbox load": "Missing argument 'FILE'",
}


def test_wrong_usage_ends_with_64_and_says_what_would_be_right(karvon: Karvon) -> None:
    for arguments, said in _WRONG.items():
        done = karvon(*arguments.split())
        assert done.status == 64, done.output
        assert said in done.output
    assert karvon.sandbox.requests() == []


@pytest.mark.timeout(600)
def test_postgres_holds_the_same_and_makes_the_same_shop(
    first_run: FirstRun, fresh: Karvon, postgres_url: str
) -> None:
    shutil.copytree(first_run.karvon.home / "sandbox", fresh.home / "sandbox", ignore=_only_the_worlds)
    karvon = fresh.having(KARVON_WAREHOUSE_URL=postgres_url)
    karvon.serve()
    shop = karvon.sandbox.shop()
    karvon.sandbox.call("POST", "/reset", {"vendor": "webflow"})
    done: Done = karvon("run")
    assert done.status == 0, done.output
    assert karvon.sandbox.shop() == shop
    assert marts(karvon) == marts(first_run.karvon)
    karvon.sandbox.forget_requests()
    again = karvon("run")
    assert " 0 changes; " in again.line("plan and apply")
    assert karvon.sandbox.writes() == []

    day = karvon.sandbox.next_day()
    moved = karvon("run")
    assert moved.status == 0, moved.output
    assert differences(karvon) == []
    assert changed_items(shop, karvon.sandbox.shop()) == _expected(karvon.sandbox.shop(), day)


def _only_the_worlds(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith("sandbox.sqlite")]
