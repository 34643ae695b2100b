"""Uzum as it answers: kinds of missing, refusals, noise, languages, the tree, search, a seller's account."""

from __future__ import annotations

import pytest
from market_stand_in import Market
from pydantic import SecretStr

from karvon.http import RemoteError
from pipelines.landing import LoadError
from pipelines.sources.uzum import SELLER_SOURCE, SOURCE
from pipelines.sources.uzum.client import meaning

GUEST = SecretStr("sandbox-guest-token")
ONE_SLICE = {"last_id": 30, "slice_size": 30, "stop_after_missing": 0}


@pytest.mark.parametrize("kind", ["404", "payload_null", "data_null", "no_title"])
def test_every_kind_of_missing_is_missing_and_none_a_failure(market: Market, kind: str) -> None:
    market.switch(uzum_missing=kind)
    (landed,) = market.crawl(universe=ONE_SLICE)
    there = [number for number in market.products() if number <= 30]
    assert (landed.seen, landed.missing, landed.failed) == (len(there), 30 - len(there), 0)
    assert landed.requests == 30


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        (200, b"", "refused"),
        (200, b'{"payload":null}', "missing"),
        (200, b'{"payload":{"data":null}}', "missing"),
        (200, b'{"payload":null,"errors":[{"code":"entity-not-found-001","message":"Entity not found"}]}', "missing"),
        (200, b'{"payload":null,"errors":[{"code":"x","message":"HTTP 429"}]}', "busy"),
        (200, b'{"payload":null,"errors":[{"code":"x","message":"oops"}]}', "failed"),
        (200, b'{"payload":null,"error":"oops"}', "failed"),
        (200, b'{"payload":{"data":{"id":1,"title":"a"}},"errors":[{"message":"partly"}]}', None),
        (200, b"[]", None),
        (200, b'{"payload":{"da', None),
        (500, b"", None),
    ],
)  # fmt: skip
def test_an_answer_means_what_its_status_does_not_say(status: int, body: bytes, means: str | None) -> None:
    assert meaning(status, body) == means


def test_an_error_inside_a_200_is_tried_again(market: Market) -> None:
    product = min(market.products())
    body = {"payload": None, "errors": [{"code": "internal-001", "message": "Internal error"}]}
    market.fault(f"/product/{product}$", "status", status=200, body=body, times=2)
    (landed,) = market.crawl(universe=ONE_SLICE)
    assert (landed.failed, landed.requests) == (0, 32)
    assert str(product) in market.live("raw_uzum.products")


def test_what_depends_on_who_looks_is_not_kept(market: Market) -> None:
    market.crawl(universe=ONE_SLICE)
    product = next(iter(market.live("raw_uzum.products").values()))
    assert {"id", "title", "ordersAmount", "skuList", "seller", "category", "photos"} <= set(product)
    assert not {"seo", "topFeedback", "favourite", "timestamp"} & set(product)
    assert "contacts" not in product["seller"]
    assert set(product["skuList"][0]["stock"]) == {"type", "deliveryDays"}
    assert "productOptionDtos" not in product["skuList"][0]


def test_the_language_is_asked_for_and_stored(market: Market) -> None:
    market.crawl(universe=ONE_SLICE)
    russian = next(iter(market.live("raw_uzum.products").values()))
    market.crawl(universe={**ONE_SLICE, "max_age_hours": 0}, language="uz-UZ")
    uzbek = market.live("raw_uzum.products")[str(russian["id"])]
    assert (russian["language"], uzbek["language"]) == ("ru-RU", "uz-UZ")
    assert russian["title"] != uzbek["title"]


@pytest.mark.parametrize("kind", ["nul", "raw"])
def test_control_characters_in_descriptions_do_no_harm(market: Market, kind: str) -> None:
    market.switch(uzum_control_characters=kind)
    (landed,) = market.crawl(universe=ONE_SLICE)
    assert (landed.failed, landed.is_complete) == (0, True)
    assert "\x00" not in "".join(
        product["description"] for product in market.live("raw_uzum.products").values()
    )


