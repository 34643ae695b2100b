"""The registry as tables, so that the models clean by data: one row per field of ours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from karvon.warehouse import Session
from pipelines.sources.user_apis.definition import DataSource, json_path
from pipelines.sources.user_apis.entities import ENTITIES
from pipelines.sources.user_apis.registry import Registry

_MAPPINGS = (
    "user_id", "source_id", "resource", "entity", "field", "field_type", "is_required", "json_path", "constant",
    "value_map", "default_value", "time_zone", "minor_units", "links_to", "mapping_hash", "loaded_at",
)  # fmt: skip
_TYPES = {
    "is_required": "boolean",
    "is_suspended": "boolean",
    "minor_units": "bigint",
    "loaded_at": "timestamptz",
}
_ARROW = {
    "boolean": pa.bool_(),
    "bigint": pa.int64(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}
_USERS = ("user_id", "title", "time_zone", "currency", "is_suspended")


def land_registry(session: Session, registry: Registry) -> None:
    """Replace `raw_user_apis.mappings` and `users` by what the registry says now.

    `mapping_hash` is one per resource: it changes when its records must be cleaned again.
    """
    mappings = [row for source in registry.sources for row in _rows(source)]
    users = [
        {**user.model_dump(include=set(_USERS)), "is_suspended": user.suspended}
        for user in registry.users.values()
    ]
    _replace(session, "raw_user_apis.mappings", _MAPPINGS, mappings)
    _replace(session, "raw_user_apis.users", _USERS, users)


def _replace(session: Session, table: str, names: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in names)
    session.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    schema = pa.schema([(name, _ARROW[_TYPES.get(name, "text")]) for name in names])
    with session.transaction():
        session.execute(f"DELETE FROM {table}")
        session.append(table, pa.Table.from_pylist(list(rows), schema=schema))


def _rows(source: DataSource) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for resource in source.resources:
        if resource.entity is None:
            continue
        content = (
            resource.model_dump_json(include={"entity", "fields"}) + source.time_zone + str(source.links_to)
        )
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        for name, mapping in resource.fields.items():
            known = ENTITIES[resource.entity][name]
            yield {
                "user_id": source.user_id,
                "source_id": source.source_id,
                "resource": resource.name,
                "entity": resource.entity,
                "field": name,
                "field_type": known.type,
                "is_required": known.required,
                "json_path": json_path(mapping.path) if mapping.path else None,
                "constant": mapping.constant,
                "value_map": orjson.dumps(mapping.map).decode() if mapping.map else None,
                "default_value": mapping.default,
                "time_zone": mapping.zone or source.time_zone,
                "minor_units": mapping.minor_units,
                "links_to": source.links_to,
                "mapping_hash": digest,
                "loaded_at": now,
            }
