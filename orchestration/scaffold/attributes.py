"""What Plytix offers to be mapped: attributes with their types, and what their values in the warehouse look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from karvon.warehouse import Session

_IMAGE_ADDRESS = " OR ".join(
    f"lower(pa.value_text) LIKE 'http%.{ending}%'"
    for ending in ("png", "jpg", "jpeg", "webp", "gif", "svg", "avif")
)


@dataclass(frozen=True)
class Attribute:
    """One attribute; the counts are of filled values. `is_image` is seen in the data, never guessed by name."""

    label: str
    name: str
    type_class: str
    options: tuple[str, ...] = ()
    filled: int = 0
    images: int = 0
    """Values that lead to a picture: an image asset, or an address that ends like one."""
    files: int = 0
    """Values that are an asset of another kind, such as a PDF."""
    sample: str | None = None

    @property
    def kind(self) -> str:
        """`Decimal` of `DecimalAttribute`."""
        return self.type_class.removesuffix("Attribute")

    @property
    def is_image(self) -> bool:
        return self.images > self.files


class NothingLanded(Exception):
    """The warehouse does not hold what a scaffold is made of."""


def read_attributes(session: Session) -> tuple[Attribute, ...]:
    """All attributes in the order of their labels. Raises `NothingLanded`."""
    tables = ("staging.stg_plytix__attributes", "staging.stg_plytix__assets", "marts.product_attributes")
    if missing := [table for table in tables if not session.has_table(table)]:
        raise NothingLanded(f"{', '.join(missing)} is not built yet: run `karvon run --plan-only` first.")
    rows = session.rows(
        f"""SELECT a.attribute_label, min(a.name) AS name, min(a.type_class) AS type_class,
                   min(CAST(a.options AS text)) AS options, max(v.filled) AS filled, max(v.images) AS images,
                   max(v.files) AS files, max(v.sample) AS sample
        FROM staging.stg_plytix__attributes AS a LEFT JOIN (
          SELECT pa.attribute_label, count(*) AS filled,
                 count(CASE WHEN {_IMAGE_ADDRESS} OR s.content_type LIKE 'image/%' THEN 1 END) AS images,
                 count(CASE WHEN s.content_type NOT LIKE 'image/%' THEN 1 END) AS files, min(pa.value_text) AS sample
          FROM marts.product_attributes AS pa
          LEFT JOIN staging.stg_plytix__assets AS s ON s.asset_id = split_part(pa.value_text, ', ', 1)
          GROUP BY pa.attribute_label) AS v ON v.attribute_label = a.attribute_label
        WHERE NOT a.is_deleted GROUP BY a.attribute_label ORDER BY 1"""
    )
    return tuple(
        Attribute(
            row["attribute_label"], row["name"] or row["attribute_label"], row["type_class"] or "",
            _texts(row["options"]), row["filled"] or 0, row["images"] or 0, row["files"] or 0, row["sample"],
        )
        for row in rows
    )  # fmt: skip


def _texts(options: str | None) -> tuple[str, ...]:
    given: Sequence[object] = orjson.loads(options) if options else ()
    return tuple(str(one) for one in given)
