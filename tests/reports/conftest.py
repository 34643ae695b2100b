"""One browser for all tests of the room, and a warehouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Browser

from karvon.warehouse import Warehouse


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


@pytest.fixture
def duckdb_warehouse(duckdb_url: str) -> Warehouse:
    return Warehouse(duckdb_url)
