"""Mappings as JSON and back into the YAML, values against the schema, and where in the file a problem is."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from activation_models import manifest_of
from shop_bench import Bench

from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webflow.validation import coverage, validate
from reverse_etl.review.mappings import changes, edited, exported
from reverse_etl.spec.manifest import SyncError, read_columns
from reverse_etl.spec.yaml_places import CannotEdit, with_mapping

_FILE = """\
# Kept by the web team.
models:
  - name: webflow__products   # the goods
    config:
      meta:
        sync: {destination: webflow_store}
    columns:
      # identity
      - {name: product_key, data_type: text}
      - {name: name, config: {meta: {field: name}}}   # never longer than 60
      - name: brand
        description: |
          The brand,
          as printed.
        config:
          meta:
            field: brand   # agreed with marketing
            policy: keep
        # a note on what follows
      - name: seo_title
        data_type: text
      - {name: seo_description, description: "SEO: text, with {braces}"}
      - name: material
        config: {tags: [a]}
      - name: care
        config:
          tags: [b]

  - name: another
    columns:
      - {name: brand, config: {meta: {field: untouched}}}
"""


def _metas(text: str, model: str = "webflow__products") -> dict[str, Any]:
    columns = next(one for one in yaml.safe_load(text)["models"] if one["name"] == model)["columns"]
    return {one["name"]: (one.get("config") or {}).get("meta") for one in columns}


@pytest.mark.parametrize(
    ("column", "meta"),
    [
        ("name", {"field": "title"}),
        ("brand", {"field": "marke", "as": "text"}),
        ("brand", {}),
        ("seo_title", {"field": "seo-title"}),
        ("seo_description", {"field": "seo-description", "policy": "report"}),
        ("material", {"field": "material"}),
        ("care", {"field": "care-notes"}),
        ("product_key", {"field": "Ключ: «x»"}),
    ],
)
def test_an_edit_replaces_one_mapping_and_leaves_every_other_character(
    column: str, meta: dict[str, Any]
) -> None:
    text = with_mapping(_FILE, "webflow__products", {column: meta})
    assert _metas(text) == {**_metas(_FILE), column: meta}
    assert _metas(text, "another") == _metas(_FILE, "another")
    kept = [line for line in _FILE.splitlines() if line not in text.splitlines()]
    assert len(kept) <= (3 if column == "brand" else 1)
    for comment in (
        "# Kept by the web team.",
        "# the goods",
        "# identity",
        "# never longer",
        "# a note on what follows",
    ):
        assert comment in text


def test_several_columns_are_edited_at_once() -> None:
    metas = {"name": {"field": "title"}, "brand": {"field": "x"}, "seo_title": {"field": "y"}}
    assert _metas(with_mapping(_FILE, "webflow__products", metas)) == {**_metas(_FILE), **metas}


def test_a_file_that_cannot_be_edited_safely_is_refused() -> None:
    with pytest.raises(CannotEdit, match="no model nothing"):
        with_mapping(_FILE, "nothing", {})
    with pytest.raises(CannotEdit, match="no column colour"):
        with_mapping(_FILE, "webflow__products", {"colour": {"field": "x"}})
    shared = _FILE.replace(
        "{name: name, config: {meta: {field: name}}}", "{name: name, config: &c {meta: {field: name}}}"
    )
    shared = shared.replace("config: {tags: [a]}", "config: *c")
    with pytest.raises(CannotEdit, match="by hand"):
        with_mapping(shared, "webflow__products", {"material": {"field": "x"}, "name": {"field": "y"}})


@pytest.fixture
def project(bench: Bench, tmp_path: Path) -> Path:
    """The bench's models as a YAML file of a project."""
    _land(bench)
    file = tmp_path / "models" / "activation" / "webflow" / "_webflow.yml"
    file.parent.mkdir(parents=True)
    nodes = manifest_of()["nodes"].values()
    models = [
        {"name": node["name"], "config": node["config"], "columns": list(node["columns"].values())}
        for node in nodes
    ]
    file.write_text(yaml.safe_dump({"models": models}, sort_keys=False, allow_unicode=True))
    assert bench.syncs
    return tmp_path


def _land(bench: Bench) -> None:
    bench.land(
        "collections",
        {one: bench.api.get(f"/collections/{one}").json() for one in bench.collections.values()},
    )


def _document(bench: Bench) -> Any:
    return json.loads(json.dumps(exported(bench.syncs, read_columns(bench.folder / "manifest.json"))))


def _changes(bench: Bench, document: object) -> list[Any]:
    with bench.warehouse.session() as session:
        return changes(
            session, bench.syncs, DESTINATIONS, read_columns(bench.folder / "manifest.json"), document
        )


def _of(document: Any, name: str) -> Any:
    return next(one for one in document["syncs"] if one["name"] == f"webflow__{name}")["columns"]


def test_an_export_comes_back_without_a_change(bench: Bench, project: Path) -> None:
    document = _document(bench)
    assert _of(document, "skus")["price_minor"] == {"field": "price", "as": "money", "currency": "currency"}
    assert _changes(bench, document) == []


