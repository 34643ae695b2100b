"""Attributes, groups, families and relationships that every sandbox account begins with."""

from typing import Any, NamedTuple

FILTER_TYPES = {
    "MultilineAttribute": "TextAttribute",
    "HtmlAttribute": "TextAttribute",
    "UrlAttribute": "TextAttribute",
    "CompletenessAttribute": "DecimalAttribute",
    "FormulaAttribute": "TextAttribute",
}
COMPLETENESS_LABELS = ("web_title", "price", "main_image", "web_description")
TAX_CATEGORIES = ("standard-taxable", "standard-exempt", "books-textbook", "clothing")


class AttributeSpec(NamedTuple):
    """`kind` is the type_class without its ending."""

    label: str
    name: str
    kind: str
    group: str
    options: tuple[str, ...] = ()
    description: str = ""

    @property
    def type_class(self) -> str:
        return f"{self.kind}Attribute"


COLORS = ("Black", "White", "Red", "Navy", "Forest Green", "Мятный", "Écru", "Terracotta")
SIZES = ("XS", "S", "M", "L", "XL", "XXL")
SHOE_SIZES = tuple(str(size) for size in range(36, 47))
BRANDS = ("Karvon", "Northway", "Атлас", "Maison Élodie", "Bruk & Sohn", "Qo'qon")
MATERIALS = ("Cotton", "Linen", "Wool", "Leather", "Steel", "Beech", "Шёлк", "Polyamide")

CORE_ATTRIBUTES = (
    AttributeSpec("web_title", "Web title", "Text", "Web"),
    AttributeSpec("web_description", "Web description", "Html", "Web"),
    AttributeSpec("short_description", "Short description", "Multiline", "Web"),
    AttributeSpec("show_on_web", "Show on web", "Boolean", "Web"),
    AttributeSpec("seo_title", "SEO title", "Text", "SEO"),
    AttributeSpec("seo_description", "SEO description", "Text", "SEO"),
    AttributeSpec("price", "Price", "Decimal", "Commerce"),
    AttributeSpec("compare_at_price", "Compare-at price", "Decimal", "Commerce"),
    AttributeSpec("stock", "Stock", "Int", "Commerce"),
    AttributeSpec("tax_category", "Tax category", "Dropdown", "Commerce", TAX_CATEGORIES),
    AttributeSpec("brand", "Brand", "Dropdown", "Basics", BRANDS),
    AttributeSpec("material", "Material", "MultiSelect", "Basics", MATERIALS),
    AttributeSpec("color", "Colour", "Dropdown", "Basics", COLORS),
    AttributeSpec("size", "Size", "Dropdown", "Basics", SIZES),
    AttributeSpec("shoe_size", "Shoe size", "Dropdown", "Basics", SHOE_SIZES),
    AttributeSpec("release_date", "Release date", "Date", "Basics"),
    AttributeSpec("main_image", "Main image", "Media", "Media"),
    AttributeSpec("gallery", "Gallery", "MediaGallery", "Media"),
    AttributeSpec("image_alt", "Image alt text", "Text", "Media"),
    AttributeSpec("spec_sheet", "Spec sheet", "Media", "Media"),
    AttributeSpec("manual_url", "Manual", "Url", "Media"),
    AttributeSpec("weight_g", "Weight (g)", "Decimal", "Dimensions"),
    AttributeSpec(
        "web_completeness", "Web completeness", "Completeness", "Web",
        description="Share of the fields a web page needs that are filled.",
    ),
)  # fmt: skip

