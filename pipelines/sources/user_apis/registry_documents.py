"""The registry as documents of the warehouse, landed like any others: the models clean by data, with its history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from karvon.warehouse import Session, Warehouse
from pipelines.load_report import ResourceReport
from pipelines.raw_table import RawTable
from pipelines.source import Batch, Document
from pipelines.sources.user_apis.definition import DataSource, ResourceSpec, User, json_path
from pipelines.sources.user_apis.entities import ENTITIES
from pipelines.sources.user_apis.registry import Registry

CONNECTION = "registry"


@dataclass(frozen=True)
class _Documents:
    name: str
    key: Callable[[Document], str]
    noise: tuple[str, ...] = ()
    shrink_advice: str = "check KARVON_SOURCES_DIR"


_DEFINITIONS = _Documents("definitions", lambda one: f"{one['user_id']}/{one['source_id']}/{one['resource']}")
_USERS = _Documents("users", lambda one: str(one["user_id"]))


def registry_rows(registry: Registry, warehouse: Warehouse, schema: str) -> list[tuple[str, pa.Table]]:
    """What changed, by table: a definition for each resource with an entity, and the users.

    What is gone gets a tombstone, unless a file is wrong: its sources may only seem to be gone.
    """
    now = datetime.now(UTC)
    # Nor does a folder that is not there, such as one that was not mounted, mean that all its files were deleted.
    keep = bool(registry.problems) or not registry.folder.is_dir()
    definitions = [
        _definition(source, resource)
        for source in registry.sources
        for resource in source.resources
        if resource.entity
    ]
    users = [user.model_dump(mode="json", exclude={"quotas"}) for user in registry.users.values()]
    return [
        *_changes(schema, _DEFINITIONS, definitions, warehouse, now, keep),
        *_changes(schema, _USERS, users, warehouse, now, keep),
    ]


def known_users(session: Session, schema: str) -> dict[str, User]:
    """The users as they were last landed, for a run whose `users.yml` cannot be read: who was suspended stays so."""
    if not session.has_table(f"{schema}.{_USERS.name}"):
        return {}
    rows = session.rows(
        f"SELECT DISTINCT ON (document_key) CAST(document AS text) AS document, is_deleted FROM {schema}.{_USERS.name} "
        "ORDER BY document_key, landed_at DESC, _dlt_load_id DESC"
    )
    users = [User.model_validate_json(row["document"]) for row in rows if not row["is_deleted"]]
    return {user.user_id: user for user in users}


def _changes(
    schema: str, kind: _Documents, documents: list[Document], warehouse: Warehouse, now: datetime, keep: bool
) -> Iterator[tuple[str, pa.Table]]:
    table, report = RawTable(schema, kind, CONNECTION, warehouse, now), ResourceReport(kind.name)
    rows = [table.add(Batch(documents), report), table.flush(report)]
    rows += [] if keep else [table.tombstones(table.live_keys(), report)]
    yield from ((kind.name, one) for one in rows if one is not None)


def _definition(source: DataSource, resource: ResourceSpec) -> dict[str, Any]:
    known = ENTITIES[resource.entity] if resource.entity else {}
    return {
        "user_id": source.user_id,
        "source_id": source.source_id,
        "resource": resource.name,
        "entity": resource.entity,
        "links_to": source.links_to,
        "fields": [
            {
                "field": name,
                "field_type": known[name].type,
                "is_required": known[name].required,
                "json_path": json_path(mapping.path) if mapping.path else None,
                "constant": mapping.constant,
                "value_map": mapping.map,
                "default_value": mapping.default,
                "time_zone": mapping.zone or source.time_zone,
                "date_order": mapping.date_order,
                "decimal": mapping.decimal,
                "minor_units": mapping.minor_units,
            }
            for name, mapping in sorted(resource.fields.items())
        ],
    }
