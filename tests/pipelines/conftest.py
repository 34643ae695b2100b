"""The sandbox as a real server on loopback; each test gets accounts of its own and a clean slate."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from market_stand_in import IDS, Market
from served_sandbox import served_sandbox
from stand_ins import Loader, Sandbox

from karvon.warehouse import Warehouse

_accounts = itertools.count()


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_sandbox(tmp_path_factory.mktemp("sandbox"), products=30) as url:
        yield url


@pytest.fixture
def sandbox(sandbox_url: str) -> Iterator[Sandbox]:
    stand_in = Sandbox(sandbox_url, f"t{next(_accounts)}")
    yield stand_in
    for what in ("switches", "faults", "limits", "requests"):
        stand_in.control("DELETE", what)


@pytest.fixture
def loader(sandbox: Sandbox, duckdb_url: str) -> Loader:
    return Loader(Warehouse(duckdb_url), sandbox)


@pytest.fixture
def market(sandbox_url: str, duckdb_url: str) -> Iterator[Market]:
    """Markets of a size that a test reads in a moment, begun anew."""
    stand_in = Market(sandbox_url, Warehouse(duckdb_url), name=f"m{next(_accounts)}")
    stand_in.control("POST", "uzum/reset", {"ids": IDS, "seed": 3})
    stand_in.control("POST", "uzex/reset", {"lots": 40, "seed": 3})
    yield stand_in
    for what in ("switches", "faults", "limits", "requests"):
        stand_in.control("DELETE", what)
