"""Where something stands in a model's YAML, and a changed mapping written there with all else left as it is.

A file is read with marks (`karvon.written_yaml`): problems can name the line, and an edit replaces exactly the text of
the columns that change, so that comments, order and style of the rest survive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from karvon.written_yaml import UnreadableYaml, parse, read_text
from reverse_etl.spec.problems import MappingProblem

Meta = Mapping[str, Any]
"""`config.meta` of a column."""


class CannotEdit(Exception):
    """The file is not written in a way that can be edited safely; the message says what to write instead."""


def with_line(problem: MappingProblem, project: Path) -> MappingProblem:
    """The problem with the line of its mapping, its column, or its model; unchanged when the file is no usable YAML."""
    path = project / problem.file
    if path.suffix not in (".yml", ".yaml"):
        return problem
    try:
        tree, _ = parse(read_text(path))
    except UnreadableYaml:
        return problem
    model = _model(tree, problem.model)
    if model is None:
        return problem
    column = _named(_get(model, "columns"), problem.column) if problem.column else None
    found = _get(_get(_get(column, "config"), "meta"), "field") or _get(column, "name")
    sync = _get(_get(_get(model, "config"), "meta"), "sync")
    return replace(problem, line=(found or sync or model).start_mark.line + 1)


def with_mapping(text: str, model_name: str, columns: Mapping[str, Meta]) -> str:
    """The file's text with the `config.meta` of some columns of one model replaced.

    Raises `CannotEdit` when the result would not say exactly what was asked for.
    """
    try:
        tree, _ = parse(text)
    except UnreadableYaml as error:
        raise CannotEdit(f"the YAML of {model_name}, line {error.line}: {error}") from None
    model = _model(tree, model_name)
    if model is None:
        raise CannotEdit(f"the file has no model {model_name}")
    edits = []
    for name, meta in columns.items():
        column = _named(_get(model, "columns"), name)
        if not isinstance(column, MappingNode):
            raise CannotEdit(f"model {model_name} has no column {name} below `columns:`")
        edits.append(_edit(text, column, _flow(meta)))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    _prove(text, model_name, columns)
    return text


def _edit(text: str, column: MappingNode, meta: str) -> tuple[int, int, str]:
    """(from, to, new text). The meta is replaced where there is one, else written beside what is there."""
    config = _get(column, "config")
    if present := _get(config, "meta"):
        return present.start_mark.index, _end(text, present), meta
    if isinstance(config, MappingNode) and config.value:
        first = config.value[0][0].start_mark
        separator = ", " if config.flow_style else "\n" + " " * first.column
        return first.index, first.index, f"meta: {meta}{separator}"
    last = _end(text, column.value[-1][1])
    if column.flow_style:
        return last, last, f", config: {{meta: {meta}}}"
    indent = " " * column.value[0][0].start_mark.column
    return last, last, f"\n{indent}config: {{meta: {meta}}}"


def _end(text: str, node: Node) -> int:
    """Where a node's text ends; a block's mark stands at the beginning of what follows it."""
    end: int = node.end_mark.index
    while end > node.start_mark.index and text[end - 1] in " \n":
        end -= 1
    if isinstance(node, ScalarNode):
        return end
    # Comments between a block and what follows it belong to what follows.
    block = text[node.start_mark.index : end]
    lines = block.split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return int(node.start_mark.index) + len("\n".join(lines))


def _flow(meta: Meta) -> str:
    """`{field: brand, as: text}`, as the shipped files write it."""
    written: str = yaml.safe_dump(
        dict(meta), default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    )
    return written.strip()


def _prove(text: str, model_name: str, columns: Mapping[str, Meta]) -> None:
    try:
        model = next(one for one in parse(text)[1]["models"] if one["name"] == model_name)
        written = {one["name"]: (one.get("config") or {}).get("meta") or {} for one in model["columns"]}
    except (UnreadableYaml, LookupError, TypeError, StopIteration) as error:
        raise CannotEdit(
            f"the YAML of {model_name} cannot be edited here (anchors?), change its columns by hand: {error}"
        ) from None
    for name, meta in columns.items():
        if written[name] != dict(meta):
            raise CannotEdit(
                f"column {name} of {model_name} is written in a way that cannot be edited here (anchors?); "
                f"write its `config: {{meta: {_flow(meta)}}}` by hand"
            )


def _model(root: Node | None, name: str) -> Node | None:
    return _named(_get(root, "models"), name)


def _named(sequence: Node | None, name: str | None) -> Node | None:
    """The entry of a list of mappings that has this `name`."""
    if not isinstance(sequence, SequenceNode):
        return None
    return next((one for one in sequence.value if _text(_get(one, "name")) == name), None)


def _get(node: Node | None, key: str) -> Node | None:
    return next((value for name, value in _pairs(node) if name == key), None)


def _pairs(node: Node | None) -> Iterator[tuple[str | None, Node]]:
    if isinstance(node, MappingNode):
        yield from ((_text(key), value) for key, value in node.value)


def _text(node: Node | None) -> str | None:
    return str(node.value) if isinstance(node, ScalarNode) else None
