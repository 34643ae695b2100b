"""One apply at a time per connection: a lease in the warehouse that a dead run cannot keep."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from karvon.warehouse import Session, Warehouse
from reverse_etl.state.operations import now

LEASE = timedelta(minutes=3)
RENEWED_EVERY = timedelta(seconds=30)


class Busy(Exception):
    """Another run is applying to the same connection."""


class LeaseLost(Exception):
    """The lease ran out while this run was not renewing it, and another run may have begun."""


@dataclass(frozen=True)
class Lease:
    """What one run holds."""

    holder: str
    targets: tuple[tuple[str, str], ...]

    def renew(self, session: Session) -> None:
        """Push the expiry. Raises `LeaseLost`."""
        for target in self.targets:
            session.execute(
                "UPDATE reverse_etl.leases SET expires_at = $1 "
                "WHERE destination = $2 AND connection = $3 AND holder = $4",
                (now() + LEASE, *target, self.holder),
            )
            if _holder(session, target) != self.holder:
                raise LeaseLost(
                    f"The lease on {target[0]} ({target[1]}) was taken over by another run; this one stops. "
                    "Plan again: what was done is in the ledger."
                )


@contextmanager
def hold(warehouse: Warehouse, targets: Iterable[tuple[str, str]]) -> Iterator[Lease]:
    """Hold the leases of some connections for the block. Raises `Busy`."""
    lease = Lease(f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}", tuple(sorted(set(targets))))
    with warehouse.session() as session:
        _take(session, lease)
    try:
        yield lease
    finally:
        with warehouse.session() as session:
            session.execute("DELETE FROM reverse_etl.leases WHERE holder = $1", (lease.holder,))


def _take(session: Session, lease: Lease) -> None:
    for target in lease.targets:
        other = _holder(session, target)
        if other is not None and _is_dead(other):
            session.execute("DELETE FROM reverse_etl.leases WHERE holder = $1", (other,))
        session.execute(
            "DELETE FROM reverse_etl.leases WHERE destination = $1 AND connection = $2 AND expires_at < $3",
            (*target, now()),
        )
        session.execute(
            """INSERT INTO reverse_etl.leases SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (
            SELECT 1 FROM reverse_etl.leases WHERE destination = $1 AND connection = $2) ON CONFLICT DO NOTHING""",
            (*target, lease.holder, now(), now() + LEASE),
        )
        holder = _holder(session, target)
        if holder != lease.holder:
            session.execute("DELETE FROM reverse_etl.leases WHERE holder = $1", (lease.holder,))
            raise Busy(
                f"Another run ({holder}) is applying to {target[0]} ({target[1]}); wait for it. "
                f"If it is dead, its lease ends within {LEASE.seconds // 60} minutes."
            )


def _holder(session: Session, target: tuple[str, str]) -> str | None:
    holder = session.value(
        "SELECT holder FROM reverse_etl.leases WHERE destination = $1 AND connection = $2", target
    )
    return None if holder is None else str(holder)


def _is_dead(holder: str) -> bool:
    """A process of this machine that is gone; of other machines only the expiry tells."""
    host, pid, _ = holder.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
