"""What people write, damaged at random: each parser says what is wrong, at once, and nobody else is touched."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from activation_models import manifest_of
from click.testing import CliRunner
from mutations import texts, trees

from karvon.connections import files_connections, plytix_connections, webflow_connections, webhook_names
from karvon.settings import Settings, SettingsError
from orchestration.cli import cli
from pipelines.sources.user_apis.registry import read_registry
from reverse_etl.spec.manifest import SyncError, read_syncs
from sandbox.plytix.catalogue_file import CatalogueError, read_rows

_SECONDS = 2.0
_GOOD = b"""\
user_id: dilnoza
source_id: shop
base_url: https://shop.example/api
auth: {type: bearer, token: "${DILNOZA_TOKEN}"}
rate_limit: {requests: 5, seconds: 1}
resources:
  - name: orders
    path: orders
    params: {limit: 50}
    data_path: data.rows
    paginator: {type: cursor, cursor_path: next, cursor_param: after}
    incremental: {cursor: updated_at, param: since}
    key: id
    entity: order
    fields:
      ordered_at: created_at
      status: {path: state, map: {done: paid, void: cancelled}}
      gross_amount: total
      currency: currency
      email: buyer.email
"""
_CONNECTIONS = b"""\
plytix:
  default: {api_key: PLYTIX_API_KEY, api_password: PLYTIX_API_PASSWORD}
  second: {api_key: SECOND_KEY, api_password: SECOND_PASSWORD}
webflow:
  default: {api_token: WEBFLOW_API_TOKEN, site_id: WEBFLOW_SITE_ID}
webhook:
  slack: {secret: SLACK_SECRET}
