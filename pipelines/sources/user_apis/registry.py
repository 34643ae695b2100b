"""The folder of YAML files that declare data sources. Every problem is told with file, line, key and way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from pipelines.sources.user_apis.definition import DataSource, User, Users
from pipelines.sources.user_apis.mapping import Spec

USERS_FILE = "users.yml"
_Loc = tuple[int | str, ...]
_Read = TypeVar("_Read", bound=Spec)


@dataclass(frozen=True)
class Problem:
    """What is wrong in one file."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f" {self.key}:" if self.key else ""
        return f"{self.file}:{self.line}:{place} {self.message}"


@dataclass(frozen=True)
class Registry:
    """What the folder holds. A file with a problem takes no part; the others do."""

    folder: Path
    sources: tuple[DataSource, ...]
    problems: tuple[Problem, ...]
    files: Mapping[str, Path]
    """`user_id/source_id` → its file."""
    users: Mapping[str, User]
    """Of every user who has a source."""


def read_registry(folder: Path) -> Registry:
    """All data sources below a folder, in the order of their names."""
    sources: dict[str, DataSource] = {}
    problems: list[Problem] = []
    files: dict[str, Path] = {}
    declared: dict[str, User] = {}
    for path in sorted((*folder.rglob("*.yml"), *folder.rglob("*.yaml"))):
        name = str(path.relative_to(folder))
        text = path.read_text(encoding="utf-8")
        if name == USERS_FILE:
            listed, wrong = read_yaml(Users, text, name)
            problems += wrong
            declared = {user.user_id: user for user in listed.users} if listed else {}
            continue
        source, wrong = read_yaml(DataSource, text, name)
        problems += wrong
        if source is None:
            continue
        if source.connection in sources:
            other = files[source.connection].relative_to(folder)
            problems.append(Problem(name, 1, "source_id", f"{source.connection} is declared in {other} too"))
            continue
        sources[source.connection], files[source.connection] = source, path
    problems += _wrong_links(sources, files, folder)
    users = {source.user_id: User(user_id=source.user_id) for source in sources.values()} | declared
    return Registry(folder, tuple(sources[name] for name in sorted(sources)), tuple(problems), files, users)


def read_yaml(spec: type[_Read], text: str, file: str) -> tuple[_Read | None, list[Problem]]:
    """One file: what it declares, or None and what is wrong with it."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        twice = list(_doubled(tree, file)) if tree else []
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        return None, [Problem(file, mark.line + 1 if mark else 1, "", f"not valid YAML: {reason}")]
    if twice:
        return None, twice
    if not isinstance(content, dict):
        needed = ", ".join(name for name, field in spec.model_fields.items() if field.is_required())
        return None, [Problem(file, 1, "", f"the file must hold {needed}")]
    try:
        return spec.model_validate(content), []
    except ValidationError as error:
        return None, [
            _problem(file, tree, one) for one in error.errors(include_url=False, include_input=False)
        ]


def _problem(file: str, tree: Any, error: Any) -> Problem:
    line, key = _place(tree, error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "unknown key; remove it or check its spelling"
    elif error["type"] == "missing":
        message = "is missing"
    return Problem(file, line, key, message)


def _place(node: Any, loc: _Loc) -> tuple[int, str]:
    """Line and key of the deepest part of a location that the file has; tags of unions are stepped over."""
    line, names = node.start_mark.line + 1, []
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if pair is None:
                if part == loc[-1]:
                    names.append(str(part))
                continue
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            continue
        names.append(str(part))
    return line, ".".join(names)


def _doubled(node: Any, file: str) -> Iterator[Problem]:
    """Keys that a mapping has twice: YAML would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield Problem(file, key.start_mark.line + 1, str(key.value), "is given twice")
            seen.add(key.value)
            yield from _doubled(value, file)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled(value, file)


def _wrong_links(sources: dict[str, DataSource], files: dict[str, Path], folder: Path) -> Sequence[Problem]:
    return [
        Problem(
            str(files[name].relative_to(folder)), 1, "links_to",
            f"{source.links_to!r} is no source of {source.user_id}",
        )
        for name, source in sources.items()
        if source.links_to and f"{source.user_id}/{source.links_to}" not in sources
    ]  # fmt: skip


def json_schema() -> dict[str, Any]:
    """The JSON Schema that editors complete and check a file with; made from the specs themselves."""
    schema = DataSource.model_json_schema(by_alias=True)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Karvon data source",
        **schema,
    }
