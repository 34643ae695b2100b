"""Bodies of answers: read and unpacked within a limit, and parsed exactly. What is wrong with one is a `ValueError`."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
import orjson

ACCEPTED = "gzip, deflate"
"""What we say that we can unpack (`Accept-Encoding`)."""

# More than 15 significant digits with a decimal point: doubles would round it. Looked for in a copy in which every
# digit and point is a 0 and everything else is not, which takes a tenth of the time that a pattern takes.
_LONG_DECIMAL = b"0" * 17
_DIGITS_AS_0 = bytes(ord("0") if chr(sign) in "0123456789." else ord(" ") for sign in range(256))


class TooLarge(ValueError):
    """Unpacked, a body would be larger than allowed."""


class TooDeep(ValueError):
    """JSON nested so deep that nobody could store it."""


def bounded(most: int) -> Callable[[httpx.Response], Awaitable[None]]:
    """A response hook of httpx: whoever reads the body, httpx itself too (of redirects, of sign-ins), gets it unpacked.

    Reading more than `most` bytes, packed or not, raises `httpx.DecodingError` because of a `TooLarge`; what is cut or
    rotten because of another `ValueError`.
    """

    async def hook(response: httpx.Response) -> None:
        # A transport in memory has it whole, and unpacked.
        if not response.is_stream_consumed:
            codings = response.headers.pop("content-encoding", "")
            response.stream = _Bounded(response.stream, codings, most)

    return hook


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: Any, codings: str, most: int) -> None:
        self._stream, self._codings, self._most = stream, codings, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        packed = bytearray()
        try:
            async for chunk in self._stream:
                packed += chunk
                if len(packed) > self._most:
                    raise TooLarge(f"it is larger than {self._most} bytes")
            yield unpacked(bytes(packed), self._codings, self._most)
        except ValueError as error:
            raise httpx.DecodingError(str(error)) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def unpacked(content: bytes, codings: str, most: int) -> bytes:
    """A body without its codings (`Content-Encoding`). Raises `TooLarge`; `ValueError` for what is cut or rotten."""
    for coding in reversed(codings.lower().split(",")):
        match coding.strip():
            case "" | "identity":
                continue
            case "gzip" | "x-gzip":
                content = _inflated(content, 31, most)
            case "deflate":
                # Some send it without its wrapping, against the standard.
                is_wrapped = (
                    len(content) > 1 and content[0] & 15 == 8 and int.from_bytes(content[:2]) % 31 == 0
                )
                content = _inflated(content, 15 if is_wrapped else -15, most)
            case other:
                raise ValueError(f"it is packed as {other[:20]!r}, which was not asked for")
    return content


def _inflated(content: bytes, window: int, most: int) -> bytes:
    whole = bytearray()
    # A gzip file may have several members, one behind the other; what else follows is not of it.
    while content and (not whole or content.startswith(b"\x1f\x8b")):
        inflater = zlib.decompressobj(window)
        try:
            whole += inflater.decompress(content, most + 1 - len(whole))
        except zlib.error as error:
            raise ValueError(f"it cannot be unpacked ({error})") from None
        if len(whole) > most:
            raise TooLarge(f"unpacked it is larger than {most} bytes")
        if not inflater.eof:
            raise ValueError("it is packed and cut short")
        content = inflater.unused_data
        if window != 31:
            break
    return bytes(whole)


def parse_json(content: bytes) -> Any:
    """Parse JSON fast, and exactly: a non-integer of more than 15 significant digits comes as a string.

    Raises `ValueError` for anything that is not JSON, `TooDeep` for what is nested without end.
    """
    if _LONG_DECIMAL not in content.translate(_DIGITS_AS_0):
        with suppress(orjson.JSONDecodeError):
            return orjson.loads(content)
    try:
        # Some APIs send raw line ends and tabs inside strings (Uzum dossier §1.3).
        return json.loads(content, parse_float=_exact_float, parse_constant=_no_number, strict=False)
    except RecursionError:
        raise TooDeep("it is nested too deep") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _exact_float(text: str) -> float | str:
    mantissa = re.split("[eE]", text)[0]
    digits = mantissa.replace("-", "").replace(".", "").lstrip("0")
    return text if len(digits) > 15 else float(text)
