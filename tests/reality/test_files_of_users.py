"""What users write into their files: nothing in one of them harms, stops or robs anybody else."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from karvon.settings import PROJECT_ROOT, SettingsError, load_settings
from karvon.variable_grants import granted_variables, own_variables
from pipelines.sources.user_apis.grants import Grants
from pipelines.sources.user_apis.registry import Registry, read_registry

_FILE = """user_id: {user}
source_id: {name}
base_url: https://{name}.example/v1
{more}resources:
  - {{name: rows, path: rows, key: id}}
"""


def _file(user: str, name: str, more: str = "") -> bytes:
    return _FILE.format(user=user, name=name, more=f"{more}\n" if more else "").encode()


def _names(registry: Registry) -> list[str]:
    return [source.connection for source in registry.sources]


def _bomb() -> bytes:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 10))
    return b"l0: &l0 [a, b, c]\n" + levels.encode() + _file("mara", "x")


_BROKEN: dict[str, tuple[bytes, str]] = {
    "a byte of Latin-1": (_file("mara", "x", "title: Müllers").decode().encode("latin-1"), ":4: is not UTF-8"),
    "UTF-16": (_file("mara", "x").decode().encode("utf-16"), "is not UTF-8"),
    "aliases that multiply": (_bomb(), "with its aliases followed"),
    "an alias to itself": (b"user_id: &a [*a]\n", "leads back to itself"),
    "nested lists": (b"user_id: " + b"[" * 3000 + b"]" * 3000, "nested deeper than"),
    "nested lists never closed": (b"user_id: " + b"[" * 90_000, "nested deeper than"),
    "nested mappings": (b"".join(b" " * n + b"a:\n" for n in range(300)), "nested deeper than"),
    "a month that is none": (_file("mara", "x", "title: 2031-14-02"), ":4: not valid YAML: '2031-14-02' is no value"),
    "an hour that is none": (_file("mara", "x", "title: 2031-01-02 25:00:00"), "is no value"),
    "a number without end": (_file("mara", "x", f"title: {'9' * 6000}"), "is no value"),
    "a number beyond 64 bits": (
        _file("mara", "x") + b"    method: POST\n    body: {n: 123456789012345678901234567890}\n", "not valid YAML"
    ),
    "a date in a body": (
        b"user_id: mara\nsource_id: x\nbase_url: https://x.example\nresources:\n"
        b"  - {name: r, path: r, key: id, method: POST, body: {from: 2031-01-02}}\n", "put it in quotes"
    ),
    "bytes in a body": (
        b"user_id: mara\nsource_id: x\nbase_url: https://x.example\nresources:\n"
        b"  - {name: r, path: r, key: id, method: POST, body: {from: !!binary gIGC}}\n", "put it in quotes"
    ),
    "half a character": (_file("mara", "x", r'title: "\ud83d"'), "not valid YAML"),
    "a control character": (_file("mara", "x", "title: a\x07b"), "not valid YAML"),
    "a key that is a list": (_file("mara", "x", "? [a, b]\n: c"), "x.yml:4:"),
    "a merge of nothing": (_file("mara", "x", "<<: 5"), "not valid YAML"),
    "an object of Python": (_file("mara", "x", "title: !!python/name:os.system"), "not valid YAML"),
    "two documents": (_file("mara", "x") + b"---\n" + _file("mara", "y"), "not valid YAML"),
    "a zone that is a folder": (_file("mara", "x", "time_zone: Europe"), "is no time zone"),
    "a port that is none": (b"user_id: mara\nsource_id: x\nbase_url: 'http://[::1'\n"
        b"resources: [{name: r, path: r, key: id}]\n", "x.yml:1: Invalid IPv6"),
    "nothing": (b"", "must hold user_id"),
    "much": (b"#" * 300_000 + b"\n" + _file("mara", "x"), "larger than 256 KB"),
}  # fmt: skip


@pytest.mark.parametrize("what", _BROKEN)
def test_a_file_that_is_wrong_is_its_own_problem_in_under_a_second(tmp_path: Path, what: str) -> None:
    content, words = _BROKEN[what]
    (tmp_path / "x.yml").write_bytes(content)
    (tmp_path / "fine.yml").write_bytes(_file("nils", "shop"))
    began = time.monotonic()
    registry = read_registry(tmp_path)
    assert time.monotonic() - began < 1
    assert _names(registry) == ["nils/shop"]
    (problem,) = registry.problems
    assert str(problem).startswith("x.yml:")
    assert words in str(problem)
    assert b"user_id: mara\n" not in content or problem.user_id == "mara" or what == "much"


def _pipe(path: Path) -> None:
    os.mkfifo(path)


_ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe": (_pipe, "is no file"),
    "a folder": (Path.mkdir, "is no file"),
    "a link to nothing": (lambda path: path.symlink_to("gone.yml"), "cannot be read"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "cannot be read"),
    "a link out of the folder": (lambda path: path.symlink_to("/etc/passwd"), "leads out of the folder"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "leads out of the folder"),
}


@pytest.mark.parametrize("what", _ODD)
def test_what_only_looks_like_a_file_is_told_and_not_waited_for(tmp_path: Path, what: str) -> None:
    make, words = _ODD[what]
    (tmp_path / "fine.yml").write_bytes(_file("nils", "shop"))
    make(tmp_path / "x.yml")
    began = time.monotonic()
    registry = read_registry(tmp_path)
    assert time.monotonic() - began < 1
    assert _names(registry) == ["nils/shop"]
    assert [words in str(problem) for problem in registry.problems] == [True]


@pytest.mark.skipif(os.getuid() == 0, reason="root reads everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "fine.yml").write_bytes(_file("nils", "shop"))
    (tmp_path / "x.yml").write_bytes(_file("mara", "x"))
    (tmp_path / "x.yml").chmod(0)
    (tmp_path / "mara").mkdir(mode=0)
    registry = read_registry(tmp_path)
    assert _names(registry) == ["nils/shop"]
    assert len(registry.problems) == 2


def test_names_of_files_and_keys_cannot_forge_a_message(tmp_path: Path) -> None:
    (tmp_path / "x\x1b[2J\udcff.yml").write_bytes(
        _file("mara", "x", '"\\e[31m\\nfine.yml:1: all is well": 1')
    )
    (problem,) = read_registry(tmp_path).problems
    assert str(problem).isprintable()


def test_a_source_that_is_declared_twice_is_the_one_in_the_users_own_folder(tmp_path: Path) -> None:
    for folder, title in (("aaa", "a stranger's"), ("nils", "his own"), ("zzz", "a copy")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "shop.yml").write_bytes(_file("nils", "shop", f"title: {title}"))
    registry = read_registry(tmp_path)
    assert [source.title for source in registry.sources] == ["his own"]
    assert [problem.file for problem in registry.problems] == ["aaa/shop.yml", "zzz/shop.yml"]


def test_who_has_a_folder_declares_only_sources_of_that_name_there(tmp_path: Path) -> None:
    (tmp_path / "users.yml").write_text("users: [{user_id: mara}, {user_id: nils}]")
    for folder, user, name in (
        ("mara", "nils", "theft"),
        ("mara", "mara", "shop"),
        ("shared", "nils", "shop"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{user}_{name}.yml").write_bytes(_file(user, name))
    registry = read_registry(tmp_path)
    assert _names(registry) == ["mara/shop", "nils/shop"]
    assert "in the folder of mara only sources of mara" in str(registry.problems[0])


def test_versions_that_mounted_configuration_keeps_in_hidden_folders_are_no_copies(tmp_path: Path) -> None:
    (tmp_path / "..2031_01").mkdir()
    (tmp_path / "..2031_01" / "shop.yml").write_bytes(_file("nils", "shop"))
    (tmp_path / "..data").symlink_to("..2031_01")
    (tmp_path / "shop.yml").symlink_to("..data/shop.yml")
    registry = read_registry(tmp_path)
    assert (_names(registry), registry.problems) == (["nils/shop"], ())


# Whose name is it? Users mara, mara_2 and nils; the operator granted mara MAILBOX_KEY.
_NAMES = [
    ("mara", "MARA_SHOP_TOKEN", True), ("mara", "MARA_22", True), ("mara_2", "MARA_2_TOKEN", True),
    ("mara", "MARA_2_TOKEN", False), ("mara_2", "MARA_TOKEN", False), ("mara", "NILS_TOKEN", False),
    ("mara", "MARA_", False), ("mara", "MARA", False), ("mara", "MARATHON_KEY", False), ("mara", "mara_token", False),
    ("mara", "MAILBOX_KEY", True), ("nils", "MAILBOX_KEY", False), ("mara_2", "MAILBOX_KEY", False),
    *(("mara", name, False) for name in (
        "KARVON_CREDENTIALS_KEY", "KARVON_WAREHOUSE_URL", "PLYTIX_API_PASSWORD", "WEBFLOW_API_TOKEN", "UZUM_TOKEN",
        "PGPASSWORD", "PGPASSFILE", "POSTGRES_PASSWORD", "HOME", "PATH", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY",
        "DBT_ENV_SECRET_X", "DAGSTER_HOME", "MARA_PIM_PASSWORD",
    )),
    # An id that is called as what is not a user's opens nothing.
    ("karvon", "KARVON_CREDENTIALS_KEY", False), ("plytix", "PLYTIX_API_KEY", False),
    ("aws", "AWS_SESSION_TOKEN", False),
    ("https", "HTTPS_PROXY", False), ("home", "HOME_X", False), ("dagster", "DAGSTER_HOME", False),
]  # fmt: skip


@pytest.mark.parametrize(("user", "name", "may"), _NAMES)
@pytest.mark.parametrize(
    "place", ["headers: {{X-A: 'a ${{{0}}}'}}", "auth: {{type: bearer, token: '${{{0}}}'}}"]
)
def test_a_source_names_only_variables_of_its_user_or_granted_ones(
    tmp_path: Path, place: str, user: str, name: str, may: bool
) -> None:
    for one in ("mara", "mara_2", "nils"):
        (tmp_path / f"{one}.yml").write_bytes(_file(one, "plain"))
    (tmp_path / "x.yml").write_bytes(_file(user, "x", place.format(name)))
    grants = Grants({"mara": ["MAILBOX_KEY"]}, frozenset({"MARA_PIM_PASSWORD"}))
    registry = read_registry(tmp_path, grants)
    assert (f"{user}/x" in _names(registry)) is may
    told = [str(problem) for problem in registry.problems]
    assert [("x.yml:4:" in one, f"${{{name}}}" in one, "connections.yml" in one) for one in told] == (
        [] if may else [(True, True, True)]
    )


def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "connections.yml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    monkeypatch.setenv("KARVON_CONNECTIONS_FILE", str(path))


def test_the_operator_grants_names_in_the_file_of_connections(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _settings(
        monkeypatch, tmp_path,
        "plytix: {eu: {api_key: EU_KEY, api_password: MARA_PIM_PASSWORD}}\nuser_apis: {mara: [MAILBOX_KEY], nils: []}",
    )  # fmt: skip
    settings = load_settings()
    assert granted_variables(settings) == {"mara": frozenset({"MAILBOX_KEY"}), "nils": frozenset()}
    assert {"MARA_PIM_PASSWORD", "KARVON_CREDENTIALS_KEY", "PLYTIX_API_KEY"} <= own_variables(settings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("user_apis: {mara: [KARVON_CREDENTIALS_KEY]}", "KARVON_CREDENTIALS_KEY cannot be granted"),
        ("user_apis: {mara: [PGPASSWORD]}", "PGPASSWORD cannot be granted"),
        ("plytix: {a: {api_key: K, api_password: P}}\nuser_apis: {mara: [K]}", "K cannot be granted"),
        ("user_apis: {mara: MAILBOX_KEY}", "user_apis.mara must be a list"),
        ("user_apis: {mara: ['${MAILBOX}']}", "user_apis.mara must be a list"),
        ("user_apis: [MAILBOX_KEY]", "must hold connections by name"),
        ("plytix: [a]", "must hold connections by name"),
        ("user_apis: {mara: [2031-14-02]}", "line 1: not valid YAML"),
        (b"# M\xfcller\nplytix: {}", "line 1: is not UTF-8"),
        ("plytix: " + "[" * 5000, "nested deeper"),
        ("3", "not a mapping"),
    ],
)
def test_a_file_of_connections_that_is_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | bytes, words: str
) -> None:
    _settings(monkeypatch, tmp_path, content)
    with pytest.raises(SettingsError, match=r"connections\.yml") as told:
        granted_variables(load_settings())
    assert words in str(told.value)


def test_the_shipped_sources_keep_to_the_rule() -> None:
    registry = read_registry(PROJECT_ROOT / "data_sources" / "sandbox")
    assert (len(registry.sources), registry.problems) == (8, ())


def test_the_documented_examples_keep_to_the_rule() -> None:
    text = (PROJECT_ROOT / "docs" / "user_apis.md").read_text()
    blocks = [part.partition("```")[0] for part in text.split("```yaml")[1:]]
    (example,) = (block for block in blocks if "base_url:" in block)
    named = set(re.findall(r"\$\{([A-Z_]+)\}", text)) - {"NAME"}
    assert yaml.safe_load(example)["user_id"] == "anna"
    assert named
    assert [Grants().refusal("anna", name) for name in sorted(named)] == [None] * len(named)


_HIDING: dict[str, tuple[str, bytes, set[str]]] = {
    "user and source can be told": ("a.yml", _file("mara", "x", "colour: red"), {"mara/x"}),
    "in the folder of its user": ("mara/a.yml", _file("mara", "x", "colour: red"), {"mara/x"}),
    "what it may not name": (
        "a.yml",
        _file("mara", "x", "auth: {type: bearer, token: '${NINO_KEY}'}"),
        {"mara/x"},
    ),
    "its source cannot be told": ("a.yml", b"user_id: mara\nsource_id: [", {"mara/x", "mara/y"}),
    "a source said twice": ("a.yml", _file("mara", "x", "source_id: z"), {"mara/x", "mara/y"}),
    "a source that is no name": ("a.yml", _file("mara", "X 1"), {"mara/x", "mara/y"}),
    "only its folder can be told": ("mara/a.yml", b"\xff", {"mara/x", "mara/y"}),
    "in her folder, saying that it is another's": ("mara/a.yml", b"user_id: nino\n[", {"mara/x", "mara/y"}),
    "nobody can tell whose": ("a.yml", b"\xff", {"mara/x", "mara/y", "nino/x"}),
    "a folder of nobody": ("shared/a.yml", b"\xff", {"mara/x", "mara/y", "nino/x"}),
    "a file that is right": ("users.yml", b"users: [{user_id: mara}, {user_id: nino}]", set()),
}


@pytest.mark.parametrize("case", _HIDING)
def test_a_wrong_file_hides_what_it_may_declare(tmp_path: Path, case: str) -> None:
    name, content, hidden = _HIDING[case]
    (tmp_path / "users.yml").write_text("users: [{user_id: mara}, {user_id: nino}]")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "healthy.yml").write_bytes(_file("nino", "shop"))
    registry = read_registry(tmp_path)
    said = {one for one in ("mara/x", "mara/y", "nino/x") if registry.may_hide(*one.split("/"))}
    assert said == hidden
    assert registry.may_hide("mara") == any(one.startswith("mara/") for one in hidden)
