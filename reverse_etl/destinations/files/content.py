"""Rows into bytes: CSV (RFC 4180, UTF-8), XLSX, Parquet, batch by batch, so that memory stays flat.

In CSV a text that a spreadsheet would take for a formula (it begins with = + - @, also in their full-width forms, or
with a tab or a line end) gets an apostrophe in front. XLSX stores texts as texts, and Parquet knows no formulas: both
keep them as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from reverse_etl.destinations.files.options import FileOptions

_FORMULA = r"^[=+\-@＝＋－＠\t\r\n]"
_SHEET_ROWS = 1_048_576
_CELL_CHARACTERS = 32_767


class DoesNotFit(Exception):
    """The rows cannot be a file of this format; the message says why and what to do."""


class Writer(Protocol):
    def write(self, batch: pa.RecordBatch) -> None: ...


def writing(path: Path, schema: pa.Schema, options: FileOptions) -> AbstractContextManager[Writer]:
    """A writer of batches of this schema into a new file. Raises `DoesNotFit`."""
    if options.format == "csv":
        return _csv(path, schema, options)
    return _xlsx(path, schema) if options.format == "xlsx" else _parquet(path, schema)


class _Csv:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def write(self, batch: pa.RecordBatch) -> None:
        columns = [_harmless(_as_text(column)) for column in batch.columns]
        self._inner.write_batch(pa.RecordBatch.from_arrays(columns, schema=_texts(batch.schema)))


@contextmanager
def _csv(path: Path, schema: pa.Schema, options: FileOptions) -> Iterator[Writer]:
    chosen = pyarrow.csv.WriteOptions(
        delimiter=options.delimiter,
        eol="\r\n" if options.line_end == "crlf" else "\n",
        quoting_style="needed",
    )
    with path.open("wb") as file, pyarrow.csv.CSVWriter(file, _texts(schema), write_options=chosen) as inner:
        yield _Csv(inner)


def _texts(schema: pa.Schema) -> pa.Schema:
    return pa.schema([(f.name, pa.string() if not _is_plain(f.type) else f.type) for f in schema])


def _is_plain(kind: pa.DataType) -> bool:
    """What the CSV writer prints well by itself; the rest is told in text."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_date32(kind)
        or pa.types.is_floating(kind)
    )


def _as_text(column: pa.Array) -> pa.Array:
    if _is_plain(column.type):
        return column
    if pa.types.is_timestamp(column.type):
        in_utc = column.cast(pa.timestamp("ms", "UTC"), safe=False)
        return pc.strftime(in_utc, format="%Y-%m-%dT%H:%M:%SZ")
    return column.cast(pa.string())


def _harmless(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type):
        return column
    is_formula = pc.match_substring_regex(column, _FORMULA)
    return pc.if_else(is_formula, pc.binary_join_element_wise("'", column, ""), column)


@contextmanager
def _parquet(path: Path, schema: pa.Schema) -> Iterator[Writer]:
    with pq.ParquetWriter(path, schema, compression="zstd") as inner:
        yield _Parquet(inner)


class _Parquet:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def write(self, batch: pa.RecordBatch) -> None:
        self._inner.write_batch(batch)


class _Xlsx:
    def __init__(self, book: Any, schema: pa.Schema) -> None:
        self._sheet = book.add_worksheet("rows")
        self._day = book.add_format({"num_format": "yyyy-mm-dd"})
        self._moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._row = 0
        for place, name in enumerate(schema.names):
            self._sheet.write_string(0, place, name)

    def write(self, batch: pa.RecordBatch) -> None:
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            self._row += 1
            if self._row >= _SHEET_ROWS:
                raise DoesNotFit(f"a sheet takes {_SHEET_ROWS - 1} rows; choose `format: csv` or `parquet`")
            for place, value in enumerate(row):
                self._cell(place, value)

    def _cell(self, place: int, value: Any) -> None:
        if value is None:
            return
        if isinstance(value, bool):
            self._sheet.write_boolean(self._row, place, value)
        elif isinstance(value, int | float | Decimal):
            self._sheet.write_number(self._row, place, value)
        elif isinstance(value, datetime):
            # A sheet knows no zones: times are UTC.
            naive = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
            self._sheet.write_datetime(self._row, place, naive, self._moment)
        elif isinstance(value, date):
            self._sheet.write_datetime(self._row, place, value, self._day)
        elif len(str(value)) > _CELL_CHARACTERS:
            raise DoesNotFit(
                f"row {self._row}: a cell takes {_CELL_CHARACTERS} characters; choose another format"
            )
        else:
            self._sheet.write_string(self._row, place, str(value))


@contextmanager
def _xlsx(path: Path, schema: pa.Schema) -> Iterator[Writer]:
    import xlsxwriter

    book = xlsxwriter.Workbook(path, {"constant_memory": True, "nan_inf_to_errors": True})
    try:
        yield _Xlsx(book, schema)
    finally:
        book.close()
