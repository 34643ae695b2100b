"""The promise: apply until done, and the next plan is empty. For random shops, catalogues, edits there and faults;
what others own is not touched, and no more is asked of the shop than the plan states.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st
from in_process import InMemory, InProcess, any_of
from shop_bench import Bench

from karvon.warehouse import Warehouse

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
    ("status", {"status": 429, "retry_after": 0}),
    ("status", {"status": 401}),
)
LOOKUPS = 8
"""Most requests that one fault adds: finding the collections, looking up what became of a write, sending it again."""
OURS = {
    "fields": {"name", "slug", "description", "shippable", "tax-category", "brand", "seo-title", "seo-description",
               "category", "sku-properties"},
    "skus": {"name", "slug", "sku", "price", "compare-at-price", "main-image", "more-images", "sku-values", "weight"},
}  # fmt: skip
names = itertools.count()

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
        st.sampled_from(("GET", "POST", "PATCH")),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=2,
)
before_us = st.lists(st.sampled_from(("stranger", "a", "b")), unique=True, max_size=2)
"""What the shop holds already: somebody's product, or one that has the SKU code of ours."""


def put(bench: Bench, catalogue: dict[str, Any]) -> None:
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


def disturb(bench: Bench, edit: dict[str, Any]) -> None:
    """Somebody edits the first product of ours, and its default SKU."""
    for slug, product in list(bench.shop()["products"].items())[:1]:
        sku_fields = {name: value for name, value in edit.items() if name in ("main-image", "price")}
        bench.edit(slug, fieldData={name: value for name, value in edit.items() if name not in sku_fields})
        bench.edit(product["skus"][0]["fields"]["slug"], collection="sku", fieldData=sku_fields)


def others(bench: Bench) -> dict[str, Any]:
    """What belongs to others: whole products, and fields of ours that no sync names."""
    shop = bench.shop()
    everything = [*shop["products"].values(), *shop["hand_made"]]
    found = {
        f"product {one['id']}": one
        for one in shop["hand_made"]
        if "CODE-" not in one["skus"][0]["fields"]["sku"]
    }
    for product in everything:
        found[product["id"]] = _unmapped(product, "fields")
        found |= {sku["id"]: _unmapped(sku, "skus") for sku in product["skus"]}
    return found


def _unmapped(item: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name: value for name, value in item["fields"].items() if name not in OURS[kind]}


def run(bench: Bench, fault: dict[str, Any] | None = None) -> bool:
    """One run; whether there was nothing to do. It asks no more of the shop than it stated."""
    bench.recover()
    bench.mirror()
    untouched = others(bench)
    plan = bench.plan()
    if fault:
        bench.fault(**fault)
    result = bench.apply(plan)
    bench.control.delete("/faults")
    assert result.requests <= plan.request_count + (LOOKUPS if fault else 0), plan.to_markdown()
    after = others(bench)
    assert {name: after[name] for name in untouched} == untouched
    assert fault or not (result.failed or result.stopped), result.errors
    return plan.is_empty


def check(bench: Bench, catalogue: dict[str, Any]) -> None:
    shop = bench.shop()
    everything = {one["fields"]["slug"]: one for one in (*shop["products"].values(), *shop["hand_made"])}
    assert len(everything) == len(shop["products"]) + len(shop["hand_made"])
    for key, one in catalogue.items():
        if one["held"] or f"p-{key}" not in everything:
            assert one["held"]
            continue
        product = everything[f"p-{key}"]
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


def converge(bench: Bench, found: list[str], history: list[Any]) -> None:
    """Days of a shop, each with a catalogue, an edit and a fault; then as many runs as it takes."""
    kept: dict[str, Any] = {}
    for kind in found:
        if kind == "stranger":
            bench.hand_made(name="Somebody's", slug="other", price=5, sku="OTHER")
        else:
            bench.hand_made(name="Older than us", slug=f"p-{kind}", price=7, sku=f"CODE-{kind}")
            kept[kind] = ("",)
    for catalogue, edit, fault, method, after in history:
        # A product keeps its sizes and whether it has any: Webflow cannot turn one into the other.
        catalogue = {
            key: {**one, "sizes": kept.setdefault(key, one["sizes"])} for key, one in catalogue.items()
        }
        put(bench, catalogue)
        disturb(bench, edit)
        struck = (
            {"kind": fault[0], "method": method, "path": "", "after": after, **fault[1]} if fault else None
        )
        run(bench, struck)
    assert any(run(bench) for _ in range(3)), bench.settle().to_markdown()
    check(bench, catalogue)


@pytest.fixture
def in_process(tmp_path: Any, shop_in_process: InProcess) -> Callable[[Warehouse], Bench]:
    """Makes benches whose shop lives in this process."""
    return lambda warehouse: Bench(
        warehouse, "http://sandbox", tmp_path, f"any{next(names)}", shop_in_process
    )


def try_many(examples: int, start: int, make: Callable[[], tuple[Bench, Callable[[], None]]]) -> None:
    @any_of(examples, start, found=before_us, history=rounds)
    def any_history(found: list[str], history: list[Any]) -> None:
        bench, close = make()
        try:
            converge(bench, found, history)
        finally:
            bench.close()
            close()

    any_history()


def in_memory(in_process: Callable[[Warehouse], Bench]) -> tuple[Bench, Callable[[], None]]:
    warehouse = InMemory()
    return in_process(warehouse), warehouse.close


def test_any_history_converges_to_the_catalogue(in_process: Callable[[Warehouse], Bench]) -> None:
    try_many(12, 0, lambda: in_memory(in_process))


def test_any_history_converges_on_postgres_too(
    in_process: Callable[[Warehouse], Bench], postgres_url: str
) -> None:
    warehouse = Warehouse(postgres_url)

    def make() -> tuple[Bench, Callable[[], None]]:
        with warehouse.session() as session:
            for schema in ("activation", "raw_webflow", "reverse_etl"):
                session.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        return in_process(warehouse), lambda: None

    try_many(4, 1, make)


@pytest.mark.proof
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(4))
def test_two_thousand_histories_converge(part: int, in_process: Callable[[Warehouse], Bench]) -> None:
    try_many(500, 100 + part, lambda: in_memory(in_process))
