"""What a sync is: a dbt model whose YAML says where its rows go and which column is which field.

These are the frozen specs; `manifest.read_syncs` makes them from dbt's manifest.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from reverse_etl.spec.states import States

As = Literal[
    "text", "number", "bool", "date", "color", "option", "money", "image", "images", "file", "video", "html",
    "reference", "references", "sku_properties", "sku_values", "stock", "published",
]  # fmt: skip
FILES = frozenset({"image", "images", "file"})
"""Kinds of fields whose files a destination takes over: known by where they came from, not by how they look."""
Removal = Literal["archive", "unpublish", "delete", "keep"]
AS_NEW = "as new: "
"""Before the name of a connection: the same place while nothing is there yet."""
Policy = Literal["overwrite", "keep", "report", "create_only"]
Write = Literal["always", "when_filled", "into_empty"]


class Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FieldSpec(Spec):
    """One column that is one field of the destination."""

    column: str
    field: str
    as_: As = Field("text", alias="as")
    policy: Policy = "overwrite"
    write: Write = "always"
    """`always`: our value, an empty one clears the field. `when_filled`: an empty value is left out. `into_empty`:
    only where the destination's field is empty, and never emptied again."""
    currency: str | None = None
    """Column with the currency of a `money` field."""
    alt: str | None = None
    """Column with the alternative text of an `image` field."""
    compare: Literal["value", "source_hash"] | None = None
    """Images and HTML are always compared by what was sent; the word is there for the reader."""
    sync: str | None = None
    """The sync that a `reference` or `references` field points into."""
    is_typed: bool = Field(False, exclude=True)
    """`as` was written down, not derived from the column's type."""
    column_kind: Literal["text", "number", "bool", "time"] = Field("text", exclude=True)
    """What the column holds in the warehouse."""
    can_be_null: bool = Field(False, exclude=True)
    """A number that may be emptied; a store's cannot (Webflow dossier §1.5)."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.as_ == "money" and not self.currency:
            raise ValueError("`as: money` needs `currency: <column with the currency>`")
        if self.refers and not self.sync:
            raise ValueError(f"`as: {self.as_}` needs `sync: <sync whose keys the column holds>`")
        if self.compare == "source_hash" and self.is_typed and self.as_ not in FILES | {"html"}:
            raise ValueError("`compare: source_hash` is for `as: image`, `images`, `file` or `html`")
        if self.write != "always" and self.as_ == "stock":
            raise ValueError(f"`write: {self.write}` is not for stock: an empty stock is always left alone")
        if self.write == "into_empty" and self.policy != "overwrite":
            raise ValueError(f"`write: into_empty` never overwrites; take `policy: {self.policy}` away")
        return self

    @property
    def refers(self) -> bool:
        """Whether its values are keys of another sync's rows, as a list."""
        return self.as_ in ("reference", "references")

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


class Routed(Spec):
    """Rows that go to several collections: the column that says where, and the slugs that it may hold."""

    column: str
    among: tuple[str, ...] = Field(min_length=1)


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


def _percent(value: object) -> object:
    if value is None:
        return None
    text = str(value).strip()
    if not text.endswith("%"):
        raise ValueError(f"write a share with its sign, such as 30%, not {value!r}")
    return text[:-1]


Percent = Annotated[
    Annotated[float, Field(ge=0)] | None,
    BeforeValidator(_percent),
    PlainSerializer(lambda percent: None if percent is None else f"{percent:g}%"),
]


class Guards(Spec):
    """What a plan may do before a person has said yes. Limits are a count, a share (`10%`), or null for no cap.

    The first five block the whole plan; `max_price_change` and `max_emptied` hold rows back and let the rest go.
    Stock writes are not counted: shops sell all day, and a stock is read again before it is written.
    """

    max_creates: Limit = None
    max_updates: Limit = None
    max_removals: Limit = None
    max_rejects: Limit = None
    """Rows without a key, with a key that another row has, or with a value that does not fit its field."""
    min_rows: int | None = Field(None, ge=0)
    """Fewest rows that the model must have."""
    max_price_change: Percent = None
    """A price that moves by more, or to zero, or to another currency holds its row."""
    max_emptied: Limit = None
    """A field that would be emptied on more rows is left as it is on all of them."""
    max_read_age_hours: float | None = Field(None, gt=0)
    """Removals need complete reads of the sources and of the destination that are no older."""


def _canary(value: object) -> object:
    return {"rows": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Canary(Spec):
    """The rows that an apply writes first and reads back before it goes on."""

    rows: int = Field(ge=1)
    page: str | None = None
    """Address of a row's page with fields in braces (`https://shop.example/product/{slug}`); asked when published."""

    @property
    def page_fields(self) -> tuple[str, ...]:
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.page or "") if name)


