"""The world moves on: a day's changes of named kinds, the same for the same account, seed and day number.

Products that get a change are ready for the web and each gets one change a day, so that a test can foresee
what reaches the shop. Attributes come, go and change their type only on request.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.plytix.product_maker import ProductMaker, link
from sandbox.plytix.world import PARENT, SINGLE, World, object_id, stamp
from sandbox.plytix.writes import create_product, delete_product
from sandbox.state import Document

Change = dict[str, Any]
DEFAULT_DAY = {
    "price": 5, "stock": 5, "title": 2, "description": 2, "image_replaced": 1, "gallery_reordered": 1,
    "new_product": 2, "new_variant": 1, "product_archived": 1, "product_deleted": 1, "category_renamed": 1,
    "product_recategorised": 1, "field_emptied": 1, "relationship_added": 1, "draft_variant": 1,
}  # fmt: skip


def next_day(world: World, changes: object = None) -> Document:
    """Make the changes `{kind: count}` (attribute kinds: or a list of labels); without any, `DEFAULT_DAY`.

    Gives `{day, counts, changes: [{kind, ...what it was and became}]}`. A kind for which nothing suitable is
    left is done less often. Raises ValueError for an unknown kind.
    """
    wanted = DEFAULT_DAY if changes is None else changes
    if not isinstance(wanted, dict):
        raise ValueError(f"changes is an object of kind and count; kinds: {', '.join(KINDS)}")
    unknown = sorted(set(wanted) - set(KINDS))
    if unknown:
        raise ValueError(f"unknown kinds {unknown}; known: {', '.join(KINDS)}")
    about = world.about.get("world") or {}
    day = about.get("day", 0) + 1
    world.about.put("world", about | {"day": day})
    mover = Mover(world, day, about.get("seed", 0))
    for kind, amount in wanted.items():
        for turn in amount if isinstance(amount, list) else range(int(amount)):
            done = KINDS[kind](mover, turn)
            if done is not None:
                mover.done.append({"kind": kind} | done)
    counts = {kind: sum(change["kind"] == kind for change in mover.done) for kind in wanted}
    return {"day": day, "counts": counts, "changes": mover.done}


class Mover:
    """Picks what changes on one day, and never the same product twice."""

    def __init__(self, world: World, day: int, seed: object) -> None:
        self.world = world
        self.day = day
        self.seed = seed
        self.random = random.Random(f"{seed}/day/{day}")
        self.done: list[Change] = []
        self.touched: set[str] = set()
        self.maker: ProductMaker | None = None

    def head(self, suits: Callable[[Document], bool] = bool) -> Document | None:
        """A parent or single that is ready for the web; a copy."""
        found = [head for head in self._ready() if suits(head)]
        if not found:
            return None
        head = self.random.choice(found)
        self.touched.add(head["id"])
        return self.world.product(head["id"])

    def seller(self, suits: Callable[[Document], bool]) -> Document | None:
        """What is sold: a single, or one of the lowest variants of a parent; a copy."""
        head = self.head(lambda head: any(suits(leaf) for leaf in self.leaves(head)))
        if head is None:
            return None
        leaves = [leaf for leaf in self.leaves(head) if suits(leaf)]
        return self.world.product(self.random.choice(leaves)["id"])

    def leaves(self, product: Document) -> Iterator[Document]:
        below = [self.world.products.get(child) for child in self.world.children(product["id"])]
        # A single whose variants are only drafts is sold itself.
        children = [child for child in below if child and child["status"] == "Completed"]
        if not children:
            yield product
        for child in children:
            yield from self.leaves(child)

    def save(self, product: Document, label: str, before: Any, after: Any) -> Change:
        self.world.save([product], at=self.world.state.now())
        return {"id": product["id"], "sku": product["sku"], "field": label, "before": before, "after": after}

    def set_attribute(self, product: Document, label: str, value: Any) -> Change:
        before = product["attributes"].get(label)
        product["attributes"][label] = value
        return self.save(product, label, before, value)

    def _ready(self) -> Iterator[Document]:
        for product in self.world.products.values():
            values = product["attributes"]
            if (
                product["level"] in (SINGLE, PARENT)
                and product["id"] not in self.touched
                and product["status"] == "Completed"
                and values.get("show_on_web") is True
                and values.get("web_completeness") == 100
                and isinstance(values.get("price"), int | float)
            ):
                yield product


def has_number(label: str) -> Callable[[Document], bool]:
    return lambda product: isinstance(product["attributes"].get(label), int | float)


def price(mover: Mover, _turn: Any) -> Change | None:
    product = mover.seller(has_number("price"))
    if product is None:
        return None
    return mover.set_attribute(product, "price", round(product["attributes"]["price"] * 1.1 + 0.05, 2))


def stock(mover: Mover, _turn: Any) -> Change | None:
    product = mover.seller(has_number("stock"))
    if product is None:
        return None
    return mover.set_attribute(
        product, "stock", product["attributes"]["stock"] + mover.random.randrange(1, 40)
    )


def title(mover: Mover, _turn: Any) -> Change | None:
    product = mover.head()
    if product is None:
        return None
    old = str(product["attributes"]["web_title"])
    return mover.set_attribute(product, "web_title", f"{old[:200].rstrip()}, edition {mover.day}")


def description(mover: Mover, _turn: Any) -> Change | None:
    product = mover.head()
    if product is None:
        return None
    old = product["attributes"]["web_description"]
    return mover.set_attribute(product, "web_description", f"{old}<p>Новое, day {mover.day}.</p>")


def image_replaced(mover: Mover, _turn: Any) -> Change | None:
    """The file behind the main image changes under the same asset id."""
    product = mover.head(lambda head: bool(head["attributes"].get("main_image")))
    asset = mover.world.assets.get(product["attributes"]["main_image"][0]) if product else None
    if product is None or asset is None:
        return None
    moment = mover.world.state.now()
    renamed = asset["filename"]
    if mover.world.state.switches["plytix.asset_url_changes"]:
        renamed = f"v{asset['version'] + 1}-{asset['filename']}"
    mover.world.assets.put(
        asset["id"],
        asset | {
            "version": asset["version"] + 1, "file_size": asset["file_size"] + 17, "filename": renamed,
            "modified": stamp(moment), "file_modified": stamp(moment),
        },
    )  # fmt: skip
    if mover.world.state.switches["plytix.asset_moves_modified"]:
        users = [one["id"] for one in mover.world.products.values() if asset["id"] in one["assets"]]
        mover.world.save([mover.world.product(user) for user in users], at=moment)
    return {"id": product["id"], "sku": product["sku"], "asset": asset["id"], "version": asset["version"] + 1}


def gallery_reordered(mover: Mover, _turn: Any) -> Change | None:
    """Of three pictures at least: a variant whose main image is one of two shows the other one alone, in any order."""
    product = mover.head(lambda head: len(head["attributes"].get("gallery", [])) > 2)
    if product is None:
        return None
    return mover.set_attribute(product, "gallery", product["attributes"]["gallery"][::-1])


def new_product(mover: Mover, turn: Any) -> Change | None:
    """Families take turns, so every other new product brings variants."""
    moment = mover.world.state.now()
    if mover.maker is None:
        mover.maker = ProductMaker(mover.world, str(mover.seed), day=mover.day, at=moment)
    maker = mover.maker
    known, known_assets = len(maker.products), len(maker.assets)
    head = maker.make(turn)
    made = maker.products[known:]
    mover.world.assets.put_many((asset["id"], asset) for asset in maker.assets[known_assets:])
    mover.world.save(made, at=moment)
    mover.touched.add(head["id"])
    return {"id": head["id"], "sku": head["sku"], "variants": [product["sku"] for product in made[1:]]}


def new_variant(mover: Mover, _turn: Any) -> Change | None:
    """A size that the parent does not have yet."""

    def free_values(head: Document) -> list[tuple[Document, str, str]]:
        leaves = [leaf for leaf in mover.leaves(head) if leaf["parent_id"]]
        for label in ("size", "shoe_size"):
            taken = {leaf["attributes"].get(label) for leaf in leaves} - {None}
            attribute = mover.world.attributes_by_label().get(label)
            if taken and attribute:
                free = [option for option in attribute["options"] if option not in taken]
                return [(leaves[-1], label, option) for option in free]
        return []

    head = mover.head(lambda head: bool(free_values(head)))
    if head is None:
        return None
    sibling, label, option = free_values(head)[0]
    variant = mover.world.product(sibling["id"])
    moment = mover.world.state.now()
    sku = f"{sibling['sku']}-{option}".replace(" ", "-")
    variant |= {
        "id": object_id("product", "variant", mover.day, sku), "sku": sku, "created": stamp(moment),
        "gtin": None, "label": f"{sibling['label']} {option}",
    }  # fmt: skip
    variant["attributes"][label] = option
    mover.world.save([variant], at=moment)
    return {"id": variant["id"], "sku": sku, "parent": head["sku"], "field": label, "after": option}


def product_archived(mover: Mover, _turn: Any) -> Change | None:
    product = mover.head()
    if product is None:
        return None
    before, product["status"] = product["status"], "Archived"
    return mover.save(product, "status", before, "Archived")


def product_deleted(mover: Mover, _turn: Any) -> Change | None:
    """With its variants, without a trace (Plytix dossier §13)."""
    product = mover.head()
    if product is None:
        return None
    removed = delete_product(mover.world, product["id"])
    return {"id": product["id"], "sku": product["sku"], "removed": removed}


def product_recategorised(mover: Mover, _turn: Any) -> Change | None:
    product = mover.head(lambda head: bool(head["categories"]))
    others = [key for key in mover.world.categories if product and key not in product["categories"]]
    if product is None or not others:
        return None
    before = product["categories"]
    product["categories"] = [*before, mover.random.choice(others)]
    return mover.save(product, "categories", before, product["categories"])


def field_emptied(mover: Mover, _turn: Any) -> Change | None:
    """The description goes, so the product is no longer complete and must be held back as it is."""
    product = mover.head()
    if product is None:
        return None
    before = product["attributes"].pop("web_description")
    return mover.save(product, "web_description", before, None)


def relationship_added(mover: Mover, _turn: Any) -> Change | None:
    relationship = next((one for one in mover.world.relationships.values() if not one["symmetrical"]), None)
    product = mover.head() if relationship else None
    other = mover.head() if product else None
    if relationship is None or product is None or other is None:
        return None
    moment = mover.world.state.now()
    product["relationships"].setdefault(relationship["id"], []).append(link(other["id"], 1, stamp(moment)))
    moves = mover.world.state.switches["plytix.relationship_moves_modified"]
    mover.world.save([product], at=moment if moves else None)
    return {"id": product["id"], "sku": product["sku"], "field": relationship["label"], "after": other["sku"]}


def category_renamed(mover: Mover, _turn: Any) -> Change | None:
    """One that products are in."""
    used = sorted({key for product in mover.world.products.values() for key in product["categories"]})
    category = mover.world.categories.get(mover.random.choice(used)) if used else None
    if category is None:
        return None
    moment = mover.world.state.now()
    renamed = f"{category['name'].split(' · ')[0]} · {mover.day}"
    mover.world.categories.put(category["id"], category | {"name": renamed, "modified": stamp(moment)})
    if mover.world.state.switches["plytix.category_moves_modified"]:
        inside = [one["id"] for one in mover.world.products.values() if category["id"] in one["categories"]]
        mover.world.save([mover.world.product(one) for one in inside], at=moment)
    return {"id": category["id"], "before": category["name"], "after": renamed}


def attribute_added(mover: Mover, turn: Any) -> Change | None:
    """With a value on one product."""
    label = turn if isinstance(turn, str) else f"extra_{mover.day}_{turn}"
    attribute_id = object_id("attribute", label)
    document = {
        "id": attribute_id, "label": label, "name": label.replace("_", " ").capitalize(), "groups": [],
        "type_class": "TextAttribute", "description": "",
    }  # fmt: skip
    mover.world.attributes.put(attribute_id, document)
    product = mover.head()
    if product is not None:
        mover.set_attribute(product, label, f"value of day {mover.day}")
    return {"id": attribute_id, "label": label, "sku": product["sku"] if product else None}


def attribute_deleted(mover: Mover, turn: Any) -> Change | None:
    label = chosen_label(mover, turn)
    if label is None:
        return None
    return {"label": label, "products": mover.world.remove_attribute(label, at=mover.world.state.now())}


def attribute_type_changed(mover: Mover, turn: Any) -> Change | None:
    """Becomes a text; the values become texts too."""
    label = chosen_label(mover, turn)
    attribute = mover.world.attributes_by_label().get(label) if label else None
    if label is None or attribute is None:
        return None
    before = attribute["type_class"]
    kept = {key: value for key, value in attribute.items() if key not in ("options", "attributes")}
    mover.world.attributes.put(attribute["id"], kept | {"type_class": "TextAttribute"})
    bearers = [
        mover.world.product(one["id"]) for one in mover.world.products.values() if label in one["attributes"]
    ]
    for product in bearers:
        value = product["attributes"][label]
        product["attributes"][label] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    mover.world.save(bearers, at=mover.world.state.now())
    return {"label": label, "before": before, "after": "TextAttribute", "products": len(bearers)}


def draft_variant(mover: Mover, _turn: Any) -> Change | None:
    """Somebody begins a variant below a single that is sold, which goes on being sold."""
    head = mover.head(lambda head: head["level"] == SINGLE and bool(head["attributes"].get("stock")))
    if head is None:
        return None
    body = {"sku": f"{head['sku']}-NEW", "parent_id": head["id"], "attributes": {"color": "Red"}}
    product_id = object_id("product", "draft", mover.day, body["sku"])
    create_product(mover.world, body, product_id)
    return {"id": product_id, "sku": body["sku"], "parent": head["sku"]}


def chosen_label(mover: Mover, turn: Any) -> str | None:
    """The label that was asked for, or one that no shop field hangs on. Raises ValueError for an unknown one."""
    known = mover.world.attributes_by_label()
    if isinstance(turn, str):
        if turn not in known:
            raise ValueError(f"no attribute has the label {turn!r}")
        return turn
    harmless = sorted(
        label for label in known if label.startswith(("logistics_lead", "dimension_", "spec_power"))
    )
    return mover.random.choice(harmless) if harmless else None


KINDS: dict[str, Callable[[Mover, Any], Change | None]] = {
    kind.__name__: kind
    for kind in (
        price, stock, title, description, image_replaced, gallery_reordered, new_product, new_variant,
        product_archived, product_deleted, product_recategorised, field_emptied, relationship_added,
        category_renamed, draft_variant, attribute_added, attribute_deleted, attribute_type_changed,
    )
}  # fmt: skip
