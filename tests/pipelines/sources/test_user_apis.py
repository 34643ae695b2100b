"""Sources that users declare: what is landed, what is told, and that none of them harms another."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from karvon.addresses import GuardedTransport
from karvon.credentials import CredentialStore, new_key
from karvon.warehouse import Warehouse
from pipelines.sources.user_apis import privacy, status
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.ingest import IngestReport, ingest
from pipelines.sources.user_apis.registry import Registry, read_registry

_FIELDS = {
    "ordered_at": "created", "status": {"path": "state", "map": {"P": "paid"}}, "gross_amount": "total",
    "currency": {"constant": "EUR"}, "email": "buyer.email",
}  # fmt: skip


def _orders(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"id": number, "created": "2026-03-01T10:00:00Z", "changed": f"2026-03-01T10:{number % 60:02}:00Z",
         "state": "P", "total": number + 0.25, "buyer": {"email": f"Buyer{number}@Example.com"}, **changes}
        for number in range(count)
    ]  # fmt: skip


Answering = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


class Apis:
    """Stand-ins by host, and a registry folder that points to them."""

    def __init__(self, folder: Path, warehouse: Warehouse) -> None:
        self.folder, self.warehouse = folder, warehouse
        self.asked: list[httpx.Request] = []
        self.answers: dict[str, Answering] = {}
        self.variables: dict[str, str] = {}
        self.credentials: CredentialStore | None = None
        folder.mkdir(exist_ok=True)

    def declare(self, name: str = "shop", user: str = "anna", **changes: Any) -> None:
        resource = {
            "name": "orders", "path": "orders", "key": "id", "data_path": "items", "entity": "order",
            "paginator": {"type": "single_page"}, "fields": _FIELDS, **changes.pop("resource", {}),
        }  # fmt: skip
        source = {"user_id": user, "source_id": name, "base_url": f"https://{name}.example/v1",
                  "rate_limit": {"requests": 1000, "seconds": 1}, "resources": [resource], **changes}  # fmt: skip
        (self.folder / f"{user}_{name}.yml").write_text(yaml.safe_dump(source))

    def serve(self, name: str, answer: Answering | list[dict[str, Any]]) -> None:
        rows = answer
        self.answers[f"{name}.example"] = (
            (lambda _: httpx.Response(200, json={"items": rows})) if isinstance(rows, list) else rows
        )

    def run(self, **options: Any) -> IngestReport:
        around = Surroundings(
            self.warehouse,
            self.variables.get,
            self.credentials,
            # httpx takes an answer that is waited for too, but its types do not say so.
            lambda: httpx.MockTransport(self._answer),  # type: ignore[arg-type]
            workers=4,
        )
        return ingest(self.registry(), around, **options)

    def registry(self) -> Registry:
        return read_registry(self.folder)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.warehouse.session() as session:
            return session.rows(sql)

    def documents(self) -> list[dict[str, Any]]:
        found = self.rows(
            "SELECT CAST(document AS text) AS d FROM raw_user_apis.records ORDER BY landed_at, document_key"
        )
        return [json.loads(row["d"]) for row in found]

    def _answer(self, request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        self.asked.append(request)
        return self.answers[request.url.host](request)


@pytest.fixture
def apis(tmp_path: Path, duckdb_url: str) -> Apis:
    return Apis(tmp_path / "registry", Warehouse(duckdb_url))


def test_only_changes_are_landed_under_the_full_identity_of_a_record(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    apis = Apis(tmp_path / "registry", warehouse)
    for user in ("anna", "boris"):
        apis.declare(user=user)
    apis.serve("shop", _orders(3))
    first = apis.run()
    assert [run.rows_landed for run in first.runs] == [3, 3]
    assert [run.rows_landed for run in apis.run().runs] == [0, 0]
    apis.serve("shop", [*_orders(2), {**_orders(3)[2], "total": 99}])
    assert [run.rows_landed for run in apis.run(only=["anna/shop"]).runs] == [1]
    counted = apis.rows(
        "SELECT user_id, source_id, resource, entity, connection, count(*) AS rows FROM raw_user_apis.records "
        "GROUP BY 1, 2, 3, 4, 5 ORDER BY 1"
    )
    shared = {"source_id": "shop", "resource": "orders", "entity": "order"}
    assert counted == [
        {"user_id": "anna", **shared, "connection": "anna/shop", "rows": 4},
        {"user_id": "boris", **shared, "connection": "boris/shop", "rows": 3},
    ]


def test_on_postgres_the_first_rows_are_followed_by_the_indexes(tmp_path: Path, postgres_url: str) -> None:
    apis = Apis(tmp_path / "registry", Warehouse(postgres_url))
    apis.declare()
    apis.serve("shop", _orders(3))
    apis.run()
    found = apis.rows("SELECT indexname AS name FROM pg_indexes WHERE tablename = 'records' ORDER BY 1")
    assert [row["name"] for row in found] == ["records_key", "records_load"]


def test_a_source_that_fails_harms_no_other(apis: Apis) -> None:
    for name in ("html", "broken", "shapeless", "keyless", "fine"):
        apis.declare(name)
    apis.serve("html", lambda _: httpx.Response(200, text="<html>Dear Anna Annason"))
    apis.serve("broken", lambda _: httpx.Response(403, json={"error": "no"}))
    apis.serve("shapeless", lambda _: httpx.Response(200, json={"items": ["a", "b"]}))
    apis.serve("keyless", [{"no": 1}, *_orders(2)])
    apis.serve("fine", _orders(2))
    outcomes = {run.source_id: (run.outcome, run.rows_landed) for run in apis.run().runs}
    assert outcomes == {
        "html": ("failed", 0), "broken": ("refused", 0), "shapeless": ("failed", 0), "keyless": ("complete", 2),
        "fine": ("complete", 2),
    }  # fmt: skip
    # What an API answers may be about a person, and what is stored of a failure is shown to others.
    assert apis.rows("SELECT error FROM raw_user_apis.source_runs WHERE error LIKE '%Annason%'") == []
    failed = apis.rows("SELECT connection, failed FROM raw_user_apis.observations WHERE failed > 0")
    assert failed == [{"connection": "anna/keyless", "failed": 1}]


def test_a_failure_waits_longer_each_time_and_a_refusal_waits_for_a_person(apis: Apis) -> None:
    apis.declare("down")
    apis.declare("locked")
    apis.serve("down", lambda _: httpx.Response(501))
    apis.serve("locked", lambda _: httpx.Response(401))
    runs = {run.source_id: run for run in apis.run().runs}
    assert runs["locked"].next_try_at is None
    waits = [
        status.next_try("failed", failures, datetime(2026, 1, 1, tzinfo=UTC)) for failures in (1, 2, 3, 30)
    ]
    assert [wait and wait - datetime(2026, 1, 1, tzinfo=UTC) for wait in waits] == [
        timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20), timedelta(hours=24),
    ]  # fmt: skip
    again = apis.run()
    assert again.runs == []
    assert "paused" in again.skipped["anna/locked"]
    assert "waits until" in again.skipped["anna/down"]
    apis.declare("locked", title="mended")
    apis.serve("locked", _orders(1))
    assert [run.outcome for run in apis.run().runs] == ["complete"]


def test_the_next_run_asks_only_for_what_changed_since(apis: Apis) -> None:
    apis.declare(resource={"incremental": {"cursor": "changed", "param": "since", "overlap_minutes": 10}})
    apis.serve("shop", _orders(30))
    apis.run()
    apis.run()
    assert [dict(one.url.params) for one in apis.asked] == [{}, {"since": "2026-03-01T10:19:00Z"}]


def test_a_cursor_moves_only_when_all_pages_were_read(apis: Apis) -> None:
    apis.declare(
        resource={
            "incremental": {"cursor": "changed", "param": "since"},
            "paginator": {"type": "page_number", "page_param": "page", "base_page": 1},
        }
    )

    def pages(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(200, json={"items": _orders(5)})
            if request.url.params["page"] == "1"
            else httpx.Response(400)
        )

    apis.serve("shop", pages)
    assert apis.run().runs[0].rows_landed == 5
    apis.asked.clear()
    apis.run(only=["anna/shop"])
    assert "since" not in apis.asked[0].url.params


@pytest.mark.parametrize(
    ("paginator", "expected"),
    [
        ({"type": "page_number", "page_param": "p", "base_page": 1}, ["p=1", "p=2", "p=3"]),
        ({"type": "offset", "limit": 2, "offset_param": "o", "limit_param": "l"}, ["l=2&o=0", "l=2&o=2", "l=2&o=4"]),
        ({"type": "cursor", "cursor_path": "next", "cursor_param": "c"}, ["", "c=2", "c=4"]),
        ({"type": "json_link", "next_url_path": "link"}, ["", "o=2", "o=4"]),
        ({"type": "header_link"}, ["", "o=2", "o=4"]),
        ({"type": "header_cursor", "cursor_key": "x-next", "cursor_param": "c"}, ["", "c=2", "c=4"]),
    ],
)  # fmt: skip
def test_every_way_of_paging(apis: Apis, paginator: dict[str, Any], expected: list[str]) -> None:
    apis.declare(resource={"paginator": paginator})

    def page(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        start = int(params.get("o") or params.get("c") or (int(params.get("p", 1)) - 1) * 2)
        more = start + 2 if start + 2 < 5 else None
        link = f"https://shop.example/v1/orders?o={more}" if more else None
        headers = {
            **({"link": f'<{link}>; rel="next"'} if link else {}),
            **({"x-next": str(more)} if more else {}),
        }
        return httpx.Response(
            200, json={"items": _orders(5)[start : start + 2], "next": more, "link": link}, headers=headers
        )

    apis.serve("shop", page)
    assert apis.run().runs[0].rows_landed == 5
    asked = [
        "&".join(f"{name}={value}" for name, value in sorted(one.url.params.items())) for one in apis.asked
    ]
    assert asked[:3] == expected


class Paged:
    """A list of `pages` pages of two orders whose answers overlap; it knows how many were asked at once."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.asked: list[int] = []
        self.most_at_once = self._now = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        params = request.url.params
        page = int(params["page"]) if "page" in params else int(params["offset"]) // 2 + 1
        self.asked.append(page)
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        # Later pages are faster: without care they would be landed first.
        await asyncio.sleep(0.002 * (10 - page % 10))
        self._now -= 1
        return self.answer(page)

    def answer(self, page: int) -> httpx.Response:
        first = (page - 1) * 2
        items = _orders(2 * self.pages)[first : first + 2]
        return httpx.Response(200, json={"items": items, "pages": self.pages, "rows": 2 * self.pages})


