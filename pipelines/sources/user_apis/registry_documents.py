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
from pipelines.sources.user_apis.definition import DataSource, ResourceSpec, User
from pipelines.sources.user_apis.entities import ENTITIES
from pipelines.sources.user_apis.mapping import Condition, Conditions, as_rules
from pipelines.sources.user_apis.paths import as_json_path, json_path, route
from pipelines.sources.user_apis.registry import USERS_FILE, Registry

CONNECTION = "registry"


@dataclass(frozen=True)
class _Documents:
    name: str
    key: Callable[[Document], str]
    noise: tuple[str, ...] = ()
    kept: None = None
    shrink_advice: str = "check KARVON_SOURCES_DIR"


_DEFINITIONS = _Documents("definitions", lambda one: f"{one['user_id']}/{one['source_id']}/{one['resource']}")
_USERS = _Documents("users", lambda one: str(one["user_id"]))


def registry_rows(registry: Registry, warehouse: Warehouse, schema: str) -> list[tuple[str, pa.Table]]:
    """What changed, by table: a definition for each resource with an entity, and the users.

    What is gone gets a tombstone, unless a file that is wrong may declare it: then it may only seem to be gone.
    """
    now = datetime.now(UTC)
    # Nor does a folder that is not there, such as one that was not mounted, mean that all its files were deleted.
    nothing_goes = not registry.folder.is_dir()
    users_unread = any(one.file == USERS_FILE for one in registry.problems)
    definitions = [
        _definition(source, resource)
        for source in registry.sources
        for resource in source.resources
        if resource.entity
    ]
    users = [user.model_dump(mode="json", exclude={"quotas"}) for user in registry.users.values()]
    return [
        *_changes(
            schema,
            _DEFINITIONS,
            definitions,
            warehouse,
            now,
            lambda key: nothing_goes or registry.may_hide(*key.split("/")[:2]),
        ),
        *_changes(
            schema,
            _USERS,
            users,
            warehouse,
            now,
            lambda key: nothing_goes or users_unread or registry.may_hide(key),
        ),
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
    schema: str,
    kind: _Documents,
    documents: list[Document],
    warehouse: Warehouse,
    now: datetime,
    stays: Callable[[str], bool],
) -> Iterator[tuple[str, pa.Table]]:
    table, report = RawTable(schema, kind, CONNECTION, warehouse, now), ResourceReport(kind.name)
    rows = [table.add(Batch(documents), report), table.flush(report)]
    rows.append(table.tombstones({key for key in table.live_keys() if not stays(key)}, report))
    yield from ((kind.name, one) for one in rows if one is not None)


def _definition(source: DataSource, resource: ResourceSpec) -> dict[str, Any]:
    flags = {"is_ignored": resource.ignore, "is_deleted": resource.deleted}
    return {
        "user_id": source.user_id,
        "source_id": source.source_id,
        "resource": resource.name,
        "entity": resource.entity,
        "links_to": source.links_to,
        "fields": [
            *(_field(source, resource, name) for name in sorted(resource.fields)),
            *(_flag(name, conditions) for name, conditions in flags.items() if conditions),
        ],
    }


def _field(source: DataSource, resource: ResourceSpec, name: str) -> dict[str, Any]:
    mapping, field = resource.fields[name], ENTITIES[resource.entity or "lead"][name]
    digits = mapping.minor_units
    opens_places = field.type == "amount" and mapping.opens_places
    return {
        "field": name,
        "field_type": field.type,
        "is_required": field.required,
        "take": mapping.take,
        "separator": mapping.separator,
        "paths": [_branch(path, opens_places) for path in mapping.paths],
        "cases": [{"when": _rules(case.when), "then": case.then} for case in mapping.cases],
        "constant": mapping.constant,
        "value_map": mapping.map,
        "default_value": mapping.default,
        "time_zone": mapping.zone or source.time_zone,
        "date_order": mapping.date_order,
        "decimal": mapping.decimal,
        "sign": mapping.sign,
        "reads_one": opens_places,
        "is_minor": mapping.is_minor,
        "minor_digits": digits if isinstance(digits, int) and not isinstance(digits, bool) else None,
        "minor_exceptions": digits if isinstance(digits, dict) else None,
    }


def _flag(name: str, conditions: Conditions) -> dict[str, Any]:
    """What a record says of itself, as a field: true where a condition holds."""
    cases = [{"when": _rules(condition), "then": "true"} for condition in conditions]
    return {"field": name, "field_type": "flag", "take": "first", "paths": [], "cases": cases}


def _branch(path: str, opens_places: bool) -> dict[str, Any]:
    """A path as the models walk it: through lists, and from the last entry on to the value."""
    found = route(path, open_places=opens_places)
    return {
        "lists": [
            {
                "path": as_json_path(one.steps),
                "place": one.place,
                "where": [{"path": as_json_path(way), "value": said} for way, said in one.where],
            }
            for one in found.lists
        ],
        "path": as_json_path(found.steps),
    }


def _rules(condition: Condition) -> list[dict[str, Any]]:
    return [{**rule, "path": json_path(rule["path"])} for rule in as_rules(condition)]
