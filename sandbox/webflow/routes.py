"""The routes below /webflow/v2 (Webflow dossier §1 to §3), and the files that the CDN serves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.state import State
from sandbox.webflow import assets, item_lists, items, store
from sandbox.webflow.calls import Call, JsonObject, Outcome, endpoint, error_response
from sandbox.webflow.errors import ApiError, bad_request, not_found, route_not_found, too_many_requests
from sandbox.webflow.site import Site
from sandbox.webflow.sites import Sites
from sandbox.webflow.switches import MISSING_SCOPES, declare_switches

_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
_SCOPES = ["sites:read", "sites:write", "cms:read", "cms:write", "ecommerce:read", "ecommerce:write",
           "assets:read", "assets:write"]  # fmt: skip
_SECONDS_BETWEEN_PUBLISHES = 60


def webflow_routes(state: State) -> list[BaseRoute]:
    """All routes with their full paths; the last one answers what the API does not have with a 404."""
    declare_switches(state.switches)
    sites = Sites(state)

    async def absent(request: Request) -> Response:
        return error_response(route_not_found(request.url.path.removeprefix("/webflow")))

    async def file(request: Request) -> Response:
        source = sites.file_source(request.path_params["file_id"])
        return RedirectResponse(source) if source else error_response(not_found("file"))

    async def upload(request: Request) -> Response:
        return await assets.upload(state, request)

    async def hosted(request: Request) -> Response:
        return assets.hosted(state, request.path_params["asset_id"])

    routes: list[BaseRoute] = [
        Route("/webflow/files/uploads/bucket", upload, methods=["POST"]),
        Route("/webflow/files/assets/{asset_id}/{name}", hosted),
        Route("/webflow/files/{file_id}/{name}", file),
    ]
    for method, path, scope, act in _ENDPOINTS:
        routes.append(Route(f"/webflow/v2{path}", endpoint(sites, scope, act), methods=[method]))
    routes.append(Route("/webflow/v2/{rest:path}", absent, methods=_METHODS))
    return routes


# -- sites and tokens -----------------------------------------------------------------------------------


def _shown_site(site: Site) -> JsonObject:
    hidden = {"defaultCurrency", "cmsLocaleId", "publishAttemptedAt", "changedCollections"}
    return {key: value for key, value in site.about.items() if key not in hidden}


def _list_sites(call: Call) -> Outcome:
    return 200, {"sites": [_shown_site(call.site)]}


def _get_site(call: Call) -> Outcome:
    return 200, _shown_site(call.site)


def _store_settings(call: Call) -> Outcome:
    about = call.site.about
    settings = {
        "siteId": about["id"],
        "createdOn": about["createdOn"],
        "defaultCurrency": about["defaultCurrency"],
    }
    return 200, settings


def _introspect(call: Call) -> Outcome:
    site = call.site
    if site.switch("introspect") == "refused":
        raise ApiError(403, "forbidden", "This endpoint needs a token of a Data Client App")
    granted = [scope for scope in _SCOPES if scope not in MISSING_SCOPES[site.switch("scopes")]]
    return 200, {
        "authorization": {
            "id": site.about["workspaceId"],
            "createdOn": site.about["createdOn"],
            "lastUsed": site.now(),
            "grantType": "authorization_code",
            "rateLimit": 120,
            "scope": ",".join(granted),
            "authorizedTo": {"siteIds": [site.id], "workspaceIds": [], "userIds": []},
        },
        "application": {"id": site.about["cmsLocaleId"], "displayName": "Karvon sandbox"},
    }


def _publish_site(call: Call) -> Outcome:
    """Once a minute, whatever the plan (Webflow dossier §3)."""
    site = call.site
    if not call.body.get("customDomains") and not call.body.get("publishToWebflowSubdomain"):
        raise bad_request("You must pass at least one domain ID to the publish endpoint.")
    last, now = site.about["publishAttemptedAt"], site.now()
    if last and _between(last, now) < timedelta(seconds=_SECONDS_BETWEEN_PUBLISHES):
        raise too_many_requests(_SECONDS_BETWEEN_PUBLISHES)
    items.publish_everything(site)
    site.save_about(lastPublished=now, publishAttemptedAt=now)
    return 202, {"customDomains": [], "publishToWebflowSubdomain": True, "publishScope": "site"}


def _between(earlier: str, later: str) -> timedelta:
    return datetime.fromisoformat(later) - datetime.fromisoformat(earlier)


# -- collections and items ------------------------------------------------------------------------------


def _list_collections(call: Call) -> Outcome:
    schemas = [{key: value for key, value in each.items() if key != "fields"} for each in call.site.schemas()]
    return 200, {"collections": schemas}


def _get_collection(call: Call) -> Outcome:
    return 200, call.site.schema_by_id(call.path["collection_id"])


def _writable(call: Call, *, new: bool = False) -> str:
    """Products and SKUs are made by the store's own calls; whether they can be changed here is a switch."""
    collection = call.collection
    is_refused = new or call.site.switch("cms_store_writes") == "refuse"
    if collection in {"product", "sku"} and is_refused:
        raise bad_request("Bad Request: Ecommerce items cannot be changed through this endpoint")
    return collection


def _list_items(call: Call, *, live: bool = False) -> Outcome:
    return 200, item_lists.list_items(call.site, call.collection, call.query, *call.page, live)


def _get_item(call: Call, *, live: bool = False) -> Outcome:
    locale = call.query.get("cmsLocaleId")
    return 200, item_lists.get_item(call.site, call.collection, call.path["item_id"], live, locale)


def _create_items(call: Call, *, live: bool = False) -> Outcome:
    skip = call.skip_invalid_files
    return 202, items.create_items(
        call.site, _writable(call, new=True), call.body, live=live, skip_invalid_files=skip
    )


