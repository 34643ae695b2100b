"""The guard for addresses that people write down: a URL may lead to the public internet and nowhere else.

Every address that a host resolves to is checked, and the connection goes to exactly the address that was
checked, so that a name that changes its answer gains nothing. Each redirect is a request of its own and is
checked again. What is inside (loopback, private and link-local networks, metadata services) is refused, and everything
else that IANA has set aside, in every spelling: decimal, octal and hexadecimal hosts, IPv6 forms that carry an IPv4
address.

`check_url` tells beforehand; `GuardedTransport` keeps httpx to it. Exceptions are made by name only: loopback for
the sandbox, and the hosts that the operator lists.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from karvon.http import certificates

Resolver = Callable[[str, int], Sequence[str]]
"""(host, port) → every address of the host as text; raises OSError."""
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443}
_KNOWN_SECONDS = 30.0
"""How long the addresses of a host are gone by before it is resolved, and checked, anew."""
_NUMBER = re.compile(r"^(0x[0-9a-f]*|[0-9]+)$", re.IGNORECASE)
# IANA's special-purpose registry for IPv4 (RFC 6890 and later), multicast, and what clouds answer to their own machines
# beside it: Azure's wire server, IBM's service networks, Equinix' metadata.
_SET_ASIDE_4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16",
            "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "168.63.129.16/32", "161.26.0.0/16", "166.8.0.0/14", "192.80.8.124/32",
        ),
    )
)  # fmt: skip
# Of IPv6 only this has been given out for the public (RFC 4291), less what the registry sets aside in it: protocol
# assignments with Teredo, ORCHID and benchmarking, documentation, 6to4, AS112.
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_SET_ASIDE_6 = tuple(
    map(
        ipaddress.IPv6Network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
# Addresses that stand for an IPv4 address in their last 32 bits and reach it: mapped, and translated (NAT64).
_WITH_IPV4 = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))
_ISATAP = (0x00005EFE, 0x02005EFE)


class ForbiddenAddress(Exception):
    """A URL that must not be fetched; the message says which and why, without its path and query."""


@dataclass(frozen=True)
class Exceptions:
    """What may be reached although it is not public: this machine (sandbox), and hosts by name."""

    loopback: bool = False
    hosts: frozenset[str] = frozenset()


def resolve(host: str, port: int) -> Sequence[str]:
    """Every address that the system knows for a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_url(
    url: str,
    exceptions: Exceptions = Exceptions(),
    resolver: Resolver = resolve,
) -> tuple[str, ...]:
    """The addresses that a URL leads to, all of them allowed. Raises `ForbiddenAddress`."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ForbiddenAddress(f"{url[:100]!r} is no URL: {error}") from None
    _refuse_odd(parsed)
    return _resolved(parsed, exceptions, resolver)


def is_public(address: str) -> bool:
    """Whether an address is on the public internet, whatever form it is written in."""
    known = _carried(ipaddress.ip_address(address.partition("%")[0]))
    if isinstance(known, ipaddress.IPv4Address):
        return not any(known in network for network in _SET_ASIDE_4)
    if known not in _PUBLIC_6 or any(known in network for network in _SET_ASIDE_6):
        return False
    # A host behind a tunnel of its own site (RFC 5214): its inner address says where it is.
    inner = ipaddress.IPv4Address(int(known) & 0xFFFFFFFF)
    return (int(known) >> 32) & 0xFFFFFFFF not in _ISATAP or is_public(str(inner))


class GuardedTransport(httpx.AsyncBaseTransport):
    """An httpx transport that connects only to addresses that were checked, hop by hop.

    Raises `ForbiddenAddress` for a request, or a redirect, that leads elsewhere. Proxies of the environment are
    not used: nobody could say where they lead.
    """

    def __init__(
        self,
        exceptions: Exceptions = Exceptions(),
        resolver: Resolver = resolve,
        connect: Callable[[], httpx.AsyncBaseTransport] = lambda: httpx.AsyncHTTPTransport(
            verify=certificates(), trust_env=False
        ),
    ) -> None:
        self._exceptions, self._resolver, self._connect = exceptions, resolver, connect
        # One per host: connections are kept by address, and one that was secured for a host serves no other.
        self._inner: dict[str, httpx.AsyncBaseTransport] = {}
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        addresses = await self._addresses(request.url)
        host = request.url.host
        if host not in self._inner:
            self._inner[host] = self._connect()
        inner = self._inner[host]
        for address in addresses:
            try:
                return await inner.handle_async_request(_to(address, request))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        # The host may have moved.
        self._known.pop(host, None)
        raise failure

    async def _addresses(self, url: httpx.URL) -> tuple[str, ...]:
        """Never empty. A name is not looked up for every request, only for every so many seconds."""
        _refuse_odd(url)
        now = time.monotonic()
        until, addresses = self._known.get(url.host, (0.0, ()))
        if until <= now:
            addresses = await asyncio.to_thread(_resolved, url, self._exceptions, self._resolver)
            self._known[url.host] = (now + _KNOWN_SECONDS, addresses)
        return addresses

    async def aclose(self) -> None:
        for inner in self._inner.values():
            await inner.aclose()


def _to(address: str, request: httpx.Request) -> httpx.Request:
    """The same request to one address; the name stays in the Host header and in the certificate's check."""
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )


def _refuse_odd(url: httpx.URL) -> None:
    """What can be said of a URL without asking for its addresses."""
    host = _host(url)
    if url.scheme not in _PORTS or not host:
        raise ForbiddenAddress(f"{url.scheme or 'nothing'}://{host} is no web address; use https://…")
    if url.userinfo:
        raise ForbiddenAddress(f"{host}: a user name or password does not belong into a URL")
    _refuse_disguised(host)


def _host(url: httpx.URL) -> str:
    return url.host.rstrip(".").lower()


def _resolved(url: httpx.URL, exceptions: Exceptions, resolver: Resolver) -> tuple[str, ...]:
    """The addresses of a URL's host, at least one, all allowed."""
    host = _host(url)
    try:
        addresses = tuple(resolver(host, url.port or _PORTS[url.scheme]))
    except (OSError, UnicodeError) as error:
        raise ForbiddenAddress(f"{host} cannot be resolved ({error}); check its spelling") from None
    if not addresses:
        raise ForbiddenAddress(f"{host} has no address; check its spelling")
    if host not in exceptions.hosts:
        for address in addresses:
            _check_address(host, address, exceptions)
    return addresses


def _check_address(host: str, address: str, exceptions: Exceptions) -> None:
    if exceptions.loopback and _carried(ipaddress.ip_address(address.partition("%")[0])).is_loopback:
        return
    if not is_public(address):
        raise ForbiddenAddress(
            f"{host} leads to {address}, which is not on the public internet. If it is meant, an operator can "
            "list the host in KARVON_PRIVATE_HOSTS."
        )


def _refuse_disguised(host: str) -> None:
    """`2130706433`, `0x7f.1` and `127.1` are addresses to some resolvers and names to others."""
    bare = host.strip("[]").partition("%")[0]
    try:
        ipaddress.ip_address(bare)
    except ValueError:
        if _NUMBER.match(bare.rpartition(".")[2]):
            raise ForbiddenAddress(
                f"{host} is an IP address in disguise; write it as four numbers, or use a name"
            ) from None


def _carried(address: IpAddress) -> IpAddress:
    """The address that is reached: of IPv6 forms around an IPv4 address, the inner one."""
    if isinstance(address, ipaddress.IPv6Address) and any(address in network for network in _WITH_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
