"""Sales, prices and stock from the history of documents: what is known, what lies in an interval, what is not known."""

from __future__ import annotations

from typing import Any

import market_story
import pytest
from dbt_build import Build
from market_story import date_of

from reports.rejects import rejects, rejects_in_words

MODELS = ("+sales_accuracy", "+product_daily_sales", "+price_changes", "+stock_outs", "+top_products",
          "+price_comparison", "+new_products", "+seller_rankings", "+category_daily_stats", "+crawl_priorities",
          "+price_segments", "+market_concentration", "+sku_daily_stats", "+seller_daily_stats",
          "stg_uzum__photos", "rejected_documents")  # fmt: skip
KEPT = {
    "sales_windows": "product_version_key",
    "product_sales_days": "product_sales_day_key",
    "sku_stock_changes": "sku_version_key",
    "sku_daily_stats": "sku_day_key",
    "price_history": "price_key",
    "price_changes": "price_change_key",
    "market_products": "product_key",
    "market_skus": "sku_key",
    "seller_daily_stats": "seller_day_key",
    "category_daily_stats": "category_day_key",
}
Rows = dict[str, dict[str, Any]]
_of_both_engines: list[dict[str, Rows]] = []


def look(project: Build) -> dict[str, Rows]:
    return {
        table: {
            row[key]: {
                name: str(value) for name, value in row.items() if name not in ("built_at", "version_count")
            }
            for row in project.rows(f"select * from marts.{table}")
        }
        for table, key in KEPT.items()
    }


@pytest.fixture(scope="module")
def builds(project: Build) -> list[dict[tuple[str, str], str]]:
    """Two builds: the second brings a new day, and one that was late. What each put aside: key and field to reason."""
    put_aside = []
    for days in ((1, 2, 6), (7, 3)):
        for day in days:
            market_story.visit(project, day)
        statuses = project.dbt("build", "--exclude-resource-type", "unit_test", "--select", *MODELS)
        assert set(statuses.values()) <= {"success", "pass", "warn"}
        rows = project.rows("select * from marts.rejected_documents")
        assert {(row["source"], row["connection"], row["resource"]) for row in rows} == {
            ("uzum", "default", "products")
        }
        # The engines write JSON with and without spaces.
        put_aside.append(
            {
                (row["key"], row["field"]): f"{row['value'] or ''} {row['reason']}".replace(
                    '": ', '":'
                ).replace(',"', ', "')
                for row in rows
            }
        )
    return put_aside


@pytest.fixture(scope="module")
def market(project: Build, builds: list[dict[tuple[str, str], str]]) -> Build:
    assert len(builds) == 2
    return project


def test_what_breaks_a_rule_is_put_aside_and_named_and_goes_when_the_source_mends_it(
    project: Build, builds: list[dict[tuple[str, str], str]]
) -> None:
    first, second = builds
    assert {field: reason for (key, field), reason in first.items() if key == "30"} == {
        "skuList[2].id": "301 is listed twice; the first entry counts",
        "skuList[3].id": " has no value; the entry is left out",
        "skuList[1].characteristics[0]": (
            '{"charIndex":0, "valueIndex":9} points outside the characteristics of the product'
        ),
        "reviewsAmount": "many is not a whole number",
        "warranty.amount": '{"months":12} is not a whole number',
        "photos": '{"photoKey":"p30"} is not a list',
    }
    assert {key for key, _ in second} == {"10"}, "positions out of range of product 10 stand as they were"
    assert {key: one for key, one in second.items() if key[0] == "10"} == {
        key: one for key, one in first.items() if key[0] == "10"
    }
    since = project.rows("select distinct since from marts.rejected_documents")
    assert [f"{row['since']:%d}" for row in since] == ["02"]
    assert rejects(project.warehouse) == {"uzum": 2}
    assert "uzum 2 " in rejects_in_words(rejects(project.warehouse))


