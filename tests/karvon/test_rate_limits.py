"""Rates that an API states: pauses it asks for, and what several processes may send together."""

from __future__ import annotations

import asyncio
import time

import pytest

from karvon.rate_limits import Paused, RateLimiter, RateWindow, share


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """One answer says "wait a minute", a slower one says "wait a second": the minute holds."""
    limiter = RateLimiter([])
    limiter.pause(0.6)
    limiter.pause(0.05)
    began = time.monotonic()
    place = asyncio.run(limiter.acquire())
    assert time.monotonic() - began >= 0.55
    assert place.paused >= 0.55


def test_a_pause_beyond_ones_patience_is_told_at_once() -> None:
    limiter = RateLimiter([])
    limiter.pause(30)
    began = time.monotonic()
    with pytest.raises(Paused) as told:
        asyncio.run(limiter.acquire(patience_seconds=5))
    assert time.monotonic() - began < 1
    assert 29 < told.value.seconds <= 30


def test_waiting_for_ones_own_windows_takes_no_patience() -> None:
    limiter = RateLimiter([RateWindow(1, 0.3)])

    async def two() -> float:
        await limiter.acquire(patience_seconds=0.1)
        return (await limiter.acquire(patience_seconds=0.1)).paused

    assert asyncio.run(two()) == 0


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("requests", [1, 2, 9, 30, 69, 70, 500])
@pytest.mark.parametrize("seconds", [1, 60])
def test_several_processes_together_keep_the_rate_and_use_most_of_it(
    workers: int, requests: int, seconds: float
) -> None:
    (window,) = share([RateWindow(requests, seconds)], workers)
    together, allowed = workers * window.requests / window.seconds, requests / seconds
    assert allowed * 0.9 <= together <= allowed * 1.000001
