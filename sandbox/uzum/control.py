"""Control of the market below /_control/uzum: the next day, edits by hand, and the ground truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

from starlette.routing import BaseRoute, Route

from sandbox.dated_world import control_endpoint
from sandbox.state import Document
from sandbox.uzum.design import sku_price as planned_price
from sandbox.uzum.market import PRODUCT_COLUMNS, SKU_COLUMNS, Market
from sandbox.uzum.next_day import next_day


def control_routes(market: Market) -> list[BaseRoute]:
    """GET the world, truth, products, goods; POST next-day, edit. `sandbox/README.md` gives the forms."""
    actions: tuple[tuple[str, str, Callable[[Market, Document], Any]], ...] = (
        ("GET", "", world), ("GET", "/truth", truth), ("GET", "/products", products), ("GET", "/goods", goods),
        ("POST", "/next-day", move_on), ("POST", "/reset", reset), ("POST", "/edit", edit),
    )  # fmt: skip
    return [
        Route(f"/_control/uzum{path}", control_endpoint(market.ready, act), methods=[method])
        for method, path, act in actions
    ]


def world(market: Market, _given: Document) -> Document:
    """The clock and the size. `now` is when the present day is seen: after its sales."""
    return {
        **market.clock(),
        "ids": market.ids, "last_id": market.last_id, "products": sum(1 for _ in market.designs()),
        "sellers": market.sellers, "seed": market.seed,
    }  # fmt: skip


def reset(market: Market, given: Document) -> Document:
    """`{ids?, seed?, began?}`: the world begins anew; `began` (a date) is its day 0, without one today."""
    began = date.fromisoformat(given["began"]) if "began" in given else None
    market.found(ids=given.get("ids"), seed=given.get("seed"), began=began)
    return world(market, {})


def move_on(market: Market, given: Document) -> Document:
    """`{days?: 1, truth?: true, <kind>: count…}`; gives `{day, date, now, days: [truth of each]}`."""
    wanted = {kind: count for kind, count in given.items() if kind not in ("days", "truth")}
    done = [next_day(market, wanted) for _ in range(int(given.get("days", 1)))]
    shown = [readable(record) for record in done] if given.get("truth", True) else []
    return {**market.clock(), "days": shown}


def truth(market: Market, given: Document) -> Document:
    """What happened on each day; `?from_day=&to_day=&product=` narrow it."""
    first, last = int(given.get("from_day", 0)), int(given.get("to_day", market.day))
    chosen = [record for record in market.records() if first <= record["day"] <= last]
    return {"day": market.day, "days": [readable(each, int(given.get("product", 0))) for each in chosen]}


def readable(record: Document, product: int = 0) -> Document:
    """A record with the columns' names on each row."""
    skus = [dict(zip(SKU_COLUMNS, row, strict=True)) for row in record.get("skus", ())]
    counters = [dict(zip(PRODUCT_COLUMNS, row, strict=True)) for row in record.get("products", ())]
    new = [{"product": each, "seller": seller} for each, seller in record.get("new", ())]
    if product:
        skus, counters, new = (
            [row for row in rows if row["product"] == product] for rows in (skus, counters, new)
        )
    return record | {"skus": skus, "products": counters, "new": new}


def products(market: Market, given: Document) -> Document:
    """Every product that is there as it really is, whatever the switches hide; `?product=` gives one."""
    wanted = int(given.get("product", 0))
    chosen = (
        [market.design(wanted)] if wanted and market.exists(wanted) else [] if wanted else market.designs()
    )
    return {"day": market.day, "products": list(_true_states(market, chosen))}


def _true_states(market: Market, chosen: Any) -> Iterator[Document]:
    for design in chosen:
        price = market.price(design)
        skus = []
        for sku in design.skus():
            asked, full = market.sku_price(design, sku, price)
            skus.append({"sku": sku, "stock": market.stock(design, sku), "price": asked, "full_price": full,
                         "hidden": sku in market.hidden, "is_fbs": design.is_fbs(sku)})  # fmt: skip
        yield {"product": design.id, "good": design.good, "seller": market.seller_of(design),
               "orders": market.orders(design), "reviews": market.reviews(design), "popularity": design.popularity,
               "skus": skus}  # fmt: skip


def goods(market: Market, _given: Document) -> Document:
    """Which products are the same good: `{good: [product, …]}`, only where there are several."""
    found: dict[int, list[int]] = {}
    for design in market.designs():
        found.setdefault(design.good, []).append(design.id)
    return {"goods": {good: ids for good, ids in found.items() if len(ids) > 1}}


def edit(market: Market, given: Document) -> Document:
    """Somebody meddles on the present day: `{product, vanish | return: true | orders}` or
    `{sku, sell | restock | stock | price, full_price?}`.

    Kept as a record of its own with `edit: true`. `price: null` goes back to the plan.
    """
    record: Document = {"day": market.day, "date": market.date_of(market.day).isoformat(), "edit": True}
    market.record(record | (_edit_sku if "sku" in given else _edit_product)(market, given))
    return readable(market.records()[-1])


def _edit_product(market: Market, given: Document) -> Document:
    product = int(given["product"])
    if given.get("vanish"):
        return {"vanished": [product]}
    if given.get("return"):
        return {"returned": [product]}
    before, after = market.orders(market.design(product)), int(given["orders"])
    return {"products": [[product, 0, before - after, before, after, 0]]}


def _edit_sku(market: Market, given: Document) -> Document:
    sku = int(given["sku"])
    design = market.design(sku // 100)
    sold, restocked = int(given.get("sell", 0)), int(given.get("restock", 0))
    stock = market.stock(design, sku)
    left = int(given.get("stock", stock - sold + restocked))
    if left < 0:
        raise ValueError(f"only {stock} left of {sku}")
    plan = market.price(design)
    before = after = market.sku_price(design, sku, plan)
    changed: Document = {}
    if "price" in given:
        asked, full = given["price"], given.get("full_price", given["price"])
        changed["set_prices"] = [[sku, asked, full]]
        after = planned_price(design, sku, plan) if asked is None else (asked, full)
    changed["skus"] = [
        [sku, design.id, sold, 0, restocked, stock, left, before[0], after[0], before[1], after[1]]
    ]
    if sold:
        orders = market.orders(design)
        changed["products"] = [[design.id, sold, 0, orders, orders + sold, 0]]
    return changed
