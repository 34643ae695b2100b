"""`karvon webflow` as a user runs it, on a project and a warehouse of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from kept_warehouse import Profile

from karvon.settings import PROJECT_ROOT
from karvon.warehouse import Warehouse
from orchestration.dbt import Stale
from sandbox.webflow.cms_collections import CMS_COLLECTIONS
from sandbox.webflow.schema import COLLECTIONS, made_collection, new_collection

_SITE = "5f0c8c9e1c9d440000a1b2c3"
_YAML = "models/activation/webflow/_webflow__models.yml"
_ATTRIBUTES = (
    ("care_notes", "Care notes", "MultilineAttribute", []),
    ("dimension_width_mm", "Width (mm)", "DecimalAttribute", []),
    ("editorial_story", "Post body", "HtmlAttribute", []),
    ("gallery", "Gallery", "MediaGalleryAttribute", []),
    ("kind", "Kind", "DropdownAttribute", ["News", "Guide"]),
    ("main_image", "Main image", "MediaAttribute", []),
    ("manual", "Attachment", "MediaAttribute", []),
    ("reading_minutes", "Reading minutes", "TextAttribute", []),
)
_VALUES = (("main_image", "a1"), ("gallery", "a1, a2"), ("manual", "a3"), ("care_notes", "By hand"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("webflow")


@pytest.fixture(scope="module")
def profile(folder: Path) -> Iterator[Profile]:
    """An installation with a copy of the dbt project, the fields of a shop, and a few rows, all made by hand."""
    shutil.copytree(
        PROJECT_ROOT / "dbt_project", folder / "dbt_project", ignore=shutil.ignore_patterns("target", "logs")
    )
    made = Profile(folder / "home", f"duckdb:///{folder / 'warehouse.duckdb'}")
    _land_shop(made.warehouse)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestration.dbt.PROJECT", folder / "dbt_project")
        assert made.karvon("webflow", "info").exit_code == 0
        _fill_models(made)
        yield made


def _land_shop(warehouse: Warehouse) -> None:
    now = datetime.now(UTC)
    collections = [
        *(new_collection(_SITE, slug, now.isoformat()) for slug in COLLECTIONS),
        *(made_collection(_SITE, one, now.isoformat()) for one in CMS_COLLECTIONS),
    ]
    rows = [
        {"connection": "default", "document_key": one["id"], "document": json.dumps(one), "document_hash": one["slug"],
         "landed_at": now, "is_deleted": False, "_dlt_load_id": "1"}
        for one in collections
    ]  # fmt: skip
    with warehouse.session() as session:
        session.execute("CREATE SCHEMA raw_webflow")
        session.execute(
            "CREATE TABLE raw_webflow.collections (connection text, document_key text, document json, "
            "document_hash text, landed_at timestamptz, is_deleted boolean, _dlt_load_id text)"
        )
        session.append("raw_webflow.collections", pa.Table.from_pylist(rows))


def _fill_models(profile: Profile) -> None:
    manifest = json.loads((profile.home / "sandbox" / "dbt" / "manifest.json").read_text())
    with profile.warehouse.session() as session:
        session.execute("CREATE SCHEMA activation")
        for node in manifest["nodes"].values():
            if node["resource_type"] == "model" and node["schema"] == "activation":
                columns = ", ".join(f"{one['name']} {one['data_type']}" for one in node["columns"].values())
                session.execute(f"CREATE TABLE activation.{node['name']} ({columns})")
        session.execute(
            "INSERT INTO activation.webflow__products "
            "(product_key, name, slug, brand, category_keys, sku_properties, is_shippable, tax_category) "
            "VALUES ('p1', 'Kettle', 'kettle', 'Atlas', '[]', '[]', true, 'standard-taxable')"
        )
        session.execute(
            "INSERT INTO activation.webflow__skus (sku_key, product_key, is_default, position, name, slug, sku_code, "
            "price_minor, currency, sku_values, more_image_urls) "
            "VALUES ('s1', 'p1', true, 1, 'Kettle', 'kettle-1', 'K-1', 2499, 'USD', '{}', '[]')"
        )


def _said(profile: Profile, *arguments: str, status: int = 0, answer: str = "") -> str:
    done = profile.karvon("webflow", *arguments, answer=answer)
    assert done.exit_code == status, done.output + str(done.exception)
    return str(done.output)


def _json(profile: Profile, *arguments: str, status: int = 0) -> Any:
    done = profile.karvon("webflow", *arguments, "--json")
    assert done.exit_code == status, done.output + str(done.exception)
    return json.loads(done.stdout)


@pytest.fixture
def file(folder: Path) -> Iterator[Path]:
    """The YAML of the shipped syncs, put back afterwards."""
    path = folder / "dbt_project" / _YAML
    before = path.read_text()
    yield path
    path.write_text(before)


def test_the_schema_is_shown_for_people_and_for_programs(profile: Profile) -> None:
    said = _said(profile, "schema", "posts")
    for words in (
        "Posts (posts",
        "post-summary",
        "maxLength 500",
        "singleLine false",
        "News (",
        "text/option",
    ):
        assert words in said
    (posts,) = _json(profile, "schema", "posts")
    assert {one["slug"]: one["type"] for one in posts["fields"]}["about-category"] == "Reference"
    assert len(_json(profile, "schema")) == len(COLLECTIONS) + len(CMS_COLLECTIONS)
    assert "There is no collection nothing" in _said(profile, "schema", "nothing", status=1)
    assert "add --fresh" in _said(profile, "schema", "--connection", "another", status=1)
    assert len(_json(profile, "field-types")) == 17


def test_info_and_estimate_tell_what_is_mapped_and_what_it_would_cost(profile: Profile) -> None:
    found = {one["sync"]: one for one in _json(profile, "info")}
    assert (found["webflow__products"]["rows"], found["webflow__products"]["in_shop"]) == (1, 0)
    assert "width" in found["webflow__skus"]["unmapped"]
    assert _json(profile, "estimate", "--as-new")["items"] == 2
    # The product with its SKU, and its stock: looked up, and said to be none, as nobody stated any.
    assert "3 requests" in _said(profile, "estimate", "--as-new")


def test_a_preview_shows_the_request_and_tries_another_value(profile: Profile) -> None:
    made = _json(profile, "preview", "K-1")
    # The tables are written by hand: what dbt would make of the project is another thing.
    for command in (["webflow", "preview", "K-1"], ["webflow", "estimate"], ["explain", "K-1"]):
        assert profile.karvon(*command).stderr.startswith("Of old tables, not built: "), command
    with profile.warehouse.session() as session:
        session.execute(
            "INSERT INTO staging.built_models (model, problem) VALUES "
            "('model.karvon.products', 'a column is missing'), ('model.karvon.sku_prices', 'it reads products')"
        )
    assert "above these rows: products (a column is missing), " in profile.karvon("explain", "K-1").stderr
    request, *others = made["requests"]
    stock = next(one for one in others if one["method"] == "PATCH")
    assert stock["body"] == {"inventoryType": "finite", "quantity": 0}
    assert (request["method"], request["path"]) == ("POST", f"/sites/{_SITE}/products")
    assert request["body"]["sku"]["fieldData"]["price"] == {"value": 2499, "unit": "USD"}
    tried = _json(profile, "preview", "K-1", "--set", "brand=Northway", "--set", "price_minor=100")
    body = tried["requests"][0]["body"]
    assert body["product"]["fieldData"]["brand"] == "Northway"
    assert body["sku"]["fieldData"]["price"]["value"] == 100
    assert list(_json(profile, "preview", "--sample", "1")) == ["p1"]
    assert f"POST /sites/{_SITE}/products" in _said(profile, "preview", "p1")
    assert "No sync has a row with the key" in _said(profile, "preview", "nobody", status=1)
    assert "webflow__categories.name, webflow__looks.name" in _said(
        profile, "preview", "p1", "--set", "name=x", status=1
    )
    assert profile.karvon("webflow", "preview").exit_code == 2


@pytest.fixture
def catalogue(profile: Profile) -> Profile:
    """Attributes, assets and values as staging and marts hold them."""
    with profile.warehouse.session() as session:
        for statement in (
            "CREATE SCHEMA IF NOT EXISTS staging",
            "CREATE SCHEMA IF NOT EXISTS marts",
            "CREATE OR REPLACE TABLE staging.stg_plytix__attributes "
            "(attribute_label text, name text, type_class text, options json, is_deleted boolean)",
            "CREATE OR REPLACE TABLE staging.stg_plytix__assets (asset_id text, content_type text)",
            "CREATE OR REPLACE TABLE marts.product_attributes (attribute_label text, value_text text)",
            "INSERT INTO staging.stg_plytix__assets VALUES ('a1', 'image/png'), ('a2', 'image/png'), "
            "('a3', 'application/pdf')",
        ):
            session.execute(statement)
        for label, name, kind, options in _ATTRIBUTES:
            session.execute(
                "INSERT INTO staging.stg_plytix__attributes VALUES ($1, $2, $3, $4, false)",
                (label, name, kind, json.dumps(options)),
            )
        for label, value in _VALUES:
            session.execute("INSERT INTO marts.product_attributes VALUES ($1, $2)", (label, value))
    return profile


def _matches(found: Mapping[str, Any]) -> dict[str, str]:
    return {one["field"]["slug"]: one["attribute"]["label"] for one in found["matches"]}


def test_pictures_are_discovered_in_the_data(catalogue: Profile) -> None:
    found = {one["label"]: (one["images"], one["files"]) for one in _json(catalogue, "discover-images")}
    assert found == {"main_image": (1, 0), "gallery": (1, 0), "manual": (0, 1)}


def test_a_scaffold_matches_by_name_and_type_and_lists_the_rest_on_both_sides(catalogue: Profile) -> None:
    posts = _json(catalogue, "scaffold", "posts", "--dry-run")["collections"]["posts"]
    assert _matches(posts) == {
        "post-body": "editorial_story", "main-image": "main_image", "gallery": "gallery", "attachment": "manual",
        "kind": "kind",
    }  # fmt: skip
    fields = {one["name"]: one["reason"] for one in posts["fields"]}
    assert fields["reading-minutes"] == "reading_minutes is Text"
    assert "about-category" in fields
    assert {one["name"] for one in posts["attributes"]} == {
        "care_notes",
        "dimension_width_mm",
        "reading_minutes",
    }
    collections = _json(catalogue, "scaffold", "products", "--dry-run")["collections"]
    assert _matches(collections["sku"]) == {"width": "dimension_width_mm"}
    assert "choose products, brands, looks, posts" in _said(catalogue, "scaffold", "sku", status=1)


def test_a_scaffold_writes_files_that_parse_and_overwrites_none(catalogue: Profile, folder: Path) -> None:
    models = folder / "dbt_project/models/activation/webflow"
    said = _said(catalogue, "scaffold", "products", "--prefix", "mine")
    written = [models / name for name in ("mine__products.sql", "mine__skus.sql", "_mine__products.yml")]
    try:
        assert all(path.exists() for path in written)
        assert "Two syncs must not feed the same products" in said
        assert "is there already" in _said(catalogue, "scaffold", "products", "--prefix", "mine", status=1)
        written[1].write_text("edited")
        _said(catalogue, "scaffold", "products", "--prefix", "mine", "--force")
        assert "own.dimension_width_mm" in written[1].read_text()
        found = {one["sync"]: one for one in _json(catalogue, "info")}
        assert "width" in found["mine__skus"]["mapped"]
        assert found["mine__products"]["collection"] == "product"
    finally:
        for path in written:
            path.unlink()


def test_a_mapping_goes_out_and_comes_back_with_comments_kept(
    profile: Profile, file: Path, tmp_path: Path
) -> None:
    text = file.read_text()
    exported = tmp_path / "mapping.json"
    assert "Wrote 6 syncs" in _said(profile, "mapping", "export", "--to", str(exported))
    assert "0 changes" in _said(profile, "mapping", "import", str(exported))
    document = json.loads(exported.read_text())
    products = next(one for one in document["syncs"] if one["name"] == "webflow__products")["columns"]
    products["seo_title"]["policy"] = "keep"
    exported.write_text(json.dumps(document))
    assert "seo-title → field: seo-title, policy: keep" in _said(
        profile, "mapping", "import", str(exported), "--dry-run"
    )
    assert profile.karvon("webflow", "mapping", "import", str(exported), answer="n\n").exit_code == 1
    assert file.read_text() == text
    _said(profile, "mapping", "import", str(exported), "--yes")
    assert file.read_text() == text.replace("{field: seo-title}", "{field: seo-title, policy: keep}")
    products["seo_title"]["field"] = "seo-titel"
    exported.write_text(json.dumps(document))
    assert "did you mean seo-title" in _said(profile, "mapping", "import", str(exported), "--yes", status=1)
    exported.write_text("{")
    assert "is not JSON" in _said(profile, "mapping", "import", str(exported), status=1)


def test_validation_names_file_and_line_and_the_plan_refuses_too(
    profile: Profile, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tables are written by hand, no model is built.
    monkeypatch.setattr("orchestration.built.stale_above", lambda *_: Stale((), False))
    assert "6 syncs, 0 problems" in _said(profile, "validate")
    text = file.read_text().replace("{field: brand}", "{field: marke}")
    file.write_text(text)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "marke" in one)
    (problem,) = _json(profile, "validate", status=1)
    assert (problem["file"], problem["line"], problem["column"]) == (_YAML, line, "brand")
    assert f"{_YAML}:{line}, model webflow__products, field marke" in _said(profile, "validate", status=1)
    assert "field marke: the collection product has no field" in profile.karvon("plan").output