_BY_NUMBER = {"type": "page_number", "page_param": "page", "base_page": 1, "total_path": "pages"}
_BY_OFFSET = {"type": "offset", "limit": 2, "total_path": "rows"}


def _rate(concurrency: int) -> dict[str, int]:
    return {"requests": 1000, "seconds": 1, "concurrency": concurrency}


@pytest.mark.parametrize("paginator", [_BY_NUMBER, _BY_OFFSET])
@pytest.mark.parametrize("concurrency", [1, 4, 32])
def test_pages_side_by_side_are_landed_as_one_after_another(
    apis: Apis, paginator: dict[str, Any], concurrency: int
) -> None:
    api = Paged(21)
    apis.variables["ANNA_SHOP_KEY"] = "key-of-the-shop-4711"
    apis.declare(
        auth={"type": "api_key", "name": "apikey", "value": "${ANNA_SHOP_KEY}", "in": "query"},
        rate_limit=_rate(concurrency), resource={"paginator": paginator, "params": {"q": "a b&c"}},
    )  # fmt: skip
    apis.serve("shop", api)
    (run,) = apis.run().runs
    assert (run.outcome, run.rows_seen, run.requests) == ("complete", 42, 21)
    landed = apis.rows("SELECT document_key AS key FROM raw_user_apis.records ORDER BY rowid")
    assert [row["key"] for row in landed] == [str(number) for number in range(42)]
    assert Counter(api.asked) == Counter(range(1, 22))
    assert api.most_at_once <= concurrency
    assert (api.most_at_once > 1) == (concurrency > 1)
    assert {one.url.params["apikey"] for one in apis.asked} == {"key-of-the-shop-4711"}
    assert {one.url.params["q"] for one in apis.asked} == {"a b&c"}


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("status_code", [404, 501])
def test_a_page_that_fails_leaves_those_before_it(apis: Apis, concurrency: int, status_code: int) -> None:
    api = Paged(12)
    apis.declare(rate_limit=_rate(concurrency), resource={"paginator": _BY_NUMBER})

    async def failing(request: httpx.Request) -> httpx.Response:
        answer = await api(request)
        return httpx.Response(status_code) if request.url.params["page"] == "5" else answer

    apis.serve("shop", failing)
    (run,) = apis.run().runs
    assert (run.outcome, run.rows_landed) == ("refused" if status_code == 404 else "failed", 8)
    assert f"answered {status_code}" in str(run.error)
    assert max(api.asked) <= 4 + concurrency
    assert apis.rows("SELECT is_complete, seen FROM raw_user_apis.observations") == [
        {"is_complete": False, "seen": 8}
    ]


