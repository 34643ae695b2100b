"""Many sources at once into one table: fetched side by side, landed together, each on its own.

Threads fetch and compare; one writer loads what has come in, package after package. A source that fails, hangs
or answers rubbish costs its own thread until its own time limit, and nobody else's rows.
"""

from __future__ import annotations

import itertools
import logging
import queue
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from karvon.addresses import ForbiddenAddress
from karvon.credentials import CredentialError
from karvon.http import RemoteError
from karvon.progress import track
from karvon.warehouse import Session, Warehouse, WarehouseError
from pipelines.landing import COLUMNS, OBSERVATION_COLUMNS, Marks, making_tables, write_package
from pipelines.load_report import ResourceReport
from pipelines.sources.user_apis import privacy, status
from pipelines.sources.user_apis.definition import DataSource, Misconfigured
from pipelines.sources.user_apis.fetch import SCHEMA, Fetch, Piece, Surroundings
from pipelines.sources.user_apis.registry import USERS_FILE, Registry
from pipelines.sources.user_apis.registry_documents import known_users, registry_rows
from pipelines.sources.user_apis.status import SourceRun

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


_FORESEEN = (
    RemoteError, ForbiddenAddress, Misconfigured, CredentialError, ValueError, TypeError, KeyError, IndexError,
    AttributeError, type(None),
)  # fmt: skip
"""What an API can cause: dlt's paginators raise such errors for answers that are not as declared."""
_log = logging.getLogger("karvon.user_apis")


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
        if any(problem.file == USERS_FILE for problem in registry.problems):
            registry = replace(registry, users={**registry.users, **known_users(session, SCHEMA)})
        declared = [Piece("registry", *one) for one in registry_rows(registry, warehouse, SCHEMA)]
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
        self._pieces: queue.Queue[Piece] = queue.Queue(maxsize=2 * around.workers)
        self._defects: list[BaseException] = []

    def run(self, due: Sequence[DataSource], declared: Sequence[Piece]) -> None:
        """Load the sources, and with the first package what their definitions say."""
        with (
            track("user APIs", len(due)) as step,
            ThreadPoolExecutor(self._around.workers, thread_name_prefix="user_apis") as pool,
        ):
            for source in due:
                fetch = Fetch(source, self._around, self._private, self._pieces.put)
                future = pool.submit(fetch.all)
                future.add_done_callback(self._finisher(fetch))
            open_sources = len(due)
            while declared or open_sources:
                runs = self._write_package(declared or [self._pieces.get()], open_sources)
                declared, open_sources = [], open_sources - len(runs)
                self._report.runs += runs
                step.advance(len(runs))
        if self._defects:
            # The warehouse's, or a wish to stop: the others are landed by now, and this must be seen.
            raise self._defects[0]

    def _finisher(self, fetch: Fetch) -> Callable[[Future[None]], None]:
        def finish(future: Future[None]) -> None:
            error = future.exception()
            if isinstance(error, WarehouseError) or not isinstance(error, Exception | None):
                self._defects.append(error)
            elif not isinstance(error, _FORESEEN):
                # It stays the problem of this source all the same, and must be seen.
                _log.error("%s failed in a way nobody foresaw", fetch.source.connection, exc_info=error)
            run = fetch.ended(error, self._last.get(fetch.source.connection))
            self._report.resources[run.connection] = fetch.reports
            self._pieces.put(Piece(run.connection, "source_runs", run.as_arrow(), run))

        return finish

    def _write_package(self, first: Sequence[Piece], open_sources: int) -> list[SourceRun]:
        runs: list[SourceRun] = []
        write_package(SCHEMA, self._items(first, open_sources, runs), self._around.warehouse)
        self._report.packages += 1
        return runs

    def _items(self, first: Sequence[Piece], open_sources: int, runs: list[SourceRun]) -> Generator[object]:
        marked, rows, ends = Marks(), 0, time.monotonic() + PACKAGE_SECONDS

        def following() -> Piece | None:
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
