"""`karvon backup` and `karvon restore` on both engines: exact, whole or not at all, and only where it belongs."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from kept_warehouse import Profile, fill, land, loading, picture

from karvon.warehouse import Warehouse

pytestmark = pytest.mark.usefixtures("files_close")

LABEL = "karvon-backup.json"


@pytest.fixture
def profile(warehouse: Warehouse, tmp_path: Path) -> Profile:
    """A profile whose warehouse has content of every layer."""
    fill(warehouse)
    return Profile(tmp_path / "home", warehouse.url)


@pytest.fixture
def fresh(profile: Profile, tmp_path: Path, request: pytest.FixtureRequest) -> Profile:
    """The same profile on another machine: nothing is there yet."""
    if profile.warehouse.dialect == "duckdb":
        return Profile(tmp_path / "elsewhere", f"duckdb:///{tmp_path / 'elsewhere' / 'new.duckdb'}")
    connection = psycopg2.connect(profile.url)
    connection.autocommit = True
    name = urlsplit(profile.url).path.lstrip("/")
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}_fresh")
    connection.close()
    return Profile(tmp_path / "elsewhere", profile.url.replace(f"/{name}?", f"/{name}_fresh?"))


def relabel(file: Path, **changes: object) -> Path:
    """The same backup, saying something else about itself."""
    changed = file.with_name("changed.backup")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, json.dumps(json.loads(content) | changes) if name == LABEL else content)
    return changed


def test_a_backup_comes_back_exactly_in_a_fresh_warehouse(
    profile: Profile, fresh: Profile, tmp_path: Path
) -> None:
    file = tmp_path / "all.backup"
    before = picture(profile.warehouse)
    made = profile.karvon("backup", str(file))
    assert made.exit_code == 0, made.output
    assert fresh.karvon("restore", str(file)).exit_code == 0
    assert picture(fresh.warehouse) == before
    assert len(before["raw_shop.goods"]) == 8
    assert before["raw_shop._dlt_loads"]
    assert len(before["marts.z_ready"]) == 7
    assert picture(profile.warehouse) == before


def test_a_restored_warehouse_works_on(profile: Profile, fresh: Profile, tmp_path: Path) -> None:
    file = tmp_path / "all.backup"
    profile.karvon("backup", str(file))
    fresh.karvon("restore", str(file))
    land(fresh.warehouse, [{"id": 0, "name": "changed", "price": "12,50"}, {"id": 99}])
    with fresh.warehouse.session() as session:
        assert session.value("SELECT count(*) FROM raw_shop.goods") == 9


def test_a_restore_replaces_what_is_there_and_asks_first(profile: Profile, tmp_path: Path) -> None:
    file = tmp_path / "all.backup"
    before = picture(profile.warehouse)
    profile.karvon("backup", str(file))
    with profile.warehouse.session() as session:
        session.execute("DELETE FROM marts.products")
        session.execute("CREATE TABLE marts.later AS SELECT 1 AS one")
        session.execute("CREATE SCHEMA raw_later")
        session.execute("CREATE TABLE raw_later._dlt_loads (load_id text)")
    changed = picture(profile.warehouse)

    refused = profile.karvon("restore", str(file), answer="n\n")
    assert refused.exit_code == 1
    assert "It replaces:" in refused.output
    assert picture(profile.warehouse) == changed

    assert profile.karvon("restore", str(file), "--yes").exit_code == 0
    assert picture(profile.warehouse) == before


def test_reset_and_restore_beside_a_load_say_who_is_at_work_and_change_nothing(
    profile: Profile, tmp_path: Path
) -> None:
    file = tmp_path / "all.backup"
    profile.karvon("backup", str(file))
    before = picture(profile.warehouse)
    with loading(profile.url) as process:
        for command in (["reset"], ["restore", str(file)]):
            refused = profile.karvon(*command, "--yes", KARVON_TURN_SECONDS="0")
            assert refused.exit_code == 1
            assert f"at work for the load of shop (process {process} on" in refused.output
    assert picture(profile.warehouse) == before


def test_a_backup_appears_whole_and_never_over_another_file(profile: Profile, tmp_path: Path) -> None:
    file = tmp_path / "all.backup"
    file.write_text("mine")
    refused = profile.karvon("backup", str(file))
    assert refused.exit_code == 1
    assert "--force" in refused.output
    assert file.read_text() == "mine"
    assert profile.karvon("backup", str(file), "--force").exit_code == 0
    assert zipfile.is_zipfile(file)
    assert file.stat().st_mode & 0o077 == 0
    assert profile.karvon("backup", str(tmp_path / "no" / "folder")).exit_code == 1
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: relabel(file, profile="live"), "KARVON_PROFILE=live"),
        (lambda file: relabel(file, karvon_version="999.0"), "made by Karvon 999.0"),
        (lambda file: relabel(file, format=0), "format 0"),
        (lambda file: relabel(file, reverse_etl_version=999), "version 999 of the reverse_etl tables"),
        (lambda file: relabel(file, made_by="somebody"), "not a complete backup of Karvon"),
        (lambda file: cut(file), "not a complete backup of Karvon"),
        (lambda file: overwritten(file), "damaged|lacks rows|not hold the rows|cannot read|refused"),
        (lambda file: relabel(file, tables={}), "lacks rows|not hold the rows"),
    ],
)
def test_what_does_not_belong_here_is_refused_and_changes_nothing(
    profile: Profile, tmp_path: Path, make: Callable[[Path], Path], words: str
) -> None:
    file = tmp_path / "all.backup"
    profile.karvon("backup", str(file))
    before = picture(profile.warehouse)
    refused = profile.karvon("restore", str(make(file)), "--yes")
    assert refused.exit_code == 1
    assert any(word in refused.output for word in words.split("|")), refused.output
    assert picture(profile.warehouse) == before


def cut(file: Path) -> Path:
    file.write_bytes(file.read_bytes()[:-100])
    return file


def overwritten(file: Path) -> Path:
    content = bytearray(file.read_bytes())
    middle = slice(len(content) // 3, len(content) // 3 + 200)
    # Turned over, not zeroed: an empty block would stay as it is.
    content[middle] = bytes(byte ^ 0xFF for byte in content[middle])
    file.write_bytes(content)
    return file


def rotten(path: Path, table: str) -> None:
    """Turn bytes over in a block that holds rows of the table, as a failing disk does."""
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("CHECKPOINT")
        block = connection.execute(
            f"SELECT max(block_id) FROM pragma_storage_info('{table}') WHERE persistent"
        ).fetchall()[0][0]
    with path.open("r+b") as file:
        # Three headers of 4 KiB, then blocks of 256 KiB, each with its checksum first.
        file.seek(3 * 4096 + block * 262_144 + 300)
        turned = bytes(byte ^ 0xFF for byte in file.read(64))
        file.seek(-64, 1)
        file.write(turned)


def long_rows(warehouse: Warehouse) -> None:
    """A table whose rows take blocks of their own on DuckDB, and stand outside of it on Postgres."""
    with warehouse.session() as session:
        session.execute("CREATE TABLE marts.letters (id bigint, body text)")
        for number in range(40):
            body = "".join(hashlib.sha256(f"{number}/{part}".encode()).hexdigest() for part in range(300))
            session.execute("INSERT INTO marts.letters VALUES ($1, $2)", (number, body))


def test_a_warehouse_that_cannot_be_read_whole_gets_no_backup_and_the_table_is_named(
    profile: Profile, tmp_path: Path
) -> None:
    long_rows(profile.warehouse)
    if profile.warehouse.dialect == "duckdb":
        rotten(profile.warehouse.path, "marts.letters")
    else:
        with profile.warehouse.session() as session:
            session.execute("SET allow_system_table_mods = on")
            session.execute("CREATE TABLE public.spare (body text)")
            # What stands outside of the rows is found in the empty files of another table.
            session.execute(
                "UPDATE pg_class SET relfilenode = other.relfilenode FROM pg_class AS other, pg_class AS one, "
                "pg_class AS two WHERE one.relname = 'letters' AND two.relname = 'spare' AND ("
                "pg_class.oid = one.reltoastrelid AND other.oid = two.reltoastrelid OR "
                "pg_class.oid = (SELECT indexrelid FROM pg_index WHERE indrelid = one.reltoastrelid) AND "
                "other.oid = (SELECT indexrelid FROM pg_index WHERE indrelid = two.reltoastrelid))"
            )
    with profile.warehouse.session() as session:
        assert session.value("SELECT count(*) FROM marts.letters") == 40, "a count does not notice"
    refused = profile.karvon("backup", str(tmp_path / "all.backup"))
    assert refused.exit_code == 1
    assert "The table marts.letters" in refused.output
    assert "`karvon restore FILE`" in refused.output
    assert not (tmp_path / "all.backup").exists()
    assert not list(tmp_path.glob("*.part"))


def changed_inside(file: Path, tmp_path: Path, *, label_too: bool = False) -> Path:
    """The same backup with rows that rotted before they were packed: every checksum of the zip is right."""
    changed = file.with_name("changed.backup")
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "warehouse.duckdb":
                unpacked = tmp_path / "unpacked.duckdb"
                unpacked.write_bytes(content)
                rotten(unpacked, "marts.letters")
                content = unpacked.read_bytes()
            elif name.startswith("rows/"):
                content = content.replace(b"39\t", b"38\t")
            elif name == LABEL and label_too:
                content = json.dumps(json.loads(content) | {"checksums": {}}).encode()
            target.writestr(name, content)
    return changed


def test_rows_that_are_not_those_that_were_saved_are_not_restored(profile: Profile, tmp_path: Path) -> None:
    long_rows(profile.warehouse)
    file = tmp_path / "all.backup"
    assert profile.karvon("backup", str(file)).exit_code == 0
    before = picture(profile.warehouse)
    refused = profile.karvon("restore", str(changed_inside(file, tmp_path)), "--yes")
    assert refused.exit_code == 1
    assert "checksum differs" in refused.output
    if profile.warehouse.dialect == "duckdb":
        refused = profile.karvon("restore", str(changed_inside(file, tmp_path, label_too=True)), "--yes")
        assert refused.exit_code == 1
        assert "The table marts.letters" in refused.output
    assert picture(profile.warehouse) == before


def test_the_other_engine_is_named(duckdb_url: str, postgres_url: str, tmp_path: Path) -> None:
    fill(Warehouse(duckdb_url))
    on_duckdb, on_postgres = Profile(tmp_path / "d", duckdb_url), Profile(tmp_path / "p", postgres_url)
    file = tmp_path / "all.backup"
    on_duckdb.karvon("backup", str(file))
    refused = on_postgres.karvon("restore", str(file), "--yes")
    assert refused.exit_code == 1
    assert "made on duckdb, this warehouse is postgres" in refused.output


def test_an_empty_warehouse_has_no_backup(warehouse: Warehouse, tmp_path: Path) -> None:
    refused = Profile(tmp_path / "home", warehouse.url).karvon("backup", str(tmp_path / "all.backup"))
    assert refused.exit_code == 1
    assert "`karvon run`" in refused.output
    assert not (tmp_path / "all.backup").exists()


def test_a_warehouse_in_the_hands_of_an_apply_is_not_replaced(profile: Profile, tmp_path: Path) -> None:
    file = tmp_path / "all.backup"
    profile.karvon("backup", str(file))
    with profile.warehouse.session() as session:
        session.execute("UPDATE reverse_etl.leases SET expires_at = now() + INTERVAL '3 minutes'")
    refused = profile.karvon("restore", str(file), "--yes")
    assert refused.exit_code == 1
    assert "An apply to webflow (default) is at work" in refused.output


def test_a_damaged_duckdb_file_is_replaced(duckdb_url: str, tmp_path: Path) -> None:
    warehouse = Warehouse(duckdb_url)
    fill(warehouse)
    before = picture(warehouse)
    profile = Profile(tmp_path / "home", duckdb_url)
    file = tmp_path / "all.backup"
    profile.karvon("backup", str(file))
    warehouse.path.write_bytes(b"a full disk did this")
    warehouse.path.with_name(f"{warehouse.path.name}.wal").write_bytes(b"and this")
    assert profile.karvon("restore", str(file), "--yes").exit_code == 0
    assert picture(warehouse) == before


def test_a_locked_duckdb_file_is_waited_for_and_named(duckdb_url: str, tmp_path: Path) -> None:
    fill(Warehouse(duckdb_url))
    profile = Profile(tmp_path / "home", duckdb_url)
    file = tmp_path / "all.backup"
    profile.karvon("backup", str(file))
    hold = "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(1, flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(profile.warehouse.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for arguments in (
            ("backup", str(tmp_path / "second")),
            ("restore", str(file), "--yes"),
            ("reset", "--yes"),
        ):
            refused = profile.karvon(*arguments)
            assert refused.exit_code == 1
            assert f"in use by process {process.pid}" in refused.output
        process.communicate(b"")
    assert profile.warehouse.path.exists()


def test_postgres_leaves_other_schemas_and_rights_alone(postgres_url: str, tmp_path: Path) -> None:
    warehouse = Warehouse(postgres_url)
    fill(warehouse)
    profile = Profile(tmp_path / "home", postgres_url)
    with warehouse.session() as session:
        session.execute("CREATE SCHEMA raw_of_others")
        session.execute("CREATE TABLE raw_of_others.orders AS SELECT 1 AS id")
        session.execute("GRANT USAGE ON SCHEMA marts TO pg_monitor")
        session.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA marts GRANT SELECT ON TABLES TO pg_monitor")
    file = tmp_path / "all.backup"
    profile.karvon("backup", str(file))
    with zipfile.ZipFile(file) as archive:
        assert not any(name.startswith("raw_of_others") for name in json.loads(archive.read(LABEL))["tables"])
    assert profile.karvon("restore", str(file), "--yes").exit_code == 0
    with warehouse.session() as session:
        assert session.value("SELECT count(*) FROM raw_of_others.orders") == 1
        assert session.value("SELECT has_table_privilege('pg_monitor', 'marts.products', 'SELECT')")


def test_postgres_refuses_what_it_cannot_save(postgres_url: str, tmp_path: Path) -> None:
    warehouse = Warehouse(postgres_url)
    fill(warehouse)
    with warehouse.session() as session:
        session.execute("CREATE FUNCTION marts.one() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        session.execute("CREATE TABLE marts.numbered (id serial)")
    refused = Profile(tmp_path / "home", postgres_url).karvon("backup", str(tmp_path / "all.backup"))
    assert refused.exit_code == 1
    assert "marts.numbered_id_seq, marts.one()" in refused.output
    assert not (tmp_path / "all.backup").exists()


def test_a_table_rebuilt_during_a_postgres_backup_is_never_saved_as_empty(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestration.backup import postgres_tables

    warehouse = Warehouse(postgres_url)
    fill(warehouse)
    before = picture(warehouse)
    rebuilds = iter(["TRUNCATE marts.products", "ALTER TABLE marts.labels RENAME TO was"])
    lock = postgres_tables._hold_still

    def rebuild_first(cursor: object, described: list[tuple[object, ...]]) -> None:
        for statement in rebuilds:
            with warehouse.session() as session:
                table = statement.split()[2 if "TABLE" in statement else 1]
                session.execute(f"CREATE TABLE marts.copied AS TABLE {table}")
                session.execute(statement)
                if "TRUNCATE" in statement:
                    session.execute(f"INSERT INTO {table} TABLE marts.copied")
                else:
                    session.execute(f"CREATE TABLE {table} AS TABLE marts.copied")
                session.execute("DROP TABLE marts.copied")
            break
        lock(cursor, described)

    monkeypatch.setattr(postgres_tables, "_hold_still", rebuild_first)
    file = tmp_path / "all.backup"
    assert Profile(tmp_path / "home", postgres_url).karvon("backup", str(file)).exit_code == 0
    with zipfile.ZipFile(file) as archive:
        rows = json.loads(archive.read(LABEL))["tables"]
    assert rows["marts.products"] == len(before["marts.products"])
    assert rows["marts.labels"] == len(before["marts.labels"])
