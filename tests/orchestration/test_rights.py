"""One tenant never reads another's rows on Postgres, after build, restore and upgrade: roles that sign in ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from kept_warehouse import Profile

from karvon.warehouse import Warehouse
from orchestration.rights import keep_rights

_TENANTS = ("carla", "dmitri")
_READABLE = ("marts.user_records", "marts.paid_orders", "marts.usage_daily")
_CLOSED = (
    "SELECT count(*) FROM raw_user_apis.records",
    "SELECT error FROM raw_user_apis.source_runs",
    "SELECT count(*) FROM restricted.people",
    "SELECT count(*) FROM activation.digest",
)


@pytest.fixture
def built(postgres_url: str) -> Warehouse:
    """Tables and views as dbt and dlt make them, of three users, before anybody thought of roles."""
    warehouse = Warehouse(postgres_url, lock_seconds=2)
    with warehouse.session() as session:
        for name in ("raw_user_apis", "staging", "restricted", "marts", "activation"):
            session.execute(f"CREATE SCHEMA {name}")
        session.execute("CREATE TABLE raw_user_apis._dlt_loads (load_id text)")
        session.execute("CREATE TABLE restricted.hash_key (key_hex text)")
        for table in (
            "raw_user_apis.records",
            "restricted.people",
            "marts.user_records",
            "activation.digest",
        ):
            session.execute(f"CREATE TABLE {table} (user_id text NOT NULL, amount numeric(18, 4))")
        session.execute(
            "CREATE TABLE raw_user_apis.source_runs (user_id character varying, started_at timestamptz, "
            "finished_at timestamptz, rows_seen bigint, rows_landed bigint, requests bigint, error text)"
        )
        for user in (*_TENANTS, "erik"):
            for table in (
                "raw_user_apis.records", "restricted.people", "marts.user_records", "activation.digest",
                "raw_user_apis.source_runs",
            ):  # fmt: skip
                session.execute(f"INSERT INTO {table} (user_id) VALUES ($1)", (user,))
        session.execute("CREATE VIEW marts.paid_orders AS SELECT * FROM marts.user_records")
        session.execute(
            "CREATE VIEW marts.usage_daily AS SELECT user_id, sum(requests) AS requests, "
            "max(finished_at - started_at) AS longest, sum(rows_seen + rows_landed) AS rows "
            "FROM raw_user_apis.source_runs GROUP BY user_id"
        )
    return warehouse


@pytest.fixture
def tenants(built: Warehouse) -> Iterator[dict[str, Warehouse]]:
    """Roles made afterwards, as the page says, and with the analysts' default privileges on top."""
    with built.session() as session:
        if not session.value("SELECT count(*) FROM pg_roles WHERE rolname = 'karvon_readers'"):
            session.execute("CREATE ROLE karvon_readers NOLOGIN")
        for user in _TENANTS:
            session.execute(f"CREATE ROLE karvon_user_{user} LOGIN PASSWORD 'x' IN ROLE karvon_readers")
        for schema in ("marts", "activation"):
            session.execute(
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO karvon_readers"
            )
    yield {
        user: Warehouse(re.sub(r"//postgres:x@", f"//karvon_user_{user}:x@", built.url)) for user in _TENANTS
    }
    with built.session() as session:
        # `karvon_readers` stays: other databases of this server may have granted it something.
        for user in _TENANTS:
            session.execute(f"DROP ROLE karvon_user_{user}")


def _assert_separated(tenants: dict[str, Warehouse]) -> None:
    for user, reader in tenants.items():
        with reader.session() as session:
            for table in _READABLE:
                assert session.rows(f"SELECT user_id FROM {table}") == [{"user_id": user}], table
            for closed in _CLOSED:
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    session.rows(closed)


def test_roles_made_on_a_built_warehouse_read_their_rows_after_the_next_run(
    built: Warehouse, tenants: dict[str, Warehouse]
) -> None:
    assert keep_rights(built) > 0
    _assert_separated(tenants)
    assert keep_rights(built) == 0, "a right state costs no statement"


@pytest.mark.parametrize(
    "change",
    [
        "DROP VIEW marts.paid_orders; CREATE VIEW marts.paid_orders AS SELECT * FROM marts.user_records",
        "CREATE TABLE marts.fresh AS TABLE marts.user_records; DROP TABLE marts.user_records CASCADE; "
        "ALTER TABLE marts.fresh RENAME TO user_records; "
        "CREATE VIEW marts.paid_orders AS SELECT * FROM marts.user_records",
        "ALTER TABLE marts.user_records DISABLE ROW LEVEL SECURITY",
        "DROP POLICY rows_of_the_user ON marts.user_records; "
        "CREATE POLICY rows_of_the_user ON marts.user_records FOR SELECT USING (true)",
        "ALTER VIEW marts.usage_daily SET (security_invoker = false)",
        "REVOKE ALL ON marts.user_records FROM karvon_readers",
        "REVOKE USAGE ON SCHEMA raw_user_apis FROM karvon_readers",
    ],
)
def test_what_a_rebuild_or_an_upgrade_took_away_is_put_right(
    built: Warehouse, tenants: dict[str, Warehouse], change: str
) -> None:
    keep_rights(built)
    with built.session() as session:
        session.execute(change)
    keep_rights(built)
    _assert_separated(tenants)


def test_a_table_outside_of_the_marts_shows_no_rows_even_when_somebody_grants_it(
    built: Warehouse, tenants: dict[str, Warehouse]
) -> None:
    keep_rights(built)
    with built.session() as session:
        session.execute("GRANT USAGE ON SCHEMA activation TO karvon_readers")
        session.execute("GRANT SELECT ON activation.digest TO karvon_readers")
    with tenants["carla"].session() as session:
        assert session.rows("SELECT user_id FROM activation.digest") == [{"user_id": "carla"}]


def test_what_a_restore_brings_back_is_as_separated_as_before(
    built: Warehouse, tenants: dict[str, Warehouse], tmp_path: Path
) -> None:
    profile = Profile(tmp_path / "home", built.url)
    file = tmp_path / "all.backup"
    keep_rights(built)
    assert profile.karvon("backup", str(file)).exit_code == 0
    with built.session() as session:
        # The marts' default privileges show every table that a restore makes.
        session.execute("GRANT USAGE ON SCHEMA marts TO karvon_readers")
    restored = profile.karvon("restore", str(file), "--yes")
    assert restored.exit_code == 0, restored.output
    for user, reader in tenants.items():
        with reader.session() as session:
            for table in _READABLE:
                assert session.rows(f"SELECT user_id FROM {table}") == [{"user_id": user}], table
    assert keep_rights(built) == 0
