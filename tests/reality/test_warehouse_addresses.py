"""Addresses of a Postgres as people and clouds write them: read by every part of Karvon alike, or refused in words."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from kept_warehouse import Profile, land

from karvon.settings import Settings, SettingsError, load_settings
from karvon.warehouse import Warehouse, WarehouseError


def _settings(monkeypatch: pytest.MonkeyPatch, url: str) -> Settings:
    monkeypatch.setenv("KARVON_WAREHOUSE_URL", url)
    return load_settings()


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://nodira@db.example/shop", ("db.example", "5432", "nodira", "", "shop")),
        (
            "postgres://nodira:p%40ss%2Fw%25rd%23@db.example:6432/the%20shop",
            ("db.example", "6432", "nodira", "p@ss/w%rd#", "the shop"),
        ),
        ("postgresql://n:a:b@db.example/shop", ("db.example", "5432", "n", "a:b", "shop")),
        ("postgresql:///shop?host=/run/pg&user=nodira&port=6432", ("/run/pg", "6432", "nodira", "", "shop")),
        ("postgresql://n:парол@[::1]:5433/shop", ("::1", "5433", "n", "парол", "shop")),
    ],
)
def test_dbt_is_given_the_parts_that_the_driver_reads(
    monkeypatch: pytest.MonkeyPatch, url: str, parts: tuple[str, ...]
) -> None:
    environment = _settings(monkeypatch, url).environment_for_children()
    names = ("HOST", "PORT", "USER", "PASSWORD", "DATABASE")
    assert tuple(environment[f"KARVON_PG_{name}"] for name in names) == parts


def test_what_a_cloud_says_about_encryption_reaches_dbt_too(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://n:x@db.example/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    environment = _settings(monkeypatch, url).environment_for_children()
    assert (environment["PGSSLMODE"], environment["PGSSLROOTCERT"]) == ("verify-full", "/etc/ca.pem")


@pytest.mark.parametrize("sign", list("@#/?[%"))
def test_a_password_that_cannot_be_told_from_the_address_is_refused_without_being_told(
    monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _settings(monkeypatch, f"postgresql://nodira:ge{sign}heim@db.example/shop")
    assert "KARVON_WAREHOUSE_URL" in str(refused.value)
    assert "%40 for @" in str(refused.value)
    assert "heim" not in str(refused.value)


def test_a_password_with_a_space_is_refused_before_the_loader_fails_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SettingsError, match="must not hold a space"):
        _settings(monkeypatch, "postgresql://nodira:ge%20heim@db.example/shop")


@pytest.mark.parametrize("port", ["abc", "99999", "0"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    with pytest.raises(SettingsError, match="KARVON_WAREHOUSE_URL"):
        _settings(monkeypatch, f"postgresql://n:x@db.example:{port}/shop")


@pytest.mark.parametrize("form", ["without_password", "odd_password"])
def test_documents_are_landed_with_every_form_of_address(postgres_url: str, form: str) -> None:
    address = urlsplit(postgres_url)
    socket = parse_qs(address.query)["host"][0]
    user = {"without_password": "postgres", "odd_password": "postgres:p%40s%2Fs%23x+y"}[form]
    url = f"postgresql://{user}@localhost:5432{address.path}?host={socket}"
    land(Warehouse(url), [{"id": 1, "name": "one"}])
    with Warehouse(postgres_url).session() as session:
        assert session.value("SELECT count(*) FROM raw_shop.goods") == 1


def test_an_old_server_is_named_with_what_is_needed(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("karvon.warehouse.OLDEST_POSTGRES", 99)
    too_old = pytest.raises(WarehouseError, match=r"The server is PostgreSQL \d+; Karvon needs 99 or later")
    with too_old, Warehouse(postgres_url).session():
        pass
    told = Profile(tmp_path / "home", postgres_url).karvon("status")
    assert told.exit_code == 1
    assert "Karvon needs 99 or later" in told.output


def test_a_server_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    told = Profile(tmp_path / "home", "postgresql://n:geheim@127.0.0.1:9/shop").karvon("status")
    assert told.exit_code == 1
    assert told.output.startswith("Error: Postgres cannot be reached")
    assert "geheim" not in told.output
