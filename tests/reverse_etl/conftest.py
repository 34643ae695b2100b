"""Fixtures: the sandbox's shop on a free port, and benches to sync into it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cms_bench import CmsBench
from served_sandbox import served_sandbox
from shop_bench import Bench

from karvon.warehouse import Warehouse

_names = itertools.count()


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sandbox on a free port for as long as the test run lasts; each test has an account of its own."""
    with served_sandbox(tmp_path_factory.mktemp("sandbox"), products=1) as url:
        yield url


@pytest.fixture
def new_bench(warehouse: Warehouse, sandbox_url: str, tmp_path: Path) -> Iterator[Callable[[], Bench]]:
    """Makes benches with a fresh shop over an emptied warehouse, for tests that try many worlds."""

    made_before: list[Bench] = []

    def make() -> Bench:
        for old in made_before:
            old.close()
        with warehouse.session() as session:
            for schema in ("activation", "raw_webflow", "reverse_etl"):
                session.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        made = Bench(warehouse, sandbox_url, tmp_path, f"re{next(_names)}")
        made_before.append(made)
        made.control.delete("/faults")
        return made

    yield make
    for old in made_before:
        old.close()


@pytest.fixture
def cms(warehouse: Warehouse, sandbox_url: str, tmp_path: Path) -> Iterator[CmsBench]:
    made = CmsBench(warehouse, sandbox_url, tmp_path, f"cms{next(_names)}")
    yield made
    made.control.delete("/faults")
    made.control.delete("/switches")
    made.close()


@pytest.fixture
def bench(warehouse: Warehouse, sandbox_url: str, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(warehouse, sandbox_url, tmp_path, f"re{next(_names)}")
    yield made
    made.control.delete("/faults")
    made.control.delete("/switches")
    made.close()
