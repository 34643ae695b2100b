"""Files fetched from addresses that a catalogue names."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from karvon.addresses import Exceptions, ForbiddenAddress
from karvon.files import fetch_file
from karvon.http import Malformed, NotFound, Refused, RemoteError, Unavailable

_BOMB = gzip.compress(b"0" * 50_000_000)
_PACKED = {"Content-Encoding": "gzip"}
_ANSWERS = {
    "/packed.svg": (200, _PACKED, gzip.compress(b"picture")),
    "/bomb.svg": (200, _PACKED, _BOMB),
    "/bomb-moved.svg": (302, _PACKED | {"Location": "/a.png"}, _BOMB),
    "/bomb-gone.svg": (404, _PACKED, _BOMB),
    "/a.png": (200, {}, b"picture"),
    "/gone.png": (404, {}, b""),
    "/private.png": (403, {}, b""),
    "/broken.png": (200, {"Content-Encoding": "gzip"}, b"not gzip"),
    "/down.png": (503, {}, b""),
    "/inside.png": (302, {"Location": "http://169.254.169.254/latest"}, b""),
    "/round.png": (302, {"Location": "/round.png"}, b""),
    "/moved.png": (302, {"Location": "/a.png"}, b""),
}


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, headers, body = _ANSWERS[self.path.partition("?")[0]]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _fetch(address: str, max_bytes: int = 1000) -> bytes:
    return asyncio.run(fetch_file(address, Exceptions(loopback=True), max_bytes=max_bytes))


def test_a_file_is_fetched_and_redirects_are_followed(url: str) -> None:
    assert _fetch(f"{url}/a.png?w=800") == b"picture"
    assert _fetch(f"{url}/moved.png") == b"picture"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/gone.png", NotFound),
        ("/private.png?signature=secret", Refused),
        ("/down.png", Unavailable),
        ("/broken.png", Unavailable),
        ("/round.png", Unavailable),
        ("/inside.png", ForbiddenAddress),
    ],
)
def test_a_file_that_cannot_be_had_is_an_error_of_ours_without_its_query(
    url: str, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as told:
        _fetch(f"{url}{path}")
    assert "secret" not in str(told.value)


def test_a_file_larger_than_allowed_is_not_read_to_its_end(url: str) -> None:
    with pytest.raises(Malformed, match="more than"):
        _fetch(f"{url}/a.png", max_bytes=3)


def test_a_packed_file_is_unpacked_and_a_bomb_is_not(url: str) -> None:
    assert _fetch(f"{url}/packed.svg") == b"picture"
    tracemalloc.start()
    for path in ("bomb", "bomb-moved", "bomb-gone"):
        with pytest.raises(NotFound if path == "bomb-gone" else Malformed):
            _fetch(f"{url}/{path}.svg", max_bytes=100_000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000, "bytes in memory, of 50,000,000 that were packed"


@pytest.mark.parametrize(
    "address", ["http://", "no url", "http://a b/", "http://[::", "ftp://img.example/a.png"]
)
def test_an_address_that_is_none_is_an_error_of_ours(address: str) -> None:
    with pytest.raises((ForbiddenAddress, RemoteError)):
        _fetch(address)
