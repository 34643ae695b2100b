"""What a load did, in counts: for the observations table, for people, for Dagster."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ResourceReport:
    """What one load did with one resource."""

    resource: str
    scope: str = ""
    is_complete: bool = False
    cursor_value: str | None = None
    seen: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    missing: int = 0
    refused: int = 0
    failed: int = 0
    requests: int = 0
    seconds: float = 0.0

    @property
    def landed(self) -> int:
        """Rows appended."""
        return self.new + self.changed + self.deleted


@dataclass
class LoadReport:
    """What one load did."""

    source: str
    connection: str
    load_id: str = ""
    resources: list[ResourceReport] = field(default_factory=list)
    seconds: float = 0.0
