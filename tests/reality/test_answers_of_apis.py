"""Whatever an API answers ends in time and in the one tree of errors, and a limit is waited out however it is told."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import time
import tracemalloc
import zlib
from collections.abc import Generator, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from raw_server import Answering, Asked, RawServer, Said, serving, whole

from karvon.http import Answer, HttpClient, Malformed, Refused, RemoteError, Throttled, Unavailable

_names = itertools.count()
_ROWS = b'{"rows": [1, 2]}'


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with serving() as one:
        yield one


def _ask(server: RawServer, answer: Answering, *, method: str = "GET", **options: Any) -> Answer:
    path = f"/{next(_names)}"
    server.answers[path] = answer
    server.asked.clear()
    sent = {name: options.pop(name) for name in ("repeatable", "as_json") if name in options}

    async def once() -> Answer:
        async with HttpClient(f"said:{path}", base_url=server.url, **{"attempts": 2, **options}) as http:
            return await http.request(method, path, **sent)

    return asyncio.run(once())


def _always(answer: bytes) -> Answering:
    return lambda _asked, _before: [answer]


def _first(answer: bytes, then: bytes = whole(_ROWS)) -> Answering:
    return lambda _asked, before: [then if before else answer]


def _dripping_head(_: Asked, __: int) -> Iterable[Said]:
    yield b"HTTP/1.1 200 Said\r\n"
    for number in range(100):
        yield f"X-{number}: 1\r\n".encode()
        yield 0.2


def _dripping_body(_: Asked, __: int) -> Iterable[Said]:
    yield b"HTTP/1.1 200 Said\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    for _ in range(100):
        yield b" "
        yield 0.2


def _silence(_: Asked, __: int) -> Iterable[Said]:
    yield 20.0


@pytest.mark.parametrize("answer", [_dripping_head, _dripping_body, _silence])
@pytest.mark.parametrize("repeatable", [True, False])
def test_a_slow_answer_ends_with_the_budget_of_the_request(
    server: RawServer, answer: Answering, repeatable: bool
) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match=r"within the 0\.5 s") as told:
        _ask(server, answer, method="POST", repeatable=repeatable, budget_seconds=0.5)
    assert time.monotonic() - began < 2
    assert told.value.outcome_unknown
    assert len(server.asked) == 1


def test_a_pause_that_an_api_asks_for_is_not_waited_out_beyond_the_budget(server: RawServer) -> None:
    server.answers["/pausing"] = _always(whole("{}", 429, Retry_After="40"))

    async def two() -> list[Any]:
        async with HttpClient("said:pausing", base_url=server.url, budget_seconds=1) as http:
            first = await asyncio.gather(http.request("GET", "/pausing"), return_exceptions=True)
            return [*first, *await asyncio.gather(http.request("GET", "/pausing"), return_exceptions=True)]

    began = time.monotonic()
    assert [type(one) for one in asyncio.run(two())] == [Throttled, Throttled]
    assert time.monotonic() - began < 1
    assert server.times("/pausing") == 1


_GZIP = gzip.compress(_ROWS * 50)
_BAD_BODIES = {
    "a gzip that is none": whole(b"not packed at all", Content_Encoding="gzip"),
    "a gzip cut short": whole(_GZIP[:-12], Content_Encoding="gzip"),
    "a gzip cut in its head": whole(_GZIP[:5], Content_Encoding="gzip"),
    "a gzip with a wrong sum": whole(_GZIP[:-8] + b"\0" * 8, Content_Encoding="gzip"),
    "a coding nobody asked for": whole(_GZIP, Content_Encoding="br"),
    "deep lists": whole(b"[" * 200_000 + b"]" * 200_000),
    "deep objects": whole(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "deep lists with a long number": whole(b"[" * 5000 + b"1.23456789012345678901" + b"]" * 5000),
    "a body shorter than it says": whole(_ROWS, Content_Length="500"),
    "CSV": whole("id;sum\n1;2\n", Content_Type="text/csv; charset=utf-8"),
    "lines of JSON": whole('{"id": 1}\n{"id": 2}\n', Content_Type="application/x-ndjson"),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no number in NaN": whole(b'{"rows": [NaN]}'),
}


@pytest.mark.parametrize("what", _BAD_BODIES)
def test_a_rotten_answer_is_an_error_of_the_tree(server: RawServer, what: str) -> None:
    began = time.monotonic()
    with pytest.raises((Malformed, Unavailable)) as told:
        _ask(server, _always(_BAD_BODIES[what]))
    assert time.monotonic() - began < 5
    assert len(str(told.value)) < 900
    # What is cut or rotten may be whole the next time; what is only of another kind, or deep, will not.
    assert len(server.asked) == (1 if "deep" in what or what in ("CSV", "lines of JSON") else 2)
    named = {"CSV": "text/csv", "lines of JSON": "application/x-ndjson", "a gzip cut short": "cut short"}
    assert named.get(what, "") in str(told.value)


@pytest.mark.parametrize(
    "packed",
    [
        whole(_GZIP, Content_Encoding="gzip"),
        whole(gzip.compress(_ROWS * 25) + gzip.compress(_ROWS * 25), Content_Encoding="x-gzip"),
        whole(_GZIP + b"\0" * 20, Content_Encoding="GZIP"),
        whole(zlib.compress(_ROWS * 50), Content_Encoding="deflate"),
        whole(zlib.compress(_ROWS * 50)[2:-4], Content_Encoding="deflate"),
        whole(gzip.compress(_GZIP), Content_Encoding="gzip, gzip"),
        whole(_ROWS * 50, Content_Encoding="identity"),
    ],
)
def test_packed_answers_are_read(server: RawServer, packed: bytes) -> None:
    text = packed.replace(b"application/json", b"text/plain")
    with pytest.raises(Malformed, match="begins") as told:
        _ask(server, _always(text), attempts=1)
    assert told.value.body.startswith('{"rows": [1, 2]}{"rows": [1, 2]}')


def test_an_empty_body_that_is_called_packed_is_empty(server: RawServer) -> None:
    assert _ask(server, _always(whole(b"", Content_Encoding="gzip"))).data is None


def test_a_byte_order_mark_and_utf_16_are_read(server: RawServer) -> None:
    for content in (b"\xef\xbb\xbf" + _ROWS, _ROWS.decode().encode("utf-16")):
        assert _ask(server, _always(whole(content))).data == {"rows": [1, 2]}


def test_a_bomb_is_stopped_at_the_size_that_is_allowed(server: RawServer) -> None:
    bomb = gzip.compress(gzip.compress(b"0" * 200_000_000, 1), 9)
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(Malformed, match="more than 4000000 bytes"):
        _ask(server, _always(whole(bomb, Content_Encoding="gzip, gzip")), max_body_bytes=4_000_000)
    assert tracemalloc.get_traced_memory()[1] < 40_000_000
    tracemalloc.stop()


class _SignsInAgain(httpx.Auth):
    """httpx reads a refusal whole before it asks again."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        for _ in range(2):
            answer = yield request
            if answer.status_code != 401:
                return


