"""What tests of sources work with: the sandbox under one account, a loader, a world that moves meanwhile."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

import httpx
from pydantic import SecretStr

from karvon.connections import PlytixConnection, WebflowConnection
from karvon.rate_limits import RateWindow
from karvon.warehouse import Warehouse
from pipelines.landing import LoadOptions, LoadReport, ResourceReport, load
from pipelines.sources import plytix, webflow
from pipelines.sources.plytix.client import PlytixClient
from pipelines.sources.webflow.client import WebflowClient

UNLIMITED = (RateWindow(100_000, 1),)


@dataclass(frozen=True)
class Sandbox:
    """The running stand-ins, and one account of each that no other test uses."""

    url: str
    account: str

    def control(self, method: str, call: str, body: Any = None, **query: Any) -> Any:
        answer = httpx.request(method, f"{self.url}/_control/{call}", json=body, params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def switch(self, **values: Any) -> None:
        self.control("PUT", "switches", {f"plytix.{name}": value for name, value in values.items()})

    def fault(self, path: str, kind: str, *, times: int = 1, after: int = 0, **fault: Any) -> None:
        rule = {"path": path, "times": times, "after": after, "fault": {"kind": kind, **fault}}
        self.control("POST", "faults", rule)

    def edit(self, **order: Any) -> Any:
        return self.control("POST", "plytix/edit", {"account": self.account, **order})

    def products(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "plytix/products", account=self.account)["products"]
        return found

    def requests(self, path: str = "", *, vendor: str = "plytix") -> list[dict[str, Any]]:
        found = self.control("GET", "requests", vendor=vendor, account=self.account, path=path)
        listed: list[dict[str, Any]] = found["requests"]
        return listed

    def forget_requests(self) -> None:
        self.control("DELETE", "requests")

    def plytix(
        self,
        *,
        version: Literal["v1", "v2"] = "v2",
        password: str = "sandbox-password",  # noqa: S107 published
    ) -> PlytixConnection:
        return PlytixConnection(
            name=self.account,
            base_url=f"{self.url}/plytix",
            auth_url=f"{self.url}/plytix/auth/api/get-token",
            products_api_version=version,
            api_key=SecretStr(f"sandbox-key-{self.account}"),
            api_password=SecretStr(password),
            rate_limits=UNLIMITED,
        )

    def webflow(self, **changes: Any) -> WebflowConnection:
        site = hashlib.md5(self.account.encode(), usedforsecurity=False).hexdigest()[:24]
        values = {"site_id": site, "api_token": f"sandbox-token-{self.account}"} | changes
        return WebflowConnection(
            name=self.account,
            base_url=f"{self.url}/webflow/v2",
            site_id=values["site_id"],
            api_token=SecretStr(values["api_token"]),
            rate_limits=UNLIMITED,
        )


class Meddling(httpx.AsyncBaseTransport):
    """Does something once, right before the n-th request to a path is sent: the world moves while we read it."""

    def __init__(self, path: str, at: int, act: Callable[[], Any]) -> None:
        self._path, self._left, self._act = path, at, act
        self._wire = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(self._path):
            self._left -= 1
            if self._left == 0:
                self._act()
        return await self._wire.handle_async_request(request)

    async def aclose(self) -> None:
        await self._wire.aclose()


@dataclass(frozen=True)
class Loader:
    """Loads the sandbox into one DuckDB warehouse and looks at what landed."""

    warehouse: Warehouse
    sandbox: Sandbox

    def plytix(
        self,
        *resources: str,
        version: Literal["v1", "v2"] = "v2",
        meanwhile: Meddling | None = None,
        **options: Any,
    ) -> LoadReport:
        wanted = LoadOptions(resources=frozenset(resources) or None, **options)
        source = replace(plytix.SOURCE, connect=lambda connection: PlytixClient(connection, meanwhile))
        return load(source, self.sandbox.plytix(version=version), self.warehouse, wanted)

    def webflow(self, *resources: str, meanwhile: Meddling | None = None, **options: Any) -> LoadReport:
        wanted = LoadOptions(resources=frozenset(resources) or None, **options)
        source = replace(webflow.SOURCE, connect=lambda connection: WebflowClient(connection, meanwhile))
        return load(source, self.sandbox.webflow(), self.warehouse, wanted)

    def live(self, table: str) -> dict[str, dict[str, Any]]:
        """Latest documents by key, deleted ones left out."""
        with self.warehouse.session() as session:
            rows = session.rows(
                "SELECT DISTINCT ON (document_key) document_key, document::text AS document, is_deleted "
                f"FROM {table} ORDER BY document_key, landed_at DESC"
            )
        parsed = {row["document_key"]: row for row in rows if not row["is_deleted"]}
        return {key: httpx.Response(200, text=row["document"]).json() for key, row in parsed.items()}


def wait_for_the_clock_of(newest: str) -> None:
    """The sandbox gives no moment twice, so after many writes its clock is ahead of ours."""
    time.sleep(max(0.0, (datetime.fromisoformat(newest) - datetime.now(UTC)).total_seconds()) + 0.1)


def of(report: LoadReport, resource: str) -> ResourceReport:
    return next(one for one in report.resources if one.resource == resource)
