"""Seeds a Plytix account from a user's own catalogue, so that a team can rehearse with its real data.

Products get what the default dbt project asks of a product that is ready (status, web flag, a description made
from the name, a family that follows from the options), so that name, price and image are enough.
"""

import html
import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox.plytix.account_basics import fill_schema
from sandbox.plytix.catalogue_file import (
    CatalogueError,
    Problems,
    Row,
    as_bool,
    as_list,
    as_number,
    read_rows,
)  # fmt: skip
from sandbox.plytix.catalogue_values import (
    OPTION_LABELS,
    as_html,
    common_name,
    fill_gaps,
    guess_type,
    keep_times,
    option_label,
    typed,
)  # fmt: skip
from sandbox.plytix.schema import ATTRIBUTES
from sandbox.plytix.world import (
    EMPTY,
    MEDIA_TYPES,
    PARENT,
    SINGLE,
    SUB_VARIANT,
    World,
    object_id,
    slug_of,
    stamp,
)
from sandbox.state import Document, State

__all__ = ["CatalogueError", "load_catalogue"]

SKU_LIMIT, CATEGORY_LEVELS, OPTION_LIMIT = 100, 6, 1000
STATUSES = {
    "draft": "Draft", "черновик": "Draft", "archived": "Archived", "archive": "Archived", "архив": "Archived",
    "completed": "Completed", "active": "Completed", "активен": "Completed", "опубликован": "Completed",
}  # fmt: skip
NUMBERS = ("price", "compare_at_price", "weight_g")
TEXTS = ("short_description", "brand", "image_alt")


def load_catalogue(state: State, account: str, path: Path) -> Document:
    """Replace the account's world by the file's products; gives counts and notes.

    Loading again keeps ids (made from SKUs), and moves `modified` only of products that differ. Raises
    CatalogueError, having changed nothing, when the file cannot be understood. A sandbox that is running holds
    its state in memory: ask it through `POST /_control/plytix/load` instead.
    """
    loader = Loader(World(state, account), path)
    loader.read()
    return loader.write()


