"""Webflow as data: the paths that are read and the limits of the API (Webflow dossier §1 to §5).

Left out: orders and assets. Single reads before a write belong to the destination.
"""

from __future__ import annotations

from datetime import timedelta

PAGE_SIZE = 100
"""Largest `limit` of every list (dossier §5)."""
PASSES = 3
"""A list that moved while it was read is read again, so many times in all."""
LOOKS_FOR_CHANGES = 3
"""Requests that tell which products changed: two filters and a count. A list of no more pages is read whole."""
CURSOR_OVERLAP = timedelta(minutes=5)
"""Asked for again behind the last load's beginning: clocks differ."""
AFTER_WRITING = "written"
"""Scope of a load that saw what changed and whatever was just written: whoever asks what came of it may rely on it."""
STOCK_READS_PER_RUN = 200
"""Stock costs one request per SKU (dossier §1.7); the rest waits for the next loads."""

LIMIT_HEADER = ("x-ratelimit-limit", 60.0)
"""Every answer states the requests per minute of the token (dossier §4)."""

SITE = "/sites/{site}"
STORE_SETTINGS = "/sites/{site}/ecommerce/settings"
COLLECTIONS = "/sites/{site}/collections"
COLLECTION = "/collections/{collection}"
PRODUCTS = "/sites/{site}/products"
PRODUCT = "/sites/{site}/products/{product}"
ITEMS = "/collections/{collection}/items"
INVENTORY = "/collections/{collection}/items/{sku}/inventory"

CATEGORY_SLUGS = ("category", "categories")
PRODUCT_SLUGS = ("product", "products")
SKU_SLUGS = ("sku", "skus")
"""Nothing marks the collections of the store but their slug, singular or plural (dossier §1.6)."""
