"""Of big collections only the items that moved are read (Webflow dossier §0.7, §2.5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from stand_ins import Loader, Sandbox, of, wait_for_the_clock_of

from pipelines.load_report import ResourceReport
from pipelines.sources.webflow import changes

BIG = 701
"""Items in so many pages that asking two lists for changes costs less."""
ASKED = {"item_collections": ["brands", "looks"]}


class Site:
    """Two collections of a site, `brands` with many items, which were landed once."""

    def __init__(self, loader: Loader, sandbox: Sandbox) -> None:
        connection = sandbox.webflow()
        token = connection.api_token.get_secret_value()
        self.api = httpx.Client(base_url=connection.base_url, headers={"Authorization": f"Bearer {token}"})
        listed = self.api.get(f"/sites/{connection.site_id}/collections").json()["collections"]
        self.ids = {one["slug"]: one["id"] for one in listed}
        self.loader, self.sandbox, self.items = loader, sandbox, list[str]()
        for first in range(0, BIG, 100):
            named = [{"name": f"B{n}", "slug": f"b-{n}"} for n in range(first, min(first + 100, BIG))]
            self.items += [
                one["id"] for one in self.write("brands", "post", [{"fieldData": one} for one in named])
            ]
        last = self.api.get(f"/collections/{self.ids['brands']}/items/{self.items[-1]}").json()
        wait_for_the_clock_of(last["lastUpdated"])
        self.load()

    def load(self, **options: Any) -> ResourceReport:
        given = {"parameters": ASKED, **options}
        return of(self.loader.webflow("collection_items", **given), "collection_items")

    def write(self, collection: str, method: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        answer = self.api.request(method, f"/collections/{self.ids[collection]}/items", json={"items": items})
        answer.raise_for_status()
        return list(answer.json()["items"]) if answer.content else []

    def landed(self, item: str, collection: str = "brands") -> dict[str, Any] | None:
        return self.loader.live("raw_webflow.collection_items").get(f"{self.ids[collection]}/{item}")


@pytest.fixture
def site(loader: Loader, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(changes, "CURSOR_OVERLAP", timedelta(0))
    return Site(loader, sandbox)


QUIET = 2 + 2 * 3
"""The collections and locales of the site; of each list what was written, what was published, and the number."""


def test_only_what_was_written_or_published_is_read(site: Site) -> None:
    idle = site.load()
    assert (idle.requests, idle.seen, idle.is_complete, idle.scope[:5]) == (QUIET, 0, True, "since")

    path = f"/collections/{site.ids['brands']}/items"
    [added] = site.write("brands", "post", [{"fieldData": {"name": "New", "slug": "new"}}])
    site.write("brands", "patch", [{"id": site.items[0], "fieldData": {"name": "Renamed"}}])
    site.api.post(f"{path}/publish", json={"itemIds": [site.items[1]]}).raise_for_status()
    report = site.load()
    assert (report.requests, report.new, report.changed, report.deleted) == (QUIET, 1, 2, 0)
    assert site.landed(site.items[0])["fieldData"]["name"] == "Renamed"
    assert site.landed(site.items[1])["lastPublished"]
    assert site.landed(added["id"])

    site.api.delete(f"{path}/{site.items[1]}/live").raise_for_status()
    assert site.load().changed == 1
    assert site.landed(site.items[1])["lastPublished"] is None


def test_a_deletion_is_found_by_the_number(site: Site) -> None:
    gone, stays = site.items[3], site.items[4]
    site.api.delete(f"/collections/{site.ids['brands']}/items/{gone}").raise_for_status()
    report = site.load()
    assert (report.scope, report.deleted) == ("all", 1)
    assert (site.landed(gone), bool(site.landed(stays))) == (None, True)
    # One came and one went: the number is the same, and yet not that of what is known.
    site.write("brands", "post", [{"fieldData": {"name": "New", "slug": "new"}}])
    site.api.delete(f"/collections/{site.ids['brands']}/items/{stays}").raise_for_status()
    assert (site.load().deleted, site.landed(stays)) == (1, None)


def test_what_was_just_written_is_read_whatever_its_clocks_say(site: Site) -> None:
    still, gone, _ = (f"{site.ids['brands']}/{one}" for one in site.items[:3])
    site.write("brands", "patch", [{"id": site.items[2], "fieldData": {"name": "Renamed"}}])
    site.api.delete(f"/collections/{gone.replace('/', '/items/')}").raise_for_status()
    report = site.load(parameters={**ASKED, "written": {"collection_items": [still, gone]}})
    assert (report.requests, report.scope) == (QUIET + 2, "written")
    assert (report.changed, report.unchanged, report.deleted) == (1, 1, 1)
    assert site.landed(site.items[1]) is None


def test_many_deletions_of_ours_are_no_reason_to_doubt_the_list(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the lists had twice as many pages, so that twelve are still read one by one.
    monkeypatch.setattr(changes, "PAGE_SIZE", 50)
    gone = site.items[:12]
    path = f"/collections/{site.ids['brands']}/items"
    site.api.request("DELETE", path, json={"items": [{"id": one} for one in gone]}).raise_for_status()
    keys = [f"{site.ids['brands']}/{one}" for one in gone]
    report = site.load(parameters={**ASKED, "written": {"collection_items": keys}})
    assert (report.deleted, report.is_complete, report.scope) == (12, True, "written")


def test_whole_lists_when_asked_when_due_and_when_much_moved(site: Site) -> None:
    assert site.load(sweep_every_hours=0).scope == "all"
    assert site.load(refresh=frozenset({"collection_items"})).scope == "all"
    for first in range(0, BIG // 2 + 1, 100):
        some = site.items[first : min(first + 100, BIG // 2 + 1)]
        site.write("brands", "patch", [{"id": one, "fieldData": {"name": "Other"}} for one in some])
    many = site.load()
    assert (many.scope, many.changed) == ("all", BIG // 2 + 1)


def test_a_collection_that_was_not_asked_for_in_between_misses_nothing(site: Site) -> None:
    [look] = site.write("looks", "post", [{"fieldData": {"name": "Look", "slug": "look"}}])
    site.load()
    site.write("looks", "patch", [{"id": look["id"], "fieldData": {"name": "Renamed"}}])
    site.load(parameters={"item_collections": ["brands"]})
    site.load(parameters={})
    assert site.landed(look["id"], "looks")["fieldData"]["name"] == "Look"
    site.load()
    assert site.landed(look["id"], "looks")["fieldData"]["name"] == "Renamed"
