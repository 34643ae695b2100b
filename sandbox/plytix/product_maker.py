"""Products of the default world, one after another, with variants, files and links: the same for a size and a seed."""

import random
from datetime import UTC, datetime, timedelta

from sandbox.plytix.account_basics import WORLD_BEGIN
from sandbox.plytix.schema import BRANDS, COLORS, MATERIALS, SHOE_SIZES, SIZES, TAX_CATEGORIES
from sandbox.plytix.world import PARENT, SINGLE, SUB_VARIANT, VARIANT, World, object_id, stamp
from sandbox.state import Document

WORLD_END = datetime(2025, 6, 30, tzinfo=UTC)
# A bulk edit: many products share one `modified` (Plytix dossier §5.4).
BULK_EDIT = datetime(2025, 3, 1, 6, 0, 0, 250_000, tzinfo=UTC)
WEB_LIST = object_id("list", "web")

LEAVES = {
    "Apparel": (
        "Summer dresses",
        "Платья из шёлка",
        "Linen shirts",
        "Flannel shirts",
        "Jackets",
        "3–8 years",
    ),
    "Footwear": ("Hiking boots", "Winter boots", "Sneakers", "Sandals", "Детская обувь"),
    "Tools": (
        "Hammers",
        "Saws & blades",
        "Screwdrivers",
        "Cordless drills",
        "Sanders",
        "Перфораторы",
        "Measuring",
    ),
}
NOUNS = {
    "Apparel": (
        "Linen shirt",
        "Wool jacket",
        "Рубашка льняная",
        "Robe d'été",
        "Flannel shirt",
        "Платье шёлковое",
    ),
    "Footwear": ("Trail boot", "Sneaker", "Ботинки зимние", "Sandale d'été", "Etik", "Hiking boot"),
    "Tools": (
        "Claw hammer",
        "Cordless drill",
        "Рулетка",
        "Niveau à bulle",
        "Bolgʻa",
        "Scie égoïne",
        "Отвёртка",
    ),
}
NAMES = (
    "Aurora", "Borealis", "Самарканд", "Élodie", "Fergana", "Granit", "Хива", "Iglesia", "Jasmin", "Kestrel",
    "Ладога", "Mistral", "Noor", "Öland", "Памир", "Quartz", "Registan", "Şirin", "Ташкент", "Umbra",
)  # fmt: skip
SHAPES = {"Apparel": "shirt", "Footwear": "shoe", "Tools": "tool"}
PREFIXES = {"Apparel": "AP", "Footwear": "FW", "Tools": "TL"}
CYCLE = ("Apparel", "Tools", "Apparel", "Footwear", "Tools")


