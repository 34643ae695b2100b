"""The set-based part of planning: which rows need a closer look. Cost of everything after it follows change.

Per row one hash over the mapped columns is computed by the engine and compared with the ledger's; what is equal
never leaves the warehouse. The SQL is the same on both engines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from karvon.warehouse import Dialect, Session
from reverse_etl.planning.mirror import Mirror
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Destination
from reverse_etl.state.ledger import keys_of, listed

CHUNK = 10_000
"""Rows that are compared at a time: each part reads the tables once."""


class ModelMissing(Exception):
    """A model's table is not as its sync needs it; the message says what to run."""


@dataclass(frozen=True)
class Candidate:
    """A row that is new, changed, or whose record changed in the shop."""

    key: str
    parent_key: str | None
    document_key: str | None
    mirror_hash: str | None
    is_fresh: bool
    """The mirror saw the record after our last write to it."""
    is_new: bool
    """The ledger does not know the row."""
    is_missing: bool
    """The mirror was read whole after our last write to it, and has never shown the record."""


@dataclass(frozen=True)
class Look:
    """What one pass over model, ledger and mirror found, each in the order of the keys."""

    candidates: list[Candidate]
    held: list[tuple[str, str]]
    """Key and reason."""
    gone: list[Candidate]
    """Rows of the ledger without a row in the model."""


