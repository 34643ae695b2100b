"""The Uzum storefront and search: what is odd about them, each as the dossier says (§1, §3)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import SandboxClient

Json = dict[str, Any]
GUEST = {"Authorization": "Bearer sandbox-guest-token"}


@pytest.fixture
def market(tmp_path: Path) -> SandboxClient:
    """A market of 120 ids."""
    return SandboxClient(tmp_path / "sandbox", products=1)


def product(market: SandboxClient, product_id: int, **headers: str) -> Json:
    answer = market.call("GET", f"/uzum/api/v2/product/{product_id}", headers=headers)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["payload"]["data"]
    return found


def there(market: SandboxClient) -> list[int]:
    """Ids that are products."""
    return [each["product"] for each in market.control("GET", "/uzum/products")["products"]]


def missing_ids(market: SandboxClient) -> list[int]:
    return sorted(set(range(1, market.control("GET", "/uzum")["last_id"] + 1)) - set(there(market)))


def search(market: SandboxClient, **wanted: Any) -> Json:
    body = {"operationName": "getMakeSearch", "query": "", "variables": {"queryInput": wanted}}
    found: Json = market.call("POST", "/uzum/graphql", json=body, headers=GUEST).json()
    return found


def test_products_keep_what_the_real_samples_keep(market: SandboxClient) -> None:
    for product_id in there(market)[:60]:
        data = product(market, product_id)
        assert sum(sku["availableAmount"] for sku in data["skuList"]) == data["totalAvailableAmount"]
        assert data["rOrdersAmount"] <= data["ordersAmount"]
        assert all(str(size).isdigit() for photo in data["photos"] for size in photo["photo"])
        for sku in data["skuList"]:
            assert sku["fullPrice"] is None or sku["purchasePrice"] <= sku["fullPrice"]
            assert sku["barcode"] > 2**32
            for position in sku["characteristics"]:
                assert data["characteristics"][position["charIndex"]]["values"][position["valueIndex"]]


def test_a_product_answer_repeats_itself_in_seo_and_has_a_clock_with_nanoseconds(
    market: SandboxClient,
) -> None:
    body = market.call("GET", f"/uzum/api/v2/product/{there(market)[0]}").json()
    assert body["payload"]["seo"]["skuList"] == body["payload"]["data"]["skuList"]
    assert len(body["timestamp"].split(".")[1]) == 9


def test_the_kinds_of_missing_are_different_answers(market: SandboxClient) -> None:
    path = f"/uzum/api/v2/product/{missing_ids(market)[0]}"
    seen = {}
    for kind in ("404", "payload_null", "data_null", "no_title"):
        market.control("PUT", "/switches", {"uzum.missing": kind})
        answer = market.call("GET", path)
        seen[kind] = answer.status_code, answer.json()["payload"]
    assert seen["404"] == (404, None)
    assert seen["payload_null"] == (200, None)
    assert seen["data_null"] == (200, {"data": None, "seo": None})
    assert seen["no_title"][0] == 200
    assert "title" not in seen["no_title"][1]["data"]


def test_a_world_holds_all_kinds_of_missing_at_about_a_quarter_of_its_ids(market: SandboxClient) -> None:
    ids = missing_ids(market)
    assert 15 <= len(ids) <= 45
    answers = [market.call("GET", f"/uzum/api/v2/product/{each}") for each in ids]
    assert {answer.status_code for answer in answers} == {200, 404}
    assert (
        len({json.dumps(answer.json()["payload"] and sorted(answer.json()["payload"])) for answer in answers})
        > 1
    )


def test_refusals_are_neither_products_nor_missing(market: SandboxClient) -> None:
    path = f"/uzum/api/v2/product/{there(market)[0]}"

    def ask(kind: str) -> Any:
        market.control("PUT", "/switches", {"uzum.answer": kind})
        return market.call("GET", path)

    assert (ask("empty").status_code, ask("empty").content) == (200, b"")
    assert ask("unauthorized").status_code == 401
    assert ask("captcha").status_code == 302
    assert "captcha" in ask("captcha").headers["location"]
    assert ask("errors").status_code == 200
    assert ask("errors").json()["errors"][0]["code"] == "internal-001"
    assert "429" in ask("errors_429").json()["errors"][0]["message"]


def test_a_single_captcha_can_be_injected(market: SandboxClient) -> None:
    market.control("POST", "/faults", {"vendor": "uzum", "fault": {"kind": "redirect"}})
    path = f"/uzum/api/v2/product/{there(market)[0]}"
    assert [market.call("GET", path).status_code for _ in range(2)] == [302, 200]


@pytest.mark.parametrize("retry_after", [True, False])
def test_too_many_requests_come_with_and_without_a_pause(market: SandboxClient, retry_after: bool) -> None:
    market.control("PUT", "/limits", {"uzum": [{"requests": 1, "seconds": 60}]})
    market.control("PUT", "/switches", {"sandbox.retry_after": retry_after})
    market.call("GET", "/uzum/api/main/root-categories")
    refused = market.call("GET", "/uzum/api/main/root-categories")
    assert refused.status_code == 429
    assert ("retry-after" in refused.headers) == retry_after
    assert refused.json()["payload"] is None


def test_the_language_changes_texts_and_nothing_else(market: SandboxClient) -> None:
    product_id = there(market)[0]
    uz = product(market, product_id, **{"Accept-Language": "uz-UZ"})
    ru = product(market, product_id, **{"Accept-Language": "ru-RU"})
    assert (uz["title"], ru["title"]) == (uz["localizableTitle"]["uz"], uz["localizableTitle"]["ru"])
    assert uz["category"]["title"] != ru["category"]["title"]
    for same in ("id", "ordersAmount", "localizableTitle", "seller", "photos"):
        assert uz[same] == ru[same]


def test_fields_came_over_the_years(market: SandboxClient) -> None:
    product_id = there(market)[0]
    assert "localizableTitle" in product(market, product_id)
    market.control("PUT", "/switches", {"uzum.body": "2024"})
    assert "localizableTitle" not in product(market, product_id)
    market.control("PUT", "/switches", {"uzum.body": "2022"})
    body = market.call("GET", f"/uzum/api/v2/product/{product_id}").json()
    assert set(body) == {"payload", "error"}
    assert isinstance(body["payload"]["data"]["skuList"][0]["purchasePrice"], float)


def test_products_carry_categories_that_the_tree_does_not_have(market: SandboxClient) -> None:
    tree = market.call("GET", "/uzum/api/main/root-categories?eco=false").json()["payload"]
    known: set[int] = set()
    waiting = list(tree)
    while waiting:
        node = waiting.pop()
        assert node["path"][0] == 1
        assert len(node["path"]) <= 4
        known.add(node["id"])
        waiting += node["children"]
    leaves = {product(market, each)["category"]["id"] for each in there(market)}
    assert leaves - known
    assert leaves & known


def test_the_category_tree_may_want_any_token(market: SandboxClient) -> None:
    market.control("PUT", "/switches", {"uzum.categories_need_token": True})
    path = "/uzum/api/main/root-categories"
    assert market.call("GET", path).status_code == 401
    assert market.call("GET", path, headers={"Authorization": "Bearer x"}).status_code == 200


def test_amounts_can_be_capped_with_or_without_the_total(market: SandboxClient) -> None:
    rich = next(
        each for each in market.control("GET", "/uzum/products")["products"] if each["skus"][0]["stock"] > 5
    )
    market.control("PUT", "/switches", {"uzum.stock_cap": 5})
    data = product(market, rich["product"])
    assert max(sku["availableAmount"] for sku in data["skuList"]) == 5
    assert data["totalAvailableAmount"] == sum(sku["stock"] for sku in rich["skus"])
    market.control("PUT", "/switches", {"uzum.stock_cap_total": True})
    data = product(market, rich["product"])
    assert data["totalAvailableAmount"] == sum(sku["availableAmount"] for sku in data["skuList"])


def test_texts_may_hold_a_nul_or_a_raw_control_character(market: SandboxClient) -> None:
    product_id = next(each for each in there(market) if each % 10 == 0)
    assert "\x00" not in product(market, product_id)["description"]
    market.control("PUT", "/switches", {"uzum.control_characters": "nul"})
    assert "\x00" in product(market, product_id)["description"]
    market.control("PUT", "/switches", {"uzum.control_characters": "raw"})
    body = market.call("GET", f"/uzum/api/v2/product/{product_id}").text
    with pytest.raises(json.JSONDecodeError, match="control character"):
        json.loads(body)
    assert json.loads(body, strict=False)["payload"]["data"]["id"] == product_id


def test_a_sku_may_point_beyond_its_characteristics(market: SandboxClient) -> None:
    market.control("PUT", "/switches", {"uzum.broken_positions": True})
    data = product(market, next(each for each in there(market) if each % 10 == 0))
    assert data["skuList"][0]["characteristics"][0]["valueIndex"] >= len(data["skuList"])


def test_reviews_come_newest_first_until_an_empty_page(market: SandboxClient) -> None:
    product_id = max(
        market.control("GET", "/uzum/products")["products"], key=lambda each: int(each["reviews"])
    )["product"]
    market.control("POST", "/uzum/next-day", {"days": 5})
    found: list[Json] = []
    page = 0
    while rows := market.call("GET", f"/uzum/api/product/{product_id}/reviews?amount=50&page={page}").json()[
        "payload"
    ]:
        found += rows
        page += 1
    assert (
        len({row["reviewId"] for row in found}) == len(found) == product(market, product_id)["reviewsAmount"]
    )
    assert found[0]["reviewId"] > found[-1]["reviewId"]


def test_a_shop_lists_its_products_and_an_unknown_one_is_an_error_body(market: SandboxClient) -> None:
    seller = product(market, there(market)[0])["seller"]
    shop = market.call("GET", f"/uzum/api/shop/{seller['link']}").json()["payload"]
    listed = market.call("GET", f"/uzum/api/shop/{seller['link']}/more?size=100&page=0").json()["payload"][
        "products"
    ]
    assert (shop["id"], shop["totalProducts"]) == (seller["id"], len(listed))
    assert seller["totalProducts"] == 0
    unknown = market.call("GET", "/uzum/api/shop/nobody")
    assert unknown.status_code == 404
    assert unknown.json()["errors"][0]["code"] == "entity-not-found-001"


def test_search_wants_the_guest_token(market: SandboxClient) -> None:
    refused = market.call("POST", "/uzum/graphql", json={})
    assert (refused.status_code, refused.headers["x-ext-authz-check-result"]) == (401, "denied")
    given = market.call("POST", "/uzum/id/api/auth/token")
    assert given.status_code == 204
    assert f"access_token={GUEST['Authorization'].removeprefix('Bearer ')}" in given.headers["set-cookie"]


def test_search_shows_a_product_several_times_and_ends_at_ten_thousand(market: SandboxClient) -> None:
    found = search(
        market, categoryId="1", sort="BY_ORDERS_NUMBER_DESC", pagination={"offset": 0, "limit": 300}
    )
    cards = [item["catalogCard"] for item in found["data"]["makeSearch"]["items"]]
    assert len(cards) == found["data"]["makeSearch"]["total"] > len({card["productId"] for card in cards})
    assert {card["productId"] for card in cards} == set(there(market))
    orders = {each["product"]: each["orders"] for each in market.control("GET", "/uzum/products")["products"]}
    shown = [orders[card["productId"]] for card in cards]
    assert shown == sorted(shown, reverse=True)
    far = search(market, categoryId="1", pagination={"offset": 9_950, "limit": 100})
    assert far["errors"][0]["message"] == "too big query offset"


def test_search_finds_words_of_both_languages_and_may_give_data_and_errors_together(
    market: SandboxClient,
) -> None:
    one = there(market)[0]
    titles = product(market, one)["localizableTitle"]
    market.control("PUT", "/switches", {"uzum.graphql_partial_errors": True})
    for text in titles.values():
        found = search(market, text=text.replace(",", ""), pagination={"offset": 0, "limit": 50})
        assert found["errors"]
        found_ids = [item["catalogCard"]["productId"] for item in found["data"]["makeSearch"]["items"]]
        assert one in found_ids


def test_an_answer_can_be_slow(market: SandboxClient) -> None:
    market.control("PUT", "/switches", {"uzum.latency_ms": 150})
    began = time.monotonic()
    market.call("GET", "/uzum/api/main/root-categories")
    assert time.monotonic() - began >= 0.15


def test_the_summary_of_the_log_counts_products_as_one_path(market: SandboxClient) -> None:
    for product_id in range(1, 6):
        market.call("GET", f"/uzum/api/v2/product/{product_id}")
    counted = market.control("GET", "/requests/summary")["requests"]
    assert {(row["vendor"], row["path"]) for row in counted} == {("uzum", "/uzum/api/v2/product/{id}")}


def test_twenty_thousand_ids_are_there_at_once(tmp_path: Path) -> None:
    large = SandboxClient(tmp_path, products=1, uzum_ids=20_000)
    began = time.process_time()
    answers = [large.call("GET", f"/uzum/api/v2/product/{each}") for each in range(19_900, 20_000)]
    assert {answer.status_code for answer in answers} == {200, 404}
    # Most of it is the client; a world that were made first would take seconds.
    assert time.process_time() - began < 2
