"""What other tools of this kind get wrong: guards before any write, and values that survive every detour."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from row_bench import RowBench
from served_sandbox import served_sandbox
from shop_bench import Bench

from karvon.warehouse import Warehouse
from reverse_etl.applying.apply import Blocked
from reverse_etl.state.history import errors

_names = itertools.count()


@pytest.fixture(scope="module")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served_sandbox(tmp_path_factory.mktemp("sandbox"), products=1) as url:
        yield url


@pytest.fixture
def closing() -> Iterator[Callable[[Any], Any]]:
    made: list[Any] = []

    def keep(bench: Any) -> Any:
        made.append(bench)
        return bench

    yield keep
    for bench in made:
        bench.close()


def test_no_write_goes_out_before_every_guard_has_spoken(
    warehouse: Warehouse, sandbox_url: str, tmp_path: Path, closing: Callable[[Any], Any]
) -> None:
    """The broken guard is about the last rows of the plan; what comes first would pass."""
    shop: Bench = closing(Bench(warehouse, sandbox_url, tmp_path, f"promise{next(_names)}"))
    for number in range(12):
        shop.product(f"g{number:02}")
    shop.run()
    shop.mirror()
    shop.overrides = {"webflow__products": {"mode": "mirror", "guards": {"max_removals": "10%"}}}
    shop.category("new")
    shop.product("another")
    shop.change("products", "g00", name="Renamed")
    shop.change("skus", "g01", stock_quantity=4)
    for number in range(6, 10):
        shop.drop(f"g{number:02}")
    before = shop.shop()
    plan = shop.plan()
    assert {"create", "update", "archive", "set_stock"} <= {one.action for one in plan.operations}
    with pytest.raises(Blocked, match="max_removals"):
        shop.apply(plan)
    assert [one for one in shop.requests() if not one.startswith("GET")] == []
    assert shop.shop() == before


EXACT: dict[str, dict[str, Any]] = {
    "plain": {"price": Decimal("0.10"), "weight": 0.1, "seen_at": datetime(2026, 3, 29, 1, 30, tzinfo=UTC)},
    "whole": {"price": Decimal("100.00"), "weight": 100.0, "seen_at": datetime(2026, 1, 1, tzinfo=UTC)},
    "long": {
        "price": Decimal("99999999999.99"), "weight": 0.1 + 0.2, "pieces": 9007199254740993,
        "seen_at": datetime(2026, 10, 25, 0, 59, 59, 999999, tzinfo=UTC),
    },
    "small": {"price": Decimal("-0.01"), "weight": 5e-324, "seen_at": datetime(1969, 12, 31, 23, 59, tzinfo=UTC)},
    "large": {"price": Decimal("0"), "weight": 1.7976931348623157e308, "seen_at": datetime(2999, 12, 31, tzinfo=UTC)},
    "third": {"price": None, "weight": 1 / 3, "seen_at": None},
}  # fmt: skip


def test_numbers_and_times_survive_journal_retry_and_comparison(
    warehouse: Warehouse, sandbox_url: str, tmp_path: Path, closing: Callable[[Any], Any]
) -> None:
    shop: RowBench = closing(
        RowBench(
            warehouse, sandbox_url, tmp_path, f"exact{next(_names)}", destination="webhook", mode="upsert",
            options={"template": "json"},
        )
    )  # fmt: skip
    shop.columns["price"] = ("numeric(20, 2)", pa.decimal128(20, 2), {"field": "price"})
    shop.columns["weight"] = ("double precision", pa.float64(), {"field": "weight"})
    for key, values in EXACT.items():
        shop.row(key, **values)
    shop.fault("status", fault={"status": 422}, times=50)
    plan = shop.plan()
    assert plan.findings == ()
    assert shop.apply(plan).failed == len(EXACT)
    assert len(errors(warehouse)) == len(EXACT)
    shop.control.delete("/faults")
    assert shop.run(retry=True).applied == len(EXACT)
    assert errors(warehouse) == []
    sent = {one["body"]["fields"]["key"]: one["body"]["fields"] for one in shop.messages()}
    for key, values in EXACT.items():
        assert _price(sent[key]["price"]) == values["price"], key
        assert sent[key]["pieces"] == values.get("pieces"), key
        assert sent[key]["weight"] == values["weight"], key
        said = sent[key]["seen_at"]
        assert (said and datetime.fromisoformat(said)) == values["seen_at"], key
    assert shop.plan().is_empty
    # Another spelling of the same number or moment is no change.
    shop.rows["whole"]["price"] = Decimal("1E+2")
    assert shop.plan().is_empty
    shop.rows["long"]["price"] += Decimal("0.01")
    assert [one.key for one in shop.plan().operations] == ["long"]


def test_a_number_that_cannot_be_sent_to_the_last_digit_is_not_sent(
    warehouse: Warehouse, sandbox_url: str, tmp_path: Path, closing: Callable[[Any], Any]
) -> None:
    shop: RowBench = closing(
        RowBench(
            warehouse, sandbox_url, tmp_path, f"exact{next(_names)}", destination="webhook", mode="upsert"
        )
    )
    shop.columns["price"] = ("numeric(38, 2)", pa.decimal128(38, 2), {"field": "price"})
    shop.columns["weight"] = ("double precision", pa.float64(), {"field": "weight"})
    shop.columns["tax_id"] = ("numeric(38, 2)", pa.decimal128(38, 2), {"field": "tax_id", "as": "text"})
    shop.row("digits", price=Decimal("9007199254740993.01"))
    shop.row("huge", price=Decimal(10) ** 19)
    shop.row("endless", weight=math.inf)
    shop.row("nothing", weight=math.nan)
    shop.row("text", tax_id=Decimal("9007199254740993.01"), title="1E5")
    plan = shop.plan()
    assert {(one.kind, one.key) for one in plan.findings} == {
        ("reject", "digits"), ("reject", "huge"), ("reject", "endless"), ("reject", "nothing"),
    }  # fmt: skip
    assert plan.tally.not_ready == 4
    shop.apply(plan)
    (message,) = shop.messages()
    assert (message["body"]["fields"]["tax_id"], message["body"]["fields"]["title"]) == (
        "9007199254740993.01",
        "1E5",
    )


def _price(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))
