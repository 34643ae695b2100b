"""What a build's author reads when it fails: the file, the line and the engine's words, and what waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.build_outcome import BuildOutcome

CODE = """-- net_amount is what remains
with orders as (
    select order_id, orders.net_amont from {{ ref('raw_orders') }} as orders
)
select * from orders
"""
SHOP = ("model.karvon.raw_orders", "model.karvon.orders", "model.karvon.days", "model.karvon.sources")


def manifest() -> dict[str, Any]:
    def model(name: str, code: str = "select 1") -> dict[str, Any]:
        return {"original_file_path": f"models/marts/{name}.sql", "raw_code": code}

    return {
        "nodes": {
            "model.karvon.raw_orders": model("raw_orders"),
            "model.karvon.orders": model("orders", CODE),
            "model.karvon.days": model("days"),
            "model.karvon.sources": model("sources"),
        },
        "parent_map": {
            "model.karvon.raw_orders": [],
            "model.karvon.orders": ["model.karvon.raw_orders"],
            "model.karvon.days": ["model.karvon.orders"],
            "model.karvon.sources": [],
            UNIT_TEST: ["model.karvon.orders"],
            "test.karvon.not_null_raw_orders_id.1a2b": ["model.karvon.raw_orders"],
        },
    }


def event(name: str, node: str = "", level: str = "error", msg: str = "") -> dict[str, Any]:
    return {"info": {"name": name, "level": level, "msg": msg}, "data": {"node_info": {"unique_id": node}}}


def outcome(*events: dict[str, Any]) -> BuildOutcome:
    found = BuildOutcome(manifest(), SHOP, status=1)
    for one in events:
        found.take(one)
    return found


def built(*models: str) -> list[dict[str, Any]]:
    return [event("LogModelResult", f"model.karvon.{name}", "info") for name in models]


UNIT_TEST = "unit_test.karvon.orders.sums_are_right"
UNIT_TEST_ERROR = """  Runtime Error in unit_test sums_are_right (models/marts/_marts.yml)
  An error occurred during execution of unit test 'sums_are_right'. There may be an error in the unit test definition: \
check the data types.
   Runtime Error
    Binder Error: Referenced column "net_amont" not found in FROM clause!
    Candidate bindings: "net_amount", "order_id"

    LINE 96: ...order_id, product_count < 100 then"""
POSTGRES_ERROR = """  Database Error in model orders (models/marts/orders.sql)
  column "net_amont" does not exist
  LINE 14:     select order_id, orders.net_amont from "karvon"."marts"."raw_orders"
                                ^
  HINT:  Perhaps you meant to reference the column "raw_orders.net_amount"."""
QUALIFIED = """  Runtime Error in model orders (models/marts/orders.sql)
  Binder Error: Table "orders" does not have a column named "net_amont"
  Did you mean "net_amount"?"""
SYNTAX_ERROR = """  Runtime Error in model orders (models/marts/orders.sql)
  Parser Error: syntax error at or near "orders"

  LINE 9: select * from orders"""


@pytest.mark.parametrize(
    ("events", "place", "words"),
    [
        ([event("RunResultError", UNIT_TEST, msg=UNIT_TEST_ERROR)], ":3", "Binder Error"),
        ([event("RunResultError", "model.karvon.orders", msg=POSTGRES_ERROR)], ":3", "does not exist"),
        ([event("RunResultError", "model.karvon.orders", msg=QUALIFIED)], ":3", "Binder Error"),
        ([event("RunResultError", "model.karvon.orders", msg=SYNTAX_ERROR)], ":5", "syntax error at or near"),
        (
            [event("RunResultError", "model.karvon.orders", msg="  Runtime Error in model orders (x)\n  Out of range")],
            "", "Out of range",
        ),
    ],
    ids=["DuckDB in a unit test", "Postgres", "of a table", "syntax", "a value"],
)  # fmt: skip
def test_the_authors_file_and_line_come_first_then_the_engines_words(
    events: list[dict[str, Any]], place: str, words: str
) -> None:
    told = outcome(*built("raw_orders", "sources"), *events)
    first = told.message.splitlines()[0]
    assert first.startswith(f"models/marts/orders.sql{place}: ")
    assert words in first
    assert "LINE" not in told.message


def test_only_what_reads_a_broken_model_is_not_built() -> None:
    told = outcome(
        *built("raw_orders", "sources"), event("RunResultError", "model.karvon.orders", msg=POSTGRES_ERROR)
    )
    assert told.sound == ["model.karvon.raw_orders", "model.karvon.sources"]
    assert told.problems["model.karvon.days"].startswith(
        "it reads orders, which is not built: models/marts/orders.sql:3: "
    )
    assert "Not built because of this: days." in told.message


def test_a_failed_test_speaks_against_its_model_and_what_reads_it() -> None:
    node = "test.karvon.not_null_raw_orders_id.1a2b"
    told = outcome(
        *built("raw_orders", "sources"),
        event("LogTestResult", node),
        event("RunResultError", node, msg="Got 3 results, configured to fail if != 0"),
    )
    assert told.sound == ["model.karvon.sources"]
    assert told.message.startswith("models/marts/raw_orders.sql: not_null_raw_orders_id: Got 3 results")
    assert told.message.endswith("Not built because of this: days, orders.")


def test_a_dbt_that_was_cut_off_leaves_nothing_that_counts_as_built() -> None:
    told = outcome(*built("raw_orders", "sources"))
    assert told.sound == ["model.karvon.raw_orders", "model.karvon.sources"]
    assert told.problems["model.karvon.orders"] == "dbt ended before it was built"


def test_of_a_crash_the_last_line_is_told() -> None:
    told = outcome(event("Text", msg="Traceback (most recent call last):"), event("Text", msg="MemoryError"))
    told.models = ()
    assert told.message == "dbt ended with status 1. MemoryError"
