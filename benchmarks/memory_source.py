"""A source that fetches from memory: landing alone, without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from karvon.http import HttpClient
from pipelines.source import Batch, Context, Document, Fetch, Resource, Source

PAGE = 100
"""Documents per batch, as a page of a Plytix search."""


class DefaultConnection:
    """What landing asks of a connection."""

    name = "default"


def memory_source(
    name: str,
    resources: Mapping[str, Sequence[Document]],
    key: Callable[[Document], str] = lambda document: str(document["id"]),
) -> Source:
    """A source with these documents; each resource is listed whole."""

    def connect(_connection: Any) -> HttpClient:
        return HttpClient("memory", base_url="http://127.0.0.1", limits=())

    async def probe(_connection: Any) -> str:
        return "in memory"

    found = tuple(
        Resource(resource, key, _fetch(documents), sweep=True) for resource, documents in resources.items()
    )
    return Source(name, found, connect, probe)


def _fetch(documents: Sequence[Document]) -> Fetch:
    async def fetch(_context: Context) -> AsyncIterator[Batch]:
        for start in range(0, len(documents), PAGE):
            yield Batch(documents[start : start + PAGE])

    return fetch
