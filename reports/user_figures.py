"""A user's figures as the marts have them: days, sources with their freshness, rejects, cohorts. No personal value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from karvon.warehouse import Session

COUNTS = (
    "lead_count", "converted_lead_count", "new_customer_count", "active_customer_count", "order_count",
    "unconverted_order_count",
)  # fmt: skip
AMOUNTS = ("gross_amount", "refunded_amount", "net_amount")
COHORTS = 12
"""Months of first orders that are shown, and months after each."""
_NEEDED = (
    "marts.user_metrics_daily", "marts.source_metrics_daily", "marts.source_revenue_daily", "marts.customer_lifetime",
    "marts.customer_cohorts", "marts.rejected_records", "marts.user_records", "marts.currencies",
    "staging.stg_user_apis__users",
)  # fmt: skip
"""Everything that is read here: a selection may have built a part."""
_LAST_RUNS = """SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY user_id, source_id ORDER BY finished_at DESC)
  AS nth FROM raw_user_apis.source_runs) AS runs WHERE nth = 1"""


class NothingMeasured(Exception):
    """There is no such user, or no models yet; the message says which and the way out."""


@dataclass(frozen=True)
class User:
    """Whose figures they are: midnight is that of `time_zone`, amounts are in `currency`."""

    user_id: str
    title: str
    time_zone: str
    currency: str
    digits: int
    """Behind the decimal point of the currency."""


@dataclass(frozen=True)
class Period:
    """Days that belong together, both included; None before there is any figure."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=nth) for nth in range((self.last - self.first).days + 1)]


def read_users(session: Session) -> dict[str, User]:
    """Every user that the models know, by id. Raises `NothingMeasured` before they are built."""
    if missing := [table for table in _NEEDED if not session.has_table(table)]:
        raise NothingMeasured(f"{missing[0]} is not built yet; `karvon run` reads the sources and builds it.")
    rows = session.rows(
        """SELECT u.user_id, coalesce(u.title, u.user_id) AS title, coalesce(u.time_zone, 'UTC') AS time_zone,
          coalesce(u.currency, 'EUR') AS currency, coalesce(c.exponent, 2) AS digits
        FROM staging.stg_user_apis__users AS u
        LEFT JOIN marts.currencies AS c ON c.currency = coalesce(u.currency, 'EUR')
        WHERE NOT u.is_deleted ORDER BY u.user_id"""
    )
    return {row["user_id"]: User(**{**row, "digits": int(row["digits"])}) for row in rows}


def read_user(session: Session, user_id: str) -> User:
    """One user. Raises `NothingMeasured`."""
    known = read_users(session)
    if user_id not in known:
        names = ", ".join(known) or "none"
        raise NothingMeasured(
            f"There is no user {user_id}; known are {names}. A user has at least one source (`karvon sources list`) "
            "that was read by `karvon run`."
        )
    return known[user_id]


def period(session: Session, user: User, days: int, source_id: str | None = None) -> Period | None:
    """So many days up to the newest one with any figure; a day that is still to come counts as a wrong date."""
    today = datetime.now(ZoneInfo(user.time_zone)).date()
    last = session.value(
        """SELECT max(metric_date) FROM marts.source_metrics_daily
        WHERE user_id = $1 AND metric_date <= $2 AND ($3::text IS NULL OR source_id = $3)
          AND (lead_count > 0 OR new_customer_count > 0 OR order_count > 0 OR refunded_amount <> 0)""",
        (user.user_id, today, source_id),
    )
    return Period(last - timedelta(days=days - 1), last) if last else None


def daily(session: Session, user: User, span: Period, source_id: str | None = None) -> list[dict[str, Any]]:
    """A row for each day of the period: `metric_date`, `COUNTS` and `AMOUNTS`; of days without any, zeros."""
    table = "source_metrics_daily" if source_id else "user_metrics_daily"
    rows = session.rows(
        f"""SELECT metric_date, {", ".join((*COUNTS, *AMOUNTS))} FROM marts.{table}
        WHERE user_id = $1 AND metric_date BETWEEN $2 AND $3 {"AND source_id = $4" if source_id else ""}""",
        (user.user_id, span.first, span.last, *([source_id] if source_id else [])),
    )
    return _filled(span, rows, (*COUNTS, *AMOUNTS))


def first_orders(session: Session, user: User, span: Period) -> dict[date, int]:
    """Day → persons who ordered for the first time ever."""
    rows = session.rows(
        """SELECT first_order_date, count(*) AS persons FROM marts.customer_lifetime
        WHERE user_id = $1 AND first_order_date BETWEEN $2 AND $3 GROUP BY first_order_date""",
        (user.user_id, span.first, span.last),
    )
    return {row["first_order_date"]: int(row["persons"]) for row in rows}


def by_source(session: Session, user: User, span: Period) -> list[dict[str, Any]]:
    """Leads, orders and net amount of each source and day that has any."""
    return session.rows(
        """SELECT source_id, metric_date, lead_count, order_count, net_amount FROM marts.source_metrics_daily
        WHERE user_id = $1 AND metric_date BETWEEN $2 AND $3
          AND (lead_count > 0 OR order_count > 0 OR net_amount <> 0) ORDER BY source_id, metric_date""",
        (user.user_id, span.first, span.last),
    )


