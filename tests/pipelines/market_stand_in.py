"""Uzum and UZEX on the running sandbox, with a world of its own for each test, and what landed of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from karvon.connections import Manners, Universe, UzexConnection, UzumConnection, UzumSellerConnection
from karvon.rate_limits import RateWindow
from karvon.warehouse import Warehouse
from pipelines.crawl import crawl_due, load_slices
from pipelines.landing import LoadOptions, LoadReport, ResourceReport
from pipelines.slices import SliceStatus, status
from pipelines.sources.uzex import SOURCE as UZEX
from pipelines.sources.uzum import SELLER_SOURCE
from pipelines.sources.uzum import SOURCE as UZUM

UNLIMITED = (RateWindow(100_000, 1),)
IDS = 30


@dataclass(frozen=True)
class Market:
    """The stand-ins, one warehouse, and connections as an operator would have configured them."""

    url: str
    warehouse: Warehouse
    name: str = "default"
    headers: Mapping[str, SecretStr] = field(default_factory=dict)

    def control(self, method: str, call: str, body: Any = None, **query: Any) -> Any:
        answer = httpx.request(method, f"{self.url}/_control/{call}", json=body, params=query, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def switch(self, **values: Any) -> None:
        self.control("PUT", "switches", {name.replace("_", ".", 1): value for name, value in values.items()})

    def fault(self, path: str, kind: str, *, times: int = 1, after: int = 0, **fault: Any) -> None:
        rule = {"path": path, "times": times, "after": after, "fault": {"kind": kind, **fault}}
        self.control("POST", "faults", rule)

    def requests(self, vendor: str = "uzum", path: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "requests", vendor=vendor, path=path)["requests"]
        return found

    def products(self) -> dict[int, dict[str, Any]]:
        return {one["product"]: one for one in self.control("GET", "uzum/products")["products"]}

    def uzum(self, *, universe: Mapping[str, Any] | None = None, **changes: Any) -> UzumConnection:
        walked = {
            "first_id": 1, "last_id": 0, "slice_size": 20, "stop_after_missing": 10, "max_age_hours": 24.0,
            "requests_per_run": 10_000, "revisit_percent": 50.0,
        }  # fmt: skip
        values: dict[str, Any] = {
            "name": self.name, "base_url": f"{self.url}/uzum", "graphql_url": f"{self.url}/uzum/graphql",
            "language": "ru-RU", "token": None, "keywords": (), "review_products": (),
            "manners": self.manners(), "universe": Universe(**{**walked, **(universe or {})}),
        }  # fmt: skip
        return UzumConnection(**{**values, **changes})

    def uzex(self, **changes: Any) -> UzexConnection:
        values: dict[str, Any] = {
            "name": self.name, "base_url": f"{self.url}/uzex/{{module}}",
            "etender_url": f"{self.url}/uzex/etender", "language": "ru", "manners": self.manners(),
            "look_back_days": 30, "windows_per_run": 100, "details_per_run": 1000,
        }  # fmt: skip
        return UzexConnection(**{**values, **changes})

    def manners(
        self, limits: tuple[RateWindow, ...] = UNLIMITED, concurrency: int = 8, agent: str = "Karvon tests"
    ) -> Manners:
        return Manners(agent, self.headers, limits, concurrency)

    def crawl(self, *, at: datetime | None = None, **changes: Any) -> list[ResourceReport]:
        """What was landed, slice by slice."""
        options = LoadOptions(now=at)
        reports = crawl_due(UZUM, self.uzum(**changes), self.warehouse, options)
        return [report.resources[0] for report in reports]

    def status(self, *, at: datetime | None = None, **changes: Any) -> list[SliceStatus]:
        connection = self.uzum(**changes)
        return status(
            self.warehouse, UZUM, "products", self.name, connection.universe, at or datetime.now(UTC)
        )

    def load_uzum(self, *resources: str, **changes: Any) -> dict[str, ResourceReport]:
        options = LoadOptions(resources=frozenset(resources))
        return _by_name(load_slices(UZUM, self.uzum(**changes), self.warehouse, options, 1))

    def load_seller(self, *resources: str) -> dict[str, ResourceReport]:
        url, token = f"{self.url}/uzum/seller-openapi", SecretStr("sandbox-seller-token")
        connection = UzumSellerConnection(self.name, url, token, UNLIMITED)
        options = LoadOptions(resources=frozenset(resources) or None)
        return _by_name(load_slices(SELLER_SOURCE, connection, self.warehouse, options, 1))

    def load_uzex(
        self, *resources: str, rounds: int = 100, at: datetime | None = None, **changes: Any
    ) -> dict[str, ResourceReport]:
        options = LoadOptions(resources=frozenset(resources) or None, now=at)
        return _by_name(load_slices(UZEX, self.uzex(**changes), self.warehouse, options, rounds))

    def live(self, table: str) -> dict[str, dict[str, Any]]:
        """Latest documents by key, deleted ones left out."""
        with self.warehouse.session() as session:
            rows = session.rows(
                "SELECT DISTINCT ON (document_key) document_key, document::text AS document, is_deleted "
                f"FROM {table} ORDER BY document_key, landed_at DESC, _dlt_load_id DESC"
            )
        return {row["document_key"]: json.loads(row["document"]) for row in rows if not row["is_deleted"]}

    def tables(self, schema: str) -> list[str]:
        found = self.rows(f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{schema}'")
        return [row["table_name"] for row in found]

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.warehouse.session() as session:
            return session.rows(sql)


def _by_name(reports: Any) -> dict[str, ResourceReport]:
    """The last report of each resource; a list read in several slices is counted together."""
    found: dict[str, ResourceReport] = {}
    one: LoadReport
    for one in reports:
        for report in one.resources:
            before = found.get(report.resource)
            if before is not None:
                report.seen += before.seen
                report.new += before.new
                report.requests += before.requests
            found[report.resource] = report
    return found
