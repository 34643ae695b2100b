"""The demo APIs of three users, landed, cleaned and measured: equal to what the demo world knows, day by day."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Day:
    """What the marts said after a day, what the demo world knows of it, and how many days were written anew."""

    measured: dict[str, dict[str, Any]]
    expected: dict[str, dict[str, Any]]
    restated: int
    kept: int


@dataclass
class Demo:
    """A sandbox of its own, a registry that can be edited, and a warehouse with the models."""

    url: str
    registry: Path
    build: Build
    days: list[Day] = field(default_factory=list)
    first: IngestReport = field(default_factory=IngestReport)

    def load(self) -> IngestReport:
        around = Surroundings(self.build.warehouse, self._variable)
        return ingest(read_registry(self.registry), around)

    def clean(self) -> None:
        """The first time with the tests of the models; they take most of the time."""
        self.build.dbt(*_MODELS, *(("--resource-type", "model") if self.days else ()))

    def next_day(self) -> None:
        httpx.post(f"{self.url}/_control/demo/next-day").raise_for_status()

    def requests(self) -> int:
        return int(httpx.get(f"{self.url}/_control").json()["last_seq"])

    def truth(self) -> dict[str, dict[str, Any]]:
        told: dict[str, dict[str, Any]] = httpx.get(f"{self.url}/_control/demo/truth").json()
        return told

    def live(self, days: int) -> None:
        """Load, clean and note what came out, day after day: the tests that follow may then change what they like."""
        for nth in range(days):
            if nth:
                self.next_day()
            report = self.load()
            self.first = self.first if nth else report
            self.clean()
            restated = self.build.rows(
                "select count(*) as days, count(*) filter (where restated_at = (select max(restated_at) "
                "from marts.source_metrics_daily)) as fresh from marts.source_metrics_daily"
            )[0]
            told = _measured(self.build), _expected(self.truth())
            self.days.append(Day(*told, int(restated["fresh"]), int(restated["days"])))

    @contextmanager
    def edited(self, *names: str, replacing: Mapping[str, str] | None = None) -> Iterator[None]:
        """Just these files take part, with other texts; as they were again afterwards."""
        files = {path: path.read_text() for path in self.registry.glob("*.yml") if path.name != "users.yml"}
        try:
            for path, text in files.items():
                if path.stem not in names:
                    path.write_text(f"{text}enabled: false\n")
                    continue
                for old, new in (replacing or {}).items():
                    text = text.replace(old, new)
                path.write_text(text)
            yield
        finally:
            for path, text in files.items():
                path.write_text(text)

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
        demo = Demo(url, registry, Build(warehouse, dbt_environment(warehouse, warehouse_url), folder))
        demo.live(days=3)
        yield demo


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
    outcomes = {run.connection: run.outcome for run in demo.first.runs}
    assert outcomes == {**dict.fromkeys(outcomes, "complete"), "chen/legacy": "failed"}
    assert len(outcomes) == _SOURCES
    for day in demo.days:
        assert day.measured == day.expected
    for day in demo.days[1:]:
        assert 0 < day.restated < day.kept / 5


def test_what_the_demo_world_garbles_is_rejected_with_its_reasons(demo: Demo) -> None:
    rejected = {row["reject_reasons"] for row in demo.build.rows("select * from marts.rejected_records")}
    assert rejected == {
        "it has no time; it has no amount; it has no currency; it has no status",
        'gross_amount "много" is not a number with decimal: comma; ordered_at "вчера" is not a time',
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


def test_what_is_gone_there_is_known_as_gone_in_every_model(demo: Demo) -> None:
    tables = (
        "staging.stg_user_apis__records",
        "restricted.record_fields",
        "restricted.people",
        "marts.user_records",
    )
    lead = demo.build.rows(
        "select document_key from raw_user_apis.records where source_id = 'leads' limit 1"
    )[0]
    columns = "user_id, source_id, resource, entity, connection, document_key, document, document_hash"
    demo.build.execute(
        f"insert into raw_user_apis.records ({columns}, landed_at, is_deleted, _dlt_load_id) "
        f"select {columns}, now(), true, 'tombstones' from raw_user_apis.records "
        f"where source_id = 'leads' and document_key = '{lead['document_key']}'"
    )
    demo.build.dbt("run", "--select", *(table.partition(".")[2] for table in tables))
    for table in tables:
        gone = demo.build.rows(f"select record_key from {table} where source_id = 'leads' and is_deleted")
        assert [row["record_key"] for row in gone] == [f"chen/leads/leads/{lead['document_key']}"], table


def test_a_changed_mapping_cleans_history_again_without_a_request(demo: Demo) -> None:
    total = "select sum(gross_amount) as total from marts.source_revenue_daily where user_id = 'anna'"
    was, before = demo.build.rows(total)[0]["total"], demo.requests()
    with demo.edited(replacing={}):
        # Files that are switched off are still what the registry says.
        shop = demo.registry / "anna_shop.yml"
        shop.write_text(shop.read_text().replace("PAID: paid", "PAID: pending", 1))
        demo.load()
        demo.clean()
        assert Decimal(0) < demo.build.rows(total)[0]["total"] < was / 2
    with demo.edited():
        demo.load()
        demo.clean()
    assert demo.build.rows(total)[0]["total"] == was
    assert demo.requests() == before


def test_a_role_of_one_user_sees_the_rows_of_that_user_after_each_build(demo: Demo) -> None:
    if demo.build.warehouse.dialect == "duckdb":
        pytest.skip("DuckDB has no roles: whoever can read the file can read it all")
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
    names = [path.stem for path in demo.registry.glob("anna_*.yml")]
    with demo.edited(*names, replacing={"\n    incremental:": "\n    #"}):
        demo.load()
        demo.clean()
    with demo.build.warehouse.session() as session:
        assert remains(session, person["email"]) == []


def test_a_user_that_is_forgotten_is_gone_and_stays_away(demo: Demo) -> None:
    with demo.build.warehouse.session() as session:
        assert forget_user(session, "chen").rows
    with demo.edited("chen_leads", "chen_store"):
        report = demo.load()
        demo.clean()
    assert "forgotten" in report.skipped["chen/store"]
    everywhere: Callable[[str], list[dict[str, Any]]] = demo.build.rows
    for table in (
        "raw_user_apis.records",
        "restricted.people",
        "marts.user_records",
        "marts.source_metrics_daily",
    ):
        assert everywhere(f"select 1 from {table} where user_id = 'chen'") == [], table
