"""Landing: documents in, changes only, tombstones, observations. The one table shape of every source.

A load takes one connection of one source. Batches are collected into chunks, compared in bulk with the last
hashes of just their keys, and only what is new or changed goes to dlt as Arrow. Each load has a dlt pipeline
of its own in a folder of its own, so a killed load leaves nothing to resume: the next one extracts afresh and
lands exactly what is missing (docs/decisions.md, "Append with change detection").
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

import pyarrow as pa

from karvon.http import HttpClient, Refused, RemoteError
from karvon.progress import track
from karvon.warehouse import Session, Warehouse
from pipelines.load_folder import load_folder
from pipelines.load_report import LoadReport, ResourceReport
from pipelines.raw_table import RawTable
from pipelines.source import Batch, Context, Document, Resource, Source

__all__ = ["LoadError", "LoadOptions", "LoadReport", "ResourceReport", "load"]

COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "connection": {"data_type": "text", "nullable": False},
    "document_key": {"data_type": "text", "nullable": False},
    "document": {"data_type": "json"},
    "document_hash": {"data_type": "text"},
    "landed_at": {"data_type": "timestamp", "timezone": True},
    "is_deleted": {"data_type": "bool"},
}
_COUNTS = ("seen", "new", "changed", "unchanged", "deleted", "missing", "refused", "failed", "requests")
OBSERVATION_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "resource": {"data_type": "text", "nullable": False},
    "connection": {"data_type": "text", "nullable": False},
    "scope": {"data_type": "text"},
    "observed_at": {"data_type": "timestamp", "timezone": True},
    "is_complete": {"data_type": "bool"},
    "cursor_value": {"data_type": "text"},
    **{name: {"data_type": "bigint"} for name in _COUNTS},
}


class LoadError(Exception):
    """A load that ended early or was refused a part. What was fetched before is landed; `report` counts it."""

    def __init__(self, message: str, report: LoadReport) -> None:
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class LoadOptions:
    """What an operator may ask of a load."""

    resources: frozenset[str] | None = None
    refresh: frozenset[str] = frozenset()
    """Resources to read from the beginning, whatever the cursor says."""
    since: str | None = None
    key: str | None = None
    """Load just this record, from the resources that can."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    max_shrink_percent: float = 50
    sweep_every_hours: float = 24
    now: datetime | None = None
    """When this load looks, if not now (UTC): for histories that are made up."""


def load(
    source: Source, connection: Any, warehouse: Warehouse, options: LoadOptions | None = None
) -> LoadReport:
    """Load one connection of a source. Raises `LoadError` after landing what was fetched, or a dlt error."""
    options = options or LoadOptions()
    began = time.monotonic()
    extraction = _Extraction(source, connection, warehouse, options)
    extraction.report.load_id = write_package(source.schema, extraction.items(), warehouse)
    _complete_tables(source, warehouse)
    extraction.report.seconds = time.monotonic() - began
    if extraction.problems:
        raise LoadError("\n".join(extraction.problems), extraction.report)
    return extraction.report


def write_package(schema: str, items: Generator[Any], warehouse: Warehouse) -> str:
    """Load items (Arrow tables marked by `Marks`) into a schema as one dlt package and return its load id.

    Each package has a pipeline and a folder of its own. Raises dlt's errors; nothing is left behind then.
    """
    dlt = configured_dlt()
    name = schema.removeprefix("raw_")
    with closing(items), load_folder(warehouse, name) as folder:
        pipeline = dlt.pipeline(
            pipeline_name=f"{name}_{uuid.uuid4().hex}",
            destination=dlt.destinations.duckdb(str(warehouse.path))
            if warehouse.dialect == "duckdb"
            else dlt.destinations.postgres(_with_user_and_password(warehouse.url)),
            dataset_name=schema,
            pipelines_dir=str(folder),
        )
        # Of a generator dlt looks for the module, and with it through the files of all modules.
        resource = dlt.resource(chain(items), name=name, write_disposition="append")
        pipeline.extract(resource, loader_file_format="parquet")
        pipeline.normalize()
        with warehouse.appending():
            if warehouse.dialect == "postgres":
                with making_tables(schema, warehouse):
                    pipeline.sync_schema()
            info = pipeline.load()
    return str(info.loads_ids[0]) if info.loads_ids else ""


