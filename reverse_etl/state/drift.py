"""Drift: edits that somebody made in the destination, as rows of `reverse_etl.drift`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from karvon.warehouse import Session
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.ledger import keys_of, listed
from reverse_etl.state.operations import OVERWRITTEN, compact

Decided = Literal["overwritten", "kept", "reported"]
_TEXT = ("plan_id", "destination", "connection", "sync", "key", "field", "ours", "answered", "theirs", "policy",
         "decided")  # fmt: skip
_SCHEMA = pa.schema([("found_at", pa.timestamp("us", "UTC")), *((name, pa.string()) for name in _TEXT)])


@dataclass(frozen=True)
class Drift:
    """One field or state that is not what the destination answered to our last write."""

    sync: str
    key: str
    field: str
    ours: Any
    answered: Any
    theirs: Any
    policy: str
    decided: Decided


def decided(policy: str) -> Decided:
    """What a policy does with drift."""
    return "kept" if policy == "keep" else "reported" if policy == "report" else OVERWRITTEN


def store(
    session: Session, plan_id: str, at: datetime, drifts: Sequence[Drift], syncs: Mapping[str, Sync]
) -> None:
    """Write drift down; call it inside a transaction.

    What is left standing has one row, however many plans see it: it keeps the time when it was seen first.
    """
    for name in dict.fromkeys(one.sync for one in drifts):
        mine = [one for one in drifts if one.sync == name]
        target = syncs[name].target
        scope = (*target, name, keys_of(sorted({one.key for one in mine})))
        where = (
            "destination = $1 AND connection = $2 AND sync = $3 AND decided <> 'overwritten' "
            f"AND key IN {listed(4)}"
        )
        before = {
            (row["key"], row["field"], row["theirs"]): row["found_at"]
            for row in session.rows(
                f"SELECT key, field, theirs, found_at FROM reverse_etl.drift WHERE {where}", scope
            )
        }
        session.execute(f"DELETE FROM reverse_etl.drift WHERE {where}", scope)
        rows = [
            {
                "plan_id": plan_id, "destination": target[0], "connection": target[1], "sync": name, "key": one.key,
                "field": one.field, "ours": compact(one.ours), "answered": compact(one.answered),
                "theirs": compact(one.theirs), "policy": one.policy, "decided": one.decided,
                "found_at": before.get((one.key, one.field, compact(one.theirs)), at),
            }
            for one in mine
        ]  # fmt: skip
        session.append("reverse_etl.drift", pa.Table.from_pylist(rows, schema=_SCHEMA))
