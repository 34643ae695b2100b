"""What the landed mirror shows of a destination: latest documents, their hashes, stocks, identifiers.

A document counts as seen when it was landed, or when the whole mirror was read later without news of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from karvon.warehouse import Dialect, Session
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Destination
from reverse_etl.state.ledger import keys_of, listed


@dataclass(frozen=True)
class Mirror:
    """The mirror of one sync's records."""

    session: Session
    dialect: Dialect
    sync: Sync
    destination: Destination

    @cached_property
    def table(self) -> str | None:
        """The landed table, if the destination has a mirror and it was read."""
        name = self.destination.mirror(self.sync)
        return name if name and self.session.has_table(name) else None

    @property
    def exists(self) -> bool:
        return self.table is not None

    @cached_property
    def stock_table(self) -> str | None:
        """The landed table of stocks, if the destination has one and it was read."""
        name = self.destination.stock_mirror(self.sync)
        return name if name and self.session.has_table(name) else None

    @property
    def tables(self) -> list[str]:
        """The landed tables that exist."""
        return [name for name in (self.table, self.stock_table) if name]

    @cached_property
    def seen_at(self) -> datetime | None:
        """When the whole mirror was last read, or what moved and what we wrote: documents without news were seen then
        (design §2)."""
        if self.table is None:
            return None
        schema, resource = self.table.split(".")
        if not self.session.has_table(f"{schema}.observations"):
            return None
        seen = self.session.value(
            f"SELECT max(observed_at) FROM {schema}.observations "
            "WHERE resource = $1 AND connection = $2 AND scope IN ('all', 'written') AND is_complete",
            (resource, self.sync.connection),
        )
        return seen if isinstance(seen, datetime) else None

    def documents(self, document_keys: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
        """Latest documents of the mirror by document key; None for a deleted one."""
        if not document_keys or self.table is None:
            return {}
        found = self.session.arrow(
            "SELECT document_key, is_deleted, CAST(document AS text) AS document FROM "
            + _versions(self.table, "is_deleted, document", self._of_documents(self.table)),
            (self.sync.connection, keys_of(document_keys)),
        )
        return {
            row["document_key"]: None if row["is_deleted"] else orjson.loads(row["document"])
            for row in found.to_pylist()
        }

    def hashes(self, document_keys: Sequence[str]) -> dict[str, str]:
        """The mirror's present hashes by document key."""
        if not document_keys or not self.exists:
            return {}
        rows = self.session.rows(
            f"WITH {self.latest(None, keys_param=1)} SELECT document_key, mirror_hash FROM latest",
            (keys_of(document_keys),),
        )
        return {row["document_key"]: row["mirror_hash"] for row in rows}

    def identifiers(self, wanted: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
        """Remote records whose field `name` has one of the wanted values (trimmed, lower case).

        Yields remote_id, parent_remote_id, name, value.
        """
        if self.table is None:
            return
        versions = _versions(self.table, "is_deleted, document", "connection = $1")
        latest = f"SELECT document_key, document FROM {versions} WHERE NOT is_deleted"
        query = self.destination.identifiers(self.sync, self.dialect, "latest")
        for name, values in wanted.items():
            if values:
                yield from self.session.rows(
                    f"WITH latest AS ({latest}), found AS ({query}) SELECT DISTINCT * FROM found "
                    f"WHERE name = $2 AND lower(trim(value)) IN {listed(3)}",
                    (self.sync.connection, name, keys_of(values)),
                )

    def stocks(self, remote_ids: Sequence[str]) -> dict[str, tuple[datetime, int | None]]:
        """What the stock mirror last saw: remote id → (when, quantity; None when endless)."""
        if not remote_ids or self.stock_table is None:
            return {}
        rows = self.session.rows(
            "SELECT document_key, landed_at, CAST(document AS text) AS document FROM "
            + _versions(self.stock_table, "landed_at, document", self._of_documents(self.stock_table)),
            (self.sync.connection, keys_of(remote_ids)),
        )
        seen = {row["document_key"]: (row["landed_at"], orjson.loads(row["document"])) for row in rows}
        return {key: (at, _quantity(stock)) for key, (at, stock) in seen.items()}

    def moved_stocks(self) -> list[tuple[str, int | None, int | None]]:
        """Stocks that the shop changed since we wrote them: key, answered then, seen now."""
        table = self.stock_table
        if table is None or self.sync.stock is None:
            return []
        # Of what the engine finds different as text only the latest versions are looked at: they are few.
        quantity = (
            "CASE WHEN document ->> 'inventoryType' = 'infinite' THEN NULL ELSE document ->> 'quantity' END"
        )
        rows = self.session.rows(
            f"""WITH seen AS (SELECT document_key, landed_at, {quantity} AS quantity, CAST(document AS text) AS document
              FROM {table} WHERE connection = $2),
            moved AS (SELECT l.key, l.stock_answered, m.document_key, m.landed_at, m.document
              FROM reverse_etl.ledger AS l JOIN seen AS m ON m.document_key = l.remote_id AND l.stock_at < m.landed_at
                AND m.quantity IS DISTINCT FROM CAST(l.stock_answered AS text)
              WHERE l.destination = $1 AND l.connection = $2 AND l.sync = $3 AND NOT l.removed)
            SELECT key, stock_answered, document FROM moved WHERE NOT EXISTS (
              SELECT 1 FROM {table} AS newer WHERE newer.connection = $2
                AND newer.document_key = moved.document_key AND newer.landed_at > moved.landed_at) ORDER BY key""",
            (*self.sync.target, self.sync.name),
        )
        found = [
            (row["key"], row["stock_answered"], _quantity(orjson.loads(row["document"]))) for row in rows
        ]
        return [(key, answered, seen) for key, answered, seen in found if answered != seen]

    def latest(self, seen_at_param: int | None, *, keys_param: int | None = None) -> str:
        """The relation `latest`: document_key, mirror_hash, seen_at. A deleted document has a hash of its own.

        `keys_param` are the documents that it shall hold.
        """
        if self.table is None:
            # DuckDB wants every parameter to be used.
            unseen = f"${seen_at_param}" if seen_at_param else "NULL"
            return f"""latest AS (SELECT CAST(NULL AS text) AS document_key, CAST(NULL AS text) AS mirror_hash,
                CAST({unseen} AS timestamptz) AS seen_at WHERE false)"""
        seen_at = (
            f"greatest(landed_at, CAST(${seen_at_param} AS timestamptz))" if seen_at_param else "landed_at"
        )
        keys = f" AND document_key IN {listed(keys_param)}" if keys_param else ""
        columns = "document_hash, is_deleted, landed_at"
        where = f"connection = {literal(self.sync.connection)}{keys}"
        # DuckDB sorts for DISTINCT ON; Postgres takes the first rows of a window for few, and plans badly with that.
        versions = (
            _versions(self.table, columns, where)
            if self.dialect == "duckdb"
            else f"(SELECT DISTINCT ON (document_key) document_key, {columns} FROM {self.table} "
            f"WHERE {where} ORDER BY document_key, landed_at DESC) AS latest_versions"
        )
        return f"""latest AS (
            SELECT document_key, document_hash || CASE WHEN is_deleted THEN '-' ELSE '' END AS mirror_hash,
                   {seen_at} AS seen_at
            FROM {versions})"""

    def _of_documents(self, table: str) -> str:
        """Versions of some documents; parameter 1 is the connection, 2 are the documents."""
        return self.session.selective(table, f"connection = $1 AND document_key IN {listed(2)}")


def _versions(table: str, columns: str, where: str) -> str:
    """A subquery: the latest version of each document that `where` lets through."""
    return f"""(SELECT document_key, {columns} FROM (
        SELECT document_key, {columns}, row_number() OVER (PARTITION BY document_key ORDER BY landed_at DESC) AS nth
        FROM {table} WHERE {where}) AS versions WHERE nth = 1) AS latest_versions"""


def _quantity(stock: Mapping[str, Any]) -> int | None:
    return None if stock.get("inventoryType") == "infinite" else stock.get("quantity")


def literal(text: str) -> str:
    """A text inside SQL, for queries that are put together before they are run."""
    return "'" + text.replace("'", "''") + "'"
