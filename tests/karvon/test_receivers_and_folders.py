"""Connections of messages and files: what may be left out, what is missed, and what the sandbox never sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from karvon.connections import files_connections, webhook_connection, webhook_names
from karvon.settings import Settings, SettingsError, load_settings

DECLARED = """
webhook:
  team: {url: TEAM_URL, secret: TEAM_SECRET}
  night: {url: NIGHT_URL, chat: NIGHT_CHAT}
files:
  partner: {folder: PARTNER_FOLDER}
"""


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("karvon.settings.DOTENV", tmp_path / ".env")
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")

    def load(declared: str = "", **variables: str) -> Settings:
        file = tmp_path / "connections.yml"
        file.write_text(declared)
        given = {"KARVON_PROFILE": "live", "KARVON_HOME": str(tmp_path), "KARVON_CONNECTIONS_FILE": str(file)}
        for name, value in {**given, **variables}.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load


def test_secret_and_chat_may_be_left_out_and_names_need_no_variable(settings) -> None:
    found = settings(DECLARED, NIGHT_URL="https://x.example/y", NIGHT_CHAT="7")
    assert webhook_names(found) == ["team", "night"]
    night = webhook_connection(found, "night")
    assert (night.secret, night.chat) == (None, "7")
    with pytest.raises(
        SettingsError, match=r"TEAM_URL is not set, but the connection webhook\.team needs it"
    ):
        webhook_connection(found, "team")


def test_a_secret_that_is_declared_must_be_there(settings) -> None:
    found = settings(DECLARED, TEAM_URL="https://x.example/y")
    with pytest.raises(SettingsError, match="TEAM_SECRET is not set"):
        webhook_connection(found, "team")


def test_the_default_receiver_needs_an_address_only(settings) -> None:
    with pytest.raises(SettingsError, match="KARVON_WEBHOOK_URL is not set"):
        webhook_connection(settings(), "default")
    found = webhook_connection(settings(KARVON_WEBHOOK_URL="https://x.example/y"), "default")
    assert (found.url.get_secret_value(), found.secret) == ("https://x.example/y", None)


def test_folders_come_from_their_variable_or_are_in_karvons_home(settings, tmp_path) -> None:
    assert files_connections(settings()) == {"default": tmp_path / "live" / "exports"}
    assert files_connections(settings(KARVON_EXPORTS_DIR="/data/out")) == {"default": Path("/data/out")}
    assert files_connections(settings(DECLARED, PARTNER_FOLDER="/data/p")) == {"partner": Path("/data/p")}
    with pytest.raises(SettingsError, match="PARTNER_FOLDER is not set"):
        files_connections(settings(DECLARED, PARTNER_FOLDER=""))


def test_the_sandbox_sees_no_real_address_and_no_real_folder(settings, tmp_path) -> None:
    real = {"TEAM_URL": "https://x.example/y", "TEAM_SECRET": "real", "PARTNER_FOLDER": "/data/p"}
    found = settings(DECLARED, KARVON_PROFILE="sandbox", **real)
    assert webhook_connection(found, "team").url.get_secret_value().endswith("/_webhook/team")
    assert files_connections(found) == {"partner": tmp_path / "sandbox" / "exports" / "partner"}
