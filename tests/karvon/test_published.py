"""Readers of a DuckDB warehouse look into a copy: whole, of one moment, renewed by what changed, in nobody's way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from karvon import published
from karvon.settings import Settings
from karvon.warehouse import Warehouse, WarehouseError, WarehouseLocked

pytestmark = pytest.mark.usefixtures("files_close")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, KARVON_HOME=tmp_path / "home of O'Hara", KARVON_WAREHOUSE_URL=None)


@pytest.fixture
def warehouse(settings: Settings) -> Warehouse:
    """Two marts, a view on one and a view on staging, and what syncs write down."""
    warehouse = Warehouse(settings.warehouse_url, lock_seconds=1)
    _do(
        warehouse,
        *(
            f"CREATE SCHEMA {name}"
            for name in ("raw_shop", "raw_user_apis", "restricted", "staging", "marts")
        ),
        "CREATE SCHEMA activation",
        "CREATE VIEW activation.a_shop AS SELECT key FROM marts.a_cheap",
        "CREATE SCHEMA reverse_etl",
        'CREATE TABLE raw_shop.goods AS SELECT \'{"phone": "+998901112233"}\' AS document',
        "CREATE TABLE restricted.people AS SELECT 'zuhra@post.example' AS email",
        "CREATE TABLE staging.visits AS SELECT range AS id FROM range(3)",
        "CREATE TABLE marts.goods AS SELECT 'default:' || range AS key, 1.50::decimal(18, 4) AS price FROM range(5)",
        "CREATE TABLE marts.shops AS SELECT 'one' AS key",
        "CREATE VIEW marts.a_cheap AS SELECT key FROM marts.b_goods WHERE price < 2",
        "CREATE VIEW marts.b_goods AS SELECT * FROM marts.goods",
        "CREATE VIEW marts.visits AS SELECT id FROM staging.visits",
        "CREATE TABLE reverse_etl.operations (plan_id text, status text)",
        "CREATE TABLE reverse_etl.plans (plan_id text)",
        "CREATE TABLE reverse_etl.parity (measured_at timestamptz)",
        "CREATE TABLE reverse_etl.outstanding (plan_id text, sync text, key text, why text, cause text, field text, "
        "row_count bigint)",
        "INSERT INTO reverse_etl.outstanding VALUES ('first', 'shop', 'a', 'not_ready', 'no price', '', 1)",
        "INSERT INTO reverse_etl.operations VALUES ('first', 'done')",
        "INSERT INTO reverse_etl.plans VALUES ('first')",
    )
    return warehouse


def _do(warehouse: Warehouse, *statements: str) -> None:
    with warehouse.session() as session:
        # A view may be made before what it reads.
        for statement in sorted(statements, key=lambda one: (".a_" in one) + (".a_shop" in one)):
            session.execute(statement)


def _seen(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(published.copy_path(settings)), read_only=True) as connection:
        return connection.execute(query).fetchall()


@contextmanager
def _open_elsewhere(path: Path, *, read_only: bool) -> Iterator[Callable[[str], str]]:
    """Another process, say a notebook, that has a file open; ask it, and it answers with the first value."""
    program = (
        f"import duckdb; c = duckdb.connect({str(path)!r}, read_only={read_only}); print('open', flush=True)\n"
        "import sys\nfor line in sys.stdin: print(c.execute(line).fetchall()[0][0], flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as notebook:
        assert notebook.stdin is not None
        assert notebook.stdout is not None
        assert notebook.stdout.readline() == "open\n"

        def ask(query: str) -> str:
            print(query, file=notebook.stdin, flush=True)
            assert notebook.stdout is not None
            return notebook.stdout.readline().strip()

        yield ask
        notebook.communicate()


def test_the_copy_has_marts_views_and_journal_and_no_document_or_person(
    settings: Settings, warehouse: Warehouse
) -> None:
    published.publish(settings, warehouse)
    assert _seen(settings, "SELECT count(*), sum(price) FROM marts.goods")[0] == (5, 7.5)
    assert _seen(settings, "SELECT count(*) FROM marts.a_cheap") == [(5,)]
    assert _seen(settings, "SELECT count(*) FROM activation.a_shop") == [(5,)]
    assert _seen(settings, "SELECT count(*) FROM marts.visits") == [(3,)], "it reads a table that is not here"
    assert _seen(settings, "SELECT plan_id FROM reverse_etl.plans") == [("first",)]
    assert _seen(settings, "SELECT rows FROM table_rows WHERE name = 'raw_shop.goods'") == [(1,)]
    schemas = {
        row[0] for row in _seen(settings, "SELECT DISTINCT table_schema FROM information_schema.tables")
    }
    assert schemas == {"main", "marts", "activation", "reverse_etl"}
    everything = b"".join(path.read_bytes() for path in settings.published_path.rglob("*") if path.is_file())
    assert b"zuhra@post.example" not in everything
    assert b"998901112233" not in everything
    parquet = settings.published_path / "marts.goods.parquet"
    assert duckdb.execute("SELECT count(*) FROM read_parquet($1)", [str(parquet)]).fetchall() == [(5,)]


def test_a_reader_that_stays_open_disturbs_nobody_and_keeps_its_moment(
    settings: Settings, warehouse: Warehouse
) -> None:
    published.publish(settings, warehouse)
    with _open_elsewhere(published.copy_path(settings), read_only=True) as ask:
        for number in range(3):
            _do(warehouse, f"INSERT INTO marts.goods VALUES ('later:{number}', 3)")
            assert published.publish(settings, warehouse) == ["marts.goods"]
            assert ask("SELECT count(*) FROM marts.goods") == "5"
    assert _seen(settings, "SELECT count(*) FROM marts.goods") == [(8,)]
    assert _seen(settings, "SELECT count(*) FROM marts.a_cheap") == [(5,)]


def test_only_what_changed_is_written_and_nothing_when_nothing_did(
    settings: Settings, warehouse: Warehouse
) -> None:
    assert "marts.shops" in published.publish(settings, warehouse)
    path = published.copy_path(settings)
    before = path.stat().st_ino
    parquet = (settings.published_path / "marts.shops.parquet").stat().st_ino
    # What a run leaves that found nothing to do.
    _do(
        warehouse,
        "INSERT INTO reverse_etl.plans VALUES ('idle')",
        "INSERT INTO reverse_etl.parity VALUES (now())",
        "UPDATE reverse_etl.outstanding SET plan_id = 'idle'",
        "INSERT INTO raw_shop.goods VALUES ('{}')",
    )
    assert published.publish(settings, warehouse) == []
    assert path.stat().st_ino == before
    _, moment = published.reading(settings, warehouse)
    assert "nothing had changed at" in moment
    # Nothing is planned, and still a row stands otherwise.
    _do(warehouse, "UPDATE reverse_etl.outstanding SET why = 'waits'")
    assert published.publish(settings, warehouse) == ["reverse_etl.outstanding"]
    before = path.stat().st_ino
    # The same number of rows, one of them another.
    _do(warehouse, "UPDATE marts.goods SET price = 1.51 WHERE key = 'default:2'")
    assert "the warehouse was written to since" in published.reading(settings, warehouse)[1]
    assert published.publish(settings, warehouse) == ["marts.goods"]
    assert path.stat().st_ino != before
    assert (settings.published_path / "marts.shops.parquet").stat().st_ino == parquet
    assert published.reading(settings, warehouse)[1].count(";") == 0


def test_what_was_renamed_dropped_or_became_a_view_is_so_in_the_copy(
    settings: Settings, warehouse: Warehouse
) -> None:
    published.publish(settings, warehouse)
    _do(
        warehouse,
        "DROP TABLE marts.shops",
        "CREATE VIEW marts.shops AS SELECT 'two' AS key",
        "DROP VIEW marts.visits",
        "CREATE TABLE marts.visits AS SELECT 'a table now' AS what",
        "ALTER TABLE marts.goods RENAME price TO cost",
        "CREATE OR REPLACE VIEW marts.b_goods AS SELECT key, cost AS price FROM marts.goods",
    )
    published.publish(settings, warehouse)
    assert _seen(settings, "SELECT key FROM marts.shops") == [("two",)]
    assert _seen(settings, "SELECT what FROM marts.visits") == [("a table now",)]
    assert _seen(settings, "SELECT sum(cost) FROM marts.goods")[0] == (7.5,)


def test_a_copy_that_could_not_be_renewed_is_the_old_one(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.publish(settings, warehouse)
    _do(warehouse, "DELETE FROM marts.goods")

    def full(*_: object) -> None:
        raise WarehouseError("The disk is full")

    monkeypatch.setattr(published, "_count_the_others", full)
    with pytest.raises(WarehouseError):
        published.publish(settings, warehouse)
    assert _seen(settings, "SELECT count(*) FROM marts.goods") == [(5,)]
    assert not list(settings.published_path.glob(".part-*"))
    monkeypatch.undo()
    published.publish(settings, warehouse)
    assert _seen(settings, "SELECT count(*) FROM marts.goods") == [(0,)]


def test_looking_works_while_another_process_writes(settings: Settings, warehouse: Warehouse) -> None:
    published.publish(settings, warehouse)
    with _open_elsewhere(warehouse.path, read_only=False):
        with pytest.raises(WarehouseLocked, match="published copy"), warehouse.session():
            pass
        place, moment = published.reading(settings, warehouse)
        with place.session() as session:
            assert session.value("SELECT count(*) FROM marts.goods") == 5
        assert moment.startswith("As of ")


def test_the_copy_of_another_warehouse_is_not_read(
    settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    published.publish(settings, warehouse)
    other = Warehouse(f"duckdb:///{tmp_path / 'other.duckdb'}")
    _do(other, "CREATE SCHEMA marts")
    assert published.reading(settings, other) == (other, "")
    assert published.reading(settings, warehouse)[1]
    warehouse.path.unlink()
    assert published.reading(settings, warehouse) == (warehouse, "")


def test_a_home_that_was_moved_takes_its_copy_along(
    settings: Settings, warehouse: Warehouse, tmp_path: Path
) -> None:
    published.publish(settings, warehouse)
    settings.home.rename(tmp_path / "moved")
    moved = Settings(_env_file=None, KARVON_HOME=tmp_path / "moved", KARVON_WAREHOUSE_URL=None)
    place, moment = published.reading(moved, Warehouse(moved.warehouse_url))
    assert moment.startswith("As of ")
    with place.session() as session:
        assert session.value("SELECT count(*) FROM marts.goods") == 5
