"""Floor of landing into Postgres: documents → canonical JSON and hash → Arrow → binary COPY through ADBC.

The table has the two indexes that change detection and staging need, made after the rows are in.
"""

from __future__ import annotations

from typing import Any

import adbc_driver_postgresql.dbapi

from benchmarks.documents import product_documents
from benchmarks.floors.landing_duckdb import CHUNK, changes
from benchmarks.measuring import Clock, Facts


def land(clock: Clock, *, url: str, count: int) -> Facts:
    """Land what the table does not hold yet."""
    documents = product_documents(count)
    with clock:
        return {"landed": copy(url, documents)}


def copy(url: str, documents: list[dict[str, Any]]) -> int:
    """Copy what is new in one transaction, and say how many."""
    with adbc_driver_postgresql.dbapi.connect(url) as warehouse, warehouse.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS products (connection text, document_key text, document json, "
            "document_hash text, landed_at timestamptz, is_deleted boolean, load_id text)"
        )
        cursor.execute("SELECT document_key, document_hash FROM products")
        known = dict(cursor.fetchall())
        landed = 0
        for start in range(0, len(documents), CHUNK):
            rows = changes(documents[start : start + CHUNK], known)
            landed += rows.num_rows
            if rows.num_rows:
                cursor.adbc_ingest("products", rows, mode="append")
        cursor.execute(
            "CREATE INDEX IF NOT EXISTS by_key ON products (connection, document_key, landed_at DESC)"
        )
        cursor.execute("CREATE INDEX IF NOT EXISTS by_load ON products (load_id)")
        warehouse.commit()
    return landed
