"""Rates that a remote API states: how many requests in how many seconds, and who may send the next one."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class RateWindow:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float


@dataclass
class Place:
    """One request in the windows: when it left, and how long its answer took, as far as that is known."""

    left: float
    took: float = 0.0
    paused: float = 0.0
    """Seconds waited for it because the remote had asked for a pause."""


class Paused(Exception):
    """The remote asked for a pause that lasts longer than the caller would wait: `seconds` more."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"paused for {seconds:.0f} s")
        self.seconds = seconds


class RateLimiter:
    """Several sliding windows at once, shared by all clients of one account in this process.

    Own code, because the windows change at run time (limits learned from headers, pauses after a 429), which
    the libraries looked at do not do.
    """

    def __init__(self, windows: Sequence[RateWindow]) -> None:
        self._lock = threading.Lock()
        self._windows = {window.seconds: window.requests for window in windows}
        self._sent: dict[float, deque[Place]] = {seconds: deque() for seconds in self._windows}
        self._paused_until = 0.0
        self._fastest = math.inf

    async def acquire(self, patience_seconds: float = math.inf) -> Place:
        """Wait for a place. `left` and `answered` are to be told what becomes of the request.

        Raises `Paused` when the pauses that the remote asks for would take more than `patience_seconds`.
        """
        waited = 0.0
        while not isinstance(place := self._reserve(), Place):
            pause = max(self._paused_until - time.monotonic(), 0.0)
            if waited + pause > patience_seconds:
                raise Paused(pause)
            waited += pause
            await asyncio.sleep(place)
        place.paused = waited
        return place

    def left(self, place: Place) -> None:
        """The request went out only now: a connection had to be made first, or the process was held up."""
        place.left = time.monotonic()

    def answered(self, place: Place) -> None:
        """The first of the answer is here."""
        place.took = time.monotonic() - place.left
        # A measure that was wrong once, or an API that became slower, is forgotten after a while.
        self._fastest = min(place.took, self._fastest * 1.01)

    def learn(self, window: RateWindow) -> None:
        """The remote said what its limit is."""
        with self._lock:
            if window.requests > 0 and self._windows.get(window.seconds) != window.requests:
                self._windows[window.seconds] = window.requests
                self._sent.setdefault(window.seconds, deque())

    def pause(self, seconds: float) -> None:
        """Nobody sends for so long: one 429 speaks for all."""
        with self._lock:
            self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def _reserve(self) -> Place | float:
        """A place, or the seconds to wait for one."""
        now = time.monotonic()
        with self._lock:
            wait = self._paused_until - now
            for seconds, requests in self._windows.items():
                sent = self._sent[seconds]
                horizon = now - seconds - min(0.02, seconds * 0.005)
                while sent and self._counted(sent[0], seconds) <= horizon:
                    sent.popleft()
                if len(sent) >= requests:
                    wait = max(wait, self._counted(sent[len(sent) - requests], seconds) - horizon)
            if wait > 0:
                return wait
            place = Place(now)
            for sent in self._sent.values():
                sent.append(place)
            return place

    def _counted(self, place: Place, seconds: float) -> float:
        """The last moment at which the remote can have counted the request.

        What an answer takes longer than the fastest may have been lost before the count, or after it. Only a little of
        it is believed: slow answers would cost a good part of the rate.
        """
        believed = max(min(0.05, seconds * 0.05), seconds * 0.01)
        return place.left + min(max(place.took - self._fastest, 0.0), believed)


def evenly(windows: Sequence[RateWindow]) -> tuple[RateWindow, ...]:
    """The windows, and for each fast one a tenth of it at 1.2 times its rate.

    A burst of a hundred requests takes a while to leave, and would arrive together with the next one.
    """
    fast = [window for window in windows if window.requests >= 20 * window.seconds]
    tenths = (RateWindow(math.ceil(window.requests * 0.12), window.seconds / 10) for window in fast)
    return (*windows, *tenths)


def share(windows: Sequence[RateWindow], workers: int) -> tuple[RateWindow, ...]:
    """What each of several processes may send, so that together they keep the windows."""
    return tuple(
        RateWindow(window.requests // workers, window.seconds)
        if workers == 1 or window.requests >= workers * 10
        else RateWindow(1, window.seconds * workers / window.requests)
        for window in windows
    )
