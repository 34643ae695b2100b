"""Floor of landing into DuckDB: documents → canonical JSON and hash → Arrow → INSERT, with change detection.

All it knows is one process, one table and a fresh id: no observations, no tombstones, no resumption.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from benchmarks.documents import product_documents
from benchmarks.measuring import Clock, Facts

CHUNK = 5_000


def land(clock: Clock, *, url: str, count: int) -> Facts:
    """Land what the table does not hold yet."""
    documents = product_documents(count)
    with clock:
        return {"landed": insert(url, documents)}


def insert(url: str, documents: list[dict[str, Any]]) -> int:
    """Insert what is new and say how many."""
    warehouse = duckdb.connect(url.removeprefix("duckdb:///"))
    warehouse.execute(
        "CREATE TABLE IF NOT EXISTS products (connection text, document_key text, document json, "
        "document_hash text, landed_at timestamptz, is_deleted boolean, load_id text)"
    )
    known = dict(warehouse.execute("SELECT document_key, document_hash FROM products").fetchall())
    landed = 0
    warehouse.begin()
    for start in range(0, len(documents), CHUNK):
        rows = changes(documents[start : start + CHUNK], known)
        landed += rows.num_rows
        if rows.num_rows:
            warehouse.execute("INSERT INTO products SELECT * FROM rows")
    warehouse.commit()
    warehouse.close()
    return landed


def changes(documents: list[dict[str, Any]], known: dict[str, str]) -> pa.Table:
    """Rows for the documents whose hash is new."""
    keys, texts, digests = [], [], []
    for document in documents:
        body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        if known.get(document["id"]) != digest:
            keys.append(document["id"])
            texts.append(body.decode())
            digests.append(digest)
    count = len(keys)
    return pa.table(
        {
            "connection": pa.array(["default"] * count, pa.string()),
            "document_key": pa.array(keys, pa.string()),
            "document": pa.array(texts, pa.string()),
            "document_hash": pa.array(digests, pa.string()),
            "landed_at": pa.array([datetime.now(UTC)] * count, pa.timestamp("us", "UTC")),
            "is_deleted": pa.array([False] * count, pa.bool_()),
            "load_id": pa.array(["1"] * count, pa.string()),
        }
    )
