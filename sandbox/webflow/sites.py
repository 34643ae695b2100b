"""Which token is which site; a site is made, with a few things in it, when it is first asked for."""

from __future__ import annotations

from typing import Any

from sandbox.state import State
from sandbox.webflow import items, store
from sandbox.webflow.site import Site, site_id_of

TOKEN = "sandbox-token"
# What people of the shop made by hand before any sync; the last slug is one that a catalogue may want too.
HAND_MADE = (
    ("Gift card", "gift-card", 5000, "GIFT-CARD", "A present for somebody who has everything."),
    ("Repair service", "repair-service", 3500, "SERVICE-REPAIR", "We mend what we sold."),
    ("Classic T-shirt", "classic-t-shirt", 1900, "HAND-TEE", "The shirt of our first summer."),
)


def signed_in_account(authorization: str) -> str | None:
    """`sandbox-token` is the account `default`, `sandbox-token-<name>` the account <name>; else None."""
    token = authorization.removeprefix("Bearer ")
    if token == authorization:
        return None
    if token == TOKEN:
        return "default"
    name = token.removeprefix(f"{TOKEN}-")
    return name if name and name != token and "/" not in name else None


def account_of(authorization: str) -> str:
    """For the log and the limits."""
    return signed_in_account(authorization) or "unknown"


class Sites:
    """The sites of one sandbox."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._sites: dict[str, Site] = {}

    def of(self, account: str) -> Site:
        """The site of an account; made now if there is none, or if a reset emptied it."""
        if account not in self._sites:
            self._sites[account] = Site(self._state, account)
        site = self._sites[account]
        if not site.exists:
            site.found()
            for name, slug, price, sku, description in HAND_MADE:
                add_by_hand(site, name=name, slug=slug, price=price, sku=sku, description=description)
            posts = {"name": "Our summer", "slug": "our-summer", "post-summary": "Written by a person."}
            items.create_items(site, "posts", {"fieldData": posts}, live=True, skip_invalid_files=True)
        return site

    def find(self, wanted: str) -> Site | None:
        """A site by account name or site id; all but the default one begin with a call of their token."""
        known = self._state.accounts("webflow")
        return next(
            (self.of(each) for each in ("default", *known) if wanted in {each, site_id_of(each)}), None
        )

    def file_source(self, file_id: str) -> str | None:
        """Where a file came from, for the redirect that stands for the CDN."""
        for account in self._state.accounts("webflow"):
            file = self.of(account).files.get(file_id)
            if file is not None:
                return str(file["source"])
        return None


def add_by_hand(
    site: Site,
    *,
    name: str,
    slug: str,
    price: int,
    sku: str = "",
    description: str = "",
    quantity: int | None = None,
) -> dict[str, Any]:
    """A product that somebody made in the Designer: published, marked, and no business of any sync."""
    body = {
        "publishStatus": "live",
        "product": {"fieldData": {"name": name, "slug": slug, "description": description}},
        "sku": {
            "fieldData": {
                "name": name,
                "slug": slug,
                "sku": sku or None,
                "price": {"value": price, "unit": site.about["defaultCurrency"]},
            }
        },
    }
    made = store.create_product(site, body)
    ids = (made["product"]["id"], *(each["id"] for each in made["skus"]))
    for collection, item_id in zip(("product", "sku"), ids, strict=True):
        site.save([{**site.record(item_id, collection), "hand_made": True}], touch=False)
    if quantity is not None:
        site.inventory.put(ids[1], {"quantity": quantity, "inventoryType": "finite"})
    return store.get_product(site, ids[0])