class ProductMaker:
    """Makes one top-level product after another; `day` marks what was made after the world's beginning."""

    def __init__(self, world: World, seed: int | str, *, day: int = 0, at: datetime | None = None) -> None:
        self.world = world
        self.random = random.Random(f"{seed}/{day}")
        self.day = day
        self.at = at
        self.products: list[Document] = []
        self.assets: list[Document] = []
        self.heads: list[Document] = []
        self._below: dict[str, list[Document]] = {}
        self._categories = {category["name"]: category["id"] for category in world.categories.values()}

    def make(self, index: int) -> Document:
        """One top-level product with its variants and files; gives the top-level one."""
        family = CYCLE[index % len(CYCLE)]
        head = self._head(index, family)
        self.heads.append(self.add(head))
        if family == "Tools":
            self._dress(head, family, [self.random.choice(COLORS)])
            self._price(head)
            self._tool_values(head)
        elif family == "Apparel":
            self._apparel_variants(head)
        else:
            self._footwear_variants(head)
        return head

    def add(self, product: Document) -> Document:
        self.products.append(product)
        if product["parent_id"]:
            self._below.setdefault(product["parent_id"], []).append(product)
        return product

    def relate(self) -> None:
        """Some links to neighbours; symmetrical ones are visible from both sides."""
        related = object_id("relationship", "related_products")
        goes_with = object_id("relationship", "goes_well_with")
        for place, head in enumerate(self.heads):
            if place % 4 == 0 and len(self.heads) > 3:
                others = [self.heads[(place + step) % len(self.heads)] for step in (1, 3)]
                head["relationships"][related] = [link(other["id"], 1, head["modified"]) for other in others]
            if place % 7 == 3:
                other = self.heads[place - 1]
                for one, two in ((head, other), (other, head)):
                    one["relationships"].setdefault(goes_with, []).append(
                        link(two["id"], 2, head["modified"])
                    )

    def variants_of(self, head: Document) -> list[Document]:
        return self._below.get(head["id"], [])

    def asset(self, *name: object, filename: str, color: str, shape: str) -> str:
        # Files are addressed by id alone, so their ids differ between accounts.
        asset_id = object_id("asset", self.world.account, self.day, *name)
        moment = stamp(self.at or WORLD_BEGIN + timedelta(minutes=len(self.assets) * 7))
        self.assets.append(self.world.new_asset(asset_id, filename, moment, color=color, shape=shape))
        return asset_id

    def product(
        self, head: Document | None, key: tuple[object, ...], sku: str, label: str, level: int
    ) -> Document:
        created = self.at or WORLD_BEGIN + timedelta(
            hours=len(self.products) % 15_000, minutes=len(self.products) % 59
        )
        modified = self.at or min(created + timedelta(days=self.random.randrange(0, 90)), WORLD_END)
        if self.at is None and self.random.random() < 0.05:
            modified = BULK_EDIT
        modified = max(created, modified)
        return {
            "id": object_id("product", self.day, *key), "sku": sku, "label": label, "status": "Completed",
            "gtin": None, "created": stamp(created), "modified": stamp(modified),
            "parent_id": head["id"] if head else None, "level": level,
            "family_id": head["family_id"] if head else None, "attributes": {},
            "categories": list(head["categories"]) if head else [], "assets": [], "thumbnail": None,
            "relationships": {}, "overwritten": [], "static_lists": [],
        }  # fmt: skip

    def _head(self, index: int, family: str) -> Document:
        pick = self.random.choice
        noun = pick(NOUNS[family])
        number = index + 1 if self.day == 0 else self.day * 10_000 + index + 1
        title = f"{noun} {NAMES[(index * 7 + self.day) % len(NAMES)]} {number}"
        level = SINGLE if family == "Tools" else PARENT
        head = self.product(None, (index,), f"{PREFIXES[family]}-{number:05d}", title.upper()[:80], level)
        head["family_id"] = object_id("family", family)
        names = (LEAVES[family][index % len(LEAVES[family])], *(("Sale",) if index % 9 == 0 else ()))
        # A loaded catalogue has a tree of its own.
        head["categories"] = [self._categories[name] for name in names if name in self._categories]
        head["static_lists"] = [WEB_LIST] if index % 2 == 0 else []
        head["gtin"] = f"{4_780_000_000_000 + number * 10}" if index % 3 else None
        head["attributes"] = {
            "web_title": title, "web_description": f"<p>{title}. <strong>Made to last</strong>, проверено временем.</p>"
            "<ul><li>First choice material</li><li>Sewn and built by hand</li></ul>",
            "short_description": f"{noun}\nfrom the {NAMES[index % len(NAMES)]} range",
            "show_on_web": True, "brand": pick(BRANDS), "material": self.random.sample(MATERIALS, 2),
            "tax_category": TAX_CATEGORIES[3] if family != "Tools" else TAX_CATEGORIES[0],
            "editorial_season": pick(("SS25", "FW25", "Всесезон")), "logistics_country": pick(("UZ", "TR", "PT")),
            "logistics_lead_days": self.random.randrange(1, 30), "logistics_cost": self._amount(3, 90),
        }  # fmt: skip
        if index % 3 == 0:
            head["attributes"] |= {
                "seo_title": f"{title} | Karvon",
                "seo_description": f"Buy {title} online.",
            }
        if index % 5 == 2:
            head["attributes"]["release_date"] = f"2025-0{1 + index % 6}-1{index % 10}"
        return head

    def _dress(self, product: Document, family: str, colors: list[str]) -> list[str]:
        """Main image, gallery and files: one picture for each colour, which are given back, and a detail."""
        sku = product["sku"]
        pictures = [
            self.asset(sku, color, filename=f"{sku.lower()}-{place}.png", color=color, shape=SHAPES[family])
            for place, color in enumerate(colors, start=1)
        ]
        detail = self.asset(
            sku, "detail", filename=f"{sku.lower()}-detail.png", color=colors[0], shape="detail"
        )
        product["attributes"] |= {"main_image": pictures[:1], "gallery": [*pictures[1:], detail]}
        product["attributes"]["image_alt"] = str(product["attributes"].get("web_title") or product["label"])
        product["assets"] = [*pictures, detail]
        product["thumbnail"] = pictures[0]
        return pictures

    def _price(self, product: Document, price: float | None = None) -> None:
        values = product["attributes"]
        values["price"] = price if price is not None else self._amount(8, 240)
        if self.random.random() < 0.15:
            values["compare_at_price"] = round(values["price"] * 1.25, 2)
        values["stock"] = self.random.randrange(0, 120)
        values["weight_g"] = float(self.random.randrange(80, 4000))

    def _amount(self, low: int, high: int) -> float:
        return round(self.random.randrange(low * 100, high * 100, 5) / 100, 2)

    def _tool_values(self, head: Document) -> None:
        sheet = self.asset(
            head["sku"], "sheet", filename=f"{head['sku'].lower()}-spec.pdf", color="White", shape="box"
        )
        head["attributes"] |= {
            "spec_sheet": [sheet], "spec_power_w": self.random.randrange(200, 1800), "spec_battery": "18 V",
            "spec_voltage": 230, "manual_url": f"https://manuals.example/{head['sku']}", "spec_warranty_months": 24,
            "dimension_length_mm": self._amount(40, 900), "spec_certificates": ["CE", "EAC"],
        }  # fmt: skip
        head["assets"].append(sheet)

    def _apparel_variants(self, head: Document) -> None:
        colors = self.random.sample(COLORS, self.random.randrange(1, 4))
        sizes = SIZES[1 : 1 + self.random.randrange(2, 4)]
        pictures = self._dress(head, "Apparel", colors)
        self._price(head)
        for color, picture in zip(colors, pictures, strict=True):
            for size in sizes:
                variant = self.product(
                    head, (head["sku"], color, size), f"{head['sku']}-{COLORS.index(color) + 1}-{size}",
                    f"{head['label']} {color} {size}", VARIANT,
                )  # fmt: skip
                variant["attributes"] = {
                    "color": color, "size": size, "main_image": [picture], "spec_fabric_weight": 180,
                    "image_alt": f"{head['attributes']['web_title']}, {color}",
                }  # fmt: skip
                self._price(variant, head["attributes"]["price"])
                variant["assets"], variant["thumbnail"] = [picture], picture
                self.add(variant)

    def _footwear_variants(self, head: Document) -> None:
        """Three levels: the colour carries the pictures, the size below it price and stock."""
        colors = self.random.sample(COLORS[:5], 2)
        first = self.random.randrange(0, len(SHOE_SIZES) - 3)
        self._dress(head, "Footwear", colors[:1])
        self._price(head)
        for color in colors:
            sku = f"{head['sku']}-{COLORS.index(color) + 1}"
            variant = self.product(head, (sku,), sku, f"{head['label']} {color}", VARIANT)
            self._dress(variant, "Footwear", [color])
            variant["attributes"] |= {
                "color": color, "price": head["attributes"]["price"],
                "image_alt": f"{head['attributes']['web_title']}, {color}",
            }  # fmt: skip
            self.add(variant)
            for size in SHOE_SIZES[first : first + 3]:
                leaf = self.product(
                    variant, (sku, size), f"{sku}-{size}", f"{variant['label']} {size}", SUB_VARIANT
                )
                leaf["attributes"]["shoe_size"] = size
                self._price(leaf, head["attributes"]["price"])
                self.add(leaf)


def link(product_id: str, quantity: int, at: str) -> Document:
    return {"product_id": product_id, "quantity": quantity, "last_modified": at}
