"""What a destination would refuse of a mapping, with the place in the YAML."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MappingProblem:
    """One thing of a mapping that the destination would refuse; `field` is empty when it is about the whole sync.

    `line` is of `file` and known once it was looked up (`yaml_places`).
    """

    model: str
    file: str
    field: str
    what: str
    way_out: str
    column: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        field = f", field {self.field}" if self.field else ""
        return f"{place}, model {self.model}{field}: {self.what}; {self.way_out}"
