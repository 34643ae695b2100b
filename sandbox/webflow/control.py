"""Control of the shop below /_control/webflow: what is in it, and what people do to it behind our back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox.state import State
from sandbox.webflow import items, store
from sandbox.webflow.errors import ApiError
from sandbox.webflow.schema import STORE_COLLECTIONS, derived_id, new_field
from sandbox.webflow.site import Record, Site
from sandbox.webflow.sites import Sites, add_by_hand
from sandbox.webflow.switches import declare_switches

JsonObject = dict[str, Any]
_OF_THE_RUN = {"id", "product", "default-sku", "sku-properties", "sku-values", "category"}


class WrongUse(Exception):
    """A control call that makes no sense; the message says why."""


def control_routes(state: State) -> list[BaseRoute]:
    """GET shop, counts; POST sale, edit, hand-made, item, collection, field, locales, currency.

    `account` or `site` names a site other than the default one: by account name or by site id.
    """
    declare_switches(state.switches)
    sites = Sites(state)
    actions: tuple[tuple[str, str, Callable[[Site, JsonObject], JsonObject]], ...] = (
        ("GET", "shop", _shop),
        ("GET", "counts", _counts),
        ("POST", "sale", _sale),
        ("POST", "edit", _edit),
        ("POST", "hand-made", _hand_made),
        ("POST", "item", _item_by_hand),
        ("POST", "collection", _make_collection),
        ("POST", "field", _change_field),
        ("POST", "locales", _add_locales),
        ("POST", "currency", _change_currency),
    )
    return [
        Route(f"/_control/webflow/{name}", _endpoint(sites, act), methods=[method])
        for method, name, act in actions
    ]


def _endpoint(
    sites: Sites, act: Callable[[Site, JsonObject], JsonObject]
) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            given = (
                dict(request.query_params) if request.method == "GET" else orjson.loads(await request.body())
            )
            account = given.get("account") or given.get("site") or "default"
            site = sites.find(account)
            if site is None:
                raise WrongUse(f"no site of account {account}: it begins with the first call of its token")
            status, answer = 200, act(site, given)
        except (WrongUse, ValueError) as error:
            status, answer = 400, {"error": str(error)}
        except KeyError as error:
            status, answer = 400, {"error": f"missing: {error.args[0]}"}
        except ApiError as error:
            status, answer = error.status, {"error": error.message, "details": error.details}
        return Response(orjson.dumps(answer), status, media_type="application/json")

    return handle


def _shop(site: Site, given: JsonObject) -> JsonObject:
    """Everything in the shop in terms that two runs share: names and sources, sorted, no ids of the run.

    Each entry carries its ids too unless `ids=false`.
    """
    with_ids = given.get("ids", "true") != "false"
    products = [_product(site, record, with_ids) for record in site.records("product")]
    others = {
        schema["slug"]: sorted(
            (_item(site, each, with_ids) for each in site.records(schema["slug"], locales=site.locales)),
            key=_slug_of,
        )
        for schema in site.schemas()
        if schema["slug"] not in {"product", "sku"}
    }
    return {"site": site.id, "products": sorted(products, key=_slug_of), **others}


def _slug_of(entry: JsonObject) -> str:
    return str(entry["fields"]["slug"])


def _item(site: Site, record: Record, with_ids: bool) -> JsonObject:
    is_store = record["collection"] in STORE_COLLECTIONS
    kept = {
        key: value
        for key, value in record["fieldData"].items()
        if value is not None and not (is_store and key in _OF_THE_RUN)
    }
    if not with_ids:
        kept |= _slugs_of_references(site, record["collection"], kept)
    shown: JsonObject = {
        "hand_made": record["hand_made"],
        "is_archived": record["isArchived"],
        "is_draft": record["isDraft"],
        "is_published": record["live"] is not None,
        "fields": {key: _source_of(site, value) for key, value in kept.items()},
    }
    if record["cmsLocaleId"] != site.locales[0]:
        shown["locale"] = record["cmsLocaleId"]
    return {"id": record["id"], "last_updated": record["lastUpdated"], **shown} if with_ids else shown


def _slugs_of_references(site: Site, collection: str, fields: JsonObject) -> JsonObject:
    """References shown by the slugs of what they lead to."""
    shown = {}
    for field in site.schema(collection)["fields"]:
        given = fields.get(field["slug"])
        if field["type"] in ("Reference", "MultiReference") and given:
            target = site.schema_by_id(field["validations"]["collectionId"])["slug"]
            slugs = {each["id"]: each["fieldData"]["slug"] for each in site.records(target)}
            many = [slugs.get(each, "(deleted)") for each in (given if isinstance(given, list) else [given])]
            shown[field["slug"]] = many if isinstance(given, list) else many[0]
    return shown


def _source_of(site: Site, value: Any) -> Any:
    """Imported files are shown by where they came from: their own ids differ from run to run."""
    if isinstance(value, list):
        return [_source_of(site, each) for each in value]
    if isinstance(value, dict) and "fileId" in value:
        file = site.files.get(value["fileId"])
        return {"source": file["source"] if file else None, "alt": value["alt"]}
    return value


def _product(site: Site, record: Record, with_ids: bool) -> JsonObject:
    fields = record["fieldData"]
    properties = fields.get("sku-properties") or []
    names = {each["id"]: each["name"] for each in properties}
    values = {value["id"]: value["name"] for each in properties for value in each["enum"]}
    skus = []
    for sku in site.skus(record["id"]):
        chosen = sku["fieldData"].get("sku-values") or {}
        skus.append(
            {
                **_item(site, sku, with_ids),
                "is_default": sku["id"] == fields["default-sku"],
                "options": {names.get(key, key): values.get(value, value) for key, value in chosen.items()},
                "inventory": site.inventory.get(sku["id"]) or {"quantity": 0, "inventoryType": "infinite"},
            }
        )
    slugs = {each["id"]: each["fieldData"]["slug"] for each in site.records("category")}
    return {
        **_item(site, record, with_ids),
        "options": [
            {"name": each["name"], "values": [value["name"] for value in each["enum"]]} for each in properties
        ],
        "categories": [slugs.get(each, "(deleted)") for each in fields.get("category") or []],
        "broken_variants": len(store.broken_variants(site, record)),
        "skus": sorted(skus, key=_slug_of),
    }


def _counts(site: Site, given: JsonObject) -> JsonObject:
    """Numbers of things; `image_imports` counts every import ever made, by source URL in `imports_by_source`."""
    products = list(site.records("product"))
    by_source = Counter(file["source"] for file in site.files.values())
    counts: JsonObject = {each["slug"]: len(site.item_ids(each["slug"])) for each in site.schemas()}
    return {
        "collections": counts,
        "items": site.size(),
        "archived_products": sum(each["isArchived"] for each in products),
        "draft_products": sum(each["isDraft"] for each in products),
        "published_products": sum(each["live"] is not None for each in products),
        "hand_made_products": sum(each["hand_made"] for each in products),
        "image_imports": len(site.files),
        "imports_by_source": dict(by_source.most_common())
        if given.get("sources") == "true"
        else len(by_source),
    }


def _sale(site: Site, given: JsonObject) -> JsonObject:
    """A customer bought: {sku: code or slug or id, quantity}."""
    record = _find(site, "sku", given["sku"])
    stock = site.inventory.get(record["id"]) or {"quantity": 0, "inventoryType": "infinite"}
    left = stock["quantity"] - given.get("quantity", 1)
    if stock["inventoryType"] == "finite":
        if left < 0:
            raise WrongUse(f"only {stock['quantity']} left of {given['sku']}")
        site.inventory.put(record["id"], {**stock, "quantity": left})
    return {"id": record["id"], **(site.inventory.get(record["id"]) or stock)}


def _edit(site: Site, given: JsonObject) -> JsonObject:
    """Somebody edits in the Designer: {collection, item: slug or code or id, fieldData, isArchived, isDraft}.

    Nothing is checked; the change is there and `lastUpdated` moves.
    """
    record = _find(site, given.get("collection", "product"), given["item"])
    record["fieldData"] = {**record["fieldData"], **given.get("fieldData", {})}
    for flag in ("isArchived", "isDraft"):
        record[flag] = given.get(flag, record[flag])
    site.save([record])
    return site.envelope(record)


def _hand_made(site: Site, given: JsonObject) -> JsonObject:
    """Somebody makes a product: {name, slug, price in minor units, sku, description, quantity}."""
    wanted = ("name", "slug", "price", "sku", "description", "quantity")
    return add_by_hand(site, **{"price": 1000, **{key: given[key] for key in wanted if key in given}})


def _item_by_hand(site: Site, given: JsonObject) -> JsonObject:
    """Somebody makes an item of a CMS collection, published at once: {collection, fieldData}."""
    body = {"fieldData": given["fieldData"]}
    made = items.create_items(site, given["collection"], body, live=True, skip_invalid_files=True)
    site.save([{**site.record(made["id"], given["collection"]), "hand_made": True}], touch=False)
    return made


def _make_collection(site: Site, given: JsonObject) -> JsonObject:
    """Somebody makes a collection: {slug, displayName, singularName, fields: {slug: {type, validations, isRequired}}}.

    In the validations a list names the options of a field, and ">brands" the collection it refers to.
    """
    if given["slug"] in STORE_COLLECTIONS:
        raise WrongUse("the collections of the store are there already")
    return site.add_schema(given)


def _add_locales(site: Site, given: JsonObject) -> JsonObject:
    """Somebody adds locales: {primary: tag, secondary: [tags]}; a store cannot have any (Webflow dossier §2.6)."""

    def locale(tag: str, cms_locale: str) -> JsonObject:
        return {"id": derived_id(site.id, tag), "cmsLocaleId": cms_locale, "tag": tag, "displayName": tag,
                "subdirectory": tag, "enabled": True}  # fmt: skip

    secondary = [locale(tag, derived_id(site.id, "cms", tag)) for tag in given["secondary"]]
    primary = locale(given.get("primary", "en"), site.locales[0])
    locales: JsonObject = {"primary": primary, "secondary": secondary}
    site.save_about(locales=locales)
    return locales


def _change_field(site: Site, given: JsonObject) -> JsonObject:
    """Somebody changes the structure: {collection, add: slug, type, validations} or {collection, remove: slug}."""
    schema = site.schema(given["collection"])
    kept = [each for each in schema["fields"] if each["slug"] not in {given.get("remove"), given.get("add")}]
    if "add" in given:
        required = bool(given.get("isRequired", False))
        kept.append(
            new_field(
                site.id, schema["slug"], given["add"], given["type"], given.get("validations"), required
            )
        )
    site.save_schema({**schema, "fields": kept})
    return {"fields": [each["slug"] for each in kept]}


def _change_currency(site: Site, given: JsonObject) -> JsonObject:
    """Another default currency; prices that are there keep theirs."""
    site.save_about(defaultCurrency=str(given["currency"]))
    return {"defaultCurrency": site.about["defaultCurrency"]}


def _find(site: Site, collection: str, wanted: str) -> Record:
    for record in site.records(collection):
        fields = record["fieldData"]
        if wanted in {record["id"], fields["slug"], fields.get("sku")}:
            return site.record(record["id"], collection)
    raise WrongUse(f"nothing in {collection} has this id, slug or SKU: {wanted}")
