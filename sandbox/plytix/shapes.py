"""From the sandbox's documents to what the API answers, v1 and v2 (Plytix dossier §6.1, §8 to §11).

Where one account gives several forms of the same thing ("mixed"), the form follows from the record's id, so
that an unchanged record always answers the same.
"""

from collections.abc import Iterable
from typing import Any

from sandbox.plytix.world import EMPTY, MEDIA_TYPES, PRODUCT_TYPES, World, filter_type_of
from sandbox.state import Document

AUDIT = {"type": "SYSTEM", "user_email": "System", "user_name": "System"}
ACCOUNT_ID = "5b30cfabe6eecf41df89a3a3"


class Shaper:
    """Shapes the records of one account under the switches as they stand."""

    def __init__(self, world: World, version: int) -> None:
        self.world = world
        self.version = version
        self._switch: dict[str, Any] = {
            name.removeprefix("plytix."): value
            for name, value in world.state.switches.as_dict().items()
            if name.startswith("plytix.")
        }

    # -- single values ---------------------------------------------------------------------------

    def time(self, moment: str | None, key: str) -> str | None:
        """Three forms in one account: offset and fraction, fraction only, offset only."""
        if moment is None:
            return None
        form = self._switch["timestamp_form"]
        if form == "mixed":
            form = "v1" if self.version == 1 else ("v2", "v2", "v1", "no_fraction")[int(key[-2:], 16) % 4]
        whole, fraction = moment.split(".")
        return {
            "v1": f"{whole}.{fraction}000+00:00",
            "v2": f"{whole}.{fraction}000",
            "no_fraction": f"{whole}+00:00",
        }[form]

    def reference(self, key: str, owner: str) -> Any:
        form = self._switch["v2_ids"]
        as_text = form == "string" or (form == "mixed" and int(owner[-1], 16) % 2 == 0)
        return key if as_text else {"id": key}

    def value(self, attribute: Document, value: Any, owner: str) -> Any:
        kind = attribute["type_class"]
        if kind in MEDIA_TYPES:
            return self._media(kind, value)
        if kind == "DateAttribute" and isinstance(value, str):
            form = self._switch["date_form"]
            with_time = form == "datetime" or (form == "mixed" and int(owner[-1], 16) % 2 == 0)
            return f"{value}T00:00:00" if with_time else value
        if kind in ("IntAttribute", "DecimalAttribute") and isinstance(value, int | float):
            form = self._switch["numbers_as_strings"]
            always = form == "always" or (self.version == 1 and kind == "IntAttribute")
            if always or (form == "mixed" and int(owner[-1], 16) % 2 == 0):
                return str(value)
        return value

    def _media(self, kind: str, ids: list[str]) -> Any:
        if self.version == 2:
            return [{"id": key} for key in ids] if self._switch["v2_media"] == "objects" else ids
        files = [self.file(key) for key in ids if key in self.world.assets]
        return files if kind == "MediaGalleryAttribute" else (files[0] if files else None)

    def file(self, asset_id: str) -> Document:
        """An asset as it appears inside a v1 product: its `thumbnail` is on another path."""
        asset = self.world.assets.get(asset_id)
        if asset is None:
            return {"id": asset_id}
        return {
            "id": asset_id, "filename": asset["filename"], "url": self.world.asset_url(asset),
            "thumbnail": self.world.asset_url(asset, thumb=True),
        }  # fmt: skip

    # -- products --------------------------------------------------------------------------------

    def search_row(self, product: Document, columns: Iterable[str]) -> Document:
        """`id`, `sku` and a few fields come unasked; empty custom attributes are left out."""
        key = product["id"]
        row: Document = {
            "id": key, "sku": product["sku"], "num_variations": len(self.world.children(key)),
            "modified_user_audit": AUDIT,
        }  # fmt: skip
        if product["parent_id"] or self.version == 1:
            row["parent_id" if self.version == 2 else "_parent_id"] = product["parent_id"]
        labels, links = [], []
        for column in columns:
            group, _, label = column.partition(".")
            if group == "attributes":
                labels.append(label)
            elif group == "relationships":
                links.append(label)
            elif column not in ("id", "sku"):
                row[column] = self.system_value(product, column)
        if labels or self.version == 1:
            row["attributes"] = self.attribute_bag(product, labels)
        if links:
            row["relationships"] = self.relationships(product, links, self._switch["relationship_name_key"])
        if self._switch["family_in_search"] == "unasked":
            row |= self.family_fields(product)
        return row

    def attribute_bag(self, product: Document, labels: Iterable[str]) -> Any:
        known, values = self.world.attributes_by_label(), product["attributes"]
        bag = {}
        for label in labels:
            value = values.get(label)
            if label in known and known[label]["type_class"] == "FormulaAttribute":
                value = self.formula(product) if self._switch["formula_attributes"] == "value" else None
            if value not in EMPTY:
                bag[label] = self.value(known[label], value, product["id"])
        form = self._switch["empty_attributes_as_list"]
        if not bag and (form == "always" or (form == "mixed" and int(product["id"][0], 16) % 2 == 0)):
            return []
        return bag

    def formula(self, product: Document) -> str | None:
        price, cost = product["attributes"].get("price"), product["attributes"].get("logistics_cost")
        if isinstance(price, float | int) and isinstance(cost, float | int) and price:
            return f"{round(100 * (price - cost) / price)} %"
        return None

    def system_value(self, product: Document, column: str) -> Any:
        key = product["id"]
        if column in ("created", "modified"):
            return self.time(product[column], key)
        if column == "categories":
            return [self.category(entry, key) for entry in product["categories"]]
        if column in ("assets", "images"):
            ids = product["assets"]
            return [self.reference(entry, key) if self.version == 2 else self.file(entry) for entry in ids]
        if column == "thumbnail":
            return self.thumbnail(product)
        if column in ("_is_variation", "_has_variations"):
            return bool(product["parent_id"]) if column == "_is_variation" else bool(self.world.children(key))
        if column in FAMILY_COLUMNS:
            return (
                None
                if self._switch["family_in_search"] == "null"
                else self.family_fields(product).get(column)
            )
        return product.get(column)

    def thumbnail(self, product: Document) -> Any:
        thumbnail = product["thumbnail"]
        if thumbnail is None:
            return None
        if self.version == 1:
            # The trap of v1: `url` is the preview, not the original.
            return self.file(thumbnail) | {"url": self.file(thumbnail).get("thumbnail")}
        reference = self.reference(thumbnail, product["id"])
        return [reference] if isinstance(reference, str) else reference

    def category(self, category_id: str, owner: str) -> Any:
        if self.version == 2:
            return self.reference(category_id, owner)
        category = self.world.categories.get(category_id)
        if category is None:
            return {"id": category_id}
        path = [step["name"] for step in self.world.category_path(category)]
        return {"id": category_id, "name": category["name"], "path": path}

    def relationships(self, product: Document, labels: Iterable[str] | None, name_key: str) -> list[Document]:
        entries = []
        for relationship_id, links in product["relationships"].items():
            relationship = self.world.relationships.get(relationship_id)
            alive = [
                one | {"last_modified": self.time(one["last_modified"], product["id"])}
                for one in links
                if one["product_id"] in self.world.products
            ]
            if relationship and alive and (labels is None or relationship["label"] in labels):
                entries.append(
                    {
                        "relationship_id": relationship_id,
                        name_key: relationship["label"],
                        "related_products": alive,
                    }
                )
        return entries

    def family_fields(self, product: Document) -> Document:
        prefix = "attributes." if self._switch["overwritten_prefix"] else ""
        fields: Document = {
            "product_level": product["level"], "product_type": PRODUCT_TYPES[product["level"]],
            "overwritten_attributes": [prefix + label for label in product["overwritten"]],
        }  # fmt: skip
        if product["family_id"]:
            fields |= {"product_family_id": product["family_id"], "product_family_model_id": None}
        return fields

    def product(self, product: Document, *, all_attributes: bool = False) -> Document:
        """One product in full, as GET answers it."""
        key = product["id"]
        bag = self.attribute_bag(product, self.world.attributes_by_label())
        if all_attributes:
            bag = dict.fromkeys(self.world.attributes_by_label()) | (bag or {})
        columns = ("label", "status", "created", "modified", "gtin", "categories", "assets", "thumbnail")
        body: Document = {"id": key, "account_id": ACCOUNT_ID, "sku": product["sku"]}
        body |= {column: self.system_value(product, column) for column in columns}
        body |= {
            "attributes": bag, "created_user_audit": AUDIT, "modified_user_audit": AUDIT,
            "num_variations": len(self.world.children(key)),
            "relationships": self.relationships(product, None, "relationship_label"),
            "static_list_ids": product["static_lists"], "mark_as_deleted": False,
        } | self.family_fields(product)  # fmt: skip
        if body["gtin"] is None:
            del body["gtin"]
        if self.version == 1:
            body["_parent_id"] = product["parent_id"]
        elif product["parent_id"]:
            body["parent_id"] = product["parent_id"]
        return body

    # -- the small resources (v1 only) -----------------------------------------------------------

    def attribute(self, attribute: Document) -> Document:
        return attribute | {"filter_type": filter_type_of(attribute)}

    def group(self, group: Document) -> Document:
        return group

    def category_row(self, category: Document) -> Document:
        path = self.world.category_path(category)
        return {
            "id": category["id"], "name": category["name"], "slug": category["slug"],
            "path": [step["name"] for step in path], "parents_ids": [step["id"] for step in path[:-1]],
            "n_children": self.world.category_children()[category["id"]], "order": category["order"],
            "modified": self.time(category["modified"], category["id"]),
        }  # fmt: skip

    def family(self, family: Document) -> Document:
        used = sum(product["family_id"] == family["id"] for product in self.world.products.values())
        created = self.time(family["created"], family["id"])
        return {
            "id": family["id"], "name": family["name"], "created": created, "_created_at": created,
            "modified": self.time(family["modified"], family["id"]), "total_attributes": len(family["levels"]),
            "total_models": 0, "total_products": used,
        }  # fmt: skip

    def family_attributes(self, family: Document) -> list[Document]:
        known = self.world.attributes_by_label()
        return [
            {"id": known[label]["id"], "label": label, "name": known[label]["name"], "attribute_level": level}
            for label, level in family["levels"].items()
            if label in known
        ]

    def relationship(self, relationship: Document) -> Document:
        key = relationship["id"]
        times = {field: self.time(relationship[field], key) for field in ("created", "modified")}
        return relationship | times

    def asset(self, asset: Document) -> Document:
        """`file_modified` has no offset while `created` has (Plytix dossier §10)."""
        key = asset["id"]
        fields = ("id", "filename", "extension", "content_type", "file_type", "file_size", "public", "status")
        users = self.world.asset_users().get(key, 0)
        return {field: asset[field] for field in fields} | {
            "url": self.world.asset_url(asset), "thumbnail": self.world.asset_url(asset, thumb=True),
            "has_custom_thumb": False, "assigned": users > 0, "n_products": users, "n_catalogs": 0,
            "categories": [{"id": entry} for entry in asset["categories"]],
            "created": self.time(asset["created"], key), "modified": self.time(asset["modified"], key),
            "file_modified": f"{asset['file_modified']}000",
        }  # fmt: skip


FAMILY_COLUMNS = frozenset(
    {
        "product_family_id",
        "product_family_model_id",
        "product_level",
        "product_type",
        "overwritten_attributes",
    }
)
