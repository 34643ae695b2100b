"""The search endpoints: columns, order, paging and the counts that mislead (Plytix dossier §5)."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.plytix.answers import ApiError, schema_error
from sandbox.plytix.filters import OPERATORS, DateRules, Field, Predicate, compile_filters
from sandbox.plytix.shapes import FAMILY_COLUMNS, Shaper
from sandbox.plytix.world import EMPTY, World, filter_type_of
from sandbox.state import Collection, Document

PRODUCT_COLUMNS = frozenset(
    {"id", "sku", "label", "status", "created", "modified", "gtin", "categories", "assets", "thumbnail", "images",
     "_is_variation", "_has_variations"}
)  # fmt: skip
COLUMNS_LIMIT = 50
DEFAULT_PAGE_SIZE = 25
CACHED_RESULTS = 48


@dataclass(frozen=True)
class Page:
    """A checked `pagination` value; `order` "" means none."""

    number: int
    size: int
    order: str


@dataclass(frozen=True)
class SmallSearch:
    """A v1 search over a collection that is small enough to be filtered and sorted each time."""

    collection: Collection
    shape: Callable[[Document], Document]
    columns: frozenset[str]
    free: tuple[str, ...]
    filterable: frozenset[str]
    has_ordered_limit: bool = False
    page_size_max: int = 100


def read_page(body: Document, size_max: int) -> Page:
    """Raises ApiError 422 for a page_size over the limit, a page under 1 or an order of null."""
    pagination = body.get("pagination", {})
    if not isinstance(pagination, dict):
        raise schema_error("pagination must be an object", "pagination")
    number, size = pagination.get("page", 1), pagination.get("page_size", DEFAULT_PAGE_SIZE)
    order = pagination.get("order", "")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise schema_error("page must be a positive integer", "page")
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= size_max:
        raise schema_error(f"page_size must be between 1 and {size_max}", "page_size")
    if not isinstance(order, str):
        raise schema_error("order must be a string", "order")
    return Page(number, size, order)


def read_columns(body: Document, is_known: Callable[[str], bool]) -> list[str]:
    """The columns asked for, `id` and `sku` not counted. One bad column fails the call."""
    columns = body.get("attributes", [])
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise schema_error("attributes must be a list of strings", "attributes")
    asked = list(dict.fromkeys(column for column in columns if column not in ("id", "sku")))
    if len(asked) > COLUMNS_LIMIT:
        raise schema_error(f"columns limit exceeded, current limit is {COLUMNS_LIMIT}")
    unknown = [column for column in asked if not is_known(column)]
    if unknown:
        raise ApiError(
            422,
            "Schema validation error",
            [{"field": column, "msg": "Field does not exist"} for column in unknown],
        )
    return asked


def pagination(world: World, page: Page, *, matching: int, shown: int, total: int) -> Document:
    switches = world.state.switches
    answer: Document = {"order": page.order or None, "page": page.number, "page_size": page.size}
    form = switches["plytix.pagination_counts"]
    if form not in ("no_count", "none"):
        answer["count"] = shown if switches["plytix.count_is_page"] else matching
    if form not in ("no_total_count", "none"):
        answer["total_count"] = total if switches["plytix.total_count_ignores_filter"] else matching
    return answer


def page_bounds(world: World, page: Page) -> tuple[int, int]:
    """Where a page begins and ends; without an order it may reach back into the page before."""
    begin = (page.number - 1) * page.size
    switches = world.state.switches
    limit = switches["plytix.unsorted_rows_limit"]
    if not page.order and limit and begin >= limit:
        raise schema_error(f"page out of range, current limit is {limit} rows", "page")
    if not page.order and switches["plytix.unsorted_paging"] == "overlapping":
        begin -= (page.number - 1) * max(1, page.size // 10)
    return begin, begin + page.size


def check_ordered_limit(world: World, page: Page, matching: int) -> None:
    limit = world.state.switches["plytix.ordered_rows_limit"]
    if page.order and limit and matching > limit:
        raise ApiError(428, f"Ordering is not available for more than {limit} results")


def sort_key(value: Any) -> tuple[int, Any]:
    """Values of one field may be of several types (a price of "12,50")."""
    if value in EMPTY:
        return 0, 0
    if isinstance(value, bool | int | float):
        return 1, value
    return 2, str(value)


def date_rules(world: World) -> DateRules:
    switches = world.state.switches
    return DateRules(switches["plytix.modified_accepts_timestamp"], switches["plytix.date_gt"])


class ProductSearch:
    """Searches the products of one world; result lists are kept until a product changes."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._results: OrderedDict[bytes, list[str]] = OrderedDict()
        self._revision = -1
        self._fields: dict[str, Field] = {}
        self._fields_revision = -1

    def run(self, body: Document, shaper: Shaper) -> tuple[list[Document], Document]:
        """Rows of the page and its pagination. Raises ApiError 422 and 428."""
        columns = read_columns(body, self._is_column)
        page = read_page(body, 100)
        ids = self._matching(body, page)
        check_ordered_limit(self.world, page, len(ids))
        begin, end = page_bounds(self.world, page)
        products = self.world.products
        rows = [shaper.search_row(found, columns) for key in ids[begin:end] if (found := products.get(key))]
        total = len(products) if self.world.state.switches["plytix.role_sees_products"] else 0
        return rows, pagination(self.world, page, matching=len(ids), shown=len(rows), total=total)

    def fields(self) -> dict[str, Field]:
        """What can be filtered and sorted: system properties and `attributes.<label>`."""
        if self._fields_revision != self.world.attributes.revision:
            self._fields = self._properties() | {
                f"attributes.{label}": Field(filter_type_of(attribute), read_attribute(label))
                for label, attribute in self.world.attributes_by_label().items()
            }
            self._fields_revision = self.world.attributes.revision
        return self._fields

    def _properties(self) -> dict[str, Field]:
        world = self.world
        return {
            "id": Field("Identifier", read_property("id")),
            "sku": Field("Key", read_property("sku")),
            "gtin": Field("Key", read_property("gtin")),
            "label": Field("TextAttribute", read_property("label")),
            "status": Field("Status", read_property("status")),
            "created": Field("DateAttribute", read_property("created"), is_moment=True),
            "modified": Field("DateAttribute", read_property("modified"), is_moment=True),
            "categories": Field("MultiSelectAttribute", read_property("categories")),
            "assets": Field("MediaGalleryAttribute", read_property("assets")),
            "images": Field("MediaGalleryAttribute", read_property("assets")),
            "thumbnail": Field("MediaAttribute", read_property("thumbnail")),
            "static_lists": Field("StaticLists", read_property("static_lists")),
            "product_level": Field("IntAttribute", read_property("level")),
            "_is_variation": Field("Flag", lambda product: product["parent_id"] is not None),
            "_has_variations": Field("Flag", lambda product: bool(world.children(product["id"]))),
        }

    def _is_column(self, column: str) -> bool:
        group, _, label = column.partition(".")
        if group == "attributes":
            attribute = self.world.attributes_by_label().get(label)
            refused = self.world.state.switches["plytix.formula_attributes"] == "refused"
            return attribute is not None and not (attribute["type_class"] == "FormulaAttribute" and refused)
        if group == "relationships":
            return any(one["label"] == label for one in self.world.relationships.values())
        if column in FAMILY_COLUMNS:
            return bool(self.world.state.switches["plytix.family_in_search"] != "refused")
        return column in PRODUCT_COLUMNS

    def _matching(self, body: Document, page: Page) -> list[str]:
        if not self.world.state.switches["plytix.role_sees_products"]:
            return []
        rules = date_rules(self.world)
        wanted = {key: body.get(key) for key in ("filters", "relationship_filters")}
        cache_key = orjson.dumps([wanted, page.order, list(rules)])
        if self._revision != self.world.products.revision:
            self._results.clear()
            self._revision = self.world.products.revision
        if cache_key not in self._results:
            tests = [
                compile_filters(wanted["filters"], self.fields(), rules),
                compile_relationship_filters(wanted["relationship_filters"], self.world),
            ]
            self._results[cache_key] = self._scan([test for test in tests if test], page.order)
            if len(self._results) > CACHED_RESULTS:
                self._results.popitem(last=False)
        return self._results[cache_key]

    def _scan(self, tests: Sequence[Predicate], order: str) -> list[str]:
        found: Iterable[Document] = self.world.products.values()
        for test in tests:
            found = filter(test, found)
        if not order:
            return [product["id"] for product in found]
        field = self.fields().get(order.removeprefix("-"))
        if field is None:
            raise schema_error(f"{order} is not a valid order", "order")
        rows = sorted(found, key=lambda product: sort_key(field.read(product)), reverse=order.startswith("-"))
        return [product["id"] for product in rows]


