"""One ingest of a registry in a process of its own, told as JSON with the most memory it took.

python ingest_and_measure.py REGISTRY WAREHOUSE_URL
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from karvon.addresses import Exceptions, GuardedTransport
from karvon.warehouse import Warehouse
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.ingest import ingest
from pipelines.sources.user_apis.registry import read_registry

if __name__ == "__main__":
    around = Surroundings(
        Warehouse(sys.argv[2]),
        lambda _: None,
        transport=lambda: GuardedTransport(Exceptions(loopback=True, hosts=frozenset())),
    )
    began = time.monotonic()
    report = ingest(read_registry(Path(sys.argv[1])), around)
    told = {
        "seconds": time.monotonic() - began,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "packages": report.packages,
        "runs": {run.source_id: [run.outcome, run.rows_seen, run.error] for run in report.runs},
    }
    sys.stdout.write(json.dumps(told))
