"""The routes below /plytix (Plytix dossier §1, §2, §5 to §11)."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.plytix.answers import ApiError, data_response, json_response, not_found
from sandbox.plytix.files import file_content
from sandbox.plytix.search import SmallSearch, filter_catalogue, search_small
from sandbox.plytix.shapes import Shaper
from sandbox.plytix.tokens import account_of_key, issue_token, signed_in_account
from sandbox.plytix.world import World
from sandbox.plytix.worlds import Worlds
from sandbox.plytix.writes import create_product, delete_product, patch_product
from sandbox.state import Document

Handler = Callable[["Call"], Response]
BAD_JSON = "The browser sent a request that this server could not understand."
BAD_CREDENTIALS = "Bad api_key or api_password: Credentials not valid"
COLUMNS = {
    "attributes": "id label name type_class filter_type groups options attributes description",
    "groups": "id name order attribute_labels",
    "categories": "id name slug path parents_ids n_children order modified",
    "families": "id name created modified _created_at total_attributes total_models total_products",
    "assets": "id filename extension content_type file_type file_size url thumbnail has_custom_thumb public status "
    "assigned n_products n_catalogs categories created modified file_modified",
    "relationships": "id label name symmetrical created modified",
}
ASSET_FILTERS = frozenset(
    ["id", "status", "file_type", "file_size", "categories", "extension", "created", "modified", "filename"]
)


@dataclass(frozen=True)
class Call:
    """One signed-in request."""

    worlds: Worlds
    account: str
    version: int
    request: Request
    body: Document

    @property
    def world(self) -> World:
        return self.worlds.of(self.account)

    @property
    def shaper(self) -> Shaper:
        return Shaper(self.world, self.version)

    @property
    def key(self) -> str:
        return str(self.request.path_params["key"])

    def product(self) -> Document:
        """Raises ApiError 404; a role that sees no products finds none."""
        found = self.world.products.get(self.key)
        if found is None or not self.world.state.switches["plytix.role_sees_products"]:
            raise not_found("product", self.key)
        return found


def plytix_routes(worlds: Worlds) -> list[BaseRoute]:
    """Sign-in, API v1 and v2, and the files."""

    async def get_token(request: Request) -> Response:
        return sign_in(worlds, await request.body())

    async def asset_file(request: Request) -> Response:
        return serve_file(worlds, request)

    async def without_slash(request: Request) -> Response:
        # To another origin, so that clients drop Authorization on the way, as they do with Plytix (§1).
        return RedirectResponse(
            str(request.url.replace(path=request.url.path.rstrip("/"), hostname="localhost")), 301
        )

    routes: list[BaseRoute] = [
        Route("/plytix/auth/api/get-token", get_token, methods=["POST"]),
        Route("/plytix/files/{key}/{name:path}", asset_file),
        Route("/plytix/thumbs/{key}/{name:path}", asset_file),
    ]
    every = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    for version, table in ((1, V1_ROUTES), (2, V2_ROUTES)):
        for path in dict.fromkeys(path for _, path, _ in table):
            by_method = {method: handler for method, found, handler in table if found == path}
            routes.append(
                Route(f"/plytix/api/v{version}{path}", endpoint(worlds, version, by_method), methods=every)
            )
    routes.append(Route("/plytix/api/{rest:path}/", without_slash, methods=every))
    routes.append(Route("/plytix/{rest:path}", endpoint(worlds, 1, {}), methods=every))
    return routes


def endpoint(
    worlds: Worlds, version: int, by_method: dict[str, Handler]
) -> Callable[[Request], Awaitable[Response]]:
    """Sign-in first, then the path (404), then the method (405), then the body (400)."""

    async def handle(request: Request) -> Response:
        raw = await request.body()
        try:
            account = signed_in_account(request.headers.get("authorization", ""))
            if account is None:
                has_header = "authorization" in request.headers
                raise ApiError(401, "Token has expired" if has_header else "Missing Authorization Header")
            if not by_method:
                raise ApiError(404, "The requested URL was not found on the server.")
            handler = by_method.get("GET" if request.method == "HEAD" else request.method)
            if handler is None:
                raise ApiError(405, "The method is not allowed for the requested URL.")
            body = read_json(raw) if request.method in ("POST", "PATCH", "PUT") else {}
            response = handler(Call(worlds, account, version, request, body))
            if (
                version == 1
                and "/products" in request.url.path
                and worlds.state.switches["plytix.deprecation_header"]
            ):
                response.headers["X-Plytix-Deprecation"] = "This endpoint will be retired; use v2."
            return response
        except ApiError as error:
            return json_response(error.body, error.status)

    return handle


def read_json(raw: bytes) -> Document:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise ApiError(400, BAD_JSON) from None
    if not isinstance(body, dict):
        raise ApiError(400, BAD_JSON)
    return body


def sign_in(worlds: Worlds, raw: bytes) -> Response:
    try:
        body = read_json(raw)
    except ApiError as error:
        return json_response(error.body, error.status)
    account = account_of_key(body.get("api_key"), body.get("api_password"))
    if account is None:
        errors = [{"field": "http_status_code", "msg": 401}]
        return json_response({"error": {"msg": BAD_CREDENTIALS, "errors": errors}}, 401)
    token = issue_token(account, worlds.state.switches["plytix.token_seconds"])
    # A refresh token comes back too; nothing takes it (Plytix dossier §2).
    return data_response([{"access_token": token, "refresh_token": f"refresh.{token[-12:]}"}])


def serve_file(worlds: Worlds, request: Request) -> Response:
    asset = worlds.asset(request.path_params["key"])
    if asset is None or asset["filename"] != request.path_params["name"]:
        return Response("Not found", 404, media_type="text/plain")
    content, content_type = file_content(asset, thumb=request.url.path.startswith("/plytix/thumbs/"))
    return Response(content, media_type=content_type, headers={"Cache-Control": "no-cache"})


# -- products ------------------------------------------------------------------------------------


def search_products(call: Call) -> Response:
    rows, pagination = call.worlds.search_of(call.account).run(call.body, call.shaper)
    return data_response(rows, pagination)


def get_product(call: Call) -> Response:
    all_attributes = call.request.query_params.get("all_attributes", "false").lower() == "true"
    return data_response([call.shaper.product(call.product(), all_attributes=all_attributes)])


def get_variants(call: Call) -> Response:
    """Direct children, unpaged."""
    children = call.world.children(call.product()["id"])
    return data_response([call.shaper.product(call.world.product(child)) for child in children])


def get_product_assets(call: Call) -> Response:
    return data_response([call.shaper.file(asset) for asset in call.product()["assets"]])


def post_product(call: Call) -> Response:
    return data_response([call.shaper.product(create_product(call.world, call.body))], status=201)


def patch_one_product(call: Call) -> Response:
    call.product()
    return data_response([call.shaper.product(patch_product(call.world, call.key, call.body))])


def delete_one_product(call: Call) -> Response:
    call.product()
    delete_product(call.world, call.key)
    return Response(status_code=204)


def product_filters(call: Call) -> Response:
    return data_response([filter_catalogue(call.worlds.search_of(call.account))])


# -- the small resources -------------------------------------------------------------------------


def small_search(call: Call, name: str) -> SmallSearch:
    world, shaper = call.world, call.shaper
    columns = frozenset(COLUMNS[name].split())
    match name:
        case "attributes":
            size = world.state.switches["plytix.small_page_size_max"]
            free = ("id", "filter_type")
            return SmallSearch(world.attributes, shaper.attribute, columns, free, columns, page_size_max=size)
        case "groups":
            return SmallSearch(world.groups, shaper.group, columns, ("id",), columns)
        case "categories":
            return SmallSearch(world.categories, shaper.category_row, columns, ("id",), columns)
        case "families":
            return SmallSearch(world.families, shaper.family, columns, ("id", "name"), columns)
        case "assets":
            free = ("id", "filename")
            return SmallSearch(
                world.assets, shaper.asset, columns, free, ASSET_FILTERS, has_ordered_limit=True
            )
        case _:
            return SmallSearch(world.relationships, shaper.relationship, columns, ("id", "label"), columns)


def search_of(name: str) -> Handler:
    def search(call: Call) -> Response:
        rows, pagination = search_small(call.world, small_search(call, name), call.body)
        return data_response(rows, pagination)

    return search


def get_of(name: str, what: str) -> Handler:
    def get(call: Call) -> Response:
        spec = small_search(call, name)
        found = spec.collection.get(call.key)
        if found is None:
            raise not_found(what, call.key)
        return data_response([spec.shape(found)])

    return get


def filters_of(name: str) -> Handler:
    def filters(call: Call) -> Response:
        properties: Iterable[str] = sorted(small_search(call, name).filterable)
        return data_response([{"attributes": [], "properties": [{"key": key} for key in properties]}])

    return filters


def family_attributes(call: Call) -> Response:
    return data_response(call.shaper.family_attributes(the_family(call)))


def family_all_attributes(call: Call) -> Response:
    """With the system attributes that can be inherited (Plytix dossier §7)."""
    system: list[dict[str, Any]] = [
        {"id": None, "label": label, "name": label.capitalize(), "attribute_level": "no_level"}
        for label in ("label", "thumbnail", "status", "categories")
    ]
    return data_response(system + call.shaper.family_attributes(the_family(call)))


def the_family(call: Call) -> Document:
    family = call.world.families.get(call.key)
    if family is None:
        raise not_found("product family", call.key)
    return family


def post_attribute(_call: Call) -> Response:
    raise ApiError(403, "The role of this key may not do that.")


PRODUCT_ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/products/search", search_products),
    ("POST", "/products", post_product),
    ("GET", "/products/{key}", get_product),
    ("PATCH", "/products/{key}", patch_one_product),
    ("DELETE", "/products/{key}", delete_one_product),
    ("GET", "/products/{key}/variants", get_variants),
    ("GET", "/products/{key}/assets", get_product_assets),
]
V2_ROUTES = PRODUCT_ROUTES
V1_ROUTES: list[tuple[str, str, Handler]] = [
    *PRODUCT_ROUTES,
    ("POST", "/attributes/product/search", search_of("attributes")),
    ("GET", "/attributes/product/{key}", get_of("attributes", "attribute")),
    # There is no GET list: the path exists, the method does not (Plytix dossier §4).
    ("POST", "/attributes/product", post_attribute),
    ("POST", "/attribute-groups/product/search", search_of("groups")),
    ("POST", "/product_families/search", search_of("families")),
    ("GET", "/product_families/{key}", get_of("families", "product family")),
    ("GET", "/product_families/{key}/attributes", family_attributes),
    ("GET", "/product_families/{key}/all_attributes", family_all_attributes),
    ("POST", "/categories/product/search", search_of("categories")),
    ("POST", "/assets/search", search_of("assets")),
    ("GET", "/assets/{key}", get_of("assets", "asset")),
    ("POST", "/relationships/search", search_of("relationships")),
    ("GET", "/relationships/{key}", get_of("relationships", "relationship")),
    ("GET", "/filters/product", product_filters),
    ("GET", "/filters/asset", filters_of("assets")),
    ("GET", "/filters/relationships", filters_of("relationships")),
]
