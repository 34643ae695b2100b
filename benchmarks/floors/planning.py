"""Floor of planning: bare SQL over the same tables, no plan made.

Per model: rows that are new or differ in any mapped column from the flat copy of what was last sent, rows that are
gone, and records whose landed document is not the one the ledger knows. The answer is fetched whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measuring import Clock, Facts


def compare(clock: Clock, *, url: str, models: Sequence[Mapping[str, Any]], current: str, sent: str) -> Facts:
    """`models`: table, key, columns, sync, mirror, document (the ledger's id that is the mirror's key)."""
    import duckdb
    import psycopg2

    found = 0
    with clock:
        if url.startswith("duckdb:"):
            cursor: Any = duckdb.connect(url.removeprefix("duckdb:///"))
        else:
            cursor = psycopg2.connect(url).cursor()
        for model in models:
            for query in _queries(model, current, sent):
                cursor.execute(query)
                found += len(cursor.fetchall())
    return {"found": found}


def _queries(model: Mapping[str, Any], current: str, sent: str) -> list[str]:
    table, key = model["table"], model["key"]
    differs = " OR ".join(f"d.{name} IS DISTINCT FROM s.{name}" for name in model["columns"])
    return [
        f"SELECT d.* FROM {current}.{table} d LEFT JOIN {sent}.{table} s ON s.{key} = d.{key} "
        f"WHERE s.{key} IS NULL OR {differs}",
        f"SELECT s.{key} FROM {sent}.{table} s LEFT JOIN {current}.{table} d ON s.{key} = d.{key} "
        f"WHERE d.{key} IS NULL",
        f"SELECT l.key FROM reverse_etl.ledger l JOIN {model['mirror']} m ON m.document_key = l.{model['document']} "
        f"WHERE l.sync = '{model['sync']}' AND m.document_hash <> l.mirror_hash",
    ]
