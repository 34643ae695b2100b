"""Webflow as data: the paths that are read and the limits of the API (Webflow dossier §1 to §5).

Left out: orders and assets. Single reads before a write belong to the destination.
"""

from __future__ import annotations

PAGE_SIZE = 100
"""Largest `limit` of every list (dossier §5)."""
PASSES = 3
"""A list that moved while it was read is read again, so many times in all."""
STOCK_READS_PER_RUN = 200
"""Stock costs one request per SKU (dossier §1.7); the rest waits for the next loads."""

LIMIT_HEADER = ("x-ratelimit-limit", 60.0)
"""Every answer states the requests per minute of the token (dossier §4)."""

SITE = "/sites/{site}"
STORE_SETTINGS = "/sites/{site}/ecommerce/settings"
COLLECTIONS = "/sites/{site}/collections"
COLLECTION = "/collections/{collection}"
PRODUCTS = "/sites/{site}/products"
ITEMS = "/collections/{collection}/items"
INVENTORY = "/collections/{collection}/items/{sku}/inventory"

CATEGORY_SLUGS = ("category", "categories")
SKU_SLUGS = ("sku", "skus")
"""Nothing marks the collections of the store but their slug, singular or plural (dossier §1.6)."""
