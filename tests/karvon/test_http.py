"""The HTTP client against a real server on loopback and against scripted transports."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from karvon.http import (
    Answer,
    HttpClient,
    Malformed,
    Meaning,
    NotFound,
    Refused,
    RemoteError,
    Throttled,
    Unavailable,
)
from karvon.http_body import parse_json
from karvon.rate_limits import RateWindow
from karvon.redaction import redact

_accounts = itertools.count()
Reply = httpx.Response | Exception


class Script(httpx.AsyncBaseTransport):
    """Answers with the given replies in turn, the last one for ever; keeps when requests came."""

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self.times: list[float] = []
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.times.append(time.monotonic())
        self.requests.append(request)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


def client(script: Script, **options: Any) -> HttpClient:
    options.setdefault("attempts", 3)
    return HttpClient(f"test:{next(_accounts)}", base_url="http://api.test", transport=script, **options)


def ask(script: Script, *, method: str = "GET", repeatable: bool = True, **options: Any) -> Answer:
    async def once() -> Answer:
        async with client(script, **options) as http:
            return await http.request(method, "/things", repeatable=repeatable)

    return asyncio.run(once())


OK = httpx.Response(200, json={"data": [1]})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again(status: int) -> None:
    script = Script(httpx.Response(status, headers={"retry-after": "0"}), OK)
    assert ask(script).data == {"data": [1]}
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Refused), (401, Refused), (403, Refused), (404, NotFound), (409, Refused), (422, Refused)],
)
def test_a_refusal_is_final_and_carries_the_apis_words(status: int, kind: type[RemoteError]) -> None:
    script = Script(httpx.Response(status, json={"message": "Unique value is already in database"}), OK)
    with pytest.raises(kind, match="Unique value is already in database") as failure:
        ask(script)
    assert (failure.value.status, len(script.requests)) == (status, 1)
    assert failure.value.detail == {"message": "Unique value is already in database"}


def test_a_redirect_is_not_followed_because_it_would_drop_the_authorization() -> None:
    script = Script(httpx.Response(301, headers={"location": "http://elsewhere.test/"}), OK)
    with pytest.raises(Refused, match=r"to http://elsewhere\.test/"):
        ask(script)


def test_lasting_trouble_ends_with_the_right_error() -> None:
    with pytest.raises(Unavailable, match="answered 503"):
        ask(Script(httpx.Response(503)))
    with pytest.raises(Unavailable, match="Check the address"):
        ask(Script(httpx.ConnectError("refused")))
    with pytest.raises(Throttled, match="nothing is lost"):
        ask(Script(httpx.Response(429, headers={"retry-after": "1800"})), budget_seconds=5)


@pytest.mark.parametrize("content", [b"<html>gateway</html>", b'{"data": [1', b""])
def test_what_is_not_json_is_malformed_after_a_second_look(content: bytes) -> None:
    script = Script(httpx.Response(200, content=content))
    if content:
        with pytest.raises(Malformed, match="proxy page"):
            ask(script)
        assert len(script.requests) == 3
    else:
        assert ask(script).data is None


def test_an_answer_over_the_cap_is_refused() -> None:
    with pytest.raises(Malformed, match="more than 10 bytes"):
        ask(Script(httpx.Response(200, content=b'"' + b"x" * 50 + b'"')), max_body_bytes=10)


@pytest.mark.parametrize("reply", [httpx.ReadError("cut"), httpx.ReadTimeout("slow"), httpx.Response(502)])
def test_a_create_of_unknown_outcome_is_not_sent_again(reply: Reply) -> None:
    script = Script(reply, OK)
    with pytest.raises(Unavailable) as failure:
        ask(script, method="POST", repeatable=False)
    assert failure.value.outcome_unknown
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    "reply", [httpx.ConnectError("refused"), httpx.Response(429, headers={"retry-after": "0"})]
)
def test_a_create_that_surely_did_not_happen_is_sent_again(reply: Reply) -> None:
    script = Script(reply, OK)
    assert ask(script, method="POST", repeatable=False).status == 200


def test_retry_after_is_waited_out_by_all_requests_of_the_account() -> None:
    script = Script(httpx.Response(429, headers={"retry-after": "0.5"}), OK)

    async def two() -> None:
        async with client(script, concurrency=1) as http:
            await asyncio.gather(http.request("GET", "/a"), http.request("GET", "/b"))

    asyncio.run(two())
    assert script.times[1] - script.times[0] >= 0.5
    assert script.times[2] - script.times[0] >= 0.5


def send_many(script: Script, count: int, **options: Any) -> None:
    async def run() -> None:
        async with client(script, concurrency=16, **options) as http:
            await asyncio.gather(*(http.request("GET", f"/{number}") for number in range(count)))

    asyncio.run(run())


def most_in_any(times: Iterable[float], seconds: float) -> int:
    ordered = sorted(times)
    return max(sum(1 for other in ordered if start <= other < start + seconds) for start in ordered)


def test_several_windows_hold_at_once() -> None:
    script = Script(OK)
    send_many(script, 25, limits=(RateWindow(5, 0.2), RateWindow(12, 0.7)))
    assert most_in_any(script.times, 0.2) <= 5
    assert most_in_any(script.times, 0.7) <= 12


def test_the_limit_is_learned_from_the_answer() -> None:
    script = Script(httpx.Response(200, json={}, headers={"X-RateLimit-Limit": "4"}))

    async def run() -> None:
        async with client(
            script, limits=(RateWindow(1000, 0.5),), limit_header=("X-RateLimit-Limit", 0.5)
        ) as http:
            await http.request("GET", "/first")
            await asyncio.gather(*(http.request("GET", f"/{number}") for number in range(8)))

    asyncio.run(run())
    assert most_in_any(script.times[1:], 0.5) <= 4


def test_connections_at_once_are_bounded() -> None:
    running, most = 0, 0

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            return httpx.Response(200, json={})

    async def run() -> None:
        async with HttpClient("bounded", base_url="http://api.test", transport=Slow(), concurrency=3) as http:
            await asyncio.gather(*(http.request("GET", f"/{number}") for number in range(12)))

    asyncio.run(run())
    assert most == 3


def test_secrets_never_reach_an_error() -> None:
    body = {"error": "bad api_password: hunter2", "access_token": "eyJhbGciOi"}
    with pytest.raises(Refused) as failure:
        ask(Script(httpx.Response(401, json=body)), secrets=("hunter2",))
    said = f"{failure.value} {failure.value.body}"
    assert "hunter2" not in said
    assert "eyJhbGciOi" not in said


@pytest.mark.parametrize(
    "text", ["Authorization: Bearer abc.def", "api_key=abc.def", '{"token": "abc.def"}', "password: abc.def"]
)
def test_what_looks_like_a_secret_is_redacted(text: str) -> None:
    assert "abc.def" not in redact(text)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"0.1", 0.1),
        (b"123456789012345", 123456789012345),
        (b"99999999999999999999", 99999999999999999999),
        (b"0.12345678901234567", "0.12345678901234567"),
        (b"123456789012.3456789", "123456789012.3456789"),
        (b'{"a": [1.5, 1234567890.12345678]}', {"a": [1.5, "1234567890.12345678"]}),
    ],
)
def test_numbers_are_exact_or_kept_as_text(content: bytes, value: object) -> None:
    assert parse_json(content) == value


def test_requests_retries_and_throttles_are_counted() -> None:
    script = Script(httpx.Response(429, headers={"retry-after": "0"}), httpx.Response(503), OK)

    async def run() -> tuple[int, int, int]:
        async with client(script) as http:
            await http.request("GET", "/x")
            return http.statistics.requests, http.statistics.retries, http.statistics.throttled

    assert asyncio.run(run()) == (3, 2, 1)


def test_a_webhook_may_answer_anything() -> None:
    script = Script(httpx.Response(200, content=b"ok"))

    async def run() -> Answer:
        async with client(script) as http:
            return await http.request("POST", "/hook", json={"text": "x"}, as_json=False)

    assert asyncio.run(run()).data is None


@pytest.mark.parametrize(
    ("meaning", "kind", "requests"),
    [("refused", Refused, 1), ("missing", NotFound, 1), ("failed", Unavailable, 3)],
)
def test_what_an_answer_means_may_be_another_thing_than_its_status(
    meaning: Meaning, kind: type[RemoteError], requests: int
) -> None:
    script = Script(httpx.Response(200, json={"errors": ["no"]}, headers={"retry-after": "0"}))
    with pytest.raises(kind, match=r"answered 200.*docs/markets\.md") as failure:
        ask(script, meaning=lambda status, body: meaning if status == 200 and b"errors" in body else None)
    assert (failure.value.status, len(script.requests)) == (200, requests)


def test_an_answer_that_says_it_is_busy_is_waited_out() -> None:
    script = Script(httpx.Response(200, content=b"busy", headers={"retry-after": "0.1"}), OK)
    answer = ask(script, meaning=lambda _, body: "busy" if body == b"busy" else None)
    assert (answer.data, len(script.requests)) == ({"data": [1]}, 2)


def test_raw_control_characters_inside_strings_are_read_and_broken_json_is_not() -> None:
    assert parse_json(b'{"a": "line\nend\ttab", "b": 1.5}') == {"a": "line\nend\ttab", "b": 1.5}
    for broken in (b'{"a": NaN}', b'{"a": "cut'):
        with pytest.raises(ValueError, match=r".+"):
            parse_json(broken)