def by_currency(session: Session, user: User, span: Period) -> list[dict[str, Any]]:
    """What was paid and paid back in each original currency, by day."""
    return session.rows(
        """SELECT metric_date, currency, CAST(sum(order_count) AS bigint) AS order_count,
          sum(gross_amount) AS gross_amount, sum(refunded_amount) AS refunded_amount, sum(net_amount) AS net_amount
        FROM marts.source_revenue_daily WHERE user_id = $1 AND metric_date BETWEEN $2 AND $3
        GROUP BY metric_date, currency ORDER BY metric_date, currency""",
        (user.user_id, span.first, span.last),
    )


def sources(session: Session, user: User) -> list[dict[str, Any]]:
    """How each source stands: its last run and when it is tried again, its newest record, how many are rejected."""
    return session.rows(
        f"""SELECT coalesce(runs.source_id, kept.source_id) AS source_id, runs.outcome, runs.error, runs.failures,
          runs.finished_at, runs.next_try_at, kept.landed_at, coalesce(kept.records, 0) AS records,
          coalesce(kept.rejected, 0) AS rejected
        FROM (SELECT * FROM ({_LAST_RUNS}) AS last_runs WHERE user_id = $1) AS runs
        FULL JOIN (
          SELECT source_id, max(landed_at) AS landed_at, count(*) AS records, count(reject_reasons) AS rejected
          FROM marts.user_records WHERE user_id = $1 AND NOT is_deleted GROUP BY source_id) AS kept
          ON kept.source_id = runs.source_id
        ORDER BY 1""",
        (user.user_id,),
    )


def rejects(session: Session, user: User, limit: int = 10) -> list[dict[str, Any]]:
    """The most frequent reasons why records take no part."""
    return session.rows(
        """SELECT source_id, resource, reject_reasons, count(*) AS records FROM marts.rejected_records
        WHERE user_id = $1 GROUP BY source_id, resource, reject_reasons
        ORDER BY count(*) DESC, source_id, resource, reject_reasons LIMIT $2""",
        (user.user_id, limit),
    )


def cohorts(session: Session, user: User) -> list[dict[str, Any]]:
    """The newest cohorts: how many of those who first ordered in a month ordered so many months later."""
    return session.rows(
        """SELECT cohort_month, month_number, customer_count, share FROM (
          SELECT *, dense_rank() OVER (ORDER BY cohort_month DESC) AS nth FROM marts.customer_cohorts
          WHERE user_id = $1 AND month_number < $2) AS ranked
        WHERE nth <= $2 ORDER BY cohort_month, month_number""",
        (user.user_id, COHORTS),
    )


def fingerprints(session: Session) -> dict[str, str]:
    """User → what changes when anything of theirs that a page shows does; of the time of the last run just the day."""
    rows = session.rows(
        f"""SELECT u.user_id, concat_ws('|', u.title, u.time_zone, u.currency, m.restated_at, m.days, r.landed_at,
          r.records, r.rejected, r.versions, s.states) AS state
        FROM staging.stg_user_apis__users AS u
        LEFT JOIN (SELECT user_id, max(restated_at) AS restated_at, count(*) AS days
          FROM marts.source_metrics_daily GROUP BY user_id) AS m ON m.user_id = u.user_id
        LEFT JOIN (SELECT user_id, max(landed_at) AS landed_at, count(*) AS records, count(reject_reasons) AS rejected,
          count(DISTINCT mapping_hash) AS versions
          FROM marts.user_records WHERE NOT is_deleted GROUP BY user_id) AS r ON r.user_id = u.user_id
        LEFT JOIN (SELECT user_id, string_agg(concat_ws(' ', source_id, outcome, error,
            CAST(finished_at AT TIME ZONE 'UTC' AS date)), ',' ORDER BY source_id) AS states
          FROM ({_LAST_RUNS}) AS last_runs GROUP BY user_id) AS s ON s.user_id = u.user_id
        WHERE NOT u.is_deleted ORDER BY u.user_id"""
    )
    return {row["user_id"]: row["state"] for row in rows}


def totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums of days, and the two ratios that do not add up; persons of several days are several."""
    summed: dict[str, Any] = {name: sum(int(row[name]) for row in rows) for name in COUNTS}
    summed |= {name: sum((row[name] for row in rows), Decimal()) for name in AMOUNTS}
    orders, leads = summed["order_count"], summed["lead_count"]
    return {
        **summed,
        "average_order_amount": summed["gross_amount"] / orders if orders else None,
        "conversion_share": summed["converted_lead_count"] / leads if leads else None,
    }


def _filled(span: Period, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    found = {row["metric_date"]: row for row in rows}
    zeros = {name: Decimal() if name in AMOUNTS else 0 for name in names}
    return [{"metric_date": day, **zeros, **dict(found.get(day, {}))} for day in span.days]
