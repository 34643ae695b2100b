"""Products wider than one search: columns in slices of 50, joined by id (dossier §5.1, §5.5)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from karvon.http import Refused
from pipelines.sources.plytix.client import PlytixClient
from pipelines.sources.plytix.search import Query, Row, Window
from pipelines.sources.plytix.settings import COLUMNS_PER_SEARCH, SKUS_PER_SEARCH
from pipelines.sources.side_by_side import side_by_side

ATTEMPTS = 3
Part = Mapping[str, Row]


def column_slices(columns: Sequence[str]) -> list[tuple[str, ...]]:
    """Slices of at most 50, each beginning with the first column (`modified`), by which they are compared."""
    first, *rest = columns
    width = COLUMNS_PER_SEARCH - 1
    return [(first, *rest[at : at + width]) for at in range(0, max(len(rest), 1), width)]


@dataclass(frozen=True)
class SlicedReader:
    """Reads whole product rows. Rows that changed between two slices are read again, whole."""

    client: PlytixClient
    path: str
    slices: Sequence[tuple[str, ...]]

    async def inside(self, window: Window) -> AsyncIterator[tuple[list[Row], int]]:
        """Portions of whole rows, and how many vanished while they were read."""
        first, *others = self.slices
        async for query, rows in self.client.portions(Query(self.path, first), window):
            if not rows:
                continue
            if query.order:
                yield await self._in_order(query, rows, others)
            else:
                # Pages without an order cannot be compared between slices.
                async for portion in self.by_sku(rows):
                    yield portion

    async def by_sku(self, wanted: Mapping[str, Row]) -> AsyncIterator[tuple[list[Row], int]]:
        """Whole rows of listed products (id → row with its SKU), in portions."""
        keys = list(wanted)
        for at in range(0, len(keys), SKUS_PER_SEARCH):
            group = {key: wanted[key] for key in keys[at : at + SKUS_PER_SEARCH]}
            yield await self._joined(await self._parts(group))

    async def _in_order(
        self, query: Query, rows: Part, others: Sequence[tuple[str, ...]]
    ) -> tuple[list[Row], int]:
        try:
            parts = await side_by_side(
                self.client.rows(replace(query, columns=columns)) for columns in others
            )
        except Refused as refusal:
            if refusal.status != 428:
                raise
            # Rows were added meanwhile and now there are too many; those of the first slice are still ours.
            parts = [{} for _ in others]
        return await self._joined([rows, *parts])

    async def _parts(self, wanted: Part) -> list[Part]:
        """The same products in every slice. `eq` ignores case, so other products may come too: not wanted."""
        skus = tuple(str(row["sku"]) for row in wanted.values() if row.get("sku"))
        found = await side_by_side(
            self.client.rows(Query(self.path, columns, skus=skus)) for columns in self.slices
        )
        return [{key: row for key, row in part.items() if key in wanted} for part in found]

    async def _joined(self, parts: Sequence[Part]) -> tuple[list[Row], int]:
        whole: dict[str, Row] = {}
        torn = _join(parts, whole)
        for _ in range(ATTEMPTS):
            keys = list(torn)
            for at in range(0, len(keys), SKUS_PER_SEARCH):
                group = {key: torn[key] for key in keys[at : at + SKUS_PER_SEARCH]}
                torn |= _join(await self._parts(group), whole)
            torn = {key: row for key, row in torn.items() if key not in whole}
        return list(whole.values()), len(torn)


def _join(parts: Sequence[Part], whole: dict[str, Row]) -> dict[str, Row]:
    """Put rows that agree in all parts into `whole`; give back one version of each that does not."""
    torn: dict[str, Row] = {}
    for key in {key: None for part in parts for key in part}:
        versions = [part[key] for part in parts if key in part]
        if len(versions) == len(parts) and len({row.get("modified") for row in versions}) == 1:
            whole[key] = merged(versions)
        else:
            torn[key] = versions[-1]
    return torn


def merged(versions: Sequence[Row]) -> Row:
    """One row from its slices. Values stay as they came; only the bags that every slice has a part of are joined."""
    row: Row = {}
    for version in versions:
        for name, value in version.items():
            row[name] = _joined_bag(name, row[name], value) if name in row else value
    return row


def _joined_bag(name: str, before: Any, value: Any) -> Any:
    if name == "attributes":
        # An empty bag may be [] (dossier §5.1).
        bags = [bag for bag in (before, value) if isinstance(bag, dict)]
        return {label: item for bag in bags for label, item in bag.items()} if bags else value
    if name == "relationships" and isinstance(before, list) and isinstance(value, list):
        entries = {entry.get("relationship_id"): entry for entry in before}
        for entry in value:
            known = entries.get(entry.get("relationship_id"))
            if known is None or not known.get("related_products"):
                entries[entry.get("relationship_id")] = entry
        return list(entries.values())
    return value
