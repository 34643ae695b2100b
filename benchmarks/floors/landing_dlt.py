"""Peer of landing: dlt's default way with JSON documents, which unnests them into a table per list."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from benchmarks.documents import product_documents
from benchmarks.measuring import Clock, Facts


def land(clock: Clock, *, url: str, count: int) -> Facts:
    """Load into an empty warehouse with dlt's defaults."""
    os.environ.update({"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"})
    import dlt

    documents = product_documents(count)
    if url.startswith("duckdb:"):
        destination: Any = dlt.destinations.duckdb(url.removeprefix("duckdb:///"))
    else:
        destination = dlt.destinations.postgres(url)
    with tempfile.TemporaryDirectory() as folder, clock:
        pipeline = dlt.pipeline(
            "nested", destination=destination, dataset_name="raw_nested", pipelines_dir=folder
        )
        pipeline.run(documents, table_name="products")
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM products")
    return {"landed": rows[0][0] if rows else 0}
