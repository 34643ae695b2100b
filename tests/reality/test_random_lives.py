"""Random lives of products: whatever happens in the source, a live SKU keeps its stock until somebody approves that it
becomes another thing, nothing is ever endless, and with every approval given the shop is as the view says.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from hypothesis import strategies as st
from in_process import InMemory, InProcess, any_of
from shop_bench import Bench

names = itertools.count()
SIZES = ("S", "M", "L")
events = st.lists(
    st.tuples(
        st.sampled_from(("a", "b")),
        st.sampled_from(("stock", "price", "add", "remove", "reorder", "move", "hold", "unstate", "hand")),
        st.integers(1, 9),
    ),
    min_size=2,
    max_size=6,
)  # fmt: skip
View = dict[str, dict[str, Any]]
"""Product → {skus: {size: {stock, price}}, held}; the size of a single is empty."""


def happens(view: View, product: str, what: str, number: int) -> None:
    one = view[product]
    skus: dict[str, Any] = one["skus"]
    size = list(skus)[number % len(skus)]
    free = [name for name in SIZES if name not in skus and name not in one["ever"]]
    match what:
        case "stock":
            skus[size]["stock"] = number
        case "price":
            skus[size]["price"] = 1000 + number
        case "unstate":
            skus[size]["stock"] = None
        case "add" if "" in skus:
            # The single becomes one with variants.
            one["skus"] = {
                name: {"stock": number, "price": 1500, "key": f"{product}-{name}"} for name in SIZES[:2]
            }
            one["ever"] |= set(SIZES[:2])
        case "add" if free:
            skus[free[0]] = {"stock": number, "price": 1700, "key": f"{product}-{free[0]}"}
            one["ever"].add(free[0])
        case "remove" if len(skus) > 1:
            del skus[size]
        case "reorder":
            one["skus"] = {size: skus[size], **skus}
        case "move" if len(skus) > 1:
            other = view["b" if product == "a" else "a"]
            if "" not in other["skus"] and size not in other["skus"] and size not in other["ever"]:
                other["skus"][size] = skus.pop(size)
                other["ever"].add(size)
        case "hold":
            one["held"] = None if one["held"] else "not ready"


def put(shop: Bench, view: View) -> None:
    shop.tables["webflow__skus"].clear()
    for product, one in view.items():
        sizes = [size for size in one["skus"] if size]
        row = {"hold_reasons": one["held"]}
        shop.product(product, **row)
        del shop.tables["webflow__skus"][product]
        options = [{"name": "Größe", "values": sizes}] if sizes else []
        shop.change("products", product, sku_properties=json.dumps(options))
        for position, (size, sku) in enumerate(one["skus"].items()):
            shop.tables["webflow__skus"][sku["key"]] = {
                **blank(shop, sku["key"]), "product_key": product, "is_default": position == 0, "position": position,
                "price_minor": sku["price"], "stock_quantity": sku["stock"],
                "sku_values": json.dumps({"Größe": size} if size else {}),
            }  # fmt: skip


def blank(shop: Bench, key: str) -> dict[str, Any]:
    shop.sku("blank", "", 0)
    row = shop.tables["webflow__skus"].pop("blank")
    return {**row, "sku_key": key, "sku_code": f"CODE-{key}", "slug": f"s-{key.lower()}", "main_image_url": None,
            "more_image_urls": "[]"}  # fmt: skip


def stocks(shop: Bench) -> dict[str, tuple[str, dict[str, Any]]]:
    """SKU id → its code and stock."""
    return {
        sku["id"]: (sku["fields"]["sku"], sku["inventory"])
        for product in shop.shop()["products"].values()
        for sku in product["skus"]
    }


def live(shop: Bench, history: list[tuple[str, str, int]]) -> None:
    view: View = {
        "a": {"skus": {"": {"stock": 81, "price": 4000, "key": "a"}}, "held": None, "ever": set()},
        "b": {
            "skus": {name: {"stock": 20, "price": 1500, "key": f"b-{name}"} for name in ("S", "M")},
            "held": None, "ever": {"S", "M"},
        },
    }  # fmt: skip
    put(shop, view)
    shop.run()
    for product, what, number in history:
        before = stocks(shop)
        if what == "hand":
            shop.edit(f"p-{product}", isArchived=number % 2 == 0)
        else:
            happens(view, product, what, number)
        put(shop, view)
        shop.run()
        after = stocks(shop)
        stated = {f"CODE-{sku['key']}": sku["stock"] for one in view.values() for sku in one["skus"].values()}
        for sku_id, (code, stock) in after.items():
            assert stock["inventoryType"] == "finite"
            was = before.get(sku_id)
            if was is not None and stock != was[1]:
                # Only what the view states for the same SKU moves it; a variant that is no default may leave.
                assert code == was[0]
                assert stock["quantity"] == stated.get(code, 0)
                assert code in stated or code != "CODE-a"
        assert shop.settle().is_empty
    for one in view.values():
        one["held"] = None
    put(shop, view)
    for _ in range(6):
        shop.mirror()
        plan = shop.plan()
        if plan.holds:
            shop.approve()
        elif plan.is_empty:
            break
        result = shop.run()
        assert not result.failed, result.errors
    plan = shop.settle()
    assert plan.is_empty, plan.to_markdown()
    assert not plan.holds
    offered: dict[str, dict[str, dict[str, Any]]] = {
        slug.removeprefix("p-"): {sku["fields"]["sku"]: sku for sku in product["skus"]}
        for slug, product in shop.shop()["products"].items()
    }
    for product, one in view.items():
        for sku in one["skus"].values():
            there = offered[product][f"CODE-{sku['key']}"]
            assert there["fields"]["price"]["value"] == sku["price"]
            if sku["stock"] is not None:
                assert there["inventory"] == {"quantity": sku["stock"], "inventoryType": "finite"}
        mine = {f"CODE-{sku['key']}" for sku in one["skus"].values()}
        for code in offered[product].keys() - mine:
            assert offered[product][code]["inventory"] == {"quantity": 0, "inventoryType": "finite"}


def test_no_life_of_a_product_empties_or_unbounds_a_live_sku(
    shop_in_process: InProcess, tmp_path: Any
) -> None:
    @any_of(8, 7, history=events)
    def any_life(history: list[tuple[str, str, int]]) -> None:
        warehouse = InMemory()
        shop = Bench(warehouse, "http://sandbox", tmp_path, f"any-life{next(names)}", shop_in_process)
        shop.overrides = {"webflow__skus": {"unstated_stock": None}}
        try:
            live(shop, history)
        finally:
            shop.close()
            warehouse.close()

    any_life()
