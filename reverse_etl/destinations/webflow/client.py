"""Single reads and writes of Webflow's Data API v2 (Webflow dossier §1, §2). Listing belongs to the mirror source.

Every method raises from the `RemoteError` tree. Creates are never sent twice by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from karvon.connections import WebflowConnection
from karvon.http import HttpClient, Malformed
from karvon.rehearsal import Rehearsal

JsonObject = dict[str, Any]


class WebflowClient:
    """One site, one token; an async context manager. With a rehearsal nothing is sent."""

    def __init__(self, site: WebflowConnection, rehearsal: Rehearsal | None = None) -> None:
        token = site.api_token.get_secret_value()
        self._site = f"/sites/{site.site_id}"
        self._collections: dict[str, str] = {}
        self._finding = asyncio.Lock()
        self._http = HttpClient(
            f"webflow:{site.name}",
            base_url=site.base_url,
            limits=site.rate_limits,
            limit_header=("x-ratelimit-limit", 60),
            headers={"Authorization": f"Bearer {token}"},
            secrets=(token,),
            transport=rehearsal,
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.__aexit__(kind, error, trace)

    @property
    def requests(self) -> int:
        return self._http.statistics.requests

    @property
    def throttled(self) -> int:
        return self._http.statistics.throttled

    async def find_collections(self) -> None:
        """Learn the ids of the store's collections, once (dossier §1.6: singular slugs, plural ones seen too)."""
        async with self._finding:
            if not self._collections:
                answer = await self._http.request("GET", f"{self._site}/collections")
                self._collections = {one["slug"]: one["id"] for one in answer.data["collections"]}

    def collection(self, name: str) -> str:
        """The id of `product`, `sku` or `category`. Raises KeyError when the site has no such collection."""
        plural = {"category": "categories"}.get(name, f"{name}s")
        return self._collections.get(name) or self._collections[plural]

    async def product(self, product_id: str) -> JsonObject:
        return await self._data("GET", f"{self._site}/products/{product_id}", shows="product")

    async def create_product(self, body: JsonObject) -> JsonObject:
        return await self._data("POST", f"{self._site}/products", body, repeatable=False, shows="product")

    async def update_product(self, product_id: str, body: JsonObject) -> JsonObject:
        return await self._data("PATCH", f"{self._site}/products/{product_id}", body, shows="id")

    async def create_skus(self, product_id: str, body: JsonObject) -> list[JsonObject]:
        path = f"{self._site}/products/{product_id}/skus"
        return list((await self._data("POST", path, body, repeatable=False, shows="skus"))["skus"])

    async def update_sku(self, product_id: str, sku_id: str, body: JsonObject) -> JsonObject:
        return await self._data(
            "PATCH", f"{self._site}/products/{product_id}/skus/{sku_id}", body, shows="id"
        )

    async def create_asset(self, body: JsonObject) -> JsonObject:
        """Announce a file for the asset library; the answer says where its bytes go."""
        return await self._data("POST", f"{self._site}/assets", body, repeatable=False)

    async def stock(self, sku_id: str) -> JsonObject:
        return await self._data("GET", f"/collections/{self.collection('sku')}/items/{sku_id}/inventory")

    async def set_stock(self, sku_id: str, body: JsonObject) -> JsonObject:
        # Not repeated by itself: a sale may fall between two sendings, which only a new read can tell.
        path = f"/collections/{self.collection('sku')}/items/{sku_id}/inventory"
        return await self._data("PATCH", path, body, repeatable=False)

    async def items_with_slug(self, collection: str, slug: str) -> list[JsonObject]:
        answer = await self._http.request(
            "GET", f"/collections/{self.collection(collection)}/items", params={"slug": slug}
        )
        return list(answer.data["items"])

    async def item(self, collection: str, item_id: str) -> JsonObject:
        return await self._data("GET", f"/collections/{self.collection(collection)}/items/{item_id}")

    async def item_in(self, collection: str, item_id: str, locale: str) -> JsonObject:
        """A staged item by its collection's id; `locale` is a cmsLocaleId or empty for the primary one."""
        params = {"cmsLocaleId": locale} if locale else None
        answer = await self._http.request("GET", f"/collections/{collection}/items/{item_id}", params=params)
        return dict(answer.data)

    async def items(self, collection: str, **params: str | int) -> list[JsonObject]:
        """One page of a collection's staged items, by the collection's id."""
        answer = await self._http.request("GET", f"/collections/{collection}/items", params=params)
        return list(answer.data["items"])

    async def create_items(
        self, collection: str, items: Sequence[JsonObject], *, live: bool
    ) -> list[JsonObject]:
        """Up to 100 items, all or none; answered in no promised order."""
        path = f"/collections/{collection}/items{'/live' if live else ''}"
        return _items(await self._data("POST", path, {"items": list(items)}, repeatable=False))

    async def create_in_locales(self, collection: str, body: JsonObject) -> list[JsonObject]:
        """Items that are linked across locales: one answered item per locale (dossier §2.6)."""
        return _items(
            await self._data("POST", f"/collections/{collection}/items/bulk", body, repeatable=False)
        )

    async def update_items(
        self, collection: str, items: Sequence[JsonObject], *, live: bool
    ) -> list[JsonObject]:
        path = f"/collections/{collection}/items{'/live' if live else ''}"
        return _items(await self._data("PATCH", path, {"items": list(items)}))

    async def publish_items(self, collection: str, items: Sequence[JsonObject]) -> JsonObject:
        """`publishedItemIds` and `errors`: the status alone does not mean success (dossier §0.13)."""
        whole = all(set(item) == {"id"} for item in items)
        body = {"itemIds": [item["id"] for item in items]} if whole else {"items": list(items)}
        answer = await self._http.request("POST", f"/collections/{collection}/items/publish", json=body)
        return dict(answer.data or {})

    async def remove_items(self, collection: str, items: Sequence[JsonObject], *, live: bool) -> None:
        """Delete items, or with `live` take them off the live site, which makes them drafts."""
        path = f"/collections/{collection}/items{'/live' if live else ''}"
        await self._http.request("DELETE", path, json={"items": list(items)})

    async def _data(
        self,
        method: str,
        path: str,
        body: JsonObject | None = None,
        *,
        repeatable: bool = True,
        shows: str = "",
    ) -> JsonObject:
        """A JSON object with the member that it `shows`. Raises `Malformed` for any other answer."""
        # A broken image must be an error, not a silent gap (dossier §0.9).
        params = (
            {"skipInvalidFiles": "false"} if body is not None and path.startswith("/collections") else None
        )
        if path.endswith("/inventory"):
            params = None
        answer = await self._http.request(method, path, json=body, params=params, repeatable=repeatable)
        if not isinstance(answer.data, dict) or (shows and shows not in answer.data):
            raise Malformed(
                f"{method} {path} answered without {shows or 'a JSON object'}. Check that WEBFLOW_BASE_URL is the "
                "Webflow API; if it is, run again.",
                method=method, url=path, body=str(answer.data)[:500], outcome_unknown=method != "GET",
            )  # fmt: skip
        return answer.data


def _items(answer: JsonObject) -> list[JsonObject]:
    """A bulk answer; for a single item some endpoints answer it bare (dossier §2.4)."""
    return list(answer["items"]) if "items" in answer else [answer]
