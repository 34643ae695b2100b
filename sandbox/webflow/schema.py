"""Collections of a site: the three of a store, one that somebody made by hand, and those made later on.

Field definitions have the shape of GET /collections/{id} (Webflow dossier §2.1). Ids are derived from the
site, so that a reset sandbox gives the same ones.
"""

from __future__ import annotations

import hashlib
from typing import Any

JsonObject = dict[str, Any]

PRODUCT_TYPES = {
    "ff42fee0113744f693a764e3431a9cc2": "Physical",
    "f22027db68002190aef89a4a2b7ac8a1": "Digital",
    "c599e43b1a1c34d5a323aedf75d3adf6": "Service",
    "b6ccc1830db4b1babeb06a9ac5f6dd76": "Advanced",
}
ADVANCED = "b6ccc1830db4b1babeb06a9ac5f6dd76"
# fmt: off
TAX_CATEGORIES = [
    "standard-taxable", "standard-exempt", "books-religious", "books-textbook",
    "clothing", "clothing-swimwear", "digital-goods", "digital-service",
    "drugs-non-prescription", "drugs-prescription", "food-bottled-water", "food-candy",
    "food-groceries", "food-prepared", "food-soda", "food-supplements",
    "magazine-individual", "magazine-subscription", "service-admission", "service-advertising",
    "service-dry-cleaning", "service-hairdressing", "service-installation", "service-miscellaneous",
    "service-parking", "service-printing", "service-professional", "service-repair",
    "service-training",
]
# fmt: on
COLLECTIONS = {
    "product": ("Products", "Product"),
    "sku": ("SKUs", "SKU"),
    "category": ("Categories", "Category"),
    "posts": ("Posts", "Post"),
}
STORE_COLLECTIONS = frozenset({"product", "sku", "category"})
# fmt: off
FIELD_TYPES = frozenset({
    "Color", "DateTime", "Email", "ExtFileRef", "File", "Image", "Link", "MultiImage", "MultiReference", "Number",
    "Option", "Phone", "PlainText", "Reference", "RichText", "Switch", "VideoLink",
})
# fmt: on
_STORE_TYPES = frozenset({"Price", "SkuProperties", "SkuValues", "DownloadFiles", "SubscriptionPlan"})

# slug: (type, validations); a '>' in the validations names the collection that is referred to.
_PRODUCT = {
    "description": ("RichText", None),
    "shippable": ("Switch", None),
    "tax-category": ("Option", TAX_CATEGORIES),
    "ec-product-type": ("Option", PRODUCT_TYPES),
    "sku-properties": ("SkuProperties", None),
    "default-sku": ("Reference", ">sku"),
    "category": ("MultiReference", ">category"),
    "brand": ("PlainText", {"singleLine": True}),
    "short-description": ("PlainText", {"singleLine": False}),
    "seo-title": ("PlainText", {"singleLine": True}),
    "seo-description": ("PlainText", {"singleLine": False}),
    "material": ("PlainText", {"singleLine": True}),
    "spec-sheet-url": ("Link", None),
    "release-date": ("DateTime", {"format": "date-time"}),
}
_SKU = {
    "sku": ("PlainText", {"singleLine": True}),
    "price": ("Price", None),
    "compare-at-price": ("Price", None),
    "sku-values": ("SkuValues", None),
    "product": ("Reference", ">product"),
    "main-image": ("Image", None),
    "more-images": ("MultiImage", None),
    "download-files": ("DownloadFiles", None),
    "weight": ("Number", {"format": "decimal", "allowNegative": False}),
    "width": ("Number", {"format": "decimal", "allowNegative": False}),
    "height": ("Number", {"format": "decimal", "allowNegative": False}),
    "length": ("Number", {"format": "decimal", "allowNegative": False}),
    "ec-sku-billing-method": ("Option", ["one-time", "subscription"]),
    "ec-sku-subscription-plan": ("SubscriptionPlan", None),
}
_CATEGORY = {"description": ("RichText", None), "image": ("Image", None)}
_POSTS = {
    "post-body": ("RichText", None),
    "post-summary": ("PlainText", {"singleLine": False, "maxLength": 500}),
    "main-image": ("Image", None),
    "gallery": ("MultiImage", None),
    "attachment": ("File", None),
    "video": ("VideoLink", None),
    "link": ("Link", None),
    "contact-email": ("Email", None),
    "contact-phone": ("Phone", None),
    "reading-minutes": ("Number", {"format": "integer", "allowNegative": False}),
    "featured": ("Switch", None),
    "published-on": ("DateTime", {"format": "date-time"}),
    "accent-color": ("Color", None),
    "kind": ("Option", ["News", "Guide", "Story"]),
    "about-category": ("Reference", ">category"),
    "related-posts": ("MultiReference", ">posts"),
}
_FIELDS: dict[str, dict[str, tuple[str, Any]]] = {
    "product": _PRODUCT,
    "sku": _SKU,
    "category": _CATEGORY,
    "posts": _POSTS,
}
_SERVER_SET = frozenset({"default-sku", "product"})


