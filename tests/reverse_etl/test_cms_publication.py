"""Staged and live: what visitors see is part of what a sync keeps; a 202 is read item by item (dossier §2.4, §2.5)."""

from __future__ import annotations

import pytest
from cms_bench import CmsBench


def notes(bench: CmsBench, count: int = 2, **settings) -> None:
    bench.collection("notes", rank="Number")
    bench.model(
        "notes", {"rank": ("bigint", {"field": "rank"}), "draft": ("boolean", {"field": "isDraft"})},
        collection="notes", **settings,
    )  # fmt: skip
    for number in range(count):
        bench.row("notes", f"n{number}", rank=number, draft=False)


def live_rank(bench: CmsBench, slug: str) -> int | None:
    found = bench.api.get(
        f"/collections/{bench.collections['notes']}/items/live", params={"slug": slug}
    ).json()
    return found["items"][0]["fieldData"]["rank"] if found["items"] else None


def test_staging_leaves_publication_alone(cms: CmsBench) -> None:
    notes(cms)
    cms.run()
    assert live_rank(cms, "s-n0") is None
    assert cms.settle().is_empty


def test_live_items_are_seen_at_once_in_one_request(cms: CmsBench) -> None:
    notes(cms, publish="live")
    cms.run()
    assert live_rank(cms, "s-n1") == 1
    assert [path.rsplit("/", 1)[1] for path in cms.requests("POST")] == ["live"]
    cms.row("notes", "n1", rank=5, draft=False)
    cms.run()
    assert [path.rsplit("/", 1)[1] for path in cms.requests("PATCH")] == ["live"]
    assert live_rank(cms, "s-n1") == 5
    assert cms.settle().is_empty


def test_a_sync_that_turns_live_publishes_what_it_has(cms: CmsBench) -> None:
    notes(cms)
    cms.run()
    notes_settings, _ = cms.models["notes"]
    notes_settings["publish"] = "live"
    plan = cms.settle()
    assert {one.action for one in plan.operations} == {"publish"}
    assert plan.request_count == 1
    assert cms.apply(plan).failed == 0
    assert live_rank(cms, "s-n1") == 1
    assert cms.settle().is_empty


def test_an_item_that_somebody_unpublished_is_published_again(cms: CmsBench) -> None:
    notes(cms, publish="live")
    cms.run()
    cms.mirror()
    item = cms.items("notes")["s-n0"]["id"]
    cms.api.delete(f"/collections/{cms.collections['notes']}/items/{item}/live").raise_for_status()
    cms.row("notes", "n1", rank=9, draft=False)
    result = cms.run()
    assert result.failed == 0, result.errors
    assert (live_rank(cms, "s-n0"), live_rank(cms, "s-n1")) == (0, 9)
    assert cms.settle().is_empty


def test_a_live_update_of_an_item_unpublished_meanwhile_goes_through_staging(cms: CmsBench) -> None:
    notes(cms, publish="live")
    cms.run()
    cms.mirror()
    for number in (0, 1):
        cms.row("notes", f"n{number}", rank=number + 5, draft=False)
    plan = cms.plan()
    item = cms.items("notes")["s-n0"]["id"]
    cms.api.delete(f"/collections/{cms.collections['notes']}/items/{item}/live").raise_for_status()
    assert cms.apply(plan).failed == 0
    assert (live_rank(cms, "s-n0"), live_rank(cms, "s-n1")) == (5, 6)
    assert cms.settle().is_empty


def test_what_a_publish_call_says_of_single_items_is_believed(cms: CmsBench) -> None:
    notes(cms, count=3)
    cms.run()
    cms.mirror()
    cms.models["notes"][0]["publish"] = "live"
    plan = cms.plan()
    # Archived by a person between plan and apply: the publish call answers 202 all the same.
    cms.edit("s-n1", collection="notes", isArchived=True)
    result = cms.apply(plan)
    assert (result.applied, result.failed) == (2, 1)
    assert "is archived and cannot be published" in result.errors[0]
    assert (live_rank(cms, "s-n0"), live_rank(cms, "s-n1"), live_rank(cms, "s-n2")) == (0, None, 2)


def test_drafts_stay_drafts_and_go_live_when_they_are_none_any_more(cms: CmsBench) -> None:
    notes(cms, publish="live")
    cms.row("notes", "n0", rank=0, draft=True)
    cms.run()
    assert (live_rank(cms, "s-n0"), live_rank(cms, "s-n1")) == (None, 1)
    assert cms.items("notes")["s-n0"]["is_draft"]
    assert cms.settle().is_empty
    cms.row("notes", "n0", rank=0, draft=False)
    result = cms.run()
    assert result.failed == 0, result.errors
    assert live_rank(cms, "s-n0") == 0
    assert cms.settle().is_empty


@pytest.mark.parametrize("switch", [{"site_published": "never"}, {}])
def test_a_site_that_cannot_be_published_to_is_told_and_nothing_is_tried_row_by_row(
    cms: CmsBench, switch
) -> None:
    notes(cms, count=20)
    cms.run()
    cms.mirror()
    if switch:
        cms.switch(**switch)
    else:
        change = {"account": cms.account, "collection": "notes", "add": "more", "type": "Switch"}
        cms.control.post("/webflow/field", json=change).raise_for_status()
        cms.mirror()
    cms.models["notes"][0]["publish"] = "live"
    result = cms.apply(cms.plan())
    assert (result.applied, result.failed) == (0, 20)
    assert "409" in result.errors[0]
    assert len(cms.requests()) == 1
