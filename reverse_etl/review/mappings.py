"""All mappings as one JSON document, for teams that keep them elsewhere, and such a document back into the YAML.

The document: `{"format": 1, "syncs": [{"name", "destination", "connection", "resource", "file", "columns": {column:
{"field", "as", …}}}]}`. Only `columns` can be changed by it; a column that is left out of a sync loses its mapping.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from karvon.warehouse import Session
from karvon.written_yaml import UnreadableYaml, read_text
from reverse_etl.spec.manifest import ModelColumn, SyncError, as_field
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.yaml_places import CannotEdit, Meta, with_mapping
from reverse_etl.state.destination import Destination, Destinations

FORMAT = 1
Columns = Mapping[str, Mapping[str, ModelColumn]]
"""Model → column, as `manifest.read_columns` gives it."""


class _SyncMapping(BaseModel):
    model_config = ConfigDict(extra="ignore")
    name: str
    columns: dict[str, dict[str, Any]]


class _Document(BaseModel):
    format: int = Field(ge=FORMAT, le=FORMAT)
    syncs: list[_SyncMapping]


@dataclass(frozen=True)
class MappingChange:
    """One column whose mapping changes; an empty mapping is none."""

    sync: Sync
    column: str
    before: Meta
    after: Meta

    def __str__(self) -> str:
        return f"{self.sync.name}.{self.column}: {_said(self.before)} → {_said(self.after)}"


def exported(syncs: Sequence[Sync], columns: Columns) -> dict[str, Any]:
    """The document of all mappings."""
    return {
        "format": FORMAT,
        "syncs": [
            {
                "name": sync.name, "destination": sync.destination, "connection": sync.connection,
                "resource": sync.resource, "file": sync.file, "columns": _mapped(columns[sync.name]),
            }
            for sync in syncs
        ],
    }  # fmt: skip


def changes(
    session: Session, syncs: Sequence[Sync], destinations: Destinations, columns: Columns, document: object
) -> list[MappingChange]:
    """What a document changes.

    Raises `SyncError` with every problem: wrong form, unknown syncs and columns, and what the destination's schema
    says against the new mapping.
    """
    by_name = {sync.name: sync for sync in syncs}
    found: list[MappingChange] = []
    problems: list[str] = []
    for given in _read(document).syncs:
        sync = by_name.get(given.name)
        if sync is None:
            problems.append(f"there is no sync {given.name}; known are {', '.join(sorted(by_name))}")
            continue
        problems += _refused(session, sync, destinations[sync.destination], given, columns[sync.name])
        found += _changed(sync, given, columns[sync.name])
    if problems:
        raise SyncError(problems)
    return found


def edited(changed: Sequence[MappingChange], project: Path) -> dict[Path, str]:
    """The new text of every file that the changes touch. Raises `CannotEdit`."""
    texts: dict[Path, str] = {}
    for sync in {one.sync.name: one.sync for one in changed}.values():
        path = project / sync.file
        text = texts.get(path) or _read_file(path)
        metas = {one.column: one.after for one in changed if one.sync == sync}
        texts[path] = with_mapping(text, sync.name, metas)
    return texts


def _read_file(path: Path) -> str:
    try:
        return read_text(path).replace("\r\n", "\n")
    except UnreadableYaml as error:
        raise CannotEdit(f"{path.name}, line {error.line}: {error}") from None


def _read(document: object) -> _Document:
    try:
        return _Document.model_validate(document)
    except ValidationError as error:
        raise SyncError(
            [f"the mapping document: {one['msg']} ({_place(one['loc'])})" for one in error.errors()]
        ) from None


def _refused(
    session: Session,
    sync: Sync,
    destination: Destination,
    given: _SyncMapping,
    columns: Mapping[str, ModelColumn],
) -> Iterator[str]:
    """What is wrong with the new mapping of one sync."""
    where = f"{sync.file}, model {sync.name}"
    if unknown := sorted(set(given.columns) - set(columns)):
        yield f"{where}: no column {', '.join(unknown)}; add it to the SQL and to the model's `columns:` first"
        return
    fields = [as_field(name, columns[name].data_type, meta) for name, meta in given.columns.items()]
    try:
        changed = Sync.model_validate({**sync.model_dump(by_alias=True), "fields": fields})
    except ValidationError as error:
        yield from (f"{where}: {one['msg']} ({_place(one['loc'])})" for one in error.errors())
        return
    if missing := sorted(set(changed.columns) - set(columns)):
        yield f"{where}: the mapping uses the column {', '.join(missing)}, which the model does not have"
    yield from map(str, destination.mapping_problems(session, changed))


def _changed(sync: Sync, given: _SyncMapping, columns: Mapping[str, ModelColumn]) -> Iterator[MappingChange]:
    mapped = _mapped(columns)
    for column in dict.fromkeys((*mapped, *given.columns)):
        was, becomes = mapped.get(column, {}), given.columns.get(column, {})
        if dict(was) != becomes:
            yield MappingChange(sync, column, was, becomes)


def _mapped(columns: Mapping[str, ModelColumn]) -> dict[str, Meta]:
    return {name: column.meta for name, column in columns.items() if "field" in column.meta}


def _place(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location) or "the whole"


def _said(meta: Meta) -> str:
    return ", ".join(f"{name}: {value}" for name, value in meta.items()) or "not mapped"
