"""A sandbox for each test."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_client import SandboxClient


@pytest.fixture
def sandbox(tmp_path: Path) -> SandboxClient:
    """A sandbox whose default world has 60 products."""
    return SandboxClient(tmp_path / "sandbox", products=60)
