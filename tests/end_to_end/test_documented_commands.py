"""Every command of README.md and docs/, in the order in which it is read, at default sizes, in a clone of its own.

Commands stand in blocks marked `sh`. A block below `<!-- tried elsewhere: why -->` is left out; so is what `ELSEWHERE`
names. What pages speak of between the blocks is in `PROSE`. What ends with something else than 0, asks, or holds a
placeholder is in `ENDS`, `ANSWERS` and `_filled`.
"""

from __future__ import annotations

import os
import re
import subprocess
from datetime import date
from pathlib import Path

import pytest
from karvon_command import _OURS, BIN, ROOT, copy_project, free_port
from test_catalogue_file import catalogue

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

# The pages in an order in which each finds what it speaks of; the last ones replace the catalogue or forget people.
PAGES = (
    "README.md",
    "docs/user_apis.md",
    "docs/observability.md",
    "docs/development.md",
    "docs/runbook.md",
    "docs/mapping.md",
    "docs/review.md",
    "docs/markets.md",
    "docs/market_models.md",
)
STARTS_OVER = {"docs/user_apis.md"}
ELSEWHERE = {
    "make dev": "test_readme.py",
    "cp .env.example .env": "test_readme.py; there are no credentials here",
    ".venv/bin/karvon run --key MY-SKU --apply": "the same",
    "karvon sources add": "asks; tests/orchestration/test_cli_sources.py",
    "karvon auth login anna/crm": "asks for a token; tests/orchestration/test_cli_sources.py",
}
PROSE = {
    "docs/user_apis.md": (
        "karvon sources disable anna/shop --enable",
        "karvon auth rotate",
        "karvon report --user anna --out pages",
    ),
    "docs/observability.md": ("karvon history", "karvon counts", "karvon dbt docs generate"),
    "docs/runbook.md": (
        "karvon run --apply",
        "karvon run --refresh webflow --plan-only",
        "KARVON_MAX_SHRINK_PERCENT=100 karvon run",
    ),
    "docs/mapping.md": (
        "karvon webflow schema",
        "karvon webflow schema product --fresh",
        "karvon webflow field-types",
        "karvon webflow info",
        "karvon webflow discover-images",
        "karvon webflow estimate",
        "karvon webflow estimate --as-new",
        "karvon webflow validate",
        "karvon webflow preview MY-SKU",
        "karvon webflow preview MY-SKU --as-new",
        "karvon webflow preview MY-SKU --set brand=Atlas",
        "karvon webflow preview --sample 3",
        "karvon webflow scaffold products --dry-run",
        "karvon webflow mapping export --to mapping.json",
        "karvon webflow mapping import mapping.json --dry-run",
    ),
    "docs/review.md": (
        "karvon held",
        "karvon approve --all",
        "karvon errors --retry",
        "karvon undo PLAN_ID",
        "karvon apply",
    ),
    "docs/market_models.md": ("karvon run --select market", "karvon rehearse price_drop_20", "karvon doctor"),
}
"""Page → what it speaks of outside of its blocks."""
ENDS = {
    "karvon approve --all": 1,  # nothing waits
    "karvon undo PLAN_ID": 2,
}
"""Exit statuses that are not 0."""
ANSWERS = ("karvon restore", "karvon forget", ".venv/bin/karvon sandbox load")
"""They ask before they take something away."""
_BLOCK = re.compile(r"(<!-- tried elsewhere: .+? -->\n)?```sh\n(.*?)```", re.S)


def commands(page: str) -> list[str]:
    blocks = _BLOCK.findall((ROOT / page).read_text())
    lines = [
        line.split(" #")[0].strip() for marker, block in blocks if not marker for line in block.splitlines()
    ]
    return [line for line in lines if line and not line.startswith("#") and line not in ELSEWHERE]


class Clone:
    """A clone whose .venv is the one that runs the tests, with nothing set but what it must not share with others."""

    def __init__(self, folder: Path, url: str | None) -> None:
        self.folder = copy_project(folder)
        (folder / ".venv").mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (folder / ".venv" / name).symlink_to(BIN.parent / name)
        (folder / ".venv" / "ready").touch()
        catalogue(folder / "my-catalogue.csv", products=2)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        self.environment = inherited | {
            "KARVON_HOME": str(folder / ".karvon"),
            "KARVON_SANDBOX_PORT": str(free_port()),
            "KARVON_CREDENTIALS_KEY": "nHbCmVZ0cYyoEo0NSGkHrAgQ3GV8pC1m5Y0oZyqfX4w=",
            "PYTHONPATH": str(folder),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            **({"KARVON_WAREHOUSE_URL": url} if url else {}),
        }
        self.said: list[str] = []

    def __call__(self, command: str, seconds: float = 900) -> str:
        # What the README shows must work for whoever has nothing set at all: no PATH, no HOME, no locale.
        needs_path = not command.startswith((".venv/", "make"))
        environment = {
            name: value
            for name, value in self.environment.items()
            if name.startswith(_OURS) or name == "PYTHONPATH" or needs_path
        }
        done = subprocess.run(
            ["/bin/bash", "-c", self._filled(command)], cwd=self.folder, env=environment, timeout=seconds,
            input="y\n" if command.startswith(ANSWERS) else "", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == ENDS.get(command, 0), f"{command}: status {done.returncode}\n{done.stdout}"
        assert "Traceback" not in done.stdout, f"{command}\n{done.stdout}"
        assert done.stdout.strip(), f"{command} says nothing"
        self.said.append(f"{command}\n{done.stdout}")
        return done.stdout

    def _filled(self, command: str) -> str:
        """With what the reader would put in."""
        for placeholder in ("20261120-…", "PLAN_ID"):
            if placeholder in command:
                command = command.replace(placeholder, self._newest_plan())
        command = command.replace("karvon-2026-01-31.backup", f"karvon-{date.today():%Y-%m-%d}.backup")
        return command.replace("MY-SKU", "ПЛ-0001-Кр-XS")

    def _newest_plan(self) -> str:
        """The newest that did something, as the reader copies it from the table."""
        found = re.search(r"^(\d{8}-\S+) .* applied ", self("karvon history"), re.M)
        assert found is not None
        return found[1]


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def clone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    url = None
    if request.param == "postgres":
        import psycopg2

        server: str = request.getfixturevalue("postgres_server")
        connection = psycopg2.connect(server)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE documented")
        connection.close()
        url = server.replace("/postgres?", "/documented?")
    return Clone(tmp_path_factory.mktemp("clone"), url)


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work_in_the_order_in_which_they_are_read(clone: Clone, page: str) -> None:
    if page in STARTS_OVER:
        clone("karvon reset --yes --sandbox")
    summaries = []
    for command in (*commands(page), *PROSE.get(page, ())):
        said = clone(command)
        if command == "make run":
            summaries.append(next(line for line in said.splitlines() if "plan and apply" in line))
        if command == "karvon run --select market":
            assert re.search(r"crawl Uzum .*\n.*own Uzum shop.*\n.*load UZEX ", said), said
    if page == "README.md":
        first, after_a_day, own_catalogue = summaries[:3]
        assert "create" in first
        assert "update" in after_a_day
        assert "50 set stock" in own_catalogue
        # A third run has nothing to do.
        assert " 0 changes" in summaries[-1]


def test_every_page_with_commands_is_walked_or_says_where_it_is_tried() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    with_commands = {str(page.relative_to(ROOT)) for page in pages if commands(str(page.relative_to(ROOT)))}
    assert with_commands | set(PROSE) == set(PAGES)
