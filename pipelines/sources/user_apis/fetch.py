"""One source of a user: its resources fetched and compared in a thread of its own, rows on their way to the writer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pyarrow as pa

from karvon.addresses import ForbiddenAddress
from karvon.credentials import CredentialStore
from karvon.http import Malformed, Refused, RemoteError
from karvon.warehouse import Warehouse
from pipelines.landing import observation
from pipelines.load_report import ResourceReport
from pipelines.raw_table import RawTable
from pipelines.source import Batch, Document
from pipelines.sources.user_apis import privacy, status
from pipelines.sources.user_apis.api import Api, Capped, Variable
from pipelines.sources.user_apis.definition import DataSource, Misconfigured, ResourceSpec
from pipelines.sources.user_apis.grants import Grants
from pipelines.sources.user_apis.records import document_key, highest
from pipelines.sources.user_apis.status import Outcome, SourceRun

SCHEMA = "raw_user_apis"


@dataclass(frozen=True)
class Surroundings:
    """What a run needs besides the registry."""

    warehouse: Warehouse
    variable: Variable
    credentials: CredentialStore | None = None
    transport: Callable[[], httpx.AsyncBaseTransport] | None = None
    workers: int = 8
    max_shrink_percent: float = 50
    grants: Grants = field(default_factory=Grants)
    """Kept here too, although the registry has left out what breaks them: drafts come without a registry."""

    def open(self, source: DataSource) -> Api:
        """Raises `Misconfigured` for a variable that is missing, or that the user may not name."""
        for name in sorted(source.variables):
            if refusal := self.grants.refusal(source.user_id, name):
                raise Misconfigured(refusal)
        return Api(source, self.variable, self.credentials, self.transport)


@dataclass(frozen=True)
class Piece:
    """Rows on their way to the writer; with `run`, the last of its source."""

    connection: str
    table: str
    rows: pa.Table
    run: SourceRun | None = None


@dataclass(frozen=True)
class _Records:
    """The documents of one resource of a user's API, as the raw table sees them."""

    name: str
    key: Callable[[Document], str | None]
    noise: tuple[str, ...] = ()
    shrink_advice: str = "check the account's rights at the API"


class Fetch:
    """One source in its thread: its resources one after another, until the first failure."""

    def __init__(
        self,
        source: DataSource,
        around: Surroundings,
        private: privacy.Privacy,
        put: Callable[[Piece], None],
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
        with self._around.open(self.source) as api:
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
            self._put(Piece(self.source.connection, "observations", seen))

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
            self._put(Piece(self.source.connection, "records", rows.append_column("entity", entity)))


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
