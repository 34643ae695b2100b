"""Personal data at the door: keyed hashes, and people who asked to be forgotten.

The key lives in the warehouse, in the restricted schema that also holds the plain values, so that SQL and this
file make the same hash (HMAC-SHA-256) and no rendered SQL ever contains it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from karvon.warehouse import Session
from pipelines.sources.user_apis import persons
from pipelines.sources.user_apis.definition import DataSource, ResourceSpec
from pipelines.sources.user_apis.entities import ENTITIES
from pipelines.sources.user_apis.paths import Found, Route, route, walk

SCHEMA = "restricted"
_BLOCK = 64
_PERSONAL = ("email", "phone", "name")
HASHED = "hmac:"
"""Begins a value that was landed as its keyed hash."""
NO_CONTACT = frozenset({"-", "n/a", "na", "none", "null", "unknown", "no"})
"""What people write where there is nothing to write."""


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
    """The records that may be landed; where the source says `hash`, without persons but for keyed hashes of what the
    mapping needs."""
    paths = personal_paths(resource)
    wanted = [record for record in records if not _is_suppressed(privacy, source.user_id, record, paths)]
    if source.personal_data == "keep":
        return wanted
    needed, is_person = _needed(resource), resource.entity in ("lead", "customer")
    return [
        persons.scrubbed(record, _kept(privacy, record, paths, resource, needed), is_person=is_person)
        for record in wanted
    ]


def personal_paths(resource: ResourceSpec) -> Mapping[str, Sequence[str]]:
    """Field of ours → paths in their record, of those that say who a person is."""
    known = ENTITIES[resource.entity] if resource.entity else {}
    return {
        name: mapping.paths
        for name, mapping in resource.fields.items()
        if name in _PERSONAL and name in known
    }


def normalised(field: str, value: Any) -> str:
    """E-mails in lower case, phones as digits: the same rule as the models'."""
    text = str(value).strip()
    if field == "phone":
        digits = re.sub(r"[^0-9]", "", text)
        return digits.removeprefix("00")
    return text.lower()


def is_contact(field: str, text: str) -> bool:
    """Whether a text is an e-mail address or a phone number at all; what was hashed at the door is."""
    if text.startswith(HASHED):
        return True
    if field == "email":
        return re.fullmatch("[^@ ]+@[^@ ]+", text) is not None
    return "@" not in text and 4 <= len(re.sub("[^0-9]", "", text)) <= 20


def _is_suppressed(privacy: Privacy, user_id: str, record: Any, paths: Mapping[str, Sequence[str]]) -> bool:
    if not privacy.suppressed:
        return False
    values = (
        (field, found.value)
        for field, several in paths.items()
        if field != "name"
        for path in several
        for found in walk(record, route(path))
    )
    return any(
        (user_id, privacy.hash_of(normalised(field, value))) in privacy.suppressed
        for field, value in values
        if value not in (None, "")
    )


def _needed(resource: ResourceSpec) -> Sequence[Route]:
    """What the identity, the cursor, the conditions and the other fields of a record are read from."""
    fields = [mapping for name, mapping in resource.fields.items() if name not in _PERSONAL]
    conditions = [
        *resource.ignore, *resource.deleted,
        *(case.when for mapping in resource.fields.values() for case in mapping.cases),
    ]  # fmt: skip
    paths = [
        *resource.key_paths, *([resource.incremental.cursor] if resource.incremental else []),
        *(path for mapping in fields for path in mapping.paths), *(path for one in conditions for path in one),
    ]  # fmt: skip
    return [route(path) for path in paths]


def _kept(
    privacy: Privacy,
    record: Any,
    paths: Mapping[str, Sequence[str]],
    resource: ResourceSpec,
    needed: Sequence[Route],
) -> dict[tuple[str | int, ...], Any]:
    """What stays of a record although it is about a person, by its place: as it is, or hashed."""
    kept: dict[tuple[str | int, ...], Any] = {}
    for found in (found for one in needed for found in walk(record, one)):
        kept[found.at] = _key(privacy, found)
    for field, several in paths.items():
        values = [
            found for path in several for found in walk(record, route(path)) if found.value not in (None, "")
        ]
        if field == "name" and resource.fields[field].take == "join" and values:
            # One hash of the whole name, as of one that the API has in one piece.
            whole = resource.fields[field].separator.join(str(found.value).strip() for found in values)
            kept |= {found.at: None for found in values}
            kept[values[0].at] = HASHED + privacy.hash_of(normalised(field, whole))
        else:
            kept |= {found.at: _hashed(privacy, field, str(found.value)) for found in values}
    return kept


def _hashed(privacy: Privacy, field: str, text: str) -> str:
    """The keyed hash, or a mark where the text is not what the field says: a hash would hide that from the models."""
    if field == "name" or is_contact(field, text.strip()):
        return HASHED + privacy.hash_of(normalised(field, text))
    return text if text.strip().lower() in NO_CONTACT else persons.REMOVED


def _key(privacy: Privacy, found: Found) -> Any:
    """A value that only tells records apart is hashed where it is a person's, so that it still does."""
    value, key = found.value, next((step for step in reversed(found.at) if isinstance(step, str)), "")
    if isinstance(value, (dict, list)):
        return persons.scrubbed(value, {}, is_person=False)
    text = str(value)
    if value in (None, "") or isinstance(value, bool) or text.startswith(HASHED):
        return value
    if persons.is_personal(key) or persons.without_contacts(text) != text:
        return HASHED + privacy.hash_of(
            normalised("email" if "@" in text else "phone" if _is_phone(key) else "name", text)
        )
    return value


def _is_phone(key: str) -> bool:
    return any(word in key.lower() for word in ("phone", "tel", "mobile"))
