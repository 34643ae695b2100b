"""Landing through its public face, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from karvon.http import HttpClient, NotFound, Unavailable
from karvon.warehouse import Warehouse
from pipelines.landing import LoadError, LoadOptions, LoadReport, load
from pipelines.source import Batch, Context, Resource, Source


@dataclass(frozen=True)
class Account:
    name: str = "default"


def _client(_: Any) -> HttpClient:
    refusing = httpx.MockTransport(lambda _request: httpx.Response(500))
    return HttpClient("shop:test", base_url="http://shop.invalid", transport=refusing)


async def _probe(_: Any) -> str:
    return "fine"


def shop(*resources: Resource) -> Source:
    return Source("shop", resources, _client, _probe)


def source_of(*batches: Batch, sweep: bool = False, fail: Exception | None = None) -> Source:
    async def fetch(_: Context) -> AsyncIterator[Batch]:
        for batch in batches:
            yield batch
        if fail:
            raise fail

    goods = Resource("goods", lambda document: str(document["id"]), fetch, noise=("seen_at",), sweep=sweep)
    return shop(goods)


def goods(ids: Iterable[int], **fields: Any) -> Batch:
    return Batch(documents=[{"id": number, **fields} for number in ids])


def land(warehouse: Warehouse, *batches: Batch, sweep: bool = False, account: str = "default") -> LoadReport:
    return load(source_of(*batches, sweep=sweep), Account(account), warehouse)


def counts(report: LoadReport) -> tuple[int, int, int, int, int]:
    goods = report.resources[0]
    return goods.seen, goods.new, goods.changed, goods.unchanged, goods.deleted


def stored(warehouse: Warehouse) -> list[tuple[str, str, bool]]:
    with warehouse.session() as session:
        rows = session.rows(
            "SELECT document_key, document::text AS document, is_deleted FROM raw_shop.goods ORDER BY landed_at, 1"
        )
    return [(row["document_key"], row["document"], row["is_deleted"]) for row in rows]


def test_only_new_and_changed_documents_are_appended(warehouse: Warehouse) -> None:
    assert counts(land(warehouse, goods(range(3), price=1))) == (3, 3, 0, 0, 0)
    assert counts(land(warehouse, goods(range(3), price=1))) == (3, 0, 0, 3, 0)
    assert counts(land(warehouse, goods([0], price=2), goods([1, 2, 3], price=1))) == (4, 1, 1, 2, 0)
    assert [key for key, _, _ in stored(warehouse)] == ["0", "1", "2", "0", "3"]


def test_key_order_and_noise_do_not_make_a_change(warehouse: Warehouse) -> None:
    land(warehouse, Batch(documents=[{"id": 1, "a": 1, "b": {"x": 1, "y": 2}, "seen_at": "now"}]))
    again = land(warehouse, Batch(documents=[{"seen_at": "later", "b": {"y": 2, "x": 1}, "a": 1, "id": 1}]))
    assert counts(again) == (1, 0, 0, 1, 0)
    assert stored(warehouse)[0][1] == '{"a":1,"b":{"x":1,"y":2},"id":1}'


def test_a_change_back_to_an_older_version_is_a_change(warehouse: Warehouse) -> None:
    for price in (1, 2, 1):
        land(warehouse, goods([1], price=price))
    assert [document for _, document, _ in stored(warehouse)] == [
        '{"id":1,"price":1}',
        '{"id":1,"price":2}',
        '{"id":1,"price":1}',
    ]


def test_of_two_loads_at_one_moment_the_later_one_is_the_last(warehouse: Warehouse) -> None:
    """Clocks are coarse and histories are made up: what is known of a key is what its last load brought."""
    at = LoadOptions(now=datetime(2026, 3, 1, tzinfo=UTC))

    def land_then(*batches: Batch) -> tuple[int, int, int, int, int]:
        return counts(load(source_of(*batches), Account("default"), warehouse, at))

    assert land_then(goods([1], price=1)) == (1, 1, 0, 0, 0)
    assert land_then(goods([1], price=2)) == (1, 0, 1, 0, 0)
    assert land_then(goods([1], price=2)) == (1, 0, 0, 1, 0)
    assert land_then(goods([1], price=1)) == (1, 0, 1, 0, 0)
    assert land_then(goods([1], price=3)) == (1, 0, 1, 0, 0)
    assert land_then(Batch(gone=["1"])) == (0, 0, 0, 0, 1)
    (tombstone,) = [document for _, document, is_deleted in stored(warehouse) if is_deleted]
    assert tombstone == '{"id":1,"price":3}', "it repeats what was there last"
    assert land_then(Batch(gone=["1"])) == (0, 0, 0, 0, 0), "what is gone goes once"
    assert land_then(goods([1], price=3)) == (1, 0, 1, 0, 0), "and comes back"


def test_a_key_that_comes_twice_in_one_load_keeps_its_last_version(warehouse: Warehouse) -> None:
    report = land(warehouse, goods([1], price=1), goods([1], price=1), goods([1], price=2))
    assert counts(report)[0] == 1
    assert stored(warehouse)[-1][1] == '{"id":1,"price":2}'


def test_a_complete_list_gives_tombstones_and_a_return_gives_life(warehouse: Warehouse) -> None:
    land(warehouse, goods(range(20), price=1), sweep=True)
    assert counts(land(warehouse, goods(range(19), price=1), sweep=True)) == (19, 0, 0, 19, 1)
    assert counts(land(warehouse, goods(range(19), price=1), sweep=True)) == (19, 0, 0, 19, 0)
    assert counts(land(warehouse, goods(range(20), price=1), sweep=True)) == (20, 0, 1, 19, 0)
    assert [(key, deleted) for key, _, deleted in stored(warehouse)][-2:] == [("19", True), ("19", False)]


def test_keys_that_are_only_listed_are_present(warehouse: Warehouse) -> None:
    land(warehouse, goods(range(20)), sweep=True)
    report = land(warehouse, Batch(present=[str(key) for key in range(20)]), sweep=True)
    assert counts(report) == (0, 0, 0, 0, 0)


def test_a_key_answered_with_404_is_deleted_without_a_sweep(warehouse: Warehouse) -> None:
    land(warehouse, goods(range(3)))
    assert counts(land(warehouse, Batch(gone=["1", "unknown"]))) == (0, 0, 0, 0, 1)
    assert stored(warehouse)[-1] == ("1", '{"id":1}', True)


def test_a_list_that_shrank_too_much_deletes_nothing_and_says_so(warehouse: Warehouse) -> None:
    land(warehouse, goods(range(20)), sweep=True)
    with pytest.raises(
        LoadError, match=r"has 4 of the 20 known records.*KARVON_MAX_SHRINK_PERCENT"
    ) as failure:
        land(warehouse, goods([0, 1, 2, 50]), sweep=True)
    assert failure.value.report.resources[0].deleted == 0
    assert not any(deleted for _, _, deleted in stored(warehouse))
    assert stored(warehouse)[-1][0] == "50"


def test_a_loaded_resource_without_documents_has_its_table(warehouse: Warehouse) -> None:
    land(warehouse)
    assert stored(warehouse) == []
    assert counts(land(warehouse, goods([1]))) == (1, 1, 0, 0, 0)


def test_connections_do_not_see_each_other(warehouse: Warehouse) -> None:
    land(warehouse, goods(range(20), price=1), sweep=True, account="eu")
    report = land(warehouse, goods([1], price=1), sweep=True, account="us")
    assert counts(report) == (1, 1, 0, 0, 0)


def test_what_came_before_a_failure_is_landed_and_the_cursor_stays(warehouse: Warehouse) -> None:
    land(warehouse, Batch(documents=[{"id": 1}], cursor="2026-01-01"))
    broken = source_of(
        Batch(documents=[{"id": 2}], cursor="2026-01-05"), fail=Unavailable("shop does not answer")
    )
    with pytest.raises(LoadError, match="shop does not answer"):
        load(broken, Account(), warehouse)
    assert [key for key, _, _ in stored(warehouse)] == ["1", "2"]
    assert cursor_of_next_load(warehouse) == "2026-01-01"


def test_refresh_starts_over_and_since_is_handed_on(warehouse: Warehouse) -> None:
    land(warehouse, Batch(documents=[{"id": 1}], cursor="2026-01-01"))
    assert cursor_of_next_load(warehouse, refresh=frozenset({"goods"})) is None
    assert cursor_of_next_load(warehouse) == "2026-01-01"


def cursor_of_next_load(warehouse: Warehouse, **options: Any) -> str | None:
    told: list[str | None] = []

    async def fetch(context: Context) -> AsyncIterator[Batch]:
        told.append(context.cursor)
        yield Batch()

    probe = shop(Resource("goods", lambda document: str(document["id"]), fetch))
    load(probe, Account(), warehouse, LoadOptions(**options))
    return told[0]


def test_each_load_leaves_an_observation_even_without_changes(warehouse: Warehouse) -> None:
    land(warehouse, goods(range(3)), sweep=True)
    land(warehouse, Batch(documents=[{"id": 0}, {"id": 1}, {"id": 2}], missing=2), sweep=True)
    with warehouse.session() as session:
        seen = session.rows(
            "SELECT resource, connection, scope, is_complete, seen, new, unchanged, missing "
            "FROM raw_shop.observations ORDER BY observed_at"
        )
    assert [tuple(row.values()) for row in seen] == [
        ("goods", "default", "all", True, 3, 3, 0, 0),
        ("goods", "default", "all", True, 3, 0, 3, 2),
    ]


def test_a_resource_sees_what_earlier_ones_changed(warehouse: Warehouse) -> None:
    told: list[list[dict[str, Any]]] = []

    async def first(_: Context) -> AsyncIterator[Batch]:
        yield goods([1, 2])

    async def second(context: Context) -> AsyncIterator[Batch]:
        told.append(list(context.changed.get("goods", [])))
        yield Batch()

    def key(document: dict[str, Any]) -> str:
        return str(document["id"])

    both = shop(Resource("goods", key, first, share=True), Resource("more", key, second))
    load(both, Account(), warehouse)
    load(both, Account(), warehouse)
    assert [[document["id"] for document in documents] for documents in told] == [[1, 2], []]


def test_a_load_with_a_key_takes_only_what_can_be_read_by_key_and_moves_no_cursor(
    warehouse: Warehouse,
) -> None:
    told: list[str | None] = []

    async def one(context: Context) -> AsyncIterator[Batch]:
        told.append(context.key)
        yield Batch(documents=[{"id": 7}])

    async def never(_: Context) -> AsyncIterator[Batch]:
        raise AssertionError("a load with a key must not read this")
        yield Batch()

    def key(document: dict[str, Any]) -> str:
        return str(document["id"])

    land(warehouse, Batch(documents=[{"id": 1}, {"id": 7}], cursor="2026-01-01"), sweep=True)
    source = shop(Resource("goods", key, one, sweep=True, by_key=True), Resource("more", key, never))
    report = load(source, Account(), warehouse, LoadOptions(key="7"))
    assert told == ["7"]
    assert (report.resources[0].scope, report.resources[0].deleted) == ("key 7", 0)
    assert cursor_of_next_load(warehouse) == "2026-01-01"


def test_an_explicit_not_found_of_the_source_ends_the_load_with_its_words(warehouse: Warehouse) -> None:
    broken = source_of(goods([1]), fail=NotFound("shop: GET /goods answered 404"))
    with pytest.raises(LoadError, match="GET /goods answered 404"):
        load(broken, Account(), warehouse)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None), max_size=8)
    | st.just("a\x00b")
    | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=st.lists(st.tuples(st.integers(0, 5), json_values), min_size=1, max_size=8))
def test_any_json_lands_and_the_same_again_is_no_change(
    warehouse: Warehouse, documents: list[tuple[int, Any]]
) -> None:
    batch = Batch(documents=[{"id": number, "value": value} for number, value in dict(documents).items()])
    land(warehouse, batch)
    again = land(warehouse, batch)
    assert counts(again) == (len(batch.documents), 0, 0, len(batch.documents), 0)
