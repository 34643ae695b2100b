"""The Webflow mirror: complete lists, stock in rotation, errors that say what to do (Webflow dossier §1 to §5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from stand_ins import Loader, Meddling, Sandbox, of, wait_for_the_clock_of

from pipelines.landing import LoadError, load
from pipelines.load_report import ResourceReport
from pipelines.sources import webflow
from pipelines.sources.webflow import changes


@pytest.fixture
def shop(sandbox: Sandbox) -> httpx.Client:
    connection = sandbox.webflow()
    token = connection.api_token.get_secret_value()
    return httpx.Client(base_url=connection.base_url, headers={"Authorization": f"Bearer {token}"})


def create(shop: httpx.Client, sandbox: Sandbox, number: int) -> dict[str, Any]:
    body = {
        "product": {"fieldData": {"name": f"Mug {number}", "slug": f"mug-{number}"}},
        "sku": {
            "fieldData": {
                "name": f"Mug {number}",
                "slug": f"mug-{number}",
                "price": {"value": 100, "unit": "USD"},
            }
        },
    }
    answer = shop.post(f"/sites/{sandbox.webflow().site_id}/products", json=body)
    assert answer.status_code == 200, answer.text
    created: dict[str, Any] = answer.json()
    return created


def fill(shop: httpx.Client, sandbox: Sandbox, count: int) -> list[dict[str, Any]]:
    return [create(shop, sandbox, number) for number in range(count)]


def test_the_mirror_has_site_schema_products_and_categories(loader: Loader, sandbox: Sandbox) -> None:
    loader.webflow()
    site = loader.live("raw_webflow.sites")[sandbox.webflow().site_id]
    assert site["defaultCurrency"] == "USD"
    collections = {row["slug"]: row for row in loader.live("raw_webflow.collections").values()}
    assert {"product", "sku", "category"} <= set(collections)
    assert {"price", "main-image"} <= {field["slug"] for field in collections["sku"]["fields"]}


def test_a_second_load_lands_nothing(loader: Loader, sandbox: Sandbox, shop: httpx.Client) -> None:
    fill(shop, sandbox, 2)
    loader.webflow()
    assert sum(one.landed for one in loader.webflow().resources) == 0


def test_products_over_several_pages_are_read_whole_in_one_request_each(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client
) -> None:
    fill(shop, sandbox, 205)
    report = of(loader.webflow("products"), "products")
    listed = shop.get(f"/sites/{sandbox.webflow().site_id}/products", params={"limit": 1}).json()
    assert report.seen == listed["pagination"]["total"] >= 205
    assert report.requests == -(-report.seen // 100)
    product = next(iter(loader.live("raw_webflow.products").values()))
    assert product["skus"][0]["fieldData"]["price"]["value"]


BIG = 301
"""Products in so many pages that asking for changes costs less."""


@pytest.fixture
def big_shop(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """Its products, which were landed once; what is written from now on is news."""
    monkeypatch.setattr(changes, "CURSOR_OVERLAP", timedelta(0))
    created = fill(shop, sandbox, BIG)
    wait_for_the_clock_of(created[-1]["skus"][0]["lastUpdated"])
    loader.webflow("products")
    return created


def set_price(shop: httpx.Client, sandbox: Sandbox, product: dict[str, Any], cents: int) -> None:
    path = f"/sites/{sandbox.webflow().site_id}/products/{product['product']['id']}/skus/{product['skus'][0]['id']}"
    body = {"sku": {"fieldData": {"price": {"value": cents, "unit": "USD"}}}}
    shop.patch(path, json=body).raise_for_status()


def test_of_a_big_shop_only_what_changed_is_read(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client, big_shop: list[dict[str, Any]]
) -> None:
    idle = of(loader.webflow("products"), "products")
    # The collections' ids, what changed in the two of them, and how many products there are.
    assert (idle.requests, idle.seen, idle.is_complete, idle.scope[:5]) == (4, 0, True, "since")

    site, first, last = sandbox.webflow().site_id, big_shop[0], big_shop[-1]
    set_price(shop, sandbox, first, 250)
    renamed = {"product": {"fieldData": {"name": "Cup"}}}
    shop.patch(f"/sites/{site}/products/{last['product']['id']}", json=renamed).raise_for_status()
    added = create(shop, sandbox, BIG)
    report = of(loader.webflow("products"), "products")
    assert (report.requests, report.new, report.changed, report.deleted) == (4 + 3, 1, 2, 0)
    landed = loader.live("raw_webflow.products")
    assert landed[first["product"]["id"]]["skus"][0]["fieldData"]["price"]["value"] == 250
    assert landed[last["product"]["id"]]["product"]["fieldData"]["name"] == "Cup"
    assert added["product"]["id"] in landed


def test_what_was_just_written_is_read_whatever_its_clock_says(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client, big_shop: list[dict[str, Any]]
) -> None:
    still, gone = (one["product"]["id"] for one in big_shop[3:5])

    def written(*keys: str) -> ResourceReport:
        report = loader.webflow("products", parameters={"written": {"products": keys}})
        return of(report, "products")

    report = written(still)
    assert (report.requests, report.unchanged, report.scope) == (4 + 1, 1, "written")
    assert report.is_complete
    remove(shop, sandbox, gone)
    report = written(still, gone)
    assert (report.requests, report.unchanged, report.deleted, report.scope) == (4 + 2, 1, 1, "written")
    assert gone not in loader.live("raw_webflow.products")
    # What somebody else deleted is found in the whole list only.
    remove(shop, sandbox, big_shop[9]["product"]["id"])
    report = written(still)
    assert (report.deleted, report.scope) == (1, "all")


def remove(shop: httpx.Client, sandbox: Sandbox, product: str) -> None:
    sandbox.control("PUT", "switches", {"webflow.cms_store_writes": "accept"})
    listed = shop.get(f"/sites/{sandbox.webflow().site_id}/collections").json()["collections"]
    ids = {one["slug"]: one["id"] for one in listed}
    shop.delete(f"/collections/{ids['product']}/items/{product}").raise_for_status()


def test_a_big_shop_is_read_whole_where_changes_do_not_tell_or_cost_more(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client, big_shop: list[dict[str, Any]]
) -> None:
    pages = 4
    assert of(loader.webflow("products", sweep_every_hours=0), "products").scope == "all"
    assert of(loader.webflow("products", refresh=frozenset({"products"})), "products").scope == "all"

    for product in big_shop[: pages + 1]:
        set_price(shop, sandbox, product, 300)
    many = of(loader.webflow("products"), "products")
    assert (many.scope, many.changed, many.requests) == ("all", pages + 1, 3 + pages)

    gone = big_shop[9]["product"]["id"]
    remove(shop, sandbox, gone)
    fewer = of(loader.webflow("products"), "products")
    assert (fewer.scope, fewer.deleted) == ("all", 1)
    assert gone not in loader.live("raw_webflow.products")


@pytest.mark.parametrize("moved", ["added", "deleted"])
def test_a_list_that_moves_while_it_is_read_is_read_again(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client, moved: str
) -> None:
    fill(shop, sandbox, 120)
    if moved == "added":
        meddling = Meddling("/products", 2, lambda: create(shop, sandbox, 999))
    else:
        # The second page lost its first item to the first page, and the total shrank.
        items = shop.get(f"/sites/{sandbox.webflow().site_id}/products", params={"offset": 100}).json()
        items["items"] = items["items"][1:]
        sandbox.fault("/products$", "status", after=1, status=200, body=items)
        meddling = Meddling("/nothing", 1, lambda: None)
    report = of(loader.webflow("products", meanwhile=meddling), "products")
    assert report.is_complete
    assert len(loader.live("raw_webflow.products")) >= 120


def test_an_incomplete_list_is_no_proof_of_deletion(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client
) -> None:
    fill(shop, sandbox, 15)
    loader.webflow("products")
    before = loader.live("raw_webflow.products")
    short = {
        "items": list(before.values())[:12],
        "pagination": {"limit": 100, "offset": 0, "total": len(before)},
    }
    sandbox.fault("/products$", "status", times=0, status=200, body=short)
    with pytest.raises(LoadError, match="run again"):
        loader.webflow("products")
    assert loader.live("raw_webflow.products") == before


def test_a_product_that_left_the_shop_gets_a_tombstone(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client
) -> None:
    fill(shop, sandbox, 3)
    loader.webflow("products")
    listed = list(loader.live("raw_webflow.products").values())
    left = {"items": listed[1:], "pagination": {"limit": 100, "offset": 0, "total": len(listed) - 1}}
    sandbox.fault("/products$", "status", status=200, body=left)
    assert of(loader.webflow("products"), "products").deleted == 1


def test_another_shop_behind_the_connection_deletes_nothing(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client
) -> None:
    fill(shop, sandbox, 12)
    loader.webflow("products")
    empty = {"items": [], "pagination": {"limit": 100, "offset": 0, "total": 0}}
    sandbox.fault("/products$", "status", status=200, body=empty)
    with pytest.raises(LoadError, match="WEBFLOW_SITE_ID"):
        loader.webflow("products")


def test_stock_is_read_only_for_managed_skus_and_in_rotation(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client
) -> None:
    skus = sorted(one["skus"][0]["id"] for one in fill(shop, sandbox, 5))
    assert of(loader.webflow("inventory"), "inventory").requests == 0
    read: list[list[str]] = []
    for _ in range(3):
        sandbox.forget_requests()
        loader.webflow("inventory", parameters={"stock_sku_ids": skus, "stock_reads_per_run": 2})
        paths = sandbox.requests("/inventory$", vendor="webflow")
        read.append(sorted(one["path"].split("/")[-2] for one in paths))
    assert read == [skus[:2], skus[2:4], sorted([skus[4], skus[0]])]
    assert set(loader.live("raw_webflow.inventory")) == set(skus)


def test_stock_of_a_sku_that_is_gone_gets_a_tombstone(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client
) -> None:
    skus = [one["skus"][0]["id"] for one in fill(shop, sandbox, 2)]
    loader.webflow("inventory", parameters={"stock_sku_ids": skus})
    sandbox.fault(f"{skus[0]}/inventory$", "status", status=404)
    report = of(loader.webflow("inventory", parameters={"stock_sku_ids": skus}), "inventory")
    assert (report.deleted, report.unchanged) == (1, 1)


@pytest.mark.parametrize(
    ("switch", "advice"),
    [
        ({"webflow.ecommerce_enabled": False}, "enable Ecommerce"),
        ({"webflow.scopes": "no_ecommerce"}, "ecommerce:read"),
    ],
    ids=["no store", "missing scopes"],
)
def test_what_the_site_lacks_is_said(
    loader: Loader, sandbox: Sandbox, switch: dict[str, Any], advice: str
) -> None:
    sandbox.control("PUT", "switches", switch)
    with pytest.raises(LoadError, match=advice):
        loader.webflow()


def test_a_wrong_site_or_token_says_what_to_check(loader: Loader, sandbox: Sandbox) -> None:
    with pytest.raises(LoadError, match="WEBFLOW_SITE_ID"):
        load(webflow.SOURCE, sandbox.webflow(site_id="0" * 24), loader.warehouse)
    with pytest.raises(LoadError, match="401") as failure:
        load(webflow.SOURCE, sandbox.webflow(api_token="wrong-token"), loader.warehouse)
    assert "wrong-token" not in str(failure.value)


def test_an_answer_of_another_shape_is_malformed(loader: Loader, sandbox: Sandbox) -> None:
    answers: list[Any] = [[], {"items": {}}, {"items": [], "pagination": {}}]
    for body in answers:
        sandbox.fault("/products$", "status", status=200, body=body)
        with pytest.raises(LoadError, match="WEBFLOW_BASE_URL"):
            loader.webflow("products")


@pytest.mark.parametrize("kind", ["html", "truncated", "drop_connection", "cut_answer"])
def test_a_passing_fault_loses_nothing(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client, kind: str
) -> None:
    fill(shop, sandbox, 3)
    fault = {"status": 502} if kind == "html" else {}
    sandbox.fault("/products$", kind, times=2, **fault)
    assert of(loader.webflow("products"), "products").is_complete


def test_two_sites_in_one_warehouse_keep_apart(loader: Loader, sandbox: Sandbox, shop: httpx.Client) -> None:
    fill(shop, sandbox, 2)
    loader.webflow("products")
    other = Sandbox(sandbox.url, f"{sandbox.account}b")
    report = load(webflow.SOURCE, other.webflow(), loader.warehouse)
    assert of(report, "products").deleted == 0
    with loader.warehouse.session() as session:
        found = session.rows(
            "SELECT connection, count(*) AS n FROM raw_webflow.products GROUP BY 1 ORDER BY 1"
        )
    assert [row["connection"] for row in found] == [sandbox.account, other.account]


def test_items_are_read_of_the_collections_that_somebody_asks_for(
    loader: Loader, sandbox: Sandbox, shop: httpx.Client
) -> None:
    listed = shop.get(f"/sites/{sandbox.webflow().site_id}/collections").json()["collections"]
    ids = {one["slug"]: one["id"] for one in listed}
    body = {"account": sandbox.account, "secondary": ["fr"]}
    french = httpx.post(f"{sandbox.url}/_control/webflow/locales", json=body).json()["secondary"][0][
        "cmsLocaleId"
    ]
    for slug in ("brands", "looks"):
        fields = {"name": slug, "slug": slug}
        shop.post(f"/collections/{ids[slug]}/items", json={"fieldData": fields}).raise_for_status()
    item = shop.get(f"/collections/{ids['brands']}/items").json()["items"][0]["id"]
    change = {"items": [{"id": item, "cmsLocaleId": french, "fieldData": {"name": "marques"}}]}
    shop.patch(f"/collections/{ids['brands']}/items", json=change).raise_for_status()

    loader.webflow(parameters={"item_collections": ["brands", "nowhere"]})
    rows = loader.live("raw_webflow.collection_items")
    key = f"{ids['brands']}/{item}"
    assert set(rows) == {key, f"{key}/{french}"}
    assert (rows[key]["collectionId"], rows[key]["secondaryLocale"]) == (ids["brands"], None)
    assert (rows[f"{key}/{french}"]["fieldData"]["name"], rows[f"{key}/{french}"]["secondaryLocale"]) == (
        "marques",
        "fr",
    )
    # Nobody asks for brands any more: they were not looked at, so nothing is concluded of them.
    loader.webflow(parameters={"item_collections": ["looks"]})
    assert set(rows) < set(loader.live("raw_webflow.collection_items"))
    # A load that is not told says nothing of items at all.
    report = loader.webflow()
    assert [one.scope for one in report.resources if one.resource == "collection_items"] != ["all"]
    assert set(rows) < set(loader.live("raw_webflow.collection_items"))
    shop.delete(f"/collections/{ids['brands']}/items/{item}").raise_for_status()
    loader.webflow(parameters={"item_collections": ["brands", "looks"]})
    assert key not in loader.live("raw_webflow.collection_items")
