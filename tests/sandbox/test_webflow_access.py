"""Tokens, sites, limits and bodies that are no JSON (Webflow dossier §3 and §4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from webflow_shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "sandbox-token"}]
)
def test_a_wrong_token_is_not_authorized(shop: Shop, header: dict[str, str]) -> None:
    answer = shop.send("GET", "/webflow/v2/sites", headers=header)
    assert answer.status_code == 401
    assert answer.json() == {
        "code": "not_authorized",
        "message": "Request not authorized",
        "externalReference": None,
        "details": [],
    }


def test_each_token_sees_its_own_site(shop: Shop) -> None:
    shop.create_product("only-here")
    [site] = shop.get("/sites").json()["sites"]
    assert site["id"] == "5f0c8c9e1c9d440000a1b2c3"
    shop.token = "sandbox-token-outlet"
    [other] = shop.get("/sites").json()["sites"]
    assert other["id"] == hashlib.md5(b"outlet", usedforsecurity=False).hexdigest()[:24]
    assert shop.get(f"/sites/{other['id']}/products").json()["pagination"]["total"] == 3
    assert shop.get(f"{shop.site}/products").status_code == 404
    assert shop.get(shop.collections["sku"]).status_code == 404


def test_a_missing_scope_is_named(shop: Shop) -> None:
    shop.switch(scopes="no_ecommerce_write")
    answer = shop.create_product()
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scopes")
    assert "ecommerce:write" in answer.json()["message"]
    assert shop.get(f"{shop.site}/products").status_code == 200
    assert "ecommerce:write" not in shop.get("/token/introspect").json()["authorization"]["scope"]


def test_introspection_may_be_for_apps_only(shop: Shop) -> None:
    assert shop.get("/token/introspect").status_code == 200
    shop.switch(introspect="refused")
    assert shop.get("/token/introspect").status_code == 403
    assert shop.get(shop.site).json()["displayName"] == "Karvon Shop"


def test_malformed_ids_bodies_and_routes_have_their_own_errors(shop: Shop) -> None:
    assert "Provided ID is invalid" in shop.get("/sites/karvon/products").json()["message"]
    headers = {"Authorization": "Bearer sandbox-token"}
    broken = shop.send("POST", f"/webflow/v2{shop.site}/products", content=b'{"product":', headers=headers)
    assert (broken.status_code, broken.json()["code"]) == (400, "bad_request")
    assert shop.post(f"{shop.site}/products", []).status_code == 400
    assert shop.get("/no/such/route").status_code == 404
    assert shop.call("PUT", f"{shop.site}/products", {}).status_code == 404


def test_every_answer_says_what_is_left_and_the_limit_answers_429(shop: Shop) -> None:
    shop.control("PUT", "limits", {"webflow": [{"requests": 2, "seconds": 60}]})
    answers = [shop.get("/sites") for _ in range(3)]
    assert [each.headers["x-ratelimit-remaining"] for each in answers] == ["1", "0", "0"]
    assert {each.headers["x-ratelimit-limit"] for each in answers} == {"2"}
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    assert answers[2].json()["code"] == "too_many_requests"
    shop.control("PUT", "switches", {"sandbox.retry_after": False})
    assert "retry-after" not in shop.get("/sites").headers


def test_a_gateway_may_answer_html(shop: Shop) -> None:
    fault = {"kind": "html", "status": 502}
    shop.control("POST", "faults", {"vendor": "webflow", "fault": fault})
    answer = shop.get("/sites")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert shop.get("/sites").status_code == 200


def test_the_shop_outlives_the_process_and_a_reset_begins_anew(shop: Shop, tmp_path: Path) -> None:
    made = shop.create_product().json()["product"]
    again = Shop(tmp_path)
    assert again.get(f"{again.site}/products/{made['id']}").json()["product"] == made
    again.control("POST", "reset", {"vendor": "webflow"})
    assert again.get(f"{again.site}/products").json()["pagination"]["total"] == 3
    assert again.create_product().status_code == 200
    again.close()