def test_a_page_that_is_busy_is_waited_for_by_all(apis: Apis) -> None:
    api = Paged(9)
    refused = Counter[str]()
    apis.declare(rate_limit=_rate(4), resource={"paginator": _BY_NUMBER})

    async def busy(request: httpx.Request) -> httpx.Response:
        page = request.url.params["page"]
        refused[page] += 1
        if page == "3" and refused[page] == 1:
            return httpx.Response(429, headers={"retry-after": "0.1"})
        return await api(request)

    apis.serve("shop", busy)
    (run,) = apis.run().runs
    assert (run.outcome, run.rows_landed, run.requests) == ("complete", 18, 10)


def test_a_list_that_shrinks_while_it_is_read_ends_where_it_says(apis: Apis) -> None:
    api = Paged(12)
    apis.declare(rate_limit=_rate(2), resource={"paginator": _BY_NUMBER})

    async def shrinking(request: httpx.Request) -> httpx.Response:
        answer = await api(request)
        api.pages = 6 if "page=3" in str(request.url) else api.pages
        return answer

    apis.serve("shop", shrinking)
    (run,) = apis.run().runs
    assert (run.outcome, run.rows_landed) == ("complete", 12)
    assert max(api.asked) == 6


def test_no_page_is_read_ahead_beyond_the_limit(apis: Apis) -> None:
    api = Paged(30)
    apis.declare(rate_limit=_rate(8), limits={"pages": 10}, resource={"paginator": _BY_NUMBER})
    apis.serve("shop", api)
    (run,) = apis.run().runs
    assert (run.outcome, run.rows_landed) == ("capped", 20)
    assert sorted(api.asked) == list(range(1, 11))


