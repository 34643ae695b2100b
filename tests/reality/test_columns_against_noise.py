"""What staging reads is landed: no column is null for ever because its value is left out at the door."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest

from pipelines.document import canonical_document
from pipelines.source import Resource
from pipelines.sources import plytix, uzex, uzum, webflow

DBT = Path(__file__).parents[2] / "dbt_project"
STAGING = sorted(
    path
    for name in ("plytix", "webflow", "uzum", "uzex")
    for path in (DBT / "models/staging" / name).glob("*.sql")
)
RESOURCES = {
    (source.schema, resource.name): resource
    for source in (plytix.SOURCE, webflow.SOURCE, uzex.SOURCE, uzum.SOURCE, uzum.SELLER_SOURCE)
    for resource in source.resources
}
MACROS = (DBT / "macros/uzex.sql").read_text()
Column = dict[str, Any]


def lists_of(sql: str) -> dict[str, list[Column]]:
    """The column lists that a model declares, by name; those that are made by a loop are not read here."""
    found = {}
    for name, text in re.findall(
        r"\{% set (\w+) =(?: uzex_deal_columns\(\) \+)? (\[\n.*?\n\]) %\}", sql, re.DOTALL
    ):
        found[name] = ast.literal_eval(text)
    return found


def macro_columns(kind: str) -> list[Column]:
    text = re.search(rf"macro uzex_{kind}_columns\(\) %}}\s*\{{\{{ return\((.*?)\) \}}\}}", MACROS, re.DOTALL)
    assert text is not None
    columns: list[Column] = ast.literal_eval(text[1])
    return columns


def read(sql: str) -> tuple[str, str, list[tuple[str, Column]]]:
    """Schema, table, and the columns, each with the list that it is an entry of ("" for the document itself)."""
    if staged := re.search(r"stage_uzex_(deal|lot)s\('(\w+)'", sql):
        return "raw_uzex", staged[2], [("", column) for column in macro_columns(staged[1])]
    if staged := re.search(r"stage_uzex_items\('(\w+)', '\w+', (.*)\) \}\}", sql):
        places = ast.literal_eval(staged[2])
        place = places if isinstance(places, str) else places[0]
        return "raw_uzex", staged[1], [(place, column) for column in macro_columns("item")]
    source = re.search(r"(?:latest_documents|document_versions)\('(\w+)', '(\w+)'\)", sql)
    if source is None:
        return "", "", []
    named = lists_of(sql)
    entries = dict(re.findall(r"unpack\('\w+', (\w+),[^)]*?entry_of='(\w+)'", sql, re.DOTALL))
    columns = [(entries.get(name, ""), column) for name in named for column in named[name]]
    if "uzex_deal_columns()" in sql:
        columns += [("", column) for column in macro_columns("deal")]
    return source[1], source[2], columns


def is_landed(resource: Resource, path: str) -> bool:
    """Whether a document with a value at this path still has it when it is landed."""
    document: Any = "MChJ 1"
    for step in reversed(path.split(".")):
        document = {step.removesuffix("[]"): [document] if step.endswith("[]") else document}
    kept = resource.kept.of(document) if resource.kept else document
    landed: Any = json.loads(canonical_document(kept, resource.noise)[0])
    for step in path.split("."):
        if not isinstance(landed, dict) or step.removesuffix("[]") not in landed:
            return False
        landed = landed[step.removesuffix("[]")]
        landed = landed[0] if step.endswith("[]") and landed else landed
    return True


def holds_more(resource: Resource, path: str) -> bool:
    """Whether what is kept lies below this path: a list or an object."""
    return resource.kept is not None and any(
        one.startswith(path.replace("[]", "") + ".") for paths in astuple(resource.kept) for one in paths
    )


def lost(sql: str) -> Iterator[str]:
    schema, table, columns = read(sql)
    if not schema:
        return
    resource = RESOURCES[schema, table]
    for place, column in columns:
        paths = [column["path"]] if isinstance(column["path"], str) else column["path"]
        full = [f"{place}[].{path}" if place else path for path in paths]
        if not any(is_landed(resource, path) or holds_more(resource, path) for path in full):
            yield f"{table}: {column['name']} ({', '.join(full)})"


@pytest.mark.parametrize("model", STAGING, ids=[path.stem for path in STAGING])
def test_each_column_reads_something_that_is_landed(model: Path) -> None:
    assert list(lost(model.read_text())) == []


def test_most_columns_are_looked_at() -> None:
    found = [read(path.read_text()) for path in STAGING]
    assert sum(len(columns) for _, _, columns in found) > 400
    assert {schema for schema, _, columns in found if columns} == {
        "raw_plytix",
        "raw_webflow",
        "raw_uzum",
        "raw_uzex",
    }


def test_a_column_whose_value_is_left_out_is_told() -> None:
    noise = Resource("products", str, noise=("delivery",))
    assert not is_landed(noise, "delivery.days")
    assert is_landed(noise, "stock.days")
    assert not is_landed(RESOURCES["raw_uzum", "products"], "skuList[].stock.deliveryTitle")
    assert is_landed(RESOURCES["raw_uzum", "products"], "skuList[].stock.deliveryDays")