def test_everything_else_of_such_a_product_is_built(market: Build) -> None:
    steps = market.rows("select * from marts.price_changes where product_key = 'default:30' order by sku_key")
    assert [(row["sku_key"], row["old_price_amount"], row["change_percent"]) for row in steps] == [
        ("default:301", 79_990, -30),
        ("default:302", 79_990, -30),
    ]
    assert not any(row["is_raised_before_sale"] for row in steps), (
        "a list price that came back rose from nothing"
    )
    stretches = market.rows(
        "select price_amount, is_real from marts.price_history where sku_key = 'default:302' order by change_number"
    )
    assert [tuple(row.values()) for row in stretches] == [(79_990, True), (0, False), (55_993, True)]


def sales(market: Build, number: int) -> dict[str, tuple[Any, ...]]:
    rows = market.rows(
        "select sales_date, state, units_sold, units_low, units_high from marts.product_daily_sales "
        f"where product_id = {number} order by sales_date"
    )
    return {
        str(row["sales_date"])[8:]: (row["state"], row["units_sold"], row["units_low"], row["units_high"])
        for row in rows
    }  # fmt: skip


def test_the_counter_dates_sales_exactly_and_a_stock_that_came_in_does_not_hide_them(market: Build) -> None:
    assert sales(market, 1) == {
        "02": ("first_sight", None, None, None),
        "03": ("known", 3, 3, 3),
        "04": ("known", 2, 2, 2),
        "05": ("known", 0, 0, 0),
        "06": ("known", 0, 0, 0),
        "07": ("known", 0, 0, 0),
        "08": ("known", 4, 4, 4),
    }
    (restock,) = market.rows(
        f"select * from marts.sales_windows where product_key = 'default:1' and to_date = date '{date_of(3)}'"
    )
    assert (restock["orders_units"], restock["stock_units"], restock["restocked_units"]) == (2, 0, 8)
    assert restock["is_restocked"]
    assert not restock["is_capped"]
    assert restock["stock_units_high"] is None


def test_a_counter_that_falls_gives_no_negative_sales_and_stock_steps_in(market: Build) -> None:
    assert sales(market, 2)["04"] == ("known", 4, 0, 4)
    (window,) = market.rows(
        "select * from marts.sales_windows where product_key = 'default:2' and not is_first_sight"
    )
    assert (window["method"], window["is_counter_reset"], window["orders_units"]) == ("stock", True, None)


def test_a_product_that_vanishes_and_returns_has_an_interval_for_its_absence(market: Build) -> None:
    found = sales(market, 3)
    assert {found[day] for day in ("04", "05", "06", "07")} == {("spread", None, 0, 5)}
    assert found["03"] == ("known", 0, 0, 0)
    assert found["08"] == ("known", 0, 0, 0)


def test_a_gap_between_visits_is_an_interval_and_never_a_sale(market: Build) -> None:
    found = sales(market, 5)
    assert found["04"] == ("known", 0, 0, 0)
    assert {found[day] for day in ("05", "06", "07")} == {("spread", None, 0, 6)}
    observed = market.rows(
        "select sales_date, is_observed from marts.product_daily_sales where product_id = 5 order by 1"
    )
    assert [row["is_observed"] for row in observed] == [True, True, True, False, False, True, True]


def test_a_stock_that_stands_still_while_orders_rise_is_a_cap(market: Build) -> None:
    (window,) = market.rows(
        "select * from marts.sales_windows where product_key = 'default:6' and not is_first_sight"
    )
    assert (window["units_sold"], window["stock_units"], window["is_capped"]) == (2, 0, True)
    assert window["stock_units_high"] is None


def test_a_product_is_new_when_an_earlier_visit_did_not_find_it(market: Build) -> None:
    new = market.by("product_key", "marts.new_products")
    assert new["default:7"]["is_proven_new"] is True
    assert new["default:1"]["is_proven_new"] is False
    assert sales(market, 7)["04"] == ("first_sight", None, None, None)


