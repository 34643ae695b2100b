"""One data source, opened: pages of records through dlt's REST client and Karvon's HTTP policy."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from types import TracebackType
from typing import Any, Self

import httpx

from karvon.credentials import CredentialStore
from karvon.http import HttpClient, Malformed
from karvon.rate_limits import RateWindow
from pipelines.landing import configured_dlt
from pipelines.sources.user_apis.definition import (
    VARIABLE,
    ApiKey,
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
        self._base_url = self._filled(source.base_url).rstrip("/") + "/"
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
            transport=transport() if transport else None,
        )
        self._loop = LoopThread()
        headers = {name: self._filled(value) for name, value in source.headers.items()}
        self._adapter = PolicyAdapter(
            self._http, self._loop, self._origins(), frozenset(self._own_headers()), source.limits.seconds
        )
        self._client = self._rest_client(headers, credentials)
        self._ends = time.monotonic() + source.limits.seconds

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

    def first_page(self, resource: ResourceSpec) -> tuple[Page, dict[str, Any]]:
        """One page, and how the list is paged as far as that shows, as a definition's `paginator`."""
        page = next(self._paginated(resource, None), None)
        if page is None:
            return [], {"type": "auto"}
        return self._records(resource, page), _declared(page.paginator)

    def pages(self, resource: ResourceSpec, cursor: str | None) -> Iterator[Page]:
        """Pages of one resource, in order. Raises from the `RemoteError` tree, and `Capped`."""
        limits, rows = self._source.limits, 0
        with closing(self._ahead(self._paginated(resource, cursor))) as pages:
            for number, page in enumerate(pages, 1):
                records = self._records(resource, page)
                yield records[: limits.rows - rows]
                rows += len(records)
                if rows >= limits.rows:
                    raise Capped(f"{resource.name}: stopped after {limits.rows} rows (`limits: {{rows: …}}`)")
                if number >= limits.pages:
                    raise Capped(f"{resource.name}: stopped after {number} pages (`limits: {{pages: …}}`)")
                if time.monotonic() > self._ends:
                    raise Capped(
                        f"{resource.name}: stopped after {limits.seconds:g} s (`limits: {{seconds: …}}`)"
                    )

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

    def _paginated(self, resource: ResourceSpec, cursor: str | None) -> Iterator[Any]:
        params: dict[str, Any] = {
            name: self._filled(value) if isinstance(value, str) else value
            for name, value in resource.params.items()
        }
        if resource.incremental and (value := cursor_parameter(resource.incremental, cursor)) is not None:
            params[resource.incremental.param] = value
        # dlt is slow to import, and most commands never come here.
        from dlt.common import jsonpath
        from dlt.sources.rest_api.config_setup import create_paginator

        paginator = resource.paginator and create_paginator(resource.paginator.as_dlt())
        found: Iterator[Any] = self._client.paginate(
            resource.path,
            method=resource.method,
            params=params,
            json=copy.deepcopy(resource.body),
            paginator=paginator,
            # Read here once; as text it would be with every page.
            data_selector=resource.data_path and jsonpath.compile_path(resource.data_path),
        )
        return found

    def _records(self, resource: ResourceSpec, page: Iterable[Any]) -> Page:
        records = list(page)
        for kind in set(map(type, records)) - {dict}:
            raise Malformed(
                f"{self._source.connection}.{resource.name}: a record is a {kind.__name__}, not an object; "
                "say with `data_path` where the list of records is"
            )
        return records

    def _filled(self, text: str) -> str:
        return VARIABLE.sub(lambda found: self._values[found[1]], text)

    def _secrets(self) -> list[str]:
        """The values of all variables but those that only make up the address."""
        public = set(VARIABLE.findall(self._source.base_url))
        return [value for name, value in self._values.items() if name not in public]

    def _origins(self) -> frozenset[str]:
        token_url = getattr(self._source.auth, "token_url", None)
        urls = [self._base_url, *([self._filled(token_url)] if token_url else [])]
        return frozenset(origin(url) for url in urls)

    def _own_headers(self) -> list[str]:
        auth = self._source.auth
        return [*self._source.headers, *([auth.name] if isinstance(auth, ApiKey) else [])]

    def _rest_client(self, headers: dict[str, str], credentials: CredentialStore | None) -> Any:
        configured_dlt()
        # dlt is slow to import, and most commands never come here.
        from dlt.sources.helpers.rest_client import RESTClient

        from pipelines.sources.user_apis.authentication import authentication

        way_out = session(self._adapter)
        auth = authentication(self._source, self._filled, way_out, credentials)
        return RESTClient(self._base_url, headers=headers, auth=auth, session=way_out)


def _values(source: DataSource, variable: Variable) -> dict[str, str]:
    """Every variable of the definition with its value."""
    values = {name: variable(name) for name in sorted(source.variables)}
    if missing := [name for name, value in values.items() if not value]:
        raise Misconfigured(
            f"{source.connection} needs {', '.join(missing)}: set it in the environment, in .env or as a file in "
            "KARVON_SECRETS_DIR"
        )
    return {name: value for name, value in values.items() if value}


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
