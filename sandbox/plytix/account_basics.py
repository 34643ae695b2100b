"""What an account has before it has products: attributes, groups, families, relationships, categories."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.plytix.schema import (
    ATTRIBUTES,
    COMPLETENESS_LABELS,
    FAMILY_LEVELS,
    GROUP_ORDER,
    RELATIONSHIPS,
    attribute_document,
)  # fmt: skip
from sandbox.plytix.world import World, object_id, slug_of, stamp
from sandbox.state import Document

WORLD_BEGIN = datetime(2023, 1, 9, 8, tzinfo=UTC)
CATEGORY_TREE: dict[str, Any] = {
    "Clothing": {
        "Women": {"Dresses": {"Summer dresses": {}, "Платья из шёлка": {}}, "Shirts": {}, "Accessories": {}},
        "Men": {"Shirts": {"Linen shirts": {}, "Flannel shirts": {}}, "Jackets": {}, "Accessories": {}},
        "Children": {"0–2 years": {}, "3–8 years": {}},
    },
    "Shoes": {
        "Boots": {"Hiking boots": {}, "Winter boots": {}}, "Sneakers": {}, "Sandals": {}, "Детская обувь": {},
    },
    "Tools": {
        "Hand tools": {"Hammers": {}, "Saws & blades": {}, "Screwdrivers": {}},
        "Power tools": {"Drills": {"Cordless drills": {}}, "Sanders": {}, "Перфораторы": {}},
        "Measuring": {}, "Workshop": {},
    },
    "Sale": {"Last chance": {}, "Décor d'été": {}},
    "New in": {}, "Gifts": {"For him": {}, "For her": {}},
}  # fmt: skip


def fill_schema(world: World) -> None:
    """Attributes, groups, families and relationships; also the ground a loaded catalogue stands on."""
    at = stamp(WORLD_BEGIN)
    group_ids = {name: object_id("group", name) for name in GROUP_ORDER}
    documents = {
        spec.label: attribute_document(object_id("attribute", spec.label), spec, [group_ids[spec.group]])
        for spec in ATTRIBUTES
    }
    documents["web_completeness"]["attributes"] = [
        {"id": documents[label]["id"], "label": label} for label in COMPLETENESS_LABELS
    ]
    world.attributes.put_many((document["id"], document) for document in documents.values())
    for name, order in GROUP_ORDER.items():
        labels = [spec.label for spec in ATTRIBUTES if spec.group == name]
        document = {"id": group_ids[name], "name": name, "order": order, "attribute_labels": labels}
        world.groups.put(group_ids[name], document)
    for name, levels in FAMILY_LEVELS.items():
        family_id = object_id("family", name)
        family = {"id": family_id, "name": name, "created": at, "modified": at, "levels": dict(levels)}
        world.families.put(family_id, family)
    for label, name, symmetrical in RELATIONSHIPS:
        key = object_id("relationship", label)
        world.relationships.put(
            key,
            {
                "id": key,
                "label": label,
                "name": name,
                "symmetrical": symmetrical,
                "created": at,
                "modified": at,
            },
        )


def fill_categories(world: World) -> None:
    made: list[Document] = []

    def add(tree: dict[str, Any], parent: tuple[str, ...]) -> None:
        for order, (name, children) in enumerate(tree.items(), start=1):
            path = (*parent, name)
            parent_id = object_id("category", *parent) if parent else None
            at = stamp(WORLD_BEGIN + timedelta(hours=len(made)))
            category = {"id": object_id("category", *path), "name": name, "slug": slug_of(name)}
            made.append(category | {"parent_id": parent_id, "order": str(order), "modified": at})
            add(children, path)

    add(CATEGORY_TREE, ())
    world.categories.put_many((category["id"], category) for category in made)
