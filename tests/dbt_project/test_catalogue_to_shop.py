"""From Plytix documents to rows for Webflow: the same on both engines, and stable over time."""

from __future__ import annotations

import json
from typing import Any

import plytix_traps
import pytest
from dbt_build import NOW, Build

SENTENCES = {
    "archived": ("off", "status is Archived"),
    "bare": ("off", "show_on_web is not true"),
    "barren": ("held", "it has no variants yet"),
    "boot": ("ready", None),
    "comma": ("held", 'price "12,50" is not a number'),
    "cyrillic": ("ready", None),
    "draft": ("held", "status is Draft"),
    "dup_case": ("held", "SKU differs only in case from KET-1"),
    "dup_title": ("ready", None),
    "flag_odd": ("held", 'show_on_web "maybe" is not true or false'),
    "flag_off": ("off", "show_on_web is not true"),
    "incomplete": ("held", "web_completeness is 75 (missing: price, main_image); it has no price"),
    "kettle": ("ready", None),
    "long_name": ("held", "name is 300 characters long, Webflow takes 256"),
    "lost_image": ("held", "its main image is not among the assets of Plytix"),
    "no_price": ("held", "it has no price"),
    "odd_tax": ("held", 'tax_category "НДС 12%" is not one of Webflow'),
    "orphan": ("held", "its parent product is not in the data of Plytix"),
    "pdf_image": ("held", "its main image is not an image file"),
    "shirt": (
        "partly ready",
        "SKU SHIRT_TWIN: it has the same options (Red / M) as SKU SHIRT_RED_M; SKU SHIRT_ODD: it has no value for Size",
    ),
    "signs": ("ready", None),
    "two_defaults": ("partly ready", "SKU DEFAULT_2: it is marked as default, and so is SKU DEFAULT_1"),
    "v1_shapes": ("ready", None),
}
Tables = dict[str, dict[str, dict[str, Any]]]
_of_both_engines: list[Any] = []


def look(project: Build) -> Tables:
    return {
        "products": project.by("product_key", "activation.webflow__products"),
        "skus": project.by("sku_key", "activation.webflow__skus"),
        "categories": project.by("category_key", "activation.webflow__categories"),
        "slugs": project.by("slug_key", "marts.slugs"),
        "readiness": project.by("product_key", "marts.product_readiness"),
        "assets": project.by("product_asset_key", "marts.product_assets"),
        "relations": project.by("product_relation_key", "marts.product_relations"),
        "staged": project.by("product_key", "staging.stg_plytix__products"),
        "shop_skus": project.by("webflow_sku_key", "staging.stg_webflow__skus"),
    }


@pytest.fixture(scope="module")
def shop(project: Build) -> Tables:
    """The whole project with all its tests on the catalogue of traps."""
    for schema, documents in (("raw_plytix", plytix_traps.plytix()), ("raw_webflow", plytix_traps.webflow())):
        for resource, rows in documents.items():
            project.land(f"{schema}.{resource}", rows, load_id=f"{NOW - 5000}.{len(resource)}", minute=0)
    statuses = project.dbt("build")
    assert set(statuses.values()) <= {"success", "pass", "no-op"}
    return look(project)


@pytest.fixture(scope="module")
def next_day(shop: Tables, project: Build) -> Tables:
    """A product is renamed, one is deleted, one becomes ready, and newcomers want slugs that are taken."""
    changes: dict[str, Any] = {
        "kettle": plytix_traps.product("kettle", "Renamed", sku="KET-1"),
        "cyrillic": None,
        "draft": plytix_traps.product("draft", "Kettle"),
        "late": plytix_traps.product("late", "Boot"),
    }
    project.land("raw_plytix.products", changes, load_id=f"{NOW - 4000}.1", minute=10)
    project.dbt("run", "--full-refresh")
    return look(project)


def test_each_product_that_is_not_ready_says_why(shop: Tables) -> None:
    told = {
        key.removeprefix("default:"): (row["state"], row["reasons"]) for key, row in shop["readiness"].items()
    }
    assert told == SENTENCES


def test_products_that_leave_the_shop_are_absent_and_held_ones_carry_their_reason(shop: Tables) -> None:
    absent = {"default:archived", "default:flag_off", "default:bare", "default:marked"}
    assert absent.isdisjoint(shop["products"])
    assert shop["products"]["default:comma"]["hold_reasons"] == 'price "12,50" is not a number'
    assert shop["skus"]["default:comma"]["hold_reasons"] == 'price "12,50" is not a number'
    assert shop["skus"]["default:shirt_odd"]["hold_reasons"] == "it has no value for Size"


