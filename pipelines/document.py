"""A document as it is stored: canonical JSON text and its hash."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson


def canonical_document(document: dict[str, Any], noise: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """Sorted keys, no spaces, without the noise, as UTF-8; and the hash of that text.

    NUL characters and lone surrogates are removed (Postgres refuses them); nothing else is touched. Raises `ValueError`
    for a document that cannot be stored: nested too deep.
    """
    kept = {key: value for key, value in document.items() if key not in noise} if noise else document
    try:
        body = orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        body = _stored_with_care(kept)
    if b"\\u0000" in body:
        body = _stored_with_care(kept)
    return body, hashlib.blake2b(body, digest_size=16).hexdigest()


def _stored_with_care(document: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(_storable(document), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise ValueError(f"the document cannot be stored: {error}") from None


def storable(text: str) -> str:
    """A text that both engines keep: without NUL characters and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**63:
        # Beyond 64 bits neither engine keeps it exact as a number.
        return str(value)
    return value
