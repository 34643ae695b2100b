"""Many sources at once into one table: fetched side by side, landed together, each on its own.

Threads fetch and compare; one writer loads what has come in, package after package. A source that fails, hangs
or answers rubbish costs its own thread until its own time limit, and nobody else's rows.
"""

from __future__ import annotations

import itertools
import queue
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pyarrow as pa

from karvon.addresses import ForbiddenAddress
from karvon.credentials import CredentialStore
from karvon.http import Malformed, Refused, RemoteError
from karvon.progress import track
from karvon.warehouse import Session, Warehouse
from pipelines.landing import COLUMNS, OBSERVATION_COLUMNS, Marks, making_tables, observation, write_package
from pipelines.load_report import ResourceReport
from pipelines.raw_table import RawTable
from pipelines.source import Batch, Document
from pipelines.sources.user_apis import privacy, status
from pipelines.sources.user_apis.api import Api, Capped, Variable
from pipelines.sources.user_apis.definition import DataSource, Misconfigured, ResourceSpec
from pipelines.sources.user_apis.records import document_key, highest
from pipelines.sources.user_apis.registry import Registry
from pipelines.sources.user_apis.registry_documents import registry_rows
from pipelines.sources.user_apis.status import Outcome, SourceRun

SCHEMA = "raw_user_apis"
RECORD_COLUMNS = {
    "user_id": {"data_type": "text", "nullable": False},
    "source_id": {"data_type": "text", "nullable": False},
    "resource": {"data_type": "text", "nullable": False},
    "entity": {"data_type": "text"},
    **COLUMNS,
}
_COLUMNS = {"records": RECORD_COLUMNS, "observations": OBSERVATION_COLUMNS, "source_runs": status.COLUMNS}
PACKAGE_ROWS = 250_000
PACKAGE_SECONDS = 10.0
"""A package is loaded when it has so many rows, or when its first row has waited so long."""


_OF_THE_SOURCE = (
    RemoteError, ForbiddenAddress, Misconfigured, ValueError, TypeError, KeyError, IndexError, AttributeError,
    type(None),
)  # fmt: skip
"""What an API can cause: dlt's paginators raise such errors for answers that are not as declared."""


@dataclass(frozen=True)
class Surroundings:
    """What a run needs besides the registry."""

    warehouse: Warehouse
    variable: Variable
    credentials: CredentialStore | None = None
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    workers: int = 8
    max_shrink_percent: float = 50


@dataclass
class IngestReport:
    """What one run did with each source."""

    runs: list[SourceRun] = field(default_factory=list)
    resources: dict[str, list[ResourceReport]] = field(default_factory=dict)
    """Connection → its resources."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Connection → why it was not due."""
    packages: int = 0
    problems: list[str] = field(default_factory=list)
    """Files of the registry that are wrong and took no part."""

    @property
    def failed(self) -> list[SourceRun]:
        return [run for run in self.runs if run.outcome not in ("complete", "capped")]


@dataclass(frozen=True)
class _Piece:
    """Rows on their way to the writer; with `run`, the last of its source."""

    connection: str
    table: str
    rows: pa.Table
    run: SourceRun | None = None


def ingest(
    registry: Registry,
    around: Surroundings,
    *,
    only: Sequence[str] | None = None,
) -> IngestReport:
    """Load every source that is due, or just those named whether due or not.

    Never raises for a source's own failure.
    """
    report = IngestReport(problems=[str(problem) for problem in registry.problems])
    warehouse = around.warehouse
    # The outer session keeps the DuckDB file open between the threads' short ones.
    with warehouse.session() as session:
        _prepare(session, warehouse)
        declared = [_Piece("registry", *one) for one in registry_rows(registry, warehouse, SCHEMA)]
        last, private = status.last_runs(session), privacy.read(session)
        used = status.used_today(session)
        due = [
            one for one in _due(registry, last, used, only, report) if not _forgotten(private, one, report)
        ]
        if due or declared:
            _Ingestion(around, private, last, report).run(due, declared)
            _index(session, warehouse)
    return report


def _due(
    registry: Registry, last: Mapping[str, SourceRun], used: Mapping[str, Mapping[str, float]],
    only: Sequence[str] | None, report: IngestReport,
) -> Iterator[DataSource]:  # fmt: skip
    now = datetime.now(UTC)
    for source in registry.sources:
        name = source.connection
        if only is not None and name not in only:
            continue
        user = registry.users[source.user_id]
        reason = (
            "its user is suspended" if user.suspended else user.quotas.exceeded(used.get(user.user_id, {}))
        )
        reason = reason or (None if only else status.why_not_now(source, last.get(name), now))
        if reason:
            report.skipped[name] = reason
        else:
            yield source


