"""Messages by webhook: one POST per row, sent once, signed, and what happens when nobody knows whether it arrived."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from row_bench import RowBench

from karvon.addresses import Exceptions
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webhook.channel import WebhookChannel
from reverse_etl.review.explain import explain
from reverse_etl.spec.manifest import SyncError

_names = itertools.count()
SLACK = {"template": "slack", "text": "*{{ title }}* costs {{ price }}"}


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture
def bench(warehouse, sandbox_url, tmp_path) -> Iterator[Callable[..., RowBench]]:
    made: list[RowBench] = []

    def make(**settings) -> RowBench:
        settings = {"destination": "webhook", "mode": "once", "options": SLACK, **settings}
        made.append(RowBench(warehouse, sandbox_url, tmp_path, f"wh{next(_names)}", **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def texts(bench: RowBench) -> list[str]:
    return sorted(one["body"]["text"] for one in bench.messages())


def test_each_row_is_sent_once_and_a_second_run_is_empty(bench) -> None:
    shop = bench()
    shop.row("a", price=5)
    shop.row("b", title="<Tom & Jerry>", price=7)
    shop.row("held", hold_reasons="not yet")
    plan = shop.plan()
    assert shop.messages() == []
    assert plan.summary().startswith("2 create; 2 requests")
    assert shop.apply(plan).summary() == "2 applied; 2 requests"
    # Only the row's own words are escaped, not those of the template.
    assert texts(shop) == ["*&lt;Tom &amp; Jerry&gt;* costs 7", "*Item a* costs 5"]
    assert {one["signature"] for one in shop.messages()} == {"right"}
    assert len({one["idempotency_key"] for one in shop.messages()}) == 2
    assert shop.plan().is_empty
    # Where a message went nobody can look, so nobody says that it stands somewhere.
    told = explain(shop.warehouse, shop.syncs, DESTINATIONS, {one.name: () for one in shop.syncs}, "a")
    assert [(one.reasons, one.standing) for one in told] == [((), "was sent as the view says")]
    shop.row("a", price=6)
    del shop.rows["b"]
    assert shop.plan().is_empty


def test_upsert_sends_a_changed_row_again_with_a_new_idempotency_key(bench) -> None:
    shop = bench(mode="upsert")
    shop.row("a", price=5)
    shop.run()
    shop.row("a", price=6)
    shop.run()
    assert texts(shop) == ["*Item a* costs 5", "*Item a* costs 6"]
    assert len({one["idempotency_key"] for one in shop.messages()}) == 2
    assert shop.plan().is_empty


def test_telegram_and_json_bodies(bench) -> None:
    telegram = bench(options={"template": "telegram", "text": "<b>{{ title }}</b>"})
    telegram.row("a", title="1 < 2")
    telegram.run()
    body = {"chat_id": "the-chat", "text": "<b>1 &lt; 2</b>", "parse_mode": "HTML"}
    assert telegram.messages()[0]["body"] == body
    own = bench(
        mode="upsert",
        options={"body": {"about": "{{ key }}: {{ row['title'] }}", "list": ['"{{ pieces }}"']}},
    )
    own.row("b", title='say "hi"', pieces=3)
    own.run()
    assert own.messages()[0]["body"] == {"about": 'b: say "hi"', "list": ['"3"']}


def test_without_a_template_all_fields_are_sent(bench) -> None:
    shop = bench(options={})
    shop.row("a", price=Decimal("5.5"), pieces=2)
    shop.run()
    assert shop.messages()[0]["body"] == {
        "sync": "items", "action": "create",
        "fields": {"key": "a", "title": "Item a", "price": 5.5, "pieces": 2, "seen_at": None},
    }  # fmt: skip


def test_a_lost_answer_is_reported_and_never_sent_twice_by_itself(bench) -> None:
    shop = bench()
    shop.row("a", price=5)
    shop.fault("drop_after_processing")
    result = shop.run()
    assert result.failed == 1
    assert "on_unknown: report" in result.errors[0]
    shop.row("a", price=6)
    plan = shop.plan()
    assert plan.is_empty
    assert [one.kind for one in plan.findings] == ["refused"]
    assert len(shop.messages()) == 1
    shop.run(retry=True)
    assert len(shop.messages()) == 2


def test_a_lost_answer_is_sent_again_where_the_sync_says_so(bench) -> None:
    shop = bench(options={**SLACK, "on_unknown": "resend"})
    shop.row("a", price=5)
    shop.fault("drop_after_processing")
    assert shop.run().failed == 0
    assert [one["idempotency_key"] for one in shop.messages()] == [shop.messages()[0]["idempotency_key"]] * 2
    assert shop.plan().is_empty


@pytest.mark.parametrize(("on_unknown", "arrived"), [("report", 1), ("resend", 2)])
def test_a_run_killed_after_sending_keeps_the_syncs_choice(bench, monkeypatch, on_unknown, arrived) -> None:
    shop = bench(options={**SLACK, "on_unknown": on_unknown})
    shop.row("a", price=5)
    plan = shop.plan()
    genuine = WebhookChannel.send

    async def send(self, call):
        await genuine(self, call)
        raise Killed

    monkeypatch.setattr(WebhookChannel, "send", send)
    with pytest.raises(Killed):
        shop.apply(plan)
    monkeypatch.setattr(WebhookChannel, "send", genuine)
    assert shop.recover() == 1
    shop.run()
    assert len(shop.messages()) == arrived
    assert shop.plan().is_empty


def test_a_refused_row_is_told_in_the_receivers_words_and_the_others_go_through(bench) -> None:
    shop = bench()
    shop.row("a", price=1)
    shop.row("b", price=2)
    shop.fault("status", fault={"status": 400, "body": {"ok": False, "description": "message is empty"}})
    result = shop.run()
    assert (result.applied, result.failed, result.stopped) == (1, 1, None)
    assert "400 message is empty" in result.errors[0]


def test_a_wrong_address_stops_the_run_and_its_secret_stays_secret(bench) -> None:
    shop = bench()
    for key in "abc":
        shop.row(key)
    shop.fault("status", times=0, fault={"status": 404, "body": "no_service"})
    result = shop.run()
    assert result.stopped is not None
    assert "404" in result.stopped
    assert f"_webhook/{shop.name}" not in "".join([result.stopped, *result.errors])


def test_an_address_inside_is_refused_unless_it_is_allowed(bench) -> None:
    shop = bench()
    shop.row("a")
    shop.receiver = replace(shop.receiver, exceptions=Exceptions())
    result = shop.run()
    assert shop.messages() == []
    assert "127.0.0.1, which is not on the public internet" in (result.stopped or "")
    shop.receiver = replace(shop.receiver, exceptions=Exceptions(hosts=frozenset({"127.0.0.1"})))
    shop.run()
    assert len(shop.messages()) == 1


def test_a_cap_spreads_messages_over_runs(bench) -> None:
    shop = bench(cap=2)
    for key in "abc":
        shop.row(key)
    plan = shop.plan()
    assert [one.message for one in plan.findings] == ["1 of 3 calls go later: the cap is 2 a run"]
    shop.apply(plan)
    assert len(shop.messages()) == 2
    shop.run()
    assert len(shop.messages()) == 3
    assert shop.plan().is_empty


def test_a_guard_blocks_too_many_messages(bench) -> None:
    shop = bench(guards={"max_creates": 1})
    shop.row("a")
    shop.row("b")
    plan = shop.plan()
    assert plan.is_blocked
    assert plan.violations[0].guard == "max_creates"


def test_a_row_whose_message_cannot_be_written_is_a_reject(bench) -> None:
    shop = bench(options={"template": "slack", "text": "{{ pieces / price }}"})
    shop.row("a", price=0, pieces=1)
    shop.row("b", price=2, pieces=4)
    plan = shop.plan()
    assert [(one.kind, one.key) for one in plan.findings] == [("reject", "a")]
    assert shop.apply(plan).applied == 1
    assert texts(shop) == ["2.0"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "update_only"}, "write `once`"),
        ({"on_removal": "delete"}, "cannot be taken back"),
        ({"options": {"template": "slack"}}, "needs a `text`"),
        ({"options": {"template": "slack", "text": "{{ title"}}, "the template '{{ title' is wrong"),
        ({"options": {"tmplate": "slack"}}, "options.tmplate: unknown key"),
        ({"match": ["title"]}, "no records to look at"),
        ({"guards": {"max_removals": 0}}, "guards.max_removals: webhook cannot honour it"),
        ({"guards": {"max_read_age_hours": 4}}, "guards.max_read_age_hours: webhook cannot honour it"),
        ({"mode": "once", "guards": {"max_emptied": 1}}, "guards.max_emptied: webhook cannot honour it"),
        ({"mode": "once", "guards": {"max_updates": 1}}, "guards.max_updates: webhook cannot honour it"),
        ({"mode": "upsert", "guards": {"max_price_change": "5%"}}, "no column is `as: money`"),
        ({"canary": 1}, "canary: webhook has no records to look at"),
    ],
)
def test_wrong_yaml_is_told_with_file_and_way_out(bench, settings, words) -> None:
    with pytest.raises(SyncError, match=r"models/activation/_items\.yml") as caught:
        bench(**settings).plan()
    assert words in str(caught.value)


def test_a_template_cannot_leave_its_sandbox(bench) -> None:
    shop = bench(options={"template": "slack", "text": "{{ title.__class__.__mro__ }}"})
    shop.row("a")
    plan = shop.plan()
    assert plan.is_empty
    assert "unsafe" in plan.findings[0].message


def test_a_message_that_was_taken_with_a_long_answer_is_sent_once(bench) -> None:
    shop = bench(mode="upsert")
    shop.row("a", price=1)
    shop.fault("status", fault={"status": 200, "body": {"log": "x" * 2_000_000}}, times=5)
    result = shop.run()
    assert (result.applied, result.failed) == (1, 0)
    assert shop.plan().is_empty
