"""dbt as a process whose life is tied to that of the process that started it.

The child holds the reading end of a pipe of which only its parent has the writing end. When the parent ends, however
it ends, the pipe does, and the child leaves at once: nobody is left who holds the warehouse. On Postgres the server
then notices within seconds that nobody waits for the statement under way (`PGOPTIONS` in karvon/settings.py).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

_MODULE = "orchestration.dbt_process"


@contextmanager
def running(
    arguments: Sequence[str], environment: Mapping[str, str], *, reads_output: bool
) -> Iterator[subprocess.Popen[str]]:
    """dbt while the block runs; one that has not ended by then is stopped.

    Keys at the terminal reach the parent alone, which decides what becomes of the child.
    """
    ours, its = os.pipe()
    # -P: a folder called dbt in which somebody stands is not the package.
    command = [sys.executable, "-P", "-m", _MODULE, str(ours), *arguments]
    try:
        process = subprocess.Popen(  # noqa: S603
            command, env=dict(environment), pass_fds=(ours,), start_new_session=True, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE if reads_output else None,
            stderr=subprocess.STDOUT if reads_output else None,
        )  # fmt: skip
    finally:
        os.close(ours)
    try:
        with process:
            try:
                yield process
            finally:
                # Does nothing to a dbt that has ended.
                process.terminate()
    finally:
        os.close(its)


def _leave_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)


def main() -> None:
    """Be dbt, with the command line that follows the number of the pipe."""
    threading.Thread(target=_leave_with_parent, args=(int(sys.argv[1]),), daemon=True).start()
    # dbt looks there for what it was called with.
    sys.argv = ["dbt", *sys.argv[2:]]
    from dbt.cli.main import cli

    cli(prog_name="dbt")


if __name__ == "__main__":
    main()
