"""What each rule of a field does: empty values, edits in the shop, adoption, and the rows of `reverse_etl.drift`."""

from __future__ import annotations

import json

import pytest

from reverse_etl.spec.manifest import SyncError

SEO = ("webflow__products", "seo_title")


def rule(bench, **more) -> None:
    bench.meta[SEO] = {"field": "seo-title", **more}


def synced(bench) -> None:
    bench.product("p1")
    bench.run()
    bench.mirror()


def title(bench) -> str | None:
    return bench.shop()["products"]["p-p1"]["fields"].get("seo-title")


def drift(bench) -> list[tuple[str, ...]]:
    rows = bench.rows(
        "SELECT field, ours, answered, theirs, policy, decided FROM reverse_etl.drift ORDER BY found_at"
    )
    return [
        tuple(json.loads(value) if value and value[0] == '"' else value for value in row.values())
        for row in rows
    ]


@pytest.mark.parametrize(
    ("write", "left"), [("always", None), ("when_filled", "Buy p1"), ("into_empty", "Buy p1")]
)
def test_an_empty_value_clears_the_field_or_is_left_out(bench, write, left) -> None:
    rule(bench, write=write)
    synced(bench)
    bench.change("products", "p1", seo_title=None)
    bench.run()
    assert title(bench) == left
    assert bench.settle().is_empty


@pytest.mark.parametrize(
    ("write", "becomes"), [("always", "Ours"), ("when_filled", "Ours"), ("into_empty", "By hand")]
)
def test_a_value_overwrites_or_fills_only_what_is_empty(bench, write, becomes) -> None:
    rule(bench, write=write)
    synced(bench)
    bench.edit("p-p1", fieldData={"seo-title": "By hand"})
    bench.change("products", "p1", seo_title="Ours")
    bench.run()
    assert title(bench) == becomes
    bench.edit("p-p1", fieldData={"seo-title": None})
    bench.run()
    assert title(bench) == "Ours"
    assert bench.settle().is_empty


def test_a_field_that_is_filled_by_hand_stays_where_ours_is_empty(bench) -> None:
    rule(bench, write="when_filled")
    bench.product("p1", seo_title=None)
    bench.run()
    bench.edit("p-p1", fieldData={"seo-title": "By hand"})
    assert bench.settle().is_empty
    assert title(bench) == "By hand"


@pytest.mark.parametrize(
    ("write", "becomes"), [("always", "Buy p1"), ("when_filled", "Buy p1"), ("into_empty", "Old title")]
)
def test_an_adopted_record_follows_the_same_rule(bench, write, becomes) -> None:
    rule(bench, write=write)
    bench.hand_made(name="Old", slug="p-p1", price=1999, sku="CODE-p1")
    bench.edit("p-p1", fieldData={"seo-title": "Old title"})
    bench.product("p1")
    bench.run()
    (adopted,) = [one for one in bench.shop()["hand_made"] if one["fields"]["slug"] == "p-p1"]
    assert adopted["fields"]["seo-title"] == becomes
    assert bench.settle().is_empty


@pytest.mark.parametrize(
    ("policy", "becomes", "decided"),
    [("overwrite", "Buy p1", "overwritten"), ("keep", "By hand", "kept"), ("report", "By hand", "reported")],
)
def test_an_edit_is_overwritten_kept_or_reported_and_stored(bench, policy, becomes, decided) -> None:
    rule(bench, policy=policy)
    synced(bench)
    bench.edit("p-p1", fieldData={"seo-title": "By hand"})
    for _ in range(2):
        bench.run()
        assert title(bench) == becomes
    assert drift(bench) == [("seo-title", "Buy p1", "Buy p1", "By hand", policy, decided)]
    plan = bench.settle()
    assert plan.is_empty
    standing = bench.rows(f"SELECT field FROM reverse_etl.drift WHERE plan_id = '{plan.plan_id}'")
    assert len(standing) == (policy != "overwrite")


@pytest.mark.parametrize(("policy", "becomes"), [("overwrite", "Buy p1"), ("keep", "Old"), ("report", "Old")])
def test_what_an_adopted_record_has_counts_as_an_edit(bench, policy, becomes) -> None:
    rule(bench, policy=policy)
    bench.hand_made(name="Old", slug="p-p1", price=1999, sku="CODE-p1")
    bench.edit("p-p1", fieldData={"seo-title": "Old"})
    bench.product("p1")
    bench.run()
    (adopted,) = [one for one in bench.shop()["hand_made"] if one["fields"]["slug"] == "p-p1"]
    assert adopted["fields"]["seo-title"] == becomes
    assert [one[5] for one in drift(bench)] == (
        [] if policy == "overwrite" else [f"{policy}ed" if policy == "report" else "kept"]
    )
    assert bench.settle().is_empty


def test_only_the_alternative_text_of_an_image_changed(bench) -> None:
    synced(bench)
    bench.change("skus", "p1", main_image_alt="Other words")
    assert [list(one.changes) for one in bench.plan().operations] == [["main-image"]]
    bench.change("skus", "p1", main_image_alt="Picture of p1")
    assert bench.plan().is_empty


@pytest.mark.parametrize("answer", ["shown", "not shown yet"])
def test_a_picture_that_never_arrived_is_sent_again(bench, answer) -> None:
    synced(bench)
    if answer == "not shown yet":
        with bench.warehouse.session() as session:
            session.execute(
                """UPDATE reverse_etl.ledger SET answered = replace(answered, '"main-image"', '"other"')
                WHERE sync = 'webflow__skus'"""
            )
    assert bench.settle().is_empty
    bench.edit("s-p1", collection="sku", fieldData={"main-image": None})
    assert [list(one.changes) for one in bench.settle().operations] == [["main-image"]]
    bench.run()
    assert bench.shop()["products"]["p-p1"]["skus"][0]["fields"]["main-image"]["source"]
    assert bench.settle().is_empty


def test_a_rule_that_contradicts_another_is_told_with_its_file(bench) -> None:
    for more, said in (
        ({"write": "into_empty", "policy": "keep"}, "never overwrites"),
        ({"write": "sometimes"}, "write"),
    ):
        rule(bench, **more)
        with pytest.raises(SyncError, match=rf"_webflow.yml, model webflow__products.*{said}"):
            _ = bench.syncs


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"guards": {"max_price_change": 30}},
            "guards.max_price_change: write a share with its sign, such as 30%",
        ),
        ({"guards": {"max_emptied": "x"}}, "guards.max_emptied"),
        ({"guards": {"min_rows": -1}}, "guards.min_rows"),
        ({"guards": {"max_deletes": 3}}, "guards.max_deletes: unknown key"),
        ({"canary": 0}, "canary.rows"),
        ({"canary": {"rows": 2, "page": "https://x/{adress}"}}, "names adress, which no column feeds"),
    ],
)
def test_wrong_guards_and_canaries_are_told_with_their_file(bench, settings, said) -> None:
    bench.overrides = {"webflow__products": settings}
    with pytest.raises(SyncError) as error:
        _ = bench.syncs
    assert said in str(error.value)
    assert "models/activation/webflow/_webflow.yml, model webflow__products" in str(error.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"guards": {"max_price_change": "30%"}}, "guards.max_price_change: no column is `as: money`"),
        ({"canary": {"rows": 2, "page": "https://x/{slug}"}}, "canary.page: with `publish: staging` no page"),
    ],
)
def test_a_guard_that_could_never_speak_is_an_error_of_configuration(bench, settings, said) -> None:
    bench.overrides = {"webflow__products": settings}
    with pytest.raises(SyncError) as error:
        bench.plan()
    assert said in str(error.value)
