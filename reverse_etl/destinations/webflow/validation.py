"""Every Webflow sync against the live schema and the data in the warehouse; and what a mapping covers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from karvon.warehouse import Session
from reverse_etl.destinations.webflow.field_types import Collection, collection_of, read_collections
from reverse_etl.destinations.webflow.field_values import value_problems
from reverse_etl.spec.problems import MappingProblem
from reverse_etl.spec.syncs import Routed, Sync
from reverse_etl.spec.yaml_places import with_line
from reverse_etl.state import outstanding
from reverse_etl.state.destination import Destinations


def webflow_syncs(syncs: Sequence[Sync]) -> tuple[Sync, ...]:
    return tuple(sync for sync in syncs if sync.destination.startswith("webflow_"))


def validate(
    session: Session, syncs: Sequence[Sync], destinations: Destinations, project: Path
) -> list[MappingProblem]:
    """Problems of all syncs with file and line: fields and types first, then values. `project` is dbt's folder."""
    named = {sync.name: sync for sync in syncs}
    return [
        with_line(one, project)
        for sync in webflow_syncs(syncs)
        for one in _problems(session, sync, destinations, named)
    ]


def _problems(
    session: Session, sync: Sync, destinations: Destinations, syncs: Mapping[str, Sync]
) -> Iterator[MappingProblem]:
    destination = destinations.get(sync.destination)
    if destination is None:
        known = ", ".join(destinations)
        yield MappingProblem(
            sync.name, sync.file, "", f"unknown destination {sync.destination}", f"known are {known}"
        )
        return
    collections = read_collections(session, sync.connection)
    if not collections:
        yield MappingProblem(
            sync.name, sync.file, "", f"the fields of the site ({sync.connection}) are not known",
            "`karvon webflow schema --fresh` reads them",
        )  # fmt: skip
        return
    # As a plan sees it: typed by the live fields, so that options are compared by the names that the view holds.
    bound = destination.bind(session, sync, syncs)
    yield from bound.problems
    if isinstance(sync.collection, Routed):
        for one in collections:
            if one.slug in sync.collections:
                yield from value_problems(session, bound.sync, one, routed_by=sync.collection.column)
    elif collection := collection_of(sync, collections):
        yield from value_problems(session, bound.sync, collection)


@dataclass(frozen=True)
class Coverage:
    """One sync and the collection it feeds."""

    sync: str
    resource: str
    collection: str | None
    mode: str
    mapped: tuple[str, ...]
    unmapped: tuple[str, ...]
    """Fields of the collection that no column feeds."""
    rows: int | None
    """Of the model; None while it is not built."""
    not_ready: int
    """As the last plan says."""
    in_shop: int
    """Rows of ours that the ledger knows there."""


def coverage(session: Session, syncs: Sequence[Sync]) -> list[Coverage]:
    """What each sync feeds, and how many rows stand where."""
    return [_coverage(session, sync) for sync in webflow_syncs(syncs)]


def _coverage(session: Session, sync: Sync) -> Coverage:
    collection = collection_of(sync, read_collections(session, sync.connection))
    rows = _rows(session, sync)
    found = (
        outstanding.read(session, "sync = $1", (sync.name,)) if session.has_table(outstanding.TABLE) else []
    )
    not_ready = outstanding.total(outstanding.tallied(found).values()).not_ready
    ours = (
        session.value(
            "SELECT count(*) FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND sync = $3 "
            "AND NOT removed",
            (*sync.target, sync.name),
        )
        if session.has_table("reverse_etl.ledger")
        else 0
    )
    return Coverage(
        sync.name, sync.resource, collection.slug if collection else None, sync.mode,
        tuple(spec.field for spec in sync.fields), _unmapped(sync, collection), rows, not_ready, int(ours),
    )  # fmt: skip


def _rows(session: Session, sync: Sync) -> int | None:
    if not session.has_table(f"{sync.schema_name}.{sync.table}"):
        return None
    return int(session.value(f"SELECT count(*) FROM {sync.relation}"))


def _unmapped(sync: Sync, collection: Collection | None) -> tuple[str, ...]:
    mapped = {spec.field for spec in sync.fields}
    return tuple(one.slug for one in collection.fields if one.slug not in mapped) if collection else ()
