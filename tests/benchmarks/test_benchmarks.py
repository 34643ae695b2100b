"""Every benchmark runs at its smallest size and says what it compared. Times are not looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import ROWS, run
from benchmarks.documents import product_document
from benchmarks.regressions import BASELINE, unmatched, worse
from benchmarks.table import HEADERS, Line, printed

COMPARED = {
    "landing": 10,
    "rest": 11,
    "crawl_landing": 0,
    "crawl_memory": 0,
    "revisit": 1,
    "planning": 2,
    "webflow_requests": 4,
    "fixed_costs": 2,
    "market": 4,
    "idle_run": 0,
}


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS)
def test_a_row_runs_at_its_smallest_size_and_compares_with_its_floor(row: str, tmp_path: Path) -> None:
    lines = list(run(row, scale="small", folder=tmp_path))
    assert all(line.what and line.ours for line in lines)
    assert sum(bool(line.floor) or "1 % changed" in line.what for line in lines) == COMPARED[row]
    assert list(tmp_path.iterdir()) == []


def test_the_table_has_a_cell_for_every_header_and_all_rows_are_as_wide() -> None:
    written: list[str] = []
    printed(
        [Line("a", "1", "2 s", "1 s", 2.0, "ratio ≤ 2", "reached"), Line("longer", "", "3")], written.append
    )
    assert {len(row) for row in written} == {len(written[0])}
    assert {row.count("|") for row in written} == {len(HEADERS) + 1}
    assert "2.00" in written[2]


def test_documents_are_the_same_for_the_same_number() -> None:
    assert product_document(7) == product_document(7) != product_document(8)


def test_a_ratio_is_worse_beyond_the_noise_and_a_count_at_once() -> None:
    baseline = json.loads(BASELINE.read_text())
    timed = next(what for what in baseline if what.startswith("landing"))
    counted = next(what for what in baseline if what.startswith("requests"))

    def told(what: str, times: float, *, is_exact: bool = False) -> list[str]:
        return [*worse([Line(what, "", "", ratio=baseline[what] * times, is_exact=is_exact)])]

    assert told(timed, 1.4) == told(counted, 1, is_exact=True) == []
    assert "at most" in told(timed, 1.6)[0]
    assert "at most" in told(counted, 1.01, is_exact=True)[0]
    assert any(
        "new line: measured or recorded" in one for one in unmatched([Line("new line", "", "", ratio=1)])
    )