def _with_user_and_password(url: str) -> str:
    """dlt demands both. With an empty password the driver does without, or looks into `.pgpass`."""
    address = urlsplit(url)
    given = dict(parse_qsl(address.query))
    user = address.username or quote(given.get("user", "postgres"))
    password = quote(given.get("password", "")) if address.password is None else address.password
    return urlunsplit(address._replace(netloc=f"{user}:{password}@{address.netloc.rpartition('@')[2]}"))


def making_tables(schema: str, warehouse: Warehouse) -> AbstractContextManager[None]:
    """Loads that make the same tables at once fail on Postgres, `IF NOT EXISTS` or not."""
    return warehouse.exclusive(f"tables of {schema}")


def configured_dlt() -> Any:
    """dlt, told once how to load: Arrow files carry the load id, nothing is looked up in remote state."""
    os.environ.update(
        {
            "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "CRITICAL",
            "RESTORE_FROM_DESTINATION": "false",
        }
    )
    import dlt

    return dlt


class _Extraction:
    """The generator dlt reads: all resources of one load, in order, through one client and one event loop."""

    def __init__(self, source: Source, connection: Any, warehouse: Warehouse, options: LoadOptions) -> None:
        self.source, self.connection, self.warehouse, self.options = source, connection, warehouse, options
        self.name: str = connection.name
        self.now = options.now or datetime.now(UTC)
        self.report = LoadReport(source.name, self.name)
        self.problems: list[str] = []
        self.shared: dict[str, list[Document]] = {}
        self._marked = Marks()

    def items(self) -> Generator[Any]:
        with ExitStack() as stack:
            loop = asyncio.new_event_loop()
            stack.callback(loop.close)
            http = self.source.connect(self.connection)
            loop.run_until_complete(http.__aenter__())
            stack.callback(lambda: loop.run_until_complete(http.__aexit__(None, None, None)))
            for resource in self.source.loaded(self.options.resources, self.options.key):
                yield from self._resource(resource, http, loop)
                if self.problems and not self.report.resources[-1].is_complete:
                    return

    def _resource(
        self, resource: Resource, http: HttpClient, loop: asyncio.AbstractEventLoop
    ) -> Iterator[Any]:
        began, requests = time.monotonic(), http.statistics.requests
        # Opening its file costs DuckDB more than what is asked here: once for all.
        with self.warehouse.session():
            table = RawTable(self.source.schema, resource, self.name, self.warehouse, self.now)
            context = self._context(resource, table, http)
            # A list that is walked in slices is big, and each load sees little of it.
            if context.reads_everything and resource.sweep:
                table.expect_everything()
        report = ResourceReport(resource.name, cursor_value=context.cursor)
        other_requests, scope, is_counted = 0, None, False
        self.report.resources.append(report)
        with track(f"{self.source.name} {resource.name}") as step:
            try:
                for batch in _drain(resource.fetch(context), loop):
                    step.advance(len(batch.documents))
                    other_requests, scope = other_requests + batch.requests, batch.scope or scope
                    is_counted |= batch.is_counted
                    yield from self._rows(resource, table.add(batch, report))
                guard = self.options.max_shrink_percent if scope and not is_counted else 100
                yield from self._rows(resource, table.flush(report, guard))
                # What failed in it was not seen: such a load says nothing about what it does not hold.
                report.is_complete = report.failed == 0 and report.refused == 0
            except RemoteError as error:
                yield from self._rows(resource, table.flush(report))
                report.refused += isinstance(error, Refused)
                report.failed += not isinstance(error, Refused)
                self.problems.append(f"{self.source.name}.{resource.name} ({self.name}): {error}")
        is_sweep = context.key is None and (
            resource.sweep(context) if callable(resource.sweep) else resource.sweep
        )
        report.scope = scope or _scope(context, is_sweep)
        if is_sweep and report.is_complete:
            live = table.live_keys()
            refusal = table.shrink_refusal(live, self.options.max_shrink_percent)
            if refusal:
                report.is_complete = False
                self.problems.append(f"{self.source.name}.{resource.name} ({self.name}): {refusal}")
            else:
                yield from self._rows(resource, table.tombstones(live, report))
        report.requests = http.statistics.requests - requests + other_requests
        report.seconds = time.monotonic() - began
        yield self._marked("observations", observation(report, self.name, self.now), OBSERVATION_COLUMNS)

    def _context(self, resource: Resource, table: RawTable, http: HttpClient) -> Context:
        fresh = resource.name in self.options.refresh
        past = table.past
        return Context(
            http=http,
            connection=self.connection,
            cursor=None if fresh else past.cursor,
            reached=None if fresh else past.reached,
            cursor_stood=past.cursor_stood,
            since=self.options.since,
            key=self.options.key if resource.by_key else None,
            now=self.now,
            last_sweep_at=None if fresh else past.last_sweep_at,
            known=table.live_keys,
            parameters={"sweep_every_hours": self.options.sweep_every_hours, **self.options.parameters},
            changed=self.shared,
            lacking=table.lacking,
        )

    def _rows(self, resource: Resource, landed: pa.Table | None) -> Iterator[Any]:
        if landed is None:
            return
        if resource.share:
            import orjson

            self.shared.setdefault(resource.name, []).extend(
                orjson.loads(text) for text in landed["document"].to_pylist()
            )
        yield self._marked(resource.name, landed, COLUMNS)


