"""The tables of `reverse_etl` and how they move forward from version to version.

All JSON is stored as text. The big tables have no primary key: one writer per connection holds a lease, and
DuckDB's indexes cannot take a row's deletion and insertion in one transaction.
"""

from __future__ import annotations

from karvon.warehouse import Session, Warehouse

NAME = "reverse_etl"
# (version reached, statement, only on this engine or None). Never change an entry; add new ones.
MIGRATIONS: tuple[tuple[int, str, str | None], ...] = (
    (
        1,
        """CREATE TABLE reverse_etl.plans (
            plan_id text NOT NULL, created_at timestamptz NOT NULL, tool_version text NOT NULL,
            profile text NOT NULL, status text NOT NULL, counts text NOT NULL, findings text NOT NULL,
            violations text NOT NULL, request_count bigint NOT NULL, minutes double precision NOT NULL,
            finished_at timestamptz, stopped text)""",
        None,
    ),
    (
        1,
        """CREATE TABLE reverse_etl.operations (
            plan_id text NOT NULL, seq bigint NOT NULL, call bigint NOT NULL, stage bigint NOT NULL,
            sync text NOT NULL, destination text NOT NULL, connection text NOT NULL, key text NOT NULL,
            resource text NOT NULL, action text NOT NULL, remote_id text, parent_sync text, parent_key text,
            changes text NOT NULL, payload text NOT NULL, payload_hash text NOT NULL, desired text NOT NULL,
            baseline text NOT NULL, extras text NOT NULL, row_hash text, mapping_hash text, mirror_hash text,
            is_complete boolean NOT NULL, status text NOT NULL, error text, error_field text,
            is_permanent boolean NOT NULL, note text, requests bigint NOT NULL, attempts bigint NOT NULL,
            planned_at timestamptz NOT NULL, sent_at timestamptz, answered_at timestamptz)""",
        None,
    ),
    (
        1,
        """CREATE TABLE reverse_etl.ledger (
            destination text NOT NULL, connection text NOT NULL, sync text NOT NULL, key text NOT NULL,
            remote_id text NOT NULL, parent_remote_id text, sent text NOT NULL, sent_hash text NOT NULL,
            answered text NOT NULL, extras text NOT NULL, row_hash text NOT NULL, mapping_hash text NOT NULL,
            mirror_hash text, removed boolean NOT NULL, stock_sent bigint, stock_answered bigint,
            stock_at timestamptz, applied_at timestamptz NOT NULL, plan_id text NOT NULL)""",
        None,
    ),
    (
        2,
        """CREATE TABLE reverse_etl.leases (
            destination text NOT NULL, connection text NOT NULL, holder text NOT NULL,
            acquired_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
            PRIMARY KEY (destination, connection))""",
        None,
    ),
    (
        2,
        """CREATE TABLE reverse_etl.settling (
            batch text NOT NULL, sync text NOT NULL, destination text NOT NULL, connection text NOT NULL,
            key text NOT NULL, remote_id text NOT NULL, applied_at timestamptz NOT NULL, sent text NOT NULL,
            sent_hash text NOT NULL, answered text NOT NULL, extras text NOT NULL, row_hash text NOT NULL,
            mapping_hash text NOT NULL, mirror_hash text, removed boolean NOT NULL)""",
        None,
    ),
    (
        2,
        "CREATE UNIQUE INDEX ledger_one ON reverse_etl.ledger (destination, connection, sync, key)",
        "postgres",
    ),
    (2, "CREATE INDEX ledger_remote ON reverse_etl.ledger (remote_id)", "postgres"),
    (2, "CREATE INDEX operations_plan ON reverse_etl.operations (plan_id, seq)", "postgres"),
    (2, "CREATE INDEX operations_key ON reverse_etl.operations (sync, key)", "postgres"),
    # The plan that is taken back by this one, or by this operation.
    (3, "ALTER TABLE reverse_etl.plans ADD COLUMN undoes text", None),
    (3, "ALTER TABLE reverse_etl.operations ADD COLUMN undoes text", None),
    (
        3,
        "CREATE INDEX operations_undoing ON reverse_etl.operations (sync, key) WHERE undoes IS NOT NULL",
        "postgres",
    ),
    # What waits for a person now; `field` is empty where the whole row waits. `plan_id` held it last, `held_at` is
    # when it was held first.
    (
        3,
        """CREATE TABLE reverse_etl.holds (
            plan_id text NOT NULL, held_at timestamptz NOT NULL, destination text NOT NULL,
            connection text NOT NULL, sync text NOT NULL, key text NOT NULL, rule text NOT NULL,
            field text NOT NULL, before text, after text, value_hash text NOT NULL, message text NOT NULL)""",
        None,
    ),
    # Who allowed what. `key` is empty where a guard over a whole plan was allowed for that plan.
    (
        3,
        """CREATE TABLE reverse_etl.approvals (
            approved_at timestamptz NOT NULL, approver text NOT NULL, plan_id text NOT NULL,
            destination text NOT NULL, connection text NOT NULL, sync text NOT NULL, key text NOT NULL,
            rule text NOT NULL, field text NOT NULL, value_hash text NOT NULL)""",
        None,
    ),
    # Edits in the destination. What is left standing (decided: kept, reported) has one row, that of the last plan
    # that saw it; `found_at` is when it was seen first.
    (
        3,
        """CREATE TABLE reverse_etl.drift (
            plan_id text NOT NULL, found_at timestamptz NOT NULL, destination text NOT NULL,
            connection text NOT NULL, sync text NOT NULL, key text NOT NULL, field text NOT NULL,
            ours text, answered text, theirs text, policy text NOT NULL, decided text NOT NULL)""",
        None,
    ),
    # When the row was last edited at its source, as the model said: where the edit-to-live clock begins.
    (5, "ALTER TABLE reverse_etl.operations ADD COLUMN edited_at timestamptz", None),
    # What an apply cost: requests on the wire, repeats among them, and how many of them were answered 429.
    (
        5,
        """CREATE TABLE reverse_etl.traffic (
            plan_id text NOT NULL, destination text NOT NULL, connection text NOT NULL,
            ended_at timestamptz NOT NULL, requests bigint NOT NULL, throttled bigint NOT NULL)""",
        None,
    ),
    # After a run: of how many rows a field should be as the view says, and of how many it is.
    (
        5,
        """CREATE TABLE reverse_etl.parity (
            plan_id text NOT NULL, measured_at timestamptz NOT NULL, destination text NOT NULL,
            connection text NOT NULL, sync text NOT NULL, field text NOT NULL, row_count bigint NOT NULL,
            equal_count bigint NOT NULL)""",
        None,
    ),
    # The rows of a set that is being written: what a kill leaves here tells what really went out.
    (
        6,
        """CREATE TABLE reverse_etl.sets (
            plan_id text NOT NULL, seq bigint NOT NULL, key text NOT NULL, row_hash text, action text NOT NULL)""",
        None,
    ),
    # Rows that are not out now, and why: not_ready, waits, refused. `since` is when the plan or answer said so.
    (
        7,
        """CREATE TABLE reverse_etl.outstanding (
            plan_id text NOT NULL, since timestamptz NOT NULL, sync text NOT NULL, key text NOT NULL,
            why text NOT NULL, cause text NOT NULL, field text NOT NULL, row_count bigint NOT NULL)""",
        None,
    ),
    (7, "CREATE INDEX outstanding_row ON reverse_etl.outstanding (sync, key)", "postgres"),
    # What a plan says of more rows than it names: routine findings by cause.
    (7, "ALTER TABLE reverse_etl.plans ADD COLUMN causes text", None),
    # Held is the word for nothing any more: what waits for a person is no operation.
    (7, "UPDATE reverse_etl.operations SET status = 'deferred' WHERE status = 'held'", None),
)
LATEST = MIGRATIONS[-1][0]


