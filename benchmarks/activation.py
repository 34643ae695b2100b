"""The dbt project's syncs, and their models' tables filled with given rows instead of by dbt."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from karvon.settings import Settings
from karvon.warehouse import Session, Warehouse
from orchestration.dbt import read_manifest
from reverse_etl.spec.manifest import read_syncs
from reverse_etl.spec.syncs import Sync

Row = dict[str, Any]


def parse_project(folder: Path) -> Path:
    """The manifest of the project as it is now, in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.json"
    path.write_bytes(_manifest())
    return path


@cache
def _manifest() -> bytes:
    with TemporaryDirectory(prefix="karvon_bench_") as folder:
        settings = Settings(
            KARVON_HOME=Path(folder),
            KARVON_PROFILE="sandbox",
            KARVON_WAREHOUSE_URL=f"duckdb:///{folder}/parsing.duckdb",
        )
        read_manifest(settings, Warehouse(settings.warehouse_url))
        return settings.manifest_path.read_bytes()


class Activation:
    """What reverse ETL reads of the project, from its manifest."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest

    @cached_property
    def syncs(self) -> tuple[Sync, ...]:
        # The store's: the other destinations have rows of their own.
        return tuple(
            # The formulas count rows without a stock as such, not the 0 that an unstated one is.
            sync.model_copy(update={"unstated_stock": "endless"})
            for sync in read_syncs(self._manifest, "sandbox")
            if sync.destination == "webflow_store"
        )

    def sync(self, resource: str) -> Sync:
        return next(one for one in self.syncs if one.resource == resource)

    def write(self, session: Session, sync: Sync, rows: Sequence[Row]) -> None:
        """Make the model's table anew with these rows; columns that a row leaves out are null."""
        types = self._types[sync.name]
        listed = ", ".join(f'"{name}" {kind}' for name, kind in types.items())
        session.execute(f"CREATE SCHEMA IF NOT EXISTS {sync.schema_name}")
        session.execute(f"DROP TABLE IF EXISTS {sync.relation}")
        session.execute(f"CREATE TABLE {sync.relation} ({listed})")
        schema = pa.schema([(name, _arrow(kind)) for name, kind in types.items()])
        session.append(
            f"{sync.schema_name}.{sync.table}", pa.Table.from_pylist(_known(rows, types), schema=schema)
        )

    @cached_property
    def _types(self) -> dict[str, dict[str, str]]:
        nodes = json.loads(self._manifest.read_bytes())["nodes"].values()
        return {
            node["name"]: {name: column["data_type"] for name, column in node["columns"].items()}
            for node in nodes
            if node["resource_type"] == "model"
        }


def _known(rows: Iterable[Row], types: Mapping[str, str]) -> list[Row]:
    return [{name: row.get(name) for name in types} for row in rows]


def _arrow(kind: str) -> pa.DataType:
    if kind.startswith("bool"):
        return pa.bool_()
    if kind.startswith(("bigint", "int")):
        return pa.int64()
    return pa.float64() if kind.startswith(("numeric", "double")) else pa.string()