def _forgotten(private: privacy.Privacy, source: DataSource, report: IngestReport) -> bool:
    if (source.user_id, private.hash_of(f"user:{source.user_id}")) not in private.suppressed:
        return False
    report.skipped[source.connection] = "its user was forgotten (`karvon forget`); remove the file"
    return True


class _Ingestion:
    def __init__(
        self,
        around: Surroundings,
        private: privacy.Privacy,
        last: Mapping[str, SourceRun],
        report: IngestReport,
    ) -> None:
        self._around, self._private, self._last, self._report = around, private, last, report
        self._pieces: queue.Queue[_Piece] = queue.Queue(maxsize=2 * around.workers)
        self._defects: list[BaseException] = []

    def run(self, due: Sequence[DataSource], declared: Sequence[_Piece]) -> None:
        """Load the sources, and with the first package what their definitions say."""
        with (
            track("user APIs", len(due)) as step,
            ThreadPoolExecutor(self._around.workers, thread_name_prefix="user_apis") as pool,
        ):
            for source in due:
                fetch = _Fetch(source, self._around, self._private, self._pieces.put)
                future = pool.submit(fetch.all)
                future.add_done_callback(self._finisher(fetch))
            open_sources = len(due)
            while declared or open_sources:
                runs = self._write_package(declared or [self._pieces.get()], open_sources)
                declared, open_sources = [], open_sources - len(runs)
                self._report.runs += runs
                step.advance(len(runs))
        if self._defects:
            # Ours, not a source's: the others are landed by now, and this must be seen.
            raise self._defects[0]

    def _finisher(self, fetch: _Fetch) -> Callable[[Future[None]], None]:
        def finish(future: Future[None]) -> None:
            error = future.exception()
            if not isinstance(error, _OF_THE_SOURCE):
                self._defects += [error] if error else []
            run = fetch.ended(error, self._last.get(fetch.source.connection))
            self._report.resources[run.connection] = fetch.reports
            self._pieces.put(_Piece(run.connection, "source_runs", run.as_arrow(), run))

        return finish

    def _write_package(self, first: Sequence[_Piece], open_sources: int) -> list[SourceRun]:
        runs: list[SourceRun] = []
        write_package(SCHEMA, self._items(first, open_sources, runs), self._around.warehouse)
        self._report.packages += 1
        return runs

    def _items(self, first: Sequence[_Piece], open_sources: int, runs: list[SourceRun]) -> Generator[object]:
        marked, rows, ends = Marks(), 0, time.monotonic() + PACKAGE_SECONDS

        def following() -> _Piece | None:
            left = ends - time.monotonic()
            if rows >= PACKAGE_ROWS or left <= 0 or len(runs) == open_sources:
                return None
            try:
                return self._pieces.get(timeout=left)
            except queue.Empty:
                return None

        for piece in itertools.chain(first, iter(following, None)):
            rows += len(piece.rows)
            yield marked(piece.table, piece.rows, _COLUMNS.get(piece.table, COLUMNS))
            if piece.run:
                runs.append(piece.run)


@dataclass(frozen=True)
class _Records:
    """The documents of one resource of a user's API, as the raw table sees them."""

    name: str
    key: Callable[[Document], str | None]
    noise: tuple[str, ...] = ()
    shrink_advice: str = "check the account's rights at the API"


