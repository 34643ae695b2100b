"""Whether what a model reads, and what the destination shows, was read completely: a removal stands on it."""

from __future__ import annotations

from datetime import timedelta

from reverse_etl.planning.scan import Scan
from reverse_etl.state.ledger import listed
from reverse_etl.state.operations import now

SHOWN_AT_LEAST = 0.5
"""Share of our records that a complete read of the destination must show: else the read is wrong, not the shop."""


def unproven(scan: Scan) -> str | None:
    """Why the absence of a row proves nothing yet, or None.

    The last look at each landed table above the model, and at the destination's records, must have been complete
    and not older than the sync allows (design §2, observations), and the destination must show our records.
    """
    sync = scan.sync
    for source in sync.sources:
        if reason := _unproven_read(scan, source, ()):
            return reason
    mirror = scan.destination.mirror(sync)
    return (_unproven_read(scan, mirror, (sync.connection,)) or _hidden(scan)) if mirror else None


def _unproven_read(scan: Scan, table: str, connections: tuple[str, ...]) -> str | None:
    """`connections` restricts the looks to some; a source's connections are all asked."""
    schema, _, resource = table.partition(".")
    if not scan.session.has_table(f"{schema}.observations"):
        return None
    where = f"AND connection IN {listed(2)}" if connections else ""
    looks = scan.session.rows(
        f"""SELECT connection, is_complete, complete_at FROM (
          SELECT connection, is_complete,
                 max(CASE WHEN is_complete THEN observed_at END) OVER (PARTITION BY connection) AS complete_at,
                 row_number() OVER (PARTITION BY connection ORDER BY observed_at DESC) AS nth
          FROM {schema}.observations WHERE resource = $1 {where}) AS looks WHERE nth = 1 ORDER BY connection""",
        (resource, *connections),
    )
    if not looks:
        return f"{table} was never read; read it first"
    if broken := [row["connection"] for row in looks if not row["is_complete"]]:
        return f"the last read of {table} ({', '.join(broken)}) was not complete; run it again"
    hours = scan.sync.guards.max_read_age_hours
    if hours and (
        old := [row["connection"] for row in looks if row["complete_at"] < now() - timedelta(hours=hours)]
    ):
        return f"the last read of {table} ({', '.join(old)}) is older than {hours:g} hours; read it again"
    return None


def _hidden(scan: Scan) -> str | None:
    """A listing that shows few of our records is a wrong listing: nothing is removed on its word."""
    seen_at = scan.mirror.seen_at
    if seen_at is None:
        return None
    document = scan.destination.document_of(scan.sync)
    row = scan.session.rows(
        f"""WITH {scan.mirror.latest(None)}
        SELECT count(*) AS ours, sum(CASE WHEN m.mirror_hash NOT LIKE '%-' THEN 1 ELSE 0 END) AS shown
        FROM reverse_etl.ledger AS l LEFT JOIN latest AS m ON m.document_key = l.{document}
        WHERE l.destination = $1 AND l.connection = $2 AND l.sync = $3 AND NOT l.removed AND l.applied_at < $4""",
        (*scan.sync.target, scan.sync.name, seen_at),
    )[0]
    ours, shown = int(row["ours"]), int(row["shown"] or 0)
    if shown < ours * SHOWN_AT_LEAST:
        return (
            f"the last read of {scan.destination.mirror(scan.sync)} shows {shown} of our {ours} records; "
            "look at the destination, and read it again"
        )
    return None
