"""What a preview shows is what an apply sends."""

from __future__ import annotations

import json
from typing import Any

import pytest
from shop_bench import Bench

from karvon.rehearsal import Rehearsal, Request
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.destinations.webflow.field_types import read_collections
from reverse_etl.destinations.webflow.rehearsal import answers
from reverse_etl.planning.plan import UnknownKey
from reverse_etl.review.preview import Preview, UnknownColumn, estimate, preview
from reverse_etl.spec.syncs import AS_NEW


def _preview(bench: Bench, key: str, **options: Any) -> Preview:
    bench.build()
    bench.land(
        "collections",
        {one: bench.api.get(f"/collections/{one}").json() for one in bench.collections.values()},
    )
    with bench.warehouse.session() as session:
        collections = read_collections(session, "default")
    requests: list[Request] = []
    rehearsal = Rehearsal(answers(collections, {}), requests)
    name = f"{AS_NEW}default" if options.get("as_new") else "default"
    channels = {("webflow_store", name): lambda syncs: StoreChannel(bench.connection, syncs, rehearsal)}
    return preview(bench.warehouse, bench.syncs, DESTINATIONS, key, requests, channels, **options)


def _shown(made: Preview) -> list[tuple[str, str, Any]]:
    return [
        (one.method, one.path.removeprefix("/webflow/v2"), one.body)
        for one in made.requests
        if one.method != "GET"
    ]


def _sent(bench: Bench) -> list[tuple[str, str, Any]]:
    query = {"since": bench._mark, "vendor": "webflow", "account": bench.account}
    return [
        (one["method"], one["path"].removeprefix("/webflow/v2"), one["body"])
        for one in bench.control.get("/requests", params=query).json()["requests"]
        if one["method"] != "GET"
    ]


def _state(bench: Bench) -> list[Any]:
    tables = ("plans", "operations", "ledger")
    return [bench.rows(f"SELECT count(*) AS n FROM reverse_etl.{name}") for name in tables]


def test_a_preview_of_changes_is_exactly_what_is_sent_then(bench: Bench) -> None:
    bench.category("c1")
    bench.product("p1", ("S", "M"), category_keys='["c1"]')
    bench.run()
    bench.mirror()
    bench.change("products", "p1", brand="Other", seo_title=None)
    bench.change(
        "skus", "p1-M", price_minor=2500, stock_quantity=3, main_image_url="https://img.example/new.png"
    )
    bench.change("skus", "p1-S", price_minor=2600)
    bench.build()
    before, seen = _state(bench), bench._last_seq()
    made = _preview(bench, "CODE-p1-M")
    assert _state(bench) == before
    assert not [one for one in bench.control.get("/requests", params={"since": seen}).json()["requests"]
                if one["method"] != "GET"]  # fmt: skip
    assert [one for one in _shown(made) if "inventory" not in one[1]]
    bench.apply(bench.plan(key="p1"))
    assert sorted(map(json.dumps, _shown(made))) == sorted(map(json.dumps, _sent(bench)))


def test_a_preview_of_a_new_product_shows_every_request_with_the_shops_ids_in_parentheses(
    bench: Bench,
) -> None:
    bench.category("c1")
    bench.product("p1", ("S", "M"), category_keys='["c1"]')
    bench.change("skus", "p1-M", stock_quantity=3)
    made = _preview(bench, "p1", as_new=True)
    shown = _shown(made)
    site = f"/sites/{bench.site_id}/products"
    assert [(method, path) for method, path, _ in shown] == [
        ("POST", f"/collections/{bench.collections['category']}/items"),
        ("POST", site),
        ("POST", f"{site}/(id of p-p1)/skus"),
        ("PATCH", f"/collections/{bench.collections['sku']}/items/(id of s-p1-m)/inventory"),
    ]
    assert shown[1][2]["product"]["fieldData"]["category"] == ["(id of c-c1)"]
    assert shown[2][2]["skus"][0]["fieldData"]["sku-values"] == {"(id of Größe)": "(id of M)"}
    bench.run()
    sent = _sent(bench)
    assert len(sent) == len(shown)
    product = json.loads(json.dumps(sent[1][2]))
    product["product"]["fieldData"]["category"] = ["(id of c-c1)"]
    assert product == shown[1][2]


def test_another_value_is_tried_without_touching_the_model(bench: Bench) -> None:
    bench.product("p1")
    bench.run()
    bench.mirror()
    assert _shown(_preview(bench, "p1")) == []
    made = _preview(bench, "p1", values={"brand": "Tried", "webflow__skus.price_minor": "4200"})
    ((method, path, body),) = _shown(made)
    assert (method, path.rsplit("/", 1)[0]) == ("PATCH", f"/sites/{bench.site_id}/products")
    assert body["product"]["fieldData"] == {"brand": "Tried"}
    assert body["sku"]["fieldData"]["price"] == {"value": 4200, "unit": "USD"}
    assert bench.rows("SELECT brand FROM activation.webflow__products") == [{"brand": "Acme"}]
    schemas = "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'karvon_preview%'"
    assert bench.rows(schemas) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "x"}, "webflow__categories.name"),
        ({"colour": "x"}, "no sync has the column colour"),
        ({"price_minor": "12,5"}, "'12,5' is no bigint"),
        ({"is_shippable": "perhaps"}, "is no boolean"),
    ],
)
def test_a_value_that_cannot_be_tried_is_told(bench: Bench, values: dict[str, str], words: str) -> None:
    bench.product("p1")
    with pytest.raises(UnknownColumn, match=words):
        _preview(bench, "p1", values=values)


def test_a_key_that_nobody_knows_and_a_row_that_is_held(bench: Bench) -> None:
    bench.product("p1", hold_reasons="no price")
    with pytest.raises(UnknownKey):
        _preview(bench, "nobody")
    made = _preview(bench, "p1")
    assert _shown(made) == []
    assert ("not_ready", "no price") in [(one.kind, one.message) for one in made.findings]


def test_an_estimate_counts_what_a_first_sync_would_take(bench: Bench) -> None:
    bench.category("c1")
    bench.product("p1", ("S", "M"), category_keys='["c1"]')
    bench.run()
    bench.mirror()
    first = estimate(bench.warehouse, bench.syncs, DESTINATIONS, 60, as_new=True)
    assert (first.items, first.requests) == (4, 4)
    assert first.minutes == pytest.approx(4 / 60)
    now = estimate(bench.warehouse, bench.syncs, DESTINATIONS, 60)
    assert (now.requests, now.items) == (0, 4)