def test_all_shapes_of_times_ids_and_numbers_are_read(shop: Tables) -> None:
    old, new = shop["staged"]["default:v1_shapes"], shop["staged"]["default:kettle"]
    assert old["created_at"].isoformat() == "2019-01-28T12:20:57.437000+00:00"
    assert old["modified_at"].isoformat() == "2019-01-28T12:20:57+00:00"
    assert new["created_at"].isoformat() == "2025-01-27T19:14:04.015000+00:00"
    assert shop["products"]["default:v1_shapes"]["category_keys"] == '["default:cat_sale"]'
    assert shop["skus"]["default:v1_shapes"]["price_minor"] == 1990
    assert shop["skus"]["default:v1_shapes"]["stock_quantity"] == 26


def test_options_of_three_levels_become_values_of_one_sku(shop: Tables) -> None:
    boots = {key: json.loads(row["sku_values"]) for key, row in shop["skus"].items() if "boot" in key}
    assert boots == {
        "default:boot_black_41": {"Colour": "Black", "Shoe size": "41"},
        "default:boot_black_42": {"Colour": "Black", "Shoe size": "42"},
    }
    assert shop["skus"]["default:boot_black_41"]["is_default"]
    assert json.loads(shop["products"]["default:shirt"]["sku_properties"]) == [
        {"name": "Colour", "values": ["Blue", "Red"]},
        {"name": "Size", "values": ["M", "L"]},
    ]
    assert "default:shirt_old" not in shop["skus"]


def test_urls_are_encoded_marked_with_the_files_version_and_galleries_keep_their_order(shop: Tables) -> None:
    kettle, shirt = shop["skus"]["default:kettle"], shop["skus"]["default:shirt_blue_m"]
    address, mark = kettle["main_image_url"].split("#")
    assert address == "https://files.example/Kettle%20handle%20-%20%D0%91%D0%B5%D0%BB%D0%B0%D1%8F%20(1).png"
    assert len(mark) == 8
    for sku in (kettle, shirt):
        gallery = [url.split("#")[0] for url in json.loads(sku["more_image_urls"])]
        assert gallery == ["https://files.example/img2.png", "https://files.example/img3.png"]
    assert shop["assets"]["default:shirt:gallery:2"]["is_image"] is False


def test_the_main_category_comes_first_and_unused_ones_stay_away(shop: Tables) -> None:
    assert shop["products"]["default:kettle"]["category_keys"] == '["default:cat_kitchen","default:cat_sale"]'
    assert set(shop["categories"]) == {"default:cat_kitchen", "default:cat_sale"}


def test_html_is_cleaned_and_relations_lead_to_living_products(shop: Tables) -> None:
    assert shop["products"]["default:kettle"]["description"] == '<p>Hot</p><a href="#">a</a>'
    assert [row["related_product_key"] for row in shop["relations"].values()] == ["default:shirt"]


def test_the_shops_skus_are_unpacked_from_their_product(shop: Tables) -> None:
    assert shop["shop_skus"]["default:s1"]["price_minor"] == 2499


def test_slugs_outlive_names_products_and_full_refreshes(shop: Tables, next_day: Tables) -> None:
    assert next_day["slugs"].items() >= shop["slugs"].items()
    assert next_day["products"]["default:kettle"]["name"] == "Renamed"
    assert next_day["products"]["default:kettle"]["slug"] == shop["products"]["default:kettle"]["slug"]
    assert "default:cyrillic" not in next_day["products"]
    assert next_day["slugs"]["product:default:cyrillic"]["slug"] == "chaynik-ozbek-yeva-ljubav"


def test_newcomers_get_slugs_that_nobody_ever_had(shop: Tables, next_day: Tables) -> None:
    given = [row["slug"] for row in next_day["slugs"].values() if row["entity"] == "product"]
    assert len(given) == len(set(given))
    assert shop["products"]["default:draft"]["slug"] is None
    assert next_day["products"]["default:draft"]["slug"] == "kettle-draft"
    assert next_day["products"]["default:late"]["slug"] == "boot-late"


def test_both_engines_make_the_same_rows(shop: Tables) -> None:
    """The engine that comes second compares itself with the first."""
    texts = {
        table: {key: {name: str(value) for name, value in row.items()} for key, row in shop[table].items()}
        for table in ("products", "skus", "categories", "readiness", "assets", "relations")
    }
    _of_both_engines.append(texts)
    assert texts == _of_both_engines[0]
