"""Pictures and files as they are: what is too big, not public or of a wrong kind is marked or held while planning.

Sizes and kinds come from a dbt model that the sync names (`images: {files: …}`), so that nothing is fetched to know
them. A marked file (`MARK` in its payload) is fetched, shrunk where allowed, and put into the destination's own
library by the channel, right before it is sent (`MARK` says what is allowed).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from karvon.warehouse import Session
from reverse_etl.spec.syncs import ImageSettings, Sync
from reverse_etl.spec.values import digest
from reverse_etl.state.ledger import keys_of, listed
from reverse_etl.state.operations import Finding, Operation

MARK = "$file"
PICTURES = frozenset(
    {"image/png", "image/jpeg", "image/jpg", "image/gif", "image/svg+xml", "image/webp", "image/avif"}
)
"""What Webflow takes as an image."""
SHRINKABLE = frozenset({"image/png", "image/jpeg", "image/jpg", "image/webp"})
CONVERTIBLE = frozenset({"image/tiff", "image/bmp", "image/x-ms-bmp"})
_CHUNK = 50_000


@dataclass(frozen=True)
class FileFacts:
    """What the warehouse knows of a file without fetching it; None where it does not know."""

    content_type: str | None
    size_bytes: int | None
    is_public: bool | None


def with_judged_pictures(
    session: Session, syncs: Sequence[Sync], operations: Sequence[Operation]
) -> tuple[list[Operation], list[Finding]]:
    """The operations whose files can be sent, marked where they need work, and findings for those that cannot."""
    by_name = {sync.name: sync for sync in syncs if sync.images != ImageSettings()}
    kept: list[Operation] = []
    findings: list[Finding] = []
    facts: dict[str, FileFacts] = {}
    for sync in by_name.values():
        urls = {
            image["url"] for one in operations if one.sync == sync.name for _, _, image in _files(sync, one)
        }
        facts |= _known(session, sync.images, sorted(urls))
    for one in operations:
        owner = by_name.get(one.sync)
        judged, found = (one, None) if owner is None else _judged(owner, one, facts)
        kept += [judged] if found is None else []
        findings += [found] if found else []
    return kept, findings


def judge(kind: str, settings: ImageSettings, facts: FileFacts | None) -> Mapping[str, Any] | str | None:
    """What must be done with one file: nothing (None), a mark, or the reason why it cannot be sent."""
    uploads = settings.upload != "never"
    mark = {
        "kind": "file" if kind == "file" else "image", "shrink": settings.resize, "upload": False,
        "max_bytes": settings.max_bytes,
    }  # fmt: skip
    if settings.upload == "always":
        mark["upload"] = True
    if facts is None or (facts.content_type is None and facts.size_bytes is None):
        return mark if uploads else None
    if kind != "file" and (reason := _wrong_kind(settings, facts)):
        return reason
    too_big = kind != "file" and (facts.size_bytes or 0) > settings.max_bytes
    if too_big and (reason := _too_big(settings, facts)):
        return reason
    if facts.is_public is False and not uploads:
        return "is not public, so the shop cannot fetch it; `images: {upload: when_needed}` uploads it"
    is_foreign = kind != "file" and facts.content_type in CONVERTIBLE
    if facts.is_public is False:
        mark["upload"] = True
    return mark if mark["upload"] or too_big or is_foreign else None


def marked(operations: Iterable[Operation]) -> int:
    """How many files may have to be announced to a library: a request each."""
    values = (value for one in operations for value in (one.payload.get("fieldData") or {}).values())
    images = (image for value in values for image in (value if isinstance(value, list) else [value]))
    return sum(isinstance(image, Mapping) and MARK in image for image in images)


def _wrong_kind(settings: ImageSettings, facts: FileFacts) -> str | None:
    kind = (facts.content_type or "").lower()
    if (
        not kind
        or kind in PICTURES
        or (kind in CONVERTIBLE and settings.resize and settings.upload != "never")
    ):
        return None
    if kind in CONVERTIBLE:
        return f"is {kind}, which the shop does not take; `images: {{resize: true, upload: when_needed}}` converts it"
    return f"is {kind}, no picture; send it to a File field (`as: file`) or a Link field (`as: text`)"


def _too_big(settings: ImageSettings, facts: FileFacts) -> str | None:
    size = f"has {(facts.size_bytes or 0) / 1e6:.1f} MB, the shop takes {settings.max_bytes / 1e6:.1f}"
    if facts.content_type in SHRINKABLE | CONVERTIBLE | {None}:
        if settings.resize and settings.upload != "never":
            return None
        return f"{size}; `images: {{resize: true, upload: when_needed}}` sends a smaller copy"
    return f"{size}, and {facts.content_type} cannot be made smaller; replace the file at the source"


def _judged(
    sync: Sync, operation: Operation, facts: Mapping[str, FileFacts]
) -> tuple[Operation, Finding | None]:
    data = dict(operation.payload.get("fieldData") or {})
    marked = False
    for field, kind, image in _files(sync, operation):
        verdict = judge(kind, sync.images, facts.get(image["url"]))
        if isinstance(verdict, str):
            message = f"{field}: {image['url']} {verdict}"
            return operation, Finding("not_ready", sync.name, operation.key, message, field)
        if verdict is not None:
            marked = True
            data[field] = _with_mark(data[field], image, verdict)
    if not marked:
        return operation, None
    payload = {**operation.payload, "fieldData": data}
    return replace(operation, payload=payload, payload_hash=digest(payload)), None


def _with_mark(value: Any, image: Mapping[str, Any], mark: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_with_mark(one, image, mark) for one in value]
    return {**value, MARK: dict(mark)} if value["url"] == image["url"] else value


def _files(sync: Sync, operation: Operation) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(field, kind, value) of every file that an operation sends."""
    data = operation.payload.get("fieldData") or {}
    for spec in sync.plain_fields:
        if spec.as_ in ("image", "images", "file") and data.get(spec.field):
            value = data[spec.field]
            for image in value if isinstance(value, list) else [value]:
                yield spec.field, spec.as_, image


def _known(session: Session, settings: ImageSettings, urls: Sequence[str]) -> dict[str, FileFacts]:
    if settings.files is None or not session.has_table(settings.files):
        return {}
    rows: Iterable[dict[str, Any]] = (
        row
        for start in range(0, len(urls), _CHUNK)
        for row in session.rows(
            f"SELECT url, content_type, file_size_bytes, is_public FROM {settings.files} WHERE url IN {listed(1)}",
            (keys_of(urls[start : start + _CHUNK]),),
        )
    )
    return {
        row["url"]: FileFacts(row["content_type"], row["file_size_bytes"], row["is_public"]) for row in rows
    }
