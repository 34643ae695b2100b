"""What the plan's queries read: the latest stocks, few rows by number, and statistics that are fit to plan with."""

from __future__ import annotations

from karvon.warehouse import Session
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.plan import make_plan
from reverse_etl.planning.scan import CHUNK
from reverse_etl.state import ledger


def stocked(bench, quantity: int) -> str:
    """A shop with one product whose stock is ours; gives the SKU's id."""
    bench.product("default:1")
    bench.change("skus", "default:1", stock_quantity=quantity)
    bench.run()
    (row,) = bench.rows("SELECT remote_id FROM reverse_etl.ledger WHERE stock_sent IS NOT NULL")
    return row["remote_id"]


def told(bench) -> list[str]:
    return [one.message for one in bench.plan().findings if one.field == "inventory"]


def test_a_stock_that_moved_is_told_and_one_that_moved_back_is_not(bench) -> None:
    remote_id = stocked(bench, 7)
    assert told(bench) == []
    for shown, expected in (
        ({"inventoryType": "finite", "quantity": 3}, ["stock is 3, was 7 when we wrote it"]),
        ({"inventoryType": "infinite", "quantity": 0}, ["stock is None, was 7 when we wrote it"]),
        ({"inventoryType": "finite", "quantity": 7}, []),
    ):
        bench.land("inventory", {remote_id: shown}, others_gone=False)
        assert told(bench) == expected


def test_rows_are_found_in_a_ledger_of_which_few_are_wanted(bench) -> None:
    stocked(bench, 7)
    sync = next(one for one in bench.syncs if one.resource == "skus")
    with bench.warehouse.session() as session:
        assert list(ledger.read(session, sync, ["default:1", "default:2"])) == ["default:1"]
        assert ledger.read(session, sync, ["default:2"] * CHUNK) == {}


def test_a_model_may_be_a_view(bench) -> None:
    for key in ("p1", "p2"):
        bench.product(key)
    bench.run()
    bench.change("products", "p1", name="New")
    bench.build()
    with bench.warehouse.session() as session:
        session.execute("ALTER TABLE activation.webflow__products RENAME TO built")
        session.execute("CREATE VIEW activation.webflow__products AS SELECT * FROM activation.built")
    plan = make_plan(bench.warehouse, bench.syncs, DESTINATIONS)
    assert [(one.key, list(one.changes)) for one in plan.operations] == [("p1", ["name"])]


def test_a_plan_analyses_what_was_just_filled_and_nothing_twice(bench) -> None:
    stocked(bench, 7)
    bench.build()
    with bench.warehouse.session() as session:
        if bench.warehouse.dialect == "duckdb":
            return
        assert analysed(session) == 0
        make_plan(bench.warehouse, bench.syncs, DESTINATIONS)
        assert analysed(session) == 1
        make_plan(bench.warehouse, bench.syncs, DESTINATIONS)
        assert analysed(session) == 1


def analysed(session: Session) -> int:
    session.execute("SELECT pg_stat_force_next_flush()")
    return session.value(
        "SELECT coalesce(sum(analyze_count), 0)::int FROM pg_stat_all_tables "
        "WHERE schemaname = 'activation' AND relname = 'webflow__skus'"
    )


def test_a_changed_copy_of_a_sync_forgets_what_followed_from_its_old_fields(bench) -> None:
    sync = next(one for one in bench.syncs if one.resource == "products")
    before = sync.mapping_hash, len(sync.plain_fields)
    copy = sync.model_copy(update={"fields": sync.fields[:1]})
    assert copy.mapping_hash != before[0]
    assert len(copy.plain_fields) == 1 < before[1]
    assert sync == sync.model_copy()
