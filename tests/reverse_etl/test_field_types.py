"""A mapping against the live schema of the shop, before anything is planned."""

from __future__ import annotations

from typing import Any

import pytest
from shop_bench import Bench

from reverse_etl.destinations.webflow.field_types import (
    FIELD_TYPES,
    check,
    collection_of,
    mapping_problems,
    read_collections,
)
from reverse_etl.spec.manifest import SyncError


def _landed(bench: Bench) -> dict[str, Any]:
    """Land the schema as the mirror source does; gives the documents by slug."""
    documents = {slug: bench.api.get(f"/collections/{one}").json() for slug, one in bench.collections.items()}
    bench.land("collections", {one["id"]: one for one in documents.values()})
    return documents


def _sync(bench: Bench, name: str) -> Any:
    return next(sync for sync in bench.syncs if sync.name == f"webflow__{name}")


def test_the_schema_that_was_landed_comes_as_frozen_specs(bench: Bench) -> None:
    documents = _landed(bench)
    with bench.warehouse.session() as session:
        collections = {one.slug: one for one in read_collections(session, "default")}
        assert read_collections(session, "another") == ()
    assert set(collections) == set(documents)
    for slug, document in documents.items():
        assert [one.slug for one in collections[slug].fields] == [one["slug"] for one in document["fields"]]
    posts = collections["posts"]
    fields = {one.slug: one for one in posts.fields}
    assert [one.name for one in fields["kind"].options] == ["News", "Guide", "Story"]
    assert fields["post-summary"].max_length == 500
    assert fields["about-category"].collection_id == collections["category"].id
    assert [one.slug for one in posts.fields if one.is_required] == ["name", "slug"]
    assert {one.type for one in posts.fields} <= set(FIELD_TYPES)
    assert len(FIELD_TYPES) == 17


def test_the_newest_document_of_a_collection_counts_and_a_deleted_one_does_not(bench: Bench) -> None:
    documents = _landed(bench)
    body = {"site": bench.account, "collection": "product", "add": "care", "type": "PlainText"}
    bench.control.post("/webflow/field", json=body).raise_for_status()
    gone = documents.pop("posts")["id"]
    bench.land(
        "collections",
        {
            one["id"]: bench.api.get(f"/collections/{one['id']}").json()
            for one in documents.values()
            if one["id"] != gone
        },
    )
    with bench.warehouse.session() as session:
        collections = {one.slug: one for one in read_collections(session, "default")}
    assert "posts" not in collections
    assert collections["product"].field("care")


def test_the_mapping_of_the_demo_fits_the_shop(bench: Bench) -> None:
    _landed(bench)
    with bench.warehouse.session() as session:
        assert [mapping_problems(session, sync) for sync in bench.syncs] == [(), (), ()]


def test_a_field_that_the_shop_does_not_have_stops_the_plan_before_anything_else(bench: Bench) -> None:
    _landed(bench)
    bench.product("p1")
    bench.meta["webflow__products", "brand"] = {"field": "brnad"}
    with pytest.raises(SyncError) as told:
        bench.plan()
    (line,) = told.value.problems
    for word in (
        "_webflow.yml, model webflow__products, field brnad",
        "did you mean brand?",
        "karvon webflow schema",
    ):
        assert word in line
    assert bench.requests("POST") == []


def test_a_schema_that_was_never_landed_stops_nothing(bench: Bench) -> None:
    bench.product("p1")
    bench.meta["webflow__products", "brand"] = {"field": "marke"}
    assert bench.plan().operations


@pytest.mark.parametrize(
    ("column", "meta", "words"),
    [
        ("brand", {"field": "release-date", "as": "number"}, ("DateTime", "sent as number", "as: text")),
        ("is_shippable", {"field": "material"}, ("PlainText", "sent as bool")),
        ("brand", {"field": "shippable"}, ("Switch", "as: bool", "data_type boolean")),
        ("brand", {"field": "default-sku"}, ("sets this field itself",)),
    ],
)
def test_a_type_that_does_not_fit_is_told_with_the_way_out(
    bench: Bench, column: str, meta: dict[str, Any], words: tuple[str, ...]
) -> None:
    _landed(bench)
    bench.meta["webflow__products", column] = meta
    if meta["field"] == "shippable":
        bench.meta["webflow__products", "is_shippable"] = {}
    with bench.warehouse.session() as session:
        (problem,) = mapping_problems(session, _sync(bench, "products"))
    assert problem.column == column
    for word in words:
        assert word in str(problem)


def test_a_required_field_must_be_fed_by_a_sync_that_creates(bench: Bench) -> None:
    _landed(bench)
    bench.meta["webflow__skus", "price_minor"] = {}
    bench.meta["webflow__categories", "slug"] = {}
    with bench.warehouse.session() as session:
        collections = read_collections(session, "default")

    def told(name: str) -> list[str]:
        sync = _sync(bench, name)
        collection = collection_of(sync, collections)
        assert collection is not None
        return [f"{one.field}: {one.what}" for one in check(sync, collection)]

    assert told("skus") == ["price: sku requires this field (Price), and no column feeds it"]
    assert told("categories") == ["slug: category requires this field (PlainText), and no column feeds it"]
    bench.overrides["webflow__categories"] = {"mode": "update_only"}
    assert told("categories") == []
    # SKUs are created together with their products, whatever their own mode says.
    bench.overrides["webflow__skus"] = {"mode": "update_only"}
    assert len(told("skus")) == 1
