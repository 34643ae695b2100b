"""An open folder: one call is one file, written beside its name and then moved there, with a manifest.

The order (file complete on disk, manifest complete on disk, file renamed, manifest renamed) lets `find` tell after a
kill whether the file is out, and finish the manifest if only that is missing.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from karvon.home import share_like_folder
from karvon.warehouse import Warehouse
from reverse_etl.destinations.files.content import DoesNotFit, writing
from reverse_etl.destinations.files.options import FileOptions
from reverse_etl.destinations.files.selection import Selection
from reverse_etl.planning import sets
from reverse_etl.planning.scan import Scan
from reverse_etl.spec.syncs import Sync
from reverse_etl.state.destination import Destination, Known, Outcome
from reverse_etl.state.operations import Operation

MANIFEST = ".manifest.json"
_MOVED = "its rows changed since the plan; plan again"


@dataclass(frozen=True)
class FilesChannel:
    """One folder; an async context manager. Rows come from the warehouse, never through the journal."""

    destination: Destination
    folder: Path
    warehouse: Warehouse
    syncs: Mapping[str, Sync]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    @property
    def requests(self) -> int:
        return 0

    @property
    def throttled(self) -> int:
        return 0

    async def prepare(self, call: Sequence[Operation], known: Known) -> list[Operation | Outcome]:
        return list(call)

    async def send(self, call: Sequence[Operation]) -> list[Outcome]:
        # In a thread, so that the lease is renewed while a big file is written.
        return [await asyncio.to_thread(self._send, one) for one in call]

    async def read(self, operation: Operation, known: Known) -> Mapping[str, Any] | None:
        # What was sent cannot be looked at.
        return None

    async def find(self, call: Sequence[Operation], known: Known) -> list[Outcome]:
        return [self._find(one) for one in call]

    def _send(self, operation: Operation) -> Outcome:
        sync = self.syncs[operation.sync]
        options = FileOptions.model_validate(dict(sync.options))
        place = _Place(self.folder, options.file_name(operation))
        try:
            with self._scan(sync) as scan:
                if not sets.take(scan, operation):
                    return Outcome(operation, "deferred", error=_MOVED)
                self.folder.mkdir(parents=True, exist_ok=True)
                rows, names = self._write(scan, operation, options, place)
                if not sets.still_stands(scan, operation):
                    place.discard()
                    return Outcome(operation, "deferred", error=_MOVED)
            place.publish(_manifest(operation, sync, place, rows, names))
            _retire(self.folder, operation.sync, options.keep)
        except (OSError, DoesNotFit) as error:
            place.discard()
            return Outcome(
                operation, "failed", error=f"{place.file}: {error}", permanent=isinstance(error, DoesNotFit)
            )
        return Outcome(operation, "done", note=f"{rows} rows in {place.file}")

    def _write(
        self, scan: Scan, operation: Operation, options: FileOptions, place: _Place
    ) -> tuple[int, list[str]]:
        selection = Selection(scan, operation, options)
        rows, numeric = 0, selection.numeric()
        with scan.session.batches(selection.query()) as batches:
            schema = selection.schema(batches.schema, numeric)
            with writing(place.draft, schema, options) as writer:
                for batch in batches:
                    writer.write(batch.cast(schema) if batch.schema != schema else batch)
                    rows += batch.num_rows
        return rows, list(schema.names)

    def _find(self, operation: Operation) -> Outcome:
        sync = self.syncs[operation.sync]
        place = _Place(self.folder, FileOptions.model_validate(dict(sync.options)).file_name(operation))
        if place.is_out(operation.plan_id):
            return Outcome(operation, "done", note=f"it was written before the run ended: {place.file}")
        place.discard()
        return Outcome(operation, "absent")

    @contextmanager
    def _scan(self, sync: Sync) -> Iterator[Scan]:
        with self.warehouse.session() as session:
            yield Scan(session, self.warehouse.dialect, sync, self.destination)


@dataclass(frozen=True)
class _Place:
    """Where one file goes, and the drafts beside it."""

    folder: Path
    name: str

    @property
    def file(self) -> Path:
        return self.folder / self.name

    @property
    def draft(self) -> Path:
        return self.folder / f".{self.name}.draft"

    @property
    def manifest(self) -> Path:
        return self.folder / f"{self.name}{MANIFEST}"

    @property
    def manifest_draft(self) -> Path:
        return self.folder / f".{self.name}{MANIFEST}.draft"

    def publish(self, manifest: Mapping[str, Any]) -> None:
        self.manifest_draft.write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        for draft in (self.draft, self.manifest_draft):
            share_like_folder(draft)
            _flush(draft)
        self.draft.replace(self.file)
        self.manifest_draft.replace(self.manifest)
        _flush(self.folder)

    def is_out(self, plan_id: str) -> bool:
        """Whether this plan's file is in its place; a manifest that is still a draft is put there too."""
        for path in (self.manifest, self.manifest_draft):
            told = _read(path)
            if (
                told.get("plan_id") == plan_id
                and self.file.is_file()
                and told.get("sha256") == digest_of(self.file)
            ):
                path.replace(self.manifest)
                self.draft.unlink(missing_ok=True)
                return True
        return False

    def discard(self) -> None:
        self.draft.unlink(missing_ok=True)
        self.manifest_draft.unlink(missing_ok=True)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(
    operation: Operation, sync: Sync, place: _Place, rows: int, names: Sequence[str]
) -> dict[str, Any]:
    return {
        "file": place.name,
        "model": f"{sync.schema_name}.{sync.table}",
        "sync": sync.name,
        "plan_id": operation.plan_id,
        "created_at": datetime.now(UTC),
        "rows": rows,
        "changes": dict(operation.rows),
        "columns": list(names),
        "bytes": place.draft.stat().st_size,
        "sha256": digest_of(place.draft),
    }


def _retire(folder: Path, sync: str, keep: int | None) -> None:
    """Delete the oldest files of a sync beyond so many; only what a manifest calls ours."""
    if keep is None:
        return
    ours = [(told["created_at"], path, told["file"]) for path in folder.glob(f"*{MANIFEST}")
            if (told := _read(path)).get("sync") == sync]  # fmt: skip
    for _, manifest, name in sorted(ours, reverse=True)[keep:]:
        (folder / Path(name).name).unlink(missing_ok=True)
        manifest.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        told = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return told if isinstance(told, dict) else {}


def _flush(path: Path) -> None:
    """Make a file, or the names in a folder, outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
