"""Signing in at Plytix, and what comes back when things go wrong (dossier §2 to §4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import httpx
import pytest
from stand_ins import Loader, Sandbox, of

from karvon.connections import PlytixConnection
from karvon.http import Malformed, Refused, Throttled, Unavailable
from pipelines.landing import LoadError, load
from pipelines.sources import plytix
from pipelines.sources.plytix.authentication import PlytixSignIn
from pipelines.sources.plytix.client import PlytixClient

AUTH = "auth/api/get-token"


class Api:
    """A scripted Plytix: numbered tokens, of which the API takes the newest."""

    def __init__(self, *sign_ins: httpx.Response) -> None:
        self.sign_ins, self.signed_in, self.answered = list(sign_ins), 0, 0
        self.revoked: set[str] = set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.001)
        if request.url.path.endswith(AUTH):
            if self.sign_ins:
                return self.sign_ins.pop(0)
            self.signed_in += 1
            return httpx.Response(200, json={"data": [{"access_token": f"t{self.signed_in}"}]})
        if request.headers["Authorization"].removeprefix("Bearer ") in self.revoked:
            return httpx.Response(401, json={"error": {"msg": "Token expired"}})
        self.answered += 1
        return httpx.Response(200, json={"data": []})


def ask(connection: PlytixConnection, api: Callable[..., object], times: int = 1) -> PlytixClient:
    async def run() -> PlytixClient:
        async with PlytixClient(connection, httpx.MockTransport(api)) as client:  # type: ignore[arg-type]
            await asyncio.gather(*(client.single("/api/v1/assets/1") for _ in range(times)))
            return client

    return asyncio.run(run())


@pytest.fixture
def connection(sandbox: Sandbox) -> PlytixConnection:
    return sandbox.plytix()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_: float) -> None: ...

    monkeypatch.setattr("pipelines.sources.plytix.authentication._pause", at_once)


def test_many_requests_share_one_sign_in(connection: PlytixConnection) -> None:
    api = Api()
    ask(connection, api, times=30)
    assert (api.signed_in, api.answered) == (1, 30)


def test_an_expired_token_is_renewed_once_for_all_that_met_it(connection: PlytixConnection) -> None:
    api = Api()
    api.revoked.add("t1")
    ask(connection, api, times=8)
    assert (api.signed_in, api.answered) == (2, 8)


def test_a_token_that_is_refused_again_is_an_error(connection: PlytixConnection) -> None:
    api = Api()
    api.revoked |= {"t1", "t2"}
    with pytest.raises(Refused, match="401"):
        ask(connection, api)
    assert api.signed_in == 2


def test_a_token_is_renewed_a_minute_before_it_ends(connection: PlytixConnection) -> None:
    api, now = Api(), [0.0]

    async def run() -> list[int]:
        sign_in = PlytixSignIn(connection, clock=lambda: now[0])
        async with httpx.AsyncClient(auth=sign_in, transport=httpx.MockTransport(api)) as client:
            counts = []
            for now[0] in (0.0, 800.0, 839.0, 841.0, 1700.0):
                await client.get("http://plytix.invalid/api/v1/x")
                counts.append(api.signed_in)
            return counts

    assert asyncio.run(run()) == [1, 1, 1, 2, 3]


def test_wrong_credentials_say_what_to_check(loader: Loader, sandbox: Sandbox) -> None:
    with pytest.raises(LoadError, match="PLYTIX_API_KEY") as failure:
        load(plytix.SOURCE, sandbox.plytix(password="wrong-password"), loader.warehouse)
    assert "wrong-password" not in str(failure.value)


@pytest.mark.usefixtures("impatient")
def test_a_busy_sign_in_host_is_waited_for(connection: PlytixConnection) -> None:
    api = Api(httpx.Response(429, headers={"Retry-After": "1"}), httpx.Response(503), httpx.Response(502))
    ask(connection, api, times=5)
    assert (api.signed_in, api.answered) == (1, 5)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("status", "error"), [(429, Throttled), (503, Unavailable)])
def test_a_sign_in_host_that_stays_busy_is_an_error(
    connection: PlytixConnection, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error, match="sign-in"):
        ask(connection, Api(*(httpx.Response(status) for _ in range(5))))


@pytest.mark.parametrize("body", ["<html>sign in</html>", '{"data": []}', '{"data": [{"token": 1}]}', "[]"])
def test_a_sign_in_answer_without_a_token_is_malformed(connection: PlytixConnection, body: str) -> None:
    with pytest.raises(Malformed, match="PLYTIX_AUTH_URL"):
        ask(connection, Api(httpx.Response(200, text=body)))


@pytest.mark.parametrize("body", ['{"rows": []}', '{"data": {"id": 1}}', "[]", '{"data": [1]}', ""])
def test_an_answer_that_is_no_list_of_records_is_malformed(connection: PlytixConnection, body: str) -> None:
    def api(request: httpx.Request) -> httpx.Response:
        token = {"data": [{"access_token": "t"}]}
        return httpx.Response(200, json=token) if AUTH in request.url.path else httpx.Response(200, text=body)

    with pytest.raises(Malformed, match="PLYTIX_BASE_URL"):
        ask(connection, api)


def test_a_deprecation_notice_is_logged_once(
    connection: PlytixConnection, caplog: pytest.LogCaptureFixture
) -> None:
    def api(request: httpx.Request) -> httpx.Response:
        token = {"data": [{"access_token": "t"}]}
        if AUTH in request.url.path:
            return httpx.Response(200, json=token)
        return httpx.Response(200, json={"data": []}, headers={"X-Plytix-Deprecation": "gone in 2027"})

    with caplog.at_level(logging.WARNING, logger="karvon.plytix"):
        ask(connection, api, times=3)
        ask(connection, api, times=3)
    assert [record.getMessage() for record in caplog.records if "2027" in record.getMessage()] == [
        f"plytix:{connection.name}: Plytix will retire /api/v1/assets/1: gone in 2027"
    ]


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("status", {"status": 500}),
        ("status", {"status": 429, "retry_after": 0.1}),
        ("html", {"status": 200}),
        ("truncated", {}),
        ("cut_answer", {}),
        ("drop_connection", {}),
    ],
)
def test_a_passing_fault_loses_nothing(
    loader: Loader, sandbox: Sandbox, kind: str, fault: dict[str, float]
) -> None:
    sandbox.fault("search$", kind, times=2, after=3, **fault)
    report = loader.plytix()
    assert of(report, "products").seen == len(sandbox.products())
    assert all(one.is_complete for one in report.resources)


def test_tokens_that_expire_meanwhile_lose_nothing(loader: Loader, sandbox: Sandbox) -> None:
    sandbox.switch(token_seconds=1)
    for after in (3, 6):
        sandbox.fault("search$", "delay", after=after, seconds=1.1)
    assert of(loader.plytix("products"), "products").seen == len(sandbox.products())
    assert len([one for one in sandbox.requests() if one["status"] == 401]) >= 2


def test_an_unreachable_api_is_named(loader: Loader, sandbox: Sandbox) -> None:
    sandbox.fault("search$", "drop_connection", times=0)
    with pytest.raises(LoadError, match="got no answer"):
        loader.plytix("attributes")


def test_a_failure_keeps_what_came_before_and_the_next_load_completes_it(
    loader: Loader, sandbox: Sandbox
) -> None:
    sandbox.switch(ordered_rows_limit=10)
    sandbox.fault("v2/products/search", "status", times=0, after=30, status=403)
    with pytest.raises(LoadError, match="403"):
        loader.plytix()
    assert 0 < len(loader.live("raw_plytix.products")) < len(sandbox.products())
    sandbox.control("DELETE", "faults")
    loader.plytix()
    assert len(loader.live("raw_plytix.products")) == len(sandbox.products())
    details = loader.live("raw_plytix.product_details")
    assert set(details) == {one["id"] for one in sandbox.products() if one["parent_id"] is None}