def test_an_import_edits_the_file_to_say_exactly_the_document(bench: Bench, project: Path) -> None:
    document = _document(bench)
    columns = _of(document, "products")
    columns["brand"] = {"field": "material"}
    del columns["seo_title"]
    columns["hold_reasons"] = {"field": "seo-title"}
    found = _changes(bench, document)
    assert [str(one) for one in found] == [
        "webflow__products.brand: field: brand → field: material",
        "webflow__products.seo_title: field: seo-title, policy: keep → not mapped",
        "webflow__products.hold_reasons: not mapped → field: seo-title",
    ]
    ((path, text),) = edited(found, project).items()
    assert path == project / "models/activation/webflow/_webflow.yml"
    metas = _metas(text)
    assert metas["brand"] == {"field": "material"}
    assert metas["seo_title"] == {}
    assert metas["hold_reasons"] == {"field": "seo-title"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"brand": {"field": "marke"}}, "has no field with this slug"),
        ({"brand": {"field": "release-date", "as": "number"}}, "it is a DateTime field"),
        ({"brand": {"field": "name"}}, "fed by more than one column"),
        ({"brand": {"field": "brand", "as": "mony"}}, "Input should be"),
        ({"brand": {"feld": "brand"}}, "Field required"),
        ({"colour": {"field": "brand"}}, "no column colour"),
        ({"brand": {"field": "brand", "alt": "nowhere"}}, "uses the column nowhere"),
    ],
)
def test_an_import_that_would_not_work_says_so_and_changes_nothing(
    bench: Bench, project: Path, change: dict[str, Any], words: str
) -> None:
    document = _document(bench)
    _of(document, "products").update(change)
    with pytest.raises(SyncError, match=words):
        _changes(bench, document)


@pytest.mark.parametrize(
    "document", [[], {}, {"format": 2, "syncs": []}, {"format": 1, "syncs": [{"name": "x"}]}]
)
def test_a_document_of_another_form_is_refused(bench: Bench, project: Path, document: Any) -> None:
    with pytest.raises(SyncError, match="the mapping document"):
        _changes(bench, document)
    with pytest.raises(SyncError, match="there is no sync x; known are"):
        _changes(bench, {"format": 1, "syncs": [{"name": "x", "columns": {}}]})


def test_problems_come_with_the_line_of_their_column(bench: Bench, project: Path) -> None:
    bench.build()
    bench.meta["webflow__products", "brand"] = {"field": "marke"}
    with bench.warehouse.session() as session:
        (problem,) = validate(session, bench.syncs, DESTINATIONS, project)
    lines = (project / problem.file).read_text().splitlines()
    assert problem.line is not None
    assert lines[problem.line - 1].strip() == "field: brand"
    assert str(problem).startswith(
        f"models/activation/webflow/_webflow.yml:{problem.line}, model webflow__products"
    )


def test_values_that_a_field_would_refuse_are_counted_and_named(bench: Bench, project: Path) -> None:
    documents = {one: bench.api.get(f"/collections/{one}").json() for one in bench.collections.values()}
    product = copy.deepcopy(documents[bench.collections["product"]])
    for field in product["fields"]:
        if field["slug"] == "brand":
            field["validations"] = {"singleLine": True, "maxLength": 10}
    bench.land("collections", {**documents, product["id"]: product})
    bench.product("p1", brand="Short")
    bench.product("p2", brand="B" * 30, tax_category="no-such-tax")
    bench.product("p3", brand="C" * 40)
    bench.product("p4", brand="D" * 50, hold_reasons="not ready")
    bench.product("p5", brand="two\nlines", name=None)
    bench.change("skus", "p1", weight=-1.0)
    bench.build()
    with bench.warehouse.session() as session:
        told = {(one.field, one.what) for one in validate(session, bench.syncs, DESTINATIONS, project)}
    fields = [(field, what.split(": ")[0]) for field, what in told]
    assert sorted(fields) == [
        ("brand", "1 row (first p5)"),
        ("brand", "2 rows (first p2)"),
        ("name", "1 row (first p5)"),
        ("tax-category", "1 row (first p2)"),
        ("weight", "1 row (first p1)"),
    ]
    whole = " ".join(what for _, what in told)
    for words in (
        "longer than 10 characters, the longest has 40", "more than one line", "is negative",
        "the shop requires it and it is empty", "that the field offers: standard-taxable",
    ):  # fmt: skip
        assert words in whole


def test_a_schema_that_is_not_known_is_a_problem_of_validation(bench: Bench, tmp_path: Path) -> None:
    with bench.warehouse.session() as session:
        told = validate(session, bench.syncs, DESTINATIONS, tmp_path)
    assert {one.way_out for one in told} == {"`karvon webflow schema --fresh` reads them"}


def test_coverage_tells_what_is_mapped_and_where_the_rows_are(bench: Bench, project: Path) -> None:
    bench.product("p1")
    bench.product("p2", hold_reasons="not ready")
    bench.run()
    with bench.warehouse.session() as session:
        found = {one.sync: one for one in coverage(session, bench.syncs)}
    products = found["webflow__products"]
    assert (products.collection, products.rows, products.not_ready, products.in_shop) == ("product", 2, 1, 1)
    assert "material" in products.unmapped
    assert "brand" in products.mapped
