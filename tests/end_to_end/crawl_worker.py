"""A crawl as a process of its own, for the proofs: everything that is due, one slice by Dagster, or at a rate."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import Any

import dagster as dg

from karvon.connections import uzum_connections
from karvon.rate_limits import RateWindow, evenly
from karvon.settings import export_environment, load_settings
from karvon.warehouse import Warehouse
from pipelines.crawl import crawl_due
from pipelines.landing import LoadOptions
from pipelines.sources.uzum import SOURCE


def crawl_job() -> dg.JobDefinition:
    from orchestration.definitions import defs

    return defs().get_repository_def().get_job("crawl_job")


def by_dagster(partition: str) -> None:
    """One run of the crawl job, its step in a process of the multiprocess executor."""
    import crawl_worker

    export_environment(load_settings())
    with dg.DagsterInstance.get() as instance:
        done = dg.execute_job(
            dg.reconstructable(crawl_worker.crawl_job), instance, tags={"dagster/partition": partition}
        )
        print(json.dumps({"success": done.success}))  # noqa: T201


def everything(per_second: int | None = None) -> None:
    """All that is due; says what it cost."""
    settings = load_settings()
    connection: Any = uzum_connections(settings)["default"]
    if per_second is not None:
        manners = replace(
            connection.manners, rate_limits=evenly((RateWindow(per_second, 1),)), concurrency=24
        )
        connection = replace(connection, manners=manners)
    import dlt  # noqa: F401 - importing is not crawling

    began, cpu = time.monotonic(), time.process_time()
    for report in crawl_due(SOURCE, connection, Warehouse(settings.warehouse_url), LoadOptions()):
        one = report.resources[0]
        print(json.dumps({"scope": one.scope, "seen": one.seen, "new": one.new}), flush=True)  # noqa: T201
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    print(json.dumps({"cores": share}))  # noqa: T201


if __name__ == "__main__":
    {"due": everything, "rate": lambda text: everything(int(text)), "job": by_dagster}[sys.argv[1]](
        *sys.argv[2:]
    )
