"""Which faults are made: none that changes nothing, and of every file."""

from __future__ import annotations

from pathlib import Path

from karvon.settings import PROJECT_ROOT
from tests.mutants.faults import faults_in
from tests.mutants.rooms import MODELS


def told(path: str, content: str) -> set[tuple[str, str]]:
    return {(content[one.start : one.end], one.text) for one in faults_in(Path(path), content)}


def test_every_model_can_be_given_faults() -> None:
    models = sorted((PROJECT_ROOT / MODELS / "staging").rglob("*.sql"))
    assert sum(len(faults_in(one, one.read_text())) for one in models) > len(models)


def test_texts_inside_jinja_hide_nothing_and_are_left_alone() -> None:
    content = """{{ config(pre_hook='{{ forget("it''s") }}') }} select a from b where c and not d"""
    assert told("one.sql", content) == {
        ("where c", "where 1 = 1"),
        ("and not d", "and 1 = 1"),
        ("not", ""),
    }


def test_what_changes_nothing_in_sql_is_not_made() -> None:
    content = "select distinct on (k) cast(a as numeric(18, 2)) as a from b order by k asc, at desc"
    assert {one for one in told("one.sql", content) if one[1] in ("desc", "asc", "19", "3")} == {
        ("desc", "asc")
    }


def test_what_changes_nothing_in_python_is_not_made() -> None:
    content = "@dataclass(frozen=True)\nclass One:\n    open: bool = True\n"
    assert told("one.py", content) == {("True", "False")}
    (fault,) = faults_in(Path("one.py"), content)
    assert fault.start > content.index("open")
