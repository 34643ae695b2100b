"""Reading syncs out of dbt's manifest.json. Every problem found is told, each with its file and the way out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from reverse_etl.spec.syncs import Sync

_KIND_OF_TYPE = {
    "number": ("int", "bigint", "smallint", "numeric", "decimal", "double", "float", "real", "hugeint"),
    "bool": ("bool",),
    "time": ("date", "timestamp"),
}


class SyncError(Exception):
    """A sync's YAML is wrong; the message lists all problems."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def read_syncs(manifest: Path, profile: str) -> tuple[Sync, ...]:
    """All syncs of the project for one profile, those that others refer to first.

    Raises `SyncError` for a missing manifest and for wrong YAML.
    """
    content = read_content(manifest)
    nodes: Mapping[str, Any] = content.get("nodes", {})
    sources: Mapping[str, Any] = content.get("sources", {})
    syncs: list[Sync] = []
    problems: list[str] = []
    for unique_id, node in nodes.items():
        if node.get("resource_type") != "model":
            continue
        settings = _meta(node).get("sync")
        if settings is None:
            continue
        try:
            sync = _sync(node, settings, profile, tuple(_raw_tables(unique_id, nodes, sources)))
            syncs += [_with_relation(sync, nodes)] if sync.enabled else []
        except ValidationError as error:
            problems += [f"{_where(node)}: {_say(one)}" for one in error.errors()]
        except ValueError as error:
            problems.append(f"{_where(node)}: {error}")
    problems += _wrong_links(syncs)
    if problems:
        raise SyncError(problems)
    return _in_order(syncs)


@dataclass(frozen=True)
class ModelColumn:
    """A column of a model as its YAML has it; `meta` says what field it is."""

    meta: Mapping[str, Any]
    data_type: str
    description: str


def read_columns(manifest: Path) -> dict[str, dict[str, ModelColumn]]:
    """Model → column, of all models that are syncs. Raises `SyncError` for a missing manifest."""
    nodes = read_content(manifest).get("nodes", {}).values()
    return {
        node["name"]: {
            name: ModelColumn(
                _meta(column), str(column.get("data_type") or "text"), str(column.get("description") or "")
            )
            for name, column in node.get("columns", {}).items()
        }
        for node in nodes
        if node.get("resource_type") == "model" and _meta(node).get("sync") is not None
    }


def read_content(manifest: Path) -> Mapping[str, Any]:
    """The manifest as dbt wrote it. Raises `SyncError` when it is missing or rotten."""
    if not manifest.is_file():
        raise SyncError([f"{manifest.name} is missing: run `karvon dbt parse` (or `karvon run`) first."])
    written = manifest.read_bytes()
    try:
        content: Mapping[str, Any] = orjson.loads(written)
    except orjson.JSONDecodeError:
        try:
            # What YAML calls .nan and .inf dbt writes as Python does, which is no JSON.
            content = json.loads(written)
        except (ValueError, RecursionError) as error:
            raise SyncError(
                [f"{manifest.name} cannot be read ({error}): run `karvon dbt parse`, which makes it anew."]
            ) from None
    return content


def _sync(node: Mapping[str, Any], settings: Any, profile: str, sources: tuple[str, ...]) -> Sync:
    if not isinstance(settings, Mapping):
        raise ValueError("config.meta.sync must be a mapping with at least destination, resource and key")
    chosen = {name: value for name, value in settings.items() if name != "profiles"}
    own = (settings.get("profiles") or {}).get(profile) or {}
    guards = {**(chosen.get("guards") or {}), **(own.get("guards") or {})}
    sync = Sync.model_validate(
        {
            **chosen,
            **own,
            "guards": guards,
            "name": node["name"],
            "schema_name": node["schema"],
            "table": node.get("alias") or node["name"],
            "file": _file(node),
            "sources": sources,
            "fields": list(_fields(node)),
        }
    )
    known = set(node.get("columns", {}))
    if missing := [column for column in sync.columns if column not in known]:
        raise ValueError(
            f"column {', '.join(missing)} is used by the sync but is not in the model's `columns:`; add it there "
            "(the model's contract needs it too)"
        )
    return sync


