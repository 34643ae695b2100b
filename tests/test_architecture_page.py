"""docs/architecture.md speaks of files that there are, and of every room."""

from __future__ import annotations

import re

from karvon.settings import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_every_file_and_folder_of_the_page_exists() -> None:
    named = {one for one in re.findall(r"`([\w./]+)`", PAGE) if "/" in one}
    assert len(named) > 30
    assert sorted(one for one in named if not (PROJECT_ROOT / one).exists()) == []


def test_every_room_of_the_engine_is_in_the_picture() -> None:
    engine = PROJECT_ROOT / "reverse_etl"
    rooms = {one.parent.name for one in engine.glob("*/__init__.py")}
    assert {room for room in rooms if f"reverse_etl/{room}" not in PAGE.partition("```mermaid")[2]} == set()
    assert [one.name for one in engine.glob("*.py")] == ["__init__.py"]
