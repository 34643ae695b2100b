"""Settings and connections: where values come from, and what is said when one is missing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from karvon.connections import (
    markets_wanted,
    plytix_connections,
    uzex_connections,
    uzum_connections,
    uzum_seller_connections,
    webflow_connections,
)
from karvon.rate_limits import RateWindow, evenly, share
from karvon.settings import PROJECT_ROOT, Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("KARVON_", "PLYTIX_", "WEBFLOW_", "UZUM_", "UZEX_")):
            monkeypatch.delenv(name)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    monkeypatch.setattr("karvon.settings.DOTENV", tmp_path / ".env")


def live(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in {"KARVON_PROFILE": "live", **variables}.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_every_variable_is_documented_and_every_documented_one_is_read() -> None:
    documented = set(
        re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", (PROJECT_ROOT / ".env.example").read_text(), re.M)
    )
    read = {str(field.validation_alias) for field in Settings.model_fields.values()}
    of_connections = {
        "PLYTIX_API_KEY", "PLYTIX_API_PASSWORD", "WEBFLOW_API_TOKEN", "WEBFLOW_SITE_ID", "KARVON_WEBHOOK_URL",
        "KARVON_WEBHOOK_SECRET", "KARVON_WEBHOOK_CHAT", "KARVON_EXPORTS_DIR", "UZUM_TOKEN", "UZUM_SELLER_TOKEN",
    }  # fmt: skip
    assert documented == read | of_connections


def test_the_sandbox_needs_nothing_and_applies() -> None:
    settings = load_settings()
    assert (settings.profile, settings.apply) == ("sandbox", True)
    assert plytix_connections(settings)["default"].base_url == "http://127.0.0.1:8791/plytix"


def test_variables_of_others_are_not_taken_for_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HOME, PROFILE and the like belong to the shell."""
    before = load_settings()
    for name, field in Settings.model_fields.items():
        if name.upper() != field.validation_alias:
            monkeypatch.setenv(name.upper(), str(tmp_path))
    assert load_settings() == before


def test_live_writes_only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert live(monkeypatch).apply is False
    assert live(monkeypatch, KARVON_APPLY="true").apply is True


def test_a_missing_credential_names_variable_connection_and_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = live(monkeypatch, PLYTIX_API_KEY="key")
    with pytest.raises(
        SettingsError, match=r"PLYTIX_API_PASSWORD is not set.*plytix\.default.*\.env\.example"
    ):
        plytix_connections(settings)


def test_a_wrong_value_names_its_variable_and_not_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="KARVON_PROFILE") as failure:
        live(monkeypatch, KARVON_PROFILE="production-secret")
    assert "production-secret" not in str(failure.value)


def test_values_come_from_the_env_file_and_mounted_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PLYTIX_API_KEY=from-file\nKARVON_SYNC_EVERY_MINUTES=10\n")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "PLYTIX_API_PASSWORD").write_text("mounted\n")
    settings = live(monkeypatch, KARVON_SECRETS_DIR=str(secrets))
    connection = plytix_connections(settings)["default"]
    assert settings.sync_every_minutes == 10
    assert connection.api_key.get_secret_value() == "from-file"
    assert connection.api_password.get_secret_value() == "mounted"


def test_several_accounts_and_sites_have_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "connections.yml"
    file.write_text(
        """
        plytix:
          eu: {api_key: EU_KEY, api_password: EU_PASSWORD}
          us: {api_key: US_KEY, api_password: US_PASSWORD}
        webflow:
          shop: {api_token: SHOP_TOKEN, site_id: SHOP_SITE}
          outlet: {api_token: OUTLET_TOKEN, site_id: OUTLET_SITE}
        """
    )
    names = re.findall("[A-Z]+_[A-Z]+", file.read_text())
    settings = live(monkeypatch, KARVON_CONNECTIONS_FILE=str(file), **{name: name.lower() for name in names})
    assert {n: c.api_key.get_secret_value() for n, c in plytix_connections(settings).items()} == {
        "eu": "eu_key",
        "us": "us_key",
    }
    assert {n: c.site_id for n, c in webflow_connections(settings).items()} == {
        "shop": "shop_site",
        "outlet": "outlet_site",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "plytix: {eu: {api_key: A}}",
            r"connections\.yml: plytix\.eu must name exactly .*api_key, api_password",
        ),
        ("shopify: {}", "unknown vendor shopify"),
        ("plytix: [", "not valid YAML"),
    ],
)
def test_a_wrong_connections_file_says_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "connections.yml"
    file.write_text(content)
    with pytest.raises(SettingsError, match=said):
        plytix_connections(live(monkeypatch, KARVON_CONNECTIONS_FILE=str(file)))


