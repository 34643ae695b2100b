"""Personal data at the door: keyed hashes, and people who asked to be forgotten.

The key lives in the warehouse, in the restricted schema that also holds the plain values, so that SQL and this
file make the same hash (HMAC-SHA-256) and no rendered SQL ever contains it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from karvon.warehouse import Session
from pipelines.sources.user_apis.definition import DataSource, ResourceSpec
from pipelines.sources.user_apis.entities import ENTITIES
from pipelines.sources.user_apis.records import replace_at, value_at

SCHEMA = "restricted"
_BLOCK = 64
_PERSONAL = ("email", "phone", "name")
HASHED = "hmac:"
"""Begins a value that was landed as its keyed hash."""


@dataclass(frozen=True)
class Privacy:
    """The hash key, and the hashes of what must not be landed again: (user, hash)."""

    key: bytes
    suppressed: frozenset[tuple[str, str]]

    def hash_of(self, value: str) -> str:
        """Hex HMAC-SHA-256 of a normalised value."""
        return hmac.new(self.key, value.encode(), hashlib.sha256).hexdigest()


def prepare(session: Session) -> None:
    """Make the restricted schema with its key, once."""
    session.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    session.execute(
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.hash_key (key_hex text NOT NULL, inner_hex text NOT NULL, "
        "outer_hex text NOT NULL)"
    )
    session.execute(
        f"CREATE TABLE IF NOT EXISTS {SCHEMA}.suppressions (user_id text NOT NULL, value_hash text NOT NULL, "
        "suppressed_at timestamptz NOT NULL)"
    )
    if not session.value(f"SELECT count(*) FROM {SCHEMA}.hash_key"):
        key = secrets.token_bytes(32)
        padded = key.ljust(_BLOCK, b"\0")
        inner, outer = bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)
        session.execute(
            f"INSERT INTO {SCHEMA}.hash_key VALUES ($1, $2, $3)", (key.hex(), inner.hex(), outer.hex())
        )


def read(session: Session) -> Privacy:
    """The key and the suppression list; call `prepare` before."""
    rows = session.rows(f"SELECT user_id, value_hash FROM {SCHEMA}.suppressions")
    return Privacy(
        bytes.fromhex(str(session.value(f"SELECT key_hex FROM {SCHEMA}.hash_key"))),
        frozenset((row["user_id"], row["value_hash"]) for row in rows),
    )


def admitted(
    privacy: Privacy, source: DataSource, resource: ResourceSpec, records: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The records that may be landed, with personal values hashed where the source says so."""
    paths = personal_paths(resource)
    if not paths or (source.personal_data == "keep" and not privacy.suppressed):
        return list(records)
    return [
        _hashed(privacy, record, paths) if source.personal_data == "hash" else record
        for record in records
        if not _is_suppressed(privacy, source.user_id, record, paths)
    ]


def personal_paths(resource: ResourceSpec) -> Mapping[str, str]:
    """Field of ours → path in their record, of those that say who a person is."""
    known = ENTITIES[resource.entity] if resource.entity else {}
    return {
        name: mapping.path
        for name, mapping in resource.fields.items()
        if name in _PERSONAL and name in known and mapping.path
    }


def normalised(field: str, value: Any) -> str:
    """E-mails in lower case, phones as digits: the same rule as the models'."""
    text = str(value).strip()
    if field == "phone":
        digits = re.sub(r"[^0-9]", "", text)
        return digits.removeprefix("00")
    return text.lower()


def _is_suppressed(privacy: Privacy, user_id: str, record: Any, paths: Mapping[str, str]) -> bool:
    values = ((field, value_at(record, path)) for field, path in paths.items() if field != "name")
    return any(
        (user_id, privacy.hash_of(normalised(field, value))) in privacy.suppressed
        for field, value in values
        if value not in (None, "")
    )


def _hashed(privacy: Privacy, record: dict[str, Any], paths: Mapping[str, str]) -> dict[str, Any]:
    for field, path in paths.items():
        value = value_at(record, path)
        if value not in (None, ""):
            record = replace_at(record, path, HASHED + privacy.hash_of(normalised(field, value)))
    return record
