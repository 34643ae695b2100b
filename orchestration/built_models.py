"""What is built, kept in the warehouse: `staging.built_models`, a row for each model that was ever built here.

`fingerprint` is what it was last built with, null while a build is under way and after one that failed; `problem` then
says why its table is not to be relied on; `row_count` is its rows if it is a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from karvon.warehouse import Session, Warehouse

READS = "it reads "
"""A problem that begins like this is that of another model."""
_UNFINISHED = "its build was broken off; the next run builds it"
_TABLES = (
    "processed_loads (model text, load_id text)",
    "pending_loads (model text, load_id text, is_settled boolean, row_count bigint)",
    "built_models (model text, fingerprint text, row_count bigint, problem text)",
)


def create_tables(warehouse: Warehouse, session: Session) -> None:
    """Make what is missing of the tables that say what was read and built."""
    if session.has_table("staging.built_models") and _has_problems(session):
        return
    with warehouse.exclusive("staging tables"):
        session.execute("CREATE SCHEMA IF NOT EXISTS staging")
        for table in _TABLES:
            session.execute(f"CREATE TABLE IF NOT EXISTS staging.{table}")
        session.execute("ALTER TABLE staging.built_models ADD COLUMN IF NOT EXISTS problem text")


def _has_problems(session: Session) -> bool:
    return bool(
        session.value(
            "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'staging' "
            "AND table_name = 'built_models' AND column_name = 'problem'"
        )
    )


def begin(warehouse: Warehouse, models: Iterable[str]) -> None:
    """A build of these models begins: until it is finished they are not to be relied on."""
    with warehouse.session() as session:
        create_tables(warehouse, session)
        with session.transaction():
            for model in models:
                session.execute("DELETE FROM staging.built_models WHERE model = $1", (model,))
                session.execute(
                    "INSERT INTO staging.built_models (model, problem) VALUES ($1, $2)", (model, _UNFINISHED)
                )


def finish(
    warehouse: Warehouse,
    manifest: Mapping[str, Any],
    fingerprints: Mapping[str, str],
    problems: Mapping[str, str],
) -> None:
    """Write down the fingerprints of what was built and the problems of what was not."""
    with warehouse.session() as session, session.transaction():
        for model, fingerprint in fingerprints.items():
            node = manifest["nodes"][model]
            # To count the rows of a view is to compute it, over the whole history.
            is_view = node["config"]["materialized"] == "view"
            rows = "NULL" if is_view else f"(SELECT count(*) FROM {node['schema']}.{node['alias']})"
            session.execute(
                f"UPDATE staging.built_models SET fingerprint = $2, problem = NULL, row_count = {rows} "
                "WHERE model = $1",
                (model, fingerprint),
            )
        for model, problem in problems.items():
            session.execute("UPDATE staging.built_models SET problem = $2 WHERE model = $1", (model, problem))


def row_counts(warehouse: Warehouse) -> dict[str, int]:
    """Rows of each table when it was last built; views are not counted."""
    with warehouse.session() as session:
        create_tables(warehouse, session)
        counted = "SELECT model, row_count FROM staging.built_models WHERE row_count IS NOT NULL"
        return {row["model"]: row["row_count"] for row in session.rows(counted)}


def problems(warehouse: Warehouse) -> dict[str, str]:
    """Models whose tables are not to be relied on, and why: they failed, or what they read did."""
    with warehouse.session() as session:
        create_tables(warehouse, session)
        found = session.rows(
            "SELECT model, problem FROM staging.built_models WHERE problem IS NOT NULL ORDER BY model"
        )
    return {row["model"]: row["problem"] for row in found}


def is_own(problem: str | None) -> bool:
    """Whether it is the model itself that has the problem."""
    return problem is not None and not problem.startswith(READS)
