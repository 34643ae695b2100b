"""Procurement, own shop, alerts, odd bodies: one build of all market models on the traps of the dossier."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import market_story
import pytest
from dbt_build import NOW, Build

KAZANEXPRESS = (
    Path(__file__).parents[3] / "shared/samples/kazanexpress/kazanexpress_product-info-response.json"
)
Document = dict[str, Any]


def auction(deal: int, supplier: str | None, name: str, start: float, steps: int, **fields: Any) -> Document:
    return {
        "lot_id": deal + 1000,
        "deal_id": deal,
        "deal_date": "2026-01-01T10:00:00",
        "category_name": "Канцтовары",
        "start_cost": start,
        "deal_cost": start * (1 - 0.02 * steps),
        "pcp_count": float(steps),
        "customer_inn": "200",
        "customer_name": "Maktab 5",
        "provider_inn": supplier,
        "provider_name": name,
        "currency_name": None,
        "is_budget": 1,
        "kazna_payment_status": "Не оплачен",
    } | fields


def shop(deal: int, price: float, quantity: float, **fields: Any) -> Document:
    return {
        "deal_id": deal,
        "lot_id": deal,
        "product_name": "Бумага А4",
        "product_code": "17.12",
        "category_name": "Канцтовары",
        "amount": quantity,
        "measure_name": "пачка",
        "start_cost": price * quantity * 1.1,
        "deal_cost": price * quantity,
        "customer_inn": "200",
        "customer_name": "Maktab 5",
        "provider_inn": "300",
        "provider_name": "ООО Бумага",
        "deal_date": "2026-01-02T09:00:00",
        "deal_status_name": "Оплачена",
    } | fields


def uzex() -> dict[str, dict[str, Document]]:
    individual = {"name": "YTT Каримов А."}
    items = [
        {
            "order_num": 1,
            "product_name": None,
            "description": "Ручка",
            "quantity": 4,
            "price": 250.0,
            "cost": 1000.0,
            "currency_name": "Сом",
            "js_properties": [{"property_name": "Единица измерения", "user_value": "штука"}],
        }
    ]
    budget = json.dumps([{"Order_Num": 1, "Product_Name": "Стол", "Quantity": 2, "Price": 600, "Cost": 1200}])
    lots = {
        "1": {"id": 1, "name": "Yozuv stoli va noutbuk", "end_date": "2026-02-01T10:00:00", "cost": 5e6},
        "2": {
            "id": 2,
            "name": "Ноутбуки для школы",
            "end_date": "2026-02-01T10:00:00",
            "region_name": "г. Ташкент",
        },
        "3": {"id": 3, "name": "Closed long ago", "end_date": "2025-02-01T10:00:00"},
    }
    return {
        "auction_deals": {
            "1": auction(1, None, individual["name"], 1000, 0),
            "2": auction(2, "300", "ООО Бумага", 1000, 5, kazna_payment_status="Оплачен"),
            "3": auction(3, "300", "ООО Бумага", 500, 1, currency_name="Доллар"),
        },
        "auction_deal_items": {"1001": {"lot_id": 1001, "items": items}},
        "shop_deals": {str(n): shop(n, 100, 10) for n in range(1, 6)}
        | {"6": shop(6, 150, 10, display_on_shop=1, display_on_national=1)},
        "national_deals": {
            "6": shop(6, 150, 10, display_on_shop=1, display_on_national=1),
            "60": shop(60, 20, 1, product_code="99.1", display_on_shop=0, display_on_national=1),
        },
        "auction_lots": {
            "11": {
                "id": 11, "category_name": "Насосы", "start_cost": 3e9, "currency_id": 1,
                "end_date": "2026-02-01T10:00:00",
            },
            "12": {
                "id": 12, "category_name": "Кабель", "start_cost": 3e9, "currency_id": 9,
                "end_date": "2026-02-01T10:00:00",
            },
        },
        "etender_deals": {
            "9": {
                "deal_id": 9, "trade_id": 90, "start_cost": 1200, "deal_cost": 900, "currency_name": "Сум",
                "customer_inn": "200", "customer_name": "Maktab 5", "provider_name": "Мебель", "provider_inn": "400",
                "deal_status_name": "Отменён", "category_name": "Столы", "deal_date": "2026-01-03T00:00:00",
            }
        },
        "etender_details": {"90": {"id": 90, "budget_products": budget}},
        "etender_lots": lots,
        "etender_failed": {"7": {"trade_id": 7, "name": "Стулья", "end_date": "2026-01-01T10:00:00"}},
        "direct_purchases": {
            "5": {
                "id": 5, "contract_sum": 77, "contract_date": "2026-01-05T00:00:00", "customer_inn": "200",
                "provider_inn": "300", "provider_name": "ООО Бумага", "currency_name": "UZS",
            }
        },
        "competition_details": {
            "4": {"id": 4, "winners_id": json.dumps([{"winner_name": "ООО Дом", "cost": "12.5"}])},
            "14": {
                "id": 14, "cost": 52_500_500_000.25, "currency_name": "UZS", "status_name": "Совершен",
                "date_of_opening_offers": "2026-01-04T14:00:00", "customer_inn": "200", "customer_name": "Maktab 5",
                "winners_ids": [{"id": 3, "fullname": "«Zarafshon Qurilish» MChJ", "inn": "306543210"}],
                "js_details": [
                    {"order_num": 1, "product_name": "Насос", "quantity": 1_000_000, "price": 52_500.5,
                     "js_properties": [{"property_name": "Единица измерения", "user_value": "шт"}]},
                ],
            },
        },
        "offers": {"8": {"id": 8, "price": 10, "date_ini": "09/21/2026 13:05:00", "currency_name": "Сум"}},
    }  # fmt: skip


def milliseconds(day: int) -> int:
    return int(datetime(2026, 1, day, 6, tzinfo=UTC).timestamp() * 1000)


def own_shop() -> dict[str, dict[str, Document]]:
    line = {"shopId": 1, "productId": 1, "sellerPrice": 1000, "date": milliseconds(3)}
    return {
        "seller_orders": {
            "1": line | {"id": 1, "amount": 2, "amountReturns": 1, "commission": 100, "logisticDeliveryFee": 50},
            "2": line | {"id": 2, "amount": 1, "commission": 100},
            "3": line | {"id": 3, "amount": 0, "commission": 100, "status": "CANCELED"},
        },
        "seller_fbs_orders": {
            "7": {"id": 7, "status": "COMPLETED", "dateCreated": "2026-01-03T06:00:20.620Z", "price": 150_000},
            "8": {"id": 8, "status": "CREATED", "dateCreated": milliseconds(3), "price": 9},
        },
        "seller_products": {"1": {"productId": 1, "skuList": [{"skuId": 11, "price": 1000, "quantityActive": 5}]}},
        "seller_expenses": {
            "1": {"id": 1, "shopId": 1, "skuId": 11, "paymentPrice": 30, "amount": 2, "dateService": milliseconds(3)},
            "2": {"id": 2, "shopId": 1, "paymentPrice": 7, "amount": 1, "dateService": milliseconds(3)},
        },
    }  # fmt: skip


@pytest.fixture(scope="module")
def market(project: Build) -> Build:
    for day in (1, 2):
        market_story.visit(project, day)
    if KAZANEXPRESS.exists():
        body = json.loads(KAZANEXPRESS.read_text())["payload"]["data"]
        project.land(
            "raw_uzum.products",
            {str(body["id"]): body},
            load_id=f"{NOW - 80_000}.1",
            minute=0,
            connection="kazan",
        )
    # What a first load brings is no news.
    begun = {"0": {"id": 0, "name": "Eski noutbuk", "end_date": "2025-02-01T10:00:00"}}
    project.land("raw_uzex.etender_lots", begun, load_id=f"{NOW - 75_000}.1", minute=7000)
    begun = {"0": {"id": 0, "start_cost": 5e5, "currency_id": 1, "end_date": "2026-02-01T10:00:00"}}
    project.land("raw_uzex.auction_lots", begun, load_id=f"{NOW - 75_000}.2", minute=7000)
    for schema, resources in (("raw_uzex", uzex()), ("raw_uzum", own_shop())):
        for resource, documents in resources.items():
            project.land(f"{schema}.{resource}", documents, load_id=f"{NOW - 70_000}.{resource}", minute=8000)
    paid = auction(1, None, "YTT Каримов А.", 1000, 0, kazna_payment_status="Оплачен")
    project.land("raw_uzex.auction_deals", {"1": paid}, load_id=f"{NOW - 60_000}.1", minute=8000 + 2880)
    # test_catalogue_to_shop builds the whole project with all its unit tests.
    statuses = project.dbt("build", "--exclude-resource-type", "unit_test", "--select", "tag:market")
    assert set(statuses.values()) <= {"success", "pass", "warn", "no-op"}
    return project


def test_individuals_without_a_tax_number_are_suppliers_too(market: Build) -> None:
    suppliers = market.by("supplier_currency_key", "marts.suppliers")
    alone = suppliers["default:name:ytt karimov a:UZS"]
    assert (alone["is_individual"], alone["deal_count"], alone["inn"]) == (True, 1, None)
    assert suppliers["default:inn:300:UZS"]["is_individual"] is False


def test_currencies_are_never_added(market: Build) -> None:
    paper = market.rows(
        "select currency, deal_amount from marts.suppliers where inn = '300' order by currency"
    )
    assert [tuple(row.values()) for row in paper] == [
        ("USD", Decimal(490)),
        ("UZS", Decimal(900 + 6500 + 77 + 20)),
    ]


def test_a_cancelled_tender_is_no_award_and_its_items_are_priced_at_the_deal(market: Build) -> None:
    deals = market.by("deal_key", "marts.deals")
    assert deals["default:etender:9"]["is_award"] is False
    assert deals["default:direct:5"]["is_competitive"] is False
    (table,) = market.rows("select * from marts.deal_items where module = 'etender'")
    assert (table["product_name"], table["unit_price_amount"], table["cost_amount"]) == ("Стол", 450, 900)


def test_units_of_measure_are_found_among_the_properties(market: Build) -> None:
    (pen,) = market.rows("select * from marts.deal_items where module = 'auction'")
    assert (pen["product_name"], pen["unit_name"], pen["unit_price_amount"]) == ("Ручка", "штука", 250)


def test_a_payment_lies_between_two_looks(market: Build) -> None:
    lag = market.by("deal_key", "marts.payment_lag")
    late = lag["default:auction:1"]
    # The deal was made at 05:00 UTC on the first, seen unpaid 5.3 days later and paid two days after that.
    assert (late["is_paid"], float(late["days_to_payment_low"]), float(late["days_to_payment_high"])) == (
        True, pytest.approx(5.3472, abs=1e-3), pytest.approx(7.3472, abs=1e-3),
    )  # fmt: skip
    assert lag["default:auction:3"]["days_to_payment_high"] is None
    assert lag["default:auction:2"]["days_to_payment_low"] == 0


def test_flags_say_why_a_deal_is_worth_a_second_look(market: Build) -> None:
    flags = {(row["deal_key"], row["flag"]) for row in market.rows("select * from marts.red_flags")}
    assert ("default:shop:6", "far_price") in flags
    assert ("default:shop:1", "far_price") not in flags
    assert {key for key, flag in flags if flag == "single_step"} == {"default:auction:1", "default:auction:3"}
    assert ("default:shop:1", "repeat_pair") in flags


def test_prices_per_unit_and_savings(market: Build) -> None:
    (paper,) = market.rows("select * from marts.price_per_unit where product_group = '17.12'")
    assert (paper["median_price_amount"], paper["highest_price_amount"], paper["item_count"]) == (100, 150, 6)
    (saved,) = market.rows("select * from marts.savings where module = 'shop'")
    assert float(saved["saving_percent"]) == pytest.approx(100 / 11, abs=1e-3)


def test_open_and_failed_lots_are_leads_and_closed_ones_are_not(market: Build) -> None:
    lots = market.rows("select module, lot_id, state from marts.open_lots order by 1, 2")
    assert [tuple(row.values()) for row in lots] == [
        ("auction", 0, "open"), ("auction", 11, "open"), ("auction", 12, "open"),
        ("etender", 1, "open"), ("etender", 2, "open"), ("etender_failed", 7, "failed"),
    ]  # fmt: skip


def test_a_deal_that_both_shops_show_is_one_deal(market: Build) -> None:
    both = market.rows("select deal_key, module from marts.deals where deal_id in (6, 60) order by deal_id")
    assert [tuple(row.values()) for row in both] == [
        ("default:shop:6", "shop"),
        ("default:shop:60", "national"),
    ]
    (paper,) = market.rows("select * from marts.deal_items where deal_key = 'default:shop:6'")
    assert paper["cost_amount"] == 1500


def test_a_rule_in_sums_fires_on_auctions_that_give_their_currency_as_a_number(market: Build) -> None:
    big = market.rows("select subject_key, currency, url from marts.alert_events where rule = 'big_lots'")
    assert [tuple(row.values()) for row in big] == [
        ("default:auction:11", "UZS", "https://xarid.uzex.uz/auction/detail/11")
    ], "a number that nobody knows is no sum"


def test_a_competitions_winner_and_items_reach_the_marts(market: Build) -> None:
    (deal,) = market.rows("select * from marts.deals where deal_key = 'default:competition:14'")
    assert (deal["supplier_inn"], deal["supplier_name"], deal["is_award"]) == (
        "306543210", "«Zarafshon Qurilish» MChJ", True,
    )  # fmt: skip
    assert (deal["start_amount"], deal["deal_amount"]) == (Decimal("52500500000.25"), None), (
        "its price is not told"
    )
    (pump,) = market.rows("select * from marts.deal_items where module = 'competition'")
    assert (pump["product_name"], pump["unit_name"], pump["is_announced_price"]) == ("Насос", "шт", True)
    assert pump["cost_amount"] == Decimal("52500500000.00"), (
        "price times quantity, which 18 digits do not hold"
    )


def test_winners_and_american_dates_are_read(market: Build) -> None:
    (winner,) = market.rows(
        "select winner_name, award_amount from staging.stg_uzex__competition_winners where award_amount is not null"
    )
    assert (winner["winner_name"], winner["award_amount"]) == ("ООО Дом", Decimal("12.50"))
    (offer,) = market.rows("select offered_at from staging.stg_uzex__offers")
    assert offer["offered_at"] == datetime(2026, 9, 21, 8, 5, tzinfo=UTC)


def test_lots_are_found_by_a_keyword_in_either_alphabet(market: Build) -> None:
    events = market.rows("select subject_key from marts.alert_events where rule = 'laptops' order by 1")
    assert [row["subject_key"] for row in events] == ["default:etender:1", "default:etender:2"]
    sent = market.rows("select distinct rule from activation.lot_alerts")
    assert [row["rule"] for row in sent] == ["new_lots"], "rules that are switched off send nothing"


def test_alerts_tell_an_event_once_and_what_happened(market: Build) -> None:
    empty = market.rows("select * from marts.alert_events where rule = 'sold_out' order by subject_key desc")
    assert [(row["subject_key"], row["fact"]) for row in empty] == [
        ("default:9", "out of stock; it sold 2 a day"),
        ("default:30", "2 of 2 out of stock; it sold 8 a day"),
    ]


def test_own_profit_takes_returns_cancelled_lines_and_expenses_into_account(market: Build) -> None:
    profit = market.by("product_key", "marts.own_shop_profit")
    mine = profit["default:1"]
    assert (mine["units_ordered"], mine["units_returned"], mine["revenue_amount"]) == (3, 1, 2000)
    assert (mine["commission_amount"], mine["expense_amount"], mine["profit_amount"]) == (
        200,
        60,
        2000 - 200 - 50 - 60,
    )
    assert profit[None]["expense_amount"] == 7


def test_times_of_parcels_are_read_in_both_forms(market: Build) -> None:
    orders = market.by("fbs_order_id", "staging.stg_uzum__seller_fbs_orders")
    assert (orders["7"]["created_at"], orders["8"]["created_at"]) == (
        datetime(2026, 1, 3, 6, 0, 20, 620_000, tzinfo=UTC),
        datetime(2026, 1, 3, 6, tzinfo=UTC),
    )
    assert not any(order["cast_failures"] for order in orders.values())


def test_the_estimate_is_held_against_the_sellers_own_orders(market: Build) -> None:
    (day,) = market.rows("select * from marts.sales_accuracy")
    assert (day["true_units"], day["units_sold"], day["error_units"], day["is_within_interval"]) == (
        3,
        3,
        0,
        True,
    )
    (seen,) = market.rows(
        f"select * from marts.product_daily_sales where product_day_key = '{day['product_day_key']}'"
    )
    assert {name: seen[name] for name in seen.keys() & day.keys()} == {
        name: day[name] for name in seen.keys() & day.keys()
    }, "own products are computed apart, and come out the same"


def test_options_are_looked_up_and_wrong_positions_leave_them_empty(market: Build) -> None:
    options = market.rows(
        "select sku_key, option_name, option_value, is_out_of_range from staging.stg_uzum__sku_options "
        "where product_key = 'default:10' order by sku_key, position"
    )
    assert [tuple(row.values()) for row in options] == [
        ("default:101", "Rang", "Qora", False),
        ("default:101", "Xotira", "128 GB", False),
        ("default:102", "Rang", "Oq", False),
        ("default:102", None, None, True),
        ("default:102", "Rang", None, True),
    ]
    (sku,) = market.rows("select option_text from marts.market_skus where sku_key = 'default:101'")
    assert sku["option_text"] == "Rang: Qora, Xotira: 128 GB"


if KAZANEXPRESS.exists():

    def test_a_recorded_body_of_161_skus_goes_through_staging(market: Build) -> None:
        skus = market.rows("select * from staging.stg_uzum__skus where connection = 'kazan'")
        assert len(skus) == 161
        assert sum(row["available_quantity"] for row in skus) == 1603
        assert {(row["price_amount"], row["full_price_amount"]) for row in skus} == {
            (Decimal(345), Decimal(650))
        }
        assert all(row["cast_failures"] is None and len(row["barcode"]) == 13 for row in skus)
        (product,) = market.rows("select * from marts.market_products where connection = 'kazan'")
        assert (product["title"], product["orders_count"]) == ("Футболка Good Hood", 7476)
        options = market.rows("select * from staging.stg_uzum__sku_options where connection = 'kazan'")
        assert len(options) == 322
        assert not any(row["is_out_of_range"] for row in options)
        (leaf,) = market.rows("select path from marts.market_categories where category_key = 'kazan:11956'")
        assert leaf["path"] == "Одежда / Женская одежда / Футболки и топы / Футболки"
