"""Market models built day by day end where one full build ends, whatever the days bring and however late."""

from __future__ import annotations

from typing import Any

import market_story
import pytest
from dbt_build import BEGIN, Build
from market_story import DEEP, OPTIONS, PHONES, load_of, pointing, product, seller, sku, titled

pytestmark = pytest.mark.parametrize(
    "project", ["duckdb", pytest.param("postgres", marks=pytest.mark.slow)], indirect=True, scope="module"
)
Document = dict[str, Any]
MODELS = ("+price_comparison", "+stock_outs", "+top_products", "+seller_rankings", "+market_concentration",
          "+price_segments", "+new_products", "+crawl_priorities", "+price_changes", "+files__price_history",
          "+category_daily_stats", "+seller_daily_stats", "stg_uzum__photos", "stg_uzum__sku_options")  # fmt: skip
KEYS = {
    "staging.stg_uzum__photos": "photo_key",
    "staging.stg_uzum__sku_options": "sku_option_key",
    "marts.market_products": "product_key",
    "marts.market_sellers": "seller_key",
    "marts.market_skus": "sku_key",
    "marts.sales_windows": "product_version_key",
    "marts.sku_stock_changes": "sku_version_key",
    "marts.sku_daily_stats": "sku_day_key",
    "marts.price_history": "price_key",
    "marts.price_changes": "price_change_key",
    "marts.product_prints": "product_key",
    "marts.product_rollups": "product_key",
    "marts.price_comparison": "product_pair_key",
    "marts.stock_outs": "stock_out_key",
    "marts.top_products": "top_product_key",
    "marts.seller_rankings": "seller_ranking_key",
    "marts.seller_daily_stats": "seller_day_key",
    "marts.category_daily_stats": "category_day_key",
    "activation.files__price_history": "price_key",
}
TWO_SIZES = {"characteristics": OPTIONS}
BUILDS: tuple[tuple[int, ...], ...] = ((1, 2, 6), (7, 3), (9,), (14,), (12,), (40,), (75,), (110,))
"""Days in the order in which they are loaded; 3 and 12 are late. As they go on, windows leave the periods."""


def found() -> dict[int, dict[str, Document | None]]:
    """What the days after the story bring."""
    return {
        9: {
            # Another seller and another category; photos and options are gone.
            "1": product(1, 112, [sku(11, 700, 48)], seller=seller(2), category=PHONES),
            "10": product(10, 1, [sku(101, 100, 9)], photos=[], characteristics=[]),
            "20": None,
            "23": titled(23, 1, "Original", 990),
        },
        # An empty stock, and the newest of a product whose older version comes later.
        14: {
            "5": product(5, 90, [sku(51, 300, 0)]),
            "9": product(9, 9, [sku(91, 650, 8)], category=PHONES),
        },
        12: {
            "9": product(9, 6, [sku(91, 650, 0)], photos=[]),
            "10": product(
                10, 2, [sku(101, 100, 8, characteristics=pointing((0, 0)))], characteristics=OPTIONS[:1]
            ),
        },
        40: {"20": titled(20, 1, "Redmi A305 Pro smartfon", 950), "5": product(5, 91, [sku(51, 300, 70)])},
        75: {"6": product(6, 11, [sku(61, 4000, 16)], seller=seller(3), category=DEEP)},
        110: {"22": None, "8": product(8, 230, [sku(81, 100, 0), sku(82, 210, 3)], seller=seller(2))},
    }  # fmt: skip


def visit(project: Build, day: int) -> None:
    if day not in found():
        market_story.visit(project, day)
        return
    minute = day * 1440 + 960
    project.land("raw_uzum.products", found()[day], load_id=load_of(day), minute=minute)
    project.execute(
        "insert into raw_uzum.observations values ('products', 'default', 'ids 1-1999',"
        f" timestamptz '{BEGIN.isoformat()}' + interval '{minute} minutes', true, '{load_of(day)}')"
    )


def look(project: Build) -> dict[str, dict[str, dict[str, str]]]:
    """Numbers are compared as numbers, whatever zeros an engine writes behind them."""
    return {
        table: {
            row[key]: {name: str(value) for name, value in row.items() if name != "built_at"}
            for row in project.rows(f"select * from {table}")
        }
        for table, key in KEYS.items()
    }


@pytest.fixture(scope="module")
def steps(project: Build) -> list[dict[str, Any]]:
    """The tables after each build."""
    after = []
    for days in BUILDS:
        for day in days:
            visit(project, day)
        project.dbt("build", "--exclude-resource-type", "unit_test", "--select", *MODELS)
        after.append(look(project))
    return after


def test_each_step_moves_what_it_should(steps: list[dict[str, Any]]) -> None:
    first, *_, last = steps
    assert "default:10:1" in first["staging.stg_uzum__photos"]
    assert "default:10:1" not in steps[2]["staging.stg_uzum__photos"], "photos that are gone leave"
    assert "default:9:1" in last["staging.stg_uzum__photos"], (
        "an older version that comes later changes nothing"
    )
    assert "default:20=default:21" in first["marts.price_comparison"]
    assert "default:20=default:21" not in steps[2]["marts.price_comparison"], (
        "a product that is gone has no pair"
    )
    assert last["marts.product_prints"]["default:23"]["all_words"] == "None"
    units = [step["marts.product_rollups"]["default:4"]["units_7d"] for step in steps]
    assert [float(one) for one in units] == [1, 1, 0, 0, 0, 0, 0, 0], "days go on, nobody touched it"
    assert {row["as_of_date"] for row in last["marts.product_rollups"].values()} == {"2026-04-21"}


def test_day_by_day_ends_where_one_full_build_ends(steps: list[dict[str, Any]], project: Build) -> None:
    project.dbt("run", "--full-refresh", "--select", *MODELS)
    full = look(project)
    for table in KEYS:
        assert steps[-1][table] == full[table], table
