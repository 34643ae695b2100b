"""Documents of an earlier version, landed anew where they stand: what their source does not keep today is taken out.

A resource that declares what it keeps (`Resource.kept`) lands nothing else; what was landed before it did holds more.
Each stored version, tombstones too, is pruned and hashed as landing would do it now, so that the next load of the same
documents finds them unchanged. Keys, times, loads and the number of versions stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

import orjson
import pyarrow as pa

from karvon.warehouse import Session
from pipelines.document import canonical_document
from pipelines.kept import Kept
from pipelines.source import Source

_Landed = Callable[[str], tuple[bytes, str]]


@dataclass(frozen=True)
class Relanded:
    """Of one table: versions that hold more than is kept today, of all that there are."""

    table: str
    outdated: int
    versions: int


def relanded(
    session: Session, sources: Collection[Source], also: Callable[[Collection[str]], None] | None
) -> list[Relanded]:
    """Take out of every table of these sources what they do not keep; all or nothing.

    `also` is told the tables that changed, in the same transaction. Without it nothing is written, only counted.
    """
    tables = [
        (f"{source.schema}.{resource.name}", resource.kept, resource.noise)
        for source in sources
        for resource in source.resources
        if resource.kept is not None
    ]
    with session.transaction():
        found = [
            _of_table(session, table, partial(_as_landed_now, kept, noise), write=also is not None)
            for table, kept, noise in tables
            if session.has_table(table)
        ]
        if also is not None:
            also([one.table for one in found if one.outdated])
    return found


def _as_landed_now(kept: Kept, noise: tuple[str, ...], document: str) -> tuple[bytes, str]:
    return canonical_document(kept.of(orjson.loads(document)), noise)


def _of_table(session: Session, table: str, landed: _Landed, *, write: bool) -> Relanded:
    outdated = versions = 0
    # A load is a bounded number of documents.
    for load_id in session.distinct(table, "_dlt_load_id"):
        rows = session.rows(
            f"SELECT document::text AS document, document_hash FROM {table} WHERE _dlt_load_id = $1",
            (load_id,),
        )
        changes = list(_changes(landed, rows))
        versions, outdated = versions + len(rows), outdated + len(changes)
        if write and changes:
            _replace(session, table, load_id, changes)
    return Relanded(table, outdated, versions)


def _changes(landed: _Landed, rows: list[dict[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Hash as stored; document and hash as they would be landed now, where that is another."""
    for row in rows:
        body, digest = landed(row["document"])
        if digest != row["document_hash"]:
            yield row["document_hash"], body.decode(), digest


def _replace(session: Session, table: str, load_id: str, changes: list[tuple[str, str, str]]) -> None:
    """The hash tells one document from another; several keys may have the same."""
    by_hash = {before: (document, after) for before, document, after in changes}
    session.execute("DROP TABLE IF EXISTS relanded")
    session.execute("CREATE TEMPORARY TABLE relanded (before text, document text, after text)")
    session.append(
        "relanded",
        pa.table(
            {
                "before": pa.array(by_hash, pa.string()),
                "document": pa.array([document for document, _ in by_hash.values()], pa.string()),
                "after": pa.array([after for _, after in by_hash.values()], pa.string()),
            }
        ),
    )
    session.execute(
        f"UPDATE {table} SET document = CAST(relanded.document AS json), document_hash = relanded.after FROM relanded "
        f"WHERE {table}._dlt_load_id = $1 AND {table}.document_hash = relanded.before",
        (load_id,),
    )
    session.execute("DROP TABLE relanded")