def test_the_time_limit_ends_all_pages_that_are_under_way(apis: Apis) -> None:
    api = Paged(30)
    apis.declare(rate_limit=_rate(4), limits={"seconds": 0.5}, resource={"paginator": _BY_NUMBER})

    async def hanging(request: httpx.Request) -> httpx.Response:
        answer = await api(request)
        await asyncio.sleep(60 * (request.url.params["page"] == "5"))
        return answer

    apis.serve("shop", hanging)
    (run,) = apis.run().runs
    assert (run.outcome, run.rows_landed) == ("failed", 8)
    assert "limits: {seconds" in str(run.error)
    assert max(api.asked) <= 8


def test_a_token_that_changes_is_not_left_behind_by_pages_read_ahead(apis: Apis) -> None:
    api, tokens, valid = Paged(12), iter(range(100)), ["none"]
    apis.variables["ANNA_SECRET"] = "very-secret-client"
    apis.declare(
        auth={"type": "oauth2_client_credentials", "token_url": "https://login.example/token",
              "client_id": "karvon", "client_secret": "${ANNA_SECRET}"},
        rate_limit=_rate(4), resource={"paginator": _BY_NUMBER},
    )  # fmt: skip

    def token(_: httpx.Request) -> httpx.Response:
        valid.append(f"token-{next(tokens)}")
        # It has run out by the next page, so that every page asks for another.
        return httpx.Response(200, json={"access_token": valid[-1], "expires_in": 0})

    async def guarded(request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] != f"Bearer {valid[-1]}":
            return httpx.Response(401)
        return await api(request)

    apis.answers["login.example"] = token
    apis.serve("shop", guarded)
    (run,) = apis.run().runs
    assert (run.outcome, run.rows_landed) == ("complete", 24)


