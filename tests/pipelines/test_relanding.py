"""What an earlier version landed of persons is taken out of every version, and nothing else is touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from karvon.http import HttpClient
from karvon.warehouse import Warehouse
from pipelines.kept import Kept
from pipelines.landing import load
from pipelines.relanding import Relanded, relanded
from pipelines.source import Batch, Context, Resource, Source

_KEPT = Kept(("id", "price", "buyer.district"), texts=("note",))


@dataclass(frozen=True)
class _Account:
    name: str


def _source(documents: list[dict[str, Any]], kept: Kept | None) -> Source:
    async def fetch(_: Context) -> AsyncIterator[Batch]:
        yield Batch(documents=documents)

    async def probe(_: Any) -> str:
        return "ok"

    refusing = httpx.MockTransport(lambda _request: httpx.Response(500))
    client = HttpClient("bazaar", base_url="http://bazaar.invalid", transport=refusing)
    resources = tuple(
        Resource(name, lambda document: str(document["id"]), fetch, kept=rule, sweep=True)
        for name, rule in (("orders", kept), ("goods", None))
    )
    return Source("bazaar", resources, connect=lambda _: client, probe=probe)


def _orders(price: str, *, but: str = "") -> list[dict[str, Any]]:
    return [
        {"id": number, "price": price, "note": "ring +998 90 517-33-08",
         "buyer": {"fio": name, "district": "Yunusobod"}}
        for number, name in (("1", "Ergashev Sardor"), ("2", "Ergashev Sardor"), ("3", "Yo‘ldosheva Malika"))
        if number != but
    ]  # fmt: skip


def _rows(warehouse: Warehouse, table: str = "orders") -> list[dict[str, Any]]:
    with warehouse.session() as session:
        return session.rows(
            "SELECT connection, document_key, landed_at, is_deleted, _dlt_load_id, document_hash, document::text "
            f"AS document FROM raw_bazaar.{table} ORDER BY landed_at, connection, document_key, is_deleted"
        )


def _without(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def test_every_version_is_as_it_would_be_landed_now(warehouse: Warehouse) -> None:
    for account in (_Account("first"), _Account("second")):
        for documents in (_orders("10.50"), _orders("1.10"), _orders("1.10", but="2")):
            load(_source(documents, None), account, warehouse)
    now = _source(_orders("1.10", but="2"), _KEPT)
    before, goods = _rows(warehouse), _rows(warehouse, "goods")
    assert len(before) == 14, "two prices of three orders and a tombstone, of two accounts"

    with warehouse.session() as session:
        counted = relanded(session, [now], None)
    assert counted == [Relanded("raw_bazaar.orders", 14, 14)]
    assert _rows(warehouse) == before, "counting changes nothing"

    told: list[str] = []
    with warehouse.session() as session:
        assert relanded(session, [now], told.extend) == counted
    after = _rows(warehouse)
    assert told == ["raw_bazaar.orders"]
    assert _without(after, "document", "document_hash") == _without(before, "document", "document_hash")
    assert {row["document"] for row in after if row["document_key"] == "3"} == {
        f'{{"buyer":{{"district":"Yunusobod"}},"id":"3","note":"ring […]","price":"{price}"}}'
        for price in ("10.50", "1.10")
    }
    assert not any(word in row["document"] for row in after for word in ("Sardor", "Malika", "517"))
    assert _rows(warehouse, "goods") == goods, "it says nothing of what it keeps"

    with warehouse.session() as session:
        assert relanded(session, [now], told.extend) == [Relanded("raw_bazaar.orders", 0, 14)]
    orders = load(now, _Account("first"), warehouse).resources[0]
    assert (orders.resource, orders.unchanged, orders.landed) == ("orders", 2, 0)


def test_it_is_done_whole_or_not_at_all(warehouse: Warehouse) -> None:
    load(_source(_orders("10.50"), None), _Account("first"), warehouse)
    before = _rows(warehouse)

    def killed(_: Any) -> None:
        raise KeyboardInterrupt

    with warehouse.session() as session, suppress(KeyboardInterrupt):
        relanded(session, [_source([], _KEPT)], killed)
    assert _rows(warehouse) == before
