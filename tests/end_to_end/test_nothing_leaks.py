"""After a full run no secret stands in a file of the home, and persons only where they may; nobody else reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from karvon_command import Karvon
from planted import SECRETS, echoing_api, found_in, sources


@pytest.fixture(scope="module")
def ran(project: object, port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Karvon]:
    """An installation that has read shop, markets and users, and has looked at what came of it."""
    folder = tmp_path_factory.mktemp("leaks")
    before = os.umask(0o022)
    with echoing_api() as url:
        sources(folder / "sources", url)
        karvon = Karvon(folder / "home", port, project).having(  # type: ignore[arg-type]
            **SECRETS,
            KARVON_CREDENTIALS_KEY=Fernet.generate_key().decode(),
            KARVON_SOURCES_DIR=str(folder / "sources"),
            KARVON_MARKETS="true",
            KARVON_SANDBOX_PRODUCTS="6",
            KARVON_SANDBOX_UZUM_IDS="40",
            KARVON_SANDBOX_UZEX_LOTS="20",
            KARVON_LOG_LEVEL="DEBUG",
        )
        karvon.serve()
        try:
            said = [karvon("run", seconds=800).output]
            for command in (
                "sources list",
                "sources test dora/basic",
                "status",
                "metrics --user dora",
                "plan",
            ):
                said.append(karvon(*command.split()).output)
            (karvon.home / "sandbox" / "terminal.txt").write_text("\n".join(said))
            (karvon.home / "sandbox" / "terminal.txt").chmod(0o600)
            yield karvon
        finally:
            karvon.stop_serving()
            os.umask(before)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("files_close")
def test_what_was_planted_stands_nowhere(ran: Karvon) -> None:
    assert ran.rows("SELECT * FROM raw_user_apis.records WHERE source_id IN ('hashed', 'kept')"), (
        "nothing was read"
    )
    assert ran.rows("SELECT * FROM raw_user_apis.source_runs WHERE outcome <> 'complete'"), (
        "nothing was refused"
    )
    for table in ("raw_uzum.seller_fbs_orders", "raw_uzex.competition_details"):
        assert ran.rows(f"SELECT * FROM {table}"), "the markets were not read"
    found = found_in(ran.home)
    told = "\n".join(f"{place}: {', '.join(sorted(what))}" for place, what in sorted(found.items()))
    assert not found, f"\n{told}"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_no_file_of_the_home_can_be_read_by_others(ran: Karvon) -> None:
    paths = [ran.home, *ran.home.rglob("*")]
    assert len(paths) > 100
    assert [path for path in paths if not path.is_symlink() and path.stat().st_mode & 0o077] == []
