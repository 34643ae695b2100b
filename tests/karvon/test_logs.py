"""Logs by switch: text or JSON lines, and never a secret."""

from __future__ import annotations

import json
import logging

import pytest

from karvon.logs import configure_logging
from karvon.settings import load_settings


def logged(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], form: str) -> str:
    monkeypatch.setenv("KARVON_LOG_FORMAT", form)
    monkeypatch.setenv("KARVON_LOG_LEVEL", "INFO")
    configure_logging(load_settings())
    logging.getLogger("karvon.http").info("sent with Authorization: Bearer %s", "abc.def.ghi")
    return capsys.readouterr().err


def test_json_lines_are_whole_objects_without_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = json.loads(logged(monkeypatch, capsys, "json"))
    assert (line["level"], line["logger"]) == ("INFO", "karvon.http")
    assert line["message"] == "sent with Authorization: Bearer ***"


def test_text_lines_are_redacted_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = logged(monkeypatch, capsys, "text")
    assert said == "INFO karvon.http: sent with Authorization: Bearer ***\n"
