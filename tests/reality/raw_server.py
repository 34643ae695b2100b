"""A server on loopback that says exactly the bytes it is told to, as slowly as it is told to."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


Said = bytes | float
"""Bytes to send, or seconds to wait."""
Answering = Callable[[Asked, int], Iterable[Said]]
"""(request, how often its path was asked before) → what is said."""


@dataclass
class RawServer:
    url: str
    asked: list[Asked] = field(default_factory=list)
    answers: dict[str, Answering] = field(default_factory=dict)

    def times(self, path: str) -> int:
        return sum(one.path == path for one in self.asked)


def whole(body: bytes | str, status: int = 200, **headers: str) -> bytes:
    """An answer; names of headers with _ for -."""
    content = body.encode() if isinstance(body, str) else body
    named = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Said\r\n{head}Connection: close\r\n\r\n".encode("latin-1") + content


@contextmanager
def serving() -> Iterator[RawServer]:
    served = RawServer("")

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, target, _ = self.rfile.readline().decode("latin-1").split(" ", 2)
            lines = iter(lambda: self.rfile.readline().decode("latin-1").strip(), "")
            headers = {
                name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)
            }
            body = self.rfile.read(int(headers.get("content-length", 0)))
            parts = urlsplit(target)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            before = served.times(parts.path)
            asked = Asked(method, parts.path, query, headers, body)
            served.asked.append(asked)
            with suppress(OSError):
                for said in served.answers[parts.path](asked, before):
                    if isinstance(said, float):
                        time.sleep(said)
                    else:
                        self.wfile.write(said)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield served
        server.shutdown()
