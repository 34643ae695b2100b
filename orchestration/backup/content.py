"""What a backup promises to hold, and the one error of backup and restore."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from karvon.warehouse import WarehouseError


class BackupError(WarehouseError):
    """A backup cannot be made or brought back; the message says why, and what is left as it was."""


@dataclass(frozen=True)
class Content:
    """Rows by `schema.table`, and the SHA-256 of each member of the archive that holds rows."""

    rows: Mapping[str, int]
    checksums: Mapping[str, str]
    """Empty for a backup that was made before they were kept."""

    def check(self, member: str, found: str, what: str = "") -> None:
        """Raises `BackupError` when a member is not what was saved."""
        if self.checksums and self.checksums.get(member) != found:
            raise BackupError(
                f"{what or member} in this backup is not what was saved (its checksum differs); the warehouse is as it "
                "was. Take another backup."
            )


class Summed:
    """A file that is read or written through, and its SHA-256 so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._checksum = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._checksum.update(content)
        return content

    def write(self, content: bytes) -> int:
        self._checksum.update(content)
        return self._file.write(content)

    def hexdigest(self) -> str:
        return self._checksum.hexdigest()