def _with_relation(sync: Sync, nodes: Mapping[str, Any]) -> Sync:
    """The model that `images.files` names, as a table."""
    if sync.images.files is None:
        return sync
    found = next((node for node in nodes.values() if node.get("name") == sync.images.files), None)
    if found is None:
        raise ValueError(f"images.files names the model {sync.images.files}, which the project does not have")
    table = f"{found['schema']}.{found.get('alias') or found['name']}"
    return sync.model_copy(update={"images": sync.images.model_copy(update={"files": table})})


def _fields(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, column in node.get("columns", {}).items():
        meta = _meta(column)
        if "field" not in meta:
            continue
        yield as_field(name, str(column.get("data_type") or ""), meta)


def as_field(column: str, data_type: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    """What `FieldSpec` is made of: the column's meta, and what its data type stands for where it says nothing."""
    kind = _kind_of(data_type)
    derived = {"as": "text" if kind == "time" else kind, "column_kind": kind, "is_typed": "as" in meta}
    return {**derived, **meta, "column": column}


def _kind_of(data_type: str) -> str:
    lowered = data_type.lower()
    return next((kind for kind, words in _KIND_OF_TYPE.items() if lowered.startswith(words)), "text")


def _meta(part: Mapping[str, Any]) -> Mapping[str, Any]:
    return (part.get("config") or {}).get("meta") or part.get("meta") or {}


def _raw_tables(unique_id: str, nodes: Mapping[str, Any], sources: Mapping[str, Any]) -> Iterator[str]:
    """The landed tables above a model."""
    seen: set[str] = set()
    waiting = [unique_id]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if current in sources:
            yield f"{sources[current]['schema']}.{sources[current].get('identifier') or sources[current]['name']}"
        waiting += (nodes.get(current, {}).get("depends_on") or {}).get("nodes") or []


def _wrong_links(syncs: Sequence[Sync]) -> Iterator[str]:
    by_name = {sync.name: sync for sync in syncs}
    for sync in syncs:
        for name in sorted(sync.refers_to):
            other = by_name.get(name)
            if other is None:
                yield (
                    f"{sync.file}, model {sync.name}: it refers to the sync {name}, which does not exist; "
                    f"known are {', '.join(sorted(by_name)) or 'none'}"
                )
            elif other.system != sync.system or (
                sync.parent and name == sync.parent.sync and other.target != sync.target
            ):
                yield (
                    f"{sync.file}, model {sync.name}: it refers to {name}, which goes to "
                    f"{other.destination} ({other.connection}); both must go to the same place"
                )


def _in_order(syncs: Sequence[Sync]) -> tuple[Sync, ...]:
    """Referred syncs before those that refer. Raises `SyncError` for a cycle."""
    done: list[Sync] = []
    waiting = sorted(syncs, key=lambda sync: sync.name)
    needs = {sync.name: _needs(sync, syncs) for sync in syncs}
    while waiting:
        names = {sync.name for sync in waiting}
        ready = [sync for sync in waiting if not (needs[sync.name] - {sync.name}) & names]
        # Items of a collection may refer to each other: they are linked once they are all there.
        if not ready or any(sync.name in sync.refers_to and not sync.collection for sync in ready):
            raise SyncError(
                [
                    f"{sync.file}, model {sync.name}: it refers in a circle (through "
                    f"{', '.join(sorted(needs[sync.name] & names))}); take one of the references out"
                    for sync in waiting
                ]
            )
        done += ready
        waiting = [sync for sync in waiting if sync not in ready]
    return tuple(done)


def _needs(sync: Sync, syncs: Sequence[Sync]) -> frozenset[str]:
    """What must be there before it: a product is created together with a SKU, and so waits for what that refers to."""
    children = [other for other in syncs if other.parent and other.parent.sync == sync.name]
    through = {name for child in children for name in child.refers_to}
    return sync.refers_to | (through - {sync.name} - {child.name for child in children})


def _file(node: Mapping[str, Any]) -> str:
    patch = str(node.get("patch_path") or "")
    return patch.split("://", 1)[-1] if patch else str(node.get("original_file_path", node["name"]))


def _where(node: Mapping[str, Any]) -> str:
    return f"{_file(node)}, model {node['name']} ({node.get('original_file_path', '?')})"


def _say(error: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "unknown key; remove it or check its spelling"
    elif error["type"] == "missing":
        message = "is missing; add it to config.meta.sync"
    return f"{place}: {message}" if place else message
