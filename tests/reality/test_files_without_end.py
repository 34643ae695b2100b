"""A file that would hang, exhaust or crash who reads it is named by everything that reads what people write."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from karvon.connections import plytix_connections
from karvon.settings import Settings, SettingsError, load_settings
from orchestration import dbt
from orchestration.cli import sources
from orchestration.cli.webflow.mapping import import_command
from pipelines.sources.user_apis.registry import read_registry
from reverse_etl.spec.problems import MappingProblem
from reverse_etl.spec.yaml_places import CannotEdit, with_line, with_mapping

_SECONDS = 3.0
_LETTERS = "abcdefghi"
_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 9)}]\n" for before, here in itertools.pairwise(_LETTERS)
)
_CONTENTS = {
    "nested without end": b"a: " + b"[" * 100_000,
    "a bomb of aliases": _BOMB.encode(),
    "an alias of itself": b"a: &a [*a]\n",
    "larger than anybody writes": b"# so much\n" * 100_000,
    "of another encoding": "name: Пиёла\n".encode("cp1251"),
    "with a day that is none": b"on: 2026-13-45\n",
    "not YAML": b"a: [1\nb: {",
}
_HOSTILE = (*_CONTENTS, "a pipe", "a link to nothing", "a folder")


def _hostile(path: Path, kind: str) -> None:
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a link to nothing":
        path.symlink_to(path.with_name("nowhere"))
    elif kind == "a folder":
        path.mkdir()
    else:
        path.write_bytes(_CONTENTS[kind])


def _connections(folder: Path, path: Path) -> str:
    settings = Settings(
        _env_file=None, KARVON_HOME=folder, KARVON_PROFILE="live", KARVON_CONNECTIONS_FILE=path
    )  # type: ignore[call-arg]
    with pytest.raises(SettingsError) as told:
        plytix_connections(settings)
    return str(told.value)


def _source_of_a_user(folder: Path, _: Path) -> str:
    return " ".join(f"{one.file} {one.message}" for one in read_registry(folder).problems)


def _dbt_project(folder: Path, _: Path) -> str:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dbt, "PROJECT", folder)
        with pytest.raises(dbt.DbtError) as told:
            dbt.check_written()
    return str(told.value)


def _line_of_a_mapping(folder: Path, path: Path) -> str:
    problem = MappingProblem("goods", path.name, "name", "is wrong", "mend it")
    assert with_line(problem, folder) == problem
    return path.name


@pytest.mark.parametrize("kind", _HOSTILE)
@pytest.mark.parametrize("read", [_connections, _source_of_a_user, _dbt_project, _line_of_a_mapping])
def test_who_reads_it_names_it_at_once(tmp_path: Path, kind: str, read: Callable[[Path, Path], str]) -> None:
    path = tmp_path / "written.yml"
    _hostile(path, kind)
    began = time.process_time()
    assert "written.yml" in read(tmp_path, path)
    assert time.process_time() - began < _SECONDS


@pytest.mark.parametrize("kind", _CONTENTS)
def test_a_model_is_not_edited_in_it(kind: str) -> None:
    text = _CONTENTS[kind].decode("latin-1")
    with pytest.raises(CannotEdit):
        with_mapping(f"{text}\nmodels: []\n", "goods", {"title": {"field": "name"}})


@pytest.mark.parametrize("name", ["schema.yaml", "goods.sql", "days.csv"])
def test_a_pipe_is_no_file_of_the_dbt_project_and_a_change_of_any_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(dbt, "PROJECT", tmp_path)
    (tmp_path / name).write_text("a")
    before = dbt._project_hash()
    (tmp_path / name).write_text("b")
    assert dbt._project_hash() != before
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    with pytest.raises(dbt.DbtError, match=f"{name}.* no file"):
        dbt.check_written()
    assert dbt._project_hash()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"syncs": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'"' + b"x" * 5_000_000 + b'"',
        b"\xff\xfe",
        b"",
    ],
)
def test_a_document_of_mappings_is_read_within_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    settings = SimpleNamespace(manifest_path=None)
    monkeypatch.setattr("orchestration.cli.webflow.mapping.project_syncs", lambda: (settings, None, []))
    file = tmp_path / "mapping.json"
    file.write_bytes(content)
    done = CliRunner().invoke(import_command, [str(file), "--dry-run"])
    assert done.exit_code == 1
    assert "mapping.json" in done.output


@pytest.mark.parametrize(
    "content", ["currency,exponent\nUSD,two\n", "currency\nUSD\n", "a,b\n1,2\n", "\udce9"]
)
def test_a_seed_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    seed = tmp_path / "dbt_project" / "seeds" / "currencies.csv"
    seed.parent.mkdir(parents=True)
    seed.write_bytes(content.encode("utf-8", "surrogateescape"))
    monkeypatch.setattr(sources, "PROJECT_ROOT", tmp_path)
    with pytest.raises(sources.click.ClickException, match=r"currencies\.csv"):
        sources._currency_digits()


def test_a_secret_and_an_env_file_of_another_encoding_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "SHOP_KEY").write_bytes(b"\xff\xfe\x00")
    settings = Settings(_env_file=None, KARVON_HOME=tmp_path, KARVON_SECRETS_DIR=tmp_path)  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match="SHOP_KEY"):
        settings.variable("SHOP_KEY")
    dotenv = tmp_path / "no.env"
    dotenv.write_bytes(b"KARVON_PROFILE=\xe9\n")
    monkeypatch.setitem(Settings.model_config, "env_file", dotenv)
    monkeypatch.setattr("karvon.settings.DOTENV", dotenv)
    with pytest.raises(SettingsError, match="UTF-8"):
        load_settings()
