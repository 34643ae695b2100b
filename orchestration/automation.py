"""When things run and how old they may get, in one place, with the reasons."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg

from karvon.settings import Settings

OWNERS = ("team:commerce",)
MARKET = {"karvon/domain": "market"}
"""The tag of everything that belongs to Uzum and UZEX: `karvon run --select market`."""


def sync_cron(every_minutes: int) -> str:
    """A cron line for an interval; cron knows no interval that does not divide the hour or the day.

    So 45 minutes becomes the next shorter one that does (30), never a longer one.
    """
    if every_minutes < 60:
        minutes = max(step for step in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30) if step <= every_minutes)
        return f"*/{minutes} * * * *"
    hours = max(step for step in (1, 2, 3, 4, 6, 8, 12, 24) if step <= every_minutes // 60)
    return "0 0 * * *" if hours == 24 else f"0 */{hours} * * *"


def freshness(settings: Settings) -> dg.FreshnessPolicy:
    """Two missed runs are a warning, four a failure: one slow run must not wake anybody."""
    interval = timedelta(minutes=settings.sync_every_minutes)
    return dg.FreshnessPolicy.time_window(fail_window=4 * interval, warn_window=2 * interval)
