"""Floor of a REST API into Postgres: as into DuckDB, with binary COPY through ADBC in one transaction."""

from __future__ import annotations

import asyncio

import adbc_driver_postgresql.dbapi

from benchmarks.floors.landing_duckdb import CHUNK, changes
from benchmarks.floors.rest_duckdb import all_rows
from benchmarks.measuring import Clock, Facts


def land(clock: Clock, *, url: str, base_url: str) -> Facts:
    """Land what the table does not hold yet; the indexes are made after the rows are in."""
    with clock:
        documents = asyncio.run(all_rows(base_url))
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
    return {"landed": landed}
