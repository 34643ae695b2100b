"""The ledger: what we last applied per row, with the remote id and what the destination answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from karvon.warehouse import Session, Warehouse
from reverse_etl.spec.states import DEFAULT_CHILD
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import digest
from reverse_etl.state.operations import compact

SEPARATOR = "\x1f"
_JSON = ("sent", "answered", "extras")
_TEXT = (
    "destination", "connection", "sync", "key", "remote_id", "parent_remote_id", "sent", "sent_hash", "answered",
    "extras", "row_hash", "mapping_hash", "mirror_hash", "plan_id", "batch",
)  # fmt: skip
_TIME = ("stock_at", "applied_at")
_FIELDS = (
    "destination", "connection", "sync", "key", "remote_id", "parent_remote_id", "sent", "answered", "extras",
    "row_hash", "mapping_hash", "mirror_hash", "removed", "stock_sent", "stock_answered", "stock_at", "applied_at",
    "plan_id",
)  # fmt: skip
_SETTLED = ("sync", "destination", "connection", "key", "remote_id", "applied_at", "row_hash", "mapping_hash",
            "mirror_hash", "removed")  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One ledger row."""

    destination: str
    connection: str
    sync: str
    key: str
    remote_id: str
    parent_remote_id: str | None
    applied_at: datetime
    sent: Mapping[str, Any] = field(default_factory=dict)
    """Field → canonical form of what we sent."""
    answered: Mapping[str, Any] = field(default_factory=dict)
    """Field → value that the destination answered."""
    extras: Mapping[str, Any] = field(default_factory=dict)
    row_hash: str = ""
    mapping_hash: str = ""
    mirror_hash: str | None = None
    removed: bool = False
    stock_sent: int | None = None
    stock_answered: int | None = None
    stock_at: datetime | None = None
    plan_id: str = ""


def keys_of(keys: Iterable[str]) -> str:
    """Keys as one parameter for `listed`."""
    return SEPARATOR.join(keys)


def listed(position: int) -> str:
    """A subquery of the keys in parameter `position`; both engines know the function."""
    return f"(SELECT unnest(string_to_array(${position}, chr(31))))"


def read(session: Session, sync: Sync, keys: Sequence[str]) -> dict[str, Entry]:
    """Entries of a sync by key."""
    return _entries(session, sync.destination, sync.connection, sync.name, "key", keys)


def read_named(
    session: Session, target: tuple[str, str], wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Entry]:
    """Entries of several syncs of one connection, by (sync, key)."""
    by_sync: dict[str, set[str]] = {}
    for sync, key in wanted:
        by_sync.setdefault(sync, set()).add(key)
    return {
        (sync, key): entry
        for sync, keys in by_sync.items()
        for key, entry in _entries(session, *target, sync, "key", sorted(keys)).items()
    }


def claimed(session: Session, sync: Sync, remote_ids: Sequence[str]) -> dict[str, str]:
    """Which of these remote records belong to a row already: remote id → key."""
    found = _entries(session, sync.destination, sync.connection, sync.name, "remote_id", remote_ids)
    return {entry.remote_id: key for key, entry in found.items()}


def remote_ids(session: Session, sync: Sync, keys: Sequence[str]) -> dict[str, str]:
    """Key → remote id, without the weight of whole entries."""
    if not keys:
        return {}
    rows = session.rows(
        "SELECT key, remote_id FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND sync = $3 "
        f"AND key IN {listed(4)}",
        (*sync.target, sync.name, keys_of(keys)),
    )
    return {row["key"]: row["remote_id"] for row in rows}


def default_children(
    session: Session, sync: Sync, parent: str, remotes: Iterable[str]
) -> dict[str, tuple[str, str]]:
    """Remote id of a parent → key and remote id of the child that it shows first, where that child is ours."""
    rows = session.rows(
        f"""SELECT p.remote_id AS parent, p.extras, c.key, c.remote_id FROM reverse_etl.ledger AS p
        JOIN reverse_etl.ledger AS c ON c.destination = p.destination AND c.connection = p.connection
          AND c.sync = $3 AND c.parent_remote_id = p.remote_id
        WHERE p.destination = $1 AND p.connection = $2 AND p.sync = $4 AND p.remote_id IN {listed(5)}""",
        (*sync.target, sync.name, parent, keys_of(remotes)),
    )
    return {
        row["parent"]: (row["key"], row["remote_id"])
        for row in rows
        if orjson.loads(row["extras"]).get(DEFAULT_CHILD) == row["remote_id"]
    }


def parent_keys(session: Session, sync: Sync, parent: str, keys: Sequence[str]) -> dict[str, str]:
    """Key of a child → key of the row whose record it is below."""
    rows = session.rows(
        f"""SELECT c.key, p.key AS parent FROM reverse_etl.ledger AS c
        JOIN reverse_etl.ledger AS p ON p.destination = c.destination AND p.connection = c.connection
          AND p.sync = $4 AND p.remote_id = c.parent_remote_id
        WHERE c.destination = $1 AND c.connection = $2 AND c.sync = $3 AND c.key IN {listed(5)}""",
        (*sync.target, sync.name, parent, keys_of(keys)),
    )
    return {row["key"]: row["parent"] for row in rows}


