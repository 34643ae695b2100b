"""Marts of users with figures made by hand: tables as the models' contracts say, so that they cannot drift apart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from karvon.warehouse import Session, Warehouse

_MODELS = Path(__file__).parents[2] / "dbt_project" / "models"
LAST = date(2026, 3, 31)
MOMENT = datetime(2026, 3, 31, 20, tzinfo=UTC)
ATTACK = '</script><img src=x onerror="window.attacked=1"><script>window.attacked=1</script>'
DAYS = 150
"""That anna's shop has behind it."""


def make_marts(warehouse: Warehouse) -> None:
    """anna: a shop and ads with figures, a broken crm. boris: known, but nothing of his was ever read."""
    with warehouse.session() as session:
        _create(session)
        for user, title, currency in (("anna", f"Anna {ATTACK}", "EUR"), ("boris", None, "UZS")):
            insert(session, "staging.stg_user_apis__users", user_id=user, title=title, currency=currency,
                   time_zone="Europe/Berlin", is_suspended=False, is_deleted=False)  # fmt: skip
        insert(session, "marts.currencies", currency="EUR", exponent=2)
        for nth in range(DAYS):
            _day(session, nth)
        for month, number, count in (("2026-01-01", 0, 40), ("2026-01-01", 1, 10), ("2026-01-01", 2, 6),
                                     ("2026-02-01", 0, 30), ("2026-02-01", 1, 12)):  # fmt: skip
            insert(session, "marts.customer_cohorts", cohort_key=f"anna/{month}/{number}", user_id="anna",
                   cohort_month=month, month_number=number, customer_count=count, order_count=count,
                   share=Decimal(count) / (40 if month < "2026-02" else 30))  # fmt: skip
        for nth in range(9):
            insert(session, "marts.user_records", record_key=f"anna/shop/orders/{nth}", user_id="anna",
                   source_id="shop", resource="orders", entity="order", is_deleted=False, landed_at=MOMENT,
                   reject_reasons="it has no time" if nth < 2 else None, mapping_hash="m")  # fmt: skip
        insert(session, "marts.rejected_records", record_key="anna/shop/orders/0", user_id="anna", source_id="shop",
               resource="orders", entity="order", reject_reasons=f"status {ATTACK} is not mapped")  # fmt: skip
        for source, outcome, waits in (
            ("shop", "complete", MOMENT),
            ("ads", "failed", MOMENT),
            ("crm", "refused", None),
        ):
            insert(session, "raw_user_apis.source_runs", user_id="anna", source_id=source, started_at=MOMENT,
                   finished_at=MOMENT, outcome=outcome, error=None if outcome == "complete" else f"{ATTACK} said no.",
                   failures=0 if outcome == "complete" else 3, next_try_at=waits, _dlt_load_id="1")  # fmt: skip


def insert(session: Session, table: str, **row: Any) -> None:
    places = ", ".join(f"${nth}" for nth in range(1, len(row) + 1))
    session.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))


def _day(session: Session, nth: int) -> None:
    """Figures that differ from day to day, also in their cents; every seventh day has none."""
    if nth % 7 == 3:
        return
    day = LAST - timedelta(days=nth)
    gross, refunded = (
        Decimal(900 + nth * 37 % 800) + Decimal("0.37"),
        Decimal(nth * 13 % 90) + Decimal("0.05"),
    )
    counts: Mapping[str, Any] = {
        "lead_count": 5 + nth % 4, "converted_lead_count": nth % 3, "new_customer_count": nth % 4,
        "active_customer_count": 6 + nth % 5, "order_count": 8 + nth % 6, "unconverted_order_count": 0,
        "gross_amount": gross, "refunded_amount": refunded, "net_amount": gross - refunded, "currency": "EUR",
    }  # fmt: skip
    insert(
        session,
        "marts.user_metrics_daily",
        metric_key=f"anna/{day}",
        user_id="anna",
        metric_date=day,
        **counts,
    )
    insert(session, "marts.source_metrics_daily", metric_key=f"anna/shop/{day}", user_id="anna", source_id="shop",
           metric_date=day, restated_at=MOMENT, **counts)  # fmt: skip
    insert(session, "marts.source_revenue_daily", metric_key=f"anna/shop/{day}/USD", user_id="anna", source_id="shop",
           metric_date=day, currency="USD", order_count=counts["order_count"], gross_amount=gross * 2,
           refunded_amount=refunded * 2, net_amount=(gross - refunded) * 2)  # fmt: skip
    for person in range(nth % 3):
        insert(session, "marts.customer_lifetime", person_key=f"anna/{nth}/{person}", user_id="anna",
               first_order_date=day, last_order_date=day, order_count=1, currency="EUR")  # fmt: skip


def _create(session: Session) -> None:
    for schema in ("marts", "staging", "raw_user_apis"):
        session.execute(f"CREATE SCHEMA {schema}")
    models = yaml.safe_load((_MODELS / "marts" / "user_apis" / "_user_apis__models.yml").read_text())[
        "models"
    ]
    sources = yaml.safe_load((_MODELS / "staging" / "user_apis" / "_user_apis__sources.yml").read_text())[
        "sources"
    ]
    runs = next(table for table in sources[0]["tables"] if table["name"] == "source_runs")
    for schema, table in (*(("marts", model) for model in models), ("raw_user_apis", runs)):
        columns = ", ".join(f"{column['name']} {column['data_type']}" for column in table["columns"])
        session.execute(f"CREATE TABLE {schema}.{table['name']} ({columns})")
    session.execute("CREATE TABLE marts.currencies (currency text, exponent bigint)")
    session.execute(
        "CREATE TABLE staging.stg_user_apis__users (user_id text, title text, time_zone text, currency text, "
        "is_suspended boolean, is_deleted boolean)"
    )
