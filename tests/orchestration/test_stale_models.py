"""Which models a run builds: a small dbt project that changes, fails and gets news."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from karvon.settings import PROJECT_ROOT, Settings, load_settings
from karvon.warehouse import Warehouse
from orchestration import build_outcome, built_models, dbt
from orchestration.cli import cli

PROJECT_FILE = """
name: karvon
profile: karvon
model-paths: [models]
models: {karvon: {+materialized: table, +schema: marts}}
"""
MODELS = {
    "stg_goods.sql": "{{ config(materialized='incremental') }} "
    "select document_key as id from {{ source('raw_shop', 'goods') }}",
    "goods.sql": "select * from {{ ref('stg_goods') }}",
    "prices.sql": "select 1 as id",
    "_models.yml": """
sources: [{name: raw_shop, tables: [{name: goods}]}]
models:
  - name: prices
    columns: [{name: id, data_tests: [not_null]}]
  - {name: dear_prices}
""",
    "dear_prices.sql": "select * from {{ ref('prices') }}",
}
Build = Callable[[], set[str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "dbt_project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(PROJECT_FILE)
    (folder / "profiles.yml").write_text((PROJECT_ROOT / "dbt_project" / "profiles.yml").read_text())
    (folder / "macros").mkdir()
    (folder / "macros" / "schema.sql").write_text(
        "{% macro generate_schema_name(name, node) %}{{ name }}{% endmacro %}"
    )
    for name, text in MODELS.items():
        (folder / "models" / name).write_text(text)
    monkeypatch.setattr(dbt, "PROJECT", folder)
    monkeypatch.setenv("KARVON_HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def settings(project: Path) -> Settings:
    return load_settings()


@pytest.fixture
def shop(settings: Settings) -> Warehouse:
    warehouse = Warehouse(settings.warehouse_url)
    with warehouse.session() as session:
        session.execute("CREATE SCHEMA raw_shop")
        session.execute("CREATE TABLE raw_shop.goods (document_key text, _dlt_load_id text)")
    return warehouse


def names(stale: dbt.Stale) -> set[str]:
    return {model.rsplit(".", 1)[-1] for model in stale.models}


def stale(settings: Settings, warehouse: Warehouse) -> set[str]:
    return names(dbt.stale_models(dbt.read_manifest(settings, warehouse), warehouse))


@pytest.fixture
def build(settings: Settings, shop: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Build:
    # dbt finds its profile beside the project that is built here.
    environment = {
        **settings.environment_for_children(),
        "DBT_PROFILES_DIR": str(dbt.PROJECT),
        "PATH": "/usr/bin:/bin",
    }
    monkeypatch.setattr(dbt, "child_environment", lambda _: environment)

    def run() -> set[str]:
        manifest = dbt.read_manifest(settings, shop)
        wanted = dbt.stale_models(manifest, shop)
        for _ in dbt.build(settings, shop, manifest, wanted):
            pass
        return names(wanted)

    return run


def change(project: Path, name: str, pattern: str, text: str) -> None:
    path = project / "models" / name
    path.write_text(re.sub(pattern, text, path.read_text()))


def execute(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.session() as session:
        for statement in statements:
            session.execute(statement)


def test_only_what_changed_and_what_is_below_it_is_stale(
    project: Path, settings: Settings, shop: Warehouse, build: Build
) -> None:
    assert build() == {"stg_goods", "goods", "prices", "dear_prices"}
    assert stale(settings, shop) == set()
    change(project, "prices.sql", "1 as id", "2 as id")
    assert stale(settings, shop) == {"prices", "dear_prices"}
    assert build() == {"prices", "dear_prices"}
    execute(shop, "DROP TABLE marts.dear_prices")
    assert stale(settings, shop) == {"dear_prices"}


def test_a_model_with_unread_loads_is_stale_until_it_has_taken_them_in(
    settings: Settings, shop: Warehouse, build: Build
) -> None:
    build()
    execute(shop, "INSERT INTO raw_shop.goods VALUES ('a', '1.0'), ('b', '1.0')")
    assert stale(settings, shop) == {"stg_goods", "goods"}
    # What the project's hooks write: a load that dlt may still be committing, seen with two rows.
    execute(shop, "INSERT INTO staging.pending_loads VALUES ('stg_goods', '1.0', false, 2)")
    assert stale(settings, shop) == set()
    execute(shop, "INSERT INTO raw_shop.goods VALUES ('c', '1.0')")
    assert stale(settings, shop) == {"stg_goods", "goods"}
    execute(shop, "INSERT INTO staging.processed_loads VALUES ('stg_goods', '1.0')")
    assert stale(settings, shop) == set()


def test_rows_of_tables_are_counted_and_views_are_not_computed_for_it(
    project: Path, shop: Warehouse, build: Build
) -> None:
    view = "{{ config(materialized='view') }} select * from {{ ref('prices') }}"
    (project / "models" / "dear_prices.sql").write_text(view)
    build()
    counts = {name.rsplit(".", 1)[-1]: rows for name, rows in built_models.row_counts(shop).items()}
    assert counts == {"stg_goods": 0, "goods": 0, "prices": 1}


def test_a_failed_test_leaves_its_model_and_what_is_below_it_stale(
    project: Path, settings: Settings, shop: Warehouse, build: Build
) -> None:
    build()
    change(project, "prices.sql", "1 as id", "cast(null as bigint) as id")
    with pytest.raises(dbt.DbtError, match="not_null_prices_id"):
        build()
    assert stale(settings, shop) == {"prices", "dear_prices"}
    change(project, "prices.sql", r"cast\(null as bigint\)", "3")
    build()
    assert stale(settings, shop) == set()


def test_a_build_that_was_killed_is_taken_up_again(settings: Settings, shop: Warehouse, build: Build) -> None:
    build()
    manifest = dbt.read_manifest(settings, shop)
    everything = dbt.Stale(
        tuple(build_outcome.in_build_order(manifest, _models(manifest))), definitions_changed=False
    )
    killed = dbt.build(settings, shop, manifest, everything)
    next(killed)
    killed.close()
    assert stale(settings, shop) == {"stg_goods", "goods", "prices", "dear_prices"}


def _models(manifest: Any) -> list[str]:
    return [name for name, node in manifest["nodes"].items() if node["resource_type"] == "model"]


def test_a_project_that_does_not_parse_says_where(
    project: Path, settings: Settings, shop: Warehouse, build: Build
) -> None:
    change(project, "goods.sql", "stg_goods", "no_such_model")
    with pytest.raises(dbt.DbtError, match=r"(?s)does not parse.*no_such_model"):
        build()


@pytest.mark.parametrize("damage", [b"", b'{"metadata": {"adapter_type": "duckdb"', b"{}", b"\xff\x00\xfe"])
def test_a_damaged_manifest_is_made_anew(
    project: Path, settings: Settings, build: Build, shop: Warehouse, damage: bytes
) -> None:
    whole = dbt.read_manifest(settings, shop)
    settings.manifest_path.write_bytes(damage)
    # What dbt remembers for itself is no better.
    (settings.dbt_target_path / "partial_parse.msgpack").write_bytes(damage)
    assert dbt.read_manifest(settings, shop)["nodes"].keys() == whole["nodes"].keys()
    assert not list(settings.dbt_target_path.glob(".parse_*"))


def test_a_home_that_cannot_be_written_to_is_named(
    project: Path, settings: Settings, build: Build, shop: Warehouse
) -> None:
    settings.dbt_target_path.parent.mkdir(parents=True, exist_ok=True)
    settings.dbt_target_path.write_text("a file where the folder should be")
    with pytest.raises(dbt.DbtError, match=r"dbt cannot work in .*/dbt: .*KARVON_HOME must be a folder"):
        dbt.read_manifest(settings, shop)


def test_only_what_reads_a_broken_model_is_not_built_and_its_line_is_told(
    project: Path, settings: Settings, shop: Warehouse, build: Build
) -> None:
    (project / "models" / "goods.sql").write_text(
        "select\n    id,\n    colour\nfrom {{ ref('stg_goods') }}\n"
    )
    (project / "models" / "shelves.sql").write_text("select * from {{ ref('goods') }}")
    with pytest.raises(
        dbt.DbtError, match=r"(?s)^models/goods\.sql:3: .*colour.*Not built because of this: shelves"
    ):
        build()
    assert stale(settings, shop) == {"goods", "shelves"}
    problems = {name.rsplit(".", 1)[-1]: why for name, why in built_models.problems(shop).items()}
    assert problems["goods"].startswith("models/goods.sql:3: ")
    assert problems["shelves"].startswith("it reads goods, which is not built: models/goods.sql:3: ")
    change(project, "goods.sql", "    colour", "    id as colour")
    assert build() == {"goods", "shelves"}
    assert built_models.problems(shop) == {}


def test_a_part_is_built_with_what_it_reads_and_was_never_built(
    settings: Settings, shop: Warehouse, build: Build
) -> None:
    manifest = dbt.read_manifest(settings, shop)
    chosen = dbt.stale_models(manifest, shop, among=["model.karvon.goods"])
    assert names(chosen) == {"goods", "stg_goods"}
    with_reports = dbt.stale_models(
        manifest, shop, among=["model.karvon.goods"], read_by_others=["model.karvon.dear_prices"]
    )
    assert names(with_reports) == {"goods", "stg_goods", "prices", "dear_prices"}
    build()
    assert names(dbt.stale_models(manifest, shop, among=["model.karvon.goods"])) == set()


SYNC = """
sources: [{name: raw_shop, tables: [{name: goods}]}]
models:
  - name: prices
    config: {meta: {sync: {destination: files, key: id, mode: mirror, options: {format: csv}}}}
    columns:
      - {name: id, data_type: bigint, config: {meta: {field: id}}}
  - {name: dear_prices}