def test_a_next_page_on_another_host_never_gets_the_credentials(apis: Apis) -> None:
    apis.variables["ANNA_SHOP_TOKEN"] = "very-secret-token"
    apis.declare(
        auth={"type": "bearer", "token": "${ANNA_SHOP_TOKEN}"},
        resource={"paginator": {"type": "json_link", "next_url_path": "link"}},
    )
    apis.serve(
        "shop",
        lambda _: httpx.Response(200, json={"items": _orders(2), "link": "https://evil.example/orders"}),
    )
    (run,) = apis.run().runs
    assert run.outcome == "refused"
    assert "evil.example" in str(run.error)
    assert [one.url.host for one in apis.asked] == ["shop.example"]
    assert apis.asked[0].headers["authorization"] == "Bearer very-secret-token"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "10.1.2.3", "192.168.0.1", "::1", "::ffff:10.0.0.1", "fd00::1"],
)
def test_a_source_never_leads_into_the_private_network(apis: Apis, address: str) -> None:
    apis.declare()
    around = Surroundings(
        apis.warehouse, apis.variables.get, transport=lambda: GuardedTransport(resolver=lambda *_: [address])
    )
    (run,) = ingest(apis.registry(), around).runs
    assert run.outcome == "refused"
    assert "not on the public internet" in str(run.error)


def test_a_redirect_is_not_followed(apis: Apis) -> None:
    apis.declare()
    apis.serve("shop", lambda _: httpx.Response(302, headers={"location": "http://169.254.169.254/"}))
    assert [run.outcome for run in apis.run().runs] == ["refused"]
    assert len(apis.asked) == 1


def test_limits_end_a_run_behind_the_page_that_went_over_and_keep_it(apis: Apis) -> None:
    apis.declare(
        limits={"rows": 25, "seconds": 5},
        resource={"paginator": {"type": "page_number", "page_param": "page", "base_page": 1}},
    )

    def endless(request: httpx.Request) -> httpx.Response:
        page = int(request.url.params["page"])
        return httpx.Response(
            200, json={"items": [{**one, "id": page * 10 + one["id"]} for one in _orders(10)]}
        )

    apis.serve("shop", endless)
    (run,) = apis.run().runs
    assert (run.outcome, run.rows_landed) == ("capped", 30)
    assert "limits: {rows" in str(run.error)


def test_secrets_are_in_no_row_and_no_message(apis: Apis) -> None:
    apis.variables["ANNA_SHOP_KEY"] = "key-of-the-shop-4711"
    apis.declare(auth={"type": "api_key", "name": "apikey", "value": "${ANNA_SHOP_KEY}", "in": "query"})
    apis.serve("shop", lambda request: httpx.Response(400, text=f"bad key {request.url.params['apikey']}"))
    (run,) = apis.run().runs
    stored = str(apis.rows("SELECT * FROM raw_user_apis.source_runs")) + str(
        apis.rows("SELECT * FROM raw_user_apis.definitions")
    )
    assert "4711" not in f"{run} {stored}"


def test_a_missing_variable_is_named(apis: Apis) -> None:
    apis.declare(auth={"type": "bearer", "token": "${ANNA_SHOP_TOKEN}"})
    (run,) = apis.run().runs
    assert run.outcome == "misconfigured"
    assert "ANNA_SHOP_TOKEN" in str(run.error)


