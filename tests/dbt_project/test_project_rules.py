"""Rules about the project itself, read from its manifest."""

from __future__ import annotations

import re
from typing import Any

import pytest
from dbt_build import Build

# The manifest is the same on both engines.
pytestmark = pytest.mark.parametrize("project", ["duckdb"], indirect=True, scope="module")
SYNC_KEYS = {"destination", "connection", "key", "mode", "guards"}
SHOP_KEYS = {"match", "on_removal", "publish"}


@pytest.fixture(scope="module")
def manifest(project: Build) -> dict[str, Any]:
    project.dbt("parse", "--warn-error", "--show-all-deprecations")
    return project.manifest()


def models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


def test_no_sync_reads_what_a_sync_wrote(manifest: dict[str, Any]) -> None:
    sources = {source["source_name"] for source in manifest["sources"].values()}
    assert sources == {
        "raw_plytix",
        "raw_webflow",
        "raw_uzum",
        "raw_uzex",
        "raw_user_apis",
        "restricted",
        "reverse_etl",
        "staging",
    }
    waiting = [node["unique_id"] for node in models(manifest) if node["schema"] == "activation"]
    above: set[str] = set()
    while waiting:
        current = waiting.pop()
        above.add(current)
        waiting += [parent for parent in manifest["parent_map"].get(current, ()) if parent not in above]
    assert not [name for name in above if name.startswith("source.karvon.reverse_etl.")]


def test_models_about_runs_are_views_and_go_through_the_source(manifest: dict[str, Any]) -> None:
    for node in models(manifest):
        reads = [name for name in node["depends_on"]["nodes"] if ".reverse_etl." in name]
        if reads:
            assert node["config"]["materialized"] == "view", node["name"]
        assert "reverse_etl." not in node["raw_code"], node["name"]


def test_names_of_unit_tests_fit_postgres(manifest: dict[str, Any]) -> None:
    """dbt makes a relation of each, and no name of Postgres is longer."""
    assert manifest["unit_tests"]
    assert [one["name"] for one in manifest["unit_tests"].values() if len(one["name"]) > 63] == []


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    nodes = [*models(manifest), *manifest["sources"].values()]
    nodes += [node for node in manifest["nodes"].values() if node["resource_type"] == "seed"]
    silent = [
        f"{node['name']}.{name}"
        for node in nodes
        for name, text in [
            ("", node["description"]),
            *((c["name"], c["description"]) for c in node["columns"].values()),
        ]
        if not text
    ]
    assert silent == []
    assert [node["name"] for node in nodes if not node["columns"]] == []


def test_marts_and_activation_have_contracts_and_staging_is_incremental(manifest: dict[str, Any]) -> None:
    for node in models(manifest):
        layer = node["schema"]
        assert node["config"]["contract"]["enforced"] is (layer in ("marts", "activation")), node["name"]
        if layer == "staging":
            assert node["config"]["materialized"] == "incremental", node["name"]
            assert node["config"]["unique_key"], node["name"]


def test_each_activation_model_is_a_sync_with_an_exposure(manifest: dict[str, Any]) -> None:
    exposed = {
        name for exposure in manifest["exposures"].values() for name in exposure["depends_on"]["nodes"]
    }
    for node in models(manifest):
        if node["schema"] != "activation" or "market" in node["tags"]:
            continue
        sync = node["config"]["meta"]["sync"]
        is_shop = sync["destination"].startswith("webflow")
        assert sync.keys() >= SYNC_KEYS | (SHOP_KEYS if is_shop else set())
        if is_shop:
            assert ("collection" if sync["destination"] == "webflow_cms" else "resource") in sync
        assert node["unique_id"] in exposed
        named = {sync["key"], sync.get("held", sync["key"])}
        for column in node["columns"].values():
            meta = column["config"].get("meta", {})
            named |= {meta[option] for option in ("currency", "alt") if option in meta}
        assert named <= set(node["columns"])