class ImageSettings(Spec):
    """How pictures and files travel. Without any of it their addresses are sent as they are."""

    files: str | None = None
    """dbt model with `url`, `content_type`, `file_size_bytes`, `is_public`: what is known without fetching."""
    resize: bool = False
    """Make a picture that is too big or of another kind smaller; needs `upload`, where the copy lies."""
    upload: Literal["never", "when_needed", "always"] = "never"
    """Into the destination's own library: `when_needed` what is not public, or was made smaller."""
    max_bytes: int = Field(4 * 1024 * 1024, gt=0)
    """Of a picture that the destination imports; Webflow takes 4 MB (dossier §2.2)."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.resize and self.upload == "never":
            raise ValueError(
                "`resize: true` needs `upload: when_needed`: the smaller copy must lie somewhere"
            )
        return self


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
    resource: str = "rows"
    """What of the destination the rows are, where it has more than one kind."""
    collection: str | Routed | None = None
    """Where the rows go, for destinations that have more than one place: a slug, or a column of slugs."""
    locale: str | None = None
    """Column with the locale's tag; null is the primary locale. Rows of one key are one item in several locales."""
    connection: str = "default"
    key: str
    parent: Parent | None = None
    match: tuple[str, ...] = ()
    mode: Literal["update_only", "upsert", "mirror", "once"] = "update_only"
    """`once`: a row goes out when it first appears and never again, whatever becomes of it."""
    on_removal: Removal | None = None
    publish: Literal["staging", "live"] = "staging"
    held: str | None = None
    edited_at: str | None = None
    """Column with the time of the row's last edit at its source: where the edit-to-live clock begins."""
    enabled: bool = True
    """A disabled sync is not read at all; profiles can switch it on."""
    on_moved: Literal["recompute", "hold"] = "recompute"
    """What to do when a stock moved in the shop between plan and apply."""
    unstated_stock: Literal["zero", "endless"] = "zero"
    """What a child without a stated stock begins with: sold out until somebody states it, or never sold out."""
    states: States = States()
    guards: Guards = Guards()
    canary: Annotated[Canary | None, BeforeValidator(_canary)] = None
    cap: int | None = Field(None, ge=1)
    """Most calls in one plan; the next plan has the rest."""
    options: Mapping[str, Any] = {}
    """What only this destination knows; it says itself what is wrong with them."""
    images: ImageSettings = ImageSettings()
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
        if self.canary and (unknown := [name for name in self.canary.page_fields if name not in names]):
            raise ValueError(f"canary.page names {', '.join(unknown)}, which no column feeds")
        return self

    @property
    def relation(self) -> str:
        return f'"{self.schema_name}"."{self.table}"'

    @property
    def removal(self) -> Removal:
        """What becomes of a record whose row left the model; unsaid, only a mirror removes."""
        return self.on_removal or ("archive" if self.mode == "mirror" else "keep")

    @property
    def creates(self) -> bool:
        return self.mode != "update_only"

    @property
    def site(self) -> str:
        """The connection whose schema counts: a preview plans for one that has nothing yet (`AS_NEW`)."""
        return self.connection.removeprefix(AS_NEW)

    @property
    def target(self) -> tuple[str, str]:
        return self.destination, self.connection

    @property
    def system(self) -> tuple[str, str]:
        """The remote account that it writes to: `webflow_store` and `webflow_cms` of a connection are one site."""
        return self.destination.partition("_")[0], self.connection

    @property
    def collections(self) -> tuple[str, ...]:
        """Slugs of the collections that it feeds."""
        if isinstance(self.collection, Routed):
            return self.collection.among
        return (self.collection,) if self.collection else ()

    @property
    def stock(self) -> FieldSpec | None:
        return next((field for field in self.fields if field.as_ == "stock"), None)

    def first_stock(self, stated: int | None) -> int | None:
        """The stock that a new child begins with; None is never sold out."""
        return 0 if stated is None and self.unstated_stock == "zero" else stated

    @cached_property
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
        names = [self.key, *self._placing, *(name for field in self.fields for name in field.columns)]
        if self.parent:
            names += [self.parent.column, self.parent.default, self.parent.order]
        names += [name for name in (self.held, self.edited_at) if name]
        return tuple(dict.fromkeys(names))

    @property
    def hashed_columns(self) -> tuple[str, ...]:
        """The columns whose change is a change of the row; stock is compared by value."""
        names = [*self._placing, *(name for field in self.plain_fields for name in field.columns)]
        if self.parent:
            names += [self.parent.column, self.parent.default]
        return tuple(dict.fromkeys(names))

    @property
    def _placing(self) -> tuple[str, ...]:
        """Columns that say which collection and locale a row belongs to."""
        routing = self.collection.column if isinstance(self.collection, Routed) else None
        return tuple(name for name in (routing, self.locale) if name)

    @cached_property
    def mapping_hash(self) -> str:
        """Changes when rows must be compared anew because what a column means has changed."""
        content = [field.model_dump(mode="json", by_alias=True) for field in self.plain_fields]
        return hashlib.sha256(orjson.dumps(content)).hexdigest()[:16]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copied = super().model_copy(update=update, deep=deep)
        # Pydantic copies what was derived from the old fields too.
        for derived in ("plain_fields", "mapping_hash"):
            copied.__dict__.pop(derived, None)
        return copied