"""
_CATALOGUE = '''\
sku;name;price;stock;description;parent sku;size;image;status
CUP-1;Пиёла;12.50;4;"Small; with ""handle""";;;https://img.example/1.png;Completed
TEE;Футболка;20;;<p>Soft</p>;;;https://img.example/2.png;Completed
TEE-M;Футболка M;20;7;;TEE;M;https://img.example/2.png;Completed
00123;Bolt;1,20;100;;;;;Draft
'''.encode()

pytestmark = pytest.mark.parametrize("count", [40, pytest.param(1000, marks=pytest.mark.slow)])


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for variable in ("KARVON_HOME", "KARVON_CONNECTIONS_FILE"):
        monkeypatch.delenv(variable, raising=False)
    return Settings(
        _env_file=None, KARVON_HOME=tmp_path, KARVON_PROFILE="live",
        KARVON_CONNECTIONS_FILE=tmp_path / "connections.yml",
    )  # type: ignore[call-arg]  # fmt: skip


def _at_once(read: Callable[[], Any], *said: type[Exception]) -> None:
    """Reads or says what is wrong in a sentence; nothing else, and in no time."""
    began = time.process_time()
    try:
        read()
    except said as error:
        sentence = str(error)
    else:
        sentence = "read"
    assert sentence.strip()
    assert "Traceback" not in sentence
    assert time.process_time() - began < _SECONDS


def _yaml_forms(original: bytes, count: int, seed: int) -> Iterator[bytes]:
    yield from texts(original, count // 2, seed)
    for tree in trees(yaml.safe_load(original), count - count // 2, seed):
        yield yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")


def _is_a_column(written: Any) -> bool:
    config = written.get("config", {}) if isinstance(written, dict) else None
    return isinstance(config, dict) and isinstance(config.get("meta", {}), dict)


def test_a_damaged_source_is_a_problem_of_its_file_alone(tmp_path: Path, count: int) -> None:
    (tmp_path / "healthy.yml").write_bytes(_GOOD.replace(b"dilnoza", b"bek").replace(b"DILNOZA", b"BEK"))
    for text in _yaml_forms(_GOOD, count, seed=1):
        (tmp_path / "damaged.yml").write_bytes(text)
        began = time.process_time()
        registry = read_registry(tmp_path)
        assert time.process_time() - began < _SECONDS
        assert "bek/shop" in {source.connection for source in registry.sources}, text
        assert {problem.file for problem in registry.problems} <= {"damaged.yml", "healthy.yml"}
        assert len(registry.sources) == 2 or registry.problems, text


def test_damaged_users_leave_the_sources_standing(tmp_path: Path, count: int) -> None:
    (tmp_path / "healthy.yml").write_bytes(_GOOD)
    users = b"users:\n  - {user_id: dilnoza, quotas: {rows_per_day: 1000}}\n"
    for text in _yaml_forms(users, count, seed=2):
        (tmp_path / "users.yml").write_bytes(text)
        registry = read_registry(tmp_path)
        assert [source.connection for source in registry.sources] == ["dilnoza/shop"], text


def test_damaged_connections_are_said_in_a_sentence(settings: Settings, count: int) -> None:
    for text in _yaml_forms(_CONNECTIONS, count, seed=3):
        settings.connections_file.write_bytes(text)
        for read in (plytix_connections, webflow_connections, files_connections, webhook_names):
            _at_once(lambda read=read: read(settings), SettingsError)  # type: ignore[misc]


def test_damaged_syncs_are_said_in_a_sentence(tmp_path: Path, count: int) -> None:
    path = tmp_path / "manifest.json"
    original = manifest_of()
    settings_of = [node["config"]["meta"] for node in original["nodes"].values()]
    columns_of = [node["columns"] for node in original["nodes"].values()]
    for written in (settings_of, columns_of):
        for tree in trees(written, count // 2, seed=4):
            manifest = manifest_of()
            if len(tree) != len(written):
                continue
            # A meta that is no mapping, and columns of another shape, dbt itself refuses.
            for node, part in zip(manifest["nodes"].values(), tree, strict=True):
                if written is settings_of and isinstance(part, dict):
                    node["config"]["meta"] = part
                elif isinstance(part, dict) and all(map(_is_a_column, part.values())):
                    node["columns"] = part
            path.write_text(json.dumps(manifest))
            _at_once(lambda: read_syncs(path, "sandbox"), SyncError)


def test_a_damaged_catalogue_is_said_in_a_sentence(tmp_path: Path, count: int) -> None:
    path = tmp_path / "catalogue.csv"
    products = json.dumps(
        [{"sku": "A", "name": "Cup", "price": 1.5, "variants": [{"sku": "A-1", "size": "S"}]}]
    )
    for text in [*texts(_CATALOGUE, count // 2, seed=5), *texts(products.encode(), count // 2, seed=6)]:
        path.write_bytes(text)
        _at_once(lambda: read_rows(path), CatalogueError)


def test_damaged_command_lines_end_with_a_status_and_a_sentence(
    tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KARVON_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KARVON_WAREHOUSE_URL", f"duckdb:///{tmp_path / 'home' / 'warehouse.duckdb'}")
    monkeypatch.setenv("KARVON_SANDBOX_PORT", "1")
    lines = [
        ["plan", "show", "20260101-000000"], ["explain", "SKU-1", "--sync", "webflow__skus"], ["history"],
        ["errors", "--sync", "webflow__skus"], ["approve", "webflow__skus", "SKU-1"], ["counts"], ["status", "--json"],
        ["metrics", "dilnoza", "--days", "3"], ["forget", "--email", "a@b.example"], ["sources", "test", "x"],
        ["undo", "20260101-000000"], ["restore", "nowhere"], ["webflow", "mapping", "import", "nowhere.json"],
    ]  # fmt: skip
    for words in trees(lines, count // 2, seed=7):
        for line in [line for line in words if isinstance(line, list)][:1]:
            given = [str(word).replace("\x00", "") for word in line]
            result = CliRunner().invoke(cli, given, input="")
            odd = result.exception
            assert odd is None or isinstance(odd, SystemExit), (given, odd)
