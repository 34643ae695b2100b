"""The procurement portal: its hosts, and what its answers mean (Uzum dossier §2.2, §2.3)."""

from __future__ import annotations

from typing import Any

from karvon.connections import UzexConnection
from karvon.http import HttpClient, Meaning, NotFound
from karvon.http_body import parse_json
from pipelines.source import Context, Document
from pipelines.sources.uzex.settings import JSON_TEXTS, NO_DATA, REFUSALS


class UzexClient(HttpClient):
    """One client for all modules: they share the rate limit, as they share the portal."""

    def __init__(self, connection: UzexConnection) -> None:
        manners = connection.manners
        further = {name: value.get_secret_value() for name, value in manners.headers.items()}
        super().__init__(
            f"uzex:{connection.name}",
            base_url=connection.etender_url,
            limits=manners.rate_limits,
            headers={"User-Agent": manners.user_agent, "language": connection.language, **further},
            secrets=tuple(further.values()),
            concurrency=manners.concurrency,
            meaning=meaning,
        )
        self._connection = connection

    @staticmethod
    def of(context: Context) -> UzexClient:
        """The client of a load of this source."""
        if not isinstance(context.http, UzexClient):
            raise TypeError("UZEX resources need the client that the source's `connect` makes")
        return context.http

    async def window(self, module: str, path: str, body: dict[str, Any]) -> list[Document]:
        """The rows of one window; none where the portal says that it has no data."""
        try:
            answer = await self.request("POST", self._url(module, path), json=body)
        except NotFound as error:
            if error.status == 404:
                raise
            return []
        return [_readable(row) for row in answer.data or () if isinstance(row, dict)]

    async def get(self, module: str, path: str) -> Any:
        """The answer of a GET; None where the portal says that it has no data. A 404 is a wrong path there."""
        try:
            answer = await self.request("GET", self._url(module, path))
        except NotFound as error:
            if error.status == 404:
                raise
            return None
        return _readable(answer.data) if isinstance(answer.data, dict) else answer.data

    def _url(self, module: str, path: str) -> str:
        if module == "etender":
            return self._connection.etender_url + path
        return self._connection.base_url.format(module=module) + path


def meaning(status: int, body: bytes) -> Meaning | None:
    """Of an answer with status 500: a refusal, nothing found, or really a failure."""
    if status != 500:
        return None
    if any(words in body for words in REFUSALS):
        return "refused"
    return "missing" if any(words in body for words in NO_DATA) else None


def _readable(record: Document) -> Document:
    """A record whose JSON texts are JSON; some come wrapped twice."""
    for name in JSON_TEXTS:
        for _ in range(2):
            if isinstance(text := record.get(name), str) and text[:1] in ("[", "{", '"'):
                try:
                    record[name] = parse_json(text.encode())
                except ValueError:
                    break
    return record
