"""The shop as a person sees it: /shop, /shop/products/{slug}, /shop/collections/{slug}, from the stored site."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.state import State
from sandbox.webflow import store
from sandbox.webflow.clean_html import clean_html
from sandbox.webflow.collection_pages import collection_links, collection_page
from sandbox.webflow.errors import ApiError
from sandbox.webflow.site import Record, Site
from sandbox.webflow.sites import Sites

PER_PAGE = 48
SHOWN = {
    "all": "Everything",
    "visible": "Visible",
    "archived": "Archived",
    "draft": "Drafts",
    "hand-made": "Hand-made",
}
_ZERO_DECIMAL = frozenset({
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND",
    "VUV", "XAF", "XOF", "XPF",
})  # fmt: skip
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_COLOURS = {
    "black": "#1b1b1f", "white": "#ffffff", "grey": "#9a9aa2", "gray": "#9a9aa2", "silver": "#c4c7cc",
    "red": "#d63b34", "crimson": "#b3122f", "burgundy": "#6f1a2c", "orange": "#ee8a2a", "yellow": "#f3cc3c",
    "gold": "#d4a52a", "green": "#2f9156", "olive": "#7c7c34", "khaki": "#b9ab78", "teal": "#1f8a8a",
    "mint": "#9adbc0", "turquoise": "#35bdb2", "blue": "#2f62d0", "navy": "#1e2c55", "purple": "#7a4bb8",
    "violet": "#8a5bd0", "pink": "#ee8fb5", "brown": "#7b5136", "beige": "#e3d5bb", "sand": "#d9c49a",
    "cream": "#f6eedb", "natural": "#e7dcc6", "anthracite": "#3a3d44", "charcoal": "#43464d",
    "forest green": "#225e3a", "terracotta": "#c76242", "écru": "#decead", "ecru": "#decead",
    "чёрный": "#1b1b1f", "черный": "#1b1b1f", "белый": "#ffffff", "серый": "#9a9aa2", "красный": "#d63b34",
    "синий": "#2f62d0", "голубой": "#7fb6ec", "зелёный": "#2f9156", "зеленый": "#2f9156", "жёлтый": "#f3cc3c",
    "желтый": "#f3cc3c", "мятный": "#7acdb0", "бежевый": "#e3d5bb", "коричневый": "#7b5136",
}  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' http: https: data:; style-src 'unsafe-inline'; "
    "form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Picture:
    """`source` is where the shop imported it from: the same picture of two SKUs is two files."""

    url: str
    alt: str
    source: str


@dataclass(frozen=True)
class Variant:
    """One SKU, ready to be shown; `stock` None means that it is not counted."""

    name: str
    code: str
    choice: dict[str, str]
    price: str
    was: str | None
    minor: int
    stock: int | None
    pictures: tuple[Picture, ...]
    is_default: bool


@dataclass(frozen=True)
class Goods:
    """One product, ready to be shown."""

    name: str
    slug: str
    badges: tuple[str, ...]
    variants: tuple[Variant, ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]
    categories: tuple[tuple[str, str], ...]
    description: Markup
    facts: tuple[tuple[str, str], ...] = field(default=())
    is_broken: bool = False

    @property
    def first(self) -> Variant | None:
        return next((each for each in self.variants if each.is_default), next(iter(self.variants), None))

    @property
    def cheapest(self) -> Variant | None:
        return min(self.variants, key=lambda each: each.minor, default=None)

    @property
    def has_price_range(self) -> bool:
        return len({each.minor for each in self.variants}) > 1

    @property
    def pictures(self) -> tuple[Picture, ...]:
        ordered = sorted(self.variants, key=lambda each: not each.is_default)
        unique: dict[str, Picture] = {}
        for each in (picture for variant in ordered for picture in variant.pictures):
            unique.setdefault(each.source, each)
        return tuple(unique.values())

    @property
    def stock(self) -> int | None:
        counted = [each.stock for each in self.variants]
        return None if None in counted else sum(each or 0 for each in counted)


def shop_routes(state: State) -> list[BaseRoute]:
    """`?account=<name>` shows another site than the default one."""
    sites = Sites(state)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    environment.globals.update(colours=_COLOURS, shown=SHOWN)

    def page(template: str, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(environment.get_template(template).render(values), status, headers=_HEADERS)

    async def index(request: Request) -> Response:
        query = dict(request.query_params)
        site = sites.find(query.get("account", "default"))
        if site is None:
            return page("missing.html", 404, what="shop")
        return page("shop.html", **shop_page(site, query), site=site.about, account=site.account)

    async def product(request: Request) -> Response:
        site = sites.find(request.query_params.get("account", "default"))
        wanted = request.path_params["slug"]
        for record in site.records("product") if site else ():
            if site and record["fieldData"]["slug"] == wanted:
                return page("product.html", goods=goods(site, record), site=site.about, account=site.account)
        return page("missing.html", 404, what="product")

    async def collection(request: Request) -> Response:
        site = sites.find(request.query_params.get("account", "default"))
        values = collection_page(site, request.path_params["slug"]) if site else None
        if site is None or values is None:
            return page("missing.html", 404, what="collection")
        return page("collection.html", **values, site=site.about, account=site.account)

    return [
        Route("/shop", index),
        Route("/shop/", index),
        Route("/shop/products/{slug}", product),
        Route("/shop/collections/{slug}", collection),
    ]


def shop_page(site: Site, query: dict[str, str]) -> dict[str, Any]:
    """The values of one page of the grid: only its products are worked out in full."""
    everything = list(site.records("product"))
    show, wanted, category = (
        query.get("show", "all"),
        query.get("q", "").strip().lower(),
        query.get("category", ""),
    )
    in_category = _categories(site, everything)
    chosen = next((each for each in in_category if each["slug"] == category), None)
    found = [
        each
        for each in everything
        if _is_shown(each, show)
        and (chosen is None or chosen["id"] in (each["fieldData"].get("category") or []))
        and wanted in str(each["fieldData"]["name"]).lower()
    ]
    pages = max(1, ceil(len(found) / PER_PAGE))
    number = min(pages, max(1, int(query["page"]) if query.get("page", "").isdecimal() else 1))
    newest_first = found[::-1][(number - 1) * PER_PAGE : number * PER_PAGE]
    counts = {name: sum(_is_shown(each, name) for each in everything) for name in SHOWN}
    return {
        "products": [goods(site, each) for each in newest_first],
        "found": len(found),
        "counts": counts,
        "sku_count": len(site.item_ids("sku")),
        "categories": in_category,
        "collections": collection_links(site),
        "chosen": chosen,
        "show": show if show in SHOWN else "all",
        "q": query.get("q", ""),
        "page": number,
        "pages": pages,
    }


def _is_shown(record: Record, show: str) -> bool:
    kinds: dict[str, bool] = {
        "visible": not record["isArchived"] and not record["isDraft"],
        "archived": record["isArchived"],
        "draft": record["isDraft"],
        "hand-made": record["hand_made"],
    }
    return kinds.get(show, True)


def _categories(site: Site, products: list[Record]) -> list[dict[str, Any]]:
    numbers: dict[str, int] = {}
    for product in products:
        for each in product["fieldData"].get("category") or []:
            numbers[each] = numbers.get(each, 0) + 1
    listed = [
        {
            "id": each["id"],
            "name": each["fieldData"]["name"],
            "slug": each["fieldData"]["slug"],
            "count": numbers.get(each["id"], 0),
        }
        for each in site.records("category")
    ]
    return sorted(listed, key=lambda each: str(each["name"]).lower())


def goods(site: Site, record: Record) -> Goods:
    """A product as the page shows it."""
    fields = record["fieldData"]
    properties = fields.get("sku-properties") or []
    names = {each["id"]: each["name"] for each in properties}
    values = {value["id"]: value["name"] for each in properties for value in each["enum"]}
    variants = tuple(
        _variant(site, sku, names, values, sku["id"] == fields.get("default-sku"))
        for sku in site.skus(record["id"])
    )
    badges = {"Archived": record["isArchived"], "Draft": record["isDraft"], "Hand-made": record["hand_made"]}
    facts = (
        "brand",
        "material",
        "release-date",
        "spec-sheet-url",
        "tax-category",
        "seo-title",
        "seo-description",
    )
    return Goods(
        name=fields["name"],
        slug=fields["slug"],
        badges=tuple(name for name, applies in badges.items() if applies),
        variants=variants,
        options=tuple((each["name"], tuple(value["name"] for value in each["enum"])) for each in properties),
        categories=_category_links(site, fields.get("category") or []),
        description=Markup(clean_html(fields.get("description") or "")),  # noqa: S704 cleaned one line above
        facts=tuple(
            (name.replace("-", " ").capitalize(), str(fields[name])) for name in facts if fields.get(name)
        ),
        is_broken=bool(store.broken_variants(site, record)),
    )


def _variant(
    site: Site, sku: Record, names: dict[str, str], values: dict[str, str], is_default: bool
) -> Variant:
    fields = sku["fieldData"]
    stock = site.inventory.get(sku["id"])
    pictures = [fields.get("main-image"), *(fields.get("more-images") or [])]
    chosen = fields.get("sku-values") or {}
    compare = fields.get("compare-at-price")
    return Variant(
        name=fields["name"],
        code=fields.get("sku") or "",
        choice={
            names[key]: values[value] for key, value in chosen.items() if key in names and value in values
        },
        price=money(fields["price"]),
        was=money(compare) if compare else None,
        minor=fields["price"]["value"],
        stock=stock["quantity"] if stock and stock["inventoryType"] == "finite" else None,
        pictures=tuple(_picture(site, each, fields["name"]) for each in pictures if each),
        is_default=is_default,
    )


def _picture(site: Site, image: dict[str, Any], name: str) -> Picture:
    file = site.files.get(image.get("fileId", ""))
    # A relative address works whatever port the sandbox has been given since.
    url = f"/webflow/files/{image['fileId']}/{file['name']}" if file else str(image.get("url", ""))
    return Picture(url, image.get("alt") or name, file["source"] if file else url)


def _category_links(site: Site, ids: list[str]) -> tuple[tuple[str, str], ...]:
    links = []
    for each in ids:
        try:
            fields = site.record(each, "category")["fieldData"]
        except ApiError:
            continue  # a category that was deleted after the product was put into it
        links.append((fields["name"], fields["slug"]))
    return tuple(links)


def money(price: dict[str, Any]) -> str:
    """'$24.99': whole minor units as people write them."""
    unit = price["unit"]
    amount = f"{price['value']:,}" if unit in _ZERO_DECIMAL else f"{price['value'] / 100:,.2f}"
    return f"{_SIGNS[unit]}{amount}" if unit in _SIGNS else f"{amount} {unit}"
