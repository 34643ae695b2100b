"""Parity: of the fields that the view wants to be so, the share that the destination shows so.

Rows without any difference, and rows that are not there, are counted by the engine; only the others are looked at field
by field. Held rows count:
the shop does not show what the view says of them. Fields that are given once or left to the destination do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pyarrow as pa

from karvon.warehouse import Session, Warehouse
from reverse_etl.planning.binding import bind
from reverse_etl.planning.scan import Scan, chunks
from reverse_etl.review.current_rows import rows_now
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Bound, Destinations
from reverse_etl.state.operations import now
from reverse_etl.state.schema import migrate


@dataclass(frozen=True)
class FieldParity:
    """One field of one sync at one moment."""

    plan_id: str
    measured_at: datetime
    destination: str
    connection: str
    sync: str
    field: str
    row_count: int
    equal_count: int


SCHEMA = pa.schema(
    [
        ("plan_id", pa.string()), ("measured_at", pa.timestamp("us", "UTC")), ("destination", pa.string()),
        ("connection", pa.string()), ("sync", pa.string()), ("field", pa.string()), ("row_count", pa.int64()),
        ("equal_count", pa.int64()),
    ]
)  # fmt: skip


def measure(
    warehouse: Warehouse,
    syncs: Sequence[Sync],
    destinations: Destinations,
    plan_id: str,
    *,
    but: Collection[str] = (),
) -> list[FieldParity]:
    """Measure all syncs but some and write it down in `reverse_etl.parity` as the outcome of a plan.

    Raises `ModelMissing`.

    What goes out as a whole (`takes_sets`) is not measured: nobody can look at its rows afterwards.
    """
    at = now()
    with warehouse.session() as session:
        migrate(warehouse, session)
        bounds = {bound.sync.name: bound for bound in bind(session, syncs, destinations)}
        measured = [
            FieldParity(plan_id, at, *bound.sync.target, bound.sync.name, name, wanted, equal)
            for bound in bounds.values()
            if not bound.destination.takes_sets and bound.sync.name not in but
            for name, wanted, equal in _fields(session, warehouse, bound, bounds)
        ]
        if measured:
            rows = [asdict(one) for one in measured]
            session.append("reverse_etl.parity", pa.Table.from_pylist(rows, schema=SCHEMA))
    return measured


def _fields(
    session: Session, warehouse: Warehouse, bound: Bound, bounds: Mapping[str, Bound]
) -> list[tuple[str, int, int]]:
    """Field, rows that should show it, rows that do."""
    sync = bound.sync
    parent = bounds[sync.parent.sync].sync if sync.parent else None
    scan = Scan(session, warehouse.dialect, sync, bound.destination, parent)
    scan.check()
    standings = scan.standings()
    wanted: Counter[str] = Counter()
    equal: Counter[str] = Counter()
    for spec in sync.fields:
        if spec.policy != "create_only":
            of = 1 if spec.as_ == "stock" else 0
            equal[spec.field] = standings.get("settled", (0, 0))[of]
            wanted[spec.field] = equal[spec.field] + standings.get("absent", (0, 0))[of]
    for part in chunks(scan.different()):
        for row in rows_now(session, warehouse.dialect, bound, part, bounds).values():
            for one in row.fields:
                # An empty number is left as it is there; an empty stock is not ours at all.
                if one.policy != "create_only" and (one.state != "not managed" or one.kind != "stock"):
                    wanted[one.field] += 1
                    equal[one.field] += one.state in ("equal", "not managed")
    return [(name, count, equal[name]) for name, count in wanted.items()]
