"""Whether what a model reads was read completely: a removal stands on it."""

from __future__ import annotations

from karvon.warehouse import Session
from reverse_etl.syncs import Sync


def unproven(session: Session, sync: Sync) -> str | None:
    """Why the absence of a row proves nothing yet, or None.

    The last look at each landed table above the model must have been complete (design §2, observations).
    """
    for source in sync.sources:
        schema, _, resource = source.partition(".")
        if not session.has_table(f"{schema}.observations"):
            continue
        broken = session.rows(
            f"""SELECT connection FROM (
              SELECT connection, is_complete,
                     row_number() OVER (PARTITION BY connection ORDER BY observed_at DESC) AS nth
              FROM {schema}.observations WHERE resource = $1) AS looks WHERE nth = 1 AND NOT is_complete""",
            (resource,),
        )
        if broken:
            where = ", ".join(sorted(row["connection"] for row in broken))
            return f"the last read of {source} ({where}) was not complete; run it again"
    return None
