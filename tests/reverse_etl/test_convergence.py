"""The promise: apply until done, and the next plan is empty. For random catalogues, edits in the shop, and faults."""

from __future__ import annotations

import json

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

PRODUCTS = ("a", "b", "c")
SIZES = (("",), ("S",), ("S", "M"), ("S", "M", "L"), ("M", "S"))
FAULTS = (
    None,
    ("drop_after_processing", {}),
    ("drop_connection", {}),
    ("cut_answer", {}),
    ("html", {"status": 502}),
    ("status", {"status": 503}),
    ("status", {"status": 409}),
)
products = st.fixed_dictionaries(
    {
        "sizes": st.sampled_from(SIZES),
        "name": st.sampled_from(("Tea", "Чай «Чёрный»", "Tea | <b>")),
        "description": st.sampled_from((None, "<p>One</p>", "<p>Two<br>lines</p>")),
        "brand": st.sampled_from((None, "Acme")),
        "categories": st.lists(st.sampled_from(("c1", "c2")), unique=True),
        "price": st.integers(1, 10_000),
        "compare_at": st.sampled_from((None, 20_000)),
        "image": st.sampled_from((None, "https://img.example/1.png", "https://img.example/2.png?v=1")),
        "gallery": st.lists(
            st.sampled_from(("https://img.example/g1.png", "https://img.example/g2.png")), unique=True
        ),
        "stock": st.sampled_from((None, 0, 5, 9)),
        "held": st.sampled_from((None, None, None, "not ready")),
    }
)
edits = st.sampled_from(
    (
        {},
        {"brand": "By hand"},
        {"description": "<p>By hand</p>"},
        {"category": None},
        {"name": "By hand", "material": "Not ours"},
        {"main-image": None, "price": {"value": 1, "unit": "USD"}},
    )
)
rounds = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(PRODUCTS), products, min_size=1),
        edits,
        st.sampled_from(FAULTS),
        st.sampled_from(("POST", "PATCH")),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=3,
)


def put(bench, catalogue) -> None:
    bench.tables["webflow__products"].clear()
    bench.tables["webflow__skus"].clear()
    bench.category("c1")
    bench.category("c2")
    for key, one in catalogue.items():
        sizes = tuple(size for size in one["sizes"] if size)
        bench.product(
            key, sizes, name=one["name"], description=one["description"], brand=one["brand"],
            category_keys=json.dumps(one["categories"]), hold_reasons=one["held"],
            # A shop never loses an option: all sizes are offered, those without a SKU cannot be chosen.
            sku_properties=json.dumps([{"name": "Size", "values": list(sizes)}] if sizes else []),
        )  # fmt: skip
        for sku_key in [
            name for name, row in bench.tables["webflow__skus"].items() if row["product_key"] == key
        ]:
            size = sku_key.removeprefix(key).removeprefix("-")
            bench.change(
                "skus", sku_key, price_minor=one["price"], compare_at_price_minor=one["compare_at"],
                main_image_url=one["image"], main_image_alt=None, more_image_urls=json.dumps(one["gallery"]),
                stock_quantity=one["stock"], sku_values=json.dumps({"Size": size} if size else {}),
            )  # fmt: skip


def disturb(bench, edit) -> None:
    """Somebody edits the first product of ours, and its default SKU."""
    for slug, product in list(bench.shop()["products"].items())[:1]:
        sku_fields = {name: value for name, value in edit.items() if name in ("main-image", "price")}
        bench.edit(slug, fieldData={name: value for name, value in edit.items() if name not in sku_fields})
        bench.edit(product["skus"][0]["fields"]["slug"], collection="sku", fieldData=sku_fields)


def check(bench, catalogue, hand_made) -> None:
    shop = bench.shop()
    assert shop["hand_made"] == hand_made
    slugs = [one["fields"]["slug"] for one in shop["products"].values()]
    assert len(slugs) == len(set(slugs)) <= len(PRODUCTS)
    for key, one in catalogue.items():
        if one["held"] or f"p-{key}" not in shop["products"]:
            assert one["held"]
            continue
        product = shop["products"][f"p-{key}"]
        assert not product["is_archived"]
        assert product["fields"]["name"] == one["name"]
        assert product["fields"].get("brand") == one["brand"]
        assert product["categories"] == [f"c-{name}" for name in one["categories"]]
        assert product["broken_variants"] == 0
        codes = [sku["fields"]["sku"] for sku in product["skus"]]
        assert len(codes) == len(set(codes))
        offered = {sku["fields"]["sku"]: sku for sku in product["skus"]}
        for size in one["sizes"]:
            sku = offered[f"CODE-{key}-{size}" if size else f"CODE-{key}"]
            assert sku["fields"]["price"]["value"] == one["price"]
            image = (sku["fields"].get("main-image") or {}).get("source")
            assert image == one["image"] or (image or "").split("?")[0] == (one["image"] or "").split("?")[0]
            if one["stock"] is not None:
                assert sku["inventory"] == {"quantity": one["stock"], "inventoryType": "finite"}


@settings(
    max_examples=10, deadline=None, derandomize=True, phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(history=rounds)
def test_any_history_converges_to_the_catalogue(new_bench, history) -> None:
    bench = new_bench()
    hand_made = bench.shop()["hand_made"]
    kept: dict = {}
    for catalogue, edit, fault, method, after in history:
        # A product keeps its sizes and whether it has any: Webflow cannot turn one into the other.
        for key, one in catalogue.items():
            one["sizes"] = kept.setdefault(key, one["sizes"])
        put(bench, catalogue)
        disturb(bench, edit)
        if fault:
            bench.fault(fault[0], method=method, path="/webflow/v2", after=after, **fault[1])
        bench.run()
        bench.control.delete("/faults")
    for _ in range(2):
        result = bench.run()
        assert not result.stopped
        assert result.failed == 0, result.errors
    plan = bench.settle()
    assert plan.is_empty, plan.to_markdown()
    check(bench, history[-1][0], hand_made)
