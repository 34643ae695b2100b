"""Every command, called in odd ways where nothing was ever run: a sentence and a status, never a trace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import click
import pytest
from click.testing import CliRunner

from karvon.settings import Settings
from orchestration.cli import cli

STATUSES = {0, 1, 2, 3, 64}
# They serve, or do the whole chain; how they end is told elsewhere.
SERVING = {("dev",), ("sandbox", "serve"), ("run",), ("crawl", "run"), ("definitions",), ("dbt",)}
NONSENSE = "нет-такого 'x' -- %s"


def every_command(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from every_command(found, (*path, name))


COMMANDS = list(every_command(cli))


def found(path: tuple[str, ...]) -> click.Command:
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), name) or command
    return command


def odd_lines(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Nothing, one word too much, an option that is not there, and nonsense for each option that takes a value."""
    parameters = found(path).params
    needed = [NONSENSE for one in parameters if isinstance(one, click.Argument) and one.required]
    if path not in SERVING:
        yield ()
        yield (*needed, NONSENSE, NONSENSE)
        yield tuple(needed)
    yield ("--no-such-option",)
    for option in parameters:
        if isinstance(option, click.Option) and not option.is_flag and path != ("dev",):
            yield (*needed, option.opts[0], NONSENSE)
            if path not in SERVING:
                yield (*needed, option.opts[0], "1")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliRunner]:
    """A home in which nothing was run, with an environment of its own."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        "KARVON_HOME": str(home), "KARVON_WAREHOUSE_LOCK_SECONDS": "1", "PATH": os.environ["PATH"],
        "KARVON_SOURCES_DIR": str(home / "sources"), "KARVON_EXPORTS_DIR": str(home / "exports"),
        # Where nobody serves.
        "KARVON_SANDBOX_PORT": "1",
    }  # fmt: skip
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.dict(Settings.model_config, {"env_file": home / "no.env"}),
        mock.patch("karvon.settings.DOTENV", home / "no.env"),
        pytest.MonkeyPatch.context() as here,
    ):
        here.chdir(home)
        yield CliRunner()


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "karvon")
def test_help_is_shown(empty: CliRunner, path: tuple[str, ...]) -> None:
    if path == ("dbt",):
        return  # dbt's own; a process of its own, below
    shown = empty.invoke(cli, [*path, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "karvon")
def test_odd_arguments_end_in_a_sentence(empty: CliRunner, path: tuple[str, ...]) -> None:
    if path == ("dbt",):
        return
    for line in odd_lines(path):
        done = empty.invoke(cli, [*path, *line], input="n\n")
        told = f"karvon {' '.join((*path, *line))}\n{done.output}"
        assert done.exception is None or isinstance(done.exception, SystemExit), f"{told}\n{done.exception!r}"
        assert done.exit_code in STATUSES, told
        assert "Traceback" not in done.output, told
        assert done.exit_code == 0 or done.output.strip(), told
