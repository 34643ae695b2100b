"""What somebody does in Plytix: create, change and delete products."""

from typing import Any

from sandbox.plytix.answers import ApiError, schema_error
from sandbox.plytix.filters import STATUSES
from sandbox.plytix.world import PARENT, SINGLE, VARIANT, World, object_id, stamp
from sandbox.state import Document

SKU_LIMIT = 100
WRITABLE = frozenset(
    {"sku", "label", "status", "gtin", "attributes", "categories", "parent_id", "overwritten"}
)


def create_product(world: World, body: Document, product_id: str | None = None) -> Document:
    """Raises ApiError 409 for a SKU that is taken (SKUs are case-sensitive), 422 for a bad value."""
    sku = body.get("sku")
    if not isinstance(sku, str) or not sku:
        raise schema_error("sku is required", "sku")
    moment = world.state.now()
    parent = world.products.get(body["parent_id"]) if body.get("parent_id") else None
    if parent is not None and parent["level"] == SINGLE:
        parent = world.product(parent["id"]) | {"level": PARENT}
        world.save([parent], at=moment)
    product: Document = {
        "id": product_id or object_id("product", "created", sku, stamp(moment)), "sku": "", "label": None,
        "status": "Draft", "gtin": None, "created": stamp(moment), "modified": stamp(moment),
        "parent_id": parent["id"] if parent else None, "level": parent["level"] + 1 if parent else SINGLE,
        "family_id": parent["family_id"] if parent else body.get("product_family_id"), "attributes": {},
        "categories": [], "assets": [], "thumbnail": None, "relationships": {}, "overwritten": [], "static_lists": [],
    }  # fmt: skip
    apply_body(world, product, {key: value for key, value in body.items() if key != "product_family_id"})
    world.save([product], at=moment)
    return world.product(product["id"])


def patch_product(world: World, product_id: str, body: Document) -> Document:
    """`attributes` are merged, null empties one; the rest replaces."""
    product = world.product(product_id)
    apply_body(world, product, body)
    world.save([product], at=world.state.now())
    return world.product(product_id)


def delete_product(world: World, product_id: str) -> list[str]:
    """With its variants; gives the ids."""
    return world.remove(product_id)


def apply_body(world: World, product: Document, body: Document) -> None:
    unknown = sorted(set(body) - WRITABLE)
    if unknown:
        raise schema_error(f"unknown fields {unknown}")
    if body.get("status", "Draft") not in STATUSES:
        raise schema_error(f"Value is not valid, valid values are [{', '.join(STATUSES)}]", "status")
    sku = str(body.get("sku", product["sku"]))
    if len(sku) > SKU_LIMIT:
        raise schema_error(f"sku has more than {SKU_LIMIT} characters", "sku")
    if sku != product["sku"] and world.by_sku(sku) is not None:
        raise ApiError(
            409, f"Product with sku {sku} already exists", [{"field": "sku", "msg": "duplicated sku"}]
        )
    product |= {
        key: body[key]
        for key in ("sku", "label", "status", "gtin", "categories", "overwritten")
        if key in body
    }
    apply_attributes(world, product, body.get("attributes") or {})


def apply_attributes(world: World, product: Document, values: dict[str, Any]) -> None:
    known = world.attributes_by_label()
    for label, value in values.items():
        if label not in known:
            raise schema_error("Field does not exist", f"attributes.{label}")
        if value is None:
            product["attributes"].pop(label, None)
        else:
            product["attributes"][label] = value
        family = world.families.get(product["family_id"]) if product["family_id"] else None
        inheritable = family is not None and family["levels"].get(label) in ("parent_level", "variant_level")
        if product["level"] >= VARIANT and inheritable and label not in product["overwritten"]:
            product["overwritten"] = [*product["overwritten"], label]
