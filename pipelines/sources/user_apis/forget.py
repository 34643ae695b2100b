"""Erasing a person or a user from the warehouse, for good: the one exception to append-only.

Rows go from every table that has them, history included; a keyed hash stays in `restricted.suppressions`, so that
the next load does not land them again. What the files of the engine still hold is the caller's: a DuckDB file
must be rewritten, Postgres vacuumed (docs/user_apis.md, "Forgetting").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from karvon.warehouse import Session
from pipelines.sources.user_apis import privacy

_OURS = ("raw_user_apis", "staging", "restricted", "marts", "activation", "reverse_etl")
Also = Callable[[Session], None]
"""What must happen with an erasure or not at all."""
_BY_RECORD = (
    "staging.stg_user_apis__records",
    "restricted.record_fields",
    "restricted.people",
    "marts.user_records",
)


@dataclass
class Erased:
    """Rows erased by table, and the records they were about."""

    rows: dict[str, int] = field(default_factory=dict)
    records: int = 0


def forget_user(session: Session, user_id: str, also: Also = lambda _: None) -> Erased:
    """Erase everything of a user, all of it or nothing; to do it again does no harm."""
    privacy.prepare(session)
    private = privacy.read(session)
    erased = Erased()
    with session.transaction():
        for table in _tables_with(session, "user_id"):
            if table != f"{privacy.SCHEMA}.suppressions":
                _erase(session, erased, table, "user_id = $1", (user_id,))
        for table in ("raw_user_apis.definitions", "raw_user_apis.users", "raw_user_apis.observations"):
            if session.has_table(table):
                column = "connection" if table.endswith("observations") else "document_key"
                _erase(session, erased, table, f"{column} = $1 OR {column} LIKE $1 || '/%'", (user_id,))
        _suppress(session, user_id, [private.hash_of(f"user:{user_id}")])
        also(session)
    return erased


def forget_person(
    session: Session, email: str, user_id: str | None = None, also: Also = lambda _: None
) -> Erased:
    """Erase every record that holds the e-mail address, of one user or of all, or nothing; phone numbers of such
    records too are not landed again. To do it again does no harm."""
    privacy.prepare(session)
    private = privacy.read(session)
    erased = Erased()
    wanted = private.hash_of(privacy.normalised("email", email))
    people = session.rows(
        "SELECT record_key, user_id, phone_hash FROM restricted.people WHERE email_hash = $1 "
        "AND ($2::text IS NULL OR user_id = $2)",
        (wanted, user_id),
    ) if session.has_table("restricted.people") else []  # fmt: skip
    erased.records = len(people)
    with session.transaction():
        for person in people:
            user, source, resource, key = person["record_key"].split("/", 3)
            where = "user_id = $1 AND source_id = $2 AND resource = $3 AND document_key = $4"
            _erase(session, erased, "raw_user_apis.records", where, (user, source, resource, key))
            for table in _BY_RECORD:
                if session.has_table(table):
                    _erase(session, erased, table, "record_key = $1", (person["record_key"],))
        users = {person["user_id"] for person in people} | ({user_id} if user_id else set())
        for user in sorted(users):
            phones = [one["phone_hash"] for one in people if one["user_id"] == user and one["phone_hash"]]
            _suppress(session, user, [wanted, *phones])
        also(session)
    return erased


def remains(session: Session, text: str) -> list[str]:
    """Tables that still hold a text anywhere; none after an erasure: the proof."""
    found = []
    columns: dict[str, list[str]] = {}
    for row in session.rows(
        "SELECT table_schema AS s, table_name AS t, column_name AS c FROM information_schema.columns "
        "WHERE data_type IN ('text', 'character varying', 'VARCHAR', 'json', 'jsonb', 'JSON')"
    ):
        if row["s"] in _OURS:
            columns.setdefault(f'"{row["s"]}"."{row["t"]}"', []).append(row["c"])
    for table, names in columns.items():
        # Not LIKE: an address may hold an underscore.
        where = " OR ".join(f'position($1 IN lower(CAST("{name}" AS text))) > 0' for name in names)
        if session.value(f"SELECT count(*) FROM {table} WHERE {where}", (text.lower(),)):
            found.append(table.replace('"', ""))
    return found


def _tables_with(session: Session, column: str) -> list[str]:
    rows = session.rows(
        "SELECT c.table_schema AS s, c.table_name AS t FROM information_schema.columns AS c "
        "JOIN information_schema.tables AS t ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
        "WHERE c.column_name = $1 AND t.table_type = 'BASE TABLE'",
        (column,),
    )
    return sorted(f"{row['s']}.{row['t']}" for row in rows if row["s"] in _OURS)


def _erase(session: Session, erased: Erased, table: str, where: str, params: Sequence[str]) -> None:
    count = int(session.value(f"SELECT count(*) FROM {table} WHERE {where}", params) or 0)
    if count:
        session.execute(f"DELETE FROM {table} WHERE {where}", params)
        erased.rows[table] = erased.rows.get(table, 0) + count


def _suppress(session: Session, user_id: str, hashes: Sequence[str]) -> None:
    now = datetime.now(UTC)
    for value_hash in hashes:
        session.execute("INSERT INTO restricted.suppressions VALUES ($1, $2, $3)", (user_id, value_hash, now))
