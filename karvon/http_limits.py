"""What an answer says about our rate: whether it was over a limit, and how long to wait."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT_SECONDS = 86_400.0
"""Nobody means more: a stated wait beyond it would block an account for as long as the process lives."""

_NUMBER = re.compile(r"\s*([0-9]{1,20}(?:\.[0-9]*)?)\s*", re.ASCII)
_REMAINING = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
_RESET = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")
_EPOCH = 1_000_000_000
"""A reset above it is a moment (GitHub), below it are seconds (the IETF draft)."""


def is_over_limit(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a refusal is one of the rate: 420, 429, and 400 or 403 that say when to come again, or that none is left.

    GitHub answers 403 for both of its limits, with Retry-After or `x-ratelimit-remaining: 0`.
    """
    if status in (420, 429):
        return True
    if status not in (400, 403):
        return False
    return retry_after(headers) is not None or _is_used_up(headers)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as stated: Retry-After as a number or a date, or the reset of a limit that is used up."""
    stated = headers.get("retry-after", "")
    if number := _NUMBER.fullmatch(stated):
        return min(float(number[1]), LONGEST_WAIT_SECONDS)
    if stated and (at := _moment(stated)) is not None:
        # By the clock of the API, which stated the moment.
        now = _moment(headers.get("date", "")) or datetime.now(UTC)
        return min(max((at - now).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)
    reset = next((found for name in _RESET if (found := _NUMBER.fullmatch(headers.get(name, "")))), None)
    if reset is None or not _is_used_up(headers):
        return None
    seconds = float(reset[1])
    return min(max(seconds - time.time() if seconds > _EPOCH else seconds, 0.0), LONGEST_WAIT_SECONDS)


def _is_used_up(headers: Mapping[str, str]) -> bool:
    return any(headers.get(name, "").strip() in ("0", "0.0") for name in _REMAINING)


def _moment(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
