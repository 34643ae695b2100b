"""Landing: documents in, changes only, tombstones, observations. The one table shape of every source.

A load takes one connection of one source. Batches are collected into chunks, compared in bulk with the last
hashes of just their keys, and only what is new or changed goes to dlt as Arrow. Each load has a dlt pipeline
of its own in a folder of its own, so a killed load leaves nothing to resume: the next one extracts afresh and
lands exactly what is missing (docs/decisions.md, "Append with change detection").
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from karvon.http import HttpClient, RemoteError
from karvon.progress import track
from karvon.warehouse import Session, Warehouse
from pipelines.document import canonical_document
from pipelines.source import Batch, Context, Document, Resource, Source

CHUNK_DOCUMENTS = 5_000

_log = logging.getLogger("karvon.landing")
_COLUMNS: Mapping[str, Mapping[str, Any]] = {
    "connection": {"data_type": "text", "nullable": False},
    "document_key": {"data_type": "text", "nullable": False},
    "document": {"data_type": "json"},
    "document_hash": {"data_type": "text"},
    "landed_at": {"data_type": "timestamp", "timezone": True},
    "is_deleted": {"data_type": "bool"},
}
_COUNTS = ("seen", "new", "changed", "unchanged", "deleted", "missing", "refused", "failed", "requests")
_OBSERVATION_COLUMNS: Mapping[str, Mapping[str, Any]] = {
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


@dataclass
class ResourceReport:
    """What one load did with one resource."""

    resource: str
    scope: str = ""
    is_complete: bool = False
    cursor_value: str | None = None
    seen: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    missing: int = 0
    refused: int = 0
    failed: int = 0
    requests: int = 0
    seconds: float = 0.0

    @property
    def landed(self) -> int:
        """Rows appended."""
        return self.new + self.changed + self.deleted


@dataclass
class LoadReport:
    """What one load did."""

    source: str
    connection: str
    load_id: str = ""
    resources: list[ResourceReport] = field(default_factory=list)
    seconds: float = 0.0


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


def load(
    source: Source, connection: Any, warehouse: Warehouse, options: LoadOptions | None = None
) -> LoadReport:
    """Load one connection of a source. Raises `LoadError` after landing what was fetched, or a dlt error."""
    options = options or LoadOptions()
    began = time.monotonic()
    extraction = _Extraction(source, connection, warehouse, options)
    with tempfile.TemporaryDirectory(prefix=f"karvon_{source.name}_") as folder:
        _load_with_dlt(extraction, warehouse, folder)
    _complete_tables(source, warehouse)
    extraction.report.seconds = time.monotonic() - began
    if extraction.problems:
        raise LoadError("\n".join(extraction.problems), extraction.report)
    return extraction.report


def _load_with_dlt(extraction: _Extraction, warehouse: Warehouse, folder: str) -> None:
    dlt = _configured_dlt()
    target = (
        dlt.destinations.duckdb(str(warehouse.path))
        if warehouse.dialect == "duckdb"
        else dlt.destinations.postgres(warehouse.url)
    )
    pipeline = dlt.pipeline(
        pipeline_name=f"{extraction.source.name}_{uuid.uuid4().hex}",
        destination=target,
        dataset_name=f"raw_{extraction.source.name}",
        pipelines_dir=folder,
    )
    info = pipeline.run(
        dlt.resource(extraction.items(), name=extraction.source.name, write_disposition="append"),
        loader_file_format="parquet",
    )
    extraction.report.load_id = info.loads_ids[0] if info.loads_ids else ""


def _configured_dlt() -> Any:
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
        self.now = datetime.now(UTC)
        self.report = LoadReport(source.name, self.name)
        self.problems: list[str] = []
        self.shared: dict[str, list[Document]] = {}
        self._declared: set[str] = set()

    def items(self) -> Iterator[Any]:
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
        table = _Table(self.source.name, resource, self.name, self.warehouse, self.now)
        context = self._context(resource, table, http)
        report = ResourceReport(resource.name, cursor_value=context.cursor)
        self.report.resources.append(report)
        with track(f"{self.source.name} {resource.name}") as step:
            try:
                for batch in _drain(resource.fetch(context), loop):
                    step.advance(len(batch.documents))
                    yield from self._rows(resource, table.add(batch, report))
                yield from self._rows(resource, table.flush(report))
                report.is_complete = True
            except RemoteError as error:
                yield from self._rows(resource, table.flush(report))
                report.failed += 1
                self.problems.append(f"{self.source.name}.{resource.name} ({self.name}): {error}")
        is_sweep = context.key is None and (
            resource.sweep(context) if callable(resource.sweep) else resource.sweep
        )
        report.scope = _scope(context, is_sweep)
        if is_sweep and report.is_complete:
            live = table.live_keys()
            refusal = table.shrink_refusal(live, self.options.max_shrink_percent)
            if refusal:
                report.is_complete = False
                self.problems.append(f"{self.source.name}.{resource.name} ({self.name}): {refusal}")
            else:
                yield from self._rows(resource, table.tombstones(live, report))
        report.requests = http.statistics.requests - requests
        report.seconds = time.monotonic() - began
        yield self._marked("observations", _observation(report, self.name, self.now), _OBSERVATION_COLUMNS)

    def _context(self, resource: Resource, table: _Table, http: HttpClient) -> Context:
        fresh = resource.name in self.options.refresh
        past = table.past
        return Context(
            http=http,
            connection=self.connection,
            cursor=None if fresh else past.cursor,
            since=self.options.since,
            key=self.options.key if resource.by_key else None,
            now=self.now,
            last_sweep_at=None if fresh else past.last_sweep_at,
            known=table.live_keys,
            parameters={"sweep_every_hours": self.options.sweep_every_hours, **self.options.parameters},
            changed=self.shared,
        )

    def _rows(self, resource: Resource, landed: pa.Table | None) -> Iterator[Any]:
        if landed is None:
            return
        if resource.share:
            import orjson

            self.shared.setdefault(resource.name, []).extend(
                orjson.loads(text) for text in landed["document"].to_pylist()
            )
        yield self._marked(resource.name, landed, _COLUMNS)

    def _marked(self, table: str, rows: pa.Table, columns: Mapping[str, Any]) -> Any:
        import dlt

        if table in self._declared:
            return dlt.mark.with_table_name(rows, table)
        self._declared.add(table)
        hints = dlt.mark.make_hints(table_name=table, columns=columns, write_disposition="append")
        return dlt.mark.with_hints(rows, hints, create_table_variant=True)


@dataclass(frozen=True)
class _Past:
    cursor: str | None = None
    last_sweep_at: datetime | None = None


class _Table:
    """One raw table seen from one load: what is new against the warehouse and against this load itself."""

    def __init__(
        self, source: str, resource: Resource, connection: str, warehouse: Warehouse, now: datetime
    ) -> None:
        self._schema, self._resource, self._connection = f"raw_{source}", resource, connection
        self._warehouse, self._now = warehouse, now
        self._table = f"{self._schema}.{resource.name}"
        self._pending: dict[str, tuple[str, str]] = {}
        self._gone: set[str] = set()
        self._buried: set[str] = set()
        self._seen: dict[str, str | None] = {}
        with warehouse.session() as session:
            self._is_empty = not session.has_table(self._table) or not session.value(
                f"SELECT 1 FROM {self._table} WHERE connection = $1 LIMIT 1", (connection,)
            )
            self.past = self._read_past(session)

    def _read_past(self, session: Session) -> _Past:
        """Cursor and last complete listing, of loads that were committed whole."""
        if not session.has_table(f"{self._schema}.observations"):
            return _Past()
        committed = (
            f"FROM {self._schema}.observations o "
            f"JOIN {self._schema}._dlt_loads l ON l.load_id = o._dlt_load_id AND l.status = 0 "
            "WHERE o.resource = $1 AND o.connection = $2 AND o.is_complete"
        )
        identity = (self._resource.name, self._connection)
        cursor = session.value(
            f"SELECT o.cursor_value {committed} AND o.cursor_value IS NOT NULL "
            "ORDER BY o.observed_at DESC LIMIT 1",
            identity,
        )
        last_sweep_at = session.value(f"SELECT max(o.observed_at) {committed} AND o.scope = 'all'", identity)
        return _Past(cursor, last_sweep_at)

    def add(self, batch: Batch, report: ResourceReport) -> pa.Table | None:
        """Take a batch in; give rows back when a chunk is full."""
        report.missing += batch.missing
        report.refused += batch.refused
        report.failed += batch.failed
        if batch.cursor is not None:
            report.cursor_value = max(batch.cursor, report.cursor_value or "")
        for document in batch.documents:
            text, digest = canonical_document(document, self._resource.noise)
            self._pending[self._resource.key(document)] = (text, digest)
        self._seen.update(dict.fromkeys(key for key in batch.present if key not in self._seen))
        self._gone.update(batch.gone)
        return self.flush(report) if len(self._pending) >= CHUNK_DOCUMENTS else None

    def flush(self, report: ResourceReport) -> pa.Table | None:
        """Compare the pending documents with the warehouse; rows for the new and the changed ones."""
        rows = self._changes(report)
        if self._gone:
            deletions = self._deletions(self._gone & self.live_keys())
            report.deleted += len(deletions)
            rows += deletions
            self._buried |= self._gone
            self._gone = set()
        return self._arrow(rows)

    def _changes(self, report: ResourceReport) -> list[tuple[str, str, str, bool]]:
        rows: list[tuple[str, str, str, bool]] = []
        unknown: tuple[str | None, bool] = (None, False)
        last = self._last_hashes([key for key in self._pending if self._seen.get(key) is None])
        for key, (text, digest) in self._pending.items():
            # A key seen twice in one load: its later version counts if it differs from the earlier one.
            earlier = self._seen.get(key)
            known, was_deleted = (earlier, False) if earlier else last.get(key, unknown)
            report.seen += earlier is None
            if known != digest or was_deleted:
                rows.append((key, text, digest, False))
                report.new += known is None
                report.changed += known is not None
            else:
                report.unchanged += earlier is None
            self._seen[key] = digest
        self._pending = {}
        return rows

    def live_keys(self) -> set[str]:
        """Keys whose latest row is not a tombstone."""
        if self._is_empty:
            return set()
        with self._warehouse.session() as session:
            latest = session.arrow(
                f"SELECT document_key FROM (SELECT DISTINCT ON (document_key) document_key, is_deleted "
                f"FROM {self._table} WHERE connection = $1 "
                "ORDER BY document_key, landed_at DESC, _dlt_load_id DESC) latest WHERE NOT is_deleted",
                (self._connection,),
            )
        return set(latest["document_key"].to_pylist())

    def shrink_refusal(self, live: set[str], max_percent: float) -> str | None:
        """Why the deletions of this sweep are not believable, or None. Counts from ten rows up."""
        gone = len(live - self._seen.keys())
        if len(live) < 10 or gone * 100 <= len(live) * max_percent:
            return None
        return (
            f"the complete list has {len(self._seen)} of the {len(live)} known records; deleting {gone} "
            f"({gone * 100 // len(live)} %) is over the limit of {max_percent:g} %, so nothing was deleted. "
            f"If that is right, raise KARVON_MAX_SHRINK_PERCENT for one run; if not, {self._resource.shrink_advice}."
        )

    def tombstones(self, live: set[str], report: ResourceReport) -> pa.Table | None:
        rows = self._deletions(live - self._seen.keys() - self._buried)
        report.deleted += len(rows)
        return self._arrow(rows)

    def _last_hashes(self, keys: Sequence[str]) -> dict[str, tuple[str | None, bool]]:
        if self._is_empty or not keys:
            return {}
        with self._warehouse.session() as session:
            last = session.arrow(
                f"SELECT DISTINCT ON (document_key) document_key, document_hash, is_deleted FROM {self._table} "
                "WHERE connection = $1 AND document_key IN (SELECT unnest($2::text[])) "
                "ORDER BY document_key, landed_at DESC, _dlt_load_id DESC",
                (self._connection, list(keys)),
            )
        columns = (last[name].to_pylist() for name in ("document_key", "document_hash", "is_deleted"))
        return {key: (digest, deleted) for key, digest, deleted in zip(*columns, strict=True)}

    def _deletions(self, keys: set[str]) -> list[tuple[str, str, str, bool]]:
        if not keys:
            return []
        with self._warehouse.session() as session:
            last = session.rows(
                f"SELECT DISTINCT ON (document_key) document_key, document::text AS document, document_hash "
                f"FROM {self._table} WHERE connection = $1 AND document_key IN (SELECT unnest($2::text[])) "
                "ORDER BY document_key, landed_at DESC, _dlt_load_id DESC",
                (self._connection, sorted(keys)),
            )
        return [(row["document_key"], row["document"], row["document_hash"], True) for row in last]

    def _arrow(self, rows: Sequence[tuple[str, str, str, bool]]) -> pa.Table | None:
        if not rows:
            return None
        keys, texts, digests, deleted = zip(*rows, strict=True)
        return pa.table(
            {
                "connection": pa.array([self._connection] * len(rows), pa.string()),
                "document_key": pa.array(keys, pa.string()),
                "document": pa.array(texts, pa.string()),
                "document_hash": pa.array(digests, pa.string()),
                "landed_at": pa.array([self._now] * len(rows), pa.timestamp("us", "UTC")),
                "is_deleted": pa.array(deleted, pa.bool_()),
            }
        )


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


def _observation(report: ResourceReport, connection: str, now: datetime) -> pa.Table:
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
    with warehouse.session() as session:
        for resource in source.resources:
            table = f"raw_{source.name}.{resource.name}"
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
