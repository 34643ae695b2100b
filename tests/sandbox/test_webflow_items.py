"""CMS items, publishing and the rules for slugs and fields (Webflow dossier §2, §3 and §5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from webflow_shop import Shop, why


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


@pytest.fixture
def posts(shop: Shop) -> str:
    return f"{shop.collections['posts']}/items"


def test_items_are_drafts_unless_asked_otherwise_and_unset_fields_are_null(shop: Shop, posts: str) -> None:
    answer = shop.create_item("posts", name="Hello", slug="hello")
    assert answer.status_code == 202
    item = answer.json()
    assert item["isDraft"] is True
    assert item["lastPublished"] is None
    assert item["fieldData"]["post-body"] is None
    asked = shop.post(posts, {"isDraft": False, "fieldData": {"name": "B", "slug": "b"}}).json()
    assert asked["isDraft"] is False


def test_a_missing_slug_is_made_from_the_name(shop: Shop) -> None:
    first = shop.create_item("posts", official=False, name="Été à Paris!").json()
    second = shop.create_item("posts", official=False, name="Été à Paris!").json()
    slugs = [each["fieldData"]["slug"] for each in (first, second)]
    assert slugs == ["ete-a-paris", "ete-a-paris-2"]


def test_a_slug_is_ascii_and_unique_in_its_collection_only(shop: Shop) -> None:
    assert "pattern" in why(shop.create_item("posts", name="A", slug="allégro"))["slug"]
    assert "too long" in why(shop.create_item("posts", name="A", slug="a" * 257))["slug"]
    assert shop.create_item("posts", name="A", slug="same").status_code == 202
    assert shop.create_item("category", name="A", slug="same").status_code == 202
    duplicate = shop.create_item("posts", name="B", slug="same")
    assert why(duplicate) == {"slug": "Unique value is already in database: 'same'"}


def test_a_duplicate_slug_is_changed_without_a_word_where_the_switch_says_so(shop: Shop) -> None:
    shop.switch(duplicate_slug="suffix")
    slugs = [shop.create_item("posts", name="A", slug="same").json()["fieldData"]["slug"] for _ in range(2)]
    assert slugs[0] == "same"
    assert slugs[1].startswith("same-x-")


def test_an_unchanged_slug_may_be_refused_as_duplicate(shop: Shop, posts: str) -> None:
    item = shop.create_item("posts", name="A", slug="a").json()
    change = {"fieldData": {"name": "B", "slug": "a"}}
    assert shop.patch(f"{posts}/{item['id']}", change).status_code == 200
    shop.switch(unchanged_slug="refuse")
    assert "already in database" in why(shop.patch(f"{posts}/{item['id']}", change))["slug"]
    assert shop.patch(f"{posts}/{item['id']}", {"fieldData": {"name": "C"}}).status_code == 200


def test_the_slug_of_a_deleted_published_item_is_free_after_the_next_site_publish(
    shop: Shop, posts: str
) -> None:
    item = shop.post(f"{posts}/live", {"fieldData": {"name": "A", "slug": "a"}}).json()
    assert shop.call("DELETE", f"{posts}/{item['id']}").status_code == 204
    assert shop.get(f"{posts}/{item['id']}").status_code == 404
    assert shop.get(f"{posts}/{item['id']}/live").status_code == 200
    assert "slug" in why(shop.create_item("posts", name="A", slug="a"))
    shop.post(f"{shop.site}/publish", {"publishToWebflowSubdomain": True})
    assert shop.get(f"{posts}/{item['id']}/live").status_code == 404
    assert shop.create_item("posts", name="A", slug="a").status_code == 202


def test_an_unknown_field_is_refused_with_the_puzzling_words_of_the_api(shop: Shop) -> None:
    answer = shop.create_item("posts", name="A", slug="a", ListingId="1")
    assert why(answer) == {"ListingId": "Field not described in schema: undefined"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a" * 257),
        ("post-body", 5),
        ("post-summary", "a" * 501),
        ("reading-minutes", 1.5),
        ("reading-minutes", "5"),
        ("featured", "true"),
        ("published-on", "soon"),
        ("link", "no address"),
        ("contact-email", "nobody"),
        ("accent-color", "#12"),
        ("kind", "News"),
        ("about-category", "0" * 24),
        ("related-posts", "0" * 24),
        ("gallery", {"url": "https://a.example/b.png"}),
        ("main-image", {"fileId": "0" * 24}),
        ("main-image", "https://a.example/b.png"),
    ],
)
def test_a_value_that_does_not_fit_its_field_is_refused(shop: Shop, field: str, value: object) -> None:
    assert field in why(shop.create_item("posts", **{"name": "A", "slug": "a", field: value}))


def test_values_come_back_in_the_form_of_the_api(shop: Shop) -> None:
    options = next(
        field["validations"]["options"]
        for field in shop.get(shop.collections["posts"]).json()["fields"]
        if field["slug"] == "kind"
    )
    fields = {
        "published-on": "2026-03-01",
        "video": "https://video.example/1",
        "kind": options[0]["id"],
        "post-body": "<p>A <b>bold</b> word<br/></p><pre><code>x = 1</code></pre>",
    }
    read = shop.create_item("posts", name="A", slug="a", **fields).json()["fieldData"]
    assert read["published-on"] == "2026-03-01T00:00:00.000Z"
    assert read["video"]["url"] == "https://video.example/1"
    assert read["kind"] == options[0]["id"]
    assert read["post-body"] == '<p id="">A <strong>bold</strong> word<br></p><pre></pre>'


def test_a_broken_image_is_dropped_silently_unless_asked_otherwise(shop: Shop, posts: str) -> None:
    item = {"fieldData": {"name": "A", "slug": "a", "main-image": {"url": "https://a.example/b c.png"}}}
    assert (
        "Remote file failed to import" in why(shop.post(posts, item, skipInvalidFiles="false"))["main-image"]
    )
    dropped = shop.post(posts, item)
    assert (dropped.status_code, dropped.json()["fieldData"]["main-image"]) == (202, None)


def test_a_bulk_create_is_atomic_has_a_limit_and_answers_in_another_order(shop: Shop, posts: str) -> None:
    items = [{"fieldData": {"name": name, "slug": name}} for name in ("one", "two", "three")]
    twice = shop.post(posts, {"items": [*items, items[0]]})
    assert why(twice) == {"slug": "Unique value is already in database: 'one'"}
    assert shop.get(posts).json()["pagination"]["total"] == 1
    made = shop.post(posts, {"items": items})
    assert made.status_code == 202
    assert [each["fieldData"]["slug"] for each in made.json()["items"]] == ["three", "two", "one"]
    too_many = [{"fieldData": {"name": str(number), "slug": str(number)}} for number in range(101)]
    assert shop.post(posts, {"items": too_many}).status_code == 400


def test_the_older_bulk_form_has_one_set_of_flags(shop: Shop, posts: str) -> None:
    fields = [{"name": name, "slug": name} for name in ("one", "two")]
    made = shop.post(f"{posts}/bulk", {"isDraft": False, "fieldData": fields}).json()["items"]
    assert {each["isDraft"] for each in made} == {False}


def test_a_bulk_update_merges_and_is_atomic(shop: Shop, posts: str) -> None:
    ids = [shop.create_item("posts", name=name, slug=name).json()["id"] for name in ("one", "two")]
    changes = [{"id": each, "fieldData": {"post-summary": "new"}} for each in ids]
    shop.patch(posts, {"items": changes})
    assert shop.get(f"{posts}/{ids[0]}").json()["fieldData"]["name"] == "one"
    bad = [{"id": ids[0], "fieldData": {"name": "x"}}, {"id": "0" * 24, "fieldData": {}}]
    assert shop.patch(posts, {"items": bad}).status_code == 404
    assert shop.get(f"{posts}/{ids[0]}").json()["fieldData"]["name"] == "one"
    assert shop.patch(posts, {"items": [{"fieldData": {}}]}).status_code == 400


def test_a_live_update_of_an_unpublished_item_fails_the_whole_batch(shop: Shop, posts: str) -> None:
    published = shop.post(f"{posts}/live", {"fieldData": {"name": "A", "slug": "a"}}).json()
    draft = shop.create_item("posts", name="B", slug="b").json()
    changes = [{"id": each["id"], "fieldData": {"name": "new"}} for each in (published, draft)]
    assert shop.patch(f"{posts}/live", {"items": changes}).status_code == 409
    assert shop.get(f"{posts}/{published['id']}").json()["fieldData"]["name"] == "A"
    after = shop.patch(f"{posts}/live", {"items": changes[:1]}).json()["items"][0]
    assert after["lastPublished"] > published["lastPublished"]


def test_publishing_answers_202_with_errors_of_single_items(shop: Shop, posts: str) -> None:
    draft = shop.create_item("posts", name="A", slug="a").json()["id"]
    archived = shop.post(posts, {"isArchived": True, "fieldData": {"name": "B", "slug": "b"}}).json()["id"]
    answer = shop.post(f"{posts}/publish", {"itemIds": [draft, archived, "0" * 24]})
    assert answer.status_code == 202
    assert answer.json()["publishedItemIds"] == [draft]
    assert answer.json()["errors"] == [
        f"Staging item ID {archived} is archived and cannot be published.",
        f"Staging item ID {'0' * 24} not found.",
    ]
    assert shop.get(f"{posts}/{draft}").json()["isDraft"] is False


def test_publishing_needs_a_published_site_and_an_unchanged_structure(shop: Shop, posts: str) -> None:
    draft = {"itemIds": [shop.create_item("posts", name="A", slug="a").json()["id"]]}
    field = {"collection": "posts", "add": "source", "type": "PlainText"}
    shop.control("POST", "webflow/field", field)
    changed = shop.post(f"{posts}/publish", draft)
    assert (changed.status_code, "structure changed" in changed.text) == (409, True)
    shop.post(f"{shop.site}/publish", {"publishToWebflowSubdomain": True})
    assert shop.post(f"{posts}/publish", draft).status_code == 202
    shop.switch(site_published="never")
    assert shop.post(f"{posts}/publish", draft).status_code == 409


def test_unpublishing_keeps_the_item_as_a_draft_and_setting_draft_does_not_unpublish(
    shop: Shop, posts: str
) -> None:
    path = f"{posts}/{shop.post(f'{posts}/live', {'fieldData': {'name': 'A', 'slug': 'a'}}).json()['id']}"
    shop.patch(path, {"isDraft": True})
    assert shop.get(f"{path}/live").status_code == 200
    assert shop.call("DELETE", f"{path}/live").status_code == 204
    item = shop.get(path).json()
    assert (item["isDraft"], item["lastPublished"]) == (True, None)
    assert shop.call("DELETE", f"{path}/live").status_code == 404


def test_items_are_found_by_slug_name_and_last_change(shop: Shop, posts: str) -> None:
    for name in ("one", "two", "three"):
        shop.create_item("posts", name=name.title(), slug=name)
    [found] = shop.get(posts, slug="two").json()["items"]
    assert shop.get(posts, name="Two").json()["items"] == [found]
    since = {"lastUpdated[gte]": found["lastUpdated"], "sortBy": "lastUpdated", "sortOrder": "asc"}
    page = shop.get(posts, **since).json()
    assert [each["fieldData"]["slug"] for each in page["items"]] == ["two", "three"]
    assert page["pagination"] == {"limit": 100, "offset": 0, "total": 2}
    newest = shop.get(posts, sortBy="slug", sortOrder="desc", limit="1").json()["items"]
    assert newest[0]["fieldData"]["slug"] == "two"
    assert shop.get(posts, sortBy="colour").status_code == 400


def test_products_and_skus_are_items_of_collections_too(shop: Shop) -> None:
    made = shop.create_product().json()
    [listed] = shop.get(f"{shop.collections['product']}/items", slug="tee").json()["items"]
    assert listed["fieldData"] == made["product"]["fieldData"]
    [sku] = shop.get(f"{shop.collections['sku']}/items", slug="tee-1").json()["items"]
    assert sku["fieldData"]["product"] == made["product"]["id"]


def test_a_site_is_published_once_a_minute(shop: Shop) -> None:
    assert shop.post(f"{shop.site}/publish", {"customDomains": []}).status_code == 400
    body = {"publishToWebflowSubdomain": True}
    assert shop.post(f"{shop.site}/publish", body).status_code == 202
    again = shop.post(f"{shop.site}/publish", body)
    assert (again.status_code, again.headers["retry-after"]) == (429, "60")