def test_a_refresh_token_that_changes_is_kept_before_it_is_used(apis: Apis, tmp_path: Path) -> None:
    apis.credentials = CredentialStore(tmp_path / "credentials.json", [new_key()])
    apis.declare(
        auth={
            "type": "oauth2_refresh_token",
            "token_url": "https://login.example/token",
            "client_id": "karvon",
        }
    )
    (run,) = apis.run().runs
    assert "karvon auth login anna/shop" in str(run.error)
    apis.credentials.write("anna/shop", {"refresh_token": "first"})

    def token(request: httpx.Request) -> httpx.Response:
        sent = dict(httpx.QueryParams(request.content.decode()))
        assert sent["grant_type"] == "refresh_token"
        return httpx.Response(
            200, json={"access_token": f"for-{sent['refresh_token']}", "refresh_token": "second"}
        )

    apis.answers["login.example"] = token
    apis.serve("shop", _orders(1))
    assert [run.outcome for run in apis.run(only=["anna/shop"]).runs] == ["complete"]
    assert apis.asked[-1].headers["authorization"] == "Bearer for-first"
    assert apis.credentials.read("anna/shop") == {"refresh_token": "second"}
    assert "second" not in (tmp_path / "credentials.json").read_text()


def test_a_complete_list_without_a_record_deletes_it_where_the_source_says_so(apis: Apis) -> None:
    apis.declare(resource={"deletions": "remove"})
    apis.serve("shop", _orders(12))
    apis.run()
    apis.serve("shop", _orders(11))
    apis.run()
    gone = apis.rows("SELECT document_key FROM raw_user_apis.records WHERE is_deleted")
    assert gone == [{"document_key": "11"}]
    apis.serve("shop", _orders(2))
    (run,) = apis.run().runs
    assert "nothing was deleted" in str(run.error)


def test_users_that_are_suspended_or_over_their_quota_take_no_part(apis: Apis) -> None:
    apis.declare(user="anna")
    apis.declare(user="boris")
    apis.serve("shop", _orders(5))
    users = [{"user_id": "anna", "suspended": True}, {"user_id": "boris", "quotas": {"rows_per_day": 5}}]
    (apis.folder / "users.yml").write_text(yaml.safe_dump({"users": users}))
    assert [run.user_id for run in apis.run().runs] == ["boris"]
    assert apis.run().skipped == {
        "anna/shop": "its user is suspended",
        "boris/shop": "used 5 of 5 rows today",
    }


@pytest.mark.parametrize("broken", [b"users: [", b"users: [{user_id: anna, title: M\xfcller}]", b"users: 3"])
def test_who_was_suspended_stays_so_while_the_file_of_users_cannot_be_read(apis: Apis, broken: bytes) -> None:
    apis.declare(user="anna")
    apis.declare(user="boris")
    apis.serve("shop", _orders(1))
    users = [{"user_id": "anna", "suspended": True, "currency": "UZS"}]
    (apis.folder / "users.yml").write_text(yaml.safe_dump({"users": users}))
    apis.run()
    (apis.folder / "users.yml").write_bytes(broken)
    report = apis.run()
    assert [run.user_id for run in report.runs] == ["boris"]
    assert report.skipped["anna/shop"] == "its user is suspended"
    assert "users.yml" in report.problems[0]
    assert apis.rows("SELECT count(*) AS n FROM raw_user_apis.users") == [{"n": 2}]


def _gone(apis: Apis) -> set[str]:
    rows = apis.rows("SELECT document_key AS key FROM raw_user_apis.definitions WHERE is_deleted")
    users = apis.rows("SELECT document_key AS key FROM raw_user_apis.users WHERE is_deleted")
    return {str(row["key"]) for row in (*rows, *users)}