class Loader:
    """One file on its way into one account."""

    def __init__(self, world: World, path: Path) -> None:
        self.world = world
        self.path = path
        self.problems = Problems(path.name)
        self.rows: dict[str, Row] = {}
        self.levels: dict[str, int] = {}
        self.products: dict[str, Document] = {}
        self.assets: dict[str, Document] = {}
        self.categories: dict[str, Document] = {}
        self.option_labels: dict[str, set[str]] = {}
        self.known_types = {spec.label: spec.type_class for spec in ATTRIBUTES}
        self.extra_types: dict[str, str] = {}
        self.notes: Counter[str] = Counter()
        self.now = stamp(world.state.now())

    # -- reading: nothing is changed yet ---------------------------------------------------------

    def read(self) -> None:
        for row in read_rows(self.path):
            self._take(row)
        self._add_missing_parents()
        self._find_levels()
        self.extra_types = {
            label: self.known_types.get(label) or guess_type(values)
            for label, values in self._extra_values().items()
        }
        for row in self.rows.values():
            self._check_values(row)
        self.problems.raise_if_any()
        for sku in sorted(self.rows, key=lambda sku: self.levels[sku]):
            self.products[sku] = self._product(sku, self.rows[sku])
        self.notes["variants that take the price of their parent"] += fill_gaps(list(self.products.values()))
        self.problems.raise_if_any()

    def _check_values(self, row: Row) -> None:
        """Only for the problems they find, so that these come together with those of the structure."""
        self._values(row)
        self._pictures(row)
        self._status(row)
        self._web_flag(row)

    def _take(self, row: Row) -> None:
        sku = str(row.fields.get("sku", "")).strip()
        if not sku:
            self.problems.add(row, "sku", "no SKU; give every row its own")
        elif len(sku) > SKU_LIMIT:
            self.problems.add(row, "sku", f"a SKU has at most {SKU_LIMIT} characters, this one {len(sku)}")
        elif sku in self.rows:
            self.problems.add(row, "sku", f"{sku!r} is on {self.rows[sku].place} already; SKUs are unique")
        else:
            self.rows[sku] = row

    def _parent_of(self, sku: str) -> str | None:
        parent = str(self.rows[sku].fields.get("parent_sku", "")).strip()
        return parent if parent and parent != sku else None

    def _add_missing_parents(self) -> None:
        """A parent that variants name but no row describes is made from the first of them."""
        children: dict[str, list[str]] = {}
        for sku in self.rows:
            parent = self._parent_of(sku)
            if parent and parent not in self.rows:
                children.setdefault(parent, []).append(sku)
        for parent, skus in children.items():
            first = self.rows[skus[0]]
            if (
                len(skus) == 1
                and not first.options
                and not {"color", "size", "shoe_size"} & set(first.fields)
            ):
                # A group of one without options is a product, not a variant.
                del first.fields["parent_sku"]
                continue
            shared = {key: value for key, value in first.fields.items() if key not in OWN_FIELDS}
            shared["name"] = common_name([str(self.rows[sku].fields.get("name") or "") for sku in skus])
            self.rows[parent] = Row(first.place, shared | {"sku": parent}, [], {}, first.columns)
            self.notes["parents made from their first variant"] += 1

    def _find_levels(self) -> None:
        """And by top-level SKU the options of all that is below it."""
        for sku, row in self.rows.items():
            steps = [sku]
            while (parent := self._parent_of(steps[-1])) and parent not in steps:
                steps.append(parent)
            if parent:
                self.problems.add(
                    row, "parent_sku", f"{sku!r} is its own ancestor; leave the parent of one row empty"
                )
            elif len(steps) > SUB_VARIANT:
                self.problems.add(
                    row, "parent_sku", "a fourth level; Plytix has parent, variant and sub-variant"
                )
            self.levels[sku] = len(steps) if len(steps) > 1 else SINGLE
            labels = {option_label(name) for name, _ in row.options} | ({"shoe_size"} & set(row.fields))
            self.option_labels.setdefault(steps[-1], set()).update(labels)
        for sku in list(self.rows):
            parent = self._parent_of(sku)
            if parent and self.levels[parent] == SINGLE:
                self.levels[parent] = PARENT

    def _extra_values(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for row in self.rows.values():
            for label, value in row.extra.items():
                found.setdefault(label, []).append(value)
            for name, value in row.options:
                if option_label(name) not in OPTION_LABELS.values():
                    found.setdefault(option_label(name), []).append(value)
                    self.notes[
                        f"option «{name}» is not known to the default family seed of the dbt project"
                    ] += 1
        return found

    def _product(self, sku: str, row: Row) -> Document:
        parent_sku = self._parent_of(sku)
        parent = self.products[parent_sku] if parent_sku else None
        name = str(row.fields.get("name") or (parent["label"] if parent else "")).strip()
        if not name:
            self.problems.add(row, "name", "no name; write one, or name a parent that has one")
        values = self._values(row)
        pictures = self._pictures(row)
        if pictures:
            values |= {"main_image": pictures[:1], "gallery": pictures[1:]}
        if parent is None:
            values |= {"web_title": name, "show_on_web": self._web_flag(row)}
            values.setdefault("web_description", f"<p>{html.escape(name)}</p>")
            self.notes["descriptions made from the name"] += "web_description" not in row.fields
        elif row.fields.get("name"):
            values["web_title"] = name
        product: Document = {
            "id": object_id("catalogue", sku), "sku": sku, "label": name, "status": self._status(row),
            "gtin": str(row.fields["gtin"]) if row.fields.get("gtin") else None, "created": self.now,
            "modified": self.now, "parent_id": parent["id"] if parent else None, "level": self.levels[sku],
            "family_id": parent["family_id"] if parent else object_id("family", self._family(sku)),
            "attributes": {label: value for label, value in values.items() if value not in EMPTY},
            "categories": self._categories(row) or (list(parent["categories"]) if parent else []),
            "assets": pictures, "thumbnail": pictures[0] if pictures else None, "relationships": {},
            "overwritten": [], "static_lists": [],
        }  # fmt: skip
        if parent is not None:
            product["overwritten"] = sorted(product["attributes"])
        return product

    def _values(self, row: Row) -> Document:
        values: Document = {label: str(row.fields[label]) for label in TEXTS if label in row.fields}
        for label in (*NUMBERS, "stock", "weight_kg"):
            if label not in row.fields:
                continue
            try:
                number = as_number(row.fields[label])
            except ValueError:
                message = f"{row.fields[label]!r} is not a number; write it like 1299.50 or 1 299,50, or leave it empty"
                self.problems.add(row, label, message)
                continue
            if label == "stock":
                values["stock"] = int(number)
            elif label == "weight_kg":
                values["weight_g"] = round(number * 1000, 3)
            else:
                values[label] = number
        if "web_description" in row.fields:
            values["web_description"] = as_html(str(row.fields["web_description"]))
        if "material" in row.fields:
            values["material"] = as_list(str(row.fields["material"]).replace(",", "|"))
        for label in ("color", "size", "shoe_size"):
            if label in row.fields:
                values[label] = str(row.fields[label])
        values |= {option_label(name): value for name, value in row.options}
        for label, value in row.extra.items():
            type_class = self.extra_types[label]
            try:
                values[label] = (
                    self._files(row, label, value) if type_class in MEDIA_TYPES else typed(type_class, value)
                )
            except ValueError:
                self.problems.add(row, label, f"{value!r} does not fit the type {type_class} of {label}")
        return values

    def _web_flag(self, row: Row) -> bool:
        try:
            return as_bool(row.fields.get("show_on_web", True))
        except ValueError as error:
            self.problems.add(row, "show_on_web", f"{error.args[0]!r} is neither yes nor no")
            return False

    def _status(self, row: Row) -> str:
        given = str(row.fields.get("status", "completed")).strip().casefold()
        if given not in STATUSES:
            self.problems.add(row, "status", f"{given!r} is no status; write Completed, Draft or Archived")
        return STATUSES.get(given, "Draft")

    def _family(self, sku: str) -> str:
        """By the options of what is below: the families that the default dbt project knows."""
        if self.levels[sku] == SINGLE:
            return "Tools"
        return "Footwear" if "shoe_size" in self.option_labels[sku] else "Apparel"

    def _pictures(self, row: Row) -> list[str]:
        return self._files(row, "images", row.fields.get("images", []))

    def _files(self, row: Row, name: str, value: Any) -> list[str]:
        ids = []
        for url in as_list(value):
            if not url.lower().startswith(("http://", "https://")):
                self.problems.add(row, name, f"{url!r} is no URL; it begins with http:// or https://")
                continue
            asset_id = object_id("asset", self.world.account, "url", url)
            filename = unquote(urlsplit(url).path.rsplit("/", 1)[-1]) or "image"
            self.assets[asset_id] = self.world.new_asset(asset_id, filename, self.now, external_url=url)
            ids.append(asset_id)
        return list(dict.fromkeys(ids))

    def _categories(self, row: Row) -> list[str]:
        """`Clothing > Shirts | Sale`: paths with >, several separated by |."""
        found = []
        for text in as_list(row.fields.get("category", [])):
            path = [step.strip() for step in re.split(r"[>→»]", text) if step.strip()]
            if len(path) > CATEGORY_LEVELS:
                self.problems.add(
                    row, "category", f"{len(path)} levels; Plytix has at most {CATEGORY_LEVELS}"
                )
                continue
            for depth in range(1, len(path) + 1):
                key = object_id("category", *path[:depth])
                parent_id = object_id("category", *path[: depth - 1]) if depth > 1 else None
                self.categories.setdefault(key, {
                    "id": key, "name": path[depth - 1], "slug": slug_of(path[depth - 1]), "parent_id": parent_id,
                    "order": str(len(self.categories) + 1), "modified": self.now,
                })  # fmt: skip
            if path:
                found.append(object_id("category", *path))
        return list(dict.fromkeys(found))

    # -- writing ---------------------------------------------------------------------------------

    def write(self) -> Document:
        world = self.world
        before = {
            name: dict(collection.items())
            for name, collection in (("products", world.products), ("categories", world.categories),
                                     ("assets", world.assets))
        }  # fmt: skip
        day = (world.about.get("world") or {}).get("day", 0)
        world.state.drop(f"plytix/{world.account}/")
        fill_schema(world)
        self._add_attributes()
        world.categories.put_many(keep_times(self.categories, before["categories"]))
        world.assets.put_many(keep_times(self.assets, before["assets"]))
        world.save(self.products.values())
        world.products.put_many(keep_times(dict(world.products.items()), before["products"]))
        world.about.put(
            "world", {"products": len(world.products), "seed": 0, "day": day, "origin": self.path.name}
        )
        levels = Counter(self.levels.values())
        return {
            "products": levels[SINGLE] + levels[PARENT], "variants": len(self.levels) - levels[SINGLE] - levels[PARENT],
            "categories": len(self.categories), "images": len(self.assets), "attributes": sorted(self.extra_types),
            "new": len(set(dict(world.products.items())) - set(before["products"])),
            "deleted": len(set(before["products"]) - set(dict(world.products.items()))),
            "notes": [f"{text}: {count}" for text, count in sorted(self.notes.items()) if count],
        }  # fmt: skip

    def _add_attributes(self) -> None:
        known = self.world.attributes_by_label()
        for label, type_class in self.extra_types.items():
            if label not in known:
                header = next(
                    (row.columns[label] for row in self.rows.values() if label in row.columns), label
                )
                document: Document = {
                    "id": object_id("attribute", label), "label": label, "name": header, "type_class": type_class,
                    "groups": [], "description": f"From the column «{header}» of {self.path.name}.",
                }  # fmt: skip
                self.world.attributes.put(document["id"], document)
        for family in self.world.families.values():
            added = {label: "no_level" for label in self.extra_types if label not in family["levels"]}
            self.world.families.put(family["id"], family | {"levels": family["levels"] | added})
        for label, attribute in self.world.attributes_by_label().items():
            if attribute["type_class"] in ("DropdownAttribute", "MultiSelectAttribute"):
                used = [product["attributes"].get(label) for product in self.products.values()]
                texts = [
                    text for value in used for text in (value if isinstance(value, list) else [value]) if text
                ]
                options = list(dict.fromkeys([*attribute.get("options", []), *texts]))[:OPTION_LIMIT]
                self.world.attributes.put(attribute["id"], attribute | {"options": options})


OWN_FIELDS = frozenset(
    {"sku", "parent_sku", "color", "size", "shoe_size", "price", "stock", "gtin", "compare_at_price"}
)