def test_sales_are_divided_over_skus_by_their_stock(market: Build) -> None:
    days = market.by("sku_day_key", "marts.sku_daily_stats")
    black, white = days[f"default:8/default:81:{date_of(2)}"], days[f"default:8/default:82:{date_of(2)}"]
    assert (black["units_sold"], black["revenue_amount"]) == (4, 400)
    assert (white["units_sold"], white["revenue_amount"]) == (2, 400)
    assert days[f"default:8/default:82:{date_of(6)}"]["sold_from_stock"] is None


def test_price_history_ends_with_an_absence_and_knows_a_missing_price(market: Build) -> None:
    stretches = market.rows(
        "select price_amount, full_price_amount, valid_to is null as is_open, is_return from marts.price_history "
        "where sku_key = 'default:41' order by change_number"
    )
    assert [tuple(row.values()) for row in stretches] == [
        (900, 1000, False, False),
        (None, None, False, False),
        (1300, 1300, False, False),
        (890, 1300, True, False),
    ]
    white = market.rows(
        "select valid_to is null as is_open, is_return from marts.price_history "
        "where sku_key = 'default:82' order by valid_from"
    )
    assert [tuple(row.values()) for row in white] == [(False, False), (True, True)]


def test_a_discount_after_a_rise_is_told_from_a_real_one(market: Build) -> None:
    changes = market.rows(
        "select change_amount, is_raised_before_sale from marts.price_changes "
        "where sku_key in ('default:41', 'default:11') order by sku_key, changed_at"
    )
    assert [tuple(row.values()) for row in changes] == [
        (-300, False),
        # 900 of 1000, then nothing, then 1300 of 1300, then 890 "of 1300".
        (400, False),
        (-410, True),
    ]


def test_deep_leaves_are_rolled_up_on_every_ancestor(market: Build) -> None:
    days = market.by("category_day_key", "marts.category_daily_stats")
    leaf, top = days[f"default:11:{date_of(2)}:UZS"], days[f"default:1:{date_of(2)}:UZS"]
    assert (leaf["units_sold"], leaf["revenue_amount"]) == (top["units_sold"], top["revenue_amount"])
    assert leaf["units_sold"] == 3 + 1 + 2 + 6 + 2
    assert (leaf["share_of_parent_percent"], top["sellers_with_sales"]) == (100, 2)


def test_the_same_good_is_matched_across_scripts_and_sellers(market: Build) -> None:
    pairs = {
        (row["product_key"], row["other_product_key"]): (
            row["method"],
            float(row["confidence"]),
            row["is_cheapest"],
        )
        for row in market.rows("select * from marts.price_comparison")
        if row["product_key"] in ("default:20", "default:21", "default:24")
    }
    assert pairs[("default:20", "default:21")] == ("same_words", 0.95, False)
    assert pairs[("default:21", "default:20")][2] is True, "24 is cheaper, and sold out"
    assert pairs[("default:24", "default:21")][2] is False
    assert ("default:20", "default:22") not in pairs


def test_stock_outs_know_their_days_and_what_they_may_have_cost(market: Build) -> None:
    (out,) = market.rows("select * from marts.stock_outs where sku_key = 'default:91'")
    assert (out["days_out"], out["is_open"]) == (4, False)
    assert out["lost_revenue_amount"] == out["lost_units"] * 700


def test_products_that_change_are_visited_first_and_the_gone_last(market: Build) -> None:
    order = market.by("product_id", "marts.crawl_priorities")
    assert order[1]["visit_order"] < order[20]["visit_order"]
    assert order[1]["source"] == "uzum"


def test_building_day_by_day_ends_where_one_full_build_ends(market: Build) -> None:
    before = look(market)
    market.dbt("run", "--full-refresh", "--select", *MODELS)
    after = look(market)
    assert before == after
    _of_both_engines.append(after)
    assert after == _of_both_engines[0]
