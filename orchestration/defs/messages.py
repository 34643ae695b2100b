"""Messages to people through KARVON_ALERT_WEBHOOK_URL, each with a link to the run it is about."""

from __future__ import annotations

import asyncio

from karvon.http import HttpClient
from karvon.settings import Settings
from karvon.warehouse import Warehouse
from reverse_etl.state.holds import UNDONE
from reverse_etl.state.holds import load as stored_holds
from reverse_etl.state.stored_plans import Plan

LONGEST = 3000
"""Characters; Slack shows no more of one block."""
SHOWN = 5


def tell(settings: Settings, text: str, run_id: str) -> None:
    """Post a message; without a webhook address nothing is sent."""
    if settings.alert_webhook_url is None:
        return
    link = f"{settings.ui_url.rstrip('/')}/runs/{run_id}"
    message = {"text": f"Karvon: {text[: LONGEST - len(link)]}\n{link}"}
    asyncio.run(_post(settings.alert_webhook_url.get_secret_value(), message))


def tell_about_held_rows(settings: Settings, warehouse: Warehouse, plan: Plan, run_id: str) -> None:
    """One message about rows that began to wait with this plan; those that waited before were told before."""
    if settings.alert_webhook_url is None or not plan.needs_approval:
        return
    with warehouse.session() as session:
        new = stored_holds(
            session, "plan_id = $1 AND held_at = $2 AND rule <> $3", (plan.plan_id, plan.created_at, UNDONE)
        )
    if new:
        lines = [f"{one.sync} {one.key}: {one.message}" for one in new[:SHOWN]]
        more = [f"… and {len(new) - SHOWN} more: `karvon held`"] if len(new) > SHOWN else []
        rows = len({(one.sync, one.key) for one in new})
        waits = "row waits" if rows == 1 else "rows wait"
        head = f"{rows} {waits} for a person since plan {plan.plan_id} (job approve_rows lets them go)."
        tell(settings, "\n".join([head, *lines, *more]), run_id)


async def _post(url: str, message: dict[str, str]) -> None:
    async with HttpClient("alert webhook", base_url="", secrets=(url,), attempts=3) as http:
        await http.request("POST", url, json=message, as_json=False)
