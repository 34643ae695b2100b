"""Every request a sandbox answered, so that tests can count what a client really sent."""

import re
from collections import Counter, deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

KEPT_REQUESTS = 50_000
KEPT_BODY_CHARS = 20_000


@dataclass(frozen=True)
class LoggedRequest:
    """`status` is 0 when the connection was dropped instead of answered."""

    seq: int
    at: str
    vendor: str
    account: str
    method: str
    path: str
    query: str
    body: Any
    status: int
    milliseconds: float


class RequestLog:
    """The last requests, in order of their answers; `seq` goes on counting when old ones are forgotten."""

    def __init__(self) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=KEPT_REQUESTS)
        self._seq = 0

    def add(
        self,
        *,
        vendor: str,
        account: str,
        method: str,
        path: str,
        query: str,
        body: bytes,
        status: int,
        seconds: float,
    ) -> None:
        self._seq += 1
        self._entries.append(
            LoggedRequest(
                self._seq, datetime.now(UTC).isoformat(), vendor, account, method, path, query,
                readable_body(path, body), status, round(seconds * 1000, 2),
            )
        )  # fmt: skip

    @property
    def last_seq(self) -> int:
        return self._seq

    def clear(self) -> None:
        self._entries.clear()

    def select(
        self,
        *,
        since: int = 0,
        vendor: str = "",
        account: str = "",
        method: str = "",
        path: str = "",
        limit: int = 0,
    ) -> list[dict[str, Any]]:
        """Entries after `since`; `path` is a regular expression found anywhere in the path."""
        wanted = re.compile(path)
        found = [
            asdict(entry)
            for entry in self._entries
            if entry.seq > since
            and (not vendor or entry.vendor == vendor)
            and (not account or entry.account == account)
            and (not method or entry.method == method.upper())
            and wanted.search(entry.path)
        ]
        return found[:limit] if limit else found

    def summary(self, *, since: int = 0) -> dict[str, Any]:
        """Counts by vendor, method, path with ids replaced, and status."""
        counts: Counter[tuple[str, str, str, str, int]] = Counter()
        for entry in self._entries:
            if entry.seq > since:
                counts[entry.vendor, entry.account, entry.method, path_shape(entry.path), entry.status] += 1
        rows = [
            {
                "vendor": vendor,
                "account": account,
                "method": method,
                "path": path,
                "status": status,
                "count": count,
            }
            for (vendor, account, method, path, status), count in sorted(counts.items())
        ]
        return {"last_seq": self._seq, "total": sum(counts.values()), "requests": rows}


def path_shape(path: str) -> str:
    """`/products/5f0c8c9e1c9d440000a1b2c3`, `/product/17` and all their kind become `/products/{id}`."""
    shape = re.sub(r"[0-9a-f]{24}|(?<=/)\d+(?=/|$)", "{id}", path)
    return re.sub(r"(/plytix/(?:files|thumbs)/).*", r"\1{file}", shape)


def readable_body(path: str, body: bytes) -> Any:
    """The parsed JSON body, or its text cut short; never the credentials sent to a token endpoint."""
    if not body:
        return None
    if path.endswith("/get-token"):
        return "(credentials)"
    if len(body) > KEPT_BODY_CHARS:
        return body[:KEPT_BODY_CHARS].decode("utf-8", "replace") + "…"
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
