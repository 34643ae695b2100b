"""Money of users' shops as their APIs write it: right to the cent, or rejected with the text; never wrong silently."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
import psycopg2
import pytest
import yaml
from dbt_build import Build, dbt_environment
from users_shops import FORMS, SOURCES, forms_source

from karvon.warehouse import Warehouse
from pipelines.sources.user_apis.cleaning import cleaned
from pipelines.sources.user_apis.definition import DataSource
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.ingest import ingest
from pipelines.sources.user_apis.registry import read_registry

_MODELS = (
    "build",
    "--select",
    "+path:models/marts/user_apis",
    "--resource-type",
    "model",
    "--resource-type",
    "seed",
)


@dataclass(frozen=True)
class Shops:
    """A warehouse in which every source of `users_shops` was landed and cleaned."""

    build: Build

    def records(self, source: str) -> dict[str, dict[str, Any]]:
        rows = self.build.rows(f"select * from marts.user_records where source_id = '{source}'")
        return {row["document_key"]: row for row in rows}

    def revenue(self, source: str) -> dict[str, tuple[int, Decimal, Decimal, Decimal]]:
        rows = self.build.rows(
            "select currency, sum(order_count) as orders, sum(gross_amount) as gross, "
            "sum(refunded_amount) as refunded, "
            f"sum(net_amount) as net from marts.source_revenue_daily where source_id = '{source}' group by currency"
        )
        return {
            row["currency"]: (int(row["orders"]), row["gross"], row["refunded"], row["net"]) for row in rows
        }

    def reasons(self, source: str) -> dict[str, str]:
        rows = self.build.rows(
            f"select record_key, reject_reasons from marts.rejected_records where source_id = '{source}'"
        )
        return {row["record_key"].rsplit("/", 1)[-1]: row["reject_reasons"] for row in rows}


@pytest.fixture(scope="module", params=["duckdb", pytest.param("postgres", marks=pytest.mark.slow)])
def shops(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shops:
    folder = tmp_path_factory.mktemp("shops")
    url = (
        f"duckdb:///{folder / 'warehouse.duckdb'}"
        if request.param == "duckdb"
        else _database(request.getfixturevalue("postgres_server"))
    )
    registry = folder / "registry"
    registry.mkdir()
    for name, (definition, _) in SOURCES.items():
        (registry / f"{name}.yml").write_text(yaml.safe_dump(definition))
    warehouse = Warehouse(url, lock_seconds=5)
    report = ingest(
        read_registry(registry),
        Surroundings(warehouse, {}.get, transport=lambda: httpx.MockTransport(_answer)),
    )
    assert report.problems == []
    assert {run.outcome for run in report.runs} == {"complete"}
    build = Build(warehouse, dbt_environment(warehouse, url), folder)
    build.dbt(*_MODELS)
    return Shops(build)


def _database(server: str) -> str:
    connection = psycopg2.connect(server)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE users_money")
    connection.close()
    return server.replace("/postgres?", "/users_money?")


def _answer(request: httpx.Request) -> httpx.Response:
    records = SOURCES[request.url.host.removesuffix(".example")][1]
    return httpx.Response(200, content=json.dumps({"items": records}).encode())


def _money(orders: int, gross: str, refunded: str, net: str) -> tuple[int, Decimal, Decimal, Decimal]:
    return orders, Decimal(gross), Decimal(refunded), Decimal(net)


def test_refunds_are_summed_with_their_sign_and_a_refunded_order_counts_once(shops: Shops) -> None:
    assert shops.revenue("woo") == {"GBP": _money(3, "154.70", "90.75", "63.95")}
    assert shops.reasons("woo") == {}


def test_only_refunds_that_went_through_count_and_neither_tests_nor_cancelled_orders(shops: Shops) -> None:
    assert shops.revenue("shopify") == {"EUR": _money(2, "262.10", "37.05", "225.05")}
    records = shops.records("shopify")
    assert {key: one["status"] for key, one in records.items() if not one["is_ignored"]} == {
        "501": "partly_refunded",
        "503": "cancelled",
        "504": "paid",
    }
    assert records["502"]["is_ignored"]


def test_mappings_that_read_one_refund_of_several_or_the_wrong_sign_are_rejected_aloud(shops: Shops) -> None:
    reasons = shops.reasons("woo_old")
    assert sorted(reasons) == ["1", "3"]
    assert "refunded_amount has 2 values and the mapping reads one (write sum" in reasons["1"]
    assert 'refunded_amount "-75.50" is below zero (write sign: negative' in reasons["3"]
    assert shops.revenue("woo_old") == {"GBP": _money(1, "18.00", "0", "18.00")}
    assert "refunded_amount has 4 values" in shops.reasons("shopify_old")["501"]


def test_the_digits_of_the_smallest_unit_are_those_of_the_currency(shops: Shops) -> None:
    assert shops.revenue("stripe") == {
        "USD": _money(1, "42.05", "10.05", "32.00"),
        "JPY": _money(1, "4205", "200", "4005"),
        "KWD": _money(1, "4.205", "0.001", "4.204"),
        "UZS": _money(1, "42.05", "0", "42.05"),
        "ISK": _money(1, "42.00", "0", "42.00"),
    }
    reasons = shops.reasons("stripe")
    assert sorted(reasons) == ["ch_6", "ch_7", "ch_8", "ch_9"]
    assert "XTS, whose digits are not known" in reasons["ch_6"]
    assert 'gross_amount "42.5" is no whole number of the smallest unit' in reasons["ch_7"]
    assert 'gross_amount "4,205" can be read in two ways' in reasons["ch_8"]
    assert 'gross_amount "-300" is below zero' in reasons["ch_9"]


def test_a_fixed_number_of_digits_holds_only_where_the_currency_agrees(shops: Shops) -> None:
    assert set(shops.revenue("stripe_old")) == {"USD", "UZS"}
    reasons = shops.reasons("stripe_old")
    assert "minor_units: 2, and JPY has 0 digits (write minor_units: true" in reasons["ch_2"]
    assert "minor_units: 2, and KWD has 3 digits" in reasons["ch_3"]


def test_amounts_inside_objects_states_as_numbers_and_records_that_say_they_are_gone(shops: Shops) -> None:
    assert shops.revenue("square") == {"AUD": _money(1, "25.99", "5.00", "20.99")}
    assert shops.reasons("square") == {}
    assert shops.revenue("payme") == {"UZS": _money(1, "150000.00", "0", "150000.00")}
    assert {key: one["is_deleted"] for key, one in shops.records("payme").items()} == {
        "p1": False,
        "p2": False,
        "p3": False,
        "p4": True,
    }


def test_answers_are_picked_by_name_whatever_their_order(shops: Shops) -> None:
    people = shops.build.rows(
        "select record_key, email, phone, name from restricted.people where source_id = 'leads'"
    )
    assert sorted(people, key=lambda one: one["record_key"]) == [
        {
            "record_key": "nora/leads/orders/1",
            "email": "olim@post.example",
            "phone": "998901112233",
            "name": "Olim Karimov",
        },
        {
            "record_key": "nora/leads/orders/2",
            "email": "malika@firma.example",
            "phone": None,
            "name": "Malika Yusupova",
        },
    ]
    reasons = shops.reasons("leads_old")
    assert list(reasons) == ["2"]
    assert "email is no e-mail address (does the mapping read another field?)" in reasons["2"]
    assert "Malika" not in reasons["2"]


def test_a_text_that_can_be_read_in_two_ways_is_rejected_and_all_others_are_read(shops: Shops) -> None:
    for nth, (said, decimal, amount, reason) in enumerate(FORMS):
        record = shops.records(forms_source(decimal)["source_id"])[str(nth)]
        if reason:
            assert record["gross_amount"] is None, (said, decimal)
            assert reason in record["reject_reasons"], (said, decimal, record["reject_reasons"])
        else:
            assert record["reject_reasons"] is None, (said, decimal, record["reject_reasons"])
            assert record["gross_amount"] == Decimal(amount), (said, decimal)


@pytest.mark.parametrize("name", SOURCES)
def test_a_sample_is_cleaned_as_the_warehouse_cleans_it(shops: Shops, name: str) -> None:
    source = DataSource.model_validate(SOURCES[name][0])
    resource = source.resources[0]
    exponents = {
        row["currency"]: row["exponent"] for row in shops.build.rows("select * from marts.currencies")
    }
    landed = shops.records(source.source_id)
    for record in SOURCES[name][1]:
        shown, row = cleaned(source, resource, record, exponents), landed[str(record[resource.key_paths[0]])]
        assert (shown.is_ignored, shown.is_deleted) == (row["is_ignored"], row["is_deleted"])
        assert "; ".join(shown.reasons) == (row["reject_reasons"] or "") or shown.is_ignored
        told = {
            "created_at" if field == "ordered_at" else field: value for field, value in shown.fields.items()
        }
        for field in (
            "created_at",
            "updated_at",
            "status",
            "campaign",
            "gross_amount",
            "refunded_amount",
            "currency",
        ):
            assert told.get(field) == row[field], (field, record)