def test_a_bomb_in_what_a_sign_in_reads_is_stopped_too(server: RawServer) -> None:
    bomb = whole(gzip.compress(b"0" * 50_000_000), 401, Content_Encoding="gzip")
    tracemalloc.start()
    with pytest.raises(Unavailable, match="larger than 100000 bytes"):
        _ask(server, _always(bomb), auth=_SignsInAgain(), max_body_bytes=100_000)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_an_error_stays_one_although_its_body_is_rotten(server: RawServer) -> None:
    with pytest.raises(Refused, match="answered 401"):
        _ask(server, _always(whole(b"junk", 401, Content_Encoding="gzip")))


def test_a_receiver_that_took_a_message_is_not_sent_it_again_for_its_rotten_answer(server: RawServer) -> None:
    answer = _always(whole(b"junk", 200, Content_Encoding="gzip"))
    assert _ask(server, answer, method="POST", as_json=False).status == 200
    assert len(server.asked) == 1


def _date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


_LIMITS = {
    "429": whole("{}", 429, Retry_After="0"),
    "with a point": whole("{}", 429, Retry_After="1.0"),
    "with a point and no digit": whole("{}", 429, Retry_After="1."),
    "a date": whole("{}", 429, Retry_After=_date(1), Date=_date(0)),
    "a date by a clock that is hours wrong": whole("{}", 429, Retry_After=_date(7201), Date=_date(7200)),
    "a date that is past": whole("{}", 429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
    "no number": whole("{}", 429, Retry_After="soon"),
    "a sign that only looks like a digit": whole("{}", 429, Retry_After="\u00b2"),
    "403 with a time": whole('{"message": "slow down"}', 403, Retry_After="1"),
    "403 with nothing left": whole("{}", 403, X_RateLimit_Remaining="0", X_RateLimit_Reset="1"),
    "400 with a time": whole("{}", 400, Retry_After="1"),
    "420": whole("{}", 420),
}


@pytest.mark.parametrize(
    ("what", "repeatable"),
    [*((what, True) for what in _LIMITS), ("429", False), ("403 with a time", False)],
)
def test_a_limit_is_waited_out_however_it_is_told(server: RawServer, what: str, repeatable: bool) -> None:
    began = time.monotonic()
    answer = _ask(server, _first(_LIMITS[what]), repeatable=repeatable, attempts=1, budget_seconds=20)
    assert (answer.data, len(server.asked)) == ({"rows": [1, 2]}, 2)
    assert time.monotonic() - began < 3
    assert time.monotonic() - began > (0.9 if "Retry-After: 1" in _LIMITS[what].decode("latin-1") else 0)


@pytest.mark.parametrize(
    "answer",
    [
        whole('{"message": "Forbidden"}', 403),
        whole('{"message": "Forbidden"}', 403, X_RateLimit_Remaining="4999", X_RateLimit_Reset="1"),
        whole("{}", 400), whole("{}", 404, Retry_After="1"), whole("{}", 401, Retry_After="1"),
    ],
)  # fmt: skip
def test_what_is_no_limit_is_a_refusal(server: RawServer, answer: bytes) -> None:
    with pytest.raises(Refused):
        _ask(server, _always(answer))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "stated", ["99999999999999999999", "9" * 300, _date(10**8)], ids=["number", "long number", "date"]
)
def test_a_wait_that_nobody_can_mean_ends_the_request_and_not_the_account(
    server: RawServer, stated: str
) -> None:
    with pytest.raises(Throttled):
        _ask(server, _always(whole("{}", 429, Retry_After=stated)), budget_seconds=3)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 507, 520, 599])
def test_a_create_that_ended_in_a_fault_of_the_server_may_have_happened(
    server: RawServer, status: int
) -> None:
    with pytest.raises(Unavailable) as told:
        _ask(server, _always(whole("{}", status)), method="POST", repeatable=False)
    assert told.value.outcome_unknown
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_create_that_was_refused_has_surely_not_happened(server: RawServer, status: int) -> None:
    with pytest.raises(RemoteError) as told:
        _ask(server, _always(whole("{}", status)), method="POST", repeatable=False)
    assert not told.value.outcome_unknown


def test_an_address_that_is_none_is_refused(server: RawServer) -> None:
    async def once() -> None:
        async with HttpClient("said:none", base_url=server.url) as http:
            await http.request("GET", "http://[::1/rows")

    with pytest.raises(Refused, match="is no URL"):
        asyncio.run(once())
