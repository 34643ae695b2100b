"""Fixed windows per vendor and account, as the dossiers describe the remote limits."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sandbox.state import Collection

# High enough for the default world to synchronise in seconds; tests set the real ones.
DEFAULT_LIMITS: dict[str, list[dict[str, float]]] = {
    "plytix": [{"requests": 2000, "seconds": 10}, {"requests": 200_000, "seconds": 3600}],
    "plytix_auth": [{"requests": 8, "seconds": 1}],
    "webflow": [{"requests": 6000, "seconds": 60}],
    # The Seller API keeps its own limits (sandbox/uzum/seller_limits.py).
    "uzum": [{"requests": 2000, "seconds": 1}],
    "uzum_graphql": [{"requests": 100, "seconds": 1}],
    "uzex": [{"requests": 2000, "seconds": 1}],
}


class Verdict(NamedTuple):
    """`retry_after` is None when the request may pass; `limit` and `remaining` are of the tightest window."""

    limit: int | None
    remaining: int
    retry_after: int | None


class RateLimits:
    """A window opens with a request and fails every call over its number until it ends."""

    def __init__(self, stored: Collection, clock: Callable[[], float] = time.monotonic) -> None:
        self._stored = stored
        self._clock = clock
        self._windows: dict[tuple[str, str, float], tuple[float, int]] = {}

    def of(self, vendor: str) -> list[dict[str, float]]:
        stored = self._stored.get(vendor)
        return DEFAULT_LIMITS.get(vendor, []) if stored is None else stored["windows"]

    def as_dict(self) -> dict[str, Any]:
        return {vendor: self.of(vendor) for vendor in DEFAULT_LIMITS}

    def set(self, vendor: str, windows: list[dict[str, float]]) -> None:
        """An empty list lifts the limit. Raises ValueError for an unknown vendor or a malformed window."""
        if vendor not in DEFAULT_LIMITS:
            raise ValueError(f"unknown vendor {vendor!r}; known: {', '.join(DEFAULT_LIMITS)}")
        for window in windows:
            if set(window) != {"requests", "seconds"} or min(window.values()) <= 0:
                raise ValueError(f"a window is {{requests, seconds}} with numbers over 0, not {window!r}")
        self._stored.put(vendor, {"windows": windows})
        self._windows.clear()

    def reset(self) -> None:
        self._stored.clear()
        self._windows.clear()

    def admit(self, vendor: str, account: str) -> Verdict:
        """Count one request on all windows at once, or refuse it."""
        now = self._clock()
        tightest = Verdict(None, 0, None)
        for window in self.of(vendor):
            key = (vendor, account, window["seconds"])
            opened, used = self._windows.get(key, (now, 0))
            if now - opened >= window["seconds"]:
                opened, used = now, 0
            limit = int(window["requests"])
            if used >= limit:
                return Verdict(limit, 0, max(1, math.ceil(opened + window["seconds"] - now)))
            self._windows[key] = (opened, used + 1)
            if tightest.limit is None or limit - used - 1 < tightest.remaining:
                tightest = Verdict(limit, limit - used - 1, None)
        return tightest
