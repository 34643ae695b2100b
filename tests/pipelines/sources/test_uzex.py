"""UZEX as it answers: windows of ranks, ranks that move, refusals in a 500, JSON in strings, what changes later."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from market_stand_in import Market
from pydantic import SecretStr

from pipelines.landing import LoadError
from pipelines.persons import counted
from pipelines.sources.uzex import ranks
from pipelines.sources.uzex.client import UzexClient, meaning
from pipelines.sources.uzex.ranks import Walk, moment
from pipelines.sources.uzex.settings import LISTS


def kinds(market: Market) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = market.control("GET", "uzex")["kinds"]
    return found


def now(market: Market) -> datetime:
    return datetime.fromisoformat(market.control("GET", "uzex")["now"])


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of sixteen rows and slices of two windows, so that a small world has many."""
    from pipelines.sources import uzex

    narrow = {one.name: replace(one, rows=min(one.rows, 16), overlap=2) for one in LISTS}
    resources = tuple(
        replace(resource, fetch=_narrowed(resource.fetch, narrow[resource.name]))
        if resource.name in narrow
        else resource
        for resource in uzex.SOURCE.resources
    )
    monkeypatch.setattr("market_stand_in.UZEX", replace(uzex.SOURCE, resources=resources))
    monkeypatch.setattr(ranks, "WINDOWS_PER_SLICE", 2)


def _narrowed(fetch: Any, listed: Any) -> Any:
    return partial(fetch.func, listed=listed)


def test_every_list_is_read_whole_whatever_its_windows_mean(market: Market, small_windows: None) -> None:
    landed = market.load_uzex(*(one.name for one in LISTS), at=now(market))
    there = kinds(market)
    assert {
        name: landed[name].new for name in ("auction_deals", "shop_deals", "national_deals", "etender_deals")
    } == {
        "auction_deals": there["auction"]["deals"],
        "shop_deals": there["shop"]["deals"],
        "national_deals": there["national"]["deals"],
        "etender_deals": there["etender"]["deals"],
    }
    assert landed["auction_lots"].new == there["auction"]["open"]
    assert landed["shop_lots"].new == there["shop"]["open"]
    assert landed["offers"].new == there["offer"]["all"]
    assert landed["competitions"].new == there["competition"]["all"]
    assert landed["direct_purchases"].new == there["direct"]["all"]
    assert landed["etender_failed"].new == there["etender"]["failed"]
    assert landed["etender_lots"].new == there["etender"]["open"]


def test_rows_that_arrive_while_pages_are_read_lose_none(market: Market, small_windows: None) -> None:
    before = kinds(market)["auction"]["deals"]
    market.switch(uzex_rank_shift=3)
    landed = market.load_uzex("auction_deals", at=now(market))["auction_deals"]
    market.switch(uzex_rank_shift=0)
    assert landed.new >= before
    market.load_uzex("auction_deals", at=now(market))
    assert len(market.live("raw_uzex.auction_deals")) == kinds(market)["auction"]["deals"]


@pytest.mark.parametrize(
    "switch", [{"uzex_total_drift": 5}, {"uzex_purchase_overlap": 4}, {"uzex_past_end": "ora"}]
)
def test_totals_that_lie_windows_that_overlap_and_an_end_that_is_an_error(
    market: Market, small_windows: None, switch: dict[str, Any]
) -> None:
    market.switch(**switch)
    landed = market.load_uzex("auction_deals", "competitions", "direct_purchases", at=now(market))
    there = kinds(market)
    assert all(report.is_complete for report in landed.values())
    assert [landed[name].new for name in ("auction_deals", "competitions", "direct_purchases")] == [
        there["auction"]["deals"], there["competition"]["all"], there["direct"]["all"],
    ]  # fmt: skip


def test_a_walk_that_was_broken_off_goes_on_where_it_was(market: Market, small_windows: None) -> None:
    market.load_uzex("auction_deals", rounds=1, at=now(market))
    cursor = market.rows("SELECT cursor_value FROM raw_uzex.observations ORDER BY observed_at DESC")[0]
    stopped = Walk.at(cursor["cursor_value"])
    assert stopped.rank > 1
    market.control("DELETE", "requests")
    market.load_uzex("auction_deals", at=now(market))
    first = market.requests("uzex")[0]["body"]["from"]
    assert first == stopped.rank
    assert len(market.live("raw_uzex.auction_deals")) == kinds(market)["auction"]["deals"]


