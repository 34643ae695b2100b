"""One load's view of a Webflow site: whole lists, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from karvon.connections import WebflowConnection
from karvon.http import HttpClient, Malformed, NotFound, Refused, RemoteError
from pipelines.source import Context, Document
from pipelines.sources.side_by_side import side_by_side
from pipelines.sources.webflow.settings import COLLECTIONS, LIMIT_HEADER, PAGE_SIZE, PASSES, SITE


class WebflowClient(HttpClient):
    """An `HttpClient` that knows the lists of Webflow. One per load and connection."""

    def __init__(
        self, connection: WebflowConnection, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        token = connection.api_token.get_secret_value()
        super().__init__(
            f"webflow:{connection.name}",
            base_url=connection.base_url,
            limits=connection.rate_limits,
            limit_header=LIMIT_HEADER,
            headers={"Authorization": f"Bearer {token}"},
            secrets=(token,),
            transport=transport,
        )
        self._site = connection.site_id
        self._collections: list[Document] | None = None
        self._about: Document | None = None
        self.products_are_whole = False
        """Whether this load read the complete list of products."""
        self.items_are_whole = False
        """Whether it read the complete lists of the items it was asked for."""

    @staticmethod
    def of(context: Context) -> WebflowClient:
        """The client of a load of this source."""
        if not isinstance(context.http, WebflowClient):
            raise TypeError("Webflow resources need the client that the source's `connect` makes")
        return context.http

    async def get(self, path: str, **params: int | str) -> Any:
        """The JSON object of a GET; errors say what to do about them."""
        try:
            answer = await self.request("GET", path, params=params or None)
        except Refused as refusal:
            raise _explained(refusal, path == f"/sites/{self._site}") from None
        if not isinstance(answer.data, dict):
            raise self._malformed(path, answer.data, "without a JSON object")
        return answer.data

    async def site(self) -> Document:
        """The site of the connection; read once per load."""
        if self._about is None:
            self._about = dict(await self.get(SITE.format(site=self._site)))
        return self._about

    async def secondary_locales(self) -> dict[str, str]:
        """cmsLocaleId → tag of the locales besides the primary one (dossier §2.6)."""
        listed = ((await self.site()).get("locales") or {}).get("secondary") or []
        return {str(one["cmsLocaleId"]): str(one.get("tag") or one["cmsLocaleId"]) for one in listed}

    async def collections(self) -> list[Document]:
        """All collections of the site, without their fields; read once per load."""
        if self._collections is None:
            path = COLLECTIONS.format(site=self._site)
            self._collections = self._list(path, await self.get(path), "collections")
        return self._collections

    async def store_collection(self, slugs: Sequence[str]) -> str:
        """Id of a collection of the store, found by slug."""
        for collection in await self.collections():
            if collection.get("slug") in slugs:
                return str(collection["id"])
        raise NotFound(
            f"{self.name}: the site has no collection with the slug {' or '.join(slugs)}, which every store has. "
            "Check that Ecommerce is enabled and that WEBFLOW_SITE_ID is the right site.",
            url=COLLECTIONS.format(site=self._site),
        )

    async def whole_list(self, path: str, **params: str) -> list[Document]:
        """Every item of an offset list, each once. Raises `Malformed` if it does not hold still.

        Pages shift when something is added or removed meanwhile; fewer distinct items than `total` shows that.
        """
        found: dict[str, Document] = {}
        for _ in range(PASSES):
            items, total = await self._pass(path, params)
            if len(items) >= total:
                return list(items.values())
            found |= items
            if len(found) >= total:
                return list(found.values())
        raise Malformed(
            f"{self.name}: {path} lists {total} items, but {len(found)} came in {PASSES} passes. Somebody is "
            "changing the shop just now; run again. Nothing was concluded from the incomplete list.",
            url=path,
        )

    async def count(self, path: str, **params: str) -> int:
        """How many items an offset list has."""
        _, total = await self._page(path, 0, params, limit=1)
        return total

    async def moved_since(
        self, path: str, clock: str, since: str, at_most: int, **params: str
    ) -> list[Document] | None:
        """Items of a collection whose `clock` (`lastUpdated`, `lastPublished`) is not before `since`.

        None, after one request, when they are more than `at_most`.
        """
        filters = {f"{clock}[gte]": since, "sortBy": clock, "sortOrder": "asc", **params}
        items, total = await self._page(path, 0, filters)
        if total > at_most:
            return None
        return items if len(items) >= total else await self.whole_list(path, **filters)

    async def _pass(self, path: str, params: Mapping[str, str]) -> tuple[dict[str, Document], int]:
        """Read the list once: the first page says how many there are, the others come side by side."""
        items, total = await self._page(path, 0, params)
        pages = [items]
        offsets = range(PAGE_SIZE, total, PAGE_SIZE)
        for more, now in await side_by_side(self._page(path, offset, params) for offset in offsets):
            pages.append(more)
            total = now
        return {_identity(item): item for page in pages for item in page}, total

    async def _page(
        self, path: str, offset: int, params: Mapping[str, str], limit: int = PAGE_SIZE
    ) -> tuple[list[Document], int]:
        answer = await self.get(path, offset=offset, limit=limit, **params)
        items = self._list(path, answer, "items")
        pagination = answer.get("pagination")
        total = pagination.get("total") if isinstance(pagination, dict) else None
        if not isinstance(total, int):
            raise self._malformed(path, answer, "without pagination.total")
        return items, total

    def _list(self, path: str, answer: Document, name: str) -> list[Document]:
        items = answer.get(name)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise self._malformed(path, answer, f"without the list `{name}`")
        return items

    def _malformed(self, path: str, answer: Any, what: str) -> Malformed:
        return Malformed(
            f"{self.name}: {path} answered {what}. Check that WEBFLOW_BASE_URL is the Webflow API; if it is, "
            "run again.",
            url=path,
            body=str(answer)[:500],
        )


def _identity(item: Document) -> str:
    """A product of the store comes as `{product, skus}`, any other item bare."""
    return str(item["product"]["id"] if "product" in item else item["id"])


def _explained(refusal: Refused, is_site: bool) -> RemoteError:
    """The same error, with what to do where we know it (dossier §1, §3, §4)."""
    code = refusal.detail.get("code") if isinstance(refusal.detail, dict) else None
    if code == "ecommerce_not_enabled":
        advice = (
            "The site has no store: enable Ecommerce in its settings, or set WEBFLOW_SITE_ID to another site."
        )
    elif code == "missing_scopes":
        advice = (
            "Make a site token with the scopes sites:read, cms:read and ecommerce:read (and :write to apply)."
        )
    elif is_site and refusal.status == 404:
        advice = "Check WEBFLOW_SITE_ID; the token of this connection sees no such site."
    else:
        return refusal
    return type(refusal)(
        f"{refusal} {advice}",
        method=refusal.method,
        url=refusal.url,
        status=refusal.status,
        body=refusal.body,
        detail=refusal.detail,
    )
