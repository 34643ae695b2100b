"""The market moves, and the control interface tells the truth about it (sandbox/README.md, "Markets")."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import SandboxClient

Json = dict[str, Any]
SELLER = {"Authorization": "sandbox-seller-token"}


@pytest.fixture
def market(tmp_path: Path) -> SandboxClient:
    """A market of 120 ids whose day 0 is a Monday."""
    market = SandboxClient(tmp_path / "sandbox", products=1)
    market.control("POST", "/uzum/reset", {"began": "2026-03-02"})
    return market


def crawl(market: SandboxClient) -> dict[int, Json]:
    """Every product as the public sees it."""
    found = {}
    for product_id in range(1, market.control("GET", "/uzum")["last_id"] + 1):
        answer = market.call("GET", f"/uzum/api/v2/product/{product_id}")
        data = answer.json()["payload"] and answer.json()["payload"]["data"]
        if answer.status_code == 200 and data and "title" in data:
            found[product_id] = data
    return found


def next_day(market: SandboxClient, **counts: int) -> Json:
    day: Json = market.control("POST", "/uzum/next-day", counts)["days"][-1]
    return day


def skus(products: dict[int, Json]) -> dict[int, Json]:
    return {sku["id"]: sku for each in products.values() for sku in each["skuList"]}


def shown(price: int, sku: dict[str, Any]) -> int:
    """Some sellers write 0 while they have nothing to sell."""
    return price if sku["availableAmount"] or sku["purchasePrice"] else 0


def test_what_the_public_sees_moves_exactly_as_the_truth_says(market: SandboxClient) -> None:
    before = crawl(market)
    for _ in range(3):
        truth = next_day(market)
        after = crawl(market)
        told = {row["product"]: row["sold"] - row["corrected"] for row in truth["products"]}
        stayed = before.keys() & after.keys()
        for product_id in stayed:
            moved = after[product_id]["ordersAmount"] - before[product_id]["ordersAmount"]
            assert moved == told.get(product_id, 0)
        rows = {row["sku"]: row for row in truth["skus"]}
        seen = skus(after)
        for sku in skus(before).keys() & seen.keys():
            was, now, row = skus(before)[sku], seen[sku], rows.get(sku)
            if row is None:
                assert (was["availableAmount"], was["purchasePrice"]) == (
                    now["availableAmount"],
                    now["purchasePrice"],
                )
            else:
                assert (row["stock_before"], row["stock_end"]) == (
                    was["availableAmount"],
                    now["availableAmount"],
                )
                assert (shown(row["price_before"], was), shown(row["price_after"], now)) == (
                    was["purchasePrice"],
                    now["purchasePrice"],
                )
                assert row["stock_end"] == row["stock_before"] - row["sold"] + row["restocked"]
        before = after


def test_units_of_skus_and_products_agree_and_few_products_sell_most(market: SandboxClient) -> None:
    days = market.control("POST", "/uzum/next-day", {"days": 30})["days"]
    by_sku, by_product = Counter[int](), Counter[int]()
    for day in days:
        for row in day["skus"]:
            by_sku[row["product"]] += row["sold"]
        for row in day["products"]:
            by_product[row["product"]] += row["sold"]
    assert +by_sku == +by_product
    best = sum(units for _, units in by_product.most_common(9))
    assert best > by_product.total() / 2
    assert any(row["sold"] and row["restocked"] for day in days for row in day["skus"])
    assert any(row["unmet"] for day in days for row in day["skus"])


def test_some_campaigns_raise_the_price_before_they_lower_it(market: SandboxClient) -> None:
    days = market.control("POST", "/uzum/next-day", {"days": 60})["days"]
    changes: dict[int, list[Json]] = {}
    for day in days:
        for row in day["skus"]:
            if row["price_before"] != row["price_after"]:
                changes.setdefault(row["sku"], []).append(row)
    raised = [
        (up, down)
        for rows in changes.values()
        for up, down in pairwise(rows)
        if up["price_after"] > up["price_before"] * 1.2
        and down["full_price_after"] == up["full_price_after"] is not None
    ]
    assert raised
    assert all(down["price_after"] < down["full_price_after"] for _, down in raised)
    honest = [
        row for rows in changes.values() for row in rows if row["price_after"] < row["price_before"] * 0.95
    ]
    assert len(honest) > len(raised)


def test_ids_come_go_and_return(market: SandboxClient) -> None:
    first = next_day(market, vanished=3, new=4, new_sellers=1, returned=0)
    products = crawl(market)
    assert not set(first["vanished"]) & set(products)
    assert [row["product"] > 120 for row in first["new"]] == [True] * 4
    newcomer = products[first["new"][0]["product"]]
    assert (newcomer["ordersAmount"], newcomer["seller"]["id"]) == (0, first["new_sellers"][0])
    second = next_day(market, vanished=0, returned=3)
    assert second["returned"] == first["vanished"]
    assert set(first["vanished"]) <= set(crawl(market))


def test_counters_drop_and_skus_leave_and_return(market: SandboxClient) -> None:
    before = crawl(market)
    first = next_day(market, corrected=2, hidden_skus=3, shown_skus=0, vanished=0)
    after = crawl(market)
    drops = [row for row in first["products"] if row["corrected"] > row["sold"]]
    assert drops
    assert all(
        after[row["product"]]["ordersAmount"] < before[row["product"]]["ordersAmount"] for row in drops
    )
    assert not set(first["hidden_skus"]) & set(skus(after))
    second = next_day(market, shown_skus=3, hidden_skus=0, vanished=0)
    assert second["shown_skus"] == first["hidden_skus"]
    assert set(first["hidden_skus"]) <= set(skus(crawl(market)))


def test_what_is_frozen_stays_frozen(market: SandboxClient) -> None:
    before = crawl(market)
    next_day(market)
    after = crawl(market)
    for product_id in before.keys() & after.keys():
        assert before[product_id]["category"] == after[product_id]["category"]


def test_the_same_seed_gives_the_same_days_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    one, other = (SandboxClient(tmp_path / name, products=1) for name in ("one", "other"))
    for each in (one, other):
        each.control("POST", "/uzum/reset", {"began": "2026-03-02", "ids": 60})
        each.control("POST", "/uzum/next-day", {"days": 3})
    assert one.control("GET", "/uzum/truth") == other.control("GET", "/uzum/truth")
    again = SandboxClient(tmp_path / "one", products=1)
    assert crawl(again) == crawl(one)
    assert again.control("GET", "/uzum/truth") == one.control("GET", "/uzum/truth")
    other.control("POST", "/uzum/reset", {"began": "2026-03-02", "ids": 60, "seed": 8})
    assert other.control("POST", "/uzum/next-day")["days"] != one.control("GET", "/uzum/truth")["days"][:1]


def test_edits_are_kept_and_told(market: SandboxClient) -> None:
    sku = next(sku for sku, each in skus(crawl(market)).items() if each["availableAmount"] > 3)
    market.control("POST", "/uzum/edit", {"sku": sku, "sell": 2, "price": 5_000, "full_price": 9_000})
    shown = skus(crawl(market))[sku]
    assert (shown["purchasePrice"], shown["fullPrice"]) == (5_000, 9_000)
    next_day(market, vanished=0, hidden_skus=0)
    assert skus(crawl(market))[sku]["purchasePrice"] == 5_000
    told = market.control("GET", f"/uzum/truth?to_day=0&product={sku // 100}")["days"][0]
    assert (told["edit"], told["skus"][0]["sold"], told["products"][0]["sold"]) == (True, 2, 2)
    market.control("POST", "/uzum/edit", {"sku": sku, "price": None})
    assert skus(crawl(market))[sku]["purchasePrice"] != 5_000


def test_a_wrong_control_call_says_what_would_be_right(market: SandboxClient) -> None:
    refused = market.call("POST", "/_control/uzum/next-day", json={"sales": 3})
    assert refused.status_code == 400
    assert "corrected" in refused.json()["error"]


def test_several_sellers_offer_the_same_good(market: SandboxClient) -> None:
    products = crawl(market)
    shared = market.control("GET", "/uzum/goods")["goods"]
    assert shared
    for ids in shared.values():
        assert len({products[each]["category"]["id"] for each in ids}) == 1
    assert any(len({products[each]["seller"]["id"] for each in ids}) > 1 for ids in shared.values())


def seller(market: SandboxClient, path: str, **params: Any) -> Any:
    answer = market.call("GET", f"/uzum/seller-openapi{path}", headers=SELLER, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def own_orders(market: SandboxClient, **params: Any) -> list[Json]:
    found: list[Json] = []
    while True:
        page = seller(market, "/v1/finance/orders", shopIds="1,2", size=100, page=len(found) // 100, **params)
        found += page["orderItems"]
        if len(found) >= page["totalElements"]:
            return found


def test_a_seller_sees_exactly_what_he_sold(market: SandboxClient) -> None:
    public = crawl(market)
    days = market.control("POST", "/uzum/next-day", {"days": 4, "new": 0})["days"]
    mine = {each for each, data in public.items() if data["seller"]["id"] in (1, 2)}
    told = Counter[tuple[str, int]]()
    for day in days:
        for row in day["skus"]:
            if row["product"] in mine and row["sold"]:
                told[day["date"], row["product"]] += row["sold"]
    seen = Counter[tuple[str, int]]()
    for line in own_orders(market):
        seen[date_of(line["date"]), line["productId"]] += line["amount"]
    assert told
    assert {key: units for key, units in (+seen).items() if key[0] > "2026-03-02"} == dict(told)
    assert any(key[0] <= "2026-03-02" for key in seen)
    after = crawl(market)
    one = next(each for each in mine if each in after and public[each]["seller"]["id"] == 1)
    grown = after[one]["seller"]["orders"] - public[one]["seller"]["orders"]
    of_one = {each for each in mine if public[each]["seller"]["id"] == 1}
    assert grown == sum(units for (_, product), units in told.items() if product in of_one)


def date_of(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def test_the_seller_api_has_its_own_oddities(market: SandboxClient) -> None:
    market.control("POST", "/uzum/next-day", {"days": 12, "truth": False})
    lines = own_orders(market)
    assert any(line["amount"] == 0 for line in lines)
    assert {line["status"] for line in lines} >= {"PROCESSING", "TO_WITHDRAW"}
    assert own_orders(market, statuses="TO_WITHDRAW") == []
    newest = max(line["date"] for line in lines)
    assert own_orders(market, dateFrom=newest // 1000)
    assert own_orders(market, dateFrom=newest) == []
    assert isinstance(seller(market, "/v1/shops"), list)
    refused = market.call(
        "GET", "/uzum/seller-openapi/v1/shops", headers={"Authorization": "Bearer sandbox-seller-token"}
    )
    assert refused.status_code == 401
    assert market.call("GET", "/uzum/seller-openapi/v1/finance/orders", headers=SELLER).status_code == 400


def test_fbs_and_fbo_stock_are_in_different_places(market: SandboxClient) -> None:
    truth = {
        sku["sku"]: sku
        for each in market.control("GET", "/uzum/products")["products"]
        for sku in each["skus"]
    }
    table = [sku for shop in (1, 2) for product in seller(market, f"/v1/product/shop/{shop}", page=0,
                                                          size=100)["productList"]
             for sku in product["skuList"]]  # fmt: skip
    for sku in table:
        assert (
            sku["quantityFbs" if truth[sku["skuId"]]["is_fbs"] else "quantityActive"]
            == truth[sku["skuId"]]["stock"]
        )
    stocks = seller(market, "/v2/fbs/sku/stocks")["payload"]["skuAmountList"]
    assert {each["skuId"] for each in stocks} == {
        sku["skuId"] for sku in table if truth[sku["skuId"]]["is_fbs"]
    }
    page = seller(market, "/v3/fbs/sku/stocks", skuIdFrom=stocks[1]["skuId"], size=1)["payload"][
        "skuAmountList"
    ]
    assert page == stocks[1:2]
    market.control("POST", "/uzum/next-day", {"days": 3, "truth": False})
    count = seller(market, "/v2/fbs/orders/count", shopIds="1,2", status="COMPLETED")["payload"]
    orders = seller(market, "/v2/fbs/orders", shopIds="1,2", status="COMPLETED", size=50)["payload"]
    assert (orders["totalAmount"], min(count, 50)) == (count, len(orders["orders"]))
    assert all(truth[item["skuId"]]["is_fbs"] for order in orders["orders"] for item in order["orderItems"])
    assert seller(market, "/v1/finance/expenses", shopIds=1)["payload"]["payments"]


def test_the_seller_api_counts_its_own_requests(market: SandboxClient) -> None:
    market.control("PUT", "/switches", {"uzum.seller_burst": 2, "uzum.seller_replenish_rate": 0})
    answers = [market.call("GET", "/uzum/seller-openapi/v1/shops", headers=SELLER) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    assert answers[0].headers["x-ratelimit-burst-capacity"] == "2"
    assert answers[0].headers["x-ratelimit-remaining-per-day"] == "99999"
    assert "retry-after" in answers[2].headers
    other = market.call(
        "GET", "/uzum/seller-openapi/v1/shops", headers={"Authorization": "sandbox-seller-token-b"}
    )
    assert [shop["id"] for shop in other.json()] != [1, 2]
