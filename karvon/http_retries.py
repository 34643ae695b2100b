"""When a request is tried again, and for how long: what `karvon.http` tells tenacity."""

from __future__ import annotations

from dataclasses import dataclass

import tenacity


@dataclass
class Transient(Exception):
    """A failure that may pass. `final` is raised when it does not."""

    final: Exception
    is_throttled: bool = False
    wait_seconds: float | None = None

    def __str__(self) -> str:
        return str(self.final)


def wait_before_retry(state: tenacity.RetryCallState) -> float:
    failure = state.outcome.exception() if state.outcome else None
    jittered = tenacity.wait_random_exponential(multiplier=0.5, max=30)(state)
    told = failure.wait_seconds if isinstance(failure, Transient) else None
    return jittered if told is None else told + jittered / 10


@dataclass
class Budget:
    """The seconds that one request may still take."""

    left: float


class Stop(tenacity.stop.stop_base):
    """After so many attempts (waiting out a rate limit does not count), or when the next wait breaks the budget."""

    def __init__(self, attempts: int, budget: Budget) -> None:
        self._attempts, self._budget = attempts, budget

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        failure = state.outcome.exception() if state.outcome else None
        throttled = isinstance(failure, Transient) and failure.is_throttled
        is_over = (state.upcoming_sleep or 0) >= self._budget.left
        return is_over or (not throttled and state.attempt_number >= self._attempts)
