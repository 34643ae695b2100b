"""The warehouse behaves the same on both engines, and says who holds a locked file."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from karvon.warehouse import Warehouse, WarehouseError, WarehouseLocked


@pytest.fixture
def shop(warehouse: Warehouse) -> Warehouse:
    with warehouse.session() as session:
        session.execute("CREATE SCHEMA shop")
        session.execute(
            "CREATE TABLE shop.goods (id bigint, name text, price numeric(12, 2), is_new boolean, seen_at timestamptz)"
        )
    return warehouse


SEEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def goods(count: int) -> pa.Table:
    return pa.table(
        {
            "name": [
                None if number == 1 else f'"quoted", line\nbreak % $1 {number}' for number in range(count)
            ],
            "id": pa.array(range(count), pa.int64()),
            "price": [Decimal("12.50")] * count,
            "is_new": [True] * count,
            "seen_at": pa.array([SEEN] * count, pa.timestamp("us", "UTC")),
        }
    )


def test_appended_rows_come_back_unchanged(shop: Warehouse) -> None:
    with shop.session() as session:
        session.append("shop.goods", goods(3))
        rows = session.rows("SELECT * FROM shop.goods WHERE id < $1 ORDER BY id", (2,))
        table = session.arrow("SELECT id, name FROM shop.goods WHERE name LIKE $1 ORDER BY id", ("%break %",))
    assert rows == [
        {
            "id": 0,
            "name": '"quoted", line\nbreak % $1 0',
            "price": Decimal("12.50"),
            "is_new": True,
            "seen_at": SEEN,
        },
        {"id": 1, "name": None, "price": Decimal("12.50"), "is_new": True, "seen_at": SEEN},
    ]
    assert table["id"].to_pylist() == [0, 2]


def test_parameters_of_every_kind_and_empty_text(shop: Warehouse) -> None:
    values = (7, "", Decimal("0.10"), False, SEEN)
    with shop.session() as session:
        session.execute("INSERT INTO shop.goods VALUES ($1, $2, $3, $4, $5)", values)
        session.execute("INSERT INTO shop.goods VALUES ($1, $2, $3, $4, $5)", (8, None, None, None, None))
        assert session.rows("SELECT * FROM shop.goods WHERE id = ANY($1) ORDER BY id", ([7, 8],)) == [
            dict(zip(("id", "name", "price", "is_new", "seen_at"), values, strict=True)),
            {"id": 8, "name": None, "price": None, "is_new": None, "seen_at": None},
        ]


def test_a_failed_transaction_leaves_nothing(shop: Warehouse) -> None:
    def fail() -> None:
        with shop.session() as session, session.transaction():
            session.append("shop.goods", goods(2))
            session.execute("INSERT INTO shop.goods (id) VALUES (9)")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        fail()
    with shop.session() as session:
        assert session.value("SELECT count(*) FROM shop.goods") == 0
        with session.transaction():
            session.append("shop.goods", goods(2))
        assert session.value("SELECT count(*) FROM shop.goods") == 2


def test_tables_are_found_by_schema_and_name(shop: Warehouse) -> None:
    with shop.session() as session:
        assert session.has_table("shop.goods")
        assert not session.has_table("other.goods")


def test_a_locked_file_is_waited_for_and_then_named(duckdb_url: str) -> None:
    warehouse = Warehouse(duckdb_url, lock_seconds=0.5)
    code = (
        "import duckdb, sys, time; c = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(warehouse.path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(WarehouseLocked, match=rf"in use by process {holder.pid} .*KARVON_WAREHOUSE_URL"):
            warehouse.session().__enter__()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()  # type: ignore[union-attr]


def test_an_unreachable_postgres_says_what_to_check() -> None:
    with pytest.raises(WarehouseError, match="Check KARVON_WAREHOUSE_URL"):
        Warehouse("postgresql://nobody@127.0.0.1:1/none").session().__enter__()


def test_another_engine_is_refused_by_name() -> None:
    with pytest.raises(WarehouseError, match="mysql"):
        Warehouse("mysql://host/database")


def test_a_file_that_is_no_warehouse_is_an_error(tmp_path: object, duckdb_url: str) -> None:
    warehouse = Warehouse(duckdb_url)
    warehouse.path.write_bytes(b"not a database" * 500)
    with pytest.raises(WarehouseError, match="cannot be opened"):
        warehouse.session().__enter__()
