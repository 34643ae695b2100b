"""What of persons stands in the raw tables: a sample of the newest documents of each, counted by path and kind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection

from karvon.warehouse import Session, Warehouse
from pipelines.persons import counted

NEWEST = 1_000
"""Documents of a table that are looked at."""
USER_RECORDS = "raw_user_apis.records"

Found = dict[str, Counter[tuple[str, str]]]
"""By table: (path, kind) → values."""


def persons_in_raw(warehouse: Warehouse, hashed: Collection[tuple[str, str]] = ()) -> Found:
    """Values that look like a person's, never the values themselves.

    Of users' sources only those of `hashed` (user, source) are looked at: the others were asked to keep persons.
    """
    with warehouse.session() as session:
        tables = session.rows(
            "SELECT table_schema || '.' || table_name AS name FROM information_schema.columns "
            "WHERE table_schema LIKE 'raw_%' AND column_name = 'document' ORDER BY 1"
        )
        found = {row["name"]: _counted(session, row["name"], hashed) for row in tables}
    return {table: counts for table, counts in found.items() if counts}


def _counted(session: Session, table: str, hashed: Collection[tuple[str, str]]) -> Counter[tuple[str, str]]:
    is_of_users = table == USER_RECORDS
    keys = sorted(f"{user}/{source}" for user, source in hashed)
    rows = session.rows(
        f"SELECT document::text AS document FROM {table} "
        + ("WHERE user_id || '/' || source_id IN (SELECT unnest($1::text[])) " if is_of_users else "")
        + f"ORDER BY _dlt_load_id DESC LIMIT {NEWEST}",
        (keys,) if is_of_users else (),
    )
    return counted(json.loads(row["document"]) for row in rows)


def told(found: Found) -> str:
    """The findings for people: counts, kinds and places."""
    return "; ".join(
        f"{table}: {', '.join(f'{count} × {kind} at {path}' for (path, kind), count in sorted(counts.items()))}"
        for table, counts in sorted(found.items())
    )
