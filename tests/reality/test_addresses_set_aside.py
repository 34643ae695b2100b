"""An address that a user gives leads to the public internet, and not inside, in no disguise."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator

import httpx
import pytest
from raw_server import RawServer, serving, whole

from karvon.addresses import Exceptions, ForbiddenAddress, GuardedTransport, check_url, is_public

# One address out of each line of IANA's registries, and of the clouds' own.
_SET_ASIDE = [
    "0.1.2.3", "10.20.30.40", "100.64.7.7", "100.100.100.200", "127.0.0.53", "169.254.170.2", "169.254.169.123",
    "172.31.255.254", "192.0.0.8", "192.0.0.10", "192.0.0.192", "192.0.2.55", "192.31.196.1", "192.52.193.9",
    "192.88.99.1", "192.168.100.1", "192.175.48.42", "198.19.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.251",
    "239.255.255.250", "247.1.1.1", "255.255.255.255", "168.63.129.16", "161.26.0.10", "166.9.14.1", "192.80.8.124",
    "::", "::1", "::2", "64:ff9b:1::808:808", "100::5", "100:0:0:1::5", "2001::1", "2001:1::1", "2001:2::7",
    "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::9", "2001:30::1", "2001:db8:5::1", "2002:808:808::1",
    "2620:4f:8000::1", "3fff:123::1", "3fff:fff::1", "4000::1", "5f00::1", "fc00::9", "fd00:ec2::254", "fd20:ce::254",
    "fd00:42::42", "fe80::a9fe:a9fe", "fec0::1", "ff02::1", "ff0e::1",
]  # fmt: skip
_INNER = ["127.0.0.1", "10.0.0.7", "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192"]
_PUBLIC = ["1.1.1.1", "9.9.9.9", "192.0.1.1", "168.63.129.17", "100.128.0.1", "172.32.0.1", "198.20.0.1",
           "223.255.255.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2600:1f18::1"]  # fmt: skip


def _disguises(address: str) -> Iterator[str]:
    """IPv6 forms around an IPv4 address: mapped, compatible, SIIT, NAT64, ISATAP, 6to4, Teredo as server and client."""
    inner = int(ipaddress.IPv4Address(address))
    networks = ("::ffff:0:0", "::", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "2606:4700:0:0:0:5efe:0:0",
                "2606:4700:0:0:200:5efe:0:0")  # fmt: skip
    for network in networks:
        yield str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(network)) | inner))
    yield str(ipaddress.IPv6Address((0x2002 << 112) | (inner << 80) | 1))
    yield str(ipaddress.IPv6Address((0x2001 << 112) | (inner << 64) | 1))
    yield str(ipaddress.IPv6Address((0x2001 << 112) | (0x08080808 << 64) | (inner ^ 0xFFFFFFFF)))


@pytest.mark.parametrize("address", [*_SET_ASIDE, *(one for inner in _INNER for one in _disguises(inner))])
def test_what_is_set_aside_is_refused(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(ForbiddenAddress, match="not on the public internet"):
        check_url("https://shop.example/rows", resolver=lambda _h, _p: [address])


@pytest.mark.parametrize("address", [*_PUBLIC, "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_what_is_public_is_reached(address: str) -> None:
    assert check_url("https://shop.example/rows", resolver=lambda _h, _p: [address]) == (address,)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_the_sandbox_reaches_this_machine_and_nothing_else_that_is_inside(address: str) -> None:
    sandbox = Exceptions(loopback=True)
    assert check_url("http://here.example/", sandbox, lambda _h, _p: [address]) == (address,)
    for inside in ("10.0.0.7", "169.254.169.254", "0.0.0.0", "::", "fd00::1"):  # noqa: S104 - refused
        with pytest.raises(ForbiddenAddress):
            check_url("http://here.example/", sandbox, lambda _h, _p, inside=inside: [address, inside])


def test_without_an_exception_this_machine_is_not_reached() -> None:
    with pytest.raises(ForbiddenAddress):
        check_url("http://here.example/", Exceptions(loopback=False), lambda _h, _p: ["127.0.0.1"])


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with serving() as one:
        yield one


@pytest.mark.parametrize(
    "inside",
    ["http://169.254.169.254/latest/meta-data", "http://168.63.129.16/machine", "http://[fd00:ec2::254]/x"],
)
def test_a_redirect_leads_nowhere_inside(server: RawServer, inside: str) -> None:
    server.answers["/go"] = lambda _asked, _before: [whole(b"", 302, Location=inside)]

    async def go() -> None:
        transport = GuardedTransport(Exceptions(loopback=True))
        async with httpx.AsyncClient(transport=transport, follow_redirects=True) as client:
            await client.get(f"{server.url}/go")

    with pytest.raises(ForbiddenAddress):
        asyncio.run(go())