def test_what_the_market_sends_is_ready_to_be_switched_on(manifest: dict[str, Any]) -> None:
    exposed = {
        name for exposure in manifest["exposures"].values() for name in exposure["depends_on"]["nodes"]
    }
    sent = [node for node in models(manifest) if node["schema"] == "activation" and "market" in node["tags"]]
    assert len(sent) == 7
    for node in sent:
        sync = node["config"]["meta"]["planned_sync"]
        assert sync["destination"] in ("webhook", "files")
        assert sync["enabled"] is False
        assert sync["key"] in node["columns"]
        assert node["unique_id"] in exposed


def test_what_staging_finds_wrong_is_recorded(manifest: dict[str, Any]) -> None:
    """A new model needs the column `rejects`, which `unpack` makes (macros/rejects.sql)."""
    own = {"stg_uzum__visits", "stg_uzum__revisits"}
    for node in models(manifest):
        if node["schema"] == "staging" and "user_apis" not in node["path"] and node["name"] not in own:
            assert "rejects" in node["columns"], node["name"]


def test_what_others_wrote_stops_no_build(manifest: dict[str, Any]) -> None:
    """Error severity in staging is for what the models themselves promise: keys, made unique by rule."""
    promised = {"is_key", "is_key_among_new", "is_unique_together"}
    for node in manifest["nodes"].values():
        if node["resource_type"] != "test" or node["config"]["severity"].lower() == "warn":
            continue
        if "/staging/" in node["original_file_path"]:
            # The publication is a word of our own.
            is_ours = node["name"].startswith("accepted_values_stg_webflow__collection_items_publication")
            assert is_ours or node["test_metadata"]["name"] in promised, node["name"]


def test_only_the_market_selector_builds_market_models(manifest: dict[str, Any]) -> None:
    folders = ("staging/uzum", "staging/uzex", "marts/market", "marts/procurement", "activation/market")
    for node in models(manifest):
        assert ("market" in node["tags"]) is node["path"].startswith(folders), node["name"]


SMALL = ("block.number * 1000", "cohorts.cohort_month)) * 12", "0.9 * count(*)", "'.parent' * level",
         "* case when is_minus then -1 else 1 end")  # fmt: skip
"""Products of whole numbers that stay small, of a constant and a count, of a sign, and of Jinja's own."""
CHANCES = "crawl_priorities.sql"
"""It has rates and chances, in floating point."""
OPERATION = re.compile(
    r"""[\w)\]}"']\s+(?P<sign>[*/])\s+(?P<right>[\w({]+)|\b[a-z_]\w*(?P<tight>[*/])[a-z_]\w*[._ ]"""
)
NO_ARITHMETIC = re.compile(
    r"\{#.*?#\}|--[^\n]*|\bselect( distinct on \([^)]*\))?\s+\*|\bcount\(\*\)|as double precision\)\s*[/*]",
    re.DOTALL,
)


def bare_arithmetic(sql: str) -> list[str]:
    """Products and quotients of columns, Jinja's strings included; a quotient by a constant never grows."""
    for allowed in SMALL:
        sql = sql.replace(allowed, "")
    found = OPERATION.finditer(NO_ARITHMETIC.sub(" ", sql))
    return [one[0] for one in found if one["sign"] != "/" or not one["right"].isdigit()]


BARE = (
    "select price * quantity from items",
    "select {{ money('price * quantity') }}",
    "select a.price*b.quantity",
    "select price / nullif(quantity, 0)",
    "select (price + 1) * ({{ product('a', 'b') }})",
    "select price * 1.3",
)


def test_columns_are_multiplied_and_divided_by_the_wide_macros_alone(project: Build) -> None:
    """18 digits overflow on DuckDB: a price of 10^8 times a quantity of 10^7 did."""
    assert all(bare_arithmetic(sql) for sql in BARE)
    files = [*project.project.glob("models/**/*.sql"), *project.project.glob("macros/*.sql")]
    assert len(files) > 100
    bare = {
        str(file.relative_to(project.project)): found
        for file in files
        if file.name not in ("arithmetic.sql", CHANCES) and (found := bare_arithmetic(file.read_text()))
    }
    assert bare == {}