def read_property(name: str) -> Callable[[Document], Any]:
    return lambda product: product[name]


def read_optional(name: str) -> Callable[[Document], Any]:
    return lambda document: document.get(name)


def read_attribute(label: str) -> Callable[[Document], Any]:
    return lambda product: product["attributes"].get(label)


def compile_relationship_filters(filters: object, world: World) -> Predicate | None:
    """`[[{relationship_id, operator: exists|!exists, product_ids?: [{id}]}]]`, one relationship only."""
    if filters is None or filters == []:
        return None
    shape_ok = isinstance(filters, list) and all(isinstance(group, list) for group in filters)
    if not shape_ok or len({entry.get("relationship_id") for group in filters for entry in group}) != 1:  # type: ignore[attr-defined]
        raise schema_error(
            "relationship_filters must be a list of lists on one relationship", "relationship_filters"
        )
    groups: list[list[Document]] = filters  # type: ignore[assignment]
    for entry in (entry for group in groups for entry in group):
        if entry["relationship_id"] not in world.relationships or entry.get("operator") not in (
            "exists",
            "!exists",
        ):
            raise schema_error("unknown relationship or operator", "relationship_filters")

    def passes_one(product: Document, entry: Document) -> bool:
        links = product["relationships"].get(entry["relationship_id"], [])
        wanted = {one["id"] for one in entry.get("product_ids", [])}
        found = any(not wanted or one["product_id"] in wanted for one in links)
        return bool(found == (entry["operator"] == "exists"))

    return lambda product: any(all(passes_one(product, entry) for entry in group) for group in groups)


