"""A dbt project on a warehouse whose raw tables are written by hand, as landing would write them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2

from karvon.warehouse import Warehouse

PROJECT = Path(__file__).parents[2] / "dbt_project"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = int(time.time())
_PARTIAL_PARSE = "partial_parse.msgpack"
_parsed: dict[tuple[str, ...], bytes] = {}
"""What dbt remembers of a project on a place: a worker parses it once (7 s), and the next module goes on from there."""


_PLACE = ("KARVON_DBT_TARGET", "KARVON_DUCKDB_PATH", "KARVON_PG_HOST", "KARVON_PG_DATABASE")


@dataclass
class Build:
    """One warehouse with the dbt project on it."""

    warehouse: Warehouse
    environment: dict[str, str]
    folder: Path
    project: Path = PROJECT

    def dbt(self, *arguments: str) -> dict[str, str]:
        """Runs dbt and returns the status by node name; raises when dbt fails."""
        place = (str(self.project), *(self.environment[name] for name in _PLACE if name in self.environment))
        remembered = self.folder / "target" / _PARTIAL_PARSE
        if place in _parsed and not remembered.exists():
            remembered.parent.mkdir(parents=True, exist_ok=True)
            remembered.write_bytes(_parsed[place])
        command = [
            str(Path(sys.executable).with_name("dbt")), "--no-use-colors", *arguments,
            "--project-dir", str(self.project), "--profiles-dir", str(self.project),
            "--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs"),
        ]  # fmt: skip
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.warehouse_folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        if place not in _parsed:
            _parsed[place] = remembered.read_bytes()
        path = self.folder / "target" / "run_results.json"
        results = json.loads(path.read_text())["results"] if path.exists() else []
        return {result["unique_id"].split(".")[2]: result["status"] for result in results}

    @property
    def warehouse_folder(self) -> Path | None:
        """Where dbt finds the DuckDB file by the same short name in every module."""
        return self.warehouse.path.parent if self.warehouse.dialect == "duckdb" else None

    def manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.folder / "target" / "manifest.json").read_text())
        return manifest

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.warehouse.session() as session:
            return session.rows(sql)

    def by(self, key: str, table: str) -> dict[str, dict[str, Any]]:
        return {row[key]: row for row in self.rows(f"select * from {table}")}

    def execute(self, *statements: str) -> None:
        with self.warehouse.session() as session:
            for statement in statements:
                session.execute(statement)

    def land(
        self,
        resource: str,
        documents: Mapping[str, Mapping[str, Any] | None] | Iterable[tuple[str, Mapping[str, Any] | None]],
        *,
        load_id: str,
        minute: int,
        committed: bool = True,
        connection: str = "default",
    ) -> None:
        """Appends documents (None: a tombstone that repeats the last one); `minute` is the time of landing."""
        schema = resource.split(".", maxsplit=1)[0]
        pairs = documents.items() if isinstance(documents, Mapping) else documents
        with self.warehouse.session() as session:
            session.execute(f"create schema if not exists {schema}")
            session.execute(
                f"create table if not exists {resource} (connection text, document_key text, document json,"
                " document_hash text, landed_at timestamptz, is_deleted boolean, _dlt_load_id text)"
            )
            session.execute(
                f"create table if not exists {schema}._dlt_loads (load_id text, schema_name text, status bigint,"
                " inserted_at timestamptz, schema_version_hash text)"
            )
            for key, document in pairs:
                text = json.dumps(document or {"id": key}, sort_keys=True, ensure_ascii=False)
                session.execute(
                    f"insert into {resource} values ($1, $2, cast($3 as json), $4, $5, $6, $7)",
                    (
                        connection,
                        key,
                        text,
                        hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
                        BEGIN + timedelta(minutes=minute),
                        document is None,
                        load_id,
                    ),
                )
            if committed:
                session.execute(
                    f"insert into {schema}._dlt_loads values ($1, $2, 0, now(), 'x')",
                    (load_id, schema),
                )


def dbt_environment(warehouse: Warehouse, url: str) -> dict[str, str]:
    # Its log of everything that it thinks costs dbt a good part of a build.
    quiet = {"DO_NOT_TRACK": "1", "DBT_LOG_LEVEL_FILE": "none"}
    environment = os.environ | {"KARVON_DBT_TARGET": warehouse.dialect} | quiet
    if warehouse.dialect == "duckdb":
        return environment | {"KARVON_DUCKDB_PATH": Path(url.removeprefix("duckdb:///")).name}
    parts = psycopg2.extensions.parse_dsn(url)
    return environment | {
        "KARVON_PG_HOST": parts["host"], "KARVON_PG_USER": parts["user"], "KARVON_PG_PASSWORD": parts["password"],
        "KARVON_PG_DATABASE": parts["dbname"],
    }  # fmt: skip