def test_a_wrong_file_keeps_what_it_may_declare_and_nothing_of_others(apis: Apis) -> None:
    for user, name in (
        ("anna", "shop"),
        ("anna", "crm"),
        ("boris", "shop"),
        ("boris", "crm"),
        ("carla", "shop"),
    ):
        apis.declare(name, user)
    for name in ("shop", "crm"):
        apis.serve(name, _orders(1))
    apis.run()
    for name in ("anna_crm", "boris_crm", "carla_shop"):
        (apis.folder / f"{name}.yml").unlink()
    shop = (apis.folder / "anna_shop.yml").read_text()
    (apis.folder / "anna_shop.yml").rename(apis.folder / "renamed.yml").write_text(f"{shop}\ncolour: red\n")
    apis.run()
    assert _gone(apis) == {"anna/crm/orders", "boris/crm/orders", "carla/shop/orders", "carla"}
    # Of boris' shop only the name of its user can be told: it may be any of his.
    (apis.folder / "boris_shop.yml").write_text("user_id: boris\nsource_id: [\n")
    apis.run()
    assert "boris/shop/orders" not in _gone(apis)
    assert "boris" not in _gone(apis)
    (apis.folder / "boris_shop.yml").unlink()
    (apis.folder / "renamed.yml").unlink()
    apis.run()
    assert _gone(apis) >= {"boris/shop/orders", "boris", "anna/shop/orders", "anna"}


def test_a_folder_that_is_not_there_deletes_no_definition(apis: Apis) -> None:
    apis.declare()
    apis.serve("shop", _orders(1))
    apis.run()
    apis.folder = apis.folder / "not_mounted"
    apis.run()
    assert apis.rows("SELECT count(*) AS n FROM raw_user_apis.definitions WHERE is_deleted") == [{"n": 0}]


def test_a_source_whose_history_was_taken_out_is_read_anew_without_persons(apis: Apis) -> None:
    incremental = {"incremental": {"cursor": "changed", "param": "since"}}
    apis.declare(resource=incremental)
    apis.declare("other")
    for name in ("shop", "other"):
        apis.serve(name, _orders(3))
    apis.run()
    apis.declare(personal_data="hash", resource=incremental)
    # As docs/user_apis.md says it.
    with apis.warehouse.session() as session:
        session.execute("DELETE FROM raw_user_apis.records WHERE user_id = 'anna' AND source_id = 'shop'")
        session.execute("DELETE FROM raw_user_apis.observations WHERE connection = 'anna/shop'")
    apis.asked.clear()
    apis.run()
    assert not any(
        "since" in request.url.params for request in apis.asked if request.url.host == "shop.example"
    )
    rows = apis.rows("SELECT source_id, CAST(document AS text) AS d FROM raw_user_apis.records")
    assert sorted((row["source_id"], "example.com" in str(row["d"]).lower()) for row in rows) == [
        *[("other", True)] * 3, *[("shop", False)] * 3,
    ]  # fmt: skip


def test_personal_data_can_be_kept_out_and_people_can_be_suppressed(apis: Apis) -> None:
    apis.declare(personal_data="hash")
    apis.serve("shop", _orders(2))
    apis.run()
    with apis.warehouse.session() as session:
        private = privacy.read(session)
        hashed = private.hash_of("buyer1@example.com")
        session.execute(
            "INSERT INTO restricted.suppressions VALUES ('anna', $1, now())",
            (private.hash_of("buyer0@example.com"),),
        )
    assert [one["buyer"]["email"] for one in apis.documents()][1] == f"hmac:{hashed}"
    assert "xample.com" not in str(apis.documents())
    apis.serve("shop", _orders(3, total=7))
    assert [run.rows_landed for run in apis.run().runs] == [2]