def test_sandbox_connections_are_worlds_of_their_own_and_see_no_real_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "connections.yml"
    file.write_text("plytix:\n  eu: {api_key: EU_KEY, api_password: EU_PASSWORD}\n")
    monkeypatch.setenv("EU_KEY", "real")
    monkeypatch.setenv("KARVON_CONNECTIONS_FILE", str(file))
    assert plytix_connections(load_settings())["eu"].api_key.get_secret_value() == "sandbox-key-eu"


def test_rate_limits_are_windows_and_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"PLYTIX_API_KEY": "a", "PLYTIX_API_PASSWORD": "b"}
    windows = plytix_connections(live(monkeypatch, **secrets))["default"].rate_limits
    assert [(window.requests, window.seconds) for window in windows] == [(20, 10), (2000, 3600)]
    with pytest.raises(SettingsError, match="requests/seconds"):
        plytix_connections(live(monkeypatch, **secrets, PLYTIX_RATE_LIMITS="fast"))


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = live(
        monkeypatch,
        PLYTIX_API_KEY="sesame",
        PLYTIX_API_PASSWORD="sesame",
        KARVON_WAREHOUSE_URL="postgresql://u:sesame@h/d",
    )
    assert "sesame" not in f"{settings!r} {plytix_connections(settings)!r}"


def test_dbt_gets_the_warehouse_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = live(
        monkeypatch, KARVON_WAREHOUSE_URL="postgresql://me:p%40ss@db.test:6543/shop?sslmode=require"
    )
    exported = settings.environment_for_children()
    assert {name: exported[name] for name in exported if name.startswith("KARVON_PG")} == {
        "KARVON_PG_HOST": "db.test",
        "KARVON_PG_PORT": "6543",
        "KARVON_PG_USER": "me",
        "KARVON_PG_PASSWORD": "p@ss",
        "KARVON_PG_DATABASE": "shop",
    }


def test_the_markets_need_no_credentials_and_say_who_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = live(monkeypatch, KARVON_USER_AGENT="Bureau of prices, prices@example.uz")
    uzum, uzex = uzum_connections(settings)["default"], uzex_connections(settings)["default"]
    assert (uzum.token, uzum_seller_connections(settings)) == (None, {})
    assert {uzum.manners.user_agent, uzex.manners.user_agent} == {"Bureau of prices, prices@example.uz"}
    assert (uzum.manners.rate_limits, uzex.manners.rate_limits) == ((RateWindow(2, 1),), (RateWindow(1, 1),))
    assert uzex.base_url.format(module="shop") == "https://xarid-api-shop.uzex.uz"


def test_further_headers_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = live(monkeypatch, UZUM_HEADERS='{"X-Agreed": "very-secret"}', UZUM_TOKEN="another-secret")
    connection = uzum_connections(settings)["default"]
    assert connection.manners.headers["X-Agreed"].get_secret_value() == "very-secret"
    assert "secret" not in repr(connection)


def test_a_seller_is_loaded_when_a_token_is_set_or_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert set(uzum_seller_connections(live(monkeypatch, UZUM_SELLER_TOKEN="token-of-mine"))) == {"default"}
    file = tmp_path / "connections.yml"
    file.write_text("uzum_seller: {home: {token: HOME_TOKEN}}")
    settings = live(monkeypatch, KARVON_CONNECTIONS_FILE=str(file), HOME_TOKEN="token-of-home")
    assert set(uzum_seller_connections(settings)) == {"home"}
    assert markets_wanted(settings)


def test_markets_take_part_in_plain_runs_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not markets_wanted(load_settings())
    monkeypatch.setenv("KARVON_MARKETS", "true")
    assert markets_wanted(load_settings())


def test_workers_divide_the_rate_and_a_fast_one_is_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    assert share((RateWindow(100, 1),), 4) == (RateWindow(25, 1),)
    assert share((RateWindow(2, 1),), 4) == (RateWindow(1, 2),)
    assert evenly((RateWindow(100, 1), RateWindow(2, 1))) == (
        RateWindow(100, 1), RateWindow(2, 1), RateWindow(12, 0.1),
    )  # fmt: skip
    settings = live(monkeypatch, UZUM_RATE_LIMITS="100/1", UZEX_RATE_LIMITS="1/1", KARVON_CRAWL_WORKERS="2")
    assert uzum_connections(settings)["default"].manners.rate_limits[0] == RateWindow(50, 1)
    # One process at a time reads it.
    assert uzex_connections(settings)["default"].manners.rate_limits == (RateWindow(1, 1),)