FURTHER_ATTRIBUTES = (
    AttributeSpec("dimension_length_mm", "Length (mm)", "Decimal", "Dimensions"),
    AttributeSpec("dimension_width_mm", "Width (mm)", "Decimal", "Dimensions"),
    AttributeSpec("dimension_height_mm", "Height (mm)", "Decimal", "Dimensions"),
    AttributeSpec("dimension_package_weight_g", "Package weight (g)", "Decimal", "Dimensions"),
    AttributeSpec("dimension_pieces_per_box", "Pieces per box", "Int", "Dimensions"),
    AttributeSpec("care_washing", "Washing", "Dropdown", "Care", ("30 °C", "40 °C", "60 °C", "Hand wash")),
    AttributeSpec("care_ironing", "Ironing", "Dropdown", "Care", ("No", "Low", "Medium", "High")),
    AttributeSpec("care_drying", "Drying", "MultiSelect", "Care", ("Line", "Flat", "Tumble")),
    AttributeSpec("care_dry_cleaning", "Dry cleaning", "Boolean", "Care"),
    AttributeSpec("care_notes", "Care notes", "Multiline", "Care"),
    AttributeSpec("spec_voltage", "Voltage (V)", "Int", "Specifications"),
    AttributeSpec("spec_power_w", "Power (W)", "Int", "Specifications"),
    AttributeSpec("spec_torque_nm", "Torque (Nm)", "Decimal", "Specifications"),
    AttributeSpec("spec_noise_db", "Noise (dB)", "Decimal", "Specifications"),
    AttributeSpec("spec_battery", "Battery", "Dropdown", "Specifications", ("None", "12 V", "18 V", "36 V")),
    AttributeSpec("spec_cable_length_m", "Cable length (m)", "Decimal", "Specifications"),
    AttributeSpec(
        "spec_certificates", "Certificates", "MultiSelect", "Specifications", ("CE", "GS", "EAC", "UL")
    ),
    AttributeSpec("spec_warranty_months", "Warranty (months)", "Int", "Specifications"),
    AttributeSpec("spec_waterproof", "Waterproof", "Boolean", "Specifications"),
    AttributeSpec("spec_sole", "Sole", "Dropdown", "Specifications", ("Rubber", "EVA", "Leather")),
    AttributeSpec("spec_heel_mm", "Heel (mm)", "Int", "Specifications"),
    AttributeSpec("spec_lining", "Lining", "Text", "Specifications"),
    AttributeSpec(
        "spec_closure", "Closure", "Dropdown", "Specifications", ("Laces", "Zip", "Buttons", "Slip-on")
    ),
    AttributeSpec("spec_sleeve", "Sleeve", "Dropdown", "Specifications", ("Short", "Long", "None")),
    AttributeSpec("spec_neckline", "Neckline", "Text", "Specifications"),
    AttributeSpec("spec_fabric_weight", "Fabric weight (g/m²)", "Int", "Specifications"),
    AttributeSpec("spec_table", "Specification table", "Html", "Specifications"),
    AttributeSpec("spec_drawing", "Drawing", "Media", "Specifications"),
    AttributeSpec(
        "logistics_country", "Country of origin", "Dropdown", "Logistics", ("UZ", "KZ", "TR", "DE", "PT")
    ),
    AttributeSpec("logistics_hs_code", "HS code", "Text", "Logistics"),
    AttributeSpec("logistics_supplier", "Supplier", "Text", "Logistics"),
    AttributeSpec("logistics_supplier_url", "Supplier page", "Url", "Logistics"),
    AttributeSpec("logistics_lead_days", "Lead time (days)", "Int", "Logistics"),
    AttributeSpec("logistics_minimum_order", "Minimum order", "Int", "Logistics"),
    AttributeSpec("logistics_hazardous", "Hazardous", "Boolean", "Logistics"),
    AttributeSpec("logistics_last_delivery", "Last delivery", "Date", "Logistics"),
    AttributeSpec("logistics_cost", "Purchase cost", "Decimal", "Logistics"),
    AttributeSpec("editorial_story", "Story", "Html", "Editorial"),
    AttributeSpec(
        "editorial_season", "Season", "Dropdown", "Editorial", ("SS25", "FW25", "SS26", "Всесезон")
    ),
    AttributeSpec("editorial_tags", "Tags", "MultiSelect", "Editorial", ("new", "gift", "eco", "хит")),
    AttributeSpec("editorial_notes", "Internal notes", "Multiline", "Editorial"),
    AttributeSpec("editorial_margin", "Margin", "Formula", "Editorial"),
)

ATTRIBUTES = CORE_ATTRIBUTES + FURTHER_ATTRIBUTES
# The order of the groups in Plytix is `order`, not the order in which they are listed.
GROUP_ORDER = {
    "Specifications": 4, "Basics": 0, "Web": 1, "Commerce": 2, "Media": 3, "Care": 6, "Dimensions": 5,
    "SEO": 7, "Logistics": 8, "Editorial": 9,
}  # fmt: skip

SHARED_FROM_PARENT = (
    "web_title", "web_description", "short_description", "show_on_web", "brand", "material", "tax_category",
    "seo_title", "seo_description", "release_date", "editorial_season", "editorial_story",
)  # fmt: skip
FAMILY_LEVELS: dict[str, dict[str, str]] = {
    "Apparel": dict.fromkeys((*SHARED_FROM_PARENT, "care_washing", "care_ironing", "spec_sleeve"), "parent_level")
    | dict.fromkeys(("color", "size", "price", "compare_at_price", "stock", "main_image", "gallery"), "no_level")
    | dict.fromkeys(("image_alt", "weight_g", "web_completeness", "spec_fabric_weight"), "no_level"),
    "Footwear": dict.fromkeys((*SHARED_FROM_PARENT, "spec_sole", "spec_closure"), "parent_level")
    | dict.fromkeys(("color", "main_image", "gallery", "image_alt"), "variant_level")
    | dict.fromkeys(("shoe_size", "price", "compare_at_price", "stock", "weight_g", "web_completeness"), "no_level"),
    "Tools": dict.fromkeys(
        (*SHARED_FROM_PARENT, "price", "compare_at_price", "stock", "main_image", "gallery", "image_alt", "spec_sheet",
         "manual_url", "weight_g", "spec_voltage", "spec_power_w", "spec_battery", "web_completeness"),
        "no_level",
    ),
}  # fmt: skip
RELATIONSHIPS = (("related_products", "Related products", False), ("goes_well_with", "Goes well with", True))


def filter_type(type_class: str) -> str:
    """Not the type: several types filter as text, completeness as a number (Plytix dossier §8)."""
    return FILTER_TYPES.get(type_class, type_class)


def attribute_document(attribute_id: str, spec: AttributeSpec, group_ids: list[str]) -> dict[str, Any]:
    """As stored; `fill_schema` gives a completeness attribute its list."""
    document: dict[str, Any] = {
        "id": attribute_id, "label": spec.label, "name": spec.name, "type_class": spec.type_class,
        "groups": group_ids, "description": spec.description,
    }  # fmt: skip
    if spec.kind in ("Dropdown", "MultiSelect"):
        document["options"] = list(spec.options)
    return document
