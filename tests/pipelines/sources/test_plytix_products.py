"""Products of Plytix: every trap of the dossier that touches reading them (§5 to §7, §13)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest
from stand_ins import Loader, Meddling, Sandbox, of

from pipelines.landing import LoadError

SEARCH = "/api/v2/products/search"


def by_sku(loader: Loader) -> dict[str, dict[str, Any]]:
    return {row["sku"]: row for row in loader.live("raw_plytix.products").values()}


def parent_with_variants(sandbox: Sandbox) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    products = sandbox.products()
    parent = next(one for one in products if one["level"] == 1)
    return parent, [one for one in products if one["parent_id"] == parent["id"]]


def set_title(sandbox: Sandbox, product: dict[str, Any], title: str) -> None:
    sandbox.edit(id=product["id"], set={"attributes": {"web_title": title}})


def test_first_load_reads_everything_whole_and_the_next_one_nothing(loader: Loader, sandbox: Sandbox) -> None:
    first = loader.plytix()
    world = sandbox.products()
    assert of(first, "products").new == len(world)
    rows = loader.live("raw_plytix.products")
    for product in world:
        filled = {name: value for name, value in product["attributes"].items() if value not in (None, "", [])}
        assert set(rows[product["id"]]["attributes"]) == set(filled) - {"editorial_margin"}
        assert "modified_user_audit" not in rows[product["id"]]
    second = loader.plytix()
    assert sum(one.landed for one in second.resources) == 0


def test_searches_ask_for_at_most_fifty_columns_and_together_for_all(
    loader: Loader, sandbox: Sandbox
) -> None:
    loader.plytix("products")
    slices = [one["body"]["attributes"] for one in sandbox.requests(SEARCH) if one["body"].get("attributes")]
    assert max(len(columns) for columns in slices) <= 50
    asked = {column for columns in slices for column in columns}
    assert {
        "label",
        "relationships.related_products",
        "attributes.price",
        "attributes.editorial_tags",
    } <= asked


def test_a_load_without_changes_costs_one_request_per_small_table_and_slice(
    loader: Loader, sandbox: Sandbox
) -> None:
    loader.plytix()
    sandbox.forget_requests()
    loader.plytix()
    small, assets, probe, slices = 5, 1, 1, 2
    assert len(sandbox.requests()) == small + assets + probe + slices


def test_a_first_load_costs_what_the_readme_says(loader: Loader, sandbox: Sandbox) -> None:
    report = loader.plytix()
    products = sandbox.products()
    heads = sum(one["parent_id"] is None for one in products)
    pages, assets = ceil(len(products) / 100), ceil(of(report, "assets").seen / 100)
    assert len(sandbox.requests()) == 5 + 3 + 2 * assets + 1 + (2 + 1) * pages + heads


def test_only_changed_products_are_read_again(loader: Loader, sandbox: Sandbox) -> None:
    loader.plytix()
    single = next(one for one in sandbox.products() if one["level"] == 0)
    set_title(sandbox, single, "Новое имя")
    report = loader.plytix()
    assert (of(report, "products").changed, of(report, "products").new) == (1, 0)
    assert by_sku(loader)[single["sku"]]["attributes"]["web_title"] == "Новое имя"


def test_what_an_import_moved_at_once_is_read_again_for_minutes_and_not_for_ever(
    loader: Loader, sandbox: Sandbox
) -> None:
    singles = [one for one in sandbox.products() if one["level"] == 0][:3]
    for single in singles:
        set_title(sandbox, single, "Imported")
    began = datetime.now(UTC) + timedelta(seconds=10)

    def seen(minutes: int) -> int:
        return of(loader.plytix("products", now=began + timedelta(minutes=minutes)), "products").seen

    assert seen(0) > len(singles)
    assert [seen(minutes) for minutes in (4, 9, 11)] == [len(singles)] * 3
    assert seen(12) == 0
    time.sleep(1.1)  # Filters know whole seconds.
    set_title(sandbox, singles[0], "Edited")
    assert seen(13) == 1
    assert by_sku(loader)[singles[0]["sku"]]["attributes"]["web_title"] == "Edited"


@pytest.mark.parametrize("moves", [True, False], ids=["variants move too", "only the parent moves"])
def test_variants_of_a_changed_parent_are_read_again(loader: Loader, sandbox: Sandbox, moves: bool) -> None:
    sandbox.switch(inheritance_moves_modified=moves)
    loader.plytix()
    parent, variants = parent_with_variants(sandbox)
    set_title(sandbox, parent, "Inherited")
    loader.plytix()
    rows = loader.live("raw_plytix.products")
    assert {rows[one["id"]]["attributes"]["web_title"] for one in variants} == {"Inherited"}


def test_sub_variants_of_a_changed_parent_are_read_again(loader: Loader, sandbox: Sandbox) -> None:
    sandbox.switch(inheritance_moves_modified=False)
    loader.plytix()
    products = {one["id"]: one for one in sandbox.products()}
    deepest = next(one for one in products.values() if one["level"] == 3)
    set_title(sandbox, products[products[deepest["parent_id"]]["parent_id"]], "From the top")
    loader.plytix()
    now = {one["id"]: one["attributes"].get("web_title") for one in sandbox.products()}
    rows = loader.live("raw_plytix.products")
    assert rows[deepest["id"]]["attributes"].get("web_title") == now[deepest["id"]] == "From the top"


def test_many_changed_parents_cost_a_list_of_ids_instead_of_a_request_each(
    loader: Loader, sandbox: Sandbox
) -> None:
    sandbox.switch(inheritance_moves_modified=False)
    loader.plytix()
    for parent in [one for one in sandbox.products() if one["level"] == 1][:4]:
        set_title(sandbox, parent, "Sale")
    sandbox.forget_requests()
    loader.plytix()
    assert not sandbox.requests("/variants$")
    now = {one["id"]: one["attributes"].get("web_title") for one in sandbox.products()}
    rows = loader.live("raw_plytix.products")
    assert {key: dict(row["attributes"]).get("web_title") for key, row in rows.items()} == now


def test_dates_are_sent_where_timestamps_are_refused(loader: Loader, sandbox: Sandbox) -> None:
    sandbox.switch(modified_accepts_timestamp=False, date_gt="end_of_day")
    loader.plytix()
    single = next(one for one in sandbox.products() if one["level"] == 0)
    set_title(sandbox, single, "By date")
    sandbox.forget_requests()
    report = loader.plytix()
    assert of(report, "products").changed == 1
    sent = [
        one["body"]["filters"][0][0]["value"]
        for one in sandbox.requests(SEARCH)
        if one["body"].get("filters")
    ]
    assert any(len(value) == len("2026-10-01") for value in sent)
    # Found out once in a load, not once per resource.
    refused = [
        one for one in sandbox.requests("search$") if one["status"] == 422 and one["body"].get("filters")
    ]
    assert len(refused) == 1


@pytest.mark.parametrize("timestamps", [True, False], ids=["timestamps", "dates only"])
@pytest.mark.parametrize("form", ["mixed", "v1", "v2", "no_fraction"])
def test_all_timestamp_forms_move_the_cursor(
    loader: Loader, sandbox: Sandbox, form: str, timestamps: bool
) -> None:
    sandbox.switch(timestamp_form=form, modified_accepts_timestamp=timestamps)
    loader.plytix("products")
    newest = max(one["modified"] for one in sandbox.products())
    cursor = datetime.fromisoformat(of(loader.plytix("products"), "products").cursor_value or "")
    assert abs(cursor - datetime.fromisoformat(newest).replace(tzinfo=UTC)) <= timedelta(seconds=1)


@pytest.mark.parametrize("timestamps", [True, False], ids=["timestamps", "dates only"])
def test_more_rows_than_can_be_ordered_are_read_in_windows(
    loader: Loader, sandbox: Sandbox, timestamps: bool
) -> None:
    sandbox.switch(ordered_rows_limit=40, modified_accepts_timestamp=timestamps)
    report = loader.plytix("products")
    assert of(report, "products").seen == len(sandbox.products()) > 40


@pytest.mark.parametrize("paging", ["stable", "overlapping"])
def test_too_many_rows_of_one_moment_are_read_without_an_order(
    loader: Loader, sandbox: Sandbox, paging: str
) -> None:
    sandbox.switch(ordered_rows_limit=1, unsorted_paging=paging)
    report = loader.plytix("products")
    assert of(report, "products").seen == len(sandbox.products())


@pytest.mark.parametrize(
    "lies",
    [
        {"count_is_page": True},
        {"total_count_ignores_filter": True, "pagination_counts": "no_count"},
        {"pagination_counts": "none"},
        {"pagination_counts": "no_total_count"},
    ],
    ids=str,
)
def test_counts_that_lie_do_not_end_the_reading(
    loader: Loader, sandbox: Sandbox, lies: dict[str, Any]
) -> None:
    sandbox.switch(**lies)
    assert of(loader.plytix("products"), "products").seen == len(sandbox.products())


def test_a_column_that_vanishes_meanwhile_is_left_out_and_the_load_goes_on(
    loader: Loader, sandbox: Sandbox
) -> None:
    gone = {"error": {"msg": "Schema validation error", "errors": [
        {"field": "attributes.care_notes", "msg": "Field does not exist"}]}}  # fmt: skip
    # The first product search is the question about family columns, the second the first slice.
    sandbox.fault("v2/products/search", "status", after=2, status=422, body=gone)
    report = loader.plytix("products")
    assert of(report, "products").is_complete
    assert of(report, "products").seen == len(sandbox.products())
    assert len(sandbox.requests("attributes/product/search")) == 2
    later = sandbox.requests(SEARCH)[-3:]
    assert all("attributes.care_notes" not in one["body"].get("attributes", []) for one in later)


def test_a_refused_formula_attribute_does_not_stop_the_load(loader: Loader, sandbox: Sandbox) -> None:
    sandbox.switch(formula_attributes="refused")
    assert of(loader.plytix("products"), "products").is_complete


def test_a_search_refused_for_another_reason_is_an_error(loader: Loader, sandbox: Sandbox) -> None:
    limit = {"error": {"msg": "Schema validation error", "errors": [
        {"field": "schema", "msg": "columns limit exceeded, current limit is 20"}]}}  # fmt: skip
    sandbox.fault("v2/products/search", "status", times=0, after=1, status=422, body=limit)
    with pytest.raises(LoadError, match="current limit is 20"):
        loader.plytix("products")


def test_rows_that_change_between_two_slices_are_read_again_whole(loader: Loader, sandbox: Sandbox) -> None:
    product = next(one for one in sandbox.products() if one["level"] == 0)
    change = {"attributes": {"web_title": "Changed meanwhile", "editorial_notes": "too"}}
    meddling = Meddling(SEARCH, 4, lambda: sandbox.edit(id=product["id"], set=change))
    loader.plytix("products", meanwhile=meddling)
    row = by_sku(loader)[product["sku"]]
    assert row["attributes"]["web_title"] == "Changed meanwhile"
    assert row["attributes"]["editorial_notes"] == "too"


@pytest.mark.parametrize("at", range(2, 8))
def test_nothing_is_lost_when_products_move_and_vanish_while_pages_are_read(
    loader: Loader, sandbox: Sandbox, at: int
) -> None:
    first, second, *_ = sorted(sandbox.products(), key=lambda one: one["modified"])

    def meddle() -> None:
        sandbox.edit(id=first["id"], delete=True)
        if any(one["id"] == second["id"] for one in sandbox.products()):
            sandbox.edit(id=second["id"], set={"label": "Moved"})

    loader.plytix("products", meanwhile=Meddling(SEARCH, at, meddle))
    loader.plytix("products", sweep_every_hours=0)
    world = {one["id"]: one["label"] for one in sandbox.products()}
    assert {key: row["label"] for key, row in loader.live("raw_plytix.products").items()} == world


@pytest.mark.parametrize("counts_are_told", [True, False])
def test_deleted_products_are_found_when_the_count_tells_or_the_sweep_is_due(
    loader: Loader, sandbox: Sandbox, counts_are_told: bool
) -> None:
    loader.plytix()
    parent, variants = parent_with_variants(sandbox)
    sandbox.edit(id=parent["id"], delete=True)
    # Only a full page can hide how many there are.
    sandbox.switch(
        total_count_ignores_filter=counts_are_told, pagination_counts="both" if counts_are_told else "none"
    )
    while not counts_are_told and len(sandbox.products()) < 100:
        sandbox.edit(create={"sku": f"NEW-{len(sandbox.products())}", "label": "New"})
    if counts_are_told:
        report = loader.plytix()
    else:
        assert of(loader.plytix(), "products").deleted == 0
        report = loader.plytix(sweep_every_hours=0)
    assert of(report, "products").deleted == 1 + len(variants)
    assert of(report, "product_details").deleted == 1
    assert set(loader.live("raw_plytix.products")) == {one["id"] for one in sandbox.products()}


@pytest.mark.parametrize("ignores", [True, False])
def test_a_deletion_is_found_although_everything_else_was_just_modified(
    loader: Loader, sandbox: Sandbox, ignores: bool
) -> None:
    loader.plytix("products")
    gone, *others = [one for one in sandbox.products() if one["level"] == 0]
    for one in sandbox.products():
        set_title(sandbox, one, f"Revised {one['sku']}")
    sandbox.edit(id=gone["id"], delete=True)
    sandbox.switch(total_count_ignores_filter=ignores)
    report = loader.plytix("products")
    assert of(report, "products").deleted == 1
    live = loader.live("raw_plytix.products")
    assert gone["id"] not in live
    assert others
    assert live[others[0]["id"]]["attributes"]["web_title"] == f"Revised {others[0]['sku']}"


def test_a_product_is_asked_for_by_the_exact_spelling_of_its_sku(loader: Loader, sandbox: Sandbox) -> None:
    for sku in ("spell-9", "SPELL-9"):
        sandbox.edit(create={"sku": sku, "label": f"Label of {sku}"})
    loader.plytix("products", key="SPELL-9")
    assert [row["label"] for row in loader.live("raw_plytix.products").values()] == ["Label of SPELL-9"]


def test_a_product_that_a_search_still_lists_as_deleted_is_gone(loader: Loader, sandbox: Sandbox) -> None:
    loader.plytix("products")
    kept, gone = [one for one in sandbox.products() if one["level"] == 0][:2]
    rows = [{**row, "mark_as_deleted": row["id"] == gone["id"]} for row in loader.live("raw_plytix.products").values()
            if row["id"] in (kept["id"], gone["id"])]  # fmt: skip
    # What changed since the last load comes after the question for the family.
    sandbox.fault(
        "v2/products/search", "status", after=1, times=2, status=200, body={"data": rows, "pagination": {}}
    )
    assert of(loader.plytix("products"), "products").deleted == 1
    live = loader.live("raw_plytix.products")
    assert kept["id"] in live
    assert gone["id"] not in live


def test_a_product_missing_from_the_sweep_is_asked_for_before_it_is_deleted(
    loader: Loader, sandbox: Sandbox
) -> None:
    loader.plytix("products")
    single, lost = [one for one in sandbox.products() if one["level"] == 0][:2]
    sandbox.edit(id=single["id"], delete=True)
    short = [{"id": one["id"], "sku": one["sku"]} for one in sandbox.products() if one["id"] != lost["id"]]
    page = {"data": short[:99], "pagination": {}}
    # The sweep's only page comes short: after the family question and two slices.
    sandbox.fault("v2/products/search", "status", after=3, status=200, body=page)
    report = loader.plytix("products", sweep_every_hours=0)
    assert of(report, "products").deleted == 1
    assert lost["id"] in loader.live("raw_plytix.products")


def test_an_empty_catalogue_from_a_broken_role_deletes_nothing(loader: Loader, sandbox: Sandbox) -> None:
    loader.plytix("products")
    sandbox.switch(role_sees_products=False)
    with pytest.raises(LoadError, match="check the role of the API key"):
        loader.plytix("products", sweep_every_hours=0)
    assert len(loader.live("raw_plytix.products")) == len(sandbox.products())


def test_what_an_earlier_load_missed_is_found_by_the_sweep(loader: Loader, sandbox: Sandbox) -> None:
    newest = max(one["modified"] for one in sandbox.products())
    loader.plytix("products", since=newest)
    assert len(loader.live("raw_plytix.products")) < len(sandbox.products())
    loader.plytix("products")
    assert set(loader.live("raw_plytix.products")) == {one["id"] for one in sandbox.products()}


def test_a_wrong_since_says_what_is_wanted(loader: Loader) -> None:
    with pytest.raises(Exception, match="no ISO date or time"):
        loader.plytix("products", since="yesterday")


def test_a_sku_in_two_cases_is_two_products(loader: Loader, sandbox: Sandbox) -> None:
    for sku in ("case-1", "CASE-1"):
        sandbox.edit(create={"sku": sku, "label": sku})
    loader.plytix("products", since="2030-01-01")
    loader.plytix("products")
    assert {"case-1", "CASE-1"} <= set(by_sku(loader))


def test_version_1_rows_are_read_too(loader: Loader, sandbox: Sandbox) -> None:
    sandbox.switch(inheritance_moves_modified=False)
    first = loader.plytix(version="v1")
    assert of(first, "products").new == len(sandbox.products())
    parent, variants = parent_with_variants(sandbox)
    assert loader.live("raw_plytix.products")[variants[0]["id"]]["_parent_id"] == parent["id"]
    set_title(sandbox, parent, "Version one")
    second = loader.plytix(version="v1")
    assert of(second, "products").changed == 1 + len(variants)
    assert of(second, "product_details").seen == 1


@pytest.mark.parametrize("shape", ["object", "string", "mixed"])
def test_value_shapes_land_as_they_came(loader: Loader, sandbox: Sandbox, shape: str) -> None:
    sandbox.switch(
        v2_ids=shape, numbers_as_strings="mixed", empty_attributes_as_list="always", v2_media="objects"
    )
    loader.plytix("products")
    assert of(loader.plytix("products", refresh=frozenset({"products"})), "products").changed == 0


@pytest.mark.parametrize("name", ["sku", "id", "our key"])
def test_one_product_is_fetched_fresh_with_its_parent_and_variants_and_nothing_else(
    loader: Loader, sandbox: Sandbox, name: str
) -> None:
    loader.plytix()
    parent, variants = parent_with_variants(sandbox)
    other = next(one for one in sandbox.products() if one["level"] == 0)
    for product in (parent, other):
        set_title(sandbox, product, "A new title")
    key = {
        "sku": variants[0]["sku"],
        "id": variants[0]["id"],
        "our key": f"{sandbox.account}:{variants[0]['id']}",
    }[name]
    report = loader.plytix(key=key)
    assert {one.resource for one in report.resources} == {"products", "product_details"}
    rows = loader.live("raw_plytix.products")
    assert rows[parent["id"]]["attributes"]["web_title"] == "A new title"
    assert rows[other["id"]]["attributes"]["web_title"] != "A new title"
    later = loader.plytix()
    assert loader.live("raw_plytix.products")[other["id"]]["attributes"]["web_title"] == "A new title"
    assert of(later, "products").deleted == 0


def test_a_product_asked_for_by_key_that_is_gone_is_deleted(loader: Loader, sandbox: Sandbox) -> None:
    loader.plytix()
    single = next(one for one in sandbox.products() if one["level"] == 0)
    sandbox.edit(id=single["id"], delete=True)
    assert of(loader.plytix(key=single["id"]), "products").deleted == 1