def test_a_later_load_reads_down_to_the_watermark_less_the_look_back(
    market: Market, small_windows: None
) -> None:
    first = market.load_uzex("auction_deals", at=now(market), look_back_days=1)["auction_deals"]
    market.control("POST", "uzex/next-day", {})
    again = market.load_uzex("auction_deals", at=now(market), look_back_days=1)["auction_deals"]
    assert again.requests < first.requests
    assert len(market.live("raw_uzex.auction_deals")) == kinds(market)["auction"]["deals"]


def test_a_payment_status_that_changes_later_is_seen(market: Market) -> None:
    market.control("POST", "uzex/reset", {"lots": 150, "seed": 3})
    market.load_uzex("auction_deals", at=now(market))
    before = market.live("raw_uzex.auction_deals")
    for _ in range(3):
        market.control("POST", "uzex/next-day", {})
    changed = market.load_uzex("auction_deals", at=now(market))["auction_deals"].changed
    after = market.live("raw_uzex.auction_deals")
    assert changed == sum(before[key] != after[key] for key in before) > 0


def test_a_date_in_the_future_does_not_hide_later_rows() -> None:
    walk = Walk(number=3, until="2026-11-19T00:00:00+00:00", top="", rank=0)
    assert Walk.at(walk.cursor) == walk
    assert Walk(number=10).cursor > Walk(number=9).cursor


def test_rows_of_another_list_are_left_out_when_the_filter_is_ignored(market: Market) -> None:
    rows = [
        {"deal_id": 1, "deal_date": "2026-11-01T10:00:00", "display_on_shop": 1, "display_on_national": 0},
        {"deal_id": 2, "deal_date": "2026-11-01T10:00:00", "display_on_shop": 0, "display_on_national": 1},
    ]
    market.fault("shop/Common/GetCompletedDeals", "status", status=200, body=rows)
    market.load_uzex("shop_deals", rounds=1)
    assert "1" in market.live("raw_uzex.shop_deals")
    assert "2" not in market.live("raw_uzex.shop_deals")


def test_details_come_once_and_again_when_their_row_changed(market: Market) -> None:
    at = now(market)
    first = market.load_uzex("competitions", "competition_details", at=at)["competition_details"]
    assert first.seen == kinds(market)["competition"]["all"]
    assert market.load_uzex("competitions", "competition_details", at=at)["competition_details"].requests == 0
    for _ in range(3):
        market.control("POST", "uzex/next-day", {})
    again = market.load_uzex("competitions", "competition_details", at=now(market))
    changed = again["competitions"].new + again["competitions"].changed
    assert again["competition_details"].requests == changed


def test_details_are_read_within_their_budget_and_the_rest_by_later_loads(market: Market) -> None:
    wanted = ("auction_deals", "auction_deal_items")
    for _ in range(3):
        assert market.load_uzex(*wanted, rounds=1, details_per_run=5)["auction_deal_items"].requests == 5
    items = market.live("raw_uzex.auction_deal_items")
    assert len(items) == 15
    one = next(iter(items.values()))
    assert one["items"][0]["order_num"] >= 1
    deal = next(
        row for row in market.live("raw_uzex.auction_deals").values() if row["lot_id"] == one["lot_id"]
    )
    assert sum(item["cost"] for item in one["items"]) == pytest.approx(deal["deal_cost"])


def test_a_detail_that_is_not_there_is_not_asked_for_again(market: Market) -> None:
    gone = {"status": 500, "message": "ORA-01403: no data found"}
    market.fault("GetCompetition/", "status", status=500, body=gone)
    first = market.load_uzex("competitions", "competition_details")["competition_details"]
    assert (first.missing, first.failed) == (1, 0)
    assert market.load_uzex("competitions", "competition_details")["competition_details"].requests == 0


