"""What Webflow would answer, made up from what is sent: ids that only the shop can give stand in parentheses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from karvon.rehearsal import Request
from reverse_etl.destinations.webflow.field_types import Collection

JsonObject = dict[str, Any]


def answers(
    collections: tuple[Collection, ...], stocks: Mapping[str, JsonObject]
) -> Callable[[Request], Any]:
    """Answers to the requests of one site's channels. `stocks` are the last seen ones by SKU id."""

    def answer(request: Request) -> Any:
        parts = request.path.strip("/").split("/")
        match request.method, parts[-1]:
            case "GET", "collections":
                return {"collections": [{"id": one.id, "slug": one.slug} for one in collections]}
            case "GET", "inventory":
                return stocks.get(parts[-2], {"inventoryType": "infinite", "quantity": 0})
            case "GET", _:
                return None
            case "POST", "products":
                return _created_product(request.body)
            case "POST", "skus":
                return {"skus": [_item(one) for one in request.body["skus"]]}
            case "POST", "assets":
                return {"id": "(asset)", "hostedUrl": f"(asset library)/{request.body['fileName']}"}
            case "POST", "publish":
                return {"publishedItemIds": list(_ids(request.body)), "errors": []}
            case _, "inventory":
                return {"quantity": 0, **request.body}
            case _ if "items" in (request.body or {}):
                return {"items": [_item(one) for one in request.body["items"]]}
            case _ if "products" in parts:
                return _item(request.body.get("sku" if "skus" in parts else "product") or {}, parts[-1])
            case _:
                return _item(request.body or {}, parts[-1] if request.method == "PATCH" else None)

    return answer


def _created_product(body: Mapping[str, Any]) -> JsonObject:
    product, sku = _item(body["product"]), _item(body["sku"])
    data = product["fieldData"]
    if properties := data.get("sku-properties"):
        data["sku-properties"] = [_own_ids(one) for one in properties]
    data["default-sku"] = sku["id"]
    return {"product": product, "skus": [sku]}


def _own_ids(given: Mapping[str, Any]) -> JsonObject:
    """The shop replaces the ids of options by its own (dossier §1.2)."""
    values = [{**one, "id": f"(id of {one['name']})"} for one in given["enum"]]
    return {**given, "id": f"(id of {given['name']})", "enum": values}


def _item(part: Mapping[str, Any], item_id: str | None = None) -> JsonObject:
    data = {**(part.get("fieldData") or {})}
    name = data.get("slug") or data.get("name") or "?"
    given = part.get("id") or item_id
    return {**part, "id": given if given and given != "live" else f"(id of {name})", "fieldData": data}


def _ids(body: Mapping[str, Any]) -> Iterator[str]:
    yield from body.get("itemIds") or (one["id"] for one in body.get("items") or ())
