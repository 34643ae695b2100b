"""One big model to one file, in a process of its own: prints the peak of its memory in MB."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from row_bench import RowBench

from karvon.warehouse import Warehouse
from reverse_etl.applying.apply import apply_plan
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.plan import make_plan


def main(url: str, folder: Path, kind: str, rows: int) -> None:
    warehouse = Warehouse(url)
    bench = RowBench(
        warehouse,
        "http://127.0.0.1:1",
        folder,
        "big",
        destination="files",
        mode="mirror",
        options={"format": kind},
    )
    bench.build()
    numbers = (
        f"range({rows}) AS r(i)" if warehouse.dialect == "duckdb" else f"generate_series(1, {rows}) AS r(i)"
    )
    with warehouse.session() as session:
        session.execute(
            "INSERT INTO activation.items SELECT 'key-' || lpad(cast(i AS text), 8, '0'), "
            f"'Title of thing ' || i || repeat(' with words', 5), i * 0.01, i, now(), NULL FROM {numbers}"
        )
    plan = make_plan(warehouse, bench.syncs, DESTINATIONS)
    result = apply_plan(warehouse, plan.plan_id, bench.syncs, DESTINATIONS, bench.channels)
    assert result.applied == 1, result.errors
    assert make_plan(warehouse, bench.syncs, DESTINATIONS).is_empty
    sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
