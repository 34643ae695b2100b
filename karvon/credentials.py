"""The encrypted credential store: tokens that change by themselves, such as OAuth2 refresh tokens.

One file, each entry encrypted on its own with the first key of `KARVON_CREDENTIALS_KEY`. To change the key, put
the new one in front (`new,old`), run `karvon auth rotate`, and take the old one out.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from karvon.redaction import remember


class CredentialError(Exception):
    """The store cannot be used; the message says why and what to do."""


def new_key() -> str:
    """A fresh key for `KARVON_CREDENTIALS_KEY`."""
    return Fernet.generate_key().decode()


class CredentialStore:
    """Named entries of text values. Safe between threads and processes of one machine."""

    def __init__(self, path: Path, keys: Sequence[str]) -> None:
        """Raises `CredentialError` for a missing or malformed key."""
        if not keys:
            raise CredentialError(
                "KARVON_CREDENTIALS_KEY is not set, and signed-in sources need it: make one with `karvon auth key`."
            )
        try:
            self._cipher = MultiFernet([Fernet(key) for key in keys])
        except ValueError:
            raise CredentialError(
                "KARVON_CREDENTIALS_KEY is not a key: make one with `karvon auth key`; several, the newest first, are "
                "separated by commas."
            ) from None
        self._path = path

    def names(self) -> list[str]:
        return sorted(self._content())

    def read(self, name: str) -> dict[str, str] | None:
        """An entry, or None. Raises `CredentialError` when no key opens it."""
        sealed = self._content().get(name)
        if sealed is None:
            return None
        try:
            opened: dict[str, str] = json.loads(self._cipher.decrypt(sealed))
        except InvalidToken:
            raise CredentialError(
                f"No key in KARVON_CREDENTIALS_KEY opens the credentials of {name}: put the key back with which they "
                f"were stored, or sign in again with `karvon auth login {name}`."
            ) from None
        remember(*opened.values())
        return opened

    def write(self, name: str, values: Mapping[str, str]) -> None:
        with self._changing() as content:
            content[name] = self._cipher.encrypt(json.dumps(dict(values)).encode()).decode()

    def forget(self, name: str) -> bool:
        """Whether there was such an entry."""
        with self._changing() as content:
            return content.pop(name, None) is not None

    def rotate(self) -> int:
        """Encrypt every entry with the first key; returns how many there are."""
        with self._changing() as content:
            for name, sealed in content.items():
                try:
                    content[name] = self._cipher.rotate(sealed).decode()
                except InvalidToken:
                    raise CredentialError(
                        f"No key opens the credentials of {name}; nothing was changed."
                    ) from None
            return len(content)

    def _content(self) -> dict[str, str]:
        if not self._path.is_file():
            return {}
        content: dict[str, str] = json.loads(self._path.read_text(encoding="utf-8"))
        return content

    @contextmanager
    def _changing(self) -> Iterator[dict[str, str]]:
        """The whole content, written back at once if nothing went wrong; one process at a time."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self._content()
            yield content
            fresh = self._path.with_suffix(".new")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
