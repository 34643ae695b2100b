"""What a sync of `files` can choose, and the name that follows from it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from string import Formatter
from typing import Literal, Self

from pydantic import Field, model_validator

from reverse_etl.spec.syncs import Spec
from reverse_etl.state.operations import Operation

_PARTS = ("sync", "date", "time", "plan")
_SAFE = re.compile(r"[^A-Za-z0-9._-]+")


class FileOptions(Spec):
    """The `options:` of a sync to `files`."""

    format: Literal["csv", "xlsx", "parquet"] = "csv"
    export: Literal["full", "changes"] = "full"
    """`changes`: only rows created, updated or removed since the last export, with `_action` in front."""
    name: str = ""
    """File name without its ending; `{sync}`, `{date}`, `{time}` (UTC, of the plan) and `{plan}` are filled in."""
    line_end: Literal["crlf", "lf"] = "crlf"
    delimiter: Literal[",", ";", "\t", "|"] = ","
    keep: int | None = Field(None, ge=1)
    """So many of the newest files of this sync stay; older ones that a manifest calls ours are deleted."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        try:
            parts = {name for _, name, _, _ in Formatter().parse(self.name) if name is not None}
        except ValueError as error:
            raise ValueError(f"name: {error}") from None
        if unknown := sorted(parts - {*_PARTS}):
            raise ValueError(f"name: unknown {', '.join(unknown)}; known are {', '.join(_PARTS)}")
        if "/" in self.name or "\\" in self.name or self.name.startswith("."):
            raise ValueError("name: it must be a plain file name; folders are a matter of the connection")
        if self.export == "changes" and self.name and not parts & {"time", "plan"}:
            raise ValueError(
                "name: each export of changes is a file of its own; put {time} or {plan} into it"
            )
        return self

    def file_name(self, operation: Operation) -> str:
        """The same name for the same operation, before and after a kill."""
        pattern = self.name or ("{sync}" if self.export == "full" else "{sync}-{plan}")
        at = (operation.planned_at or datetime.now(UTC)).astimezone(UTC)
        name = pattern.format(
            sync=operation.sync, date=f"{at:%Y-%m-%d}", time=f"{at:%H%M%S}", plan=operation.plan_id
        )
        return f"{_SAFE.sub('-', name)}.{self.format}"
