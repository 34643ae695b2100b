"""Locales as a column: one item, several rows, each in its own language (dossier §2.6)."""

from __future__ import annotations

import pytest
from cms_bench import CmsBench

COLUMNS = {"locale": ("text", {}), "story": ("text", {"field": "story"})}


def stories(bench: CmsBench, **settings) -> dict[str, str]:
    tags = bench.locales("fr", "uz")
    bench.collection("stories", story="PlainText")
    bench.model("stories", COLUMNS, collection="stories", locale="locale", **settings)
    for locale, text in ((None, "Once"), ("fr", "Il était"), ("uz", "Bir bor")):
        bench.row("stories", "a", locale=locale, story=text)
    bench.row("stories", "b", story="Only here")
    return tags


def shown(bench: CmsBench) -> dict[str, tuple[str, str]]:
    return {slug: (one["id"], one["fields"]["story"]) for slug, one in bench.items("stories").items()}


@pytest.mark.parametrize("publish", ["staging", "live"])
def test_rows_of_one_key_are_one_item_in_several_locales(cms: CmsBench, publish: str) -> None:
    tags = stories(cms, publish=publish)
    result = cms.run()
    assert result.failed == 0, result.errors
    items = shown(cms)
    ids = {items[f"s-a{place}"][0] for place in ("", f"@{tags['fr']}", f"@{tags['uz']}")}
    assert len(ids) == 1
    assert {slug: text for slug, (_, text) in items.items()} == {
        "s-a": "Once", f"s-a@{tags['fr']}": "Il était", f"s-a@{tags['uz']}": "Bir bor", "s-b": "Only here",
    }  # fmt: skip
    assert all(one["is_published"] == (publish == "live") for one in cms.items("stories").values())
    assert cms.settle().is_empty
    cms.row("stories", "a", story="Twice")
    result = cms.run()
    assert (result.applied, result.failed) == (1, 0), result.errors
    assert shown(cms)["s-a"] == (items["s-a"][0], "Twice")
    assert cms.settle().is_empty


@pytest.mark.parametrize("known", ["accept", "refuse"])
def test_a_locale_is_changed_added_and_taken_away_alone(cms: CmsBench, known: str) -> None:
    tags = stories(cms, on_removal="delete")
    cms.run()
    cms.row("stories", "a", locale="fr", story="Jadis")
    cms.gone("stories", "a", "uz")
    cms.row("stories", "b", locale="fr", story="Ici")
    cms.switch(update_in_new_locale=known)
    result = cms.run()
    assert (result.applied, result.failed) == ((3, 0) if known == "accept" else (2, 1)), result.errors
    texts = {slug: text for slug, (_, text) in shown(cms).items()}
    added = {f"s-b@{tags['fr']}": "Ici"} if known == "accept" else {}
    assert texts == {"s-a": "Once", f"s-a@{tags['fr']}": "Jadis", "s-b": "Only here", **added}
    assert cms.settle().is_empty


def test_a_locale_that_comes_to_an_archived_item_is_not_published(cms: CmsBench) -> None:
    tags = stories(cms, publish="live")
    cms.run()
    cms.edit("s-b", collection="stories", isArchived=True)
    cms.row("stories", "b", locale="fr", story="Ici")
    result = cms.run()
    assert (result.applied, result.failed) == (1, 0), result.errors
    assert shown(cms)[f"s-b@{tags['fr']}"][1] == "Ici"
    assert cms.settle().is_empty


def test_an_unknown_locale_rejects_its_row(cms: CmsBench) -> None:
    stories(cms)
    cms.row("stories", "b", locale="de", story="Hier")
    assert cms.run().failed == 0
    [finding] = cms.settle().findings
    assert finding.kind == "reject"
    assert "'de' in locale is no secondary locale of the site; it has fr" in finding.message
