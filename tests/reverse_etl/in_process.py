"""The sandbox and a DuckDB warehouse inside this process: the same code without sockets and files, for tests that
try thousands of worlds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from starlette.types import ASGIApp, Message

from karvon.warehouse import Session, Warehouse, _DuckDBSession
from sandbox.gate import ConnectionDropped


def any_of(examples: int, start: int, **drawn: SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A test that is given so many drawn worlds, the same ones for the same `start`."""

    def decorate(test: Any) -> Any:
        given_worlds = given(**drawn)(test)
        chosen = settings(
            max_examples=examples, deadline=None, phases=(Phase.generate,), database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )  # fmt: skip
        return seed(start)(chosen(given_worlds))

    return decorate


class InProcess(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Requests straight into an application whose handlers never wait, so that no event loop is needed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answered: dict[str, Any] = {"body": b""}
        unread = [request.read()]

        async def receive() -> Message:
            return {"type": "http.request", "body": unread.pop() if unread else b"", "more_body": False}

        async def send(message: Message) -> None:
            answered["body"] += message.get("body", b"")
            if message["type"] == "http.response.start":
                answered.update(status=message["status"], headers=message["headers"])

        url = request.url
        scope = {
            "type": "http", "method": request.method, "path": url.path, "raw_path": url.raw_path,
            "query_string": url.query, "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "scheme": url.scheme, "server": (url.host, url.port), "client": ("127.0.0.1", 1), "root_path": "",
            "http_version": "1.1",
        }  # fmt: skip
        try:
            self._app(scope, receive, send).send(None)  # type: ignore[attr-defined]
        except StopIteration:
            return httpx.Response(answered["status"], headers=answered["headers"], content=answered["body"])
        except ConnectionDropped as dropped:
            raise httpx.ReadError(str(dropped)) from None
        raise AssertionError("a handler waited")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self.handle_request(request)


def client_of(transport: InProcess) -> type[httpx.AsyncClient]:
    """What stands in for httpx's client: it makes no TLS context, which takes longer than a whole run here."""

    class Client(httpx.AsyncClient):
        def __init__(self, **given: Any) -> None:
            super().__init__(**{**given, "transport": transport})

    return Client


class InMemory(Warehouse):
    """A DuckDB warehouse that lives as long as this object."""

    def __init__(self) -> None:
        super().__init__("duckdb:///:memory:")
        # More threads than one only wait for each other over tables this small.
        self._database = duckdb.connect(":memory:", config={"threads": 1})
        self._beside = tempfile.TemporaryDirectory(prefix="karvon_memory_")
        self._tables: set[str] = set()

    @contextmanager
    def session(self) -> Iterator[Session]:
        opened = _Quick(self._database.cursor(), self._tables)
        try:
            yield opened
        finally:
            opened.close()

    @property
    def path(self) -> Path:
        """Where the file would be: turns and claims are beside it."""
        return Path(self._beside.name) / "warehouse"

    def close(self) -> None:
        self._database.close()
        self._beside.cleanup()


class _Quick(_DuckDBSession):
    """Remembers which tables there are: here none ever goes, and asking is a tenth of a plan."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tables: set[str]) -> None:
        super().__init__(connection, Path(":memory:"))
        self._tables = tables

    def has_table(self, table: str) -> bool:
        if table not in self._tables and super().has_table(table):
            self._tables.add(table)
        return table in self._tables
