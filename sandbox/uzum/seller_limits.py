"""The Seller API's own limits: a bucket that fills again, and a number of requests a day (dossier §1.7)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.state import Switches


@dataclass
class Bucket:
    left: float
    at: float
    day: int
    used_today: int = 0


class SellerLimits:
    """One bucket per token, as the switches `uzum.seller_…` say; not kept over a restart."""

    def __init__(self, switches: Switches, clock: Callable[[], float] = time.time) -> None:
        self._switches = switches
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def admit(self, token: str) -> tuple[dict[str, str], int | None]:
        """The headers that every answer carries, and how many seconds to wait if this request is refused."""
        rate, burst = (
            int(self._switches["uzum.seller_replenish_rate"]),
            int(self._switches["uzum.seller_burst"]),
        )
        per_day = int(self._switches["uzum.seller_per_day"])
        now = self._clock()
        bucket = self._buckets.setdefault(token, Bucket(burst, now, int(now // 86_400)))
        bucket.left = min(burst, bucket.left + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.day != int(now // 86_400):
            bucket.day, bucket.used_today = int(now // 86_400), 0
        wait = self._wait(bucket, rate, per_day, now)
        if wait is None:
            bucket.left -= 1
            bucket.used_today += 1
        headers = {
            "x-ratelimit-remaining": str(int(bucket.left)), "x-ratelimit-replenish-rate": str(rate),
            "x-ratelimit-burst-capacity": str(burst), "x-ratelimit-requested-tokens": "1",
            "x-ratelimit-limit-per-day": str(per_day),
            "x-ratelimit-remaining-per-day": str(max(0, per_day - bucket.used_today)),
        }  # fmt: skip
        if wait is not None and self._switches["sandbox.retry_after"]:
            headers["retry-after"] = str(wait)
        return headers, wait

    def _wait(self, bucket: Bucket, rate: int, per_day: int, now: float) -> int | None:
        if bucket.used_today >= per_day:
            return int(86_400 - now % 86_400) + 1
        if bucket.left < 1:
            return max(1, math.ceil((1 - bucket.left) / rate)) if rate else 60
        return None
