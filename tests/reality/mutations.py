"""Inputs as hands, editors and scripts damage them: seeded, so that a failure can be made again."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e400, float("nan"), 10**30, 0.1, "", " ", "x" * 10_000, "\u0000", "\ud800", "№ 1", "${HOME}",
    "{{ 1 }}", "%s", "'; drop table x; --", "../../etc/passwd", "2026-13-45", "NaN", "no", "1E5", "00123",
    [], [[]], [None], {}, {"": {}}, {"a": [{"b": []}]}, ["x"] * 500,
)  # fmt: skip
_PIECES: tuple[bytes, ...] = (
    b"\x00", b"\xff", b"\xe9", b"\xef\xbb\xbf", b"\t", b"\r", b"\n\n", b"[" * 400, b"{" * 400, b"&a ", b"*a",
    b"<<: *a\n", b"!!python/object:os.system ", b"!!binary ", b"? ", b"- ", b": ", b"'", b'"', b"|", b">", b"%",
    b"@", b"`", b"#", b"---\n", b"...\n", b"2026-13-45", b"2026-01-01", b"0o17", b"1_000", b".inf", b"~", b"yes",
    "ў".encode("utf-16"), b"a: " * 300, b",,,,", b";", b"=1+1", b"\xf0\x9f\x90\xab",
)  # fmt: skip


def texts(original: bytes, count: int, seed: int) -> Iterator[bytes]:
    """So many damaged forms of a text."""
    draw = random.Random(seed)  # noqa: S311
    for _ in range(count):
        text = original
        for _ in range(draw.randint(1, 3)):
            text = draw.choice(_TEXT_FAULTS)(text, draw)
        yield text


def trees(original: Any, count: int, seed: int) -> Iterator[Any]:
    """So many damaged forms of what a text holds: a value of another kind, a key that is wrong, gone or new."""
    draw = random.Random(seed)  # noqa: S311
    for _ in range(count):
        tree = copy.deepcopy(original)
        for _ in range(draw.randint(1, 2)):
            _damage(tree, draw)
        yield tree


def _damage(tree: Any, draw: random.Random) -> None:
    places = [place for place in _containers(tree) if place]
    if not places:
        return
    place = draw.choice(places)
    key = draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
    fault = draw.randrange(4)
    if fault == 0:
        del place[key]
    elif fault == 1 and isinstance(place, dict):
        place[draw.choice((f"{key}s", str(key).upper(), "", "default", 7))] = place[key]
    elif fault == 2 and isinstance(place, list):
        place.append(place[key])
    else:
        place[key] = draw.choice(ODD_VALUES)


def _containers(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _containers(value)
    elif isinstance(tree, list):
        yield tree
        for value in tree:
            yield from _containers(value)


def _without(text: bytes, draw: random.Random) -> bytes:
    begin = draw.randrange(len(text) + 1)
    return text[:begin] + text[begin + draw.randint(1, 40) :]


def _with(text: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(text) + 1)
    return text[:place] + draw.choice(_PIECES) + text[place:]


def _cut_off(text: bytes, draw: random.Random) -> bytes:
    return text[: draw.randrange(len(text) + 1)]


def _line_twice(text: bytes, draw: random.Random) -> bytes:
    lines = text.splitlines(keepends=True) or [b""]
    place = draw.randrange(len(lines))
    return b"".join([*lines[:place], lines[place], *lines[place:]])


def _lines_swapped(text: bytes, draw: random.Random) -> bytes:
    lines = text.splitlines(keepends=True) or [b""]
    first, second = draw.randrange(len(lines)), draw.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def _indented_otherwise(text: bytes, draw: random.Random) -> bytes:
    lines = text.splitlines(keepends=True) or [b""]
    place = draw.randrange(len(lines))
    lines[place] = draw.choice((b" ", b"   ", b"\t")) + lines[place]
    return b"".join(lines)


def _other_encoding(text: bytes, draw: random.Random) -> bytes:
    return text.decode("utf-8", "replace").encode(draw.choice(("utf-16", "cp1251", "utf-8-sig")), "replace")


_TEXT_FAULTS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _without, _with, _with, _cut_off, _line_twice, _lines_swapped, _indented_otherwise, _other_encoding,
)  # fmt: skip