"""


def test_a_plan_of_edited_sql_names_the_models_that_are_not_built_and_build_builds_them(
    project: Path, settings: Settings, shop: Warehouse, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KARVON_WAREHOUSE_URL", settings.warehouse_url)

    def plan(*options: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli, ["plan", *options])
        return done.exit_code, done.output

    (project / "models" / "_models.yml").write_text(SYNC)
    status, said = plan()
    assert (status, "prices (models/prices.sql)" in said) == (1, True), said
    status, said = plan("--build")
    assert status == 2, said
    with shop.session() as session:
        assert not session.has_table("marts.goods"), "no sync reads it"
    # What no sync reads does not matter.
    change(project, "goods.sql", "select", "select distinct")
    assert plan()[0] == 2

    change(project, "prices.sql", "1 as id", "2 as id")
    before = execute_value(shop, "SELECT count(*) FROM reverse_etl.plans")
    status, said = plan()
    assert (status, "prices (models/prices.sql)" in said) == (1, True), said
    assert "goods" not in said
    assert "karvon plan --build" in said
    assert execute_value(shop, "SELECT count(*) FROM reverse_etl.plans") == before
    status, said = plan("--build")
    assert status == 2, said
    assert execute_value(shop, "SELECT max(id) FROM marts.prices") == 2
    assert plan()[0] == 2


def test_a_changed_macro_makes_every_model_stale(
    project: Path, settings: Settings, shop: Warehouse, build: Build
) -> None:
    build()
    (project / "macros" / "rounded.sql").write_text("{% macro rounded(it) %}round({{ it }}, 2){% endmacro %}")
    assert stale(settings, shop) == {"stg_goods", "goods", "prices", "dear_prices"}


def execute_value(warehouse: Warehouse, query: str) -> Any:
    with warehouse.session() as session:
        return session.value(query)
