"""Family and level of products, where search hides them (dossier §5.1, §6)."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Loader, Sandbox, of

from pipelines.landing import LoadError


def a_single(sandbox: Sandbox) -> dict[str, Any]:
    return next(one for one in sandbox.products() if one["level"] == 0)


def set_title(sandbox: Sandbox, product: dict[str, Any], title: str) -> None:
    sandbox.edit(id=product["id"], set={"attributes": {"web_title": title}})


@pytest.mark.parametrize("family", ["refused", "null"])
def test_details_come_one_by_one_where_search_does_not_tell_the_family(
    loader: Loader, sandbox: Sandbox, family: str
) -> None:
    sandbox.switch(family_in_search=family)
    loader.plytix()
    heads = {one["id"]: one["family_id"] for one in sandbox.products() if one["parent_id"] is None}
    details = loader.live("raw_plytix.product_details")
    assert {key: row.get("product_family_id") for key, row in details.items()} == heads


@pytest.mark.parametrize("family", ["value", "unasked"])
def test_details_are_not_read_where_search_tells_the_family(
    loader: Loader, sandbox: Sandbox, family: str
) -> None:
    sandbox.switch(family_in_search=family)
    report = loader.plytix()
    assert of(report, "product_details").requests == 0
    families = {one["id"]: one["family_id"] for one in sandbox.products() if one["family_id"]}
    rows = loader.live("raw_plytix.products")
    assert {key: rows[key]["product_family_id"] for key in families} == families


def test_details_of_changed_products_only(loader: Loader, sandbox: Sandbox) -> None:
    loader.plytix()
    single = a_single(sandbox)
    set_title(sandbox, single, "Again")
    sandbox.forget_requests()
    loader.plytix()
    assert [one["path"] for one in sandbox.requests("v2/products/[0-9a-f]{24}$")] == [
        f"/plytix/api/v2/products/{single['id']}"
    ]


def test_details_that_a_failed_load_left_behind_are_read_by_the_next(
    loader: Loader, sandbox: Sandbox
) -> None:
    loader.plytix()
    singles = [one for one in sandbox.products() if one["level"] == 0][:3]
    for single in singles:
        set_title(sandbox, single, "Half")
    sandbox.fault("v2/products/[0-9a-f]{24}$", "status", status=403)
    with pytest.raises(LoadError):
        loader.plytix()
    sandbox.forget_requests()
    loader.plytix()
    assert {one["path"][-24:] for one in sandbox.requests("v2/products/[0-9a-f]{24}$")} == {
        one["id"] for one in singles
    }


def test_a_product_marked_as_deleted_gets_no_details(loader: Loader, sandbox: Sandbox) -> None:
    loader.plytix()
    single = a_single(sandbox)
    set_title(sandbox, single, "Going")
    marked = {"data": [{"id": single["id"], "mark_as_deleted": True}]}
    sandbox.fault(f"v2/products/{single['id']}$", "status", status=200, body=marked)
    assert of(loader.plytix(), "product_details").deleted == 1
    assert single["id"] not in loader.live("raw_plytix.product_details")
