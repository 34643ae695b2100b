"""Products, SKUs and stock (Webflow dossier §1): one call each, no delete, variants by id."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable
from typing import Any

from sandbox.webflow.errors import ApiError, bad_request, conflict, invalid, not_found
from sandbox.webflow.schema import ADVANCED
from sandbox.webflow.site import Record, Site
from sandbox.webflow.values import MOST, Writing

JsonObject = dict[str, Any]


def list_products(site: Site, offset: int, limit: int) -> JsonObject:
    """One page of {product, skus}; `total` counts products only."""
    ids = site.item_ids("product")
    page = [
        _with_skus(site, site.record(item_id, "product"), listed=True)
        for item_id in ids[offset : offset + limit]
    ]
    return {"items": page, "pagination": {"limit": limit, "offset": offset, "total": len(ids)}}


def get_product(site: Site, product_id: str) -> JsonObject:
    return _with_skus(site, site.record(product_id, "product"))


def create_product(site: Site, body: JsonObject) -> JsonObject:
    """A product and its default SKU, which is the combination of the first value of each property."""
    publish = _publish_status(body)
    product_given, sku_given = _part(body, "product"), _part(body, "sku")
    site.check_room(2)
    writing = site.writing("product", skip_invalid_files=False)
    product = site.new_record("product", **_flags(product_given))
    product["fieldData"] = {"tax-category": "standard-taxable", "shippable": True}
    fields = dict(product_given["fieldData"])
    fields["sku-properties"] = settled_properties(site, fields.get("sku-properties") or [], [])
    product = site.checked(product, fields, writing, set())
    sku = site.new_record("sku")
    sku["fieldData"] = {"product": product["id"]}
    sku = site.checked(sku, _without(sku_given["fieldData"], "sku-values", "product"), writing, set())
    sku["fieldData"]["sku-values"] = _first_combination(fields["sku-properties"])
    product["fieldData"] |= {"default-sku": sku["id"], "ec-product-type": ADVANCED}
    _save(site, [product, sku], publish)
    site.keep_files(writing)
    return _with_skus(site, product, just_written=True)


def update_product(site: Site, product_id: str, body: JsonObject) -> JsonObject:
    """Merge the given fields; the default SKU may be given along. Answers the product alone."""
    publish = _publish_status(body)
    product = site.record(product_id, "product")
    writing = site.writing("product", skip_invalid_files=False)
    product_given = _part(body, "product", optional=True)
    was_archived = product["isArchived"]
    if "isArchived" not in product_given and site.switch("clear_archive"):
        product["isArchived"] = False
    product |= _flags(product_given)
    if product["isArchived"] != was_archived:
        product["listed_archived"] = was_archived
    fields = product_given.get("fieldData") or {}
    if not isinstance(fields, dict):
        raise bad_request()
    if "sku-properties" in fields:
        known = product["fieldData"].get("sku-properties") or []
        fields["sku-properties"] = settled_properties(site, fields["sku-properties"] or [], known)
        _check_values_in_use(site, product_id, fields["sku-properties"])
    changed = [site.checked(product, _without(fields, "default-sku"), writing, set())]
    changed[0]["fieldData"]["ec-product-type"] = ADVANCED
    if "sku" in body:
        sku_fields = _part(body, "sku")["fieldData"]
        changed.append(
            _checked_sku(site, changed[0], product["fieldData"]["default-sku"], sku_fields, writing)
        )
    _save(site, changed, publish)
    site.keep_files(writing)
    return site.envelope(changed[0], just_written=True)


def create_skus(site: Site, product_id: str, body: JsonObject) -> JsonObject:
    """All of them or none; `sku-values` must be keyed by the ids that the product has now."""
    publish = _publish_status(body)
    product = site.record(product_id, "product")
    given = body.get("skus")
    if not isinstance(given, list) or not given:
        raise bad_request()
    site.check_room(len(given))
    most = site.switch("max_skus_per_product")
    if most and len(site.sku_ids(product_id)) + len(given) > most:
        raise conflict(f"Products can have at most {most} variants")
    writing = site.writing("sku", skip_invalid_files=False)
    taken: set[str] = set()
    created: list[Record] = []
    for each in given:
        fields = _part({"sku": each}, "sku")["fieldData"]
        sku = site.new_record("sku")
        sku["fieldData"] = {"product": product_id}
        sku = site.checked(sku, _without(fields, "sku-values", "product"), writing, taken)
        sku["fieldData"]["sku-values"] = _checked_values(site, product, fields.get("sku-values"))
        created.append(sku)
    _check_combinations(site.skus(product_id), created)
    _save(site, created, publish)
    site.keep_files(writing)
    return {"skus": [_sku_envelope(site, sku, just_written=True) for sku in created]}


def update_sku(site: Site, product_id: str, sku_id: str, body: JsonObject) -> JsonObject:
    publish = _publish_status(body)
    product = site.record(product_id, "product")
    fields = _part(body, "sku")["fieldData"]
    writing = site.writing("sku", skip_invalid_files=False)
    if site.switch("sku_patch") == "strict":
        missing = [name for name in ("name", "slug", "price") if name not in fields]
        if missing:
            details = [{"param": name, "description": "Value is required"} for name in missing]
            raise ApiError(400, "validation_error", "Validation Error", details)
    sku = _checked_sku(site, product, sku_id, fields, writing)
    _save(site, [sku], publish)
    site.keep_files(writing)
    return _sku_envelope(site, sku, just_written=True)


def read_inventory(site: Site, collection_id: str, sku_id: str) -> JsonObject:
    """Kept apart from the SKU, and asked for by the id of the SKU collection (Webflow dossier §1.7)."""
    if site.schema_by_id(collection_id)["slug"] != "sku":
        raise bad_request("Bad Request: sku collection not specified")
    site.record(sku_id, "sku")
    stored = site.inventory.get(sku_id) or {"quantity": 0, "inventoryType": "infinite"}
    return {"id": sku_id, **stored}


def write_inventory(site: Site, collection_id: str, sku_id: str, body: JsonObject) -> JsonObject:
    stock = read_inventory(site, collection_id, sku_id)
    kind = body.get("inventoryType")
    if kind not in ("infinite", "finite"):
        raise invalid("inventoryType", "Expected value to be one of: infinite, finite")
    quantity = stock["quantity"]
    for name in ("quantity", "updateQuantity"):
        if name in body and (isinstance(body[name], bool) or not isinstance(body[name], int)):
            raise invalid(name, "Expected value to be an integer")
    if "quantity" in body:
        quantity = body["quantity"]
    elif "updateQuantity" in body:
        quantity += body["updateQuantity"]
    if not 0 <= quantity <= MOST:
        raise invalid("quantity", "Value must not be negative, nor beyond all bounds")
    site.inventory.put(sku_id, {"quantity": quantity, "inventoryType": kind})
    return read_inventory(site, collection_id, sku_id)


def settled_properties(site: Site, given: Any, known: list[JsonObject]) -> list[JsonObject]:
    """The properties with the ids they will have (Webflow dossier §1.2).

    Ids that the product has already are kept; others are replaced, or kept if the switch says so.
    """
    if not isinstance(given, list):
        raise invalid("sku-properties", "Expected value to be an array")
    kept = {each["id"] for each in known} | {value["id"] for each in known for value in each["enum"]}

    def settle(each: Any, *required: str) -> JsonObject:
        if not isinstance(each, dict) or any(key not in each for key in required):
            raise invalid("sku-properties", f"Expected each entry to have: {', '.join(required)}")
        given_id = each["id"]
        if not isinstance(given_id, str | None):
            raise invalid("sku-properties", "Expected id to be a string")
        keep = given_id in kept or (given_id and site.switch("variant_ids") == "keep")
        return {**{key: each[key] for key in required}, "id": given_id if keep else secrets.token_hex(16)}

    settled = []
    for each in given:
        property_ = settle(each, "id", "name", "enum")
        if not isinstance(each["enum"], list) or not each["enum"]:
            raise invalid("sku-properties", "Expected enum to have at least one value")
        property_["enum"] = [settle(value, "id", "name", "slug") for value in each["enum"]]
        settled.append(property_)
    return settled


def broken_variants(site: Site, product: Record) -> list[str]:
    """SKUs whose `sku-values` name ids the product does not have: nobody can choose them in the shop."""
    allowed = _allowed_values(product)
    return [
        sku["id"]
        for sku in site.skus(product["id"])
        if {
            key: value in allowed.get(key, ())
            for key, value in (sku["fieldData"].get("sku-values") or {}).items()
        }
        != dict.fromkeys(allowed, True)
    ]


def _allowed_values(product: Record) -> dict[str, set[str]]:
    properties = product["fieldData"].get("sku-properties") or []
    return {each["id"]: {value["id"] for value in each["enum"]} for each in properties}


def _checked_values(site: Site, product: Record, given: Any) -> JsonObject:
    values = given or {}
    if not isinstance(values, dict) or not all(isinstance(each, str) for each in values.values()):
        raise invalid("sku-values", "Expected value to be an object of ids")
    allowed = _allowed_values(product)
    wrong = [key for key, value in values.items() if value not in allowed.get(key, ())]
    missing = [key for key in allowed if key not in values]
    if (wrong or missing) and site.switch("variant_references") == "refuse":
        raise invalid(
            "sku-values", f"Unknown or missing variant property: {', '.join(map(str, [*wrong, *missing]))}"
        )
    return dict(values)


def _check_values_in_use(site: Site, product_id: str, properties: list[JsonObject]) -> None:
    if site.switch("variant_references") == "accept":
        return
    allowed = {each["id"]: {value["id"] for value in each["enum"]} for each in properties}
    for sku in site.skus(product_id):
        for key, value in (sku["fieldData"].get("sku-values") or {}).items():
            if value not in allowed.get(key, ()):
                raise invalid("sku-properties", f"Variant is used by SKU {sku['id']} and cannot be removed")


def _check_combinations(existing: Iterable[Record], changed: Iterable[Record]) -> None:
    seen: dict[str, str] = {}
    for sku in itertools.chain(existing, changed):
        combination = repr(sorted((sku["fieldData"].get("sku-values") or {}).items()))
        if seen.setdefault(combination, sku["id"]) != sku["id"]:
            raise invalid("sku-values", "A SKU with this combination of variants already exists")


def _checked_sku(site: Site, product: Record, sku_id: str, fields: JsonObject, writing: Writing) -> Record:
    sku = site.record(sku_id, "sku")
    if sku["fieldData"]["product"] != product["id"]:
        raise not_found("sku")
    changed = site.checked(sku, _without(fields, "sku-values", "product"), writing, set())
    if "sku-values" in fields:
        changed["fieldData"]["sku-values"] = _checked_values(site, product, fields["sku-values"])
        _check_combinations([each for each in site.skus(product["id"]) if each["id"] != sku_id], [changed])
    return changed


def _first_combination(properties: list[JsonObject]) -> JsonObject:
    return {each["id"]: each["enum"][0]["id"] for each in properties}


def _publish_status(body: JsonObject) -> bool:
    status = body.get("publishStatus", "staging")
    if status not in ("staging", "live"):
        raise invalid("publishStatus", "Expected value to be one of: staging, live")
    return bool(status == "live")


def _part(body: JsonObject, name: str, *, optional: bool = False) -> JsonObject:
    if optional and name not in body:
        return {}
    part = body.get(name)
    if not isinstance(part, dict) or not (optional or isinstance(part.get("fieldData"), dict)):
        raise bad_request()
    return part


def _flags(part: JsonObject) -> JsonObject:
    flags = {name: part[name] for name in ("isArchived", "isDraft") if name in part}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise invalid(name, "Expected value to be a boolean")
    return flags


def _without(fields: JsonObject, *names: str) -> JsonObject:
    return {key: value for key, value in fields.items() if key not in names}


def _save(site: Site, records: list[Record], publish: bool) -> None:
    site.save(records)
    if publish:
        for record in records:
            record |= {"lastPublished": record["lastUpdated"], "live": record["fieldData"]}
        site.save(records, touch=False)


def _with_skus(
    site: Site, product: Record, *, listed: bool = False, just_written: bool = False
) -> JsonObject:
    shown = site.envelope(product, just_written=just_written)
    if listed and site.switch("product_list_archive") == "stale":
        shown["isArchived"] = product["listed_archived"]
    skus = [_sku_envelope(site, sku, just_written=just_written) for sku in site.skus(product["id"])]
    return {"product": shown, "skus": skus}


def _sku_envelope(site: Site, sku: Record, *, just_written: bool = False) -> JsonObject:
    shown = site.envelope(sku, just_written=just_written)
    return _without(shown, "isArchived", "isDraft")
