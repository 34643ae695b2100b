"""Staging takes the newest version of every document, once, whatever order loads arrive and die in (design §3)."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import plytix_traps
import pytest
from dbt_build import NOW, Build

FIRST, SECOND, PARTIAL, KILLED, DEAD, LATE = (
    f"{NOW - 5000}.1", f"{NOW - 4000}.2", f"{NOW - 300}.3", f"{NOW - 200}.4", f"{NOW - 200_000}.5", f"{NOW - 100}.6"
)  # fmt: skip
MODEL = "stg_plytix__products"
LOADS = f"select load_id from staging.processed_loads where model = '{MODEL}'"


def labels(project: Build) -> dict[str, str]:
    return {
        row["product_key"]: "deleted" if row["is_deleted"] else row["label"]
        for row in project.rows("select product_key, label, is_deleted from staging.stg_plytix__products")
    }


def versions(*keys: str, label: str) -> dict[str, Any]:
    return {key: plytix_traps.product(key, label=label) for key in keys}


@pytest.fixture(scope="module")
def story(project: Build) -> dict[str, dict[str, str]]:
    """Three nights of loads; the labels in staging after each build."""
    after: dict[str, dict[str, str]] = {}
    project.dbt("run", "--select", "staging")
    after["empty warehouse"] = labels(project)

    raw = "raw_plytix.products"
    project.land(raw, versions("a", "b", "c", "d", "e", "f", label="first"), load_id=FIRST, minute=1)
    project.land(
        raw,
        versions("a", label="other account"),
        load_id=FIRST,
        minute=1,
        connection="second",
        committed=False,
    )
    project.land(raw, versions("g", label="tied, first load"), load_id=FIRST, minute=7, committed=False)
    project.dbt("run", "--select", MODEL)
    after["first"] = labels(project)

    project.land(raw, [("b", versions("b", label="second")["b"]), ("c", None)], load_id=SECOND, minute=2)
    # Of versions of one moment the one of the newest load counts.
    project.land(raw, versions("g", label="tied, second load"), load_id=SECOND, minute=7, committed=False)
    project.land(raw, versions("g", label="tied, third load"), load_id=DEAD, minute=7, committed=False)
    # A repeated document, a load killed long ago, one killed just now, and one that is half committed.
    project.land(raw, versions("a", label="first"), load_id=DEAD, minute=0, committed=False)
    project.land(raw, versions("d", label="killed"), load_id=KILLED, minute=3, committed=False)
    project.land(raw, versions("e", label="partial"), load_id=PARTIAL, minute=4, committed=False)
    project.dbt("run", "--select", MODEL)
    after["second"] = labels(project)
    after["processed after second"] = {row["load_id"]: "" for row in project.rows(LOADS)}

    project.land(raw, versions("f", "e", label="partial"), load_id=PARTIAL, minute=4)
    # A load that ended late brings an older version of b, and c comes back.
    project.land(raw, versions("b", label="older"), load_id=LATE, minute=1)
    project.land(raw, versions("c", label="back"), load_id=LATE, minute=5)
    project.dbt("run", "--select", MODEL)
    after["third"] = labels(project)
    after["processed after third"] = {row["load_id"]: "" for row in project.rows(LOADS)}
    return after


def test_a_warehouse_without_raw_tables_builds(story: dict[str, dict[str, str]]) -> None:
    assert story["empty warehouse"] == {}


def test_the_same_id_in_two_accounts_is_two_rows(story: dict[str, dict[str, str]]) -> None:
    assert story["first"]["default:a"] == "first"
    assert story["first"]["second:a"] == "other account"


def test_the_newest_version_wins_and_a_tombstone_is_kept_as_deleted(story: dict[str, dict[str, str]]) -> None:
    assert story["second"]["default:b"] == "second"
    assert story["second"]["default:c"] == "deleted"
    assert story["third"]["default:c"] == "back"


def test_of_two_versions_of_one_moment_the_newest_load_wins(
    story: dict[str, dict[str, str]], project: Build
) -> None:
    assert story["second"]["default:g"] == story["third"]["default:g"] == "tied, second load"


def test_an_older_version_that_arrives_later_loses(story: dict[str, dict[str, str]]) -> None:
    assert story["third"]["default:b"] == "second"


def test_a_repeated_document_is_one_row(story: dict[str, dict[str, str]], project: Build) -> None:
    assert story["third"]["default:a"] == "first"
    assert (
        project.rows("select product_key from staging.stg_plytix__products group by 1 having count(*) > 1")
        == []
    )


def test_rows_of_a_killed_load_count_and_are_looked_at_again_until_it_is_a_day_old(
    story: dict[str, dict[str, str]],
) -> None:
    assert story["second"]["default:d"] == "killed"
    assert KILLED not in story["processed after third"]
    assert DEAD in story["processed after second"]


def test_rows_that_a_load_commits_after_a_build_are_taken_by_the_next(
    story: dict[str, dict[str, str]],
) -> None:
    assert (story["second"]["default:e"], story["second"]["default:f"]) == ("partial", "first")
    assert PARTIAL not in story["processed after second"]
    assert story["third"]["default:f"] == "partial"
    assert PARTIAL in story["processed after third"]


def test_incremental_runs_end_where_a_full_rebuild_ends(
    story: dict[str, dict[str, str]], project: Build
) -> None:
    rows = f"select * from staging.{MODEL} order by product_key"
    before = project.rows(rows)
    assert project.dbt("run", "--select", MODEL, "--full-refresh")[MODEL] == "success"
    assert labels(project) == story["third"]
    assert project.rows(rows) == before


_SIZE = {"label": "size", "name": "Size", "attribute_level": "parent"}
_LISTS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "stg_plytix__family_attributes": (
        "raw_plytix.family_attributes", {"attributes": [_SIZE]}, {"attributes": []},
    ),
    "stg_uzex__competition_winners": (
        "raw_uzex.competition_details", {"winners_ids": [{"winner_name": "A"}]}, {"winners_ids": None},
    ),
    "stg_uzum__seller_products": (
        "raw_uzum.seller_products", {"skuList": [{"skuId": 7, "price": 5}]}, {"skuList": []},
    ),
}  # fmt: skip
"""Model with a row per entry of a list → its raw table, a document with one entry, and one with none."""


def test_a_list_that_was_emptied_leaves_no_rows(project: Build) -> None:
    def rows_after(minute: int, is_empty: bool, *keys: str) -> set[int]:
        for raw, *documents in _LISTS.values():
            landed = dict.fromkeys(keys, documents[is_empty])
            project.land(raw, landed, load_id=f"{NOW - 3000}.{minute}", minute=minute)
        project.dbt("run", "--select", *_LISTS)
        return {len(project.rows(f"select * from staging.{model}")) for model in _LISTS}

    assert rows_after(1, False, "1", "2") == {2}
    assert rows_after(2, True, "1") == {1}
    assert rows_after(3, False, "1") == {2}


def test_a_run_without_new_loads_touches_nothing_and_changed_sql_rebuilds(
    story: dict[str, dict[str, str]], project: Build
) -> None:
    project.execute(
        "update staging.stg_plytix__products set label = 'touched' where product_key = 'default:a'"
    )
    project.dbt("run", "--select", MODEL)
    assert labels(project) == story["third"] | {"default:a": "touched"}

    changed = Build(
        project.warehouse, project.environment, project.folder / "changed", project.folder / "changed_project"
    )
    changed.folder.mkdir()
    shutil.copytree(project.project, changed.project, ignore=shutil.ignore_patterns("target", "logs"))
    model = changed.project / "models" / "staging" / "plytix" / "stg_plytix__products.sql"
    model.write_text(model.read_text().replace("    label,\n", "    upper(label) as label,\n"))
    changed.dbt("run", "--select", MODEL)
    assert labels(project)["default:a"] == "FIRST"


@pytest.mark.slow
def test_two_dbt_at_once_stage_each_document_once(
    story: dict[str, dict[str, str]], project: Build, tmp_path: Path
) -> None:
    if project.warehouse.dialect == "duckdb":
        pytest.skip("the file lets one dbt in")
    project.land("raw_plytix.products", versions("x", "y", label="twice"), load_id=f"{NOW - 50}.7", minute=7)
    # A row that both delete would be a lock of its own, and is not always there.
    project.execute("delete from staging.pending_loads")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with ThreadPoolExecutor(2) as both, project.warehouse.session() as session:
        with session.transaction():
            # Both get as far as they can, and then go on together.
            session.execute("LOCK TABLE staging.pending_loads IN EXCLUSIVE MODE")
            builds = [
                both.submit(replace(project, folder=tmp_path / name).dbt, "run", "--select", MODEL)
                for name in ("first", "second")
            ]
            with project.warehouse.session() as looking:
                while looking.value(waiting) < 2:
                    assert not any(build.done() for build in builds), [build.result() for build in builds]
                    time.sleep(0.1)
        assert [build.result()[MODEL] for build in builds] == ["success", "success"]
    counted = "select count(*) as rows, count(distinct product_key) as keys from staging.stg_plytix__products"
    found = project.rows(counted)[0]
    assert found["rows"] == found["keys"]
    assert labels(project)["default:x"] == "twice"
