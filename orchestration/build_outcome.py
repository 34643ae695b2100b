"""What became of a build, from dbt's events: what is sound, and why the rest is not, in words for its author."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from orchestration.built_models import READS

_RESULTS = frozenset({"LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult"})
NO_EVENT = "Text"
"""The name of what dbt's process said that was no event: of a crash, the last line says what happened."""
_AT_LINE = re.compile(r"^\s*LINE \d+: (.*?)$", re.MULTILINE)
_QUOTED = re.compile(r"[\"'`]([^\"'`\n]+)[\"'`]")
_HEAD = re.compile(r"^\s*\w+ Error in \w+ [^\n]*\n")


@dataclass
class BuildOutcome:
    """Takes the events of one dbt call that builds `models`."""

    manifest: Mapping[str, Any]
    models: Collection[str]
    status: int = 0
    results: dict[str, str] = field(default_factory=dict)
    """Level of dbt's last word on a model or test."""
    errors: dict[str, str] = field(default_factory=dict)
    """What dbt said of a node that ended badly."""
    others: list[str] = field(default_factory=list)
    """Errors that are of no node."""
    last_words: str = ""

    def take(self, event: Mapping[str, Any]) -> bool:
        """Keep what an event says; whether it is the result of a model or a test."""
        info, data = event["info"], event["data"]
        node = (data.get("node_info") or {}).get("unique_id", "")
        if info["name"] in _RESULTS:
            self.results[node] = info["level"]
            return True
        if info["name"] == NO_EVENT:
            self.last_words = info["msg"] or self.last_words
        elif info["level"] == "error":
            # `RunResultFailure` says once more that there was an error, and not which.
            if node and info["name"] == "RunResultError":
                self.errors[node] = info["msg"]
            elif not node:
                self.others.append(info["msg"])
        return False

    @property
    def sound(self) -> list[str]:
        """Models that were built and that no failed test speaks against; the others stay stale."""
        return [model for model in self.models if model not in self.problems]

    @cached_property
    def problems(self) -> dict[str, str]:
        """By model that is not sound: its own fault, or which model that it reads has one. Asked once dbt has ended."""
        found: dict[str, str] = {}
        sources: dict[str, str] = {}
        for model in in_build_order(self.manifest, set(self.models)):
            above = next((one for one in self.manifest["parent_map"][model] if one in sources), None)
            if model in self.faults:
                found[model], sources[model] = self.faults[model], model
            elif above is not None:
                sources[model] = sources[above]
                found[model] = (
                    f"{READS}{_name(sources[above])}, which is not built: {found[sources[above]].splitlines()[0]}"
                )
            elif self.results.get(model, "error") == "error":
                found[model], sources[model] = "dbt ended before it was built", model
        return found

    @cached_property
    def faults(self) -> dict[str, str]:
        """By model: what is wrong with it itself. Its author's file comes first."""
        found: dict[str, str] = {}
        # A broken model fails in its unit test first, and is then left out by dbt without a word.
        for node, words in sorted(self.errors.items(), key=lambda one: one[0].startswith("model.")):
            for model in self._models_of(node):
                found[model] = self._told(model, node, words)
        for test, level in self.results.items():
            if level == "error":
                for model in self._models_of(test):
                    found.setdefault(model, f"{self._file(model)}: {_name(test)} failed")
        return found

    @property
    def message(self) -> str:
        """Every fault once, then what waits for it."""
        lines = [*dict.fromkeys(self.faults.values()), *self.others]
        if waiting := sorted(_name(model) for model in self.problems if model not in self.faults):
            lines.append(f"Not built because of this: {', '.join(waiting)}.")
        return "\n".join(lines) or f"dbt ended with status {self.status}. {self.last_words}".strip()

    def _models_of(self, node: str) -> list[str]:
        """The models that an error in a node speaks against."""
        if node.startswith(("test.", "unit_test.")):
            return [one for one in self.manifest["parent_map"].get(node, ()) if one in self.models]
        return [node] if node in self.models else []

    def _told(self, model: str, node: str, words: str) -> str:
        text = _HEAD.sub("", words).strip()
        if node.startswith("test."):
            return f"{self._file(model)}: {_name(node)}: {text}"
        if node.startswith("unit_test."):
            if "differs" in text:
                return f"{self._file(model)}: its unit test {_name(node)} expects other rows: {text}"
            text = text.partition("check the data types.")[2].strip() or text
            text = text.removeprefix("Runtime Error").strip()
        line = _line(self.manifest["nodes"][model].get("raw_code") or "", text)
        # The number of a line that nobody wrote leads nowhere.
        text = text[: at.start()].strip() if (at := _AT_LINE.search(text)) else text
        return f"{self._file(model)}{f':{line}' if line else ''}: {text}"

    def _file(self, model: str) -> str:
        return str(self.manifest["nodes"][model]["original_file_path"])


def in_build_order(manifest: Mapping[str, Any], models: Collection[str]) -> list[str]:
    """The models, each after those it reads."""
    graph = {model: set(manifest["parent_map"].get(model, ())) for model in manifest["nodes"]}
    return [model for model in TopologicalSorter(graph).static_order() if model in models]


def _name(unique_id: str) -> str:
    """`model.karvon.products` and `test.karvon.not_null_x.1a2b3c` without what surrounds the name."""
    return unique_id.split(".")[-1 if unique_id.startswith(("model.", "unit_test.")) else 2]


def _line(code: str, words: str) -> int | None:
    """The line of a model that the engine complains about. It saw the SQL that was made of it, with other numbers.

    It shows the text of a line (DuckDB not always of the right one) and quotes what it stumbled over.
    """
    lines = [line.partition("--")[0] for line in code.splitlines()]
    shown = _AT_LINE.search(words)
    text = shown[1].strip().strip(".").strip() if shown else ""
    there = next((at for at, line in enumerate(lines, 1) if text and text in line), None)
    quoted = _QUOTED.findall(words.partition("\n")[0])
    if not quoted or (there and "at or near" in words):
        return there

    def held(line: str) -> int:
        return sum(bool(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", line)) for word in quoted)

    # What was quoted first may be the table in which something is missing.
    best = max(range(len(lines)), key=lambda at: (held(lines[at]), at + 1 == there, -at), default=0)
    return best + 1 if lines and held(lines[best]) else there
