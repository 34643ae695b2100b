"""What a shop team reads: why a product is not there, the plan as a page, the measures after a run."""

from __future__ import annotations

import json

import pytest
from karvon_command import Karvon


def test_a_product_that_is_not_in_the_shop_says_why(karvon: Karvon) -> None:
    with karvon.warehouse.session() as session:
        (held,) = session.rows(
            "SELECT sku, hold_reasons FROM marts.product_readiness WHERE state = 'held' ORDER BY sku LIMIT 1"
        )
        sold = session.value(
            "SELECT sku_code FROM activation.webflow__skus WHERE hold_reasons IS NULL LIMIT 1"
        )
    said = karvon("explain", held["sku"]).output
    assert held["hold_reasons"] in said
    assert "raw_plytix.products" in said
    found = json.loads(karvon("explain", sold, "--json").output)
    assert found[0]["is_asked"]
    # Pictures, HTML and references are not there as they are in the view, and stand as it says all the same.
    states = {field["state"] for one in found for field in one["fields"]}
    assert states <= {"equal", "given once", "not managed"}
    assert {"webflow__skus", "webflow__spec_sheets"} <= {one["sync"] for one in found}
    price = next(one for one in found[0]["fields"] if one["field"] == "price")
    assert price["state"] == "equal"
    assert price["view"] == price["live"] == price["answered"]


@pytest.mark.slow
def test_a_product_that_leaves_the_shop_says_from_which_model_it_fell_out(karvon: Karvon) -> None:
    with karvon.warehouse.session() as session:
        sku = session.value("SELECT min(sku) FROM marts.product_readiness WHERE state = 'ready'")
    karvon.sandbox.call("POST", "/plytix/edit", {"sku": sku, "set": {"attributes": {"show_on_web": False}}})
    reports = karvon.home / "sandbox" / "reports"
    before = set(reports.glob("plan-*.html"))
    assert karvon("run", "--plan-only").status == 2
    said = karvon("explain", sku).output
    assert (
        "It is not in activation.webflow__products: the last model that has it is product_readiness" in said
    )
    assert "show_on_web is not true" in said
    assert "the next plan takes it out" in said
    page = karvon.home / "plan.html"
    assert karvon("plan", "show", "--html", str(page)).status == 0
    assert "archive" in page.read_text()
    # The run left the same plan as a page of its own.
    assert any("archive" in page.read_text() for page in set(reports.glob("plan-*.html")) - before)


def test_after_a_run_parity_and_the_clock_are_told(karvon: Karvon) -> None:
    measured = {one["sync"]: one for one in json.loads(karvon("status", "--json").output)["measures"]}
    assert measured["webflow__categories"]["parity"] == 1
    # Held rows count: the shop does not show what the view says of them.
    assert 0.8 < measured["webflow__products"]["parity"] < 1
    assert measured["webflow__products"]["edits"] == 0
    assert measured["webflow__brands"]["parity"] == 1
    # Nobody can look into a file that was sent away.
    assert "parity" not in measured.get("files__products", {})
    with karvon.warehouse.session() as session:
        (sold,) = session.rows(
            "SELECT sku_code, price_minor FROM activation.webflow__skus WHERE hold_reasons IS NULL "
            "ORDER BY sku_code LIMIT 1"
        )
    karvon.sandbox.edit(sold["sku_code"], attributes={"price": (sold["price_minor"] + 70) / 100})
    assert karvon("run").status == 0
    measured = {one["sync"]: one for one in json.loads(karvon("status", "--json").output)["measures"]}
    assert measured["webflow__skus"]["edits"] == 1
    assert 0 < measured["webflow__skus"]["p50_seconds"] < 240
    with karvon.warehouse.session() as session:
        (day,) = session.rows("SELECT * FROM marts.sync_daily WHERE destination = 'webflow_store'")
    assert day["refused_count"] == 0
    assert day["request_count"] > 0
