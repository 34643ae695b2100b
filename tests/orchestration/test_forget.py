"""`karvon forget` is done whole, says what is left when it cannot, and touches nobody else's folders."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from kept_warehouse import Profile, loading

from karvon.warehouse import Warehouse
from orchestration.cli import forget
from orchestration.dbt import DbtError
from pipelines.document import canonical_document
from pipelines.load_folder import load_folder
from pipelines.sources.user_apis import privacy
from pipelines.sources.user_apis.forget import forget_person, remains

pytestmark = pytest.mark.usefixtures("files_close")

_EMAIL = "gul_nora@post.example"
_KEY = "carla/crm/leads/7"


@pytest.fixture
def profile(warehouse: Warehouse, tmp_path: Path) -> Profile:
    """Two users with a lead each who wrote the same address, one more lead with another, and a day that counts them."""
    with warehouse.session() as session:
        for name in ("raw_user_apis", "staging", "restricted", "marts", "reverse_etl"):
            session.execute(f"CREATE SCHEMA {name}")
        privacy.prepare(session)
        private = privacy.read(session)
        session.execute(
            "CREATE TABLE raw_user_apis.records (user_id text, source_id text, resource text, document_key text, "
            "document text)"
        )
        session.execute(
            "CREATE TABLE restricted.people (record_key text, user_id text, email_hash text, phone_hash text)"
        )
        session.execute("CREATE TABLE marts.user_records (record_key text, user_id text)")
        session.execute("CREATE TABLE staging.built_models (model text, fingerprint text, row_count bigint)")
        session.execute("INSERT INTO staging.built_models VALUES ('model.karvon.user_metrics_daily', 'f', 1)")
        for user, key, email in (
            ("carla", "7", _EMAIL),
            ("dmitri", "7", _EMAIL),
            ("carla", "8", "gulXnora@post.example"),
        ):
            session.execute(
                "INSERT INTO raw_user_apis.records VALUES ($1, 'crm', 'leads', $2, $3)",
                (user, key, f'{{"email": "{email}"}}'),
            )
            session.execute(
                "INSERT INTO restricted.people VALUES ($1, $2, $3, NULL)",
                (f"{user}/crm/leads/{key}", user, private.hash_of(privacy.normalised("email", email))),
            )
            session.execute(
                "INSERT INTO marts.user_records VALUES ($1, $2)", (f"{user}/crm/leads/{key}", user)
            )
    return Profile(tmp_path / "home", warehouse.url)


@pytest.fixture(autouse=True)
def without_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "_rebuild", lambda *_: None)


def _records(warehouse: Warehouse) -> set[tuple[str, str]]:
    with warehouse.session() as session:
        rows = session.rows("SELECT user_id, document_key FROM raw_user_apis.records")
    return {(row["user_id"], row["document_key"]) for row in rows}


def test_a_person_is_gone_everywhere_and_others_stay(profile: Profile) -> None:
    mistyped = profile.karvon("forget", "--email", "gulnora@post.example", "--user", "carla", "--yes")
    assert "There was no row of gulnora@post.example at carla." in mistyped.output
    done = profile.karvon("forget", "--email", _EMAIL, "--yes")
    assert done.exit_code == 0, done.output
    assert "There was no row" not in done.output
    assert "It is in no table any more" in done.output, "the other address differs by the underscore alone"
    assert _records(profile.warehouse) == {("carla", "8")}
    with profile.warehouse.session() as session:
        assert session.value("SELECT fingerprint FROM staging.built_models") is None, (
            "its day is to be counted anew"
        )


def test_nobody_is_forgotten_beside_a_load_that_would_land_them_again(profile: Profile) -> None:
    with loading(profile.url) as process:
        refused = profile.karvon("forget", "--email", _EMAIL, "--yes", KARVON_TURN_SECONDS="0")
    assert refused.exit_code == 1
    assert f"at work for the load of shop (process {process} on" in refused.output
    assert len(_records(profile.warehouse)) == 3


def test_an_erasure_is_whole_or_not_at_all(profile: Profile) -> None:
    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with profile.warehouse.session() as session:
        with pytest.raises(KeyboardInterrupt):
            forget_person(session, _EMAIL, also=killed)
        assert remains(session, _EMAIL) == ["raw_user_apis.records"]
        assert session.value("SELECT count(*) FROM restricted.suppressions") == 0
    assert len(_records(profile.warehouse)) == 3


def test_what_could_not_be_done_is_said_and_done_by_the_same_command(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise DbtError("model user_metrics_daily: a column is missing")

    page = profile.home / "sandbox" / "reports" / "users" / "carla.html"
    page.parent.mkdir(parents=True)
    page.write_text("her figures")
    with monkeypatch.context() as patched:
        patched.setattr(forget, "_rebuild", broken)
        half = profile.karvon("forget", "--user", "carla", "--yes")
    assert half.exit_code == 1
    assert "Left is:\n  the days that these rows were counted in: model user_metrics_daily" in half.output
    assert "Run the same command again" in half.output
    assert not page.exists(), "one step that fails holds up no other"
    assert _records(profile.warehouse) == {("dmitri", "7")}
    again = profile.karvon("forget", "--user", "carla", "--yes")
    assert again.exit_code == 0, again.output


def test_load_folders_of_another_karvon_and_of_a_load_at_work_stay(
    profile: Profile, tmp_path: Path, duckdb_url: str
) -> None:
    kill = (
        "import os, sys; from karvon.warehouse import Warehouse; from pathlib import Path\n"
        "from pipelines.load_folder import load_folder\n"
        "with load_folder(Warehouse(sys.argv[1], loads=Path(sys.argv[2])), 'user_apis') as folder:\n"
        "    (folder / 'rows.parquet').write_text('gul_nora'); os.kill(os.getpid(), 9)"
    )
    ours, theirs = profile.home / "sandbox" / "loads", tmp_path / "neighbour" / "loads"
    for folder in (ours, theirs):
        subprocess.run([sys.executable, "-c", kill, profile.url, str(folder)], check=False)
        assert len(list(folder.glob("*/rows.parquet"))) == 1
    neighbour = Warehouse(duckdb_url, loads=theirs)
    assert profile.karvon("forget", "--email", _EMAIL, "--yes").exit_code == 0
    assert list(ours.glob("*/rows.parquet")) == []
    assert len(list(theirs.glob("*/rows.parquet"))) == 1
    with load_folder(neighbour, "shop") as at_work:
        # The next load clears what a killed one left, and not what one at work has.
        with load_folder(neighbour, "shop") as second:
            assert at_work.is_dir()
            assert second != at_work
        assert list(theirs.glob("*/rows.parquet")) == []
    assert not at_work.exists()


_MANIFEST = {
    "sources": {"source.karvon.lots": {"schema": "raw_uzex", "identifier": "auction_lots"}},
    "child_map": {
        "source.karvon.lots": ["model.karvon.stg_lots", "test.karvon.some"],
        "model.karvon.stg_lots": ["model.karvon.lots"],
    },
    "nodes": {"model.karvon.stg_lots": {}, "model.karvon.lots": {}, "test.karvon.some": {}},
}


def _lot(number: int, **more: object) -> str:
    return canonical_document({"id": number, "lot_id": number, **more})[0].decode()


def test_what_a_source_does_not_keep_is_counted_then_taken_out_of_every_version(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[list[str]] = []
    monkeypatch.setattr(forget, "_rebuild", lambda _s, _w, ours: built.append(ours(_MANIFEST)))
    monkeypatch.setattr("orchestration.dbt.read_manifest", lambda *_: _MANIFEST)
    with profile.warehouse.session() as session:
        session.execute("CREATE SCHEMA raw_uzex")
        session.execute("CREATE TABLE staging.model_checksums (model text, checksum text)")
        session.execute("INSERT INTO staging.model_checksums VALUES ('stg_lots', 'a'), ('stg_other', 'b')")
        session.execute("INSERT INTO staging.built_models VALUES ('model.karvon.lots', 'f', 1)")
        session.execute(
            "CREATE TABLE raw_uzex.auction_lots (connection text, document_key text, document json, "
            "document_hash text, landed_at timestamptz, is_deleted boolean, _dlt_load_id text)"
        )
        for load, document in (
            ("1", _lot(7, customer={"fio": "Aripova Zuhra", "phone": "+998 91 204-66-19"})), ("2", _lot(7)),
        ):  # fmt: skip
            session.execute(
                "INSERT INTO raw_uzex.auction_lots VALUES ('default', '7', $1, $2, now(), false, $3)",
                (document, hashlib.blake2b(document.encode(), digest_size=16).hexdigest(), load),
            )

    def held() -> list[str]:
        with profile.warehouse.session() as session:
            rows = session.rows(
                "SELECT document::text AS document FROM raw_uzex.auction_lots ORDER BY _dlt_load_id"
            )
        return [row["document"] for row in rows]

    before = held()
    counted = profile.karvon("forget", "--persons", "uzex", "--dry-run")
    assert counted.exit_code == 0, counted.output
    assert "1 of 2 versions in raw_uzex.auction_lots" in counted.output
    assert profile.karvon("forget", "--persons", "uzex", answer="n\n").exit_code == 1
    assert (held(), built) == (before, [])
    done = profile.karvon("forget", "--persons", "uzex", "--yes")
    assert done.exit_code == 0, done.output
    assert held()[0] == held()[1] == before[1]
    assert built == [["model.karvon.stg_lots", "model.karvon.lots"]]
    with profile.warehouse.session() as session:
        left = session.rows("SELECT model FROM staging.model_checksums")
        assert [row["model"] for row in left] == ["stg_other"]
        assert session.value("SELECT fingerprint FROM staging.built_models WHERE model LIKE '%.lots'") is None
    again = profile.karvon("forget", "--persons", "uzex", "--yes")
    assert (again.exit_code, "Nothing was changed" in again.output) == (0, True)
    assert _records(profile.warehouse) == {("carla", "7"), ("dmitri", "7"), ("carla", "8")}


@pytest.mark.parametrize(
    "line",
    [["--persons", "nobody"], ["--persons", "uzex", "--email", _EMAIL], ["--dry-run", "--email", _EMAIL], []],
)
def test_a_wish_that_cannot_be_is_wrong_usage(profile: Profile, line: list[str]) -> None:
    assert profile.karvon("forget", *line, "--yes").exit_code == 2, "64 at the shell"
    assert len(_records(profile.warehouse)) == 3
