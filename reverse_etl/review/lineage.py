"""The models above a sync that know its rows by key: where a row is still to be found, and where it fell out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karvon.warehouse import Session
from reverse_etl.spec.manifest import read_content
from reverse_etl.spec.syncs import Sync

KEY_TESTS = frozenset({"is_key", "unique"})
"""dbt tests that make a column the model's key."""


@dataclass(frozen=True)
class KeyedModel:
    """A model with the column that identifies its rows."""

    name: str
    schema_name: str
    table: str
    key: str

    @property
    def relation(self) -> str:
        return f'"{self.schema_name}"."{self.table}"'


@dataclass(frozen=True)
class Step:
    """One model on the way of a row."""

    model: str
    key: str
    """The model's key column."""
    is_there: bool
    said: Mapping[str, Any]
    """What the model says of the row: its state, reasons, deletion, time of the last edit."""
    parent_key: str | None = None


def read_lineage(manifest: Path, syncs: Sequence[Sync]) -> dict[str, tuple[KeyedModel, ...]]:
    """Sync → keyed models from the sources down to the sync's own model."""
    content = read_content(manifest)
    keys = {
        test["attached_node"]: test["column_name"]
        for test in content["nodes"].values()
        if test["resource_type"] == "test"
        and (test.get("test_metadata") or {}).get("name") in KEY_TESTS
        and test.get("column_name")
    }
    by_name = {node["name"]: unique_id for unique_id, node in content["nodes"].items()}
    return {
        sync.name: tuple(
            KeyedModel(node["name"], node["schema"], node["alias"], keys[unique_id])
            for unique_id in _above(by_name[sync.name], content["nodes"])
            if unique_id in keys and (node := content["nodes"][unique_id])
        )
        for sync in syncs
    }


def steps(session: Session, models: Sequence[KeyedModel], sync: Sync, key: str) -> list[Step]:
    """The way of one row through the models that could hold it; empty when none does."""
    columns = _columns(session, models)
    rows = {
        model.name: _row(session, model, columns[model.relation], sync, key)
        for model in models
        if model.key in columns[model.relation]
    }
    # A model with another kind of key lacks the row because it holds other things.
    kinds = {sync.key} | {model.key for model in models if rows.get(model.name)}
    return [
        Step(
            model.name,
            model.key,
            row is not None,
            {name: value for name, value in (row or {}).items() if name != "_parent" and value is not None},
            None if row is None else row.get("_parent"),
        )
        for model in models
        if model.name in rows and model.key in kinds
        for row in [rows[model.name]]
    ]


def find(session: Session, models: Sequence[KeyedModel], sync: Sync, wanted: str) -> str | None:
    """The key of the row that has this key or code in any of the models, the last one first."""
    columns = _columns(session, models)
    codes = {name for name in sync.match if name != "slug"}
    codes |= {spec.column for spec in sync.fields if spec.field in codes}
    for model in reversed(models):
        have = [name for name in (model.key, *sorted(codes)) if name in columns[model.relation]]
        if model.key in have:
            where = " OR ".join(f'CAST("{name}" AS text) = $1' for name in have)
            found = session.value(
                f'SELECT CAST("{model.key}" AS text) FROM {model.relation} WHERE {where} LIMIT 1', (wanted,)
            )
            if found is not None:
                return str(found)
    return None


def _row(
    session: Session, model: KeyedModel, columns: Sequence[str], sync: Sync, key: str
) -> dict[str, Any] | None:
    telling = [
        name
        for name in columns
        if name.endswith("reasons") or name in ("state", "status", "is_deleted", "modified_at")
    ]
    wanted = [f'"{name}"' for name in telling]
    if sync.parent and sync.parent.column in columns:
        wanted.append(f'CAST("{sync.parent.column}" AS text) AS _parent')
    found = session.rows(
        f'SELECT {", ".join(["1 AS _there", *wanted])} FROM {model.relation} WHERE CAST("{model.key}" AS text) = $1',
        (key,),
    )
    return {name: value for name, value in found[0].items() if name != "_there"} if found else None


def _columns(session: Session, models: Sequence[KeyedModel]) -> dict[str, list[str]]:
    """Columns by relation, none for a model that is not built."""
    found: dict[str, list[str]] = {model.relation: [] for model in models}
    schemas = ", ".join(sorted({f"'{model.schema_name}'" for model in models})) or "''"
    for row in session.rows(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns "
        f"WHERE table_schema IN ({schemas}) ORDER BY ordinal_position"
    ):
        found.get(f'"{row["table_schema"]}"."{row["table_name"]}"', []).append(row["column_name"])
    return found


def _above(unique_id: str, nodes: Mapping[str, Any]) -> Iterator[str]:
    """The models above one and itself, each after those it reads."""
    seen: set[str] = set()

    def visit(current: str) -> Iterator[str]:
        if current in seen or nodes.get(current, {}).get("resource_type") != "model":
            return
        seen.add(current)
        for parent in nodes[current]["depends_on"]["nodes"]:
            yield from visit(parent)
        yield current

    yield from visit(unique_id)
