"""The users' report pages as an asset: written after the marts, each only when its figures moved."""

from typing import Any

import dagster as dg

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration import built_models
from orchestration.automation import OWNERS
from reports.user import write_pages

_READ = ("user_metrics_daily", "source_metrics_daily", "source_revenue_daily", "customer_lifetime", "customer_cohorts",
         "rejected_records", "user_records", "currencies")  # fmt: skip


def user_reports(settings: Settings, warehouse: Warehouse) -> dg.Definitions:
    """`user_apis/reports`, in the ordinary run."""

    @dg.asset(
        name="reports",
        key_prefix=["user_apis"],
        deps=[dg.AssetKey(["marts", table]) for table in _READ],
        group_name="user_apis",
        kinds={"html"},
        owners=OWNERS,
        description="A page per user in the home folder (docs/user_apis.md); `karvon report` makes any of them anew.",
    )
    def reports() -> dg.MaterializeResult[Any]:
        problems = built_models.problems(warehouse)
        if missing := [why for table in _READ if (why := problems.get(f"model.karvon.{table}"))]:
            raise dg.Failure("The pages stay as they were:\n" + "\n".join(dict.fromkeys(missing)))
        written = [is_new for _, is_new in write_pages(warehouse, settings.user_reports_path)]
        folder = dg.MetadataValue.path(settings.user_reports_path)
        return dg.MaterializeResult(
            metadata={"folder": folder, "pages": len(written), "written": sum(written)}
        )

    return dg.Definitions(assets=[reports])
