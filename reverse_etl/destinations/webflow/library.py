"""The asset library: marked files are fetched, made smaller where allowed, and uploaded (Webflow dossier §3).

Of a library the shop imports like of any public address; the values that are compared stay those of the source.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from karvon.addresses import Exceptions, ForbiddenAddress
from karvon.files import fetch_file, post_form
from karvon.http import Refused, RemoteError
from reverse_etl.destinations.webflow.client import WebflowClient
from reverse_etl.planning.images import MARK
from reverse_etl.state.operations import Operation

_NAME_LENGTH = 99
_FORMATS = {"PNG": ("png", "image/png"), "JPEG": ("jpg", "image/jpeg"), "WEBP": ("webp", "image/webp")}
_AS_IT_IS = {
    "SVG": "image/svg+xml",
    "GIF": "image/gif",
    "AVIF": "image/avif",
    **{name: kind for name, (_, kind) in _FORMATS.items()},
}
_MOST_PIXELS = 100_000_000


class Unsendable(Exception):
    """A file that the shop would not take; the message says why."""


@dataclass(frozen=True)
class Picture:
    """Bytes with the name and kind they are uploaded under."""

    content: bytes
    name: str
    content_type: str


class Library:
    """The files of one site. In a rehearsal nothing is fetched."""

    def __init__(self, client: WebflowClient, exceptions: Exceptions, *, is_rehearsal: bool = False) -> None:
        self._client, self._exceptions, self._is_rehearsal = client, exceptions, is_rehearsal
        self._uploaded: dict[str, str] = {}

    async def ready(self, operation: Operation) -> Operation:
        """The operation with every marked file where the shop can import it.

        Raises `Unsendable`, and `RemoteError` from Webflow's side.
        """
        data = operation.payload.get("fieldData")
        if not data or MARK not in str(data):
            return operation
        ready = {name: await self._value(value) for name, value in data.items()}
        return replace(operation, payload={**operation.payload, "fieldData": ready})

    async def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [await self._value(one) for one in value]
        if not isinstance(value, Mapping) or MARK not in value:
            return value
        bare = {name: part for name, part in value.items() if name != MARK}
        return {**bare, "url": await self._address(str(value["url"]), value[MARK])}

    async def _address(self, url: str, mark: Mapping[str, Any]) -> str:
        if self._is_rehearsal:
            return f"(asset library, if needed)/{_file_name(url)}"
        if url not in self._uploaded:
            try:
                content = await fetch_file(url, self._exceptions)
            except (ForbiddenAddress, RemoteError) as error:
                raise Unsendable(f"its file cannot be fetched: {error}") from None
            picture = await asyncio.to_thread(_prepared, content, url, mark)
            self._uploaded[url] = url if picture is None else await self._upload(picture)
        return self._uploaded[url]

    async def _upload(self, picture: Picture) -> str:
        digest = hashlib.md5(picture.content, usedforsecurity=False).hexdigest()
        try:
            asset = await self._client.create_asset({"fileName": picture.name, "fileHash": digest})
            await post_form(
                asset["uploadUrl"], asset["uploadDetails"], picture.name, picture.content, picture.content_type,
                self._exceptions,
            )  # fmt: skip
        except (ForbiddenAddress, Refused) as error:
            # It says nothing about other writes: a token may lack assets:write and do all else.
            raise Unsendable(f"its file cannot be uploaded: {error}") from None
        return str(asset["hostedUrl"])


def _prepared(content: bytes, url: str, mark: Mapping[str, Any]) -> Picture | None:
    """What is uploaded; None when the file can be imported from where it is."""
    name, most = _file_name(url), int(mark["max_bytes"])
    if mark["kind"] == "file":
        return Picture(content, name, _content_type(name)) if mark["upload"] else None
    kind = "SVG" if b"<svg" in content[:2000] else _kind(content)
    if kind in _AS_IT_IS and len(content) <= most:
        return Picture(content, name, _AS_IT_IS[kind]) if mark["upload"] else None
    if kind is None:
        raise Unsendable(
            "its file is no picture that can be read; the address may answer a page or need a login"
        )
    if not mark["shrink"]:
        raise Unsendable(
            f"its file has {len(content) / 1e6:.1f} MB ({kind}), the shop takes {most / 1e6:.1f} as PNG, JPEG or WebP; "
            "`images: {resize: true}` sends a smaller copy"
        )
    return shrunk(content, name, most)


def _content_type(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _kind(content: bytes) -> str | None:
    """Pillow's name of a bitmap's format."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as picture:
            return picture.format
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError):
        return None


def shrunk(content: bytes, name: str, max_bytes: int) -> Picture:
    """A copy under the limit: as large and as good as fits, turned upright, without metadata. Raises `Unsendable`."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content)) as opened:
            if getattr(opened, "is_animated", False):
                raise Unsendable("its file is animated and too big; a smaller copy would stand still")
            if opened.width * opened.height > _MOST_PIXELS:
                raise Unsendable(f"its file has {opened.width}×{opened.height} pixels, too many to work on")
            picture: Image.Image = ImageOps.exif_transpose(opened)
            picture.load()
    except (OSError, Image.DecompressionBombError) as error:
        raise Unsendable(f"its file cannot be read as a picture: {error}") from None
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    chosen = "WEBP" if has_alpha else "JPEG"
    picture = picture.convert("RGBA" if has_alpha else "RGB")
    extension, content_type = _FORMATS[chosen]
    while min(picture.size) > 16:
        buffer = io.BytesIO()
        picture.save(buffer, chosen, quality=88)
        if buffer.tell() <= max_bytes:
            return Picture(buffer.getvalue(), f"{PurePosixPath(name).stem}.{extension}", content_type)
        factor = max(0.5, min(0.9, (max_bytes / buffer.tell()) ** 0.5))
        picture = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    raise Unsendable(f"its file cannot be made smaller than {max_bytes} bytes")


def _file_name(url: str) -> str:
    """The source's name, short enough; its end is what a picture is recognised by later."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", unquote(PurePosixPath(urlsplit(url).path).name)) or "file"
    return name[-_NAME_LENGTH:]
