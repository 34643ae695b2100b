"""Collections of a new site: the three of a store, and one that somebody made by hand.

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
    """A collection with all its fields, as GET /collections/{id} answers."""
    display_name, singular_name = COLLECTIONS[slug]
    named = {"name": ("PlainText", {"singleLine": True}), "slug": ("PlainText", {"singleLine": True})}
    return {
        "id": collection_id(site_id, slug),
        "displayName": display_name,
        "singularName": singular_name,
        "slug": slug,
        "createdOn": now,
        "lastUpdated": now,
        "fields": [
            new_field(site_id, slug, name, kind, validations)
            for name, (kind, validations) in {**named, **_FIELDS[slug]}.items()
        ],
    }


def new_field(site_id: str, collection: str, slug: str, kind: str, validations: Any) -> JsonObject:
    required = slug in {"name", "slug"} or (collection == "sku" and slug == "price")
    return {
        "id": derived_id(site_id, collection, slug, length=32),
        "isEditable": slug not in _SERVER_SET,
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
