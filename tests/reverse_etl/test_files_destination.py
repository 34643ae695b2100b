"""Files: whole exports and exports of changes, in three formats, complete or not there, also after a kill."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from row_bench import RowBench

from karvon.settings import PROJECT_ROOT
from reverse_etl.destinations.files.channel import FilesChannel, _Place
from reverse_etl.destinations.files.content import writing
from reverse_etl.destinations.files.options import FileOptions
from reverse_etl.spec.manifest import SyncError

AT = datetime(2026, 11, 20, 9, 30, 15, tzinfo=UTC)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture
def bench(warehouse, sandbox_url, tmp_path) -> Iterator[Callable[..., RowBench]]:
    made: list[RowBench] = []

    def make(**options) -> RowBench:
        more = {"destination": "files", "mode": "mirror", "options": options.pop("options", {}), **options}
        made.append(RowBench(warehouse, sandbox_url, tmp_path, "files", **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def names(bench: RowBench) -> list[str]:
    return sorted(path.name for path in bench.out.iterdir()) if bench.out.exists() else []


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def filled(shop: RowBench) -> None:
    shop.row("a", title='=HYPERLINK("x")', price=Decimal("5.50"), pieces=-3, seen_at=AT)
    shop.row("b", title='two\nlines, "quoted"')
    shop.row("h", hold_reasons="not yet")


def test_a_whole_csv_with_its_manifest_and_then_nothing_to_do(bench) -> None:
    shop = bench()
    filled(shop)
    plan = shop.plan()
    assert names(shop) == []
    assert plan.summary().startswith("2 create; 0 requests")
    assert "rows to create |  | 2: a, b |" in plan.to_markdown()
    assert shop.apply(plan).summary() == "1 applied; 0 requests"
    assert names(shop) == ["items.csv", "items.csv.manifest.json"]
    content = (shop.out / "items.csv").read_bytes()
    assert content.count(b"\r\n") == 3
    assert table(shop.out / "items.csv") == [
        ["key", "title", "price", "pieces", "seen_at"],
        ["a", '\'=HYPERLINK("x")', "5.50", "-3", "2026-11-20T09:30:15.000Z"],
        ["b", 'two\nlines, "quoted"', "", "", ""],
    ]
    manifest = json.loads((shop.out / "items.csv.manifest.json").read_text())
    assert manifest.pop("created_at")
    assert manifest == {
        "file": "items.csv", "model": "activation.items", "sync": "items", "plan_id": plan.plan_id, "rows": 2,
        "changes": {"create": 2}, "columns": ["key", "title", "price", "pieces", "seen_at"],
        "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    assert shop.plan().is_empty


def test_changes_only_names_what_was_created_updated_and_removed(bench) -> None:
    shop = bench(options={"export": "changes", "name": "items-{plan}"})
    for key in "abc":
        shop.row(key, price=1)
    first = shop.plan()
    shop.apply(first)
    shop.row("a", price=2)
    shop.row("d")
    del shop.rows["b"]
    second = shop.plan()
    assert second.counts["items"] == {"create": 1, "delete": 1, "update": 1}
    shop.apply(second)
    assert [row[:2] for row in table(shop.out / f"items-{first.plan_id}.csv")[1:]] == [
        ["create", "a"], ["create", "b"], ["create", "c"],
    ]  # fmt: skip
    assert [row[:4] for row in table(shop.out / f"items-{second.plan_id}.csv")] == [
        ["_action", "key", "title", "price"], ["update", "a", "Item a", "2.00"], ["delete", "b", "", ""],
        ["create", "d", "Item d", ""],
    ]  # fmt: skip
    assert shop.plan().is_empty


def test_parquet_keeps_types_and_texts_as_they_are(bench) -> None:
    shop = bench(options={"format": "parquet"})
    filled(shop)
    shop.run()
    read = pq.read_table(shop.out / "items.parquet")
    assert read.schema.field("price").type == pa.decimal128(18, 2)
    assert read.to_pylist()[0] == {
        "key": "a", "title": '=HYPERLINK("x")', "price": Decimal("5.50"), "pieces": -3, "seen_at": AT,
    }  # fmt: skip


def test_xlsx_holds_texts_as_texts_and_no_formula(bench) -> None:
    shop = bench(options={"format": "xlsx", "name": "price list {date}"})
    filled(shop)
    plan = shop.plan()
    shop.apply(plan)
    [file] = [name for name in names(shop) if name.endswith(".xlsx")]
    assert file == f"price-list-{plan.created_at:%Y-%m-%d}.xlsx"
    with zipfile.ZipFile(shop.out / file) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "=HYPERLINK" in sheet
    assert re.search(r"<v>5\.50?</v>", sheet)


def test_guards_count_the_rows_of_a_file(bench) -> None:
    shop = bench(guards={"max_removals": 1})
    for key in "abcd":
        shop.row(key)
    shop.run()
    del shop.rows["a"], shop.rows["b"]
    plan = shop.plan()
    assert plan.is_blocked
    assert "2 removals planned for items (50%), 4 rows of ours" in plan.violations[0].message
    shop.rows.clear()
    assert shop.plan().violations[0].guard == "empty model"


def test_a_model_that_moved_since_the_plan_is_held(bench) -> None:
    shop = bench()
    shop.row("a")
    plan = shop.plan()
    shop.row("a", price=9)
    shop.build()
    result = shop.apply(plan)
    assert (result.deferred, names(shop)) == (1, [])
    assert "plan again" in result.errors[0]
    shop.run()
    assert table(shop.out / "items.csv")[1][2] == "9.00"


def test_rows_that_share_a_key_stay_out_and_are_told(bench) -> None:
    shop = bench()
    shop.row("a")
    shop.row("b")
    shop.rows["again"] = {**shop.rows["b"]}
    plan = shop.plan()
    assert [(one.kind, one.key) for one in plan.findings] == [("reject", "b")]
    shop.apply(plan)
    assert [row[0] for row in table(shop.out / "items.csv")[1:]] == ["a"]


def test_another_format_writes_the_file_anew(bench) -> None:
    shop = bench()
    shop.row("a")
    shop.run()
    shop.settings["options"] = {"line_end": "lf", "delimiter": ";"}
    shop.run()
    assert (shop.out / "items.csv").read_bytes().startswith(b'"key";"title";"price";"pieces";"seen_at"\n')


def test_old_files_go_and_those_of_others_stay(bench) -> None:
    shop = bench(options={"name": "items-{plan}", "keep": 2})
    shop.out.mkdir(parents=True)
    (shop.out / "items-of-somebody.csv").write_text("not ours")
    (shop.out / "prices-1.csv").write_text("another sync's")
    (shop.out / "prices-1.csv.manifest.json").write_text(
        '{"sync": "prices", "file": "prices-1.csv", "created_at": "2020-01-01T00:00:00+00:00"}'
    )
    for price in range(4):
        shop.row("a", price=price)
        shop.run()
    files = [name for name in names(shop) if name.endswith(".csv")]
    newest = [name for name in files if name.startswith("items-2")]
    # Two plans of one second are told apart by a random end, which says nothing of their order.
    assert {table(shop.out / name)[1][2] for name in newest} == {"2.00", "3.00"}
    assert len(newest) == 2
    assert set(files) - set(newest) == {"items-of-somebody.csv", "prices-1.csv"}
    assert {f"{name}.manifest.json" for name in (*newest, "prices-1.csv")} <= set(names(shop))


def test_a_model_that_is_built_while_its_file_is_written_is_not_published(bench, monkeypatch) -> None:
    shop = bench()
    shop.row("a", price=1)
    genuine = FilesChannel._write

    def write(self, scan, *rest):
        written = genuine(self, scan, *rest)
        scan.session.execute("UPDATE activation.items SET price = 7")
        return written

    plan = shop.plan()
    with monkeypatch.context() as patch:
        patch.setattr(FilesChannel, "_write", write)
        result = shop.apply(plan)
    assert (result.deferred, result.applied, names(shop)) == (1, 0, [])
    shop.rows["a"]["price"] = 7
    shop.run()
    assert table(shop.out / "items.csv")[1][2] == "7.00"


def test_rows_do_not_leave_a_file_because_a_source_was_half_read(bench) -> None:
    shop = bench()
    shop.row("a")
    shop.row("b")
    shop.run()
    with shop.warehouse.session() as session:
        session.execute("CREATE SCHEMA raw_x")
        session.execute(
            "CREATE TABLE raw_x.observations (resource text, connection text, scope text, "
            "observed_at timestamptz, is_complete boolean)"
        )
        session.execute(
            "INSERT INTO raw_x.observations VALUES ('things', 'eu', 'all', now(), false), "
            "('things', 'us', 'all', now(), true), ('others', 'us', 'all', now(), false)"
        )
    del shop.rows["b"]
    shop.row("c")
    plan = shop.plan()
    assert plan.is_empty
    assert "raw_x.things (eu) was not complete" in plan.findings[0].message
    with shop.warehouse.session() as session:
        session.execute("UPDATE raw_x.observations SET is_complete = true WHERE connection = 'eu'")
    shop.run()
    assert [row[0] for row in table(shop.out / "items.csv")[1:]] == ["a", "c"]


@pytest.mark.parametrize("export", ["full", "changes"])
@pytest.mark.parametrize(
    "moment", ["before the draft", "before publishing", "between the renames", "after publishing"]
)
def test_a_kill_loses_no_row_and_tells_none_twice(bench, monkeypatch, export, moment) -> None:
    shop = bench(options={"export": export})
    shop.row("a", price=1)
    shop.run()
    shop.row("a", price=2)
    shop.row("b")
    plan = shop.plan()
    with monkeypatch.context() as patch:
        _kill(patch, moment)
        with pytest.raises(Killed):
            shop.apply(plan)
    assert shop.recover() == 1
    # The model moves on before anybody looks again: the ledger must know what went out, not what is there now.
    shop.row("b", price=7)
    shop.run()
    assert shop.plan().is_empty
    assert not [name for name in names(shop) if "draft" in name]
    told = [
        row
        for path in sorted(shop.out.glob("*.csv"), key=lambda one: one.stat().st_mtime_ns)
        for row in table(path)[1:]
    ]
    if export == "full":
        assert [row[:3] for row in told] == [["a", "Item a", "2.00"], ["b", "Item b", "7.00"]]
    else:
        of_b = [(row[0], row[3]) for row in told if row[1] == "b"]
        is_out = moment in ("between the renames", "after publishing")
        assert of_b == ([("create", ""), ("update", "7.00")] if is_out else [("create", "7.00")])
        assert len([row for row in told if row[1] == "a"]) == 2


def _kill(patch: pytest.MonkeyPatch, moment: str) -> None:
    genuine = _Place.publish

    def publish(self, manifest):
        if moment == "between the renames":
            patch.setattr(Path, "replace", _once_then_killed())
        if moment != "before publishing":
            genuine(self, manifest)
        raise Killed

    def write(self, *arguments):
        raise Killed

    if moment == "before the draft":
        patch.setattr(FilesChannel, "_write", write)
    else:
        patch.setattr(_Place, "publish", publish)


def _once_then_killed():
    genuine, calls = Path.replace, []

    def replace(self, target):
        if calls:
            raise Killed
        calls.append(target)
        return genuine(self, target)

    return replace


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mode": "upsert"}, "write `mode: mirror`"),
        ({"options": {"format": "pdf"}}, "options.format"),
        ({"options": {"name": "../x"}}, "plain file name"),
        ({"options": {"name": "{week}"}}, "unknown week"),
        ({"options": {"export": "changes", "name": "fixed"}}, "put {time} or {plan} into it"),
        ({"guards": {"max_price_change": "30%"}}, "guards.max_price_change: files cannot honour it"),
        ({"guards": {"max_emptied": 3}}, "guards.max_emptied: files cannot honour it"),
        ({"canary": 2}, "canary: files has no records to look at"),
        ({"cap": 5}, "cap: a file is one call"),
        ({"publish": "live"}, "publish: files has no records to look at"),
    ],
)
def test_wrong_yaml_is_told_with_file_and_way_out(bench, settings, words) -> None:
    with pytest.raises(SyncError, match=r"models/activation/_items\.yml") as caught:
        bench(**settings).plan()
    assert words in str(caught.value)


cells = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12) | st.sampled_from(
    ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "\n=1", "\r\n@x", "＝1+1", "＋1", "－1", "＠x", 'a"b', "a,b",
     "a;b", "line\nline", "line\r\nline", " x ", "'", "",]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(cells, cells), max_size=8),
    st.sampled_from(["crlf", "lf"]),
    st.sampled_from([",", ";", "\t"]),
)
def test_any_text_survives_a_round_trip_through_csv(tmp_path_factory, rows, line_end, delimiter) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    schema = pa.schema([("one", pa.string()), ("two", pa.string())])
    with writing(path, schema, FileOptions(line_end=line_end, delimiter=delimiter)) as writer:
        writer.write(
            pa.RecordBatch.from_pylist([dict(zip(("one", "two"), row, strict=True)) for row in rows], schema)
        )
    read = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline=""), delimiter=delimiter))
    assert read[1:] == [[_expected(cell) for cell in row] for row in rows]


def _expected(cell: str | None) -> str:
    text = cell or ""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠") else text


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_million_rows_are_written_in_flat_memory(warehouse, tmp_path, kind) -> None:
    script = Path(__file__).with_name("big_export.py")
    done = subprocess.run(
        [sys.executable, str(script), warehouse.url, str(tmp_path), kind, "1000000"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT), str(script.parent)])}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    # Half of it is there before the first row: Python, Arrow, DuckDB.
    assert int(done.stdout) < 900
