"""CMS collections end to end: any model into any collection, in bulk, converging (Webflow dossier §2)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from cms_bench import CmsBench

EVERYTHING = {
    "title": "PlainText", "story": "RichText", "pieces": ("Number", {"format": "integer"}), "since": "DateTime",
    "open": "Switch", "tint": "Color", "mail": "Email", "phone": "Phone", "site": "Link", "film": "VideoLink",
    "cover": "Image", "gallery": "MultiImage", "sheet": "File", "size": ("Option", ["Small", "Large"]),
}  # fmt: skip
COLUMNS = {
    "title": ("text", {"field": "title"}), "story": ("text", {"field": "story"}),
    "pieces": ("bigint", {"field": "pieces"}), "since": ("timestamptz", {"field": "since"}),
    "is_open": ("boolean", {"field": "open"}), "tint": ("text", {"field": "tint"}),
    "mail": ("text", {"field": "mail"}), "phone": ("text", {"field": "phone"}), "site": ("text", {"field": "site"}),
    "film": ("text", {"field": "film"}), "cover": ("text", {"field": "cover", "alt": "cover_alt"}),
    "cover_alt": ("text", {}), "gallery": ("text", {"field": "gallery"}), "sheet": ("text", {"field": "sheet"}),
    "size": ("text", {"field": "size"}),
}  # fmt: skip


def everything(bench: CmsBench, **settings) -> None:
    bench.collection("things", **EVERYTHING)
    bench.model("things", COLUMNS, collection="things", **settings)
    bench.row(
        "things", "a", title="A", story="<p>Once <b>upon</b></p>", pieces=3,
        since=datetime(2025, 3, 28, 12, tzinfo=UTC), is_open=True, tint="#FF8800", mail="a@b.example",
        phone="+49 30 1", site="https://a.example", film="https://film.example/1",
        cover="https://img.example/a.png#v1", cover_alt="A thing",
        gallery=json.dumps(["https://img.example/1.png", "https://img.example/2.png"]),
        sheet="https://img.example/a.pdf", size="Large",
    )  # fmt: skip


def brands(bench: CmsBench, count: int, **settings) -> None:
    bench.collection("makers", rank="Number", note=("PlainText", {"maxLength": 20}))
    columns = {"rank": ("bigint", {"field": "rank"}), "note": ("text", {"field": "note"})}
    bench.model("makers", columns, collection="makers", **settings)
    for number in range(count):
        bench.row("makers", f"m{number:03d}", rank=number)


def test_a_row_fills_fields_of_every_type_and_the_second_plan_is_empty(cms: CmsBench) -> None:
    everything(cms)
    result = cms.run()
    assert result.failed == 0, result.errors
    fields = cms.items("things")["s-a"]["fields"]
    assert fields["since"] == "2025-03-28T12:00:00.000Z"
    assert fields["cover"] == {"source": "https://img.example/a.png", "alt": "A thing"}
    assert [one["source"][-5:] for one in fields["gallery"]] == ["1.png", "2.png"]
    assert (fields["pieces"], fields["open"], fields["tint"], fields["film"]["url"]) == (
        3, True, "#FF8800", "https://film.example/1",
    )  # fmt: skip
    options = cms.api.get(f"/collections/{cms.collections['things']}").json()["fields"]
    [size] = [one for one in options if one["slug"] == "size"]
    assert fields["size"] == next(
        one["id"] for one in size["validations"]["options"] if one["name"] == "Large"
    )
    assert cms.items("things")["s-a"]["is_draft"] is False
    assert cms.settle().is_empty
    assert cms.plan().is_empty


def test_every_field_can_be_emptied_and_only_changes_are_sent(cms: CmsBench) -> None:
    everything(cms)
    cms.run()
    cms.row("things", "a", title="New")
    result = cms.run()
    assert result.failed == 0, result.errors
    kept = {
        name for name, value in cms.items("things")["s-a"]["fields"].items() if value not in (None, [], "")
    }
    assert kept == {"name", "slug", "title"}
    assert cms.settle().is_empty
    cms.row("things", "a", title="Newer")
    cms.run()
    [body] = cms.bodies("PATCH")
    assert body["items"][0]["fieldData"] == {"title": "Newer"}


def test_items_go_out_a_hundred_at_a_time(cms: CmsBench) -> None:
    brands(cms, 250)
    cms.mirror()
    plan = cms.plan()
    assert plan.request_count == 3
    assert cms.apply(plan).applied == 250
    assert len(cms.requests()) == 3
    for number in range(0, 250, 2):
        cms.row("makers", f"m{number:03d}", rank=number + 1000)
    cms.run()
    assert len(cms.requests("PATCH")) == len(cms.requests()) == 2
    for number in range(0, 250, 2):
        cms.gone("makers", f"m{number:03d}")
    cms.run()
    assert len(cms.requests()) == 2
    assert sum(one["is_archived"] for one in cms.items("makers").values()) == 125
    assert cms.settle().is_empty


@pytest.mark.parametrize("live", [False, True])
def test_one_refused_row_fails_alone(cms: CmsBench, live: bool) -> None:
    brands(cms, 100, match=[], publish="live" if live else "staging")
    made = {
        "account": cms.account,
        "collection": "makers",
        "fieldData": {"name": "By hand", "slug": "s-m037"},
    }
    cms.control.post("/webflow/item", json=made).raise_for_status()
    cms.mirror()
    result = cms.apply(cms.plan())
    assert (result.applied, result.failed) == (99, 1)
    assert "m037: 400" in result.errors[0]
    assert "already in database" in result.errors[0]
    assert len(cms.requests("POST")) <= 1 + 2 * 7
    assert len(cms.items("makers")) == 100
    assert cms.items("makers")["s-m037"]["hand_made"]
    plan = cms.settle()
    assert plan.is_empty
    assert [one.kind for one in plan.findings] == ["refused"]


def test_hand_made_items_are_invisible_and_a_match_is_adopted(cms: CmsBench) -> None:
    brands(cms, 2)
    for slug in ("s-m001", "nobody"):
        made = {
            "account": cms.account,
            "collection": "makers",
            "fieldData": {"name": "By hand", "slug": slug},
        }
        cms.control.post("/webflow/item", json=made).raise_for_status()
    cms.mirror()
    for _ in range(2):
        plan = cms.settle()
        assert {one.key for one in plan.operations} <= {"m000"}
        assert [(one.key, one.rule) for one in plan.holds] == [("m001", "adoption")]
        assert cms.apply(plan).failed == 0
    assert cms.names("makers") == {"s-m000": "Name m000", "s-m001": "By hand", "nobody": "By hand"}
    cms.approve(keys=["m001"])
    plan = cms.settle()
    assert {one.key: one.action for one in plan.operations} == {"m001": "adopt"}
    assert cms.apply(plan).failed == 0
    assert cms.names("makers") == {"s-m000": "Name m000", "s-m001": "Name m001", "nobody": "By hand"}
    assert cms.settle().is_empty


def test_a_value_that_fits_several_items_is_reported_and_left_alone(cms: CmsBench) -> None:
    brands(cms, 1, match=["name"])
    for slug in ("one", "two"):
        made = {
            "account": cms.account,
            "collection": "makers",
            "fieldData": {"name": "Name m000", "slug": slug},
        }
        cms.control.post("/webflow/item", json=made).raise_for_status()
    plan = cms.settle()
    assert plan.is_empty
    assert [(one.kind, one.key) for one in plan.findings] == [("ambiguous", "m000")]


def test_an_edit_in_the_shop_is_drift_and_is_overwritten(cms: CmsBench) -> None:
    brands(cms, 2)
    cms.run()
    cms.edit("s-m000", collection="makers", fieldData={"rank": 99})
    plan = cms.settle()
    assert [(one.key, one.changes) for one in plan.operations] == [
        ("m000", {"rank": {"before": 99, "after": 0}})
    ]
    cms.apply(plan)
    assert cms.items("makers")["s-m000"]["fields"]["rank"] == 0
    assert cms.settle().is_empty


def test_an_item_that_was_deleted_in_the_shop_is_made_again(cms: CmsBench) -> None:
    brands(cms, 2)
    cms.run()
    cms.mirror()
    item = cms.items("makers")["s-m000"]["id"]
    cms.api.delete(f"/collections/{cms.collections['makers']}/items/{item}").raise_for_status()
    result = cms.run()
    assert (result.applied, result.failed) == (1, 0)
    assert set(cms.items("makers")) == {"s-m000", "s-m001"}
    assert cms.settle().is_empty


@pytest.mark.parametrize("is_really_gone", [True, False])
def test_an_item_that_the_mirror_never_saw_is_made_again_if_it_is_gone(
    cms: CmsBench, is_really_gone: bool
) -> None:
    brands(cms, 2)
    cms.run()
    item = cms.items("makers")["s-m000"]["id"]
    path = f"/collections/{cms.collections['makers']}/items/{item}"
    if is_really_gone:
        cms.api.delete(path).raise_for_status()
        cms.mirror()
    else:
        # A list that leaves it out, as one that is served from an older copy does.
        shown = cms._pages(f"/collections/{cms.collections['makers']}/items")
        others = {
            one["id"]: {**one, "collectionId": cms.collections["makers"], "secondaryLocale": None}
            for one in shown
        }
        others.pop(item)
        cms.land(
            "collection_items", {f"{cms.collections['makers']}/{key}": one for key, one in others.items()}
        )
    plan = cms.plan()
    assert [(one.action, one.key) for one in plan.operations] == [("create", "m000")]
    result = cms.apply(plan)
    assert (result.applied, result.deferred, result.failed) == ((1, 0, 0) if is_really_gone else (0, 1, 0))
    assert result.requests == plan.request_count - (not is_really_gone)
    assert set(cms.items("makers")) == {"s-m000", "s-m001"}
    assert cms.settle().is_empty


@pytest.mark.parametrize("how", ["archive", "unpublish", "delete", "keep"])
@pytest.mark.parametrize("publish", ["staging", "live"])
def test_a_row_that_left_is_removed_as_the_sync_says_and_can_come_back(
    cms: CmsBench, how: str, publish: str
) -> None:
    brands(cms, 2, on_removal=how, publish=publish)
    cms.run()
    cms.gone("makers", "m000")
    result = cms.run()
    assert result.failed == 0, result.errors
    item = cms.items("makers").get("s-m000")
    expected = {
        "archive": lambda: item["is_archived"] and not item["is_published"],
        "unpublish": lambda: item["is_draft"] if publish == "live" else item is not None,
        "delete": lambda: item is None,
        "keep": lambda: not item["is_archived"] and item["is_published"] == (publish == "live"),
    }  # fmt: skip
    assert expected[how](), item
    assert cms.settle().is_empty
    cms.row("makers", "m000", rank=7)
    result = cms.run()
    assert result.failed == 0, result.errors
    item = cms.items("makers")["s-m000"]
    assert (item["is_archived"], item["is_draft"], item["is_published"], item["fields"]["rank"]) == (
        False, False, publish == "live", 7,
    )  # fmt: skip
    assert cms.settle().is_empty
