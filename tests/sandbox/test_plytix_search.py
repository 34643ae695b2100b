"""Product search: columns, filters, order, paging and counts (Plytix dossier §5)."""

from typing import Any

import pytest
from sandbox_client import SandboxClient


def condition(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    return {"field": field, "operator": operator} | ({} if value is None else {"value": value})


def skus(sandbox: SandboxClient, filters: list[list[dict[str, Any]]], order: str = "") -> list[str]:
    body = {"filters": filters, "pagination": {"page_size": 100, "order": order}}
    return [row["sku"] for row in sandbox.search(body)["data"]]


def test_only_id_and_sku_and_a_few_others_come_unasked(sandbox: SandboxClient) -> None:
    row = sandbox.search({})["data"][0]
    assert set(row) == {"id", "sku", "num_variations", "modified_user_audit"}
    assert len(row["id"]) == 24


def test_fifty_columns_are_the_limit_and_id_and_sku_are_free(sandbox: SandboxClient) -> None:
    labels = [f"attributes.{row['label']}" for row in sandbox.small("attributes/product", "label")]
    sandbox.search({"attributes": ["id", "sku", *labels[:50]]})
    status, error = sandbox.refused({"attributes": labels[:51]})
    assert status == 422
    assert error == {
        "msg": "Schema validation error",
        "errors": [{"field": "schema", "msg": "columns limit exceeded, current limit is 50"}],
    }


@pytest.mark.parametrize(
    "column", ["attributes.gone", "web_title", "relationships.gone", "product_family_id", "nope"]
)
def test_one_bad_column_fails_the_whole_search(sandbox: SandboxClient, column: str) -> None:
    status, error = sandbox.refused({"attributes": ["label", column]})
    assert status == 422
    assert error["errors"][0]["field"] == column


def test_family_columns_follow_their_switch(sandbox: SandboxClient) -> None:
    sandbox.switch(family_in_search="null")
    assert sandbox.search({"attributes": ["product_family_id"]})["data"][0]["product_family_id"] is None
    sandbox.switch(family_in_search="value")
    assert len(sandbox.search({"attributes": ["product_family_id"]})["data"][0]["product_family_id"]) == 24
    sandbox.switch(family_in_search="unasked")
    assert sandbox.search({})["data"][0]["product_type"] == "PARENT"


def test_a_formula_column_follows_its_switch(sandbox: SandboxClient) -> None:
    asked = {"attributes": ["attributes.editorial_margin", "attributes.show_on_web"]}
    assert "editorial_margin" not in sandbox.search(asked)["data"][0]["attributes"]
    sandbox.switch(formula_attributes="value")
    assert sandbox.search(asked)["data"][0]["attributes"]["editorial_margin"].endswith("%")
    sandbox.switch(formula_attributes="refused")
    assert sandbox.refused(asked)[0] == 422


def test_inner_lists_are_and_and_the_outer_list_is_or(sandbox: SandboxClient) -> None:
    tool, shoe = condition("sku", "like", "tl-"), condition("sku", "like", "fw-")
    has_price = condition("attributes.price", "exists")
    both = skus(sandbox, [[tool, has_price]])
    assert both
    assert all(sku.upper().startswith("TL") for sku in both)
    assert skus(sandbox, [[tool, shoe]]) == []
    either = skus(sandbox, [[tool], [shoe]])
    assert {sku[:2].upper() for sku in either} == {"TL", "FW"}


@pytest.mark.parametrize(
    "filters",
    [
        {"field": "sku", "operator": "eq", "value": "x"},
        [condition("sku", "eq", "x")],
        [[condition("sku", "contains", "x")]],
        [[condition("price", "gt", 1)]],
        [[condition("attributes.price", "gt", "cheap")]],
        [[condition("status", "eq", "active")]],
        [[condition("thumbnail", "eq", "x")]],
        [[condition("attributes.brand", "in", "Karvon")]],
        [[condition("modified", "gte", "yesterday")]],
    ],
)  # fmt: skip
def test_a_filter_that_plytix_does_not_know_is_refused(sandbox: SandboxClient, filters: Any) -> None:
    assert sandbox.refused({"filters": filters})[0] == 422


def test_eq_ignores_case_and_in_does_not(sandbox: SandboxClient) -> None:
    products = sandbox.control("GET", "/plytix/products")["products"]
    by_fold: dict[str, list[str]] = {}
    for product in products:
        by_fold.setdefault(product["sku"].lower(), []).append(product["sku"])
    sandbox.control("POST", "/plytix/edit", {"create": {"sku": products[0]["sku"].lower()}})
    assert len(skus(sandbox, [[condition("sku", "eq", products[0]["sku"])]])) == 2
    assert skus(sandbox, [[condition("sku", "in", [products[0]["sku"]])]]) == [products[0]["sku"]]
    other = next(one["sku"] for one in products if one["sku"].lower() != products[0]["sku"].lower())
    several = skus(sandbox, [[condition("sku", "eq", sku)] for sku in (products[0]["sku"], other, "none")])
    assert {sku.lower() for sku in several} == {products[0]["sku"].lower(), other.lower()}


def test_numbers_dates_flags_and_texts_can_be_filtered(sandbox: SandboxClient) -> None:
    cheap = skus(sandbox, [[condition("attributes.price", "lt", 50)]])
    dear = skus(sandbox, [[condition("attributes.price", "gte", 50)]])
    assert cheap
    assert dear
    assert not set(cheap) & set(dear)
    assert skus(sandbox, [[condition("attributes.release_date", "gte", "2025-03-01")]])
    assert all(sku.count("-") >= 2 for sku in skus(sandbox, [[condition("_is_variation", "eq", True)]]))
    assert skus(sandbox, [[condition(["sku", "label"], "text_search", "00004")]])  # type: ignore[arg-type]


def test_a_date_means_midnight_unless_the_switch_says_end_of_day(sandbox: SandboxClient) -> None:
    created = sandbox.search({"attributes": ["created"], "pagination": {"order": "created"}})["data"][0][
        "created"
    ]
    day = created[:10]
    first_day = set(skus(sandbox, [[condition("created", "eq", day)]]))
    assert first_day
    assert first_day <= set(skus(sandbox, [[condition("created", "gt", day), condition("created", "lt", "2100-01-01")]],
                                 order="created"))  # fmt: skip
    sandbox.switch(date_gt="end_of_day")
    assert not first_day & set(skus(sandbox, [[condition("created", "gt", day)]]))


@pytest.mark.parametrize("form", ["{}", "{}Z", "{}+00:00"])
def test_a_timestamp_filter_is_taken_unless_the_switch_is_off(sandbox: SandboxClient, form: str) -> None:
    sandbox.control("POST", "/plytix/next-day", {"changes": {"price": 1}})
    moment = sandbox.control("GET", "/plytix/products")["products"]
    newest = max(product["modified"] for product in moment)
    filters = [[condition("modified", "gte", form.format(newest))]]
    assert len(skus(sandbox, filters)) == 1
    sandbox.switch(modified_accepts_timestamp=False)
    assert sandbox.refused({"filters": filters})[0] == 422
    assert skus(sandbox, [[condition("modified", "gte", newest[:10])]])


def test_pages_are_of_25_rows_and_100_at_most(sandbox: SandboxClient) -> None:
    assert len(sandbox.search({})["data"]) == 25
    assert len(sandbox.search({"pagination": {"page_size": 100}})["data"]) == 100
    for wrong in ({"page_size": 101}, {"page": 0}, {"order": None}, {"order": "nothing"}):
        assert sandbox.refused({"pagination": wrong})[0] == 422


def test_count_is_of_the_filter_and_total_count_is_not(sandbox: SandboxClient) -> None:
    body = {"filters": [[condition("sku", "like", "TL-")]], "pagination": {"page_size": 2, "order": "sku"}}
    everything = sandbox.search({})["pagination"]["count"]
    pagination = sandbox.search(body)["pagination"]
    assert pagination == {
        "order": "sku", "page": 1, "page_size": 2, "count": pagination["count"], "total_count": everything,
    }  # fmt: skip
    assert 2 < pagination["count"] < everything
    sandbox.switch(total_count_ignores_filter=False, count_is_page=True)
    assert sandbox.search(body)["pagination"]["count"] == 2
    assert sandbox.search(body)["pagination"]["total_count"] == pagination["count"]
    sandbox.switch(pagination_counts="none")
    assert set(sandbox.search(body)["pagination"]) == {"order", "page", "page_size"}


def test_an_order_may_be_of_a_field_that_was_not_asked_for(sandbox: SandboxClient) -> None:
    up, down = skus(sandbox, [], "attributes.price"), skus(sandbox, [], "-attributes.price")
    assert up != down
    assert skus(sandbox, [], "sku")[:20] == sorted(skus(sandbox, [], "sku")[:20])


def test_an_order_over_too_many_rows_answers_428(sandbox: SandboxClient) -> None:
    sandbox.switch(ordered_rows_limit=20)
    assert sandbox.refused({"pagination": {"order": "modified"}})[0] == 428
    assert len(sandbox.search({})["data"]) == 25
    few = [[condition("sku", "in", ["AP-00001"])]]
    assert skus(sandbox, few, "modified") == ["AP-00001"]


def test_paging_without_an_order_may_repeat_rows_but_loses_none(sandbox: SandboxClient) -> None:
    sandbox.switch(unsorted_paging="overlapping")
    seen: list[str] = []
    page = 0
    while True:
        page += 1
        rows = sandbox.search({"pagination": {"page": page, "page_size": 50}})
        seen += [row["id"] for row in rows["data"]]
        if len(rows["data"]) < 50:
            break
    assert len(set(seen)) == rows["pagination"]["count"] < len(seen)


def test_a_broken_role_sees_an_empty_catalogue(sandbox: SandboxClient) -> None:
    sandbox.switch(role_sees_products=False)
    assert sandbox.search({})["data"] == []
    assert sandbox.search({})["pagination"]["total_count"] == 0


def test_products_can_be_found_by_relationship(sandbox: SandboxClient) -> None:
    relationship = sandbox.small("relationships", "label")[0]
    wanted = {"relationship_id": relationship["id"], "operator": "exists"}
    asked = {"attributes": [f"relationships.{relationship['label']}"], "relationship_filters": [[wanted]]}
    found = sandbox.search(asked)
    assert 0 < found["pagination"]["count"] < found["pagination"]["total_count"]
    assert all(row["relationships"] for row in found["data"])
    assert sandbox.refused({"relationship_filters": [wanted]})[0] == 422


def test_the_filter_catalogue_names_keys_types_and_operators(sandbox: SandboxClient) -> None:
    catalogue = sandbox.plytix("GET", "/api/v1/filters/product").json()["data"][0]
    modified = next(entry for entry in catalogue["properties"] if entry["key"] == "modified")
    assert modified["operators"] == ["exists", "!exists", "eq", "gt", "gte", "lt", "lte"]
    color = next(entry for entry in catalogue["attributes"] if entry["key"] == "attributes.color")
    assert color["filter_type"] == "DropdownAttribute"
    assert "Red" in color["options"]
