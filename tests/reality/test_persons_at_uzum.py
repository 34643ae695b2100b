"""Persons in Uzum's answers, wherever they stand: what is landed holds none of them, and still all that is counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.kept import Kept
from pipelines.persons import findings
from pipelines.sources.uzum import SELLER_SOURCE, SOURCE

PERSON = {
    "customerFullname": "Qosimov Ravshan Toir o'g'li",
    "customerPhone": "+998 93 555-01-27",
    "deliveryAddress": "Samarqand, Sinov ko'chasi 4-uy",
    "email": "ravshan.q@example.uz",
    "pinfl": "31205900010027",
}
SECRETS = ("Qosimov", "Ravshan", "555-01-27", "5550127", "Sinov", "ravshan.q", "31205900010027")
ORDER = {
    "id": 81,
    "status": "COMPLETED",
    "dateCreated": "2026-03-05T05:45:20.620Z",
    "price": 240_000,
    "shopId": 3,
    "scheme": "DBS",
    "cancelReason": "Qosimov Ravshan rad etdi, tel. +998935550127",
    "deliveryInfo": {**PERSON, "place": {"receivers": [PERSON]}},
    "orderItems": [{"id": 5, "skuId": 31, "price": 120_000, "amount": 2, "identifierInfo": PERSON}],
}
PRODUCT = {
    "id": 7,
    "title": "Choynak",
    "description": "<p>Savollar: +998935550127, ravshan.q@example.uz</p>",
    "topFeedback": {"customer": "Qosimov Ravshan", "content": "Zo'r"},
    "seller": {
        "id": 2,
        "title": "Oshxona",
        "contacts": [{"type": "PHONE", "value": "+998935550127"}],
        "info": PERSON,
    },
    "category": {"id": 4, "title": "Idish", "parent": {"id": 1, "title": "Uy"}},
    "skuList": [
        {"id": 31, "purchasePrice": 120_000, "stock": {"type": "FBO", "deliveryDays": 3}, "owner": PERSON}
    ],
}
REVIEW = {
    "reviewId": 9,
    "productId": 7,
    "rating": 5,
    "customer": "Qosimov Ravshan",
    "content": "Rahmat, mening raqamim 93 555-01-27",
    "reply": {"author": {"name": "Qosimov Ravshan"}, "content": "Rahmat!"},
}
LINE = {
    "id": 5,
    "orderId": 81,
    "sellerPrice": 120_000,
    "amount": 2,
    "returnCause": "Qosimov Ravshan: kichik",
    "buyer": PERSON,
}
RESOURCES = {one.name: one for one in (*SOURCE.resources, *SELLER_SOURCE.resources)}
CASES = [
    ("seller_fbs_orders", ORDER, ("status", "dateCreated", "price", "scheme")),
    ("products", PRODUCT, ("id", "title", "category")),
    ("reviews", REVIEW, ("reviewId", "productId", "rating")),
    ("seller_orders", LINE, ("id", "orderId", "sellerPrice", "amount")),
]


@pytest.mark.parametrize(("name", "document", "kept"), CASES, ids=[case[0] for case in CASES])
def test_what_is_landed_holds_no_person(name: str, document: dict[str, Any], kept: tuple[str, ...]) -> None:
    declared = RESOURCES[name].kept
    assert isinstance(declared, Kept)
    for planted in (document, *everywhere(document)):
        landed = declared.of(planted)
        text = json.dumps(landed, ensure_ascii=False)
        assert [secret for secret in SECRETS if secret in text] == []
        assert list(findings(landed)) == []
        assert {field: landed.get(field) for field in kept} == {field: document[field] for field in kept}


def everywhere(document: Any) -> list[dict[str, Any]]:
    """The document with a person put into each of its objects in turn, under a key that nobody has heard of."""
    places = list(objects(document))
    return [json.loads(json.dumps(with_person(document, place))) for place in range(len(places))]


def objects(value: Any) -> Any:
    if isinstance(value, dict):
        yield value
        for below in value.values():
            yield from objects(below)
    elif isinstance(value, list):
        for below in value:
            yield from objects(below)


def with_person(document: Any, place: int) -> Any:
    copy = json.loads(json.dumps(document))
    list(objects(copy))[place]["oluvchi"] = [{"kim": PERSON}]
    return copy


def test_lines_of_an_order_keep_what_is_counted() -> None:
    landed = RESOURCES["seller_fbs_orders"].kept.of(ORDER)
    assert landed["orderItems"] == [{"id": 5, "skuId": 31, "price": 120_000, "amount": 2}]
    sku = RESOURCES["products"].kept.of(PRODUCT)["skuList"][0]
    assert sku == {"id": 31, "purchasePrice": 120_000, "stock": {"type": "FBO", "deliveryDays": 3}}
