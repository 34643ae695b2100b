"""Peer of a REST API: dlt's declarative `rest_api` source, page after page as it reads them."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from benchmarks.measuring import Clock, Facts


def land(clock: Clock, *, url: str, base_url: str, pages: int, file_format: str | None = None) -> Facts:
    """Load so many pages into an empty warehouse; no file format is dlt's default one."""
    os.environ.update({"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL"})
    import dlt.common.libs.sql_alchemy_compat
    import dlt.destinations.impl.duckdb.duck
    import dlt.destinations.impl.postgres.postgres
    from dlt.sources.rest_api import rest_api_source

    if url.startswith("duckdb:"):
        destination: Any = dlt.destinations.duckdb(url.removeprefix("duckdb:///"))
    else:
        destination = dlt.destinations.postgres(url)
    paginator = {
        "type": "page_number", "base_page": 1, "total_path": "total_pages", "maximum_page": pages + 1,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, clock:
        source = rest_api_source(
            {
                "client": {"base_url": base_url, "paginator": paginator},
                "resources": [
                    {"name": "products", "endpoint": {"path": "products", "data_selector": "data"}}
                ],
            }
        )
        pipeline = dlt.pipeline(
            "rest", destination=destination, dataset_name="raw_rest", pipelines_dir=folder
        )
        pipeline.run(source, loader_file_format=file_format)
    with pipeline.sql_client() as client:
        rows = client.execute_sql("SELECT count(*) FROM products")
    return {"landed": rows[0][0] if rows else 0}
