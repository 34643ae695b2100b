"""The exact requests that one row would cause, without sending one (nothing is stored either).

The row is planned, and the plan is carried out by the destination's own channel over a transport that only keeps
what it is given. Two questions beside "what now": `as_new` asks what a shop without the row would get, `values` what
other values in some columns would become.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby

from karvon.rehearsal import Request
from karvon.warehouse import Session, Warehouse
from reverse_etl.planning.plan import make_plan
from reverse_etl.spec.syncs import AS_NEW, Sync
from reverse_etl.state import ledger
from reverse_etl.state.destination import Channels, Destinations, Known, Outcome
from reverse_etl.state.ledger import Entry
from reverse_etl.state.operations import Finding, Operation, sending

_NUMBERS = ("int", "bigint", "smallint", "hugeint", "numeric", "decimal", "double", "real", "float")


@dataclass(frozen=True)
class Preview:
    """Requests in sending order, and what is said about the row."""

    requests: tuple[Request, ...]
    findings: tuple[Finding, ...]
    operations: tuple[Operation, ...]


class UnknownColumn(Exception):
    """A value was given for a column that no sync has, or that the column cannot hold."""


def preview(
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    destinations: Destinations,
    key: str,
    requests: list[Request],
    channels: Channels,
    *,
    as_new: bool = False,
    values: Mapping[str, str] | None = None,
) -> Preview:
    """What the row with this key (or SKU code) and what belongs to it would send.

    `channels` open on rehearsals that write into `requests`. `values`: column → another value, for all rows of the
    one sync that has the column, or of the named one (`sync.column`). Raises `UnknownKey`, `UnknownColumn` and what
    planning raises.
    """
    if as_new:
        syncs = _as_new(syncs)
    with _having(warehouse, syncs, values or {}) as chosen:
        plan = make_plan(warehouse, chosen, destinations, key=key, store=False, retry=True)
        outcomes = asyncio.run(_rehearse(warehouse, chosen, plan.operations, channels))
    unsent = [
        Finding("deferred", one.operation.sync, one.operation.key, one.error or "")
        for one in outcomes
        if one.status != "done"
    ]
    return Preview(tuple(requests), (*plan.findings, *unsent), plan.operations)


@dataclass(frozen=True)
class Estimate:
    """What a sync of everything costs. `items` count against the site's plan (products, SKUs, CMS items)."""

    requests: int
    minutes: float
    rate_per_minute: float
    items: int
    counts: Mapping[str, Mapping[str, int]]


def estimate(
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    destinations: Destinations,
    rate_per_minute: float,
    *,
    as_new: bool = False,
) -> Estimate:
    """Plan everything and store nothing. `as_new`: for a shop that has nothing yet."""
    chosen = _as_new(syncs) if as_new else syncs
    plan = make_plan(
        warehouse, chosen, destinations, store=False, retry=True, rate_per_minute=rate_per_minute
    )
    created = sum(one.action == "create" for one in plan.operations)
    with warehouse.session() as session:
        there = 0 if as_new else session.value("SELECT count(*) FROM reverse_etl.ledger WHERE NOT removed")
    return Estimate(plan.request_count, plan.minutes, rate_per_minute, int(there) + created, plan.counts)


def _as_new(syncs: Sequence[Sync]) -> list[Sync]:
    return [
        sync.model_copy(update={"connection": f"{AS_NEW}{sync.connection}", "mode": "upsert"})
        for sync in syncs
    ]


async def _rehearse(
    warehouse: Warehouse, syncs: Sequence[Sync], operations: Sequence[Operation], channels: Channels
) -> list[Outcome]:
    by_name = {sync.name: sync for sync in syncs}
    done: dict[tuple[str, str], Entry] = {}
    outcomes: list[Outcome] = []
    for target in dict.fromkeys(one.target for one in operations):
        mine = sorted(
            (one for one in operations if one.target == target), key=lambda one: (one.stage, one.seq)
        )
        async with channels[target](by_name) as channel:
            for _, group in groupby(mine, key=lambda one: one.call):
                call = list(group)
                prepared = await channel.prepare(call, _known(warehouse, target, call, done))
                ready = [sending(one) for one in prepared if isinstance(one, Operation)]
                answered = [one for one in prepared if isinstance(one, Outcome)]
                answered += await channel.send(ready) if ready else []
                done |= {one.operation.identity: _entry(one) for one in answered if one.record}
                outcomes += answered
    return outcomes


