"""What people call rows: the name and the code behind keys and remote ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from karvon.warehouse import Session
from reverse_etl.planning.scan import chunks
from reverse_etl.spec.syncs import Sync
from reverse_etl.state import ledger
from reverse_etl.state.ledger import keys_of, listed

NAME, CODES = "name", ("sku", "code")
"""Fields that name a row, in the words of the destinations."""


@dataclass(frozen=True)
class Label:
    """Either part may be missing."""

    name: str | None
    code: str | None


def labels(session: Session, sync: Sync, keys: Iterable[str]) -> dict[str, Label]:
    """Key → label, for rows that the model still has."""
    wanted = sorted({key for key in keys if key})
    columns = _columns(session, sync)
    name = next((spec.column for spec in sync.fields if spec.field == NAME), None)
    code = next((spec.column for spec in sync.fields if spec.field in CODES), None)
    picked = [
        f'CAST("{column}" AS text) AS {alias}' if column in columns else f"CAST(NULL AS text) AS {alias}"
        for column, alias in ((name, "name"), (code, "code"))
    ]
    found: dict[str, Label] = {}
    if sync.key not in columns:
        return found
    for part in chunks(wanted, 20_000):
        rows = session.rows(
            f'SELECT CAST("{sync.key}" AS text) AS key, {", ".join(picked)} FROM {sync.relation} '
            f'WHERE CAST("{sync.key}" AS text) IN {listed(1)}',
            (keys_of(part),),
        )
        found |= {row["key"]: Label(row["name"], row["code"]) for row in rows}
    return found


def referred_names(
    session: Session, syncs: Sequence[Sync], keys: Mapping[str, Iterable[str]]
) -> dict[str, str]:
    """Names behind the keys, and behind the remote ids, that `references` fields of these syncs hold.

    `keys` are what the fields hold, by the sync they refer to.
    """
    names: dict[str, str] = {}
    for sync in syncs:
        held = sorted(set(keys.get(sync.name, ())))
        if not held:
            continue
        remote = ledger.claimed(session, sync, held)
        mine = labels(session, sync, [*held, *remote.values()])
        names |= {key: label.name for key, label in mine.items() if label.name}
        names |= {remote_id: names[key] for remote_id, key in remote.items() if key in names}
    return names


def _columns(session: Session, sync: Sync) -> set[str]:
    rows = session.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2",
        (sync.schema_name, sync.table),
    )
    return {row["column_name"] for row in rows}
