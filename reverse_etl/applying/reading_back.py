"""Written records as the destination shows them now: fetched by the open channel, understood as while planning."""

from __future__ import annotations

from collections.abc import Mapping

from reverse_etl.spec.syncs import FILES, FieldSpec
from reverse_etl.spec.values import already_there, shown_form
from reverse_etl.state.destination import Bound, Channel, Known, Record
from reverse_etl.state.operations import Operation


async def read_back(
    operation: Operation, known: Known, bounds: Mapping[str, Bound], channel: Channel
) -> Record | None:
    """The operation's record, None when it is not there. Raises from the `RemoteError` tree."""
    entry = known.of(*operation.identity)
    document = None if entry is None else await channel.read(operation, known)
    if entry is None or document is None:
        return None
    bound = bounds[operation.sync]
    return bound.destination.record(bound.sync, document, entry.remote_id)


def ids_of(spec: FieldSpec, known: Known, bounds: Mapping[str, Bound]) -> dict[str, str]:
    """Key → what a reference to its record looks like, for the rows that a field may refer to."""
    if not spec.sync:
        return {}
    destination = bounds[spec.sync].destination
    return {
        key: destination.referred_id(entry.remote_id)
        for (name, key), entry in known.entries.items()
        if name == spec.sync
    }


def has_arrived(operation: Operation, record: Record, known: Known, bounds: Mapping[str, Bound]) -> bool:
    """Whether the record proves that a write of unknown outcome was carried out.

    A file proves nothing: the one that was there before may have the same name.
    """
    sync = bounds[operation.sync].sync
    changed = [(sync.field(name), change["after"]) for name, change in operation.changes.items()]
    return all(
        spec is not None
        and spec.as_ not in FILES
        and already_there(
            spec, value, shown_form(spec, record.values.get(spec.field)), ids_of(spec, known, bounds)
        )
        for spec, value in changed
    )
