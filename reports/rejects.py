"""What sources got wrong and the build therefore put aside, counted for people and alarms."""

from __future__ import annotations

from karvon.warehouse import Warehouse

TABLES = {
    "rejected_documents": "SELECT source, count(*) AS rows FROM marts.rejected_documents GROUP BY source",
    "rejected_records": "SELECT 'user_apis' AS source, count(*) AS rows FROM marts.rejected_records",
}
"""The marts that list them, with the count of each by source."""


def rejects(warehouse: Warehouse) -> dict[str, int]:
    """Rows put aside by source; sources without one are absent, and so is what was never built."""
    with warehouse.session() as session:
        built = session.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'marts'")
        present = TABLES.keys() & {row["table_name"] for row in built}
        found = [row for table in sorted(present) for row in session.rows(TABLES[table])]
    return {row["source"]: row["rows"] for row in sorted(found, key=lambda row: row["source"]) if row["rows"]}


def rejects_in_words(counts: dict[str, int]) -> str:
    """One line, "" when nothing is put aside."""
    if not counts:
        return ""
    listed = ", ".join(f"{source} {count:,}" for source, count in counts.items())
    return f"Put aside, everything else is built: {listed} (marts.rejected_documents, marts.rejected_records)"
