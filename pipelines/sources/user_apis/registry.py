"""The folder of YAML files that declare data sources. Every problem is told with file, line, key and way out."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from karvon.written_yaml import UnreadableYaml, children, parse, read_text
from pipelines.sources.user_apis.definition import VARIABLE, DataSource, User, Users
from pipelines.sources.user_apis.grants import Grants
from pipelines.sources.user_apis.mapping import Spec

USERS_FILE = "users.yml"
_USER_ID = re.compile(r"(?m)^user_id:[ \t]*['\"]?([a-z][a-z0-9_]{0,62})['\"]?[ \t\r]*(?:#.*)?$")
"""In a file that cannot be parsed."""
_Loc = tuple[int | str, ...]
_Read = TypeVar("_Read", bound=Spec)


@dataclass(frozen=True)
class Problem:
    """What is wrong in one file."""

    file: str
    line: int
    key: str
    message: str
    user_id: str | None = None
    """Whose file it says it is, if that can be read."""

    def __str__(self) -> str:
        place = f" {self.key}:" if self.key else ""
        whose = f" (user {self.user_id})" if self.user_id else ""
        text = f"{self.file}:{self.line}:{place} {self.message}{whose}"
        # Names of files and keys are written by users: nothing in them moves a terminal's cursor or breaks a log.
        return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


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
    hidden: frozenset[tuple[str | None, str | None]] = frozenset()
    """User and source that files which take no part may declare; None stands for any."""

    def may_hide(self, user_id: str, source_id: str | None = None) -> bool:
        """Whether a user, or this source of theirs, may only seem to be gone because a file is wrong.

        A file whose user and source can be told hides that source alone, wherever it lies and whatever it is called.
        One whose source cannot be told may be any of its user, renamed. Whose it is the folder of a listed user says,
        else its text; when neither does it may be anybody's.
        """
        return any(
            user in (None, user_id) and (source_id is None or source in (None, source_id))
            for user, source in self.hidden
        )


def read_registry(folder: Path, grants: Grants = Grants()) -> Registry:  # noqa: B008 - frozen
    """All data sources below a folder, in the order of their names; what is wrong with a file is its own problem."""
    found = _Found(folder, grants)
    paths = list(_definition_files(folder, found))
    listed = [path for path in paths if found.name(path) == USERS_FILE]
    for path in listed:
        found.take_users(path)
    for path in paths:
        if path not in listed:
            found.read(path)
    found.choose()
    problems = [*found.problems, *_wrong_links(found.sources, found.files, folder)]
    users = {user_id: User(user_id=user_id) for user_id in {one.user_id for one in found.sources.values()}}
    ordered = tuple(found.sources[name] for name in sorted(found.sources))
    return Registry(
        folder, ordered, tuple(problems), found.files, users | found.declared, frozenset(found.hidden)
    )


def _definition_files(folder: Path, found: _Found) -> Iterator[Path]:
    """What is called as a definition, in the order of the names. Hidden folders are not looked into: mounted
    configuration keeps its versions there."""

    def unreadable(error: OSError) -> None:
        place = os.path.relpath(error.filename or folder, folder)
        found.take_unreadable(
            Problem(place, 1, "", f"the folder cannot be read ({error.strerror}); check its rights")
        )

    paths: list[Path] = []
    if folder.exists():
        for place, folders, files in os.walk(folder, onerror=unreadable):
            paths += [Path(place, name) for name in (*files, *folders) if name.endswith((".yml", ".yaml"))]
            folders[:] = [name for name in folders if not name.startswith(".")]
    yield from sorted(paths)


class _Found:
    """What was read so far. All are read before one is chosen: a name may be declared twice, or be another user's."""

    def __init__(self, folder: Path, grants: Grants) -> None:
        self._folder, self._grants = folder, grants
        self.problems: list[Problem] = []
        self.declared: dict[str, User] = {}
        self.sources: dict[str, DataSource] = {}
        self.files: dict[str, Path] = {}
        self.hidden: set[tuple[str | None, str | None]] = set()
        self._folders: list[str] = []
        self._read: list[tuple[Path, DataSource, Any]] = []
        self._ids: set[str] = set()
        """Ids of all users that any file names, usable or not."""

    def name(self, path: Path) -> str:
        return str(path.relative_to(self._folder))

    def take_unreadable(self, problem: Problem) -> None:
        """A folder into which nobody can look; whose it is is known when the users are."""
        self.problems.append(problem)
        self._folders.append(problem.file)

    def take_users(self, path: Path) -> None:
        listed, wrong, _ = _read_file(Users, path, self._folder)
        self.problems += wrong
        self.declared = {user.user_id: user for user in listed.users} if listed else {}

    def _owner(self, name: str) -> str | None:
        """The listed user in whose folder it lies."""
        first = Path(name).parts[0]
        return first if first in self.declared else None

    def read(self, path: Path) -> None:
        source, wrong, tree = _read_file(DataSource, path, self._folder)
        if user_id := _said(tree, "user_id"):
            self._ids.add(user_id)
        if source is None:
            says = user_id or next((one.user_id for one in wrong), None)
            owner = self._owner(self.name(path)) or says
            self.hidden.add((owner, _said(tree, "source_id") if owner == says else None))
        self.problems += [replace(one, user_id=user_id or one.user_id) for one in wrong]
        if source is not None:
            self._read.append((path, source, tree))

    def choose(self) -> None:
        """Of files that declare the same source the one in the user's own folder counts, else the first."""
        users = {*self.declared, *self._ids}
        self.hidden |= {(self._owner(name), None) for name in self._folders}
        for path, source, tree in sorted(self._read, key=self._rank):
            if wrong := [*self._foreign(path, source), *self._not_granted(path, source, tree, users)]:
                self.problems += wrong
                self.hidden.add((source.user_id, source.source_id))
            elif source.connection in self.sources:
                other = self.name(self.files[source.connection])
                self.problems.append(
                    Problem(
                        self.name(path), 1, "source_id", f"{source.connection} is declared in {other} too"
                    )
                )
            else:
                self.sources[source.connection], self.files[source.connection] = source, path

    def _rank(self, read: tuple[Path, DataSource, Any]) -> tuple[bool, Path]:
        path, source, _ = read
        return path.relative_to(self._folder).parts[0] != source.user_id, path

    def _foreign(self, path: Path, source: DataSource) -> Iterator[Problem]:
        """The folder of a user of `users.yml` holds sources of that user only: whoever writes there is that user."""
        owner = path.relative_to(self._folder).parts[0]
        if owner in self.declared and owner != source.user_id:
            yield Problem(
                self.name(path),
                1,
                "user_id",
                f"in the folder of {owner} only sources of {owner} are declared",
            )

    def _not_granted(
        self, path: Path, source: DataSource, tree: Any, users: Collection[str]
    ) -> Iterator[Problem]:
        for line, key, name in _variables(tree):
            if refusal := self._grants.refusal(source.user_id, name, users):
                yield Problem(self.name(path), line, key, refusal, source.user_id)