def test_the_tree_comes_node_by_node_with_its_parent(market: Market) -> None:
    market.load_uzum("categories")
    nodes = market.live("raw_uzum.categories")
    inner = next(node for node in nodes.values() if node["parent_id"] is not None)
    assert str(inner["parent_id"]) in nodes
    assert not {"children", "seoMetaTag", "productAmount"} & set(inner)
    assert market.load_uzum("categories")["categories"].changed == 0


def test_a_tree_that_wants_a_token_gets_it_and_without_one_is_refused(market: Market) -> None:
    market.switch(uzum_categories_need_token=True)
    with pytest.raises(LoadError, match="401"):
        market.load_uzum("categories")
    assert market.load_uzum("categories", token=GUEST)["categories"].seen > 0


def test_positions_count_products_and_not_cards(market: Market) -> None:
    word = next(iter(_titles(market))).split()[0]
    market.switch(uzum_graphql_partial_errors=True)
    market.load_uzum("keyword_positions", token=GUEST, keywords=(word,))
    found = [
        one
        for one in market.live("raw_uzum.keyword_positions").values()
        if one["sort"] == "BY_RELEVANCE_DESC"
    ]
    assert sorted(one["position"] for one in found) == list(range(1, len(found) + 1))
    assert len({one["product_id"] for one in found}) == len(found) > 0


def test_a_product_that_left_the_results_leaves_the_positions(market: Market) -> None:
    word = next(iter(_titles(market))).split()[0]
    market.load_uzum("keyword_positions", token=GUEST, keywords=(word,))
    product = next(iter(market.live("raw_uzum.keyword_positions").values()))["product_id"]
    market.control("POST", "uzum/edit", {"product": product, "vanish": True})
    market.load_uzum("keyword_positions", token=GUEST, keywords=(word,))
    assert product not in {one["product_id"] for one in market.live("raw_uzum.keyword_positions").values()}


def test_without_a_token_or_keywords_no_search_is_made(market: Market) -> None:
    assert market.load_uzum("keyword_positions", keywords=("telefon",))["keyword_positions"].requests == 0


def test_reviews_are_read_for_the_products_that_were_named(market: Market) -> None:
    product = max(market.products().values(), key=lambda one: one["reviews"])
    market.load_uzum("reviews", review_products=(str(product["product"]), "999999"))
    reviews = market.live("raw_uzum.reviews")
    assert len(reviews) == product["reviews"]
    assert not any("customer" in review for review in reviews.values())


def test_a_sellers_account_is_read_whole(market: Market) -> None:
    landed = market.load_seller()
    assert {name: report.is_complete for name, report in landed.items()} == dict.fromkeys(landed, True)
    assert set(market.live("raw_uzum.seller_shops")) == {"1", "2"}
    lines = market.live("raw_uzum.seller_orders")
    # Seconds were asked for: milliseconds would have given an empty list.
    assert landed["seller_orders"].seen == len(lines) > 0
    # More than the one status that the list answers by default.
    orders = market.live("raw_uzum.seller_fbs_orders").values()
    assert len({order["status"] for order in orders}) > 1
    assert {type(order["dateCreated"]) for order in orders} == {int, str}, "times come in two forms"
    assert not any("deliveryInfo" in order for order in orders), "who gets the parcel is not landed"


def test_the_sellers_limit_is_learned_from_the_answers(market: Market) -> None:
    market.switch(uzum_seller_replenish_rate=7)
    landed = market.load_seller("seller_shops", "seller_products")
    assert all(report.is_complete for report in landed.values())


@pytest.mark.parametrize("source", [SOURCE, SELLER_SOURCE])
def test_probes_say_what_they_found(market: Market, source: object) -> None:
    import asyncio

    if source is SOURCE:
        assert asyncio.run(SOURCE.probe(market.uzum())).startswith("answers; product 1 ")
        return
    from karvon.connections import UzumSellerConnection

    wrong = UzumSellerConnection("x", f"{market.url}/uzum/seller-openapi", SecretStr("wrong-token"), ())
    with pytest.raises(RemoteError, match="401"):
        asyncio.run(SELLER_SOURCE.probe(wrong))


def _titles(market: Market) -> list[str]:
    market.crawl(universe=ONE_SLICE)
    return [product["title"] for product in market.live("raw_uzum.products").values()]
