"""What a sync is: a dbt model whose YAML says where its rows go and which column is which field.

These are the frozen specs; `manifest.read_syncs` makes them from dbt's manifest.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

As = Literal[
    "text", "number", "bool", "money", "image", "images", "html", "references", "sku_properties", "sku_values",
    "stock",
]  # fmt: skip
Policy = Literal["overwrite", "keep", "report", "create_only"]


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FieldSpec(Spec):
    """One column that is one field of the destination."""

    column: str
    field: str
    as_: As = Field("text", alias="as")
    policy: Policy = "overwrite"
    currency: str | None = None
    """Column with the currency of a `money` field."""
    alt: str | None = None
    """Column with the alternative text of an `image` field."""
    compare: Literal["value", "source_hash"] | None = None
    """Images and HTML are always compared by what was sent; the word is there for the reader."""
    sync: str | None = None
    """The sync that a `references` field points into."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.as_ == "money" and not self.currency:
            raise ValueError("`as: money` needs `currency: <column with the currency>`")
        if self.as_ == "references" and not self.sync:
            raise ValueError("`as: references` needs `sync: <sync whose keys the column holds>`")
        if self.compare == "source_hash" and self.as_ not in ("image", "images", "html"):
            raise ValueError("`compare: source_hash` is for `as: image`, `images` or `html`")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.column, self.currency, self.alt) if name)


class Parent(Spec):
    """The sync whose rows own the rows of this one, and how."""

    sync: str
    column: str
    default: str = "is_default"
    """Boolean column: the child that is created together with its parent."""
    order: str = "position"


class Share(Spec):
    """A part of the existing rows, in percent."""

    percent: float = Field(ge=0, le=100)

    def __str__(self) -> str:
        return f"{self.percent:g}%"


def _limit(value: object) -> object:
    if isinstance(value, str) and value.strip().endswith("%"):
        return {"percent": value.strip()[:-1]}
    return value


Limit = Annotated[Share | Annotated[int, Field(ge=0)] | None, BeforeValidator(_limit)]


class Guards(Spec):
    """Most changes of one kind in one plan: a count, a share (`10%`), or null for no cap."""

    max_creates: Limit = None
    max_updates: Limit = None
    max_removals: Limit = None


class Sync(Spec):
    """One model on its way to one resource of one destination."""

    name: str
    schema_name: str
    table: str
    file: str
    """The YAML (or SQL) file to change, relative to the dbt project."""
    sources: tuple[str, ...] = ()
    """Raw tables (`schema.table`) that the model reads, directly or not."""
    destination: str
    resource: str
    connection: str = "default"
    key: str
    parent: Parent | None = None
    match: tuple[str, ...] = ()
    mode: Literal["update_only", "upsert", "mirror"] = "update_only"
    on_removal: Literal["archive", "keep", "delete"] | None = None
    publish: Literal["staging", "live"] = "staging"
    held: str | None = None
    edited_at: str | None = None
    """Column with the time of the row's last edit at its source: where the edit-to-live clock begins."""
    on_moved: Literal["recompute", "hold"] = "recompute"
    """What to do when a stock moved in the shop between plan and apply."""
    guards: Guards = Guards()
    fields: tuple[FieldSpec, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.mode == "mirror" and self.on_removal == "keep":
            raise ValueError("`mode: mirror` removes what left the model; `on_removal: keep` contradicts it")
        names = [field.field for field in self.fields]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"field {', '.join(twice)} is fed by more than one column")
        if not names:
            raise ValueError("no column has a `field`; give at least one column `config: {meta: {field: …}}`")
        return self

    @property
    def relation(self) -> str:
        return f'"{self.schema_name}"."{self.table}"'

    @property
    def removal(self) -> Literal["archive", "keep", "delete"]:
        """What becomes of a record whose row left the model; unsaid, only a mirror removes."""
        return self.on_removal or ("archive" if self.mode == "mirror" else "keep")

    @property
    def creates(self) -> bool:
        return self.mode != "update_only"

    @property
    def target(self) -> tuple[str, str]:
        return self.destination, self.connection

    @property
    def stock(self) -> FieldSpec | None:
        return next((field for field in self.fields if field.as_ == "stock"), None)

    @property
    def plain_fields(self) -> tuple[FieldSpec, ...]:
        """All fields but stock, which is compared and written on its own."""
        return tuple(field for field in self.fields if field.as_ != "stock")

    def field(self, name: str) -> FieldSpec | None:
        return next((field for field in self.fields if field.field == name), None)

    @property
    def refers_to(self) -> frozenset[str]:
        names = {field.sync for field in self.fields if field.sync}
        return frozenset(names | ({self.parent.sync} if self.parent else set()))

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the model that the sync reads, each once."""
        names = [self.key, *(name for field in self.fields for name in field.columns)]
        if self.parent:
            names += [self.parent.column, self.parent.default, self.parent.order]
        names += [name for name in (self.held, self.edited_at) if name]
        return tuple(dict.fromkeys(names))

    @property
    def hashed_columns(self) -> tuple[str, ...]:
        """The columns whose change is a change of the row; stock is compared by value."""
        names = [name for field in self.plain_fields for name in field.columns]
        if self.parent:
            names += [self.parent.column, self.parent.default]
        return tuple(dict.fromkeys(names))

    @property
    def mapping_hash(self) -> str:
        """Changes when rows must be compared anew because what a column means has changed."""
        content = [field.model_dump(mode="json", by_alias=True) for field in self.plain_fields]
        return hashlib.sha256(orjson.dumps(content)).hexdigest()[:16]
