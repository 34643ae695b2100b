"""What else the README promises, in a clone: the example of the environment, the UI, links that lead somewhere."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from karvon_command import BIN, ROOT, Karvon, copy_project, free_port, until
from test_catalogue_file import catalogue

ELSEWHERE = {"make dev", "cp .env.example .env", ".venv/bin/karvon run --key MY-SKU --apply"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Karvon]:
    """A clone whose .venv is the one that runs the tests, so that nothing is installed again."""
    folder = copy_project(tmp_path_factory.mktemp("clone"))
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(BIN)
    (folder / ".venv" / "ready").touch()
    catalogue(folder / "my-catalogue.csv", products=2)
    karvon = Karvon(folder / ".karvon", free_port(), folder)
    yield karvon
    karvon.stop_serving()


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def _almost_empty(clone: Karvon) -> dict[str, str]:
    """As with `env -i`: no PATH, no HOME, no locale; only what keeps this clone apart and small."""
    ours = ("KARVON_HOME", "KARVON_SANDBOX_PORT", "KARVON_SANDBOX_PRODUCTS", "KARVON_SOURCES_DIR")
    return {name: clone.variables[name] for name in ours} | {"PYTHONPATH": str(clone.project)}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_work_in_the_order_in_which_they_are_read(clone: Karvon) -> None:
    summaries: list[str] = []
    for command in commands():
        if command in ELSEWHERE:
            continue
        done = subprocess.run(
            ["/bin/bash", "-c", command], cwd=clone.project, env=_almost_empty(clone), timeout=600, check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if command == "make run":
            summaries.append(next(line for line in done.stderr.splitlines() if "plan and apply" in line))
    first, after_a_day, own_catalogue, again = summaries
    assert "create" in first
    assert "update" in after_a_day
    assert "50 set_stock" in own_catalogue
    assert again.endswith("0 changes")


def test_the_example_of_the_environment_is_a_working_one(clone: Karvon) -> None:
    shutil.copy(clone.project / ".env.example", clone.project / ".env")
    try:
        # The folder that its empty KARVON_HOME stands for is the clone's own.
        assert clone("counts").status == 0
    finally:
        (clone.project / ".env").unlink()


def test_one_product_is_not_written_live_without_credentials(clone: Karvon) -> None:
    done = clone.having(KARVON_PROFILE="live")("run", "--key", "MY-SKU", "--apply")
    assert done.status == 1
    assert "PLYTIX_API_KEY is not set" in done.output


@pytest.mark.timeout(300)
def test_make_dev_serves_the_ui_and_the_shop_and_stops_what_it_started(clone: Karvon) -> None:
    port = free_port()
    command = [str(BIN / "karvon"), "dev", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=clone.project, env=clone.variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as dev:
        try:
            until(lambda: answers(f"http://127.0.0.1:{port}/server_info"), 120)
            assert answers(f"{clone.sandbox.url}/shop")
        finally:
            dev.send_signal(signal.SIGTERM)
            dev.communicate(timeout=60)
    assert not answers(f"http://127.0.0.1:{port}/server_info")
    assert not answers(f"{clone.sandbox.url}/shop")


def test_the_links_of_the_documents_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "sandbox" / "README.md"):
        for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if not link.startswith("http"):
                assert (Path(page).parent / link).exists(), f"{page.name}: {link}"


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
