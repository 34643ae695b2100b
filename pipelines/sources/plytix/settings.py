"""Plytix as data: its searches with the columns that are kept, and the limits of its API.

Left out, and why: accounts (personal data), file categories (nothing downstream reads them), product lists
and channels (no way to list them in v1 and v2), v3 (not served on the production host; dossier §16).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PAGE_SIZE = 100
"""Largest `page_size` that every search takes (dossier §5.3)."""
COLUMNS_PER_SEARCH = 50
"""System and custom columns together; `id` and `sku` come free (dossier §5.1)."""
SKUS_PER_SEARCH = 50
"""Products read by SKU in one search, as alternatives; no limit is documented."""
PAGES_AHEAD = 8
"""Pages asked for side by side once `count` promises them; a promise that is too big wastes so many at most."""
CURSOR_OVERLAP = timedelta(minutes=5)
"""Read again behind the cursor: clocks differ, and rows may become visible late (dossier §5.4)."""
SETTLED_AFTER = timedelta(minutes=10)
"""Once loads have ended at the same cursor for so long, all behind it was read again after it could be seen."""
DATE_ONLY_OVERLAP = timedelta(days=1)
"""The same where the API takes dates only; also covers a `gte` that would mean the end of that day."""
CONFIRM_AT_MOST = 100
"""So many products that a sweep did not see are asked for one by one before they count as deleted."""
EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
"""Lower end assumed when an open window must be halved; no Plytix account is older."""

TOKEN_SECONDS = 900
TOKEN_MARGIN_SECONDS = 60
"""A token is renewed so long before it ends (dossier §2)."""
SIGN_IN_ATTEMPTS = 5

DEPRECATION_HEADER = "x-plytix-deprecation"


@dataclass(frozen=True)
class Search:
    """One search endpoint (`POST`). `columns` are asked for; `id` comes without asking."""

    path: str
    columns: tuple[str, ...]


PRODUCTS = Search(
    "/api/{version}/products/search",
    ("modified", "label", "status", "created", "gtin", "categories", "assets", "thumbnail"),
)
"""Custom attributes and relationships are added from the live lists of each run. `modified` must be first: it
rides on every slice, to tell rows that changed between two slices. `num_variations` and the parent's id come
unasked (dossier §5.1)."""

FAMILY_COLUMNS = ("product_family_id", "product_family_model_id", "product_level", "product_type")
"""Not documented as search columns; each run finds out whether they are (dossier §5.1, §20)."""

DETAIL_FIELDS = (
    "id", "product_family_id", "product_family_model_id", "product_level", "product_type",
    "overwritten_attributes", "parent_id", "mark_as_deleted",
)  # fmt: skip
"""What only the single product gives and search does not (dossier §6)."""

ATTRIBUTES = Search(
    "/api/v1/attributes/product/search",
    ("label", "name", "type_class", "filter_type", "groups", "options", "attributes"),
)
"""`description` is left out: it costs one request per attribute (dossier §8)."""

ATTRIBUTE_GROUPS = Search("/api/v1/attribute-groups/product/search", ("name", "order", "attribute_labels"))

FAMILIES = Search("/api/v1/product_families/search", ("name", "modified", "total_attributes"))
"""`total_products` is left out: it would make a new version of the family with every new product."""
FAMILY_ATTRIBUTES_PATH = "/api/v1/product_families/{id}/attributes"

CATEGORIES = Search(
    "/api/v1/categories/product/search",
    ("name", "slug", "path", "parents_ids", "n_children", "order", "modified"),
)

RELATIONSHIPS = Search(
    "/api/v1/relationships/search", ("label", "name", "symmetrical", "created", "modified")
)

ASSETS = Search(
    "/api/v1/assets/search",
    (
        "modified", "filename", "extension", "content_type", "file_type", "file_size", "url", "thumbnail",
        "public", "status", "categories", "created", "file_modified",
    ),
)  # fmt: skip
"""`n_products`, `n_catalogs` and `assigned` are left out: they change with products, not with the asset."""

VARIANTS_PATH = "/api/v1/products/{id}/variants"
SINGLE_ASSET_PATH = "/api/v1/assets/{id}"
