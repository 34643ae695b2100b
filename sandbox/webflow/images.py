"""Import of remote files: every write of an image makes a new file (Webflow dossier §6, points 2 and 3)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from sandbox.state import State
from sandbox.webflow.asset_store import find_asset
from sandbox.webflow.errors import FileRefused

_LARGEST = 4 * 1024 * 1024
_IMAGES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif"})


class FileImports:
    """Files taken over while one request is checked; they become part of the shop if it succeeds.

    Nothing is fetched: a file of this sandbox is looked up in its state, all others are taken to exist.
    """

    def __init__(self, state: State, new_id: Callable[[], str]) -> None:
        self._state = state
        self._new_id = new_id
        self._taken: dict[str, dict[str, Any]] = {}

    def take(self, url: object, alt: object, *, images_only: bool) -> dict[str, Any]:
        """The value that a read will give for this file: {fileId, url, alt}.

        Raises:
            FileRefused: with the API's words, when the file cannot be imported.
        """
        if not isinstance(url, str) or not url:
            raise FileRefused("Expected value to have a 'url' field")
        parts = urlsplit(url)
        if re.search(r"\s", url) or parts.scheme not in {"http", "https"} or not parts.netloc:
            raise FileRefused(f"Remote file failed to import: {url}")
        size = self._size(url, parts.path)
        if size is None:
            raise FileRefused(f"Remote file failed to import: {url}")
        if images_only and size > _LARGEST:
            raise FileRefused(f"Remote file failed to import: {url}: file is larger than 4MB")
        suffix = PurePosixPath(parts.path).suffix.lower()
        if not suffix or (images_only and suffix not in _IMAGES):
            raise FileRefused("Unsupported file type")
        file_id = self._new_id()
        stem = re.sub(r"[^A-Za-z0-9._-]", "-", PurePosixPath(unquote(parts.path)).name)
        name = f"{file_id}_{stem}"
        self._taken[file_id] = {"source": url, "name": name}
        hosted = f"{self._state.public_url}/webflow/files/{file_id}/{name}"
        return {"fileId": file_id, "url": hosted, "alt": alt if isinstance(alt, str) else None}

    def _size(self, url: str, path: str) -> int | None:
        """Bytes of a file of this sandbox, None when it cannot be fetched; files from elsewhere are taken as small."""
        if url.startswith(f"{self._state.public_url}/plytix/files/"):
            return self._plytix_size(path)
        if url.startswith(f"{self._state.public_url}/webflow/files/assets/"):
            asset = find_asset(self._state, path.split("/")[4])
            return asset["size"] if asset and asset["content"] else None
        return 0

    def _plytix_size(self, path: str) -> int | None:
        """Of a file that Webflow's servers can reach: one that is not public, they cannot."""
        asset_id, _, name = path.removeprefix("/plytix/files/").partition("/")
        # Almost always the first is right, and asking which accounts there are costs a scan.
        for account in itertools.chain(["default"], self._state.accounts("plytix")):
            asset = self._state.collection(f"plytix/{account}/assets").get(asset_id)
            if asset is not None:
                is_reached = asset["filename"] == unquote(name) and asset.get("public", True)
                return int(asset["file_size"]) if is_reached else None
        return None

    def taken(self) -> list[tuple[str, dict[str, Any]]]:
        """(file id, {source, name}) of every file of this request."""
        return list(self._taken.items())