class Marks:
    """Says once per package which columns a table has, and then only its name."""

    def __init__(self) -> None:
        self._declared: set[str] = set()

    def __call__(self, table: str, rows: pa.Table, columns: Mapping[str, Any]) -> Any:
        import dlt

        if table in self._declared:
            return dlt.mark.with_table_name(rows, table)
        self._declared.add(table)
        hints = dlt.mark.make_hints(table_name=table, columns=columns, write_disposition="append")
        return dlt.mark.with_hints(rows, hints, create_table_variant=True)


def _scope(context: Context, is_sweep: bool) -> str:
    if context.key is not None:
        return f"key {context.key}"
    return "all" if is_sweep else f"since {context.since or context.cursor or 'the beginning'}"


def _drain(batches: AsyncIterator[Batch], loop: asyncio.AbstractEventLoop) -> Iterator[Batch]:
    """Step an async fetch from dlt's synchronous world."""
    while True:
        try:
            yield loop.run_until_complete(anext(batches))
        except StopAsyncIteration:
            return


def observation(report: ResourceReport, connection: str, now: datetime) -> pa.Table:
    return pa.table(
        {
            "resource": pa.array([report.resource], pa.string()),
            "connection": pa.array([connection], pa.string()),
            "scope": pa.array([report.scope], pa.string()),
            "observed_at": pa.array([now], pa.timestamp("us", "UTC")),
            "is_complete": pa.array([report.is_complete], pa.bool_()),
            "cursor_value": pa.array([report.cursor_value], pa.string()),
            **{name: pa.array([getattr(report, name)], pa.int64()) for name in _COUNTS},
        }
    )


def _complete_tables(source: Source, warehouse: Warehouse) -> None:
    """Every resource has its table, whether it has rows or not: readers may rely on it."""
    with making_tables(source.schema, warehouse), warehouse.session() as session:
        for resource in source.resources:
            table = f"{source.schema}.{resource.name}"
            session.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (connection text NOT NULL, document_key text NOT NULL, "
                "document json, document_hash text, landed_at timestamptz, is_deleted boolean, "
                "_dlt_load_id text NOT NULL)"
            )
            if warehouse.dialect == "postgres":
                _index(session, table)


def _index(session: Session, table: str) -> None:
    """Postgres finds the last version of a key, and the rows of a load, without reading the table."""
    name = table.replace(".", "_")
    session.execute(
        f"CREATE INDEX IF NOT EXISTS {name}_key ON {table} (connection, document_key, landed_at DESC)"
    )
    session.execute(f"CREATE INDEX IF NOT EXISTS {name}_load ON {table} (_dlt_load_id)")
