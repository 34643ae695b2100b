"""The sandbox in process, spoken to through HTTP only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from sandbox.server import create_app


class SandboxClient:
    """Calls an in-process sandbox; `plytix` signs in to an account when it is first used."""

    def __init__(self, state_dir: Path, *, products: int, uzum_ids: int = 120, uzex_lots: int = 120) -> None:
        self.state_dir = state_dir
        self._app = create_app(state_dir, products=products, uzum_ids=uzum_ids, uzex_lots=uzex_lots)
        self._tokens: dict[str, str] = {}

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8791") as client:
                return await client.request(method, path, **options)

        return asyncio.run(send())

    def sign_in(self, api_key: str = "sandbox-key", password: str | None = None) -> httpx.Response:
        body = {"api_key": api_key, "api_password": "sandbox-password" if password is None else password}
        return self.call("POST", "/plytix/auth/api/get-token", json=body)

    def plytix(self, method: str, path: str, body: Any = None, *, account: str = "default") -> httpx.Response:
        if account not in self._tokens:
            answer = self.sign_in("sandbox-key" if account == "default" else f"sandbox-key-{account}")
            self._tokens[account] = answer.json()["data"][0]["access_token"]
        headers = {"Authorization": f"Bearer {self._tokens[account]}"}
        options = {} if body is None else {"json": body}
        return self.call(method, f"/plytix{path}", headers=headers, **options)

    def search(self, body: dict[str, Any], *, version: int = 2, account: str = "default") -> dict[str, Any]:
        answer = self.plytix("POST", f"/api/v{version}/products/search", body, account=account)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def refused(self, body: Any) -> tuple[int, dict[str, Any]]:
        """Status and error of a product search that must fail."""
        answer = self.plytix("POST", "/api/v2/products/search", body)
        return answer.status_code, answer.json()["error"]

    def small(self, path: str, *columns: str) -> list[dict[str, Any]]:
        """All rows of a v1 search other than that of products."""
        rows: list[dict[str, Any]] = []
        while True:
            pagination = {"page": len(rows) // 100 + 1, "page_size": 100}
            body = {"attributes": list(columns), "pagination": pagination}
            page = self.plytix("POST", f"/api/v1/{path}/search", body).json()["data"]
            rows += page
            if len(page) < 100:
                return rows

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.call(method, f"/_control{path}", **({} if body is None else {"json": body}))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def switch(self, **values: object) -> None:
        """`switch(v2_ids="string")` sets `plytix.v2_ids`."""
        self.control("PUT", "/switches", {f"plytix.{name}": value for name, value in values.items()})

    def by_sku(self, sku: str, *columns: str) -> dict[str, Any]:
        """The search row of one product."""
        rows = self.search(
            {"filters": [[{"field": "sku", "operator": "in", "value": [sku]}]], "attributes": list(columns)}
        )
        assert len(rows["data"]) == 1
        found: dict[str, Any] = rows["data"][0]
        return found
