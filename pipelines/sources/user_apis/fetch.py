"""One source of a user: its resources fetched and compared in a thread of its own, rows on their way to the writer."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pyarrow as pa

from karvon.addresses import ForbiddenAddress
from karvon.credentials import CredentialError, CredentialStore
from karvon.http import Malformed, Refused, RemoteError
from karvon.redaction import redact
from karvon.warehouse import Warehouse
from pipelines.document import storable
from pipelines.landing import observation
from pipelines.load_report import ResourceReport
from pipelines.raw_table import RawTable
from pipelines.source import Batch, Document
from pipelines.sources.user_apis import privacy, status
from pipelines.sources.user_apis.api import Api, Capped, Variable
from pipelines.sources.user_apis.cursors import InOrder, Unfinished, is_believable
from pipelines.sources.user_apis.definition import DataSource, Misconfigured, ResourceSpec
from pipelines.sources.user_apis.grants import Grants
from pipelines.sources.user_apis.records import document_key, highest, value_at
from pipelines.sources.user_apis.status import Outcome, SourceRun
from pipelines.sources.user_apis.transport import TimeIsUp

SCHEMA = "raw_user_apis"
_KEY_BYTES = 1000
"""Postgres indexes keys of up to 2,700 bytes, together with the user and the source."""
_log = logging.getLogger("karvon.user_apis")


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
    kept: None = None
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
            _words(error) or (storable("; ".join(self._capped)) or None), failures,
            status.next_try(outcome, failures, now), self.source.definition_hash,
            rows_seen=sum(one.seen for one in self.reports), rows_landed=sum(one.landed for one in self.reports),
            requests=self._requests,
        )  # fmt: skip

    def _resource(self, api: Api, spec: ResourceSpec) -> None:
        table = self._table(spec)
        left, past = self._left_off(table, spec)
        if past is None and left is None:
            table.expect_everything()
        if left and left.place:
            try:
                return self._list(api, spec, table, past, left)
            except Refused:
                if self.reports[-1].seen:
                    raise
                # The place is not known there any more: from the beginning.
                self.reports.pop()
                left = None
        return self._list(api, spec, table, past, left)

    def _list(
        self, api: Api, spec: ResourceSpec, table: RawTable, past: str | None, left: Unfinished | None
    ) -> None:
        """Read a list from where `left` says, or whole."""
        began, requests = time.monotonic(), api.requests
        report = ResourceReport(spec.name, cursor_value=left.highest if left else past)
        report.scope = (f"since {past}" if past else "all") + (
            ", from where the last run stopped" if left else ""
        )
        self.reports.append(report)
        order, stopped = InOrder(), False
        try:
            for page in api.pages(spec, past, left.place if left else None):
                self._land(spec, table.add(self._batch(spec, page, report, order), report))
            report.is_complete = True
        except Capped as capped:
            stopped = True
            self._capped.append(str(capped))
        except TimeIsUp:
            stopped = bool(report.seen)
            raise
        finally:
            self._land(spec, table.flush(report))
            # A record without a key could be any of those that seem to be gone, and what was read in several runs
            # was never whole at one time.
            if report.is_complete and spec.deletions == "remove" and not report.failed and not left:
                self._remove(spec, table, report)
            if report.is_complete:
                report.cursor_value = left.settled(report.cursor_value) if left else report.cursor_value
            else:
                report.cursor_value = self._place(api, past, left, report, order) if stopped else None
            report.requests, report.seconds = api.requests - requests, time.monotonic() - began
            seen = observation(report, self.source.connection, self._began)
            self._put(Piece(self.source.connection, "observations", seen))

    def _left_off(self, table: RawTable, spec: ResourceSpec) -> tuple[Unfinished | None, str | None]:
        """What the last run left of this list, if it did not get to the end, and the cursor to ask with."""
        left = Unfinished.read(table.past.left_off, self.source.definition_hash)
        past = left.since if left else table.past.cursor
        if spec.incremental is None or (past and not is_believable(past, spec.incremental, self._began)):
            past = None
        return left, past

    def _place(
        self, api: Api, past: str | None, left: Unfinished | None, report: ResourceReport, order: InOrder
    ) -> str | None:
        """Where the next run goes on; None where nothing says it."""
        later = order.since(past)
        if later is None and api.place is None:
            return None
        return Unfinished(
            self.source.definition_hash,
            later or past,
            None if later else api.place,
            report.cursor_value,
            left.began_at if left else self._began.isoformat(),
        ).text()

    def _table(self, spec: ResourceSpec) -> RawTable:
        labels = {"user_id": self.source.user_id, "source_id": self.source.source_id, "resource": spec.name}
        records = _Records(spec.name, _indexable(document_key(spec.key_paths)))
        return RawTable(
            SCHEMA, records, self.source.connection, self._around.warehouse, self._began,
            table="records", labels=labels,
        )  # fmt: skip

    def _batch(
        self, spec: ResourceSpec, page: list[dict[str, object]], report: ResourceReport, order: InOrder
    ) -> Batch:
        kept = privacy.admitted(self._private, self.source, spec, page)
        if spec.incremental:
            path = spec.incremental.cursor
            believed = [
                record
                for record in page
                if is_believable(value_at(record, path), spec.incremental, self._began)
            ]
            if len(believed) < len(page):
                _log.warning(
                    "%s.%s: %d records have a %s in the future; the next run asks as if they had none",
                    self.source.connection, spec.name, len(page) - len(believed), path,
                )  # fmt: skip
            order.see(value_at(record, path) for record in believed)
            found = highest(believed, path, report.cursor_value)
            report.cursor_value = found and storable(found)
        return Batch(documents=kept, refused=len(page) - len(kept))

    def _remove(self, spec: ResourceSpec, table: RawTable, report: ResourceReport) -> None:
        live = table.live_keys()
        if refusal := table.shrink_refusal(live, self._around.max_shrink_percent, from_rows=1):
            report.is_complete = False
            self._capped.append(f"{spec.name}: {refusal}")
        else:
            self._land(spec, table.tombstones(live, report))

    def _land(self, spec: ResourceSpec, rows: pa.Table | None) -> None:
        if rows is not None:
            entity = pa.array([spec.entity] * len(rows), pa.string())
            self._put(Piece(self.source.connection, "records", rows.append_column("entity", entity)))


def _indexable(key_of: Callable[[Document], str | None]) -> Callable[[Document], str | None]:
    """Keys as both engines keep them; one that is longer than an index takes is none."""

    def key(document: Document) -> str | None:
        found = key_of(document)
        found = found and storable(found)
        return found if found and len(found.encode()) <= _KEY_BYTES else None

    return key


def _outcome(error: BaseException | None, capped: bool) -> Outcome:
    if error is None:
        return "capped" if capped else "complete"
    if isinstance(error, (Misconfigured, CredentialError)):
        return "misconfigured"
    return "refused" if isinstance(error, (Refused, ForbiddenAddress)) else "failed"


def _words(error: BaseException | None) -> str | None:
    """What went wrong, short and without secrets: an answer may hold personal data, and this text is stored."""
    if error is None:
        return None
    if isinstance(error, Malformed) and error.body:
        text = str(error).replace(f"; it begins {error.body!r}", "")
    elif isinstance(error, (RemoteError, ForbiddenAddress, Misconfigured, CredentialError)):
        text = str(error)
    else:
        what = re.split(r"[\[{\n]", redact(str(error)))[0][:160]
        text = f"the answer is not what the definition says ({type(error).__name__}: {what})"
    return storable(redact(text))[:300]
