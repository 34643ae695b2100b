"""What a URL that a person wrote may reach, and what it may not."""

from __future__ import annotations

import asyncio
import http.server
import threading
from collections.abc import Iterator, Sequence

import httpx
import pytest

from karvon.addresses import Exceptions, ForbiddenAddress, GuardedTransport, check_url, is_public

PUBLIC = "93.184.215.14"
SANDBOX = Exceptions(loopback=True)


def _inner(_host: str, _port: int) -> Sequence[str]:
    return ["10.0.0.7"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.255.255.254", "0.0.0.7", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "::ffff:a9fe:a9fe", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",
        "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_an_inner_address_is_refused_in_every_form(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(ForbiddenAddress, match="not on the public internet"):
        check_url("https://shop.example/a.png", resolver=lambda _h, _p: [address])


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:8.8.8.8"]
)
def test_a_public_address_is_allowed(address: str) -> None:
    assert check_url("https://shop.example/a.png", resolver=lambda _h, _p: [address]) == (address,)


@pytest.mark.parametrize(
    "url",
    [
        "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/",
        "http://127.0.0.1/", "http://127.0.0.1./", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://localhost/",
        "http://[::ffff:7f00:1]:8080/", "http://169.254.169.254/latest/meta-data/", "http://①②⑦.⓪.⓪.①/",
        "http://0/", "file:///etc/passwd", "ftp://shop.example/", "gopher://shop.example/", "//shop.example/a",
        "http://", "not a url", "http://user:secret@shop.example/", "http://[fe80::1%25eth0]/",
    ],
)  # fmt: skip
def test_urls_that_lead_inside_or_nowhere_are_refused_without_a_request(url: str) -> None:
    with pytest.raises(ForbiddenAddress) as told:
        check_url(url)
    assert "secret" not in str(told.value)


def test_one_inner_address_among_public_ones_is_enough_to_refuse() -> None:
    with pytest.raises(ForbiddenAddress, match="leads to 10"):
        check_url("https://shop.example/", resolver=lambda _h, _p: [PUBLIC, "10.0.0.5"])


def test_a_host_that_cannot_be_resolved_is_told() -> None:
    def fails(_host: str, _port: int) -> Sequence[str]:
        raise OSError("Name or service not known")

    with pytest.raises(ForbiddenAddress, match="cannot be resolved"):
        check_url("https://nowhere.example/", resolver=fails)


def test_the_sandbox_may_reach_this_machine_and_nothing_else_inside() -> None:
    assert check_url("http://127.0.0.1:8791/plytix/files/a.png", SANDBOX)
    assert check_url("http://[::1]:8791/", SANDBOX)
    with pytest.raises(ForbiddenAddress):
        check_url("http://192.168.1.1/", SANDBOX)
    with pytest.raises(ForbiddenAddress):
        check_url("http://2130706433/", SANDBOX)


def test_an_operator_can_allow_a_host_by_its_name() -> None:
    listed = Exceptions(hosts=frozenset({"dam.internal"}))
    assert check_url("https://DAM.internal/a.png", listed, _inner) == ("10.0.0.7",)
    with pytest.raises(ForbiddenAddress):
        check_url("https://other.internal/a.png", listed, _inner)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, _, target = self.path.partition("/to/")
        if target:
            self.send_response(302)
            self.send_header("Location", target)
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.headers["Host"].encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _get(url: str, transport: httpx.AsyncBaseTransport) -> httpx.Response:
    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
            return await client.get(url)

    return asyncio.run(get())


def test_a_request_goes_to_the_checked_address_under_the_name_that_was_asked(port: int) -> None:
    transport = GuardedTransport(SANDBOX, lambda _h, _p: ["127.0.0.1"])
    assert _get(f"http://shop.example:{port}/a.png", transport).text == f"shop.example:{port}"


def test_a_name_that_changes_its_answer_is_connected_to_where_it_was_checked(port: int) -> None:
    """The second look at the name, which a client of its own would take, is never taken."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    asked = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    assert _get(f"http://shop.example:{port}/", GuardedTransport(SANDBOX, rebinding)).status_code == 200
    assert asked == ["shop.example"]


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/", "http://10.0.0.1/", "http://2130706433/"]
)
def test_a_redirect_that_leads_inside_is_refused(port: int, target: str) -> None:
    with pytest.raises(ForbiddenAddress):
        _get(f"http://127.0.0.1:{port}/to/{target}", GuardedTransport(SANDBOX))


def test_a_relative_redirect_stays_with_the_name(port: int) -> None:
    transport = GuardedTransport(SANDBOX, lambda _h, _p: ["127.0.0.1"])
    answer = _get(f"http://shop.example:{port}/to//elsewhere", transport)
    assert (answer.text, answer.url.host, answer.url.path) == (
        f"shop.example:{port}",
        "shop.example",
        "/elsewhere",
    )


def test_the_next_address_is_tried_when_one_does_not_answer(port: int) -> None:
    transport = GuardedTransport(SANDBOX, lambda _h, _p: ["127.0.0.2", "127.0.0.1"])
    assert _get(f"http://shop.example:{port}/", transport).status_code == 200


def test_a_redirect_between_allowed_addresses_is_followed(port: int) -> None:
    there = f"http://127.0.0.1:{port}"
    assert _get(f"{there}/to/{there}/b", GuardedTransport(SANDBOX)).text == f"127.0.0.1:{port}"


def test_a_host_has_one_pool_of_connections_however_often_it_is_asked(port: int) -> None:
    made: list[httpx.AsyncBaseTransport] = []

    def connect() -> httpx.AsyncBaseTransport:
        made.append(httpx.AsyncHTTPTransport(trust_env=False))
        return made[-1]

    there = f"http://127.0.0.1:{port}"
    _get(f"{there}/to/{there}/b", GuardedTransport(SANDBOX, connect=connect))
    assert len(made) == 1


def test_a_host_is_looked_up_once_for_many_requests_and_again_when_it_cannot_be_reached(port: int) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]])
    transport = GuardedTransport(SANDBOX, lambda _host, _port: next(answers))

    async def ask() -> None:
        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(3):
                assert (await client.get(f"http://shop.example:{port}/")).status_code == 200
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://other.example:{port}/")
            assert (await client.get(f"http://other.example:{port}/")).status_code == 200

    asyncio.run(ask())


def test_a_host_that_leads_inside_when_it_is_looked_up_anew_is_refused(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("karvon.addresses._KNOWN_SECONDS", 0.0)
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    transport = GuardedTransport(SANDBOX, lambda _host, _port: next(answers))

    async def ask() -> None:
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.get(f"http://shop.example:{port}/")).status_code == 200
            with pytest.raises(ForbiddenAddress):
                await client.get(f"http://shop.example:{port}/")

    asyncio.run(ask())
