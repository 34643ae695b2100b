"""The walk over numbered records, on the Uzum stand-in: what is visited, landed, counted, and when it comes again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from market_stand_in import IDS, Market

from karvon.warehouse import Session, Warehouse
from pipelines.crawl import crawl, crawl_due
from pipelines.landing import LoadError, LoadOptions
from pipelines.slices import Slice, due, within
from pipelines.sources.uzum import SOURCE

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def states(market: Market, at: datetime, **changes: object) -> dict[str, str]:
    return {one.slice.scope: one.state for one in market.status(at=at, **changes)}


def test_every_id_is_visited_once_and_what_exists_is_landed(market: Market) -> None:
    landed = market.crawl()
    assert set(market.live("raw_uzum.products")) == {str(number) for number in market.products()}
    visits = Counter(one["path"] for one in market.requests(path="/product/"))
    assert set(visits.values()) == {1}
    assert [one.seen + one.missing for one in landed] == [20] * len(landed)
    assert sum(one.requests for one in landed) == len(visits) == 20 * len(landed)
    assert all(one.is_complete for one in landed)


def test_the_universe_ends_where_so_many_in_a_row_are_missing_and_grows_with_the_market(
    market: Market,
) -> None:
    assert {one.scope for one in market.crawl(at=NOON)} == {"ids 1-20", "ids 21-40", "ids 41-60"}
    for _ in range(20):
        market.control("POST", "uzum/next-day", {"truth": False})
    last = market.control("GET", "uzum")["last_id"]
    assert last > IDS
    market.crawl(at=NOON + 2 * DAY)
    assert set(market.live("raw_uzum.products")) == {str(number) for number in market.products()}


def test_a_last_id_is_walked_to_although_nothing_is_there(market: Market) -> None:
    walked = market.crawl(universe={"first_id": 1001, "last_id": 1030, "stop_after_missing": 0})
    assert [one.scope for one in walked] == ["ids 1001-1020", "ids 1021-1040"]
    assert market.crawl(universe={"first_id": 1001, "last_id": 1030, "stop_after_missing": 0}) == []


def test_a_slice_is_fresh_for_its_time_and_stale_after_it(market: Market) -> None:
    assert set(states(market, NOON).values()) == {"never visited"}
    market.crawl(at=NOON)
    assert set(states(market, NOON + DAY).values()) == {"fresh"}
    assert set(states(market, NOON + DAY + timedelta(seconds=1)).values()) == {"stale"}
    assert market.crawl(at=NOON + DAY) == []
    again = market.crawl(at=NOON + 2 * DAY)
    assert sum(one.requests for one in again) == 60


def test_a_slice_looks_up_its_own_ids_only(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    market.crawl(at=NOON)
    read: list[int] = []
    with market.warehouse.session() as session:
        kind = type(session)
    arrow = kind.arrow

    def counted(session: Session, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        found = arrow(session, sql, params)
        read.append(found.num_rows)
        return found

    monkeypatch.setattr(kind, "arrow", counted)
    assert sum(one.seen for one in market.crawl(at=NOON + 2 * DAY)) > 20
    assert 0 < max(read) <= 20


def test_a_run_visits_as_much_as_its_requests_are_for_and_the_next_one_goes_on(market: Market) -> None:
    budget = {"requests_per_run": 20, "last_id": 40}
    assert [one.scope for one in market.crawl(at=NOON, universe=budget)] == ["ids 1-20"]
    assert [one.scope for one in market.crawl(at=NOON, universe=budget)] == ["ids 21-40"]


def test_never_visited_slices_come_first_and_then_those_tried_longest_ago(market: Market) -> None:
    for days in range(2):
        market.crawl(at=NOON + days * DAY, universe={"requests_per_run": 20, "last_id": 40})
    order = due(market.status(at=NOON + 5 * DAY, universe={"last_id": 40}), NOON + 5 * DAY)
    assert [one.slice.scope for one in order] == ["ids 41-60", "ids 1-20", "ids 21-40"]
    assert len(within(order, 1)) == 1


def test_ids_that_fail_leave_their_slice_incomplete_and_it_comes_again(market: Market) -> None:
    market.fault("/product/7$", "status", times=6, status=500)
    first = market.crawl(at=NOON, universe={"last_id": 20, "stop_after_missing": 0})[0]
    assert (first.failed, first.refused, first.is_complete) == (1, 0, False)
    assert states(market, NOON, universe={"last_id": 20, "stop_after_missing": 0}) == {"ids 1-20": "failed"}
    again = market.crawl(at=NOON, universe={"last_id": 20, "stop_after_missing": 0})[0]
    assert (again.failed, again.is_complete, again.new) == (0, True, 7 in market.products())


def test_passing_trouble_costs_a_repeat_and_nothing_else(market: Market) -> None:
    market.fault("/product/3$", "status", status=429, retry_after=0)
    market.fault("/product/4$", "truncated")
    market.fault("/product/5$", "drop_connection")
    landed = market.crawl(universe={"last_id": 20, "stop_after_missing": 0})
    assert [(one.failed, one.is_complete) for one in landed] == [(0, True)]
    assert landed[0].requests == 20 + 3 - (4 not in market.products())


@pytest.mark.parametrize("kind", ["unauthorized", "captcha", "empty"])
def test_a_refusal_ends_the_crawl_at_once_and_deletes_nothing(market: Market, kind: str) -> None:
    market.crawl(at=NOON)
    before = market.live("raw_uzum.products")
    market.control("DELETE", "requests")
    market.switch(uzum_answer=kind)
    with pytest.raises(LoadError, match=r"uzum\.products .*answered (401|302|200)") as failure:
        market.crawl(at=NOON + 2 * DAY)
    assert failure.value.report.resources[0].refused == 1
    assert not failure.value.report.resources[0].is_complete
    # Those that were under way, and no more.
    assert len(market.requests()) <= 8
    assert market.live("raw_uzum.products") == before


def test_a_slice_that_was_broken_off_deletes_nothing_that_it_did_not_find(market: Market) -> None:
    """Ids that answered 404 before the refusal came may be gone, or the trouble may have begun with them."""
    whole = {"slice_size": 60, "last_id": 60, "stop_after_missing": 0}
    market.crawl(at=NOON, universe=whole)
    before = market.live("raw_uzum.products")
    first, *_, last = sorted(int(key) for key in before)
    market.control("POST", "uzum/edit", {"product": first, "vanish": True})
    market.fault(f"/product/{last}$", "status", status=401, body={"message": "no"})
    alone = replace(market.uzum(universe=whole), manners=market.manners(concurrency=1))
    with pytest.raises(LoadError):
        list(crawl_due(SOURCE, alone, market.warehouse, LoadOptions(now=NOON + 2 * DAY)))
    assert market.live("raw_uzum.products").keys() == before.keys()
    deleted = sum(one.deleted for one in market.crawl(at=NOON + 3 * DAY, universe=whole))
    assert deleted == 1, "a whole slice is believed"


@pytest.mark.parametrize(
    ("first", "stop", "scopes"),
    [(1, 20, ["ids 1-20"]), (1, 21, ["ids 1-20", "ids 21-40"]), (1001, 0, ["ids 1001-1020"])],
)
def test_a_market_of_which_nothing_is_known_is_walked_as_far_as_so_many_may_be_missing(
    market: Market, first: int, stop: int, scopes: list[str]
) -> None:
    universe = {"first_id": first, "last_id": 0, "stop_after_missing": stop}
    assert list(states(market, NOON, universe=universe)) == scopes


def test_a_source_that_is_down_ends_the_crawl(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.crawl.FAILURES_IN_A_ROW", 2)
    market.fault("/product/", "status", times=0, status=404, body={"x": 1})
    unreachable = replace(market.uzum(), base_url="http://127.0.0.1:9")
    with pytest.raises(LoadError, match="got no answer"):
        list(crawl_due(SOURCE, unreachable, market.warehouse, LoadOptions()))


def test_a_known_id_that_is_missing_gets_a_tombstone_and_one_that_returns_a_new_version(
    market: Market,
) -> None:
    market.crawl(at=NOON)
    product = next(iter(market.products()))
    market.control("POST", "uzum/edit", {"product": product, "vanish": True})
    deleted = sum(one.deleted for one in market.crawl(at=NOON + 2 * DAY))
    assert (deleted, str(product) in market.live("raw_uzum.products")) == (1, False)
    market.control("POST", "uzum/edit", {"product": product, "return": True})
    market.crawl(at=NOON + 4 * DAY)
    assert str(product) in market.live("raw_uzum.products")


def test_an_api_that_answers_missing_for_everything_deletes_nothing(market: Market) -> None:
    market.crawl(at=NOON, universe={"slice_size": 60, "last_id": 60, "stop_after_missing": 0})
    before = market.live("raw_uzum.products")
    market.fault("/product/", "status", times=0, status=404, body={"payload": None})
    with pytest.raises(LoadError, match=r"known records are missing.*KARVON_MAX_SHRINK_PERCENT"):
        market.crawl(at=NOON + 2 * DAY, universe={"slice_size": 60, "last_id": 60, "stop_after_missing": 0})
    assert market.live("raw_uzum.products") == before


def test_two_crawls_at_once_divide_the_slices(market: Market) -> None:
    slices = [Slice.between(first, first + 9) for first in range(1, 51, 10)]
    asked = (SOURCE, market.uzum(), market.warehouse, slices, LoadOptions(), datetime.now(UTC))
    one = crawl(*asked)
    first = next(one)
    other = [report.resources[0].scope for report in crawl(*asked)]
    rest = [report.resources[0].scope for report in one]
    assert sorted([first.resources[0].scope, *rest, *other]) == sorted(one.scope for one in slices)
    assert set(Counter(entry["path"] for entry in market.requests()).values()) == {1}


def test_a_claim_is_given_to_one_and_given_back(warehouse: Warehouse) -> None:
    claims = ("a slice", "another", "a slice")
    with ExitStack() as stack:
        given = [stack.enter_context(warehouse.claim(what)) for what in claims]
        assert given == [True, True, False]
    with warehouse.claim("a slice") as later:
        assert later


def test_records_worth_a_visit_come_by_the_models_order_and_say_which_were_visited(market: Market) -> None:
    market.crawl(at=NOON)
    wanted = sorted(market.products())[:6]
    with market.warehouse.session() as session:
        session.execute("CREATE SCHEMA marts")
        session.execute(
            "CREATE TABLE marts.crawl_priorities AS SELECT 'uzum' AS source, "
            f"'{market.name}' AS connection, id AS product_id, "
            "1.0 AS expected_changes_per_visit, row_number() OVER (ORDER BY id DESC) AS visit_order, "
            f"timestamptz '{NOON.isoformat()}' AS last_seen_at FROM (SELECT unnest({wanted}::bigint[]) AS id) ids"
        )
    some = {"requests_per_run": 4, "slice_size": 4}
    first = market.crawl(at=NOON + timedelta(hours=1), universe={**some, "slice_size": 20})
    second = market.crawl(at=NOON + timedelta(hours=2), universe={**some, "slice_size": 20})
    assert [one.scope.rpartition(" ")[0] for one in (*first, *second)] == ["revisit 4 ids", "revisit 2 ids"]
    visits = [document["ids"] for document in market.live("raw_uzum.visits").values()]
    assert sorted(visits, reverse=True) == [wanted[:1:-1], wanted[1::-1]]
