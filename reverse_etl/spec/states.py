"""What holds of a record as a whole in its destination, and what becomes of it when a person changed that there."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

PUBLISHED = "isPublished"
"""The field that a destination with `publish: live` adds to a sync: whether visitors see the record."""
ARCHIVED, DRAFT, DEFAULT = "isArchived", "isDraft", "default"
"""States that are no fields unless a column feeds one; the default is the child that a parent shows first."""
DEFAULT_CHILD = "default_sku"
"""The default's remote id among the extras of a parent's record."""
WORDS = {
    ARCHIVED: "it is archived there",
    DRAFT: "it is a draft there",
    DEFAULT: "another default was chosen there",
}
StatePolicy = Literal["overwrite", "keep", "report"]


class States(BaseModel):
    """Policies for states that somebody changed in the destination.

    Unlike a field, a state is set on purpose, often in a hurry (a recall, a wrong price): `report` leaves it and tells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    archived: StatePolicy = "report"
    draft: StatePolicy = "report"
    published: StatePolicy = "report"
    default: Literal["keep", "report"] = "report"
    """No destination takes that through its API."""

    def of(self, name: str) -> StatePolicy:
        given: dict[str, StatePolicy] = {
            ARCHIVED: self.archived, DRAFT: self.draft, PUBLISHED: self.published, DEFAULT: self.default,
        }  # fmt: skip
        return given[name]
