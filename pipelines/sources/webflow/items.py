"""Staged items of the collections that syncs feed: what moved since the last load, or the whole lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace

from pipelines.source import Batch, Context, Document
from pipelines.sources.webflow.changes import (
    as_cursor,
    behind,
    can_be_asked,
    just_written,
    news,
    pages_of,
    read_each,
)
from pipelines.sources.webflow.client import WebflowClient
from pipelines.sources.webflow.settings import ITEMS


async def fetch_collection_items(context: Context) -> AsyncIterator[Batch]:
    """Staged items of the collections asked for (`item_collections`, slugs), in every locale of the site: those that
    changed since the last load, or the whole lists (README.md says when).

    An item keeps its collection (`collectionId`) and, outside the primary locale, the locale's tag
    (`secondaryLocale`): all locales share the item's id (dossier §2.6). `lastPublished` tells what is live.
    """
    client, wanted = WebflowClient.of(context), set(context.parameters.get("item_collections", ()))
    ids = {str(one["id"]): one.get("slug") in wanted for one in await client.collections()}
    chosen = [collection for collection, is_asked in ids.items() if is_asked]
    tags = await client.secondary_locales() if chosen else {}
    lists = [ItemList(one, locale, tags.get(locale or "")) for one in chosen for locale in (None, *tags)]
    # The next load may ask for changes only of what this one looked at.
    cursor = f"{as_cursor(context.now)} {' '.join(sorted(wanted))}" if wanted else None
    batch = await _changed_items(client, context, lists) if _covers(context.cursor, wanted) else None
    if batch is not None:
        yield replace(batch, cursor=cursor)
        return
    # What nobody asks for any more was not looked at; it is not gone.
    yield Batch(present=[key for key in context.known() if ids.get(key.partition("/")[0]) is False])
    for one in lists:
        yield Batch(one.named(await client.whole_list(one.path, **one.params)))
    client.items_are_whole = "item_collections" in context.parameters
    yield Batch(cursor=cursor)


def _covers(cursor: str | None, wanted: set[str]) -> bool:
    """Whether the load that left this cursor looked at these collections."""
    return wanted <= set((cursor or "").split(" ")[1:])


@dataclass(frozen=True)
class ItemList:
    """Items of a collection in one locale; None is the primary one."""

    collection: str
    locale: str | None
    tag: str | None

    @property
    def path(self) -> str:
        return ITEMS.format(collection=self.collection)

    @property
    def params(self) -> dict[str, str]:
        return {"cmsLocaleId": self.locale} if self.locale else {}

    def path_of(self, key: str) -> str:
        """The path of one item."""
        locale = f"?cmsLocaleId={self.locale}" if self.locale else ""
        return f"{self.path}/{key.split('/')[1]}{locale}"

    def named(self, items: Sequence[Document]) -> list[Document]:
        return [{**item, "collectionId": self.collection, "secondaryLocale": self.tag} for item in items]

    def among(self, keys: Collection[str]) -> set[str]:
        """Of the keys of a connection those of this list."""
        start, end = f"{self.collection}/", f"/{self.locale}"
        mine = (key for key in keys if key.startswith(start))
        return {key for key in mine if (key.endswith(end) if self.locale else key.count("/") == 1)}


async def _changed_items(client: WebflowClient, context: Context, lists: Sequence[ItemList]) -> Batch | None:
    """Items that were written or published since the last load; None where only the whole lists will do.

    Publishing moves `lastPublished` alone (dossier §2.5). What was deleted is told by the number of items only.
    """
    known = context.known()
    mine = {one: one.among(known) for one in lists}
    pages = sum(pages_of(len(keys)) for keys in mine.values())
    if context.cursor is None or not can_be_asked(context, pages, len(lists)):
        return None
    since, written = behind(context.cursor.split(" ")[0]), just_written(context, "collection_items")
    absent = 0
    changed: dict[str, Document | None] = {}
    for one, keys in mine.items():
        for moved in ("lastUpdated", "lastPublished"):
            found = await client.moved_since(one.path, moved, since, at_most=len(keys) // 2, **one.params)
            if found is None:
                return None
            changed |= {key_of(item): item for item in one.named(found)}
        expected = keys | one.among(changed) | one.among(written)
        absent += len(expected) - await client.count(one.path, **one.params)
    still = {key: one for one in lists for key in one.among(written) if key not in changed}
    if len(still) > pages or not 0 <= absent <= len(still):
        return None
    read = await read_each(client, {key: one.path_of(key) for key, one in still.items()})
    named = {key: item and still[key].named([item])[0] for key, item in read.items()}
    return news(changed | named, absent, written)


def are_whole(context: Context) -> bool:
    """A load that was not told which collections matter saw none of them."""
    return WebflowClient.of(context).items_are_whole


def key_of(document: Document) -> str:
    """`<collection>/<item>`, and `/<locale>` outside the primary locale."""
    locale = f"/{document['cmsLocaleId']}" if document["secondaryLocale"] else ""
    return f"{document['collectionId']}/{document['id']}{locale}"
