"""What is used of dagster-dbt, loaded as where dbt-core is not installed.

dbt runs as a process of its own. dagster-dbt would import it here as well, which takes as long as all other imports of
the definitions together, for nothing but its names of statuses and the evaluation of selections.
"""

import sys

_shown = sys.modules.setdefault("dbt", None)  # type: ignore[arg-type]
try:
    from dagster_dbt import DagsterDbtTranslator, dbt_assets
    from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
finally:
    if _shown is None:
        del sys.modules["dbt"]

__all__ = ["DagsterDbtTranslator", "DbtCoreCliEventMessage", "dbt_assets"]
