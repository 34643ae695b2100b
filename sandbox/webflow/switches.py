"""Behaviours of Webflow that the dossier calls unknown or contradictory, each a switch."""

from __future__ import annotations

from sandbox.state import Switches

MISSING_SCOPES: dict[str, frozenset[str]] = {
    "all": frozenset(),
    "no_ecommerce_write": frozenset({"ecommerce:write"}),
    "no_ecommerce": frozenset({"ecommerce:read", "ecommerce:write"}),
    "no_cms_write": frozenset({"cms:write"}),
    "no_cms": frozenset({"cms:read", "cms:write"}),
    "no_sites_write": frozenset({"sites:write"}),
    "no_assets": frozenset({"assets:read", "assets:write"}),
}


def declare_switches(switches: Switches) -> None:
    """Webflow dossier §0 to §6 and §10."""
    declare = switches.declare
    on_off = (True, False)
    declare("webflow.ecommerce_enabled", True, choices=on_off, help="false: store calls answer 409.")
    declare("webflow.scopes", "all", choices=tuple(MISSING_SCOPES), help="What the token may do; else 403.")
    declare("webflow.variant_ids", "replace", choices=("replace", "keep"),
            help="New ids for sku-properties and their values, or those that were given.")  # fmt: skip
    declare("webflow.variant_references", "refuse", choices=("refuse", "accept"),
            help="sku-values with unknown ids, and removing a value in use: 400, or taken and broken.")  # fmt: skip
    declare("webflow.duplicate_slug", "refuse", choices=("refuse", "suffix"),
            help="A slug that is taken: 400, or made unique without a word.")  # fmt: skip
    declare("webflow.unchanged_slug", "accept", choices=("accept", "refuse"),
            help="A PATCH with the slug the item has: fine, or 'already in database'.")  # fmt: skip
    declare("webflow.sku_patch", "partial", choices=("partial", "strict"),
            help="strict: name, slug and price must be in every SKU PATCH.")  # fmt: skip
    declare("webflow.clear_archive", True, choices=on_off,
            help="A product PATCH without isArchived clears the archive flag.")  # fmt: skip
    declare("webflow.product_list_archive", "fresh", choices=("fresh", "stale"),
            help="stale: isArchived in the product list is the one before the last change.")  # fmt: skip
    declare("webflow.file_id_after_write", "given", choices=("given", "absent"),
            help="Whether the answer to a write has the fileId of its images already.")  # fmt: skip
    declare("webflow.cms_store_writes", "refuse", choices=("refuse", "accept"),
            help="Changing and deleting products and SKUs by the CMS routes.")  # fmt: skip
    declare("webflow.introspect", "allowed", choices=("allowed", "refused"),
            help="refused: token/introspect is for OAuth apps only.")  # fmt: skip
    declare("webflow.site_published", "yes", choices=("yes", "never"),
            help="never: publishing items answers 409 (a site publish does not change this).")  # fmt: skip
    declare("webflow.update_in_new_locale", "accept", choices=("accept", "refuse"),
            help="A PATCH for a locale that the item is not in yet: makes it there, or 404.")  # fmt: skip
    declare("webflow.max_items_per_publish", 0, help="Items of one publish call; 0: no limit.")
    declare("webflow.max_images_per_field", 0, help="Images of a MultiImage field; 0: no limit.")
    declare("webflow.asset_hash", "same_asset", choices=("same_asset", "new_asset"),
            help="Announcing a file whose MD5 is in the library: the asset that is there, or one more.")  # fmt: skip
    declare("webflow.max_name_length", 256, help="Longest name.")
    declare("webflow.max_slug_length", 256, help="Longest slug.")
    declare("webflow.item_cap", 0, help="Items the plan allows, SKUs counted; 0: no limit.")
    declare("webflow.max_skus_per_product", 0, help="Variants of one product; 0: no limit.")
