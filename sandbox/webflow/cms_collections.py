"""CMS collections that a designer made for the catalogue before the first sync, as control calls would make them."""

from __future__ import annotations

from typing import Any

JsonObject = dict[str, Any]

_SPEC_SHEET: JsonObject = {
    "sku": {"type": "PlainText", "validations": {"singleLine": True, "maxLength": 64}},
    "brand": {"type": "Reference", "validations": ">brands"},
    "specifications": {"type": "RichText"},
    "summary": {"type": "PlainText", "validations": {"singleLine": False, "maxLength": 500}},
    "picture": {"type": "Image"},
    "document": {"type": "File"},
    "released": {"type": "DateTime", "validations": {"format": "date-time"}},
    "completeness": {
        "type": "Number",
        "validations": {"format": "decimal", "precision": 2, "allowNegative": False},
    },
}


def _spec_sheets(family: str) -> JsonObject:
    return {
        "slug": f"spec-sheets-{family.lower()}",
        "displayName": f"Spec sheets: {family}",
        "singularName": f"{family} spec sheet",
        "fields": _SPEC_SHEET,
    }


CMS_COLLECTIONS: tuple[JsonObject, ...] = (
    {
        "slug": "brands",
        "displayName": "Brands",
        "singularName": "Brand",
        "fields": {
            "summary": {"type": "PlainText", "validations": {"singleLine": False, "maxLength": 500}},
            "product-count": {"type": "Number", "validations": {"format": "integer", "allowNegative": False}},
            "cover": {"type": "Image"},
            "size": {"type": "Option", "validations": ["Small", "Medium", "Large"]},
        },
    },
    *(_spec_sheets(family) for family in ("Apparel", "Footwear", "Tools")),
    {
        "slug": "looks",
        "displayName": "Looks",
        "singularName": "Look",
        "fields": {
            "product": {"type": "Reference", "validations": ">product"},
            "goes-with": {"type": "MultiReference", "validations": ">product"},
            "brand": {"type": "Reference", "validations": ">brands"},
            "picture": {"type": "Image"},
            "piece-count": {"type": "Number", "validations": {"format": "integer", "allowNegative": False}},
        },
    },
)
"""Brands, one collection of spec sheets per family, and looks: products that go together."""
