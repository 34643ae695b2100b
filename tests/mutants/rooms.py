"""Which tests cover which files. The likeliest to notice come first: the first failure ends a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ENGINE = "tests/reverse_etl"


@dataclass(frozen=True)
class Room:
    """Files of one reason, and the tests that speak of them; `seconds` bounds one mutant."""

    files: tuple[str, ...]
    tests: tuple[str, ...]
    seconds: int = 240


def _tests(*names: str) -> tuple[str, ...]:
    return tuple(f"{ENGINE}/test_{name}.py" for name in names)


ROOMS: Mapping[str, Room] = {
    "karvon": Room(
        ("karvon/*.py",),
        tuple(f"tests/karvon/test_{name}.py" for name in
              ("addresses", "files", "http", "logs", "receivers_and_folders", "settings", "warehouse")),
    ),
    "landing": Room(("pipelines/*.py",), ("tests/pipelines/test_landing.py", "tests/pipelines/test_crawl.py"), 400),
    "sources": Room(("pipelines/sources/*/*.py", "pipelines/sources/*.py"), ("tests/pipelines/sources",), 400),
    "guards": Room(
        ("reverse_etl/planning/guards.py", "reverse_etl/planning/holding.py", "reverse_etl/review/approvals.py",
         *(f"reverse_etl/state/{name}.py" for name in ("outstanding", "holds", "stored_plans"))),
        ("tests/reality/test_rows_that_are_not_out.py",
         *_tests("money_and_identity", "plan_text", "review", "honesty")),
    ),
    "planning": Room(
        (*(f"reverse_etl/planning/{name}.py" for name in
           ("plan", "compare", "differences", "matching", "narrowing", "scan", "sets", "sources")),
         "reverse_etl/spec/values.py", "reverse_etl/state/drift.py"),
        ("tests/reality/test_promises_of_a_sync.py",
         *_tests("honesty", "apply", "drift_and_matching", "money_and_identity", "field_rules", "files_destination")),
    ),
    "applying": Room(
        ("reverse_etl/applying/*.py",
         *(f"reverse_etl/state/{name}.py" for name in ("leases", "operations", "ledger"))),
        _tests("money_and_identity", "honesty", "resume", "apply", "canary", "looking_again"),
    ),
    "undo": Room(("reverse_etl/review/undo.py",), _tests("money_and_identity", "undo")),
    "files and messages": Room(
        ("reverse_etl/destinations/files/*.py", "reverse_etl/destinations/webhook/*.py"),
        _tests("files_destination", "webhook_destination"),
    ),
    "webflow": Room(
        ("reverse_etl/destinations/webflow/*.py",),
        _tests("money_and_identity", "honesty", "resume", "apply", "cms_items", "cms_references", "field_types"), 400,
    ),
    "orchestration": Room(
        ("orchestration/dbt.py", "orchestration/built.py", "orchestration/cli/plan.py", "orchestration/cli/review.py",
         "orchestration/defs/activation.py"),
        ("tests/orchestration/test_stale_models.py", "tests/reality/test_rows_that_are_not_out.py",
         *_tests("review_jobs")), 400,
    ),
    "reports": Room(("reports/*.py",), ("tests/reports",)),
}  # fmt: skip

MODELS = "dbt_project/models/"
"""Faults in SQL: each folder of models is a room, and a model's unit tests cover it."""

BUILDS: Mapping[str, Room] = {
    "marts/market": Room(
        (), ("tests/dbt_project/test_market_rows.py", "tests/dbt_project/test_market_sales.py"), 900
    ),
    "marts/procurement": Room((), ("tests/dbt_project/test_market_rows.py",), 900),
    "marts/user_apis": Room((), ("tests/dbt_project/test_users_models.py",), 900),
    "marts/commerce": Room((), ("tests/dbt_project/test_catalogue_to_shop.py",), 900),
    "marts/operations": Room((), ("tests/dbt_project/test_models_about_runs.py",), 900),
    "activation/webflow": Room((), ("tests/dbt_project/test_catalogue_to_shop.py",), 900),
}
"""Tests that build a folder's models whole; asked with `--builds` about what no unit test notices."""
