"""The demo APIs of three users, landed, cleaned and measured: equal to what the demo world knows, day by day."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from dbt_build import Build, dbt_environment
from served_sandbox import served_sandbox

from karvon.warehouse import Warehouse
from orchestration.rights import keep_rights
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.forget import forget_person, forget_user, remains
from pipelines.sources.user_apis.ingest import IngestReport, ingest
from pipelines.sources.user_apis.registry import read_registry

_REGISTRY = Path(__file__).parents[2] / "data_sources" / "sandbox"
_MODELS = ("build", "--select", "+path:models/marts/user_apis")
_SOURCES = 8


@dataclass
class Demo:
    """A sandbox of its own, a registry that can be edited, and a warehouse with the models."""

    url: str
    registry: Path
    build: Build

    def load(self) -> IngestReport:
        around = Surroundings(self.build.warehouse, self._variable)
        return ingest(read_registry(self.registry), around)

    def clean(self) -> None:
        self.build.dbt(*_MODELS)

    def next_day(self) -> None:
        httpx.post(f"{self.url}/_control/demo/next-day").raise_for_status()

    def requests(self) -> int:
        return int(httpx.get(f"{self.url}/_control").json()["last_seq"])

    def truth(self) -> dict[str, dict[str, Any]]:
        told: dict[str, dict[str, Any]] = httpx.get(f"{self.url}/_control/demo/truth").json()
        return told

    def _variable(self, name: str) -> str | None:
        return self.url if name == "KARVON_SANDBOX_URL" else f"sandbox-{name.lower()}"


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.slow)])
def demo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    warehouse_url = (
        f"duckdb:///{folder / 'warehouse.duckdb'}" if request.param == "duckdb" else _database(request)
    )
    warehouse = Warehouse(warehouse_url, lock_seconds=5)
    with served_sandbox(folder / "sandbox", products=1) as url:
        registry = Path(shutil.copytree(_REGISTRY, folder / "registry"))
        yield Demo(url, registry, Build(warehouse, dbt_environment(warehouse, warehouse_url), folder))


def _database(request: pytest.FixtureRequest) -> str:
    server: str = request.getfixturevalue("postgres_server")
    connection = psycopg2.connect(server)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE demo_apis")
    connection.close()
    return server.replace("/postgres?", "/demo_apis?")


def _measured(build: Build) -> dict[str, dict[str, Any]]:
    """The marts in the shape of the truth; days without anything are left out."""
    found: dict[str, dict[str, Any]] = {}
    for row in build.rows(
        "select user_id, cast(metric_date as text) as day, sum(lead_count) as leads, "
        "sum(new_customer_count) as new_customers, sum(order_count) as orders "
        "from marts.source_metrics_daily group by user_id, metric_date"
    ):
        day = {name: int(row[name]) for name in ("leads", "new_customers", "orders")}
        found.setdefault(row["user_id"], {})[row["day"]] = {**day, "gross": {}, "refunded": {}}
    for row in build.rows("select *, cast(metric_date as text) as day from marts.source_revenue_daily"):
        for name in ("gross", "refunded"):
            if row[f"{name}_amount"]:
                found[row["user_id"]][row["day"]][name][row["currency"]] = row[f"{name}_amount"]
    return {
        user: {day: one for day, one in days.items() if any(one.values())} for user, days in found.items()
    }


def _expected(truth: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    def amounts(day: Mapping[str, Any]) -> dict[str, Any]:
        exact = {
            name: {currency: Decimal(text) for currency, text in day[name].items()}
            for name in ("gross", "refunded")
        }
        return {**day, **exact}

    return {user: {day: amounts(one) for day, one in days.items()} for user, days in truth.items()}


def test_the_metrics_are_what_the_demo_world_knows_after_each_of_three_days(demo: Demo) -> None:
    first = demo.load()
    assert {run.connection: run.outcome for run in first.runs} == {
        **{run.connection: "complete" for run in first.runs}, "chen/legacy": "failed",
    }  # fmt: skip
    assert len(first.runs) == _SOURCES
    demo.clean()
    assert _measured(demo.build) == _expected(demo.truth())
    for _ in range(2):
        demo.next_day()
        demo.load()
        demo.clean()
        assert _measured(demo.build) == _expected(demo.truth())
        restated = demo.build.rows(
            "select count(*) as days, count(*) filter (where restated_at = (select max(restated_at) "
            "from marts.source_metrics_daily)) as fresh from marts.source_metrics_daily"
        )[0]
        assert 0 < restated["fresh"] < restated["days"] / 5
    rejected = {row["reject_reasons"] for row in demo.build.rows("select * from marts.rejected_records")}
    assert rejected == {
        "it has no time; it has no amount; it has no currency; it has no status",
        'ordered_at "вчера" is not a time; gross_amount "много" is not a number',
    }


def test_no_personal_value_reaches_the_marts_and_no_row_is_without_its_user(demo: Demo) -> None:
    email = demo.build.rows("select email from restricted.people where email is not null limit 1")[0]["email"]
    with demo.build.warehouse.session() as session:
        held = remains(session, email)
    assert held
    assert not [table for table in held if table.startswith("marts.")]
    tables = demo.build.rows("select table_name from information_schema.tables where table_schema = 'marts'")
    for table in (row["table_name"] for row in tables):
        columns = demo.build.rows(
            f"select 1 from information_schema.columns where table_schema = 'marts' and table_name = '{table}' "
            "and column_name = 'user_id'"
        )
        if columns:
            assert not demo.build.rows(f"select 1 from marts.{table} where user_id is null limit 1"), table


def test_a_changed_mapping_cleans_history_again_without_a_request(demo: Demo) -> None:
    path = demo.registry / "chen_store.yml"
    before = demo.requests()
    text = path.read_text()
    path.write_text(
        text.replace(
            "gross_amount: doc.money.amount", "gross_amount: {path: doc.money.amount, minor_units: 2}"
        )
    )
    total = "select sum(gross_amount) as total from marts.source_revenue_daily where source_id = 'store'"
    was = demo.build.rows(total)[0]["total"]
    for source in demo.registry.glob("*.yml"):
        if source.name != "users.yml":
            source.write_text(source.read_text() + "enabled: false\n")
    demo.load()
    demo.clean()
    is_now = demo.build.rows(total)[0]["total"]
    # Refunds are larger than such amounts now: these orders are rejected, the others are a hundredth.
    assert Decimal(0) < is_now < was / 99
    path.write_text(text + "enabled: false\n")
    demo.load()
    demo.clean()
    assert demo.build.rows(total)[0]["total"] == was
    assert demo.requests() - before == 0


def test_a_role_of_one_user_sees_the_rows_of_that_user_after_each_build(demo: Demo) -> None:
    if demo.build.warehouse.dialect == "duckdb":
        # DuckDB has no roles: whoever can read the file can read it all.
        assert demo.build.rows("select count(distinct user_id) as users from marts.user_records") == [
            {"users": 3}
        ]
        return
    with demo.build.warehouse.session() as session:
        if not session.value("SELECT count(*) FROM pg_roles WHERE rolname = 'karvon_readers'"):
            session.execute("CREATE ROLE karvon_readers NOLOGIN")
        for user in ("anna", "boris"):
            session.execute(f"CREATE ROLE karvon_user_{user} LOGIN PASSWORD 'x' IN ROLE karvon_readers")
    for arguments in (("--full-refresh",), ()):
        demo.build.dbt(*_MODELS, *arguments)
        keep_rights(demo.build.warehouse)
        for user in ("anna", "boris"):
            url = re.sub(r"//postgres:x@", f"//karvon_user_{user}:x@", demo.build.warehouse.url)
            reader = Warehouse(url)
            with reader.session() as session:
                tables = (
                    "user_records",
                    "orders_clean",
                    "source_metrics_daily",
                    "user_metrics_daily",
                    "usage_daily",
                )
                for table in tables:
                    assert session.rows(f"SELECT DISTINCT user_id FROM marts.{table}") == [
                        {"user_id": user}
                    ], table
                for table in _marts_of_users(demo):
                    session.rows(f"SELECT * FROM {table} LIMIT 1")
                for closed in ("restricted.people", "raw_user_apis.records", "restricted.hash_key"):
                    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                        session.rows(f"SELECT 1 FROM {closed}")


def _marts_of_users(demo: Demo) -> list[str]:
    """What a tenant was granted must be readable, whatever it reads itself."""
    return [
        f"marts.{row['table_name']}"
        for row in demo.build.rows(
            "select table_name from information_schema.columns "
            "where table_schema = 'marts' and column_name = 'user_id'"
        )
    ]


def test_a_person_that_is_forgotten_is_gone_and_is_not_landed_again(demo: Demo) -> None:
    person = demo.build.rows(
        "select email from restricted.people where entity = 'customer' and user_id = 'anna' order by email limit 1"
    )[0]
    with demo.build.warehouse.session() as session:
        assert len(remains(session, person["email"])) >= 3
        erased = forget_person(session, person["email"])
        assert erased.records == 1
        assert remains(session, person["email"]) == []
    for path in demo.registry.glob("anna_*.yml"):
        path.write_text(
            path.read_text().replace("enabled: false\n", "").replace("\n    incremental:", "\n    #")
        )
    demo.load()
    demo.clean()
    with demo.build.warehouse.session() as session:
        assert remains(session, person["email"]) == []


def test_a_user_that_is_forgotten_is_gone_and_stays_away(demo: Demo) -> None:
    with demo.build.warehouse.session() as session:
        assert forget_user(session, "boris").rows
    for path in demo.registry.glob("boris_*.yml"):
        path.write_text(path.read_text().replace("enabled: false\n", ""))
    report = demo.load()
    assert "forgotten" in report.skipped["boris/crm"]
    demo.clean()
    everywhere: Callable[[str], list[dict[str, Any]]] = demo.build.rows
    for table in (
        "raw_user_apis.records",
        "restricted.people",
        "marts.user_records",
        "marts.source_metrics_daily",
    ):
        assert everywhere(f"select 1 from {table} where user_id = 'boris'") == [], table
