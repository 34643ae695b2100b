"""The page of a plan in a real browser: its filter, its diffs, its size, and that nothing of others runs in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser
from hand_made_plan import ATTACK, PICTURE, operation, stored

from karvon.warehouse import Warehouse
from reports.plan import plan_page
from reverse_etl.state.operations import Finding


@pytest.fixture
def page(duckdb_warehouse: Warehouse, tmp_path: Path) -> Path:
    """A small plan with one row of each kind."""
    texts = {"before": "A brass lamp for the desk", "after": f"A steel lamp for the desk {ATTACK}"}
    plan = stored(
        duckdb_warehouse,
        [
            operation(1, changes={"description": texts}, baseline={"description": "A lamp for the desk"}),
            operation(2),
            operation(3, action="create", changes={"main-image": {"before": None, "after": PICTURE}}),
            operation(4, sync="webflow__products", resource="products", action="archive", changes={}),
            operation(5, status="failed", error=f"Field 'price': {ATTACK}", error_field="price"),
        ],
        Finding("drift", "webflow__skus", "default:1", "description was edited", "description"),
        Finding("not_ready", "webflow__products", "default:9", "status is Draft"),
        broken=True,
    )
    target = tmp_path / "plan.html"
    target.write_text(plan_page(duckdb_warehouse, plan, (), {}))
    return target


def rows(browser: Browser) -> list[str]:
    """Keys of the rows in the list."""
    return list(browser.value("[...document.querySelectorAll('.row')].map((row) => row.dataset.key)"))


def counted(browser: Browser, text: str) -> None:
    browser.until(f"document.querySelector('#count').textContent === '{text}'")


def test_typing_and_choosing_narrow_the_list(browser: Browser, page: Path) -> None:
    browser.open(page)
    counted(browser, "6 rows")
    browser.click("#q")
    browser.type("l-0002")
    counted(browser, "1 of 6 rows")
    assert rows(browser) == ["default:2"]
    browser.click("#clear")
    counted(browser, "6 rows")
    browser.click("#waits")
    counted(browser, "1 of 6 rows")
    assert rows(browser) == ["default:1"]
    browser.click("#clear")
    counted(browser, "6 rows")
    browser.click("button.pill.not_ready")
    counted(browser, "1 of 6 rows")
    assert browser.value("location.hash") == "#sync=webflow__products&kind=not_ready"


def test_a_view_can_be_passed_on_by_its_address(browser: Browser, page: Path) -> None:
    browser.open(page, fragment="#field=price&kind=update")
    counted(browser, "2 of 6 rows")
    assert rows(browser) == ["default:2", "default:5"]


def test_a_row_opens_with_before_and_after(browser: Browser, page: Path) -> None:
    browser.open(page, fragment="#q=L-0001")
    counted(browser, "1 of 6 rows")
    browser.click(".row summary")
    browser.until("document.querySelector('.body')")
    assert browser.value("document.querySelector('.body del').textContent") == "brass"
    assert browser.value("document.querySelector('.body ins').textContent") == "steel"
    assert "we wrote: A lamp for the desk" in browser.value("document.querySelector('.body').textContent")
    browser.open(page, fragment="#open=default:3")
    browser.until("document.querySelectorAll('.row[open] .body').length === 1")
    browser.open(page, fragment="#q=L-0002")
    counted(browser, "1 of 6 rows")
    assert "price: 19.99 USD → 24.99 USD" in browser.value("document.querySelector('.gist').textContent")


def test_texts_of_others_stay_text(browser: Browser, page: Path) -> None:
    browser.open(page)
    for number in range(1, 7):
        browser.click(f"#rows .row:nth-child({number}) summary")
        browser.until(f"document.querySelectorAll('.body').length === {number}")
    assert browser.value("window.attacked") is None
    assert ATTACK in browser.value("document.querySelector('#page').textContent")


def test_only_pictures_of_opened_rows_are_asked_for(browser: Browser, page: Path) -> None:
    browser.open(page)
    counted(browser, "6 rows")
    assert browser.requested == [page.as_uri()]
    browser.open(page, fragment="#q=L-0003")
    counted(browser, "1 of 6 rows")
    browser.click(".row summary")
    # Nobody answers on that port: the name of the picture stands in for it.
    browser.until("document.querySelector('.picture.broken')")
    assert browser.requested[1:] == [PICTURE["url"]]
    assert browser.value("document.querySelector('.picture').textContent") == "A lamp"


def test_a_guard_says_the_way_out(browser: Browser, page: Path) -> None:
    browser.open(page)
    counted(browser, "6 rows")
    said = browser.value("document.querySelector('#page').textContent")
    assert "raise guards.max_updates" in said
    assert "karvon apply p1 --override-guards" in said


def test_nothing_sticks_out_on_a_phone(browser: Browser, page: Path) -> None:
    browser.open(page, width=390, height=800)
    counted(browser, "6 rows")
    browser.click("#rows .row:nth-child(1) summary")
    browser.until("document.querySelector('.body')")
    assert browser.value("document.documentElement.scrollWidth") <= 390


def test_five_thousand_rows_are_drawn_a_page_at_a_time(
    browser: Browser, duckdb_warehouse: Warehouse, tmp_path: Path
) -> None:
    plan = stored(duckdb_warehouse, [operation(number) for number in range(1, 5001)])
    target = tmp_path / "plan.html"
    target.write_text(plan_page(duckdb_warehouse, plan, (), {}))
    browser.open(target)
    counted(browser, "5,000 rows")
    assert len(rows(browser)) == 60
    browser.click("#more")
    browser.until("document.querySelectorAll('.row').length === 120")
    browser.click("#q")
    browser.type("l-4999")
    counted(browser, "1 of 5,000 rows")


def test_what_waits_for_a_person_comes_with_the_command_to_approve(
    browser: Browser, duckdb_warehouse: Warehouse, tmp_path: Path
) -> None:
    drift = Finding("drift", "webflow__skus", "default:1", "price was edited", "price")
    plan = stored(duckdb_warehouse, [operation(2)], drift)
    with duckdb_warehouse.session() as session:
        session.execute(
            "INSERT INTO reverse_etl.holds VALUES ('p1', now(), 'webflow_store', 'default', 'webflow__skus', "
            "'default:1', 'max_price_change', 'price', $1, $2, 'h', 'price would move by +80%')",
            ('{"value": 1000, "unit": "USD"}', '{"value": 1800, "unit": "USD"}'),
        )
    target = tmp_path / "plan.html"
    target.write_text(plan_page(duckdb_warehouse, plan, (), {}))
    browser.open(target)
    counted(browser, "2 rows")
    said = browser.value("document.querySelector('#page').textContent")
    assert "karvon approve --plan p1" in said
    assert "max_price_changeprice10.00 USD18.00 USDprice would move by +80%" in said
    assert "price10.00 USDemptywaits: 18.00 USD" in said