def _read_file(spec: type[_Read], path: Path, folder: Path) -> tuple[_Read | None, list[Problem], Any]:
    name = str(path.relative_to(folder))
    try:
        text = read_text(path, within=folder)
    except UnreadableYaml as error:
        said = _USER_ID.search(error.text)
        return None, [Problem(name, error.line, "", str(error), said and said[1])], None
    return _read_text(spec, text, name)


def read_yaml(spec: type[_Read], text: str, file: str) -> tuple[_Read | None, list[Problem]]:
    """One file: what it declares, or None and what is wrong with it."""
    found, problems, _ = _read_text(spec, text, file)
    return found, problems


def _read_text(spec: type[_Read], text: str, file: str) -> tuple[_Read | None, list[Problem], Any]:
    try:
        tree, content = parse(text)
    except UnreadableYaml as error:
        said = _USER_ID.search(text)
        return None, [Problem(file, error.line, "", str(error), said and said[1])], None
    if twice := list(_doubled(tree, file)):
        return None, twice, tree
    if not isinstance(content, dict):
        needed = ", ".join(name for name, field in spec.model_fields.items() if field.is_required())
        return None, [Problem(file, 1, "", f"the file must hold {needed}")], tree
    try:
        return spec.model_validate(content), [], tree
    except ValidationError as error:
        listed = error.errors(include_url=False, include_input=False)
        return None, [_problem(file, tree, one) for one in listed], tree


def _said(tree: Any, name: str) -> str | None:
    """Whose file it says it is, or which source, whatever else is wrong with it."""
    pairs = tree.value if isinstance(tree, yaml.MappingNode) else ()
    said = [value.value for key, value in pairs if key.value == name]
    # What is said twice is not said.
    one = said[0] if len(said) == 1 else None
    return one if isinstance(one, str) and re.fullmatch(r"[a-z][a-z0-9_]*", one) else None


def _variables(node: Any, key: str = "") -> Iterator[tuple[int, str, str]]:
    """Line, key and name of each variable that a file refers to, in keys too."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            yield from _variables(name, key)
            yield from _variables(value, f"{key}.{name.value}".lstrip("."))
    elif isinstance(node, yaml.ScalarNode):
        for found in VARIABLE.findall(node.value):
            yield node.start_mark.line + 1, key, found
    else:
        for one in children(node):
            yield from _variables(one, key)


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
            if not isinstance(key, yaml.ScalarNode):
                yield Problem(file, key.start_mark.line + 1, "", "a key is a text")
                continue
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
