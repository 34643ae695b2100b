"""The scan of what was landed, as `karvon doctor` does it: counts by place, and never a value."""

from __future__ import annotations

import json

import pytest

from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration.cli.doctor import PersonsInRaw, _persons
from pipelines.raw_scan import persons_in_raw, told

DOCUMENTS = {
    "raw_uzex.competition_details": [
        {"id": 1, "winners_ids": [{"pinfl": "41203987654321"}, {"fullname": "Qodirova Nilufar"}]},
        {"id": 2, "js_details": [{"description": "tel. +998 93 412-55-07"}, {"description": "93 412 55 08"}]},
    ],
    "raw_plytix.products": [{"sku": "8600312900000007", "gtin": "41203987654321", "label": "Choynak"}],
    "raw_user_apis.records": [{"email": "nilufar@namuna.example"}],
}


@pytest.fixture
def landed(warehouse: Warehouse) -> Warehouse:
    with warehouse.session() as session:
        for table, documents in DOCUMENTS.items():
            session.execute(f"CREATE SCHEMA {table.partition('.')[0]}")
            users = "user_id text, source_id text, " if "user_apis" in table else ""
            session.execute(f"CREATE TABLE {table} ({users}document json, _dlt_load_id text)")
            for document in documents:
                values = ("u", "s", json.dumps(document)) if users else (json.dumps(document),)
                places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
                session.execute(f"INSERT INTO {table} VALUES ({places}, '1')", values)
    return warehouse


def test_persons_are_counted_by_place_and_kind_and_their_values_are_not_told(landed: Warehouse) -> None:
    found = persons_in_raw(landed)
    assert found == {
        "raw_uzex.competition_details": {
            ("winners_ids.pinfl", "PINFL"): 1,
            ("winners_ids.fullname", "name"): 1,
            ("js_details.description", "phone"): 2,
        }
    }, "the numbers of a shop's goods are none, and a user who keeps persons keeps them"
    assert told(found) == (
        "raw_uzex.competition_details: 2 × phone at js_details.description, "
        "1 × name at winners_ids.fullname, 1 × PINFL at winners_ids.pinfl"
    )
    assert persons_in_raw(landed, {("u", "s")})["raw_user_apis.records"] == {("email", "e-mail"): 1}


def test_the_doctor_calls_it_wrong_where_a_source_says_what_it_keeps(landed: Warehouse) -> None:
    with pytest.raises(PersonsInRaw, match=r"raw_uzex\.competition_details: 2 × phone") as wrong:
        _persons(Settings(), landed)
    assert "412" not in str(wrong.value)
    with landed.session() as session:
        session.execute("DELETE FROM raw_uzex.competition_details")
    assert _persons(Settings(), landed) == "none found"