def test_a_suppressed_record_without_a_key_is_refused_and_holds_no_deletion_up(apis: Apis) -> None:
    """It can be none of those that are landed; one that is only without a key could."""
    apis.declare(personal_data="hash", resource={"deletions": "remove"})
    orders = _orders(4)
    apis.serve("shop", orders)
    apis.run()
    with apis.warehouse.session() as session:
        hashed = privacy.read(session).hash_of("buyer0@example.com")
        session.execute("INSERT INTO restricted.suppressions VALUES ('anna', $1, now())", (hashed,))

    def counted(*records: dict[str, Any]) -> tuple[int, int, int, int]:
        apis.serve("shop", [*records])
        (report,) = apis.run().resources["anna/shop"]
        return report.seen, report.refused, report.failed, report.deleted

    nameless = {"id": None}
    assert counted(orders[1] | nameless, *orders[2:]) == (2, 0, 1, 0)
    assert counted(orders[0] | nameless, *orders[1:]) == (3, 1, 0, 1)


def test_problems_of_a_file_come_with_line_and_key_and_the_other_files_run(apis: Apis) -> None:
    apis.declare("fine")
    wrong = """user_id: anna
source_id: shop
base_url: https://shop.example
auth:
  type: bearer
  token: plain-secret
headers:
  X-Thing: "a\\nHost: evil"
resources:
  - name: orders
    path: https://elsewhere.example/orders
    key: id
  - name: leads
    path: leads
    key: id
    entity: lead
    fields: {emial: x, created_at: when}
  - name: paged
    path: paged
    key: id
    pagniator: {type: offset}
"""
    (apis.folder / "wrong.yml").write_text(wrong)
    told = {(one.line, one.key.split(".")[-1]): one.message for one in apis.registry().problems}
    assert "write ${NAME}" in told[6, "token"]
    assert any("control characters" in message for message in told.values())
    assert "relative to `base_url`" in told[10, "0"]
    assert "has no field emial" in told[13, "1"]
    assert "unknown key" in told[21, "pagniator"]
    assert [source.source_id for source in apis.registry().sources] == ["fine"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("user_id: a\nuser_id: b\n", 2, "given twice"),
        ("user_id: [a\n", 2, "not valid YAML"),
        ("- 1\n", 1, "must hold user_id"),
        ("user_id: !!python/object:os.system x\n", 1, "not valid YAML"),
    ],
)
def test_a_file_that_is_no_definition(apis: Apis, text: str, line: int, words: str) -> None:
    (apis.folder / "wrong.yml").write_text(text)
    (problem,) = apis.registry().problems
    assert words in str(problem)
    assert problem.line == line


def test_the_key_of_the_store_can_be_changed(tmp_path: Path) -> None:
    old, new = new_key(), new_key()
    path = tmp_path / "credentials.json"
    CredentialStore(path, [old]).write("anna/crm", {"refresh_token": "t"})
    assert CredentialStore(path, [new, old]).rotate() == 1
    assert CredentialStore(path, [new]).read("anna/crm") == {"refresh_token": "t"}
    assert path.stat().st_mode & 0o077 == 0


def test_definitions_are_landed_as_documents_with_their_history(tmp_path: Path, warehouse: Warehouse) -> None:
    apis = Apis(tmp_path / "registry", warehouse)
    apis.declare(time_zone="Europe/Berlin")
    apis.declare("other")
    apis.serve("shop", _orders(1))
    apis.serve("other", _orders(1))
    apis.run()
    apis.run()
    (apis.folder / "anna_other.yml").unlink()
    apis.declare(time_zone="Asia/Tashkent")
    apis.run()
    rows = apis.rows(
        "SELECT document_key, is_deleted, CAST(document AS text) AS d FROM raw_user_apis.definitions "
        "ORDER BY document_key, landed_at"
    )
    assert [(row["document_key"], row["is_deleted"]) for row in rows] == [
        ("anna/other/orders", False), ("anna/other/orders", True),
        ("anna/shop/orders", False), ("anna/shop/orders", False),
    ]  # fmt: skip
    fields = {field["field"]: field for field in json.loads(rows[-1]["d"])["fields"]}
    assert fields["email"]["paths"] == [{"lists": [], "path": '$."buyer"."email"'}]
    assert fields["currency"]["constant"] == "EUR"
    assert fields["status"]["value_map"] == {"P": "paid"}
    assert fields["ordered_at"]["time_zone"] == "Asia/Tashkent"
