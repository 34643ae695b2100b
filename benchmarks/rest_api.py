"""A REST API in a process of its own: pages of rows, rendered before it listens, so that serving costs little.

`python -m benchmarks.rest_api PORT ROWS PAGE_ROWS LATENCY_SECONDS`
"""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import orjson

_TEXT = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november"
_WORDS = _TEXT.split()


class Api(NamedTuple):
    """A running API. Page 1 is `{base_url}/products?page=1`; each says `total_pages`, its rows are in `data`."""

    base_url: str
    rows: int
    pages: int


@contextmanager
def running_api(rows: int, page_rows: int, latency_seconds: float = 0) -> Iterator[Api]:
    """Served as long as the block runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    given = [str(one) for one in (port, rows, page_rows, latency_seconds)]
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.rest_api", *given])
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if server.poll() is not None:
                raise RuntimeError("the API did not start")
            time.sleep(0.05)
        yield Api(f"http://127.0.0.1:{port}", rows, -(-rows // page_rows))
    finally:
        server.terminate()
        server.wait(10)


def row(number: int) -> dict[str, Any]:
    """11 fields, among them an object and a list of three texts."""
    chance = random.Random(number)
    return {
        "id": f"{number:08}",
        "sku": f"SKU-{number:07}",
        "name": " ".join(chance.choices(_WORDS, k=5)),
        "price": round(chance.uniform(1, 1000), 2),
        "currency": "UZS",
        "stock": chance.randrange(500),
        "active": number % 3 > 0,
        "updated_at": f"2026-11-{number % 28 + 1:02}T{number % 24:02}:00:00Z",
        "description": " ".join(chance.choices(_WORDS, k=18)),
        "attributes": {
            "color": chance.choice(_WORDS), "size": chance.choice("SMLX"), "weight": chance.randrange(900)
        },
        "tags": chance.sample(_WORDS, 3),
    }  # fmt: skip


def _rendered(rows: int, page_rows: int) -> list[bytes]:
    starts = range(0, rows, page_rows)
    return [
        orjson.dumps(
            {
                "data": [row(number) for number in range(start, min(start + page_rows, rows))],
                "page": page,
                "total_pages": len(starts),
            }
        )
        for page, start in enumerate(starts, 1)
    ]


def _application(pages: list[bytes], latency_seconds: float) -> Callable[..., Awaitable[None]]:
    """Bare ASGI: a framework would take its time from the programs that are measured beside it."""

    async def answer(
        scope: Mapping[str, Any], _receive: Any, send: Callable[[Mapping[str, Any]], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        page = int(dict(part.split(b"=") for part in scope["query_string"].split(b"&"))[b"page"])
        await asyncio.sleep(latency_seconds)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(pages[page - 1]))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": pages[page - 1]})

    return answer


if __name__ == "__main__":
    import uvicorn

    _port, _rows, _page_rows, _latency = sys.argv[1:]
    uvicorn.run(
        _application(_rendered(int(_rows), int(_page_rows)), float(_latency)),
        host="127.0.0.1", port=int(_port), log_level="error", lifespan="off",
    )  # fmt: skip
