"""Which rows and columns of the model a file holds, as one query, and their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from reverse_etl.destinations.files.options import FileOptions
from reverse_etl.planning.mirror import literal
from reverse_etl.planning.scan import Scan, quoted
from reverse_etl.state.operations import Operation


@dataclass(frozen=True)
class Selection:
    """The rows of one export, in the order of their keys."""

    scan: Scan
    operation: Operation
    options: FileOptions

    def query(self) -> str:
        sync = self.scan.sync
        key = f"CAST(m.{quoted(sync.key)} AS text)"
        if self.options.export == "full":
            columns = ", ".join(f"m.{quoted(f.column)} AS {quoted(f.field)}" for f in sync.fields)
            return (
                f"WITH {self.scan.desired()}, chosen AS ({self.scan.unambiguous()}) SELECT {columns} "
                f"FROM {sync.relation} AS m JOIN chosen AS c ON c.key = {key} ORDER BY c.key"
            )
        # Of a removed row only the key is known.
        columns = ", ".join(
            f"{'s.key' if f.column == sync.key else 'm.' + quoted(f.column)} AS {quoted(f.field)}"
            for f in sync.fields
        )
        return (
            f"SELECT s.action AS _action, {columns} FROM reverse_etl.sets AS s LEFT JOIN {sync.relation} AS m "
            f"ON {key} = s.key AND s.action <> 'delete' WHERE s.plan_id = {literal(self.operation.plan_id)} "
            f"AND s.seq = {self.operation.seq} ORDER BY s.key"
        )

    def schema(self, read: pa.Schema, numeric: Mapping[str, pa.DataType]) -> pa.Schema:
        """The read types, but numbers as numbers: Postgres hands numeric over as text."""
        kinds = {f.field: numeric.get(f.column) for f in self.scan.sync.fields}
        return pa.schema(
            [
                (f.name, kinds[f.name] if kinds.get(f.name) and _is_text(f.type) else _storage(f.type))
                for f in read
            ]
        )

    def numeric(self) -> dict[str, pa.DataType]:
        """Types of the numeric columns by name, for `schema`; asked before the rows, which keep the session busy."""
        sync = self.scan.sync
        rows = self.scan.session.rows(
            "SELECT column_name, numeric_precision, numeric_scale FROM information_schema.columns "
            "WHERE table_schema = $1 AND table_name = $2 AND lower(data_type) IN ('numeric', 'decimal')",
            (sync.schema_name, sync.table),
        )
        return {
            row["column_name"]: pa.decimal128(row["numeric_precision"], row["numeric_scale"])
            if row["numeric_precision"] and row["numeric_precision"] <= 38
            else pa.float64()
            for row in rows
        }


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(_storage(kind)))


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
