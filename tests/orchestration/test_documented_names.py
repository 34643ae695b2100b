"""Every `karvon …` that a page speaks of, in blocks and in prose, is a command with these options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from orchestration.cli import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    path
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("*/**/*.md")))
    # decisions.md keeps what was said at its time.
    if ".venv" not in path.parts and path.name != "decisions.md"
]
_IN_PROSE = re.compile(r"`(?:[A-Z_]+=\S+ )*(?:\.venv/bin/|docker compose exec code )?karvon ([^`]+)`")
_IN_BLOCKS = re.compile(
    r"^(?:\S*=\S+ |docker compose (?:exec|run) .*?code |    )*(?:\.venv/bin/)?karvon (.+)$", re.M
)


def spoken_of(page: Path) -> list[str]:
    text = page.read_text()
    blocks = "\n".join(re.findall(r"```(?:sh)?\n(.*?)```", text, re.S))
    prose = re.sub(r"```.*?```", "", text, flags=re.S).replace("\n", " ")
    return [one.split(" #")[0].strip() for one in (*_IN_PROSE.findall(prose), *_IN_BLOCKS.findall(blocks))]


def problem(line: str) -> str | None:
    """What is wrong with a command line, without running it."""
    command: click.Command = cli
    context = click.Context(cli)
    words = shlex.split(line.replace("[", " ").replace("]", " "))
    while words and isinstance(command, click.Group):
        if words[0].startswith("-") or (found := command.get_command(context, words[0])) is None:
            break
        command, words = found, words[1:]
    if command is cli and not words[0].startswith("-"):
        return f"there is no command {words[0]}"
    if command.context_settings.get("ignore_unknown_options"):
        return None
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    unknown = [
        word for word in words if word.startswith("-") and word.split("=")[0] not in options | {"--help"}
    ]
    if unknown:
        return f"{command.name} has no {', '.join(unknown)}"
    if (
        words
        and words[0][0] != "-"
        and isinstance(command, click.Group)
        and not command.invoke_without_command
    ):
        return f"{command.name} has no {words[0]}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_speaks_only_of_commands_and_options_that_there_are(page: Path) -> None:
    wrong = {line: told for line in spoken_of(page) if (told := problem(line))}
    assert not wrong


def test_a_command_or_option_that_there_is_not_is_noticed() -> None:
    assert problem("sync --now") == "there is no command sync"
    assert problem("run --fast") == "run has no --fast"
    assert problem("webflow fields") == "webflow has no fields"
    assert problem("webflow schema [COLLECTION] [--fresh]") is None
    assert any(spoken_of(page) for page in PAGES)
