"""A user's report in a real browser: charts show what the marts hold, ranges, and that nothing is asked for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from hand_made_marts import LAST, insert, make_marts

from karvon.warehouse import Warehouse
from reports import user_figures as figures
from reports.user import user_page, write_pages

_BARS = """[...document.querySelectorAll('#%s rect[aria-label^="%s "]')].map((bar) =>
  [bar.getAttribute('aria-label'), Number(bar.getAttribute('height')), Number(bar.getAttribute('y'))])"""


@pytest.fixture
def marts(duckdb_warehouse: Warehouse) -> Warehouse:
    make_marts(duckdb_warehouse)
    return duckdb_warehouse


@pytest.fixture
def page(marts: Warehouse, tmp_path: Path) -> Path:
    target = tmp_path / "anna.html"
    target.write_text(user_page(marts, "anna"))
    return target


def bars(browser: Browser, chart: str, series: str) -> dict[str, tuple[str, float, float]]:
    """Day → value as the bar says it, its height and its top in pixels."""
    browser.until(f"document.querySelector('#{chart} svg')")
    found = {}
    for label, height, top in browser.value(_BARS % (chart, series)):
        day, value = label.removeprefix(f"{series} ").split(": ")
        found[day] = (value, height, top)
    return found


def stored(warehouse: Warehouse, columns: str, days: int) -> list[dict[str, Any]]:
    with warehouse.session() as session:
        return session.rows(
            f"SELECT {columns} FROM marts.user_metrics_daily WHERE user_id = 'anna' "
            f"AND metric_date > DATE '{LAST}' - {days}"
        )


@pytest.mark.parametrize(
    ("chart", "series", "column"),
    [
        ("revenue", "Gross", "gross_amount"),
        ("revenue", "Refunds", "refunded_amount"),
        ("orders-chart", "Orders", "order_count"),
        ("leads", "Converted by now", "converted_lead_count"),
        ("leads", "Others", "lead_count - converted_lead_count"),
    ],
)
def test_each_bar_says_and_is_as_high_as_the_marts_number(
    browser: Browser, page: Path, marts: Warehouse, chart: str, series: str, column: str
) -> None:
    browser.open(page)
    drawn = bars(browser, chart, series)
    assert len(drawn) == 30
    expected = {
        str(row["metric_date"]): Decimal(row["value"])
        for row in stored(marts, f"metric_date, {column} AS value", 30)
    }
    assert {day: Decimal(value) for day, (value, _, _) in drawn.items() if Decimal(value)} == {
        day: value for day, value in expected.items() if value
    }
    top = max(drawn, key=lambda day: drawn[day][1])
    pixels = drawn[top][1] / float(expected[top])
    for value, height, _ in drawn.values():
        assert height == pytest.approx(float(value) * pixels, abs=0.01)


def test_totals_follow_the_range_and_are_exact(browser: Browser, page: Path, marts: Warehouse) -> None:
    browser.open(page)
    for days in (7, 90, 30):
        browser.click(f"#days-{days}")
        browser.until(f"location.hash === '#days={days}&theme=auto'")
        expected = stored(
            marts,
            "sum(net_amount) AS net, sum(refunded_amount) AS refunded, sum(order_count) AS orders",
            days,
        )[0]
        for name, value in expected.items():
            said = browser.value(f"document.querySelector('#{name}').dataset.value")
            assert Decimal(said) == value, (days, name)
        assert len(bars(browser, "revenue", "Gross")) == days


def test_customers_are_told_apart_by_their_first_order(
    browser: Browser, page: Path, marts: Warehouse
) -> None:
    browser.open(page, fragment="#days=90")
    first, back = bars(browser, "customers", "First order"), bars(browser, "customers", "Came back")
    with marts.session() as session:
        expected = session.rows(
            "SELECT CAST(first_order_date AS text) AS day, count(*) AS persons FROM marts.customer_lifetime "
            f"WHERE first_order_date > DATE '{LAST}' - 90 GROUP BY 1"
        )
    assert {day: int(one[0]) for day, one in first.items() if one[0] != "0"} == {
        row["day"]: row["persons"] for row in expected
    }
    active = {
        str(row["metric_date"]): row["active_customer_count"]
        for row in stored(marts, "metric_date, active_customer_count", 90)
    }
    for day, count in active.items():
        assert int(first[day][0]) + int(back[day][0]) == count
        # They stand on each other.
        assert back[day][2] + back[day][1] == pytest.approx(first[day][2], abs=0.01)


def test_cohorts_sources_and_currencies_are_the_marts(browser: Browser, page: Path, marts: Warehouse) -> None:
    browser.open(page)
    cells = browser.value(
        "Object.fromEntries([...document.querySelectorAll('[data-cohort]')].map((one) => "
        "[one.dataset.cohort, [Number(one.dataset.count), one.textContent]]))"
    )
    assert cells == {
        "2026-01-01/0": [40, "40"], "2026-01-01/1": [10, "25%"], "2026-01-01/2": [6, "15%"],
        "2026-02-01/0": [30, "30"], "2026-02-01/1": [12, "40%"],
    }  # fmt: skip
    states = browser.value(
        "[...document.querySelectorAll('#sources tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    assert [(row[0], row[1]) for row in states] == [("ads", "failing"), ("crm", "paused"), ("shop", "fine")]
    assert states[2][4:6] == ["9", "2"]
    assert "2 of 3 sources cannot be read: ads, crm" in browser.value("document.body.innerText")
    gross = stored(marts, "2 * sum(gross_amount) AS total", 30)[0]["total"]
    assert f"US${gross:,.2f}" in browser.value("document.querySelector('#currencies').textContent").replace(
        "$", "US$"
    )


def test_texts_of_others_stay_text_and_nothing_is_asked_for(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.until("document.querySelector('#sources')")
    assert browser.value("window.attacked") is None
    assert "onerror" in browser.value("document.querySelector('h1').textContent")
    assert browser.requested == [page.as_uri()]
    assert page.stat().st_size < 1_000_000


@pytest.mark.parametrize("fragment", ["#days=90&theme=dark", "#days=7&theme=light"])
def test_nothing_sticks_out_on_a_phone(browser: Browser, page: Path, fragment: str) -> None:
    browser.open(page, width=390, height=844, fragment=fragment)
    browser.until("document.querySelector('#revenue svg')")
    browser.click("#table summary")
    browser.until("document.querySelector('#days')")
    assert browser.value("document.documentElement.scrollWidth") <= 390
    dark = browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 21)"
    assert dark == ("dark" in fragment)


def test_the_pointer_tells_the_figures_of_its_day(browser: Browser, page: Path) -> None:
    browser.open(page, fragment="#days=7")
    browser.until("document.querySelector('#revenue svg')")
    place = browser.value(
        "(() => { const box = document.querySelector('#revenue svg').getBoundingClientRect(); "
        "return [box.right - 20, box.y + 60]; })()"
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    browser.until("document.querySelector('#revenue [aria-label=tip]').textContent.includes('Net: €900.32')")


def test_a_user_without_figures_is_told_so(browser: Browser, marts: Warehouse, tmp_path: Path) -> None:
    target = tmp_path / "boris.html"
    target.write_text(user_page(marts, "boris"))
    browser.open(target)
    browser.until("document.querySelector('.callout')")
    assert "No figures yet" in browser.value("document.body.innerText")


def test_only_pages_whose_figures_moved_are_written(warehouse: Warehouse, tmp_path: Path) -> None:
    make_marts(warehouse)
    (tmp_path / "gone.html").write_text("of a user that is gone")

    def written() -> list[str]:
        return [path.stem for path, is_new in write_pages(warehouse, tmp_path) if is_new]

    assert written() == ["anna", "boris"]
    assert sorted(path.stem for path in tmp_path.glob("*.html")) == ["anna", "boris"]
    assert written() == []
    with warehouse.session() as session:
        session.execute(
            "UPDATE marts.source_metrics_daily SET restated_at = now() WHERE metric_date = DATE '2026-03-31'"
        )
    assert written() == ["anna"]
    with warehouse.session() as session:
        insert(session, "raw_user_apis.source_runs", user_id="boris", source_id="shop", outcome="failed",
               finished_at="2026-03-31T21:00:00Z", _dlt_load_id="2")  # fmt: skip
    assert written() == ["boris"]


def test_an_unknown_user_is_told_who_is_known(warehouse: Warehouse) -> None:
    with pytest.raises(figures.NothingMeasured, match="karvon run"):
        user_page(warehouse, "anna")
    make_marts(warehouse)
    with pytest.raises(figures.NothingMeasured, match="There is no user dora; known are anna, boris"):
        user_page(warehouse, "dora")