class _Fetch:
    """One source in its thread: its resources one after another, until the first failure."""

    def __init__(
        self,
        source: DataSource,
        around: Surroundings,
        private: privacy.Privacy,
        put: Callable[[_Piece], None],
    ) -> None:
        self.source = source
        self.reports: list[ResourceReport] = []
        self._around, self._private, self._put = around, private, put
        self._began = datetime.now(UTC)
        self._requests = 0
        self._capped: list[str] = []

    def all(self) -> None:
        """Raises what ended it early; what was fetched before is on its way to the warehouse."""
        self._began = datetime.now(UTC)
        around = self._around
        with Api(self.source, around.variable, around.credentials, around.transport) as api:
            try:
                for resource in self.source.resources:
                    self._resource(api, resource)
            finally:
                self._requests = api.requests

    def ended(self, error: BaseException | None, before: SourceRun | None) -> SourceRun:
        outcome = _outcome(error, bool(self._capped))
        now = datetime.now(UTC)
        is_failure = outcome not in ("complete", "capped")
        failures = (before.failures if before else 0) + 1 if is_failure else 0
        return SourceRun(
            self.source.user_id, self.source.source_id, self._began, now, outcome,
            _words(error) or ("; ".join(self._capped) or None), failures,
            status.next_try(outcome, failures, now), self.source.definition_hash,
            rows_seen=sum(one.seen for one in self.reports), rows_landed=sum(one.landed for one in self.reports),
            requests=self._requests,
        )  # fmt: skip

    def _resource(self, api: Api, spec: ResourceSpec) -> None:
        began, requests = time.monotonic(), api.requests
        table = self._table(spec)
        report = ResourceReport(spec.name, cursor_value=table.past.cursor)
        self.reports.append(report)
        past = table.past.cursor if spec.incremental else None
        report.scope = f"since {past}" if past else "all"
        if past is None:
            table.expect_everything()
        try:
            for page in api.pages(spec, past):
                self._land(spec, table.add(self._batch(spec, page, report), report))
            report.is_complete = True
        except Capped as capped:
            self._capped.append(str(capped))
        finally:
            self._land(spec, table.flush(report))
            # A record without a key could be any of those that seem to be gone.
            if report.is_complete and spec.deletions == "remove" and not report.failed:
                self._remove(spec, table, report)
            if not report.is_complete:
                report.cursor_value = None
            report.requests, report.seconds = api.requests - requests, time.monotonic() - began
            seen = observation(report, self.source.connection, self._began)
            self._put(_Piece(self.source.connection, "observations", seen))

    def _table(self, spec: ResourceSpec) -> RawTable:
        labels = {"user_id": self.source.user_id, "source_id": self.source.source_id, "resource": spec.name}
        records = _Records(spec.name, document_key(spec.key_paths))
        return RawTable(
            SCHEMA, records, self.source.connection, self._around.warehouse, self._began,
            table="records", labels=labels,
        )  # fmt: skip

    def _batch(self, spec: ResourceSpec, page: list[dict[str, object]], report: ResourceReport) -> Batch:
        kept = privacy.admitted(self._private, self.source, spec, page)
        if spec.incremental:
            report.cursor_value = highest(page, spec.incremental.cursor, report.cursor_value)
        return Batch(documents=kept, refused=len(page) - len(kept))

    def _remove(self, spec: ResourceSpec, table: RawTable, report: ResourceReport) -> None:
        live = table.live_keys()
        if refusal := table.shrink_refusal(live, self._around.max_shrink_percent):
            report.is_complete = False
            self._capped.append(f"{spec.name}: {refusal}")
        else:
            self._land(spec, table.tombstones(live, report))

    def _land(self, spec: ResourceSpec, rows: pa.Table | None) -> None:
        if rows is not None:
            entity = pa.array([spec.entity] * len(rows), pa.string())
            self._put(_Piece(self.source.connection, "records", rows.append_column("entity", entity)))


def _outcome(error: BaseException | None, capped: bool) -> Outcome:
    if error is None:
        return "capped" if capped else "complete"
    if isinstance(error, Misconfigured):
        return "misconfigured"
    return "refused" if isinstance(error, (Refused, ForbiddenAddress)) else "failed"


def _words(error: BaseException | None) -> str | None:
    """What went wrong, short: an answer may hold personal data, and this text is stored."""
    if isinstance(error, Malformed) and error.body:
        return str(error).replace(f"; it begins {error.body!r}", "")[:300]
    if error is None or isinstance(error, (RemoteError, ForbiddenAddress, Misconfigured)):
        return str(error)[:300] if error else None
    what = re.split(r"[\[{\n]", str(error))[0][:160]
    return f"the answer is not what the definition says ({type(error).__name__}: {what})"


def _prepare(session: Session, warehouse: Warehouse) -> None:
    """The tables that readers rely on."""
    with making_tables(SCHEMA, warehouse):
        privacy.prepare(session)
        session.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        session.execute(
            f"CREATE TABLE IF NOT EXISTS {SCHEMA}.records (user_id text NOT NULL, source_id text NOT NULL, "
            "resource text NOT NULL, entity text, connection text NOT NULL, document_key text NOT NULL, "
            "document json, document_hash text, landed_at timestamptz, is_deleted boolean, "
            "_dlt_load_id text NOT NULL)"
        )
    if session.value(f"SELECT 1 FROM {SCHEMA}.records LIMIT 1"):
        _index(session, warehouse)


def _index(session: Session, warehouse: Warehouse) -> None:
    """What finds the last version of a key on Postgres. Rows go faster into an empty table that has none yet."""
    if warehouse.dialect == "postgres":
        with making_tables(SCHEMA, warehouse):
            session.execute(
                f"CREATE INDEX IF NOT EXISTS records_key ON {SCHEMA}.records "
                "(user_id, source_id, resource, document_key, landed_at DESC)"
            )
            session.execute(f"CREATE INDEX IF NOT EXISTS records_load ON {SCHEMA}.records (_dlt_load_id)")
