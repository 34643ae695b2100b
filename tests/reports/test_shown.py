"""Values as people read them."""

from __future__ import annotations

import pytest

from karvon.warehouse import Warehouse
from reports.measures import duration, percent
from reports.shown import LONGEST, Reader, exponents

READER = Reader({"JPY": 0, "KWD": 3}, {"default:c1": "Lamps", "remote-7": "Tables"})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        ([], None),
        (False, "no"),
        ({"value": 249900, "unit": "USD"}, "2,499.00 USD"),
        ({"value": 1500, "unit": "JPY"}, "1,500 JPY"),
        ({"value": 1500, "unit": "KWD"}, "1.500 KWD"),
        (["default:c1", "remote-7", "unknown"], "Lamps, Tables, unknown"),
        ([{"name": "Size", "values": ["S", "M"]}], "Size: S, M"),
        ([{"name": "Size", "enum": [{"id": "1", "name": "S"}]}], "Size: S"),
        ({"Size": "M", "Colour": "Red"}, "Size: M; Colour: Red"),
        ({"url": "http://a/b.png"}, {"images": [{"url": "http://a/b.png", "alt": None}]}),
        ("<p>as it is</p>", "<p>as it is</p>"),
    ],
)
def test_each_kind_of_value_reads_well(value: object, shown: object) -> None:
    assert READER.shown(value) == shown


def test_long_texts_are_cut_and_say_so() -> None:
    shown = READER.shown("x" * (LONGEST + 1))
    assert isinstance(shown, str)
    assert shown.endswith("… (6,001 characters)")


def test_digits_of_a_currency_come_from_the_seed(warehouse: Warehouse) -> None:
    with warehouse.session() as session:
        assert exponents(session) == {}
        session.execute("CREATE SCHEMA marts")
        session.execute("CREATE TABLE marts.currencies (currency text, exponent integer)")
        session.execute("INSERT INTO marts.currencies VALUES ('JPY', 0)")
        assert exponents(session) == {"JPY": 0}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (45, "45 s"), (90, "1.5 min"), (7200, "2 h"), (5400, "90 min"), (259_200, "3 d")],
)
def test_durations_read_well(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_a_share_that_is_not_whole_is_never_100_percent() -> None:
    assert [percent(1.0), percent(0.999999), percent(0.5), percent(None)] == ["100%", "99.99%", "50.00%", ""]
