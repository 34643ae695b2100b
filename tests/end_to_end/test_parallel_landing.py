"""Several processes that land into one table, and loads killed half-way: staging holds each document once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from karvon_command import Karvon, kill, until

_ACCOUNTS = ("default", "eu")
_TWO_ACCOUNTS = "plytix:\n  default: {}\n  eu: {}\n"


@pytest.fixture
def two_accounts(fresh: Karvon, tmp_path: Path) -> Karvon:
    """Two Plytix accounts with worlds of their own, served; nothing is landed yet."""
    connections = tmp_path / "accounts.yml"
    connections.write_text(_TWO_ACCOUNTS)
    karvon = fresh.having(
        KARVON_CONNECTIONS_FILE=str(connections),
        KARVON_SANDBOX_PRODUCTS="12",
    )
    karvon.serve()
    return karvon


def _landing(karvon: Karvon, account: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pipelines.sources.plytix", "--connection", account]
    return subprocess.Popen(command, cwd=karvon.project, env=karvon.variables, start_new_session=True)


def _land(karvon: Karvon, account: str = "default") -> None:
    assert _landing(karvon, account).wait(60) == 0


def _next_day(karvon: Karvon, account: str = "default") -> None:
    karvon.sandbox.call("POST", "/plytix/next-day", {"account": account})


def _staging_is_exact(karvon: Karvon) -> None:
    """One row for each product of both accounts, as it is there now, and nothing else."""
    done = karvon("run", "--select", "group:staging")
    assert done.status == 0, done.output
    staged = karvon.rows(
        "SELECT connection, product_id, sku, label, status FROM staging.stg_plytix__products WHERE NOT is_deleted"
    )
    there = [
        {
            "connection": account,
            "product_id": one["id"],
            **{name: one[name] for name in ("sku", "label", "status")},
        }
        for account in _ACCOUNTS
        for one in karvon.sandbox.call("GET", f"/plytix/products?account={account}")["products"]
    ]
    assert sorted(map(repr, staged)) == sorted(map(repr, there))


@contextmanager
def _closed_for_writers(url: str) -> Iterator[Any]:
    """The raw table of products can be read and not be written to; gives a cursor to look with."""
    connection = psycopg2.connect(url)
    watch = psycopg2.connect(url)
    watch.autocommit = True
    try:
        connection.cursor().execute("LOCK TABLE raw_plytix.products IN SHARE MODE")
        yield watch.cursor()
    finally:
        connection.close()
        watch.close()


@contextmanager
def _nobody_makes_tables(url: str) -> Iterator[Any]:
    """Loads wait before they make their tables; gives a cursor to look with."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_advisory_lock(hashtext('tables of raw_plytix'))")
        yield cursor
    finally:
        connection.close()


def _waiting_makers(cursor: Any) -> int:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'")
    return int(cursor.fetchone()[0])


def _waiting_writers(cursor: Any) -> int:
    cursor.execute(
        "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND relation = 'raw_plytix.products'::regclass"
    )
    return int(cursor.fetchone()[0])


@pytest.mark.timeout(600)
def test_processes_that_land_into_one_table_at_once(two_accounts: Karvon, postgres_url: str) -> None:
    karvon = two_accounts.having(KARVON_WAREHOUSE_URL=postgres_url)
    with _nobody_makes_tables(postgres_url) as cursor:
        first = [_landing(karvon, account) for account in _ACCOUNTS]
        until(lambda: _waiting_makers(cursor) == 2)
    assert [process.wait(60) for process in first] == [0, 0]
    for account in _ACCOUNTS:
        _next_day(karvon, account)
    with _closed_for_writers(postgres_url) as cursor:
        together = [_landing(karvon, account) for account in ("default", "eu", "default")]
        until(lambda: _waiting_writers(cursor) >= 3)
    assert [process.wait(60) for process in together] == [0, 0, 0]
    _staging_is_exact(karvon)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_load_into_postgres_killed_while_it_writes(two_accounts: Karvon, postgres_url: str) -> None:
    karvon = two_accounts.having(KARVON_WAREHOUSE_URL=postgres_url)
    for account in _ACCOUNTS:
        _land(karvon, account)
    _next_day(karvon)
    with _closed_for_writers(postgres_url) as cursor:
        process = _landing(karvon, "default")
        until(lambda: _waiting_writers(cursor))
        kill(process)
    karvon("run", "--select", "group:staging")
    _land(karvon)
    _staging_is_exact(karvon)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_load_into_duckdb_killed_while_it_writes(two_accounts: Karvon) -> None:
    loads = two_accounts.warehouse.loads_folder
    for account in _ACCOUNTS:
        _land(two_accounts, account)
    _next_day(two_accounts)
    process = _landing(two_accounts, "default")
    until(lambda: list(loads.glob("plytix_*/*/load/normalized/*/started_jobs/*")))
    kill(process)
    two_accounts("run", "--select", "group:staging")
    _land(two_accounts)
    _staging_is_exact(two_accounts)
