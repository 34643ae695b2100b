"""UZEX: windows of ranks, refusals, texts and statuses as odd as the dossier says (§2, §3)."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import SandboxClient

Json = dict[str, Any]
AUCTION = "auction/Common/GetCompletedDeals"
SHOP = "shop/Common/GetCompletedDeals"
DEALS = "etender/api/common/DealsList"
OFFERS = "shop/Common/GetOffersList"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


@pytest.fixture
def exchange(tmp_path: Path) -> SandboxClient:
    """An exchange of 120 auctions."""
    exchange = SandboxClient(tmp_path / "sandbox", products=1)
    exchange.control("POST", "/uzex/reset", {"began": "2026-03-02"})
    return exchange


def rows(exchange: SandboxClient, path: str, **body: Any) -> list[Json]:
    answer = exchange.call("POST", f"/uzex/{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()
    return found


def detail(exchange: SandboxClient, path: str, **headers: str) -> Any:
    answer = exchange.call("GET", f"/uzex/{path}", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def switch(exchange: SandboxClient, **values: object) -> None:
    exchange.control("PUT", "/switches", {f"uzex.{name}": value for name, value in values.items()})


def test_auction_windows_leave_out_their_last_rank_and_are_in_no_order(exchange: SandboxClient) -> None:
    found = rows(exchange, AUCTION, region_ids=[], **{"from": 1, "to": 12})
    ranks = [row["rn"] for row in found]
    assert sorted(ranks) == list(range(1, 12))
    assert ranks != sorted(ranks)
    assert len({row["total_count"] for row in found}) == 1


def test_shop_windows_hold_both_ends_newest_first(exchange: SandboxClient) -> None:
    found = rows(exchange, SHOP, display_on_shop=1, display_on_national=0, **{"from": 1, "to": 40})
    assert [row["rn"] for row in found] == list(range(1, 41))
    dates = [row["deal_date"] for row in found]
    assert dates == sorted(dates, reverse=True)
    national = rows(exchange, SHOP, display_on_shop=0, display_on_national=1, **{"from": 1, "to": 40})
    assert {row["display_on_national"] for row in national} == {1}
    both = {row["lot_id"] for row in national} & {row["lot_id"] for row in found}
    assert both == {row["lot_id"] for row in found if row["display_on_national"]} != set(), (
        "one deal in two lists"
    )


def test_etender_windows_want_capital_names_and_leave_out_their_last_rank(exchange: SandboxClient) -> None:
    assert [row["rn"] for row in rows(exchange, DEALS, From=1, To=3, System_Id=0)] == [1, 2]
    assert [row["rn"] for row in rows(exchange, DEALS, System_Id=0, **{"from": 15, "to": 20})] == list(
        range(1, 11)
    )
    opened = rows(
        exchange, "etender/api/common/TradeList", typeid=None, System_Id=0, **{"from": 1, "to": 500}
    )
    assert [row["rn"] for row in opened] == list(range(1, len(opened) + 1))
    assert rows(exchange, DEALS, From=1, To=30, TypeId=0) == []


def test_offers_always_come_by_the_dozen_with_american_dates(exchange: SandboxClient) -> None:
    found = rows(exchange, OFFERS, **{"from": 1, "to": 500})
    assert (len(found), {row["rn"] for row in found}) == (12, {0})
    following = rows(exchange, OFFERS, **{"from": 13, "to": 500})
    assert not {row["id"] for row in found} & {row["id"] for row in following}
    assert datetime.strptime(found[0]["date_ini"], "%m/%d/%Y %H:%M:%S")


def test_beyond_the_end_is_an_empty_list_or_an_oracle_error(exchange: SandboxClient) -> None:
    assert rows(exchange, AUCTION, **{"from": 9000, "to": 9100}) == []
    switch(exchange, past_end="ora")
    answer = exchange.call("POST", f"/uzex/{AUCTION}", json={"from": 9000, "to": 9100})
    assert (answer.status_code, "ORA-01403" in answer.json()["message"]) == (500, True)
    unknown = exchange.call("GET", "/uzex/auction/Common/GetCompletedDealProducts/1")
    assert (unknown.status_code, "ORA-01403" in unknown.json()["message"]) == (500, True)


def test_rows_arrive_while_somebody_pages(exchange: SandboxClient) -> None:
    switch(exchange, rank_shift=2)
    first = rows(exchange, SHOP, **{"from": 1, "to": 10})
    second = rows(exchange, SHOP, **{"from": 11, "to": 20})
    assert [row["lot_id"] for row in second[:2]] == [row["lot_id"] for row in first[-2:]]
    assert second[0]["total_count"] == first[0]["total_count"] + 2
    switch(exchange, rank_shift=0)
    newest = rows(exchange, SHOP, **{"from": 1, "to": 4})
    assert len({row["lot_id"] for row in newest} - {row["lot_id"] for row in first}) == 4
    told = exchange.control("GET", "/uzex/truth?from_day=0&to_day=0")["days"][0]["deals"]["shop"]
    assert {row["lot_id"] for row in newest} <= {deal["lot_id"] for deal in told}


def test_the_total_may_drift(exchange: SandboxClient) -> None:
    true = rows(exchange, SHOP, **{"from": 1, "to": 1})[0]["total_count"]
    switch(exchange, total_drift=40)
    totals = {
        rows(exchange, SHOP, **{"from": first, "to": first})[0]["total_count"] for first in range(1, 30)
    }
    assert len(totals) > 1
    assert all(abs(total - true) <= 40 for total in totals)


def test_purchase_windows_may_overlap(exchange: SandboxClient) -> None:
    switch(exchange, purchase_overlap=1)
    found = rows(exchange, "purchase/Common/GetDirectPurchases", **{"from": 11, "to": 20})
    assert [row["rn"] for row in found] == list(range(10, 21))


def test_filters_are_heeded_in_part_and_the_rest_is_ignored(exchange: SandboxClient) -> None:
    everything = rows(exchange, AUCTION, **{"from": 1, "to": 500})
    one = everything[3]
    assert [
        row["deal_id"] for row in rows(exchange, AUCTION, lot_id=one["lot_id"], **{"from": 1, "to": 9})
    ] == [one["deal_id"]]
    dated = rows(exchange, AUCTION, start_date="2030-01-01", end_date="2030-01-02", **{"from": 1, "to": 500})
    assert {row["lot_id"] for row in dated} == {row["lot_id"] for row in everything}
    assert rows(exchange, OFFERS, category_id=1, **{"from": 1, "to": 12}) == []
    subject = rows(exchange, DEALS, From=1, To=3)[0]["category_name"]
    found = rows(exchange, DEALS, From=1, To=500, Keyword=subject[:4].upper())
    assert found
    assert len(found) < len(rows(exchange, DEALS, From=1, To=500))
    switch(exchange, filters="ignored")
    assert len(rows(exchange, AUCTION, lot_id=one["lot_id"], **{"from": 1, "to": 500})) == len(everything)


def test_the_two_refusals_are_500s_and_not_everywhere(exchange: SandboxClient) -> None:
    def ask(path: str, **headers: str) -> tuple[int, Any]:
        answer = exchange.call("POST", f"/uzex/{path}", json={}, headers=headers)
        return answer.status_code, answer.json()

    switch(exchange, user_agent_check=True)
    message = "Приложение : Missing User-Agent header"
    for agent in ("Karvon/0.1", "Mozilla/5.0"):
        assert ask(SHOP, **{"User-Agent": agent}) == (500, {"status": 500, "message": message})
    assert ask(SHOP, **{"User-Agent": BROWSER})[0] == 200
    assert ask(DEALS, **{"User-Agent": "Karvon/0.1"})[0] == 200
    switch(exchange, user_agent_check=False, validation_check=True)
    assert ask(AUCTION) == (500, {"status": 500, "message": "Приложение : Not Valid"})
    assert ask(AUCTION, validation="given by the operator")[0] == 200
    assert ask("purchase/Common/GetCompetitions")[0] == 200


def test_a_wrong_path_and_a_wrong_verb_are_both_404(exchange: SandboxClient) -> None:
    lot = rows(exchange, AUCTION, **{"from": 1, "to": 2})[0]["lot_id"]
    for method, path in (
        ("GET", AUCTION), ("POST", f"auction/Common/GetLot/{lot}"), ("GET", "auction/Common/GetNothing/1"),
        ("GET", f"auction/Common/GetLot?id={lot}"),
    ):  # fmt: skip
        assert exchange.call(method, f"/uzex/{path}").status_code == 404


def test_auction_deals_and_their_items_add_up(exchange: SandboxClient) -> None:
    found = rows(exchange, AUCTION, **{"from": 1, "to": 61})
    for row in found:
        items = detail(exchange, f"auction/Common/GetCompletedDealProducts/{row['lot_id']}")
        assert sum(item["cost"] for item in items) == row["deal_cost"]
        assert all(item["cost"] == item["quantity"] * item["price"] for item in items)
        assert round(row["start_cost"] * (100 - 2 * row["pcp_count"])) == round(row["deal_cost"] * 100)
        assert row["deal_cost"] <= row["start_cost"]
        assert row["lot_display_no"].endswith(f"1007{row['lot_id']}")
        assert (row["lot_display_no"][2:4] == "11") == (row["is_budget"] == 1)
        assert len({row["lot_id"], row["deal_id"]}) == 2
    assert {row["provider_inn"] is None for row in found} == {True, False}
    assert all(row["provider_name"].startswith("YTT") for row in found if row["provider_inn"] is None)
    orders = [[item["order_num"] for item in detail(exchange,
                                                    f"auction/Common/GetCompletedDealProducts/{row['lot_id']}")]
              for row in found]  # fmt: skip
    assert any(order != sorted(order) for order in orders)


def test_texts_hold_nuls_and_follow_the_language_header(exchange: SandboxClient) -> None:
    found = rows(exchange, AUCTION, **{"from": 1, "to": 500})
    texts = json.dumps(
        [detail(exchange, f"auction/Common/GetCompletedDealProducts/{row['lot_id']}") for row in found]
    )
    assert "\\u0000" in texts
    uz = exchange.call(
        "POST", f"/uzex/{AUCTION}", json={"from": 1, "to": 500}, headers={"language": "uz"}
    ).json()
    by_lot = {row["lot_id"]: row for row in uz}
    assert all(by_lot[row["lot_id"]]["category_name"] != row["category_name"] for row in found)
    assert all(by_lot[row["lot_id"]]["deal_cost"] == row["deal_cost"] for row in found)


def test_buyers_write_in_three_ways(exchange: SandboxClient) -> None:
    path = "etender/api/common/NotDealedList"
    texts = [row["category_name"] for row in rows(exchange, path, From=1, To=500)]
    uz = exchange.call(
        "POST", f"/uzex/{path}", json={"From": 1, "To": 500}, headers={"language": "uz"}
    ).json()
    assert any(row["category_name"].isascii() or "‘" in row["category_name"] for row in uz)
    same = {row["category_name"] for row in uz} & set(texts)
    assert same
    assert not any("a" <= letter <= "z" for text in same for letter in text.lower())


def test_json_comes_inside_strings(exchange: SandboxClient) -> None:
    trades = [
        detail(exchange, f"etender/api/common/GetTrade/{row['trade_id']}/0")
        for row in rows(exchange, DEALS, From=1, To=40)
    ]
    budget = [trade for trade in trades if trade["budget_products"] is not None]
    assert 0 < len(budget) < len(trades)
    for trade in budget:
        products = json.loads(trade["budget_products"])
        assert sum(each["Quantity"] * each["Price"] for each in products) == trade["start_cost"]
        assert trade["products"] is None
    listed = rows(exchange, "purchase/Common/GetCompetitions", **{"from": 1, "to": 50})
    answers = [exchange.call("GET", f"/uzex/purchase/Common/GetCompetition/{row['id']}") for row in listed]
    assert {answer.status_code for answer in answers} == {200, 404}, "some are listed and have no page"
    details = [answer.json() for answer in answers if answer.status_code == 200]
    assert all(json.loads(each["winners_id"]) == each["winners_ids"] for each in details)
    assert {bool(each["winners_ids"]) for each in details} == {True, False}


def test_currencies_are_spelt_in_many_ways(exchange: SandboxClient) -> None:
    names = {
        row["currency_name"]
        for row in rows(exchange, "purchase/Common/GetDirectPurchases", **{"from": 1, "to": 100})
    }
    names |= {
        row["currency_name"]
        for path in (AUCTION, OFFERS)
        for row in rows(exchange, path, **{"from": 1, "to": 5})
    }
    lot = rows(exchange, AUCTION, **{"from": 1, "to": 2})[0]["lot_id"]
    names |= {
        item["currency_name"] for item in detail(exchange, f"auction/Common/GetCompletedDealProducts/{lot}")
    }
    assert names >= {"Сум", "Сом", "UZS", None}


def test_the_key_of_a_shop_request_changes_its_name(exchange: SandboxClient) -> None:
    requests = rows(exchange, "shop/Common/GetNotCompletedDeals", **{"from": 1, "to": 50})
    assert requests
    assert all("lot_id" not in row and row["cost"] == row["price"] * row["amount"] for row in requests)
    exchange.control("POST", "/uzex/next-day", {"days": 6})
    deals = {row["lot_id"] for row in rows(exchange, SHOP, **{"from": 1, "to": 200})}
    assert {row["id"] for row in requests} <= deals
    status = detail(exchange, f"shop/Common/GetLot/{requests[0]['id']}")["lot_status_name"]
    assert status == "Завершен"


def test_reference_data_is_complete(exchange: SandboxClient) -> None:
    categories = detail(exchange, "trade/Lib/GetCategories")
    assert (len(detail(exchange, "trade/Lib/GetRegions")), len(categories)) == (14, 88)
    assert len({row["id"] for row in categories}) == 88
    products = detail(exchange, f"trade/Lib/GetProducts/{categories[0]['id']}")
    assert len({row["code"] for row in products}) == 12


def snapshot(exchange: SandboxClient) -> dict[int, Json]:
    found = rows(exchange, AUCTION, **{"from": 1, "to": 1000})
    return {
        row["lot_id"]: {key: value for key, value in row.items() if key not in ("rn", "total_count")}
        for row in found
    }


def test_days_bring_deals_and_old_deals_change_their_treasury_status(exchange: SandboxClient) -> None:
    before = snapshot(exchange)
    changed: Counter[str] = Counter()
    for _ in range(6):
        truth = exchange.control("POST", "/uzex/next-day")["days"][0]
        after = snapshot(exchange)
        told = {deal["lot_id"]: deal for deal in truth["deals"]["auction"]}
        assert after.keys() - before.keys() == told.keys()
        assert all(after[lot]["deal_cost"] == deal["deal_cost"] for lot, deal in told.items())
        moved = {lot for lot in before if before[lot] != after[lot]}
        changes = {each["lot_id"]: each for each in truth["status_changes"] if each["kind"] == "auction"}
        assert moved == changes.keys()
        assert all(after[lot]["kazna_status_id"] == each["after"] for lot, each in changes.items())
        changed.update("paid" for each in changes.values() if each["after"] == 2)
        before = after
    assert changed["paid"] > 0


def test_open_auctions_end_as_deals_or_without_one(exchange: SandboxClient) -> None:
    listing = "auction/Common/GetMinimizedLotsList"
    opened = {row["id"] for row in rows(exchange, listing, **{"from": 1, "to": 500})}
    assert opened
    subject = detail(exchange, f"auction/Common/GetLot/{min(opened)}")
    assert subject["js_details"][0]["product_name"]
    exchange.control("POST", "/uzex/next-day", {"days": 7, "truth": False})
    days = exchange.control("GET", "/uzex/truth")["days"]
    ended = {deal["lot_id"] for day in days for deal in day["deals"]["auction"]} | {
        lot for day in days for lot in day["failed"]["auction"]
    }
    assert opened <= ended
    failed = {
        row["lot_id"]
        for row in rows(exchange, "auction/Common/GetNotCompletedDeals", **{"from": 1, "to": 500})
    }
    assert {lot for day in days for lot in day["failed"]["auction"]} <= failed


def test_a_restart_forgets_nothing_and_a_reset_everything(tmp_path: Path) -> None:
    one = SandboxClient(tmp_path, products=1)
    one.control("POST", "/uzex/reset", {"began": "2026-03-02", "lots": 40})
    one.control("POST", "/uzex/next-day", {"days": 2})
    one.control("POST", "/uzex/push", {"kind": "auction", "count": 3})
    again = SandboxClient(tmp_path, products=1)
    assert snapshot(again) == snapshot(one)
    assert again.control("GET", "/uzex/truth") == one.control("GET", "/uzex/truth")
    again.control("POST", "/reset", {"vendor": "uzex"})
    assert again.control("GET", "/uzex")["day"] == 0


def test_a_detail_can_be_slow(exchange: SandboxClient) -> None:
    lot = rows(exchange, AUCTION, **{"from": 1, "to": 2})[0]["lot_id"]
    switch(exchange, detail_latency_ms=150)
    began = time.monotonic()
    detail(exchange, f"auction/Common/GetLot/{lot}")
    assert time.monotonic() - began >= 0.15
