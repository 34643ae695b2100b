"""Holds: changes that wait for a person, as rows of `reverse_etl.holds`; `planning.holding` judges which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from karvon.warehouse import Session
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.ledger import keys_of, listed
from reverse_etl.state.operations import compact

PRICE, EMPTIED, UNDONE = "max_price_change", "max_emptied", "undone"
ADOPTION, TRANSITION = "adoption", "transition"
REMOVAL = "removal"
"""Stands for the value where a removal waits."""
_COLUMNS = ("plan_id", "destination", "connection", "sync", "key", "rule", "field", "before", "after", "value_hash",
            "message")  # fmt: skip
_SCHEMA = pa.schema([("held_at", pa.timestamp("us", "UTC")), *((name, pa.string()) for name in _COLUMNS)])


@dataclass(frozen=True)
class Hold:
    """One change that waits for a person; `field` is empty where the whole row waits."""

    destination: str
    connection: str
    sync: str
    key: str
    rule: str
    field: str
    before: Any
    after: Any
    value_hash: str
    message: str
    plan_id: str = ""
    held_at: datetime | None = None

    @property
    def holds_row(self) -> bool:
        return self.rule == PRICE or not self.field


def store(
    session: Session,
    plan_id: str,
    at: datetime,
    holds: Sequence[Hold],
    judged: Mapping[str, Sequence[str] | None],
    syncs: Mapping[str, Sync],
) -> None:
    """Put the holds of a plan in place of those before; call it inside a transaction.

    `judged` are the keys that the plan looked at by sync, None for all.
    """
    for name, keys in judged.items():
        mine = [hold for hold in holds if hold.sync == name]
        params: list[Any] = [*syncs[name].target, name]
        where = "destination = $1 AND connection = $2 AND sync = $3"
        if keys is not None:
            params.append(keys_of(keys))
            where += f" AND key IN {listed(4)}"
        known = {
            (row["key"], row["rule"], row["field"], row["value_hash"]): row["held_at"]
            for row in session.rows(
                f"SELECT key, rule, field, value_hash, held_at FROM reverse_etl.holds WHERE {where}", params
            )
        }
        if known:
            session.execute(f"DELETE FROM reverse_etl.holds WHERE {where}", params)
        if mine:
            rows = [
                {
                    **{column: getattr(hold, column) for column in _COLUMNS}, "plan_id": plan_id,
                    "before": compact(hold.before), "after": compact(hold.after),
                    "held_at": known.get((hold.key, hold.rule, hold.field, hold.value_hash), at),
                }
                for hold in mine
            ]  # fmt: skip
            session.append("reverse_etl.holds", pa.Table.from_pylist(rows, schema=_SCHEMA))


def load(session: Session, where: str = "true", params: Sequence[Any] = ()) -> list[Hold]:
    """What waits now."""
    rows = session.rows(
        f"SELECT held_at, {', '.join(_COLUMNS)} FROM reverse_etl.holds WHERE {where} ORDER BY sync, key, rule, field",
        params,
    )
    return [
        Hold(**{**row, "before": orjson.loads(row["before"]), "after": orjson.loads(row["after"])})
        for row in rows
    ]
