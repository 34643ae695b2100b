"""Kills, lost answers, outages and plan caps: bulk calls are never doubled and never lost."""

from __future__ import annotations

import pytest
from cms_bench import CmsBench

from reverse_etl.destinations.webflow.cms_channel import CmsChannel


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def makers(bench: CmsBench, count: int, **settings) -> None:
    bench.collection("makers", rank="Number", cover="Image")
    columns = {"rank": ("bigint", {"field": "rank"}), "cover": ("text", {"field": "cover"})}
    bench.model("makers", columns, collection="makers", **settings)
    for number in range(count):
        bench.row("makers", f"m{number:03d}", rank=number)


@pytest.mark.parametrize("count", [2, 120])
@pytest.mark.parametrize("kind", ["drop_after_processing", "drop_connection"])
def test_items_whose_answer_never_came_are_looked_up(cms: CmsBench, kind: str, count: int) -> None:
    makers(cms, count)
    cms.mirror()
    cms.fault(kind, method="POST", path="/items$", times=1)
    result = cms.apply(cms.plan())
    assert (result.applied, result.failed, result.stopped) == (count, 0, None), result.errors
    assert len(cms.items("makers")) == count
    assert cms.settle().is_empty


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("change", ["create", "update", "delete"])
def test_a_run_killed_around_a_call_is_resumed(
    cms: CmsBench, monkeypatch, is_sent: bool, change: str
) -> None:
    makers(cms, 5, on_removal="delete")
    if change != "create":
        cms.run()
        cms.row("makers", "m001", rank=100)
        if change == "delete":
            cms.gone("makers", "m002")
    cms.mirror()
    plan = cms.plan()
    genuine = CmsChannel.send

    async def send(self, call):
        if call[0].action == change:
            if is_sent:
                await genuine(self, call)
            raise Killed
        return await genuine(self, call)

    monkeypatch.setattr(CmsChannel, "send", send)
    with pytest.raises(Killed):
        cms.apply(plan)
    monkeypatch.setattr(CmsChannel, "send", genuine)
    assert cms.recover() > 0
    result = cms.run()
    assert result.failed == 0, result.errors
    items = cms.items("makers")
    assert len(items) == (4 if change == "delete" else 5)
    assert items["s-m001"]["fields"]["rank"] == (1 if change == "create" else 100)
    assert cms.settle().is_empty


def test_a_picture_that_cannot_be_fetched_fails_its_row_alone(cms: CmsBench) -> None:
    makers(cms, 30)
    for number, cover in ((3, "https://img.example/ok.png"), (7, "https://img.example/page.html")):
        cms.row("makers", f"m{number:03d}", rank=number, cover=cover)
    result = cms.run()
    assert (result.applied, result.failed) == (29, 1)
    assert "m007: 400" in result.errors[0]
    assert "Unsupported file type" in result.errors[0]
    # The same row is not tried again by itself; a changed one is.
    assert cms.run().counts["failed"] == 0
    cms.row("makers", "m007", rank=7, cover="https://img.example/page.png")
    assert cms.run().applied == 1
    assert cms.settle().is_empty


def test_a_full_plan_stops_creates_only(cms: CmsBench) -> None:
    makers(cms, 3)
    cms.run()
    cms.switch(item_cap=1)
    cms.row("makers", "m001", rank=50)
    cms.row("makers", "m900", rank=9)
    result = cms.run()
    assert result.applied == 1
    assert "current plan" in result.errors[0]
    assert cms.items("makers")["s-m001"]["fields"]["rank"] == 50
    assert len(cms.items("makers")) == 3


def test_a_token_without_rights_stops_the_run(cms: CmsBench) -> None:
    makers(cms, 3)
    cms.mirror()
    cms.switch(scopes="no_cms_write")
    result = cms.apply(cms.plan())
    assert "missing_scopes" in result.stopped or "missing the following scopes" in result.stopped


def test_a_taken_slug_that_the_shop_changed_is_kept_and_told(cms: CmsBench) -> None:
    makers(cms, 3, match=[])
    made = {
        "account": cms.account,
        "collection": "makers",
        "fieldData": {"name": "By hand", "slug": "s-m001"},
    }
    cms.control.post("/webflow/item", json=made).raise_for_status()
    cms.switch(duplicate_slug="suffix")
    result = cms.run()
    assert (result.applied, result.failed) == (3, 0)
    assert "slug 's-m001' was taken" in result.notes[0]
    assert len(cms.items("makers")) == 4
    assert cms.settle().is_empty
