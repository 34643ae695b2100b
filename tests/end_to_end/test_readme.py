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
