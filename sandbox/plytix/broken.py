"""Ways in which catalogues are broken in real life; each is applied to one product of the default world.

Some must be held back by readiness (a missing price), others must survive the way to the shop (a script in the
description, raw spaces in an image URL, a name that is too long, the same title twice).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sandbox.plytix.world import VARIANT

if TYPE_CHECKING:
    from sandbox.plytix.product_maker import ProductMaker
    from sandbox.state import Document

Breakage = Callable[["ProductMaker", int], None]


def whole(maker: ProductMaker, index: int) -> list[Document]:
    """A top-level product and everything below it."""
    head = maker.heads[index]
    below = maker.variants_of(head)
    return [head, *below, *(leaf for variant in below for leaf in maker.variants_of(variant))]


def missing_price(maker: ProductMaker, index: int) -> None:
    for product in whole(maker, index):
        product["attributes"].pop("price", None)


def missing_image(maker: ProductMaker, index: int) -> None:
    for product in whole(maker, index):
        product["attributes"].pop("main_image", None)


def missing_description(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["attributes"].pop("web_description", None)


def draft(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["status"] = "Draft"


def archived(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["status"] = "Archived"


def not_for_the_web(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["attributes"]["show_on_web"] = False


def sku_differs_in_case(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["sku"] = maker.heads[index - 1]["sku"].lower()


def price_with_comma(maker: ProductMaker, index: int) -> None:
    for product in whole(maker, index):
        if "price" in product["attributes"]:
            product["attributes"]["price"] = "12,50"


def spaces_in_image_url(maker: ProductMaker, index: int) -> None:
    main = maker.heads[index]["attributes"]["main_image"][0]
    asset = next(asset for asset in maker.assets if asset["id"] == main)
    asset["filename"] = "Kettle handle - Белая (1).png"


def name_of_300_characters(maker: ProductMaker, index: int) -> None:
    values = maker.heads[index]["attributes"]
    values["web_title"] = (values["web_title"] + " very long name" * 30)[:300]


def twin_variants(maker: ProductMaker, index: int) -> None:
    """Two variants with the same option values."""
    leaves = [product for product in whole(maker, index) if not maker.variants_of(product)]
    if len(leaves) > 1:
        for label in ("color", "size", "shoe_size"):
            if label in leaves[0]["attributes"]:
                leaves[1]["attributes"][label] = leaves[0]["attributes"][label]


def variants_without_options(maker: ProductMaker, index: int) -> None:
    """All variants look like the default one."""
    for product in whole(maker, index)[1:]:
        for label in ("color", "size", "shoe_size"):
            product["attributes"].pop(label, None)


def script_in_description(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["attributes"]["web_description"] = (
        '<p onclick="steal()">Good &amp; cheap</p><script>alert("hi")</script><p><a href="javascript:x()">link</a></p>'
    )


def one_empty_option(maker: ProductMaker, index: int) -> None:
    variants = whole(maker, index)[1:]
    if variants:
        leaf = variants[-1]["attributes"]
        for label in ("size", "shoe_size"):
            leaf.pop(label, None)


def same_title_twice(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["attributes"]["web_title"] = maker.heads[index - 1]["attributes"]["web_title"]


def blank_title(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["attributes"]["web_title"] = "   "


def control_characters(maker: ProductMaker, index: int) -> None:
    """Postgres refuses the NUL character."""
    values = maker.heads[index]["attributes"]
    values["short_description"] = f"before\u0000after\u200b {values['short_description']}"


def unknown_tax_category(maker: ProductMaker, index: int) -> None:
    maker.heads[index]["attributes"]["tax_category"] = "НДС 12%"


def draft_variant(maker: ProductMaker, index: int) -> None:
    """Somebody begins a variant below a product that is sold: nothing is known of it but one option."""
    head = maker.heads[index]
    sku = f"{head['sku']}-DRAFT"
    variant = maker.product(head, (sku,), sku, f"{head['label']} draft", VARIANT)
    variant["status"] = "Draft"
    variant["attributes"] = {"color": "Black"}
    maker.add(variant)


def unstated_stock(maker: ProductMaker, index: int) -> None:
    for product in whole(maker, index):
        product["attributes"].pop("stock", None)


ALWAYS: tuple[tuple[int, Breakage], ...] = ((4, unstated_stock), (10, draft_variant))
"""In worlds of any size, by the place of the product: a single, and a parent."""
BREAKAGES: tuple[tuple[str, Breakage], ...] = tuple(
    (breakage.__name__, breakage)
    for breakage in (
        missing_price, twin_variants, draft, price_with_comma, script_in_description, sku_differs_in_case, archived,
        spaces_in_image_url, variants_without_options, name_of_300_characters, not_for_the_web, one_empty_option,
        missing_image, same_title_twice, missing_description, control_characters, blank_title,
        unknown_tax_category,
    )
)  # fmt: skip
