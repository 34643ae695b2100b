"""What really happened on a day of the exchange."""

from __future__ import annotations

from typing import Any

from sandbox.uzex import rows
from sandbox.uzex.exchange import KINDS, Exchange, Lot
from sandbox.uzex.subject import subject_of

Json = dict[str, Any]
_WITH_TREASURY = ("auction", "shop", "national", "etender")


def truth_of(exchange: Exchange, day: int) -> Json:
    """By kind: opened, deals, failed and, where a treasury pays, status changes against the day before.

    Only days up to the present one; what arrived out of turn (the switch `uzex.rank_shift`) is in it.
    """
    return {
        "day": day, "date": exchange.date_of(day).isoformat(),
        "opened": {kind: [lot.id for lot in exchange.books[kind].all if lot.opened == day] for kind in KINDS},
        "deals": {kind: [_deal(exchange,
                               lot) for lot in exchange.books[kind].deals if lot.ends == day] for kind in KINDS},
        "failed": {kind: [lot.id for lot in exchange.books[kind].failed if lot.ends == day] for kind in KINDS},
        "status_changes": [change for kind in _WITH_TREASURY for lot in exchange.books[kind].deals
                           if (change := _status_change(exchange, lot, day))],
    }  # fmt: skip


def _deal(exchange: Exchange, lot: Lot) -> Json:
    subject = subject_of(exchange, lot)
    return {
        "lot_id": lot.id, "deal_id": lot.deal_id, "start_cost": subject.start_cost, "deal_cost": subject.deal_cost,
        "steps": subject.steps, "customer_inn": subject.buyer.inn, "provider_inn": subject.supplier.inn,
        "provider_name": subject.supplier.name, "items": len(subject.items), "is_foreign": subject.is_foreign,
    }  # fmt: skip


def _status_change(exchange: Exchange, lot: Lot, day: int) -> Json | None:
    if lot.ends >= day:
        return None
    subject = subject_of(exchange, lot)
    before, after = rows.treasury_on(day - 1, lot, subject), rows.treasury_on(day, lot, subject)
    if before == after:
        return None
    return {"kind": lot.kind, "lot_id": lot.id, "deal_id": lot.deal_id, "before": before, "after": after}
