"""Sign-in and what comes before any answer: token, path, method, body (Plytix dossier §2, §4)."""

import pytest
from sandbox_client import SandboxClient

SEARCH = "/plytix/api/v2/products/search"


def test_a_token_comes_in_a_list_and_looks_like_a_jwt(sandbox: SandboxClient) -> None:
    answer = sandbox.sign_in()
    assert answer.status_code == 200
    assert answer.json()["data"][0]["access_token"].count(".") == 2
    assert answer.headers["x-ratelimit-limit-second"] == "8"


@pytest.mark.parametrize(
    ("key", "password"), [("sandbox-key", "wrong"), ("other", "sandbox-password"), ("", "")]
)
def test_wrong_credentials_are_told_in_plytix_words(sandbox: SandboxClient, key: str, password: str) -> None:
    answer = sandbox.sign_in(key, password)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {
            "msg": "Bad api_key or api_password: Credentials not valid",
            "errors": [{"field": "http_status_code", "msg": 401}],
        }
    }


def test_a_call_without_a_token_is_refused(sandbox: SandboxClient) -> None:
    answer = sandbox.call("POST", SEARCH, json={})
    assert answer.status_code == 401
    assert answer.json() == {"error": {"msg": "Missing Authorization Header"}}


def test_a_token_expires(sandbox: SandboxClient) -> None:
    sandbox.switch(token_seconds=0)
    assert sandbox.plytix("POST", "/api/v2/products/search", {}).status_code == 401


def test_a_made_up_token_is_refused(sandbox: SandboxClient) -> None:
    headers = {"Authorization": "Bearer not-a-token"}
    assert sandbox.call("POST", SEARCH, json={}, headers=headers).status_code == 401


def test_each_key_is_an_account_with_its_own_world(sandbox: SandboxClient) -> None:
    body = {"attributes": ["attributes.price"], "pagination": {"page_size": 100}}
    one = {row["id"]: row for row in sandbox.search(body)["data"]}
    two = {row["id"]: row for row in sandbox.search(body, account="second")["data"]}
    assert set(one) & set(two), "the same remote id occurs in two accounts"
    assert one != two


def test_there_is_no_get_list(sandbox: SandboxClient) -> None:
    for path in (
        "/api/v1/products",
        "/api/v2/products/search",
        "/api/v1/attributes/product",
        "/api/v1/assets/search",
    ):
        assert sandbox.plytix("GET", path).status_code == 405


def test_a_trailing_slash_redirects_to_where_the_token_is_not_sent(sandbox: SandboxClient) -> None:
    answer = sandbox.plytix("POST", "/api/v2/products/search/", {})
    assert answer.status_code == 301
    assert answer.headers["location"] == "http://localhost:8791/plytix/api/v2/products/search"


def test_an_unknown_path_and_an_unknown_product_are_not_found(sandbox: SandboxClient) -> None:
    assert sandbox.plytix("GET", "/api/v1/jobs/1").status_code == 404
    answer = sandbox.plytix("GET", "/api/v2/products/ffffffffffffffffffffffff")
    assert answer.status_code == 404
    assert answer.json()["error"] == {
        "msg": " No results found for ffffffffffffffffffffffff",
        "errors": [{"field": "id", "msg": "product does not exist"}],
    }


def test_a_body_that_is_no_json_object_is_a_bad_request(sandbox: SandboxClient) -> None:
    assert sandbox.plytix("POST", "/api/v2/products/search", [1]).status_code == 400


def test_an_endpoint_to_be_retired_says_so_if_the_switch_is_on(sandbox: SandboxClient) -> None:
    assert "x-plytix-deprecation" not in sandbox.plytix("POST", "/api/v1/products/search", {}).headers
    sandbox.switch(deprecation_header=True)
    assert "x-plytix-deprecation" in sandbox.plytix("POST", "/api/v1/products/search", {}).headers
    assert "x-plytix-deprecation" not in sandbox.plytix("POST", "/api/v2/products/search", {}).headers
