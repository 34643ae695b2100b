"""One data source, opened: pages of records through dlt's REST client and Karvon's HTTP policy."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from karvon.credentials import CredentialStore
from karvon.http import HttpClient, Malformed, Refused, Unavailable
from karvon.rate_limits import RateWindow
from pipelines.landing import configured_dlt
from pipelines.sources.user_apis.answers import meaning
from pipelines.sources.user_apis.definition import (
    VARIABLE,
    ApiKey,
    Cursor,
    DataSource,
    Misconfigured,
    ResourceSpec,
)
from pipelines.sources.user_apis.records import cursor_parameter
from pipelines.sources.user_apis.transport import LoopThread, PolicyAdapter, origin, session

Variable = Callable[[str], str | None]
Page = list[dict[str, Any]]


class Capped(Exception):
    """The run reached a limit of the definition; what came before is kept."""


class Api:
    """A context manager around one source's connection. One thread at a time."""

    def __init__(
        self,
        source: DataSource,
        variable: Variable,
        credentials: CredentialStore | None = None,
        transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        """`transport` makes the guarded way out (karvon/addresses.py). Raises `Misconfigured`."""
        self._source = source
        self._values = _values(source, variable)
        self._base_url = _address(source, self._filled(source.base_url)).rstrip("/") + "/"
        self._http = HttpClient(
            f"user_apis:{source.connection}",
            base_url=self._base_url,
            limits=(RateWindow(source.rate_limit.requests, source.rate_limit.seconds),),
            secrets=tuple(self._secrets()),
            concurrency=source.rate_limit.concurrency,
            timeout_seconds=30,
            budget_seconds=source.limits.seconds,
            attempts=4,
            max_body_bytes=int(source.limits.megabytes * 1024 * 1024),
            meaning=meaning,
            transport=transport() if transport else None,
        )
        self._loop = LoopThread()
        headers = {name: self._filled(value) for name, value in source.headers.items()}
        self._adapter = PolicyAdapter(
            self._http, self._loop, self._origins(), frozenset(self._own_headers()), source.limits.seconds,
            self._sign_in(),
        )  # fmt: skip
        self._client = self._rest_client(headers, credentials)
        self._ends = time.monotonic() + source.limits.seconds
        self._last: tuple[Any, int] | None = None

    def __enter__(self) -> Self:
        self._loop.start()
        self._loop.run(self._http.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._loop.cancel_all()
            self._loop.run(self._http.__aexit__(kind, error, trace))
        finally:
            self._loop.close()

    @property
    def requests(self) -> int:
        return self._http.statistics.requests

    @property
    def place(self) -> Mapping[str, Any] | None:
        """Where the next run goes on behind the last page of `pages`; None at the end, and where nothing tells.

        What is counted may have moved by a page by then.
        """
        from pipelines.sources.user_apis.lists import place_after, place_of

        if self._last is None or not (after := place_after(self._last[0])):
            return None
        page, number = self._last
        place = (place_of(page) if number > 1 else None) or after
        # A link of the API may carry the key it was asked with, and places are kept in the warehouse.
        return place if self._http.redacted(str(place)) == str(place) else None

    def first_page(self, resource: ResourceSpec) -> tuple[Page, dict[str, Any]]:
        """One page, and how the list is paged as far as that shows, as a definition's `paginator`."""
        with self._said_of(resource), closing(self._paginated(resource, None, None)) as pages:
            page = next(pages, None)
            return (
                ([], {"type": "auto"})
                if page is None
                else (self._records(resource, page), _declared(page.paginator))
            )

    def pages(
        self, resource: ResourceSpec, cursor: str | None, place: Mapping[str, Any] | None = None
    ) -> Iterator[Page]:
        """Pages of one resource, in order, from a place on where an earlier run stopped (`place`).

        Limits are looked at between pages, so that a run always gets further: it ends behind the page that went over.
        Raises from the `RemoteError` tree, and `Capped`.
        """
        # dlt is slow to import, and most commands never come here.
        from pipelines.sources.user_apis.lists import place_after

        rows, before, self._last = 0, None, None
        named: set[str] = set()
        self._adapter.begin_list()
        with self._said_of(resource), closing(self._ahead(self._all(resource, cursor, place))) as pages:
            for number, page in enumerate(pages, 1):
                records, following = self._records(resource, page), place_after(page)
                cursor = str(following["next"]) if following and "next" in following else None
                if cursor is not None and cursor in named:
                    yield records
                    raise Malformed(
                        f"{self._source.connection}.{resource.name}: page {number} names the cursor "
                        f"{self._http.redacted(cursor)[:40]!r} again, so the list would never end"
                    )
                if cursor is not None:
                    named.add(cursor)
                if records and records == before:
                    raise Malformed(
                        f"{self._source.connection}.{resource.name}: page {number} is the same as the one before; "
                        "the API does not know this way of paging"
                    )
                self._last, before = (page, number), records
                yield records
                rows += len(records)
                if page.paginator.has_next_page:
                    self._check_limits(resource, rows, number)

    def _check_limits(self, resource: ResourceSpec, rows: int, pages: int) -> None:
        limits = self._source.limits
        if rows > limits.rows:
            raise Capped(f"{resource.name}: stopped after {rows} rows (`limits: {{rows: …}}`)")
        if pages >= limits.pages:
            raise Capped(f"{resource.name}: stopped after {pages} pages (`limits: {{pages: …}}`)")
        if time.monotonic() > self._ends:
            raise Capped(f"{resource.name}: stopped after {limits.seconds:g} s (`limits: {{seconds: …}}`)")

    @contextmanager
    def _said_of(self, resource: ResourceSpec) -> Iterator[None]:
        """What is wrong with a list is told with its name, and without secrets that the API repeats."""
        from pipelines.sources.user_apis.answers import NoList

        try:
            yield
        except NoList as error:
            where = f"{self._source.connection}.{resource.name}"
            raise Malformed(self._http.redacted(f"{where}: {error}")) from None

    def _ahead(self, found: Iterator[Any]) -> Generator[Any]:
        """The pages, with the next ones under way already where the source allows several requests at once."""
        # dlt is slow to import, and most commands never come here.
        from pipelines.sources.user_apis.read_ahead import next_urls

        at_once, most = self._source.rate_limit.concurrency, self._source.limits.pages
        try:
            for number, page in enumerate(found, 1):
                if at_once > 1:
                    urls = next_urls(page, min(at_once, most - number))
                    self._adapter.expect(urls, page.response.request)
                yield page
        finally:
            self._adapter.expect_nothing()

    def _all(
        self, resource: ResourceSpec, cursor: str | None, place: Mapping[str, Any] | None
    ) -> Generator[Any]:
        """The pages, and those behind a first one that hides that there are more."""
        first, number = None, 0
        for number, page in enumerate(self._paginated(resource, cursor, place), 1):  # noqa: B007
            first = first or page
            yield page
        if number == 1 and place is None and (param := _hidden_cursor(resource, first)):
            yield from self._behind(first, self._paginated(resource, cursor, None, {param: ""}))

    def _behind(self, first: Any, found: Generator[Any]) -> Iterator[Any]:
        """Some APIs name a cursor only when they are asked for one. Those that do not refuse it, or begin anew."""
        known = list(first)
        try:
            page = next(found, None)
        except (Refused, Malformed, Unavailable, ValueError):
            return
        if page is not None and any(one not in known for one in page):
            yield page
            yield from found

    def _paginated(
        self,
        resource: ResourceSpec,
        cursor: str | None,
        place: Mapping[str, Any] | None,
        further: Mapping[str, Any] | None = None,
    ) -> Generator[Any]:
        params: dict[str, Any] = {
            name: self._filled(value) if isinstance(value, str) else value
            for name, value in resource.params.items()
        }
        if resource.incremental and (value := cursor_parameter(resource.incremental, cursor)) is not None:
            params[resource.incremental.param] = value
        found: Generator[Any] = self._client.pages(
            resource, {**params, **(further or {})}, copy.deepcopy(resource.body), place
        )
        return found

    def _records(self, resource: ResourceSpec, page: Any) -> Page:
        records = list(page)
        for kind in set(map(type, records)) - {dict}:
            raise Malformed(
                f"{self._source.connection}.{resource.name}: a record is a {kind.__name__}, not an object; "
                "say with `data_path` where the list of records is"
            )
        # What it was asked with does not come into the warehouse because an API gives it back.
        return self._http.cleaned(records) if page.response.echoes else records

    def _filled(self, text: str) -> str:
        return VARIABLE.sub(lambda found: self._values[found[1]], text)

    def _secrets(self) -> list[str]:
        """The values of all variables; of those in `base_url` what does not only say whom to ask."""
        public = set(VARIABLE.findall(self._source.base_url))
        address = origin(self._base_url)
        beside = [
            part
            for name in public
            for part in (self._values[name], *re.split(r"[/?&=]", self._values[name].partition("://")[2]))
            if part.rstrip("/").removeprefix("https://").removeprefix("http://") not in address
        ]
        return [*(value for name, value in self._values.items() if name not in public), *beside]

    def _origins(self) -> frozenset[str]:
        return frozenset(origin(url) for url in (self._base_url, *self._sign_in()))

    def _sign_in(self) -> list[str]:
        token_url = getattr(self._source.auth, "token_url", None)
        return [self._filled(token_url)] if token_url else []

    def _own_headers(self) -> list[str]:
        auth = self._source.auth
        return [*self._source.headers, *([auth.name] if isinstance(auth, ApiKey) else [])]

    def _rest_client(self, headers: dict[str, str], credentials: CredentialStore | None) -> Any:
        configured_dlt()
        # dlt is slow to import, and most commands never come here.
        from pipelines.sources.user_apis.authentication import authentication
        from pipelines.sources.user_apis.lists import ListClient

        way_out = session(self._adapter)
        auth = authentication(self._source, self._filled, way_out, credentials)
        return ListClient(self._base_url, headers=headers, auth=auth, session=way_out)


def _values(source: DataSource, variable: Variable) -> dict[str, str]:
    """Every variable of the definition with its value."""
    values = {name: variable(name) for name in sorted(source.variables)}
    if missing := [name for name, value in values.items() if not value]:
        raise Misconfigured(
            f"{source.connection} needs {', '.join(missing)}: set it in the environment, in .env or as a file in "
            "KARVON_SECRETS_DIR"
        )
    return {name: value for name, value in values.items() if value}


def _address(source: DataSource, url: str) -> str:
    """A `base_url` with its variables filled in, if it is an address."""
    try:
        known = httpx.URL(url)
        origin(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise Misconfigured(
            f"{source.connection}: `base_url` is no address ({error}); write https://…"
        ) from None
    if known.scheme not in ("http", "https") or not known.host:
        raise Misconfigured(f"{source.connection}: `base_url` is no address; write https://…")
    return url


def _hidden_cursor(resource: ResourceSpec, first: Any) -> str | None:
    """The parameter to ask with for what a first answer may hide: it was asked without a cursor, and names none."""
    paging = resource.paginator
    if (
        not isinstance(paging, Cursor)
        or resource.method != "GET"
        or paging.has_more_path
        or paging.cursor_body_path
    ):
        return None
    param = paging.cursor_param or "cursor"
    sizes = [value for name, value in resource.params.items() if name.lower() in _SIZES]
    is_cut = not sizes or (isinstance(sizes[0], int) and len(first) >= sizes[0])
    return param if len(first) and is_cut and param not in resource.params else None


_SIZES = frozenset(
    {"limit", "per_page", "perpage", "page_size", "pagesize", "page[size]", "size", "count", "first"}
)
"""Parameters that say how many records a page has: one with fewer is the last."""


def _declared(paginator: Any) -> dict[str, Any]:
    """What dlt found out, in the words of a definition."""
    words = {
        "PageNumberPaginator": (
            "page_number", {"page_param": "param_name", "base_page": "base_index", "total_path": "total_path"}
        ),
        "OffsetPaginator": (
            "offset",
            {"limit": "limit", "offset_param": "param_name", "limit_param": "limit_param", "total_path": "total_path"},
        ),
        "JSONLinkPaginator": ("json_link", {"next_url_path": "next_url_path"}),
        "HeaderLinkPaginator": ("header_link", {}),
        "JSONResponseCursorPaginator": ("cursor", {"cursor_path": "cursor_path", "cursor_param": "cursor_param"}),
        "SinglePagePaginator": ("single_page", {}),
    }  # fmt: skip
    kind, names = words.get(type(paginator).__name__, ("auto", {}))
    found = {ours: getattr(paginator, theirs) for ours, theirs in names.items()}
    plain = {
        name: one if isinstance(one, int) else str(one) for name, one in found.items() if one is not None
    }
    return {"type": kind, **plain}
