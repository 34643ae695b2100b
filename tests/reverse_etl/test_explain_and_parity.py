"""What is told of rows: each field's standing, the reasons, and the share that is equal."""

from __future__ import annotations

import orjson
import pytest
from shop_bench import Bench

from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.narrowing import UnknownKey
from reverse_etl.review.explain import Explanation, explain
from reverse_etl.review.parity import measure


def told(bench: Bench, key: str) -> dict[tuple[str, str], Explanation]:
    models = {sync.name: () for sync in bench.syncs}
    return {
        (one.sync, one.key): one for one in explain(bench.warehouse, bench.syncs, DESTINATIONS, models, key)
    }


def states(explanation: Explanation) -> dict[str, str]:
    return {one.field: one.state for one in explanation.now.fields}


def parity(bench: Bench) -> dict[str, tuple[int, int]]:
    """Sync → equal fields, fields."""
    found: dict[str, tuple[int, int]] = {}
    for one in measure(bench.warehouse, bench.syncs, DESTINATIONS, "p"):
        equal, of = found.get(one.sync, (0, 0))
        found[one.sync] = equal + one.equal_count, of + one.row_count
    return found


def world(bench: Bench) -> None:
    """Two products in a category; one has two sizes and a stock."""
    bench.category("c1")
    bench.product("a", category_keys='["c1"]')
    bench.product("b", ("S", "M"))
    bench.change("skus", "b-S", stock_quantity=5)
    bench.build()


def test_a_row_that_stands_as_it_should_has_no_reason(bench: Bench) -> None:
    world(bench)
    bench.run()
    bench.mirror()
    found = told(bench, "a")
    product = found["webflow__products", "a"]
    assert product.reasons == ()
    assert set(states(product).values()) <= {"equal", "given once"}
    assert product.last is not None
    assert product.last.status == "done"
    assert product.written["name"].plan_id == product.now.entry.plan_id  # type: ignore[union-attr]
    assert ("webflow__categories", "c1") in found
    assert told(bench, "CODE-b-M")["webflow__skus", "b-M"].reasons == ()


def test_an_edit_in_the_shop_and_a_change_of_the_view_are_told_apart(bench: Bench) -> None:
    world(bench)
    bench.run()
    bench.change("skus", "a", price_minor=2500)
    bench.build()
    bench.edit("p-a", fieldData={"name": "Edited there"})
    bench.mirror()
    found = told(bench, "a")
    product, sku = found["webflow__products", "a"], found["webflow__skus", "a"]
    name = next(one for one in product.now.fields if one.field == "name")
    assert (name.state, name.view, name.answered, name.live) == (
        "different", "Product a", "Product a", "Edited there",
    )  # fmt: skip
    assert any(reason.startswith("Drift: name is Edited there") for reason in product.reasons)
    price = next(one for one in sku.now.fields if one.field == "price")
    assert (price.state, price.view["value"], price.live["value"]) == ("different", 2500, 1999)
    assert "The next plan will update it: price." in sku.reasons


def test_held_refused_and_absent_rows_say_why(bench: Bench) -> None:
    world(bench)
    bench.run()
    bench.change("products", "a", hold_reasons="it has no name")
    bench.drop("b")
    bench.build()
    held = told(bench, "a")["webflow__products", "a"]
    assert held.reasons[0] == "Not ready: it has no name."
    gone = told(bench, "b")["webflow__products", "b"]
    assert gone.reasons[0].startswith("It is not in activation.webflow__products")
    assert "the next plan takes it out" in gone.reasons[1]
    with pytest.raises(UnknownKey):
        told(bench, "nobody")


def test_parity_is_whole_after_a_run_and_counts_what_differs(bench: Bench) -> None:
    world(bench)
    before = parity(bench)
    assert all(equal == 0 for equal, _ in before.values())
    bench.run()
    bench.mirror()
    after = parity(bench)
    # Slugs are given once and do not count; only the one managed stock does.
    assert after == {"webflow__categories": (1, 1), "webflow__products": (18, 18), "webflow__skus": (25, 25)}
    bench.edit("p-a", fieldData={"name": "Edited there"})
    bench.change("skus", "b-S", price_minor=2500, stock_quantity=6)
    bench.build()
    bench.mirror()
    assert parity(bench) == {
        "webflow__categories": (1, 1), "webflow__products": (17, 18), "webflow__skus": (23, 25),
    }  # fmt: skip


def test_parity_is_written_down_per_field(bench: Bench) -> None:
    world(bench)
    bench.run()
    measure(bench.warehouse, bench.syncs, DESTINATIONS, "p7")
    with bench.warehouse.session() as session:
        rows = session.rows(
            "SELECT field, row_count, equal_count FROM reverse_etl.parity WHERE plan_id = 'p7'"
        )
    assert {"field": "price", "row_count": 3, "equal_count": 3} in rows


def test_the_source_document_is_found_by_the_key(bench: Bench) -> None:
    world(bench)
    bench.product("default:77", brand="Acme")
    bench.build()
    bench.run()
    document = orjson.dumps({"id": "77", "attributes": {"brand": "Acme", "seoTitle": "x"}}).decode()
    with bench.warehouse.session() as session:
        session.execute("CREATE SCHEMA IF NOT EXISTS raw_plytix")
        session.execute(
            "CREATE TABLE raw_plytix.products (connection text, document_key text, document json, "
            "document_hash text, landed_at timestamptz, is_deleted boolean, _dlt_load_id text)"
        )
        session.execute(
            "INSERT INTO raw_plytix.products VALUES ('default', '77', $1, 'h', now(), false, '1')",
            (document,),
        )
    source = told(bench, "default:77")["webflow__products", "default:77"].sources[0]
    assert (source.table, source.versions, source.is_deleted) == ("raw_plytix.products", 1, False)
    assert source.values == {"brand": "Acme", "seo-title": "x"}
