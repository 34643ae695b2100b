"""What a plan wrote to, for the load that reads it again."""

from __future__ import annotations

from collections.abc import Sequence

from karvon.warehouse import Warehouse
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Destinations


def written_documents(
    warehouse: Warehouse, plan_id: str, syncs: Sequence[Sync], destinations: Destinations
) -> dict[str, list[str]]:
    """Resource of the mirror → keys of the documents that a plan wrote to, or tried to."""
    found: dict[str, set[str]] = {}
    with warehouse.session() as session:
        for sync in syncs:
            destination = destinations[sync.destination]
            if (table := destination.mirror(sync)) is None:
                continue
            # A child is in its parent's document, of which only the ledger knows.
            key = "o.remote_id" if destination.document_of(sync) == "remote_id" else "l.parent_remote_id"
            rows = session.rows(
                f"""SELECT DISTINCT {key} AS key FROM reverse_etl.operations AS o
                LEFT JOIN reverse_etl.ledger AS l ON l.destination = o.destination AND l.connection = o.connection
                  AND l.sync = o.sync AND l.key = o.key
                WHERE o.plan_id = $1 AND o.sync = $2 AND {key} IS NOT NULL""",
                (plan_id, sync.name),
            )
            found.setdefault(table.partition(".")[2], set()).update(row["key"] for row in rows)
    return {resource: sorted(keys) for resource, keys in found.items()}