@dataclass(frozen=True)
class Scan:
    """Planning queries of one sync. `parent` is the sync that owns its rows, if any."""

    session: Session
    dialect: Dialect
    sync: Sync
    destination: Destination
    parent: Sync | None = None

    @cached_property
    def mirror(self) -> Mirror:
        return Mirror(self.session, self.dialect, self.sync, self.destination)

    def check(self) -> None:
        """Raises `ModelMissing` when the model's table or one of its columns is not there."""
        columns = {
            row["column_name"]
            for row in self.session.rows(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2",
                (self.sync.schema_name, self.sync.table),
            )
        }
        if not columns:
            raise ModelMissing(
                f"{self.sync.schema_name}.{self.sync.table} does not exist: build it first "
                "(`karvon run --select transform`)."
            )
        if missing := [name for name in self.sync.columns if name not in columns]:
            raise ModelMissing(
                f"{self.sync.schema_name}.{self.sync.table} has no column {', '.join(missing)}, "
                f"but {self.sync.file} uses it: build the model again, or correct the YAML."
            )

    def look(self, only: Sequence[str] | None, rejected: Sequence[str], *, with_gone: bool) -> Look:
        """Rows to compare field by field, held ones and, if wanted, gone ones; `only` restricts them to some keys."""
        params = [*self.sync.target, self.sync.name, self.sync.mapping_hash, self.mirror.seen_at]
        # DuckDB wants every parameter to be used.
        differs = "l.key IS NULL AND $4 <> ''" if self.sync.mode == "once" else self._differs()
        mine = "true"
        if only is not None:
            params.append(keys_of(only))
            mine = f"key IN {listed(len(params))}"
        if rejected:
            params.append(keys_of(rejected))
            differs += f" AND d.key NOT IN {listed(len(params))}"
        # Not one condition per kind: Postgres takes `held IS NULL` for rare, and joins row by row what follows.
        rows = self.session.arrow(
            f"""WITH {self.desired()}, {self.mirror.latest(5)},
            ours AS (SELECT * FROM reverse_etl.ledger
              WHERE destination = $1 AND connection = $2 AND sync = $3 AND {mine})
            SELECT coalesce(d.key, l.key) AS key, d.parent_key, m.document_key, m.mirror_hash,
                   coalesce(m.seen_at > l.applied_at, true) AS is_fresh,
                   l.key IS NULL AS is_new, {self._is_missing()} AS is_missing, d.held, d.key IS NULL AS is_gone
            FROM (SELECT * FROM desired WHERE {mine}) AS d
            {"FULL" if with_gone else "LEFT"} JOIN ours AS l ON l.key = d.key
            LEFT JOIN latest AS m ON m.document_key = l.{self.destination.document_of(self.sync)}
            WHERE CASE WHEN d.key IS NULL THEN NOT l.removed WHEN d.held IS NOT NULL THEN true
                  ELSE {differs} END ORDER BY 1""",
            params,
        )
        return _look(rows.to_pylist())

    def standings(self) -> dict[str, tuple[int, int]]:
        """How rows stand → rows, and how many of them have a stock.

        absent: not in the destination; different: something may differ; settled: nothing does.
        """
        rows = self.session.rows(
            f"""WITH {self.desired()}, {self.mirror.latest(5)}
            SELECT {self._standing()} AS standing, count(*) AS rows, count(d.stock) AS stocks
            FROM {self._joined()} GROUP BY 1""",
            (*self.sync.target, self.sync.name, self.sync.mapping_hash, self.mirror.seen_at),
        )
        return {row["standing"]: (int(row["rows"]), int(row["stocks"])) for row in rows}

    def different(self) -> list[str]:
        """Keys of rows in the destination of which something may differ, held ones among them."""
        rows = self.session.rows(
            f"""WITH {self.desired()}, {self.mirror.latest(5)}
            SELECT DISTINCT d.key FROM {self._joined()} WHERE {self._standing()} = 'different' ORDER BY d.key""",
            (*self.sync.target, self.sync.name, self.sync.mapping_hash, self.mirror.seen_at),
        )
        return [row["key"] for row in rows]

    def leaving(self, gone: Sequence[Candidate]) -> list[Candidate]:
        """Which of the gone rows leave the destination.

        A child counts as gone only while its parent stays: a parent takes its children along. Held parents hold.
        """
        if not gone or self.parent is None:
            return list(gone)
        held = f"AND p.{quoted(self.parent.held)} IS NULL" if self.parent.held else ""
        rows = self.session.rows(
            f"""SELECT l.key FROM reverse_etl.ledger AS l
            JOIN reverse_etl.ledger AS pl ON pl.destination = $1 AND pl.connection = $2
              AND pl.sync = $5 AND pl.remote_id = l.parent_remote_id
            JOIN {self.parent.relation} AS p ON CAST(p.{quoted(self.parent.key)} AS text) = pl.key
            WHERE l.destination = $1 AND l.connection = $2 AND l.sync = $3 AND l.key IN {listed(4)} {held}""",
            (*self.sync.target, self.sync.name, keys_of(one.key for one in gone), self.parent.name),
        )
        keys = {row["key"] for row in rows}
        return [one for one in gone if one.key in keys]

    def held(self, only: Sequence[str] | None) -> list[dict[str, Any]]:
        """Held rows with their reasons."""
        params: list[Any] = [] if only is None else [keys_of(only)]
        condition = "" if only is None else f"AND key IN {listed(1)}"
        return self.session.rows(
            f"WITH {self.desired()} SELECT key, held FROM desired WHERE held IS NOT NULL {condition} ORDER BY key",
            params,
        )

    def rejects(self) -> list[dict[str, Any]]:
        """Rows that have no key or share one: key, count."""
        return self.session.rows(
            f"SELECT key, count(*) AS count FROM (SELECT {self._key()} AS key FROM {self.sync.relation}) AS keys "
            "GROUP BY key HAVING key IS NULL OR count(*) > 1 ORDER BY key"
        )

    def sizes(self) -> tuple[int, int]:
        """Rows in the model, and rows of ours in the shop."""
        desired = self.session.value(f"SELECT count(*) FROM {self.sync.relation}")
        existing = self.session.value(
            "SELECT count(*) FROM reverse_etl.ledger WHERE destination = $1 AND connection = $2 AND sync = $3 "
            "AND NOT removed",
            (*self.sync.target, self.sync.name),
        )
        return int(desired), int(existing)

    def rows(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Whole rows of the model by key, with `row_hash`."""
        if not keys:
            return {}
        columns = ", ".join(quoted(name) for name in self.sync.columns)
        these = f"{self._key()} IN {listed(1)}"
        found = self.session.arrow(
            f"SELECT {self._key()} AS _key, {self._hash()} AS _hash, {columns} FROM {self.sync.relation} "
            f"WHERE {self.session.selective(self.sync.relation, these) if self._is_table else these}",
            (keys_of(keys),),
        )
        return {row["_key"]: row for row in found.to_pylist()}

    @cached_property
    def _is_table(self) -> bool:
        """Whether the model is no view, whose rows have no numbers."""
        kind = self.session.value(
            "SELECT table_type FROM information_schema.tables WHERE table_schema = $1 AND table_name = $2",
            (self.sync.schema_name, self.sync.table),
        )
        return bool(kind == "BASE TABLE")

    def children_of(self, keys: Sequence[str], column: str) -> list[dict[str, Any]]:
        """Key, parent_key and one column of the rows that these parents own."""
        if self.sync.parent is None or not keys:
            return []
        parent = f"CAST({quoted(self.sync.parent.column)} AS text)"
        return self.session.rows(
            f"SELECT {self._key()} AS key, {parent} AS parent_key, {quoted(column)} AS value "
            f"FROM {self.sync.relation} WHERE {parent} IN {listed(1)}",
            (keys_of(keys),),
        )

    def keys_like(self, key: str) -> list[str]:
        """The key itself, in all its locales, if the model or the ledger has it."""
        return [
            row["key"]
            for row in self.session.rows(
                f"""SELECT {self._key()} AS key FROM {self.sync.relation}
                WHERE CAST({quoted(self.sync.key)} AS text) = $1
                UNION SELECT key FROM reverse_etl.ledger
                WHERE key = $1 AND destination = $2 AND connection = $3 AND sync = $4""",
                (key, *self.sync.target, self.sync.name),
            )
        ]

    def keys_with(self, column: str, value: str) -> list[str]:
        """Keys of the rows with this text in a column."""
        rows = self.session.rows(
            f"SELECT {self._key()} AS key FROM {self.sync.relation} "
            f"WHERE CAST({quoted(column)} AS text) = $1 ORDER BY 1",
            (value,),
        )
        return [row["key"] for row in rows if row["key"] is not None]

    def _joined(self) -> str:
        """Rows of the model with what the ledger and the mirror know of them; parameters 1 to 3 name the sync."""
        return f"""desired AS d
            LEFT JOIN reverse_etl.ledger AS l
              ON l.destination = $1 AND l.connection = $2 AND l.sync = $3 AND l.key = d.key
            LEFT JOIN latest AS m ON m.document_key = l.{self.destination.document_of(self.sync)}"""

    def _standing(self) -> str:
        return f"""CASE WHEN l.key IS NULL OR l.removed THEN 'absent'
              WHEN {self._differs()} THEN 'different' ELSE 'settled' END"""

    def _differs(self) -> str:
        """Whether a joined row needs a closer look; parameter 4 is the hash of the mapping. Never null."""
        stock = "OR l.stock_sent IS DISTINCT FROM d.stock" if self.sync.stock else ""
        return f"""(l.key IS NULL OR l.row_hash <> d.row_hash OR l.mapping_hash <> $4 OR l.removed {stock}
              OR {self._is_missing()}
              OR coalesce(m.mirror_hash IS DISTINCT FROM l.mirror_hash AND m.seen_at > l.applied_at
                          AND m.mirror_hash IS NOT NULL, false))"""

    def _is_missing(self) -> str:
        """Whether a joined row's record is in no document, although all were read since; parameter 5 says when."""
        return f"""coalesce(m.document_key IS NULL AND l.{self.destination.document_of(self.sync)} IS NOT NULL
              AND l.applied_at < CAST($5 AS timestamptz), false)"""

    def unambiguous(self) -> str:
        """A query over `desired`: rows that are not held and have their key for themselves."""
        twice = "SELECT key FROM desired GROUP BY key HAVING count(*) > 1"
        return f"SELECT * FROM desired WHERE held IS NULL AND key NOT IN ({twice})"

    def desired(self) -> str:
        """The relation `desired`: key, parent_key, stock, held, row_hash of every row that has a key."""
        sync = self.sync
        held = f"CAST(d.{quoted(sync.held)} AS text)" if sync.held else "NULL"
        parent_key = f"CAST(d.{quoted(sync.parent.column)} AS text)" if sync.parent else "NULL"
        join = ""
        if self.parent and sync.parent:
            join = f"LEFT JOIN {self.parent.relation} AS p ON CAST(p.{quoted(self.parent.key)} AS text) = {parent_key}"
            theirs = f"CAST(p.{quoted(self.parent.held)} AS text)" if self.parent.held else "NULL"
            held = (
                f"coalesce({held}, CASE WHEN p.{quoted(self.parent.key)} IS NULL "
                f"THEN 'its row in {self.parent.name} is missing' ELSE 'its product is not ready: ' || {theirs} END)"
            )
        stock = f"d.{quoted(sync.stock.column)}" if sync.stock else "NULL"
        return f"""desired AS (
            SELECT {self._key("d.")} AS key, CAST({parent_key} AS text) AS parent_key,
                   CAST({stock} AS bigint) AS stock, CAST({held} AS text) AS held, {self._hash("d.")} AS row_hash
            FROM {sync.relation} AS d {join} WHERE d.{quoted(sync.key)} IS NOT NULL)"""

    def _key(self, prefix: str = "") -> str:
        """The row's key as SQL; rows in another than the primary locale are `<key>@<locale>`."""
        key = f"CAST({prefix}{quoted(self.sync.key)} AS text)"
        if self.sync.locale is None:
            return key
        locale = f"nullif(CAST({prefix}{quoted(self.sync.locale)} AS text), '')"
        return f"({key} || coalesce('@' || {locale}, ''))"

    def _hash(self, prefix: str = "") -> str:
        """Null and text never look alike, and values never run into each other."""
        parts = [
            f"coalesce('=' || CAST({prefix}{quoted(name)} AS text), '0')" for name in self.sync.hashed_columns
        ]
        # One long text made at once, not joined piece by piece; Postgres takes a hundred arguments.
        texts = (f"concat_ws(chr(31), {', '.join(some)})" for some in chunks(parts, 90))
        text = " || chr(31) || ".join(texts)
        # Asked of every row of the model by every plan; on DuckDB md5 was a third of that query.
        return f"CAST(hash({text}) AS text)" if self.dialect == "duckdb" else f"md5({text})"


def _look(rows: Sequence[dict[str, Any]]) -> Look:
    look = Look([], [], [])
    for row in rows:
        held, is_gone = row.pop("held"), row.pop("is_gone")
        if is_gone:
            look.gone.append(Candidate(**row))
        elif held is not None:
            look.held.append((row["key"], held))
        else:
            look.candidates.append(Candidate(**row))
    return look


def chunks(keys: Sequence[Any], size: int = CHUNK) -> Iterator[Sequence[Any]]:
    """Equal parts, so that memory stays flat."""
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


def quoted(name: str) -> str:
    """A column's name inside SQL."""
    return '"' + name.replace('"', '""') + '"'