def forget_others(session: Session, sync: Sync, owners: Mapping[str, str]) -> None:
    """Take out entries of rows whose record belongs to another row now (remote id → its key); inside a transaction."""
    for row in session.rows(
        "SELECT key, remote_id FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND sync = $3 "
        f"AND remote_id IN {listed(4)}",
        (*sync.target, sync.name, keys_of(owners)),
    ):
        if row["key"] != owners[row["remote_id"]]:
            session.execute(
                "DELETE FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND sync = $3 AND key = $4",
                (*sync.target, sync.name, row["key"]),
            )


def _entries(
    session: Session, destination: str, connection: str, sync: str, column: str, wanted: Sequence[str]
) -> dict[str, Entry]:
    if not wanted:
        return {}
    rows = session.rows(
        f"SELECT {', '.join(_FIELDS)} FROM reverse_etl.ledger WHERE "
        + session.selective(
            "reverse_etl.ledger",
            f"destination = $1 AND connection = $2 AND sync = $3 AND {column} IN {listed(4)}",
        ),
        (destination, connection, sync, keys_of(wanted)),
    )
    for row in rows:
        row |= {name: orjson.loads(row[name]) for name in _JSON}
    return {row["key"]: Entry(**row) for row in rows}


def write(session: Session, entries: Iterable[Entry]) -> None:
    """Put entries in place of what was there; call it inside a transaction."""
    wanted = list(entries)
    if not wanted:
        return
    forget(session, wanted)
    session.append("reverse_etl.ledger", _table(_rows(wanted)))


def forget(session: Session, entries: Iterable[Entry]) -> None:
    """Take entries out; call it inside a transaction."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for entry in entries:
        groups.setdefault((entry.destination, entry.connection, entry.sync), []).append(entry.key)
    for group, keys in groups.items():
        session.execute(
            "DELETE FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND sync = $3 "
            f"AND key IN {listed(4)}",
            (*group, keys_of(keys)),
        )


def settle(session: Session, batch: str, entries: Sequence[Entry]) -> None:
    """Note that rows were compared and need nothing, unless they were written meanwhile.

    `applied_at` stays what it was: nothing was applied.
    """
    if not entries:
        return
    rows = [
        {
            "batch": batch,
            **{name: getattr(entry, name) for name in _SETTLED},
            "sent": compact(entry.sent),
            "sent_hash": digest(entry.sent),
            "answered": compact(entry.answered),
            "extras": compact(entry.extras),
        }
        for entry in entries
    ]
    session.append("reverse_etl.settling", _table(rows))
    columns = (
        "sent", "sent_hash", "answered", "extras", "row_hash", "mapping_hash", "mirror_hash", "removed",
    )  # fmt: skip
    session.execute(
        f"UPDATE reverse_etl.ledger AS l SET {', '.join(f'{name} = s.{name}' for name in columns)} "
        "FROM reverse_etl.settling AS s WHERE s.batch = $1 AND l.destination = s.destination "
        "AND l.connection = s.connection AND l.sync = s.sync AND l.key = s.key AND l.applied_at = s.applied_at",
        (batch,),
    )
    session.execute("DELETE FROM reverse_etl.settling WHERE batch = $1", (batch,))


def unsettle(session: Session, sync: Sync, remote_ids: Sequence[str]) -> None:
    """Have the rows of a sync compared again whose record was answered with one of these ids in a field."""
    session.execute(
        f"""UPDATE reverse_etl.ledger SET row_hash = '' WHERE destination = $1 AND connection = $2 AND sync = $3
          AND EXISTS (SELECT 1 FROM {listed(4)} AS old (id) WHERE position(old.id IN answered) > 0)""",
        (*sync.target, sync.name, keys_of(remote_ids)),
    )


def without_row(entry: Entry, *, mirror_hash: str | None) -> Entry:
    """The entry of a row that left the shop: its next appearance is compared anew."""
    return replace(entry, removed=True, row_hash="", mirror_hash=mirror_hash)


def _rows(entries: Iterable[Entry]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        row = {name: getattr(entry, name) for name in _FIELDS}
        yield {**row, **{name: compact(row[name]) for name in _JSON}, "sent_hash": digest(entry.sent)}


def _table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    listing = list(rows)

    def kind(name: str) -> Any:
        if name in _TEXT:
            return pa.string()
        if name in _TIME:
            return pa.timestamp("us", "UTC")
        return pa.bool_() if name == "removed" else pa.int64()

    return pa.Table.from_pylist(listing, schema=pa.schema([(name, kind(name)) for name in listing[0]]))


def managed_stock(warehouse: Warehouse, connection: str, not_seen_since: datetime) -> list[str]:
    """Remote ids of this connection whose stock we manage and have not seen since: what the mirror reads again."""
    with warehouse.session() as session:
        if not session.has_table("reverse_etl.ledger"):
            return []
        rows = session.rows(
            "SELECT DISTINCT remote_id FROM reverse_etl.ledger WHERE connection = $1 "
            "AND stock_sent IS NOT NULL AND stock_at < $2 AND NOT removed ORDER BY remote_id",
            (connection, not_seen_since),
        )
    return [row["remote_id"] for row in rows]