class TooNew(Exception):
    """The tables were made by a later Karvon."""


def migrate(warehouse: Warehouse, session: Session, *, upto: int = LATEST) -> int:
    """Bring the tables to the wanted version and return the version they had. Raises `TooNew`."""
    before = version(session)
    if before > LATEST:
        raise TooNew(
            f"The reverse_etl tables have version {before}, this Karvon knows up to {LATEST}: upgrade Karvon, or "
            "restore the backup made before the upgrade (docs/runbook.md)."
        )
    if before >= upto:
        return before
    with warehouse.exclusive("reverse_etl tables"), session.transaction():
        before = version(session)
        if before >= upto:
            return before
        session.execute("CREATE SCHEMA IF NOT EXISTS reverse_etl")
        session.execute(
            "CREATE TABLE IF NOT EXISTS reverse_etl.meta (version bigint NOT NULL, migrated_at timestamptz NOT NULL)"
        )
        for reached, statement, only in MIGRATIONS:
            if before < reached <= upto and only in (None, warehouse.dialect):
                session.execute(statement)
        session.execute("INSERT INTO reverse_etl.meta VALUES ($1, now())", (upto,))
    return before


def version(session: Session) -> int:
    """The version of the tables; 0 when there are none."""
    if not session.has_table("reverse_etl.meta"):
        return 0
    return int(session.value("SELECT max(version) FROM reverse_etl.meta") or 0)
