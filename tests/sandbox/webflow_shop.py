"""A client of the sandbox's Webflow for the tests, in this process, over ASGI."""

from __future__ import annotations

import asyncio
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from sandbox.server import create_app

SPECIFICATION = Path(__file__).parents[3] / "shared/specs/webflow/webflow-request-schemas.json"


class Shop:
    """One account of a sandbox of its own. Writes that succeed are held against the official schemas,
    where these are at hand, unless `official=False` says that the API takes more than it documents."""

    def __init__(self, state_dir: Path) -> None:
        self.app = create_app(state_dir, products=2, public_url="http://127.0.0.1:8791")
        self._runner = asyncio.Runner()
        self._http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://127.0.0.1:8791"
        )
        self.token = "sandbox-token"
        self.site = f"/sites/{self.get('/sites').json()['sites'][0]['id']}"
        listed = self.get(f"{self.site}/collections").json()["collections"]
        self.collections = {each["slug"]: f"/collections/{each['id']}" for each in listed}

    def close(self) -> None:
        self._runner.run(self._http.aclose())
        self._runner.close()

    def send(self, method: str, url: str, **options: Any) -> httpx.Response:
        """Any URL of the sandbox, as it is."""
        return self._runner.run(self._http.request(method, url, **options))

    def call(
        self, method: str, path: str, body: Any = None, *, official: bool = True, **query: str
    ) -> httpx.Response:
        content = {} if body is None else {"json": body}
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.send(method, f"/webflow/v2{path}", params=query, headers=headers, **content)
        if official and body is not None and answer.is_success:
            assert complaints(method, path, body) == []
        return answer

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any, *, official: bool = True, **query: str) -> httpx.Response:
        return self.call("POST", path, body, official=official, **query)

    def patch(self, path: str, body: Any, *, official: bool = True, **query: str) -> httpx.Response:
        return self.call("PATCH", path, body, official=official, **query)

    def control(self, method: str, name: str, body: Any = None) -> Any:
        answer = self.send(method, f"/_control/{name}", **({} if body is None else {"json": body}))
        assert answer.is_success, answer.text
        return answer.json()

    def switch(self, **switches: Any) -> None:
        self.control("PUT", "switches", {f"webflow.{name}": value for name, value in switches.items()})

    def create_product(
        self, slug: str = "tee", sku: dict[str, Any] | None = None, publish: str = "staging", **fields: Any
    ) -> httpx.Response:
        """A product `slug` whose default SKU is `<slug>-1` for 24.99, with these field values besides."""
        sku_fields = {
            "name": slug,
            "slug": f"{slug}-1",
            "price": {"value": 2499, "unit": "USD"},
            **(sku or {}),
        }
        return self.post(
            f"{self.site}/products",
            {
                "publishStatus": publish,
                "product": {"fieldData": {"name": slug.title(), "slug": slug, **fields}},
                "sku": {"fieldData": sku_fields},
            },
        )

    def create_item(self, collection: str, official: bool = True, **fields: Any) -> httpx.Response:
        return self.post(f"{self.collections[collection]}/items", {"fieldData": fields}, official=official)

    def counts(self) -> dict[str, Any]:
        found: dict[str, Any] = self.control("GET", "webflow/counts")
        return found


def option(name: str, *values: str) -> dict[str, Any]:
    """An entry of `sku-properties` with ids of our own making."""
    enum = [{"id": value.lower(), "name": value, "slug": value.lower()} for value in values]
    return {"id": name.lower(), "name": name, "enum": enum}


def why(answer: httpx.Response) -> dict[str, str]:
    """Description by field of a 400 validation_error."""
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert set(body) == {"code", "message", "externalReference", "details"}
    assert body["code"] == "validation_error"
    return {detail["param"]: detail["description"] for detail in body["details"]}


@cache
def official_operations() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Method, path and request schema of each documented write; none where the folder is missing."""
    if not SPECIFICATION.is_file():
        return []
    operations = json.loads(SPECIFICATION.read_text())["operations"].values()
    return [
        (each["method"], re.compile(re.sub(r"\{\w+\}", "[^/]{24}", each["path"])), each["request"])
        for each in operations
    ]


def complaints(method: str, path: str, body: Any) -> list[str]:
    """What the official request schema has against a body."""
    for known_method, known_path, schema in official_operations():
        if known_method == method and known_path.fullmatch(path):
            import jsonschema

            validator = jsonschema.Draft202012Validator(schema)
            return [error.message for error in validator.iter_errors(body)]
    return []
