"""One Plytix account: its documents, the indexes over them, and what a write entails.

Documents are the sandbox's own form; `sandbox.plytix.shapes` turns them into what the API answers:

* product: ``{id, sku, label, status, gtin, created, modified, parent_id, level, family_id, attributes: {label:
  value}, categories: [id], assets: [id], thumbnail: id | None, relationships: {relationship id: [{product_id,
  quantity, last_modified}]}, overwritten: [label], static_lists: [id]}``. Media values are lists of asset ids.
  `level`: 0 single, 1 parent, 2 variant, 3 sub-variant.
* category: ``{id, name, slug, parent_id, order, modified}``; family: ``{id, name, created, modified, levels:
  {label: level}}``; asset: see `new_asset`.

Times are ISO texts in UTC with milliseconds (`stamp`), so they sort as text.
"""

import hashlib
import mimetypes
from collections import Counter, deque
from collections.abc import Iterable
from datetime import datetime

from sandbox.plytix.schema import filter_type
from sandbox.state import Document, State

EMPTY: tuple[object, ...] = (None, "", [])
SINGLE, PARENT, VARIANT, SUB_VARIANT = range(4)
MEDIA_TYPES = frozenset({"MediaAttribute", "MediaGalleryAttribute"})
PRODUCT_TYPES = ("SINGLE", "PARENT", "VARIANT", "SUB-VARIANT")
INHERITED_LEVELS = {VARIANT: ("parent_level",), SUB_VARIANT: ("parent_level", "variant_level")}


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def object_id(*parts: object) -> str:
    """24 hex digits, the same for the same parts in every account: identity needs the connection too."""
    return hashlib.md5("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()[:24]


def slug_of(name: str) -> str:
    return "-".join(name.lower().split())


class World:
    """One account. All writes of products go through `save` or `remove`, which keep the rules."""

    def __init__(self, state: State, account: str) -> None:
        self.state = state
        self.account = account
        prefix = f"plytix/{account}"
        self.products = state.collection(f"{prefix}/products")
        self.attributes = state.collection(f"{prefix}/attributes")
        self.groups = state.collection(f"{prefix}/attribute_groups")
        self.families = state.collection(f"{prefix}/families")
        self.categories = state.collection(f"{prefix}/categories")
        self.assets = state.collection(f"{prefix}/assets")
        self.relationships = state.collection(f"{prefix}/relationships")
        self.about = state.collection(f"{prefix}/about")
        self._children: dict[str, list[str]] = {}
        self._children_revision = -1
        self._users: Counter[str] = Counter()
        self._users_revision = -1
        self._branches: Counter[str] = Counter()
        self._branches_revision = -1
        self._by_label: dict[str, Document] = {}
        self._completeness: dict[str, list[str]] = {}
        self._media: list[str] = []
        self._by_label_revision = -1

    # -- reading ---------------------------------------------------------------------------------

    def attributes_by_label(self) -> dict[str, Document]:
        if self._by_label_revision != self.attributes.revision:
            self._by_label = {attribute["label"]: attribute for attribute in self.attributes.values()}
            self._completeness = {
                label: [entry["label"] for entry in attribute["attributes"]]
                for label, attribute in self._by_label.items()
                if attribute["type_class"] == "CompletenessAttribute"
            }
            self._media = [
                label for label, attribute in self._by_label.items() if attribute["type_class"] in MEDIA_TYPES
            ]
            self._by_label_revision = self.attributes.revision
        return self._by_label

    def children(self, product_id: str) -> list[str]:
        """Ids of the direct children, in the order they were created."""
        if self._children_revision != self.products.revision:
            self._children = {}
            for product in self.products.values():
                if product["parent_id"]:
                    self._children.setdefault(product["parent_id"], []).append(product["id"])
            self._children_revision = self.products.revision
        return self._children.get(product_id, [])

    def product(self, product_id: str) -> Document:
        """A copy that may be changed and saved. Raises KeyError."""
        found = self.products.get(product_id)
        if found is None:
            raise KeyError(product_id)
        return found | {
            "attributes": dict(found["attributes"]),
            "relationships": {key: list(links) for key, links in found["relationships"].items()},
        }

    def by_sku(self, sku: str) -> Document | None:
        return next((product for product in self.products.values() if product["sku"] == sku), None)

    def category_children(self) -> Counter[str]:
        """Number of direct children by category id."""
        if self._branches_revision != self.categories.revision:
            self._branches = Counter(category["parent_id"] for category in self.categories.values())
            self._branches_revision = self.categories.revision
        return self._branches

    def category_path(self, category: Document) -> list[Document]:
        """From the root down to the category itself."""
        path = [category]
        while (parent_id := path[0]["parent_id"]) and (parent := self.categories.get(parent_id)):
            path.insert(0, parent)
        return path

    def asset_users(self) -> dict[str, int]:
        """Number of products by asset id."""
        if self._users_revision != self.products.revision:
            self._users = Counter(key for product in self.products.values() for key in product["assets"])
            self._users_revision = self.products.revision
        return self._users

    # -- writing ---------------------------------------------------------------------------------

    def save(self, products: Iterable[Document], *, at: datetime | None = None) -> None:
        """Store changed products, and what follows from them for their variants.

        `at` None keeps the times that the documents carry (a world being made). Otherwise it becomes
        `modified` of what was saved, and of variants that inherited a new value if the switch says so.
        """
        settled: dict[str, Document] = {}
        waiting = deque(products)
        moment = stamp(at) if at else None
        for product in waiting:
            if moment:
                product["modified"] = moment
        while waiting:
            product = waiting.popleft()
            parent_id = product["parent_id"]
            parent = (settled.get(parent_id) or self.products.get(parent_id)) if parent_id else None
            self._inherit(product, parent)
            self._complete(product)
            self._link_media(product)
            settled[product["id"]] = product
            if moment is not None:
                waiting += self._heirs(product, settled, moment)
        if moment is None:
            self._store(settled)
            return
        self._store({key: product for key, product in settled.items() if product != self.products.get(key)})

    def _heirs(self, parent: Document, settled: dict[str, Document], moment: str) -> list[Document]:
        """Children to which a saved parent hands on a value they do not have yet."""
        heirs = []
        for child_id in self.children(parent["id"]):
            if child_id in settled:
                continue
            child = self.product(child_id)
            self._inherit(child, parent)
            if child["attributes"] != self.products.get(child_id)["attributes"]:  # type: ignore[index]
                if self.state.switches["plytix.inheritance_moves_modified"]:
                    child["modified"] = moment
                heirs.append(child)
        return heirs

    def _inherit(self, product: Document, parent: Document | None) -> None:
        """Inherited values are written onto the variant (Plytix dossier §7)."""
        family = self.families.get(product["family_id"]) if product["family_id"] else None
        if parent is None or family is None:
            return
        inherited = INHERITED_LEVELS.get(product["level"], ())
        for label, level in family["levels"].items():
            if level in inherited and label not in product["overwritten"]:
                value = parent["attributes"].get(label)
                if value in EMPTY:
                    product["attributes"].pop(label, None)
                else:
                    product["attributes"][label] = value

    def _complete(self, product: Document) -> None:
        values = product["attributes"]
        self.attributes_by_label()
        for label, wanted in self._completeness.items():
            filled = sum(values.get(entry) not in EMPTY for entry in wanted)
            share = round(100 * filled / len(wanted), 2) if wanted else 0
            # Plytix prints a whole share without a fraction.
            values[label] = int(share) if share == int(share) else share

    def _link_media(self, product: Document) -> None:
        """`assets` is every linked file, so those of media attributes are in it (Plytix dossier §10)."""
        values = product["attributes"]
        linked = [
            key for label in self._media for key in values.get(label, ()) if key not in product["assets"]
        ]
        if linked:
            product["assets"] = list(dict.fromkeys([*product["assets"], *linked]))

    def _store(self, products: dict[str, Document]) -> None:
        known = self._children_revision == self.products.revision
        fresh = [product for key, product in products.items() if key not in self.products]
        moved = any(
            product["parent_id"] != self.products.get(key)["parent_id"]  # type: ignore[index]
            for key, product in products.items()
            if key in self.products
        )
        self.products.put_many(products.items())
        if known and not moved:
            for product in fresh:
                if product["parent_id"]:
                    self._children.setdefault(product["parent_id"], []).append(product["id"])
            self._children_revision = self.products.revision

    def remove(self, product_id: str) -> list[str]:
        """Delete a product and its variants (Plytix dossier §7), and the links to them; gives the ids."""
        removed = [product_id]
        for child_id in self.children(product_id):
            removed += self.remove(child_id)
        self.products.delete(product_id)
        return removed

    def remove_attribute(self, label: str, *, at: datetime) -> int:
        """Delete an attribute with all its values; gives the number of products that had one."""
        attribute = self.attributes_by_label()[label]
        self.attributes.delete(attribute["id"])
        self._forget_label(label)
        bearers = [self.product(p["id"]) for p in self.products.values() if label in p["attributes"]]
        for product in bearers:
            del product["attributes"][label]
        self.save(bearers, at=at)
        self._recompute_completeness(at)
        return len(bearers)

    def _forget_label(self, label: str) -> None:
        """In completeness lists, families and groups."""
        for other in self.attributes.values():
            if any(entry["label"] == label for entry in other.get("attributes", [])):
                kept = [entry for entry in other["attributes"] if entry["label"] != label]
                self.attributes.put(other["id"], other | {"attributes": kept})
        for collection, field in ((self.families, "levels"), (self.groups, "attribute_labels")):
            for document in collection.values():
                if label in document[field]:
                    left = document[field]
                    kept_labels = (
                        {key: level for key, level in left.items() if key != label}
                        if isinstance(left, dict)
                        else [entry for entry in left if entry != label]
                    )
                    collection.put(document["id"], document | {field: kept_labels})

    def _recompute_completeness(self, at: datetime) -> None:
        """For all products, after a list of a completeness attribute has changed."""
        changed = []
        for found in self.products.values():
            product = self.product(found["id"])
            self._complete(product)
            if product != found:
                changed.append(product)
        self.save(changed, at=at if self.state.switches["plytix.completeness_moves_modified"] else None)

    def new_asset(
        self, asset_id: str, filename: str, at: str, *, color: str = "Black", shape: str = "box",
        external_url: str | None = None,
    ) -> Document:  # fmt: skip
        """An asset document; `color`, `shape` and `version` decide what the file shows."""
        extension = filename.rsplit(".", 1)[-1].lower() if "." in filename else ""
        return {
            "id": asset_id, "filename": filename, "extension": extension,
            "content_type": mimetypes.guess_type(filename)[0] or "image/jpeg",
            "file_type": "TEXTS" if extension == "pdf" else "IMAGES",
            "file_size": 900 + int(asset_id[:3], 16), "public": True, "status": "ACTIVE", "categories": [],
            "created": at, "modified": at, "file_modified": at, "version": 1, "color": color, "shape": shape,
            "external_url": external_url,
        }  # fmt: skip

    def asset_url(self, asset: Document, *, thumb: bool = False) -> str:
        """Spaces and odd characters stay raw in it (Plytix dossier §10)."""
        if asset["external_url"] and not thumb:
            return str(asset["external_url"])
        folder = "thumbs" if thumb else "files"
        return f"{self.state.public_url}/plytix/{folder}/{asset['id']}/{asset['filename']}"


def filter_type_of(attribute: Document) -> str:
    return filter_type(attribute["type_class"])
