"""Somebody reads for as long as runs go: none of them fails, and the reader keeps the moment that was opened.

`KARVON_PROOF_MINUTES` says for how long (default: two runs).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from karvon_command import Karvon

MINUTES = float(os.environ.get("KARVON_PROOF_MINUTES", "0"))
_READER = """
import duckdb, json, select, sys
held, asked = duckdb.connect(sys.argv[1], read_only=True), []
print("open", flush=True)
while not select.select([sys.stdin], [], [], float(sys.argv[2]))[0]:
    asked.append(held.execute("SELECT count(*), sum(hash(one))::text FROM marts.products AS one").fetchone())
print(json.dumps(asked))
"""


@contextmanager
def _reader(path: Path, every: float) -> Iterator[subprocess.Popen[str]]:
    """A process that has opened the file and asks it every so many seconds, until its input ends."""
    command = [sys.executable, "-c", _READER, str(path), str(every)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process
        process.communicate("")


@pytest.mark.slow
@pytest.mark.timeout(int(MINUTES * 60) + 900)
def test_no_run_fails_while_somebody_reads(karvon: Karvon) -> None:
    copy = karvon.home / "sandbox" / "published" / "warehouse.duckdb"
    until, seen = time.monotonic() + MINUTES * 60, set()
    with _reader(copy, every=0.5) as reader:
        runs = 0
        while runs < 2 or time.monotonic() < until:
            karvon.sandbox.next_day(price=2, new_product=1)
            # Whoever opens the warehouse itself makes a run wait, not fail.
            with _reader(karvon.warehouse.path, every=0.5) as impatient:
                run = karvon.start("run")
                time.sleep(15)
                assert run.poll() is None
                impatient.communicate("")
                while run.poll() is None:
                    for command in ("status", "counts"):
                        told = karvon(command)
                        assert told.status == 0, told.output
            assert run.returncode == 0, (karvon.home / "started.log").read_text()
            with duckdb.connect(str(copy), read_only=True) as connection:
                seen.update(connection.execute("SELECT count(*) FROM marts.products").fetchall())
            runs += 1
        said, _ = reader.communicate("")
    assert len(seen) == runs, "each run's copy shows what it brought"
    asked = [tuple(one) for one in json.loads(said)]
    assert len(asked) > 10
    assert len(set(asked)) == 1, "the moment that was opened"
