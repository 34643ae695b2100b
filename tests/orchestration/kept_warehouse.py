"""A warehouse with content of every layer, a picture of everything in it, and the commands run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
from click.testing import CliRunner, Result

from karvon.http import HttpClient
from karvon.settings import Settings
from karvon.warehouse import Session, Warehouse
from orchestration.cli import cli
from pipelines.landing import load
from pipelines.source import Batch, Context, Resource, Source
from reverse_etl.state import schema

TRAPS = ["Чойнак 1,5 л", "tab\there", "line\nbreak", "back\\slash \\N", '"quoted", comma', "", "\u2028 ў ғ"]


@dataclass(frozen=True)
class Account:
    name: str = "default"


@dataclass(frozen=True)
class Profile:
    """One profile with its home and warehouse, and the command line run on it."""

    home: Path
    url: str
    name: str = "sandbox"

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.url, lock_seconds=1)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "KARVON_PROFILE": self.name,
            "KARVON_HOME": str(self.home),
            "KARVON_WAREHOUSE_URL": self.url,
            "KARVON_WAREHOUSE_LOCK_SECONDS": "1",
            # A port that nobody serves on.
            "KARVON_SANDBOX_PORT": "1",
            "PATH": os.environ["PATH"],
        }

    def karvon(self, *arguments: str, answer: str = "", **environment: str) -> Result:
        """Run a command in this process, in an environment of its own and without the project's `.env`."""
        nothing = self.home / "no.env"
        with (
            mock.patch.dict(os.environ, self.environment | environment, clear=True),
            mock.patch.dict(Settings.model_config, {"env_file": nothing}),
            mock.patch("karvon.settings.DOTENV", nothing),
        ):
            return CliRunner().invoke(cli, arguments, input=answer)


@contextmanager
def loading(url: str) -> Iterator[int]:
    """Another process in the middle of a load, without a run of Dagster around it; gives its number."""
    work = (
        "import sys; from karvon.turns import landing; from karvon.warehouse import Warehouse\n"
        "with landing(Warehouse(sys.argv[1]), 'shop', 'the load of shop'): print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", work, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def fill(warehouse: Warehouse) -> None:
    """Raw documents landed by dlt, models with views and indexes, and the tables of `reverse_etl`."""
    land(warehouse, [{"id": number, "name": name} for number, name in enumerate(TRAPS)])
    land(warehouse, [{"id": 0, "name": "changed", "price": "12,50"}])
    with warehouse.session() as session:
        schema.migrate(warehouse, session)
        session.execute(
            "INSERT INTO reverse_etl.leases VALUES ('webflow', 'default', 'gone:1:x', $1, $1)", (_THEN,)
        )
        _fill_models(warehouse, session)


def land(warehouse: Warehouse, documents: list[dict[str, Any]]) -> None:
    """Land documents as a run does."""

    async def fetch(_: Context) -> AsyncIterator[Batch]:
        yield Batch(documents=documents)

    async def probe(_: Any) -> str:
        return "ok"

    refusing = httpx.MockTransport(lambda _request: httpx.Response(500))
    goods = Resource("goods", lambda document: str(document["id"]), fetch)
    client = HttpClient("shop", base_url="http://shop.invalid", transport=refusing)
    source = Source("shop", (goods,), connect=lambda _: client, probe=probe)
    load(source, Account(), warehouse)


_THEN = "2024-01-31 23:59:59.123456+00"


def _fill_models(warehouse: Warehouse, session: Session) -> None:
    for name in ("staging", "marts", "activation"):
        session.execute(f"CREATE SCHEMA {name}")
    session.execute("CREATE TABLE staging.processed_loads (model text, load_id text)")
    session.execute(
        "CREATE TABLE marts.products (product_key text NOT NULL, name varchar(300) DEFAULT 'it''s', "
        "price numeric(18,4), weight double precision, released_on date, seen_at timestamptz, about json, "
        'is_new boolean, "Select" bigint, CONSTRAINT products_key PRIMARY KEY (product_key))'
    )
    for number, name in enumerate(TRAPS):
        session.execute(
            "INSERT INTO marts.products VALUES ($1, $2, 12345678901234.5678, $3, '0001-01-01', $4, $5, true, $6)",
            (f"default:{number}", name, 0.1 + number, _THEN, '{"b":  1, "a": [1.10, null]}', 2**62),
        )
    session.execute(
        "INSERT INTO marts.products (product_key, weight) VALUES ('nothing', 'NaN'), ('much', '-Infinity')"
    )
    session.execute("CREATE INDEX products_by_name ON marts.products (name)")
    # The first view reads the second: what comes back must come in another order than the names'.
    session.execute("CREATE VIEW marts.z_ready AS SELECT product_key, name FROM marts.products WHERE is_new")
    session.execute("CREATE VIEW activation.a_ready AS SELECT product_key FROM marts.z_ready")
    if warehouse.dialect == "postgres":
        session.execute("CREATE TABLE marts.labels (id uuid UNIQUE, tags text[], raw bytea, facts jsonb)")
        session.execute(
            r"INSERT INTO marts.labels VALUES ('7f0c8c9e-1c9d-4400-00a1-b2c37f0c8c9e', "
            r"""'{"a b",NULL,"c\\d"}', '\x00ff0a', '{"x": 1}'), (NULL, '{}', '', 'null')"""
        )
        session.execute(
            "CREATE UNIQUE INDEX labels_lower ON marts.labels ((facts ->> 'x')) WHERE id IS NOT NULL"
        )


def picture(warehouse: Warehouse) -> dict[str, list[Any]]:
    """Every row as the engine prints it, every column, index, constraint and view."""
    with warehouse.session() as session:
        found = session.rows(
            "SELECT table_schema AS schema, table_name AS name FROM information_schema.tables "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'main') ORDER BY 1, 2"
        )
        shown: dict[str, list[Any]] = {
            f"{one['schema']}.{one['name']}": [
                row["line"]
                for row in session.rows(
                    f'SELECT CAST(one AS text) AS line FROM "{one["schema"]}"."{one["name"]}" AS one ORDER BY 1'
                )
            ]
            for one in found
        }
        for name, query in _STRUCTURE[warehouse.dialect].items():
            shown[name] = session.rows(query)
    return shown


_COLUMNS = (
    "SELECT table_schema, table_name, column_name, ordinal_position, data_type, is_nullable, column_default, "
    "numeric_precision, numeric_scale, character_maximum_length FROM information_schema.columns "
    "WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'main') ORDER BY 1, 2, 4"
)
_STRUCTURE = {
    "duckdb": {
        "columns": _COLUMNS,
        "indexes": "SELECT schema_name, index_name, sql FROM duckdb_indexes() ORDER BY 1, 2",
        "constraints": "SELECT schema_name, table_name, constraint_text FROM duckdb_constraints() ORDER BY 1, 2, 3",
        "views": "SELECT schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY 1, 2",
    },
    "postgres": {
        "columns": _COLUMNS,
        "indexes": "SELECT schemaname, indexname, indexdef FROM pg_indexes "
        "WHERE schemaname <> 'pg_catalog' ORDER BY 1, 2",
        "constraints": "SELECT conrelid::regclass::text AS on_table, conname, pg_get_constraintdef(oid) AS definition "
        "FROM pg_constraint WHERE connamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema') "
        "AND contype <> 'n' ORDER BY 1, 2",
        "views": "SELECT schemaname, viewname, definition FROM pg_views "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2",
    },
}