def test_details_that_answer_404_are_asked_for_once_and_leave_the_budget_to_the_others(
    market: Market,
) -> None:
    """The exchange lists competitions whose page is not there."""
    wanted = ("competitions", "competition_details")
    market.control("POST", "uzex/reset", {"lots": 200, "seed": 3})
    there = kinds(market)["competition"]["all"]
    for _ in range(4):
        market.load_uzex(*wanted, rounds=1, details_per_run=8)
    landed = market.live("raw_uzex.competition_details")
    assert len(landed) == there
    assert {"340011", "340022"} <= {key for key, one in landed.items() if one.get("is_missing")}
    quiet = market.load_uzex(*wanted, rounds=1, details_per_run=8)["competition_details"]
    assert (quiet.requests, quiet.failed, quiet.is_complete) == (0, 0, True)


def test_a_path_that_answers_404_to_all_is_wrong_and_tells_nothing_of_the_details(market: Market) -> None:
    market.fault(
        "GetCompetition/", "status", times=1000, status=404, body={"status": 404, "message": "Not Found"}
    )
    lost = market.load_uzex("competitions", "competition_details")["competition_details"]
    assert lost.failed == kinds(market)["competition"]["all"]
    assert market.live("raw_uzex.competition_details") == {}
    market.control("DELETE", "faults")
    assert market.load_uzex("competitions", "competition_details")["competition_details"].is_complete
    assert len(market.live("raw_uzex.competition_details")) == kinds(market)["competition"]["all"]


def test_the_only_new_detail_is_held_against_a_known_one(market: Market) -> None:
    market.load_uzex("competitions", "competition_details")
    rows = [{"id": 340_999, "cost": 1.0, "currency_name": "Сум"}]
    market.fault("GetCompetitions", "status", status=200, body=rows)
    market.fault("GetCompetition/340999", "status", status=404, body={"status": 404, "message": "Not Found"})
    alone = market.load_uzex("competitions", "competition_details", rounds=1)["competition_details"]
    assert (alone.missing, alone.failed) == (1, 0)


def test_details_that_always_fail_do_not_keep_out_the_rest(market: Market) -> None:
    """The newest six fail whenever they are asked for, and the budget is four."""
    newest = max(int(key) for key in market_competitions(market))
    for number in range(newest - 5, newest + 1):
        market.fault(f"GetCompetition/{number}", "status", times=1000, status=400, body={"message": "boom"})
    before = market.live("raw_uzex.competition_details")
    for day in range(12):
        at = now(market) + timedelta(days=day)
        market.load_uzex("competition_details", rounds=1, details_per_run=4, at=at)
    assert before == {}
    assert market.live("raw_uzex.competition_details").keys() == set(market_competitions(market)) - {
        str(number) for number in range(newest - 5, newest + 1)
    }


def market_competitions(market: Market) -> list[str]:
    market.load_uzex("competitions", rounds=1)
    return list(market.live("raw_uzex.competitions"))


def test_a_list_longer_than_a_load_may_read_is_not_complete_and_is_read_on(
    market: Market, small_windows: None
) -> None:
    there = kinds(market)["shop"]["open"] + kinds(market)["etender"]["open"]
    for _ in range(6):
        cut = market.load_uzex("competitions", rounds=1, windows_per_run=1)["competitions"]
        assert not cut.is_complete, "it says nothing of what it does not hold"
    assert len(market.live("raw_uzex.competitions")) == kinds(market)["competition"]["all"]
    market.load_uzex("shop_lots", "etender_lots", at=now(market))
    before = market.live("raw_uzex.shop_lots").keys() | market.live("raw_uzex.etender_lots").keys()
    assert len(before) == there
    market.load_uzex("shop_lots", "etender_lots", rounds=1, windows_per_run=1)
    after = market.live("raw_uzex.shop_lots").keys() | market.live("raw_uzex.etender_lots").keys()
    assert after == before, "nothing that a cut list does not show is gone"


def test_json_inside_strings_lands_as_json(market: Market) -> None:
    market.load_uzex("competitions", "competition_details", "etender_lots", "etender_details")
    competitions = market.live("raw_uzex.competition_details").values()
    assert all(isinstance(one["winners_id"], list) for one in competitions if not one.get("is_missing"))
    tender = [one for one in market.live("raw_uzex.etender_details").values() if one.get("budget_products")]
    assert tender
    assert all(isinstance(one["budget_products"], list) for one in tender)