def derived_id(*parts: str, length: int = 24) -> str:
    """A hexadecimal id that is the same for the same parts."""
    return hashlib.md5("|".join(parts).encode(), usedforsecurity=False).hexdigest()[:length]


def collection_id(site_id: str, slug: str) -> str:
    return derived_id(site_id, "collection", slug)


def new_collection(site_id: str, slug: str, now: str) -> JsonObject:
    """A collection of a new site with all its fields, as GET /collections/{id} answers."""
    display_name, singular_name = COLLECTIONS[slug]
    fields = {name: {"type": kind, "validations": rules} for name, (kind, rules) in _FIELDS[slug].items()}
    return made_collection(
        site_id,
        {"slug": slug, "displayName": display_name, "singularName": singular_name, "fields": fields},
        now,
    )


def made_collection(site_id: str, given: JsonObject, now: str) -> JsonObject:
    """A collection from {slug, displayName, singularName, fields: {slug: {type, validations, isRequired}}}.

    In the validations a list names the options of a field, and ">brands" the collection it refers to.
    Raises ValueError for a type that Webflow does not have.
    """
    slug = given["slug"]
    title = slug.replace("-", " ").capitalize()
    named = {name: {"type": "PlainText", "validations": {"singleLine": True}} for name in ("name", "slug")}
    fields = {**named, **given.get("fields", {})}
    if unknown := {each["type"] for each in fields.values()} - FIELD_TYPES - _STORE_TYPES:
        raise ValueError(f"no field type of Webflow: {', '.join(sorted(unknown))}")
    return {
        "id": collection_id(site_id, slug),
        "displayName": given.get("displayName", title),
        "singularName": given.get("singularName", title),
        "slug": slug,
        "createdOn": now,
        "lastUpdated": now,
        "fields": [
            new_field(
                site_id, slug, name, each["type"], each.get("validations"), each.get("isRequired", False)
            )
            for name, each in fields.items()
        ],
    }


def new_field(
    site_id: str, collection: str, slug: str, kind: str, validations: Any, is_required: bool = False
) -> JsonObject:
    required = is_required or slug in {"name", "slug"} or (collection == "sku" and slug == "price")
    return {
        "id": derived_id(site_id, collection, slug, length=32),
        "isEditable": collection not in STORE_COLLECTIONS or slug not in _SERVER_SET,
        "isRequired": required,
        "type": kind,
        "slug": slug,
        "displayName": slug.replace("-", " ").capitalize(),
        "helpText": None,
        "validations": _validations(site_id, collection, validations),
    }


def _validations(site_id: str, collection: str, given: Any) -> JsonObject | None:
    if isinstance(given, str):
        return {"collectionId": collection_id(site_id, given.removeprefix(">"))}
    if isinstance(given, list):
        # The store's own enumerations use the names as ids; options that people make have hexadecimal ids.
        known = collection in STORE_COLLECTIONS
        return {
            "options": [
                {"id": name if known else derived_id(site_id, name, length=32), "name": name}
                for name in given
            ]
        }
    if given is PRODUCT_TYPES:
        return {"options": [{"id": key, "name": name} for key, name in PRODUCT_TYPES.items()]}
    return dict(given) if given else None
