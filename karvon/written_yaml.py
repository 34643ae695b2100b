"""YAML and JSON that people write: read within limits, so that no file can hang, exhaust or crash its reader.

What is no regular file, too big, not UTF-8, nested too deep, or grows when its aliases are followed is told before
anything is built of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
MAX_NODES = 20_000
"""With every alias followed."""


class UnreadableYaml(Exception):
    """A file is no usable YAML or JSON; the message says why, `line` where (from 1), `text` what was read of it."""

    def __init__(self, message: str, line: int = 1, text: str = "") -> None:
        super().__init__(message)
        self.line, self.text = line, text


def read_text(path: Path, within: Path | None = None) -> str:
    """The text of a regular file that does not lead out of the folder `within`. Raises `UnreadableYaml`."""
    try:
        if within is not None and not path.resolve(strict=True).is_relative_to(within.resolve()):
            raise UnreadableYaml("is a link that leads out of the folder; put the file itself there")
        content = _beginning(path)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "it links to itself"
        raise UnreadableYaml(f"cannot be read ({reason}); check that it is there and its rights") from None
    if len(content) > MAX_BYTES:
        raise UnreadableYaml(
            f"is larger than {MAX_BYTES // 1024} KB; split it", text=content.decode("latin-1")
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableYaml(
            "is not UTF-8; save it again as UTF-8", line, content.decode("latin-1")
        ) from None


def _beginning(path: Path) -> bytes:
    # A pipe without a writer would be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableYaml("is no file; put a file of text there, or name it otherwise")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def parse(text: str) -> tuple[Any, Any]:
    """The tree of nodes with their marks (None of an empty text), and what it stands for. Raises `UnreadableYaml`."""
    try:
        _check_depth(text)
        loader = _Loader(text)
        try:
            tree = loader.get_single_node()
            if tree is None:
                return None, None
            _check_size(tree)
            return tree, loader.construct_document(tree)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
        raise UnreadableYaml(f"not valid YAML: {reason}", line + 1) from None


def parse_json(content: bytes) -> Any:
    """What a JSON document stands for. Raises `UnreadableYaml`."""
    if len(content) > MAX_BYTES:
        raise UnreadableYaml(f"is larger than {MAX_BYTES // 1024} KB; split it")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise UnreadableYaml(f"is not JSON: {error}", error.lineno) from None
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        level = [
            below
            for one in level
            if isinstance(one, dict | list)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
    if level:
        raise UnreadableYaml(f"is nested deeper than {MAX_DEPTH} levels")
    return document


class _Loader(yaml.CSafeLoader):
    """Tells where a value stands that looks like a date or a number and is none."""

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, ArithmeticError, TypeError, AttributeError, KeyError) as error:
            what = str(error)[:100]
            raise yaml.constructor.ConstructorError(
                None, None, f"{str(node.value)[:40]!r} is no value ({what}); put a text in quotes", node.start_mark
            ) from None  # fmt: skip


def _check_depth(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise UnreadableYaml(f"is nested deeper than {MAX_DEPTH} levels", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_size(tree: Any) -> None:
    """Count the nodes, those behind aliases as often as they are named; the way down is at most `MAX_DEPTH` long."""
    counted: dict[int, int] = {}

    def count(node: Any, above: tuple[int, ...]) -> int:
        if id(node) in above or len(above) > MAX_DEPTH:
            raise UnreadableYaml("an alias leads back to itself, or too deep", node.start_mark.line + 1)
        if id(node) not in counted:
            counted[id(node)] = 1 + sum(count(one, (*above, id(node))) for one in children(node))
        if counted[id(node)] > MAX_NODES:
            raise UnreadableYaml(
                f"has more than {MAX_NODES} values with its aliases followed", node.start_mark.line + 1
            )
        return counted[id(node)]

    count(tree, ())


def children(node: Any) -> Iterator[Any]:
    """The nodes right below one: keys and values of a mapping, members of a sequence."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value
