"""Bundling changes into the fewest calls that Webflow's store API allows, and counting them.

category                create, update, archive, delete: 1 per 100 (they are items of a collection, dossier §1.6, §2.4)
product + default SKU   create: 1; update: 1, the default SKU's changes travel along
other SKUs              create: 1 for all of one product; update: 1 each
stock                   1 for a new SKU (PATCH), 2 for an existing one (GET, PATCH)
removal                 product 1 (archive or delete), SKU 2 (GET, PATCH stock 0)
adoption without a difference: 0;  a record that was deleted there and comes again: 1 more, to look first
and 1 per connection to find the store's collections, when categories, stock or deletions are involved
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reverse_etl.destinations.webflow.cms_packing import MOST
from reverse_etl.spec.values import digest
from reverse_etl.state.operations import Finding, Operation, revised

LEAVING, CATEGORIES, PRODUCTS, SKUS, STOCK, REMOVALS = range(6)


def pack(operations: Sequence[Operation]) -> tuple[list[Operation], list[Finding]]:
    """Operations in sending order with call, stage and request count, and findings for those that cannot go."""
    findings: list[Finding] = []
    calls = _bulk([one for one in operations if one.resource == "categories"])
    children: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    roots: list[Operation] = []
    rest: list[Operation] = []
    for operation in (one for one in operations if one.resource != "categories"):
        if operation.is_stock or operation.action in ("archive", "delete"):
            rest.append(operation)
        elif operation.parent_sync and operation.parent_key:
            children[operation.parent_sync, operation.parent_key].append(operation)
        else:
            roots.append(operation)
    refused: set[tuple[str, str]] = set()
    for root in roots:
        own = sorted(
            children.pop(root.identity, []), key=lambda one: (not one.is_default, one.position, one.key)
        )
        if root.action == "create":
            made, found = _created(root, own)
            calls += made
            findings += found
            if found:
                refused |= {one.identity for one in (root, *own)}
        else:
            calls += _updated(root, own)
    for own in children.values():
        calls += _children(own)
    for operation in rest:
        if operation.identity not in refused:
            calls.append([operation])
    return list(_numbered(calls)), findings


def extra_requests(operations: Sequence[Operation]) -> int:
    """Looking up the ids of the store's collections, once per connection."""
    needing = {
        operation.connection
        for operation in operations
        if operation.resource == "categories" or operation.action == "delete" or operation.is_stock
    }
    return len(needing)


def _bulk(categories: Sequence[Operation]) -> list[list[Operation]]:
    """Calls of up to 100 items that are treated alike; what must be looked at first, or is not sent, goes alone."""
    alike: dict[tuple[object, ...], list[Operation]] = defaultdict(list)
    for one in categories:
        how = "change" if one.action not in ("create", "delete") else one.action
        alone = one.key if not _is_sent(one) or (how == "create" and one.remote_id) else None
        alike[one.sync, how, _stage(one), one.payload.get("publishStatus"), alone].append(one)
    return [group[start : start + MOST] for group in alike.values() for start in range(0, len(group), MOST)]


def _created(product: Operation, skus: list[Operation]) -> tuple[list[list[Operation]], list[Finding]]:
    """A product and its default SKU are one call and stand or fall together."""
    defaults = [sku for sku in skus if sku.is_default and sku.action == "create"]
    if len(defaults) != 1:
        what = "has no default SKU that can be created" if not defaults else "has more than one default SKU"
        message = f"{what} ({len(skus)} SKUs ready); it needs exactly one row with is_default"
        return [], [Finding("not_ready", product.sync, product.key, message)]
    default = defaults[0]
    together = digest([product.payload, default.payload])
    pair = [replace(one, payload_hash=together) for one in (product, default)]
    return [pair, *_children([sku for sku in skus if sku is not default])], []


def _updated(product: Operation, skus: list[Operation]) -> list[list[Operation]]:
    """The default SKU's changes ride on the product's call, if it is the default SKU there too."""
    there = product.payload.get("$default_sku")
    default = next((sku for sku in skus if there and sku.remote_id == there and _can_ride(sku)), None)
    if default is None:
        return [[product], *_children(skus)]
    return [[product, default], *_children([sku for sku in skus if sku is not default])]


def _can_ride(sku: Operation) -> bool:
    """Option values need the ids that the product's own call may only answer."""
    return bool(sku.payload) and "sku-values" not in sku.payload["fieldData"]


def _children(skus: Iterable[Operation]) -> list[list[Operation]]:
    own = list(skus)
    created = [sku for sku in own if sku.action == "create"]
    return [*([created] if created else []), *([sku] for sku in own if sku.action != "create")]


def _numbered(calls: list[list[Operation]]) -> Iterator[Operation]:
    seq = 0
    for number, call in enumerate(sorted(calls, key=lambda call: _stage(call[0])), 1):
        stage = _stage(call[0])
        for place, operation in enumerate(call):
            seq += 1
            yield revised(operation, seq=seq, call=number, stage=stage, requests=_requests(operation, place))


def _requests(operation: Operation, place: int) -> int:
    if operation.is_stock:
        return 2 if operation.action == "archive" else operation.requests
    if place > 0 or not _is_sent(operation):
        return 0
    return 2 if operation.action == "create" and operation.remote_id else 1


def _is_sent(operation: Operation) -> bool:
    return bool(operation.payload) or operation.action == "delete"


def _stage(operation: Operation) -> int:
    if operation.action in ("archive", "delete"):
        # A row that is also created anew, below another product, leaves its old record first.
        return LEAVING if operation.row_hash and not operation.undoes else REMOVALS
    if operation.is_stock:
        return STOCK
    return {"categories": CATEGORIES, "products": PRODUCTS}.get(operation.resource, SKUS)