def _known(
    warehouse: Warehouse,
    target: tuple[str, str],
    call: Sequence[Operation],
    done: Mapping[tuple[str, str], Entry],
) -> Known:
    names = {one.identity for one in call}
    names |= {(one.parent_sync, one.parent_key) for one in call if one.parent_sync and one.parent_key}
    for one in call:
        for value in one.payload.get("fieldData", {}).values():
            if isinstance(value, Mapping) and isinstance(symbol := value.get("$references"), Mapping):
                names |= {(symbol["sync"], key) for key in symbol["keys"]}
    with warehouse.session() as session:
        stored = ledger.read_named(session, target, names)
    return Known({**stored, **done})


def _entry(outcome: Outcome) -> Entry:
    """The ledger's row as it would be after the outcome, as far as later calls need it."""
    one, record = outcome.operation, outcome.record
    assert record is not None  # noqa: S101 - only outcomes with one come here
    return Entry(
        *one.target, one.sync, one.key, record.remote_id, record.parent_remote_id, datetime.now(UTC),
        answered=record.values, extras=record.extras or one.extras,
    )  # fmt: skip


@contextmanager
def _having(warehouse: Warehouse, syncs: Sequence[Sync], values: Mapping[str, str]) -> Iterator[list[Sync]]:
    """The syncs reading views in which some columns have other values, for as long as the block lasts.

    Views in a schema of their own, because planning opens its own session and Postgres reads in bulk through
    another connection, which sees no temporary table.
    """
    if not values:
        yield list(syncs)
        return
    by_sync = _by_sync(syncs, values)
    schema = f"karvon_preview_{uuid.uuid4().hex[:8]}"
    with warehouse.session() as session:
        session.execute(f"CREATE SCHEMA {schema}")
        for sync in syncs:
            if sync.name in by_sync:
                _create_view(session, schema, sync, by_sync[sync.name])
    try:
        yield [
            sync.model_copy(update={"schema_name": schema}) if sync.name in by_sync else sync
            for sync in syncs
        ]
    finally:
        with warehouse.session() as session:
            session.execute(f"DROP SCHEMA {schema} CASCADE")


def _by_sync(syncs: Sequence[Sync], values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    chosen: dict[str, dict[str, str]] = {}
    for name, value in values.items():
        said, _, column = name.rpartition(".")
        owners = [sync.name for sync in syncs if said in ("", sync.name) and column in sync.columns]
        if len(owners) != 1:
            known = sorted({f"{sync.name}.{one}" for sync in syncs for one in sync.columns if one == column})
            raise UnknownColumn(
                f"{name}: write it as one of {', '.join(known)}"
                if known
                else f"no sync has the column {name}"
            )
        chosen.setdefault(owners[0], {})[column] = value
    return chosen


def _checked(name: str, kind: str, value: str) -> str:
    """The value as a literal. Raises `UnknownColumn` when it is none of the column's type."""
    if value == "":
        return "NULL"
    try:
        if kind.lower().startswith(_NUMBERS):
            Decimal(value)
        elif kind.lower() == "boolean" and value not in ("true", "false"):
            raise ArithmeticError
    except ArithmeticError:
        raise UnknownColumn(f"{name}: {value!r} is no {kind.lower()}") from None
    return "'" + value.replace("'", "''") + "'"


def _create_view(session: Session, schema: str, sync: Sync, values: Mapping[str, str]) -> None:
    types = {
        row["column_name"]: row["data_type"]
        for row in session.rows(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
            (sync.schema_name, sync.table),
        )
    }
    columns = ", ".join(
        f'CAST({_checked(name, kind, values[name])} AS {kind}) AS "{name}"' if name in values else f'"{name}"'
        for name, kind in types.items()
    )
    session.execute(f'CREATE VIEW {schema}."{sync.table}" AS SELECT {columns} FROM {sync.relation}')
