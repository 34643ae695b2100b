"""The bytes behind asset URLs: small real images, drawn from the asset's colour, shape and version."""

import struct
import zlib
from functools import lru_cache

from sandbox.state import Document

RGB = {
    "Black": (38, 38, 42), "White": (236, 236, 230), "Red": (196, 48, 43), "Navy": (28, 46, 92),
    "Forest Green": (34, 94, 58), "Мятный": (122, 205, 176), "Écru": (222, 206, 170), "Terracotta": (199, 98, 66),
}  # fmt: skip
BITMAPS = {
    "shirt": (
        "....##....##....", "..####....####..", ".######..######.", "################", "################",
        "####.######.####", ".##..######..##.", ".....######.....", ".....######.....", ".....######.....",
        ".....######.....", ".....######.....", ".....######.....", ".....######.....", ".....######.....",
        "................",
    ),
    "shoe": (
        "................", "................", "................", ".######.........", ".######.........",
        ".#######........", ".########.......", ".##########.....", ".############...", ".##############.",
        ".##############.", ".##############.", "................", ".##############.", ".##############.",
        "................",
    ),
    "tool": (
        "................", "...########.....", "..##########.##.", "..#############.", "..#############.",
        "..##########.##.", "......##........", "......##........", "......##........", "......##........",
        "......##........", "......##........", "......##........", ".....####.......", ".....####.......",
        "................",
    ),
    "detail": (
        "................", "..############..", "..#..........#..", "..#.########.#..", "..#.#......#.#..",
        "..#.#.####.#.#..", "..#.#.#..#.#.#..", "..#.#.#..#.#.#..", "..#.#.#..#.#.#..", "..#.#.####.#.#..",
        "..#.#......#.#..", "..#.########.#..", "..#..........#..", "..############..", "................",
        "................",
    ),
}  # fmt: skip
BOX = ("................", *("..############..",) * 14, "................")
SCALE = 14
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def file_content(asset: Document, *, thumb: bool) -> tuple[bytes, str]:
    """Bytes and content type. A new version of the file has another background."""
    if asset["extension"] == "pdf" and not thumb:
        return PDF, "application/pdf"
    return png(asset["color"], asset["shape"], asset["version"], 4 if thumb else SCALE), "image/png"


@lru_cache(maxsize=512)
def png(color: str, shape: str, version: int, scale: int) -> bytes:
    """A picture of 16 by 16 dots, each `scale` pixels wide, with a palette of two colours."""
    ink = RGB.get(color, (110, 110, 120))
    ground = (246, 244 - (version - 1) * 37 % 120, 239 - (version - 1) * 71 % 160)
    if sum(abs(one - other) for one, other in zip(ink, ground, strict=True)) < 60:
        ground = (128, 138, 150)
    rows = bytearray()
    for line in BITMAPS.get(shape, BOX):
        row = b"\0" + b"".join((b"\1" if dot == "#" else b"\0") * scale for dot in line)
        rows += row * scale
    side = 16 * scale
    header = struct.pack(">IIBBBBB", side, side, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", bytes((*ground, *ink))),
        (b"IDAT", zlib.compress(bytes(rows))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
