"""The dbt project on an empty warehouse of each engine."""

from __future__ import annotations

import psycopg2
import pytest
from dbt_build import Build, dbt_environment

from karvon.warehouse import Warehouse
from reverse_etl.state.schema import migrate


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The project on an empty warehouse of each engine, shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("dbt")
    if request.param == "duckdb":
        url = f"duckdb:///{folder / 'warehouse.duckdb'}"
    else:
        server: str = request.getfixturevalue("postgres_server")
        # One name for all modules: what dbt remembers of its parsing holds for one place.
        name = "dbt_project"
        connection = psycopg2.connect(server)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {name}")
        connection.close()
        url = server.replace("/postgres?", f"/{name}?")
    warehouse = Warehouse(url, lock_seconds=5)
    with warehouse.session() as session:
        # As a run does before it calls dbt: the views about runs read these tables.
        migrate(warehouse, session)
    return Build(warehouse, dbt_environment(warehouse, url), folder)
