"""Stock: absolute quantities, read again right before they are written (Webflow dossier §1.7).

There is no conditional write. What was sold between the plan and now is taken into account, never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reverse_etl.destinations.webflow.client import JsonObject, WebflowClient
from reverse_etl.state.destination import Known, Outcome
from reverse_etl.state.operations import Operation

_BODY = "body"
_LIVE = "live"


async def prepare(client: WebflowClient, operation: Operation, known: Known) -> Operation | Outcome:
    """The operation with the body to send, or its outcome if nothing has to be (or may be) sent."""
    entry = known.of(operation.sync, operation.key)
    if entry is None:
        return Outcome(operation, "deferred", error="its SKU is not in the shop")
    plan = operation.payload
    operation = replace(operation, remote_id=entry.remote_id)
    if plan["quantity"] is None:
        return _with_body(operation, {"inventoryType": "infinite"}, None)
    if plan["is_new"] and operation.attempts == 0:
        return _with_body(operation, _finite(plan["quantity"]), None)
    live = quantity_of(await client.stock(entry.remote_id))
    if plan["is_new"] and live not in (None, plan["quantity"]):
        # What was tried before may have gone through, and sold since.
        return Outcome(
            operation, "deferred", error=f"the stock is {live} after an earlier try; look at it in the shop"
        )
    target, note = _target(plan, live)
    if target is None:
        return Outcome(operation, "deferred", error=note)
    if target == live:
        return Outcome(operation, "done", stock=live, note=note)
    return replace(_with_body(operation, _finite(target), live), note=note)


async def send(client: WebflowClient, operation: Operation) -> Outcome:
    """Write the prepared body. Raises from the `RemoteError` tree."""
    answer = await client.set_stock(operation.remote_id or "", operation.payload[_BODY])
    return Outcome(operation, "done", stock=quantity_of(answer), note=operation.note)


async def find(client: WebflowClient, operation: Operation) -> Outcome:
    """Whether a stock was written. Raises from the `RemoteError` tree."""
    body, before = operation.payload.get(_BODY), operation.payload.get(_LIVE)
    if body is None:
        return Outcome(operation, "absent")
    answer = await client.stock(operation.remote_id or "")
    live = quantity_of(answer)
    if answer["inventoryType"] == body["inventoryType"] and live == body.get("quantity"):
        return Outcome(operation, "done", stock=live)
    if live == before:
        return Outcome(operation, "absent")
    error = (
        f"the stock was {before}, {body.get('quantity')} was sent without an answer, and now it is {live}: "
        "check it in the shop; `karvon errors --retry` writes it again"
    )
    return Outcome(operation, "failed", error=error, error_field="inventory", permanent=True)


def quantity_of(stock: Mapping[str, Any]) -> int | None:
    """None for an endless stock."""
    return None if stock["inventoryType"] == "infinite" else int(stock["quantity"])


def _target(plan: Mapping[str, Any], live: int | None) -> tuple[int | None, str | None]:
    """The quantity to write and a note, or None and the reason to hold."""
    wanted, seen = plan["quantity"], plan["seen"]
    if plan["on_moved"] == "set" or seen is None or live is None or live == seen:
        return wanted, None
    moved = f"the stock moved from {seen} to {live} in the shop since it was read"
    if plan["on_moved"] == "hold":
        return None, moved
    target = max(0, wanted + live - seen)
    return target, f"{moved}: {target} instead of {wanted}"


def _with_body(operation: Operation, body: JsonObject, live: int | None) -> Operation:
    return replace(operation, payload={**operation.payload, _BODY: body, _LIVE: live})


def _finite(quantity: int) -> JsonObject:
    return {"inventoryType": "finite", "quantity": quantity}
