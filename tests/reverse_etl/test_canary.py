"""The first rows that are looked at before the rest goes."""

from __future__ import annotations

import pytest

from reverse_etl.applying import canary
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.review.undo import make_undo


def twenty(bench) -> None:
    bench.overrides = {"webflow__products": {"canary": 2}}
    bench.category("c1")
    for number in range(20):
        bench.product(f"p{number:02}", category_keys='["c1"]')
    bench.mirror()


def test_the_canarys_rows_are_read_back_before_the_rest_is_sent(bench) -> None:
    twenty(bench)
    plan = bench.plan()
    result = bench.apply(plan)
    assert (result.failed, result.stopped, result.applied) == (0, None, 41)
    sent = [one for one in bench.requests() if "/products" in one]
    assert [one.split()[0] for one in sent[:6]] == ["POST", "POST", "GET", "GET", "GET", "GET"]
    assert bench.settle().is_empty


@pytest.mark.parametrize("wrong", ["price", "image", "alt", "gone"])
def test_a_canary_that_looks_wrong_halts_the_run_and_offers_the_undo(bench, monkeypatch, wrong) -> None:
    monkeypatch.setattr(canary, "WAITS", (0, 0))
    twenty(bench)
    plan = bench.plan()
    genuine = StoreChannel.read

    async def read(self, operation, known):
        if wrong == "gone":
            return None
        edits = {
            "price": {"price": {"value": 1, "unit": "USD"}},
            "image": {"main-image": None},
            "alt": {"main-image": {"fileId": "1", "url": "https://x/p00.png", "alt": "other"}},
        }
        if operation.resource == "skus":
            bench.edit(f"s-{operation.key}", collection="sku", fieldData=edits[wrong])
        return await genuine(self, operation, known)

    monkeypatch.setattr(StoreChannel, "read", read)
    result = bench.apply(plan)
    assert f"karvon undo {plan.plan_id}" in result.stopped
    said = {"price": "price should be", "image": "main-image should be", "alt": "main-image should be"}
    assert said.get(wrong, "is not there") in result.stopped
    assert (len(bench.shop()["products"]), result.counts["planned"]) == (2, 36)
    monkeypatch.setattr(StoreChannel, "read", genuine)
    bench.mirror()
    bench.apply(make_undo(bench.warehouse, bench.syncs, DESTINATIONS, plan.plan_id))
    assert {one["is_archived"] for one in bench.shop()["products"].values()} == {True}


def test_a_published_page_must_answer(bench, monkeypatch) -> None:
    monkeypatch.setattr(canary, "WAITS", (0,))
    page = f"{bench.url}/shop/products/{{slug}}?account="
    bench.product("p1")
    for account, said in ((bench.account, None), ("nobody", "does not answer (404)")):
        settings = {"publish": "live", "canary": {"rows": 1, "page": page + account}}
        bench.overrides = {"webflow__products": settings}
        bench.change("products", "p1", name=f"For {account}")
        bench.mirror()
        stopped = bench.apply(bench.plan()).stopped
        assert stopped is None if said is None else said in stopped


def test_the_canary_reads_options_references_and_pictures_of_items_back(cms, monkeypatch) -> None:
    monkeypatch.setattr(canary, "WAITS", (0,))
    cms.collection("makers")
    cms.collection(
        "sheets", maker=("Reference", ">makers"), also=("MultiReference", ">makers"), cover="Image",
        size=("Option", ["Small", "Large"]),
    )  # fmt: skip
    cms.model("makers", {}, collection="makers")
    columns = {
        "maker": ("text", {"field": "maker", "sync": "makers"}),
        "also": ("text", {"field": "also", "sync": "makers"}),
        "cover": ("text", {"field": "cover"}),
        "size": ("text", {"field": "size"}),
    }
    cms.model("sheets", columns, collection="sheets", canary=1)
    cms.row("makers", "m1")
    for key in ("s1", "s2"):
        cms.row("sheets", key, maker="m1", also='["m1"]', cover="https://img.example/a.png", size="Large")
    result = cms.run()
    assert (result.stopped, result.applied) == (None, 3)


def test_images_that_come_late_are_waited_for(bench, monkeypatch) -> None:
    monkeypatch.setattr(canary, "WAITS", (0, 0, 0))
    bench.overrides = {"webflow__skus": {"canary": 1}}
    bench.product("p1")
    bench.mirror()
    looks = []
    genuine = StoreChannel.read

    async def read(self, operation, known):
        document = await genuine(self, operation, known)
        looks.append(operation.key)
        for sku in document["skus"]:
            if len(looks) < 3 and "main-image" in sku["fieldData"]:
                sku["fieldData"]["main-image"]["fileId"] = None
        return document

    monkeypatch.setattr(StoreChannel, "read", read)
    assert bench.apply(bench.plan()).stopped is None
    assert len(looks) > 2
