"""One load's view of a Plytix account: signed-in requests, searches to their last page, what was found out."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx

from karvon.connections import PlytixConnection
from karvon.http import Answer, HttpClient, Malformed, Refused
from pipelines.source import Context
from pipelines.sources.plytix.authentication import PlytixSignIn
from pipelines.sources.plytix.search import Query, Row, Window, identity
from pipelines.sources.plytix.settings import (
    ATTRIBUTES,
    DEPRECATION_HEADER,
    PAGE_SIZE,
    PAGES_AHEAD,
    RELATIONSHIPS,
    Search,
)
from pipelines.sources.side_by_side import side_by_side

_log = logging.getLogger("karvon.plytix")


@dataclass
class Findings:
    """What reading the products found out, for the details that come after them."""

    products_read: bool = False
    products_from: datetime | None = None
    """Where the products of this load began; None for all."""
    newest: str | None = None
    """The highest cursor of the products read."""
    products: dict[str, Row] = field(default_factory=dict)
    """Rows that were read and are no variants, cut down to id, `modified` and family."""
    all_products: dict[str, Row] | None = None
    """The id sweep, when there was one."""
    products_total: int = 0
    """How many products the account has, as far as an answer proved to say; 0 for unknown."""
    family_in_search: bool = False
    """Whether search tells the family; only then a null means that there is none."""


class PlytixClient(HttpClient):
    """An `HttpClient` that knows the searches of Plytix. One per load and connection.

    Searches survive what the API does to them (dossier §5): counts that lie, a column that vanished (dropped,
    live lists read again), dates only instead of timestamps, and the 10,000 rows that an ordered search may match.
    """

    def __init__(
        self, connection: PlytixConnection, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        key, password = connection.api_key.get_secret_value(), connection.api_password.get_secret_value()
        super().__init__(
            f"plytix:{connection.name}",
            base_url=connection.base_url,
            limits=connection.rate_limits,
            auth=PlytixSignIn(connection),
            secrets=(key, password),
            transport=transport,
        )
        self.findings = Findings()
        self.dates_only = False
        self._count_is_trusted = True
        self._refused: dict[str, set[str]] = defaultdict(set)
        self._adapting: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._lists: dict[str, list[Row]] = {}

    @staticmethod
    def of(context: Context) -> PlytixClient:
        """The client of a load of this source."""
        if not isinstance(context.http, PlytixClient):
            raise TypeError("Plytix resources need the client that the source's `connect` makes")
        return context.http

    async def listing(self, search: Search, *, again: bool = False) -> list[Row]:
        """All rows of a small search; read once per load unless `again`."""
        if again or search.path not in self._lists:
            found = await self.rows(Query(search.path, search.columns))
            self._lists[search.path] = list(found.values())
        return self._lists[search.path]

    async def custom_columns(self, *, again: bool = False) -> list[str]:
        """Search columns of all attributes and relationships that exist now."""
        attributes, relationships = await side_by_side(
            self.listing(search, again=again) for search in (ATTRIBUTES, RELATIONSHIPS)
        )
        return [f"attributes.{row['label']}" for row in attributes if row.get("label")] + [
            f"relationships.{row['label']}" for row in relationships if row.get("label")
        ]

    async def sample(self, query: Query) -> list[Row] | None:
        """The first page, or None if the API refuses such a search: a question about the API itself."""
        body = query.body(1, (), self.dates_only)
        try:
            answer = await self.request("POST", query.path, json=body)
        except Refused as refusal:
            if refusal.status not in (400, 422):
                raise
            return None
        rows = self._data(answer, query.path)
        if not query.windows and not query.skus and query.path.endswith("/products/search"):
            self.findings.products_total = _all_of(rows, _pagination(answer))
        return rows

    async def single(self, path: str) -> list[Row]:
        """The rows of a GET; raises `NotFound` when the record does not exist."""
        return self._data(await self.request("GET", path), path)

    async def rows(self, query: Query) -> dict[str, Row]:
        """Every row that matches, by id. Raises `Refused` with status 428 if that is too many to be ordered."""
        found, promised = await self._read_pages(query)
        if len(found) < promised and self._count_is_trusted:
            # Rows move while pages are read (an edit, a deletion) and another row slips through: look again.
            again, _ = await self._read_pages(query)
            if again.keys() <= found.keys():
                _log.info("%s: %s promises %d rows and has %d", self.name, query.path, promised, len(found))
                self._count_is_trusted = False
            found |= again
        return found

    async def portions(self, query: Query, window: Window) -> AsyncIterator[tuple[Query, dict[str, Row]]]:
        """Every row inside the window, in portions small enough to be ordered, with the query of each.

        A portion that cannot be halved any more is read without order, where ids keep repeats apart.
        """
        ordered = replace(query, windows=(*query.windows, window), order=window.field)
        try:
            rows = await self.rows(ordered)
        except Refused as refusal:
            if refusal.status != 428:
                raise
        else:
            yield ordered, rows
            return
        halves = window.halves(self.dates_only, datetime.now(UTC))
        for half in halves or ():
            async for portion in self.portions(query, half):
                yield portion
        if halves is None and not query.windows:
            # One second (or day) holds too many: a bulk import. Narrow it by the other time as well.
            other = Window("created" if window.field == "modified" else "modified")
            async for portion in self.portions(replace(query, windows=(window,)), other):
                yield portion
        elif halves is None:
            unordered = replace(ordered, order="")
            yield unordered, await self.rows(unordered)

    async def _read_pages(self, query: Query) -> tuple[dict[str, Row], int]:
        """Rows by id, and the number of rows the API last promised. Only a page that is not full is the end."""
        found: dict[str, Row] = {}
        page, ahead, promised = 0, 1, 0
        while ahead:
            asked = range(page + 1, page + ahead + 1)
            answers = await side_by_side(self._page(query, number) for number in asked)
            before, page = len(found), page + ahead
            for rows, _ in answers:
                found.update((identity(row), row) for row in rows)
            rows, pagination = answers[-1]
            promised = _whole_number(pagination.get("count"))
            self._note_total(query, promised, _whole_number(pagination.get("total_count")))
            size = _whole_number(pagination.get("page_size")) or PAGE_SIZE
            # A page without a new id also ends it: an API that ignores `page` must not hold us for ever.
            more = all(len(rows) >= size for rows, _ in answers) and len(found) > before
            ahead = max(1, min(PAGES_AHEAD, -(-promised // size) - page)) if more else 0
        return found, promised

    def _note_total(self, query: Query, matching: int, total: int) -> None:
        """`total_count` ignores the filter (dossier §5.3), which only a number above the matches proves."""
        if query.path.endswith("/products/search") and total > matching:
            self.findings.products_total = total

    async def _page(self, query: Query, number: int) -> tuple[list[Row], dict[str, Any]]:
        while True:
            refused, dates_only = set(self._refused[query.path]), self.dates_only
            try:
                answer = await self.request("POST", query.path, json=query.body(number, refused, dates_only))
            except Refused as refusal:
                if refusal.status not in (400, 422):
                    raise
                async with self._adapting[query.path]:
                    unchanged = (refused, dates_only) == (self._refused[query.path], self.dates_only)
                    if unchanged and not await self._adapt(query, refusal):
                        raise
                continue
            return self._data(answer, query.path), _pagination(answer)

    async def _adapt(self, query: Query, refusal: Refused) -> bool:
        """Change what is asked so that the refused search may pass: fewer columns, or dates without a time."""
        refused = self._refused[query.path]
        asked = [column for column in query.columns if column not in refused and column != "modified"]
        named = {column for column in asked if _names(refusal, column)}
        uses_time = any(window.start or window.end for window in query.windows)
        if not named and uses_time and not self.dates_only:
            _log.info("%s: timestamps are refused as filter values, using dates", self.name)
            self.dates_only = True
            return True
        custom = {column for column in asked if column.startswith(("attributes.", "relationships."))}
        gone = custom - set(await self.custom_columns(again=True)) if custom else set()
        # A message that repeats the whole request names every column and so tells nothing.
        dropped = gone or (named if len(named) < max(2, len(asked)) else set())
        if dropped:
            _log.warning(
                "%s: %s no longer knows %s; left out", self.name, query.path, ", ".join(sorted(dropped))
            )
            refused |= dropped
        return bool(dropped)

    def _data(self, answer: Answer, path: str) -> list[Row]:
        notice = answer.headers.get(DEPRECATION_HEADER)
        if notice:
            _warn_of_deprecation(self.name, re.sub(r"[0-9a-f]{24}", "{id}", path), notice)
        data = answer.data.get("data") if isinstance(answer.data, dict) else None
        if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
            raise Malformed(
                f"{self.name}: {path} answered {answer.status} without the list `data`. Check that the base URL "
                "(PLYTIX_BASE_URL) is the Plytix API; if it is, run again.",
                url=path,
                status=answer.status,
                body=str(answer.data)[:500],
            )
        return data


def _pagination(answer: Answer) -> dict[str, Any]:
    pagination = answer.data.get("pagination") if isinstance(answer.data, dict) else None
    return pagination if isinstance(pagination, dict) else {}


def _all_of(rows: list[Row], pagination: dict[str, Any]) -> int:
    """How many rows there are, by the first page of a search without a filter; 0 for unknown.

    A page that is not full holds them all; of a full one a number that only counts the page says nothing.
    """
    if len(rows) < (_whole_number(pagination.get("page_size")) or PAGE_SIZE):
        return len(rows)
    told = max(_whole_number(pagination.get(name)) for name in ("count", "total_count"))
    return told if told > len(rows) else 0


def _names(refusal: Refused, column: str) -> bool:
    """Whether an error message names the column: in full anywhere, or quoted by its label."""
    _, dot, label = column.rpartition(".")
    quoted = rf"['\"`]{re.escape(label)}['\"`]"
    # A system column such as `name` is also a word of any message.
    pattern = rf"(?<![\w.]){re.escape(column)}(?![\w.])|{quoted}" if dot else quoted
    return re.search(pattern, refusal.body) is not None


def _whole_number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


@functools.cache
def _warn_of_deprecation(account: str, path: str, notice: str) -> None:
    _log.warning("%s: Plytix will retire %s: %s", account, path, notice)