def search_small(world: World, spec: SmallSearch, body: Document) -> tuple[list[Document], Document]:
    """Any search but that of products; only `spec.free` columns come unasked."""
    columns = read_columns(body, lambda column: column in spec.columns)
    page = read_page(body, spec.page_size_max)
    order = page.order.removeprefix("-")
    if order and order not in spec.filterable:
        raise schema_error(f"{page.order} is not a valid order", "order")
    fields = {
        column: Field(small_kind(column), read_optional(column), column in MOMENTS)
        for column in spec.filterable
    }
    documents = [filterable_form(document, spec) for document in spec.collection.values()]
    test = compile_filters(
        body.get("filters"), fields, date_rules(world), text_search=not spec.has_ordered_limit
    )
    found = [document for document in documents if test is None or test(document)]
    if spec.has_ordered_limit:
        check_ordered_limit(world, page, len(found))
    if order:
        found.sort(key=lambda document: sort_key(document.get(order)), reverse=page.order.startswith("-"))
    begin, end = page_bounds(world, page)
    shown = [spec.shape(spec.collection.get(document["id"]) or document) for document in found[begin:end]]
    wanted = (*spec.free, *columns)
    rows = [{column: row[column] for column in wanted if column in row} for row in shown]
    return rows, pagination(world, page, matching=len(found), shown=len(rows), total=len(documents))


MOMENTS = frozenset({"created", "modified", "_created_at", "file_modified"})


def filterable_form(document: Document, spec: SmallSearch) -> Document:
    """Computed fields as the API shapes them, times as they are stored; assets, which may be many, as stored."""
    if not spec.has_ordered_limit:
        shaped = spec.shape(document)
        return shaped | {name: document[name] for name in MOMENTS if name in document}
    return document


def small_kind(column: str) -> str:
    if column in MOMENTS:
        return "DateAttribute"
    if column in ("id", "parents_ids", "categories", "groups"):
        return "Key"
    if column in (
        "file_size",
        "n_children",
        "n_products",
        "total_products",
        "total_attributes",
        "total_models",
    ):
        return "DecimalAttribute"
    return "Key" if column not in ("public", "assigned", "symmetrical", "has_custom_thumb") else "Flag"


def filter_catalogue(search: ProductSearch) -> Document:
    """`GET /filters/product`: keys, types and allowed operators."""
    known = search.world.attributes_by_label()
    attributes, properties = [], []
    for key, field in search.fields().items():
        entry: Document = {"key": key, "filter_type": field.kind, "operators": list(OPERATORS[field.kind])}
        label = key.removeprefix("attributes.")
        if label == key:
            properties.append(entry)
        else:
            attributes.append(
                entry | ({"options": known[label]["options"]} if "options" in known[label] else {})
            )
    return {"attributes": attributes, "properties": properties}