def _create_bulk(call: Call) -> Outcome:
    return 202, items.create_bulk(
        call.site, _writable(call, new=True), call.body, skip_invalid_files=call.skip_invalid_files
    )


def _update_items(call: Call, *, live: bool = False) -> Outcome:
    skip, given = call.skip_invalid_files, call.body.get("items", [])
    return 200, {
        "items": items.update_items(call.site, _writable(call), given, live=live, skip_invalid_files=skip)
    }


def _update_item(call: Call, *, live: bool = False) -> Outcome:
    skip, given = call.skip_invalid_files, [{**call.body, "id": call.path["item_id"]}]
    return 200, items.update_items(call.site, _writable(call), given, live=live, skip_invalid_files=skip)[0]


def _chosen(call: Call) -> list[tuple[str, str | None]]:
    if "item_id" in call.path:
        return [(call.path["item_id"], call.query.get("cmsLocaleId"))]
    return items.chosen_items(call.site, call.body)


def _delete_items(call: Call) -> Outcome:
    items.delete_items(call.site, _writable(call), _chosen(call))
    return 204, None


def _unpublish_items(call: Call) -> Outcome:
    items.unpublish_items(call.site, _writable(call), _chosen(call))
    return 204, None


def _publish_items(call: Call) -> Outcome:
    return 202, items.publish_items(call.site, call.collection, call.body)


def _live(act: Callable[..., Outcome]) -> Callable[[Call], Outcome]:
    return lambda call: act(call, live=True)


# -- the store ------------------------------------------------------------------------------------------


def _list_products(call: Call) -> Outcome:
    return 200, store.list_products(call.site, *call.page)


def _get_product(call: Call) -> Outcome:
    return 200, store.get_product(call.site, call.path["product_id"])


def _create_product(call: Call) -> Outcome:
    return 200, store.create_product(call.site, call.body)


def _update_product(call: Call) -> Outcome:
    return 200, store.update_product(call.site, call.path["product_id"], call.body)


def _create_skus(call: Call) -> Outcome:
    return 200, store.create_skus(call.site, call.path["product_id"], call.body)


def _update_sku(call: Call) -> Outcome:
    return 200, store.update_sku(call.site, call.path["product_id"], call.path["sku_id"], call.body)


def _read_inventory(call: Call) -> Outcome:
    return 200, store.read_inventory(call.site, call.path["collection_id"], call.path["item_id"])


def _write_inventory(call: Call) -> Outcome:
    return 200, store.write_inventory(call.site, call.path["collection_id"], call.path["item_id"], call.body)


_SITE = "/sites/{site_id}"
_PRODUCT = f"{_SITE}/products/{{product_id}}"
_ITEMS = "/collections/{collection_id}/items"
_ITEM = f"{_ITEMS}/{{item_id}}"
# Fixed words come before {item_id}, which would match them too.
_ENDPOINTS: tuple[tuple[str, str, str, Callable[[Call], Outcome]], ...] = (
    ("GET", "/token/introspect", "", _introspect),
    ("GET", "/sites", "sites:read", _list_sites),
    ("GET", _SITE, "sites:read", _get_site),
    ("POST", f"{_SITE}/publish", "sites:write", _publish_site),
    ("GET", f"{_SITE}/ecommerce/settings", "ecommerce:read", _store_settings),
    ("GET", f"{_SITE}/products", "ecommerce:read", _list_products),
    ("POST", f"{_SITE}/products", "ecommerce:write", _create_product),
    ("GET", _PRODUCT, "ecommerce:read", _get_product),
    ("PATCH", _PRODUCT, "ecommerce:write", _update_product),
    ("POST", f"{_PRODUCT}/skus", "ecommerce:write", _create_skus),
    ("PATCH", f"{_PRODUCT}/skus/{{sku_id}}", "ecommerce:write", _update_sku),
    ("GET", f"{_SITE}/assets", "assets:read", assets.list_assets),
    ("POST", f"{_SITE}/assets", "assets:write", assets.create_asset),
    ("GET", "/assets/{asset_id}", "assets:read", assets.get_asset),
    ("GET", f"{_SITE}/collections", "cms:read", _list_collections),
    ("GET", "/collections/{collection_id}", "cms:read", _get_collection),
    ("GET", f"{_ITEMS}/live", "cms:read", _live(_list_items)),
    ("POST", f"{_ITEMS}/live", "cms:write", _live(_create_items)),
    ("PATCH", f"{_ITEMS}/live", "cms:write", _live(_update_items)),
    ("DELETE", f"{_ITEMS}/live", "cms:write", _unpublish_items),
    ("POST", f"{_ITEMS}/bulk", "cms:write", _create_bulk),
    ("POST", f"{_ITEMS}/insert", "cms:write", _create_items),
    ("POST", f"{_ITEMS}/publish", "cms:write", _publish_items),
    ("GET", _ITEMS, "cms:read", _list_items),
    ("POST", _ITEMS, "cms:write", _create_items),
    ("PATCH", _ITEMS, "cms:write", _update_items),
    ("DELETE", _ITEMS, "cms:write", _delete_items),
    ("GET", f"{_ITEM}/inventory", "ecommerce:read", _read_inventory),
    ("PATCH", f"{_ITEM}/inventory", "ecommerce:write", _write_inventory),
    ("GET", f"{_ITEM}/live", "cms:read", _live(_get_item)),
    ("PATCH", f"{_ITEM}/live", "cms:write", _live(_update_item)),
    ("DELETE", f"{_ITEM}/live", "cms:write", _unpublish_items),
    ("GET", _ITEM, "cms:read", _get_item),
    ("PATCH", _ITEM, "cms:write", _update_item),
    ("DELETE", _ITEM, "cms:write", _delete_items),
)