def test_no_person_of_the_exchange_is_landed(market: Market) -> None:
    """It plants people in contacts, winners, descriptions and texts of each kind of detail."""
    market.load_uzex()
    tables = [table for table in market.tables("raw_uzex") if not table.startswith("_")]
    assert {"competition_details", "direct_details", "etender_details", "auction_deal_items"} <= set(tables)
    for table in tables:
        documents = market.live(f"raw_uzex.{table}").values() if table != "observations" else ()
        assert counted(documents) == {}, table
        assert "Namuna " not in str(documents), "the given name of all the exchange's people"
    winners = [
        winner
        for one in market.live("raw_uzex.competition_details").values()
        for winner in one.get("winners_ids") or ()
    ]
    assert all(winner["inn"] for winner in winners)
    assert any("Savdo" in winner.get("fullname", "") for winner in winners), "companies are named"


def test_nul_characters_are_gone(market: Market) -> None:
    tables = ("auction_deals", "auction_deal_items", "competitions", "competition_details")
    market.control("POST", "uzex/reset", {"lots": 400, "seed": 3})
    market.load_uzex(*tables, at=now(market))
    told = {}
    for table in tables:
        documents = str(market.live(f"raw_uzex.{table}"))
        assert "\x00" not in documents
        assert "\\u0000" not in documents
        told[table] = documents.count("(см. файл)")
    # The stand-in ends such texts with a NUL and these words.
    assert sum(told.values()) > 0, told


@pytest.mark.parametrize("check", ["uzex_user_agent_check", "uzex_validation_check"])
def test_both_refusals_end_the_load_at_once_and_are_told_as_what_they_are(market: Market, check: str) -> None:
    market.switch(**{check: True})
    with pytest.raises(LoadError, match=r"uzex\.auction_deals .*this is a refusal") as failure:
        market.load_uzex("auction_deals")
    assert failure.value.report.resources[-1].refused == 1
    assert len(market.requests("uzex")) == 1


def test_what_the_operator_configured_is_what_is_sent(market: Market) -> None:
    market.switch(uzex_user_agent_check=True, uzex_validation_check=True)
    agreed = replace(market, headers={"validation": SecretStr("given-by-the-portal")})
    manners = agreed.manners(agent="Mozilla/5.0 (an agent that the portal agreed to, bureau@example.uz)")
    assert agreed.load_uzex("auction_deals", manners=manners)["auction_deals"].is_complete
    assert "given-by-the-portal" not in repr(manners)


def test_a_real_500_is_tried_again(market: Market) -> None:
    market.fault("GetCompletedDeals", "status", status=500, body={"status": 500, "message": "Internal"})
    assert market.load_uzex("auction_deals", rounds=1)["auction_deals"].is_complete


@pytest.mark.parametrize(
    ("body", "means"),
    [
        ('{"status":500,"message":"Приложение : Missing User-Agent header"}', "refused"),
        ('{"status":500,"message":"Приложение : Not Valid"}', "refused"),
        ('{"message":"ORA-01403: no data found"}', "missing"),
        ('{"message":"boom"}', None),
    ],
)
def test_a_500_means_what_its_body_says(body: str, means: str | None) -> None:
    assert meaning(500, body.encode()) == means
    assert meaning(200, body.encode()) is None


@pytest.mark.parametrize(
    ("text", "moment_of"),
    [
        ("2026-06-01T10:11:12", datetime(2026, 6, 1, 10, 11, 12, tzinfo=UTC)),
        ("06/30/2026 10:11:12", datetime(2026, 6, 30, 10, 11, 12, tzinfo=UTC)),
        ("30.06.2026 10:11", datetime(2026, 6, 30, 10, 11, tzinfo=UTC)),
        ("soon", None),
        (None, None),
    ],
)
def test_times_come_in_several_forms(text: Any, moment_of: datetime | None) -> None:
    assert moment(text) == moment_of


def test_lots_that_closed_leave_the_open_list(market: Market) -> None:
    market.load_uzex("etender_lots", at=now(market))
    before = set(market.live("raw_uzex.etender_lots"))
    for _ in range(4):
        market.control("POST", "uzex/next-day", {})
    market.load_uzex("etender_lots", at=now(market) + timedelta(hours=1))
    assert len(market.live("raw_uzex.etender_lots")) == kinds(market)["etender"]["open"]
    assert before - set(market.live("raw_uzex.etender_lots"))


def test_the_client_is_the_sources_own(market: Market) -> None:
    with pytest.raises(TypeError, match="UZEX"):
        UzexClient.of(type("Context", (), {"http": None})())
