"""Users' APIs as they answer in life: what is read is whole, what is not is told, and nobody else feels it."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml
from raw_server import Asked, RawServer, Said, serving, whole

from karvon.addresses import Exceptions, GuardedTransport
from karvon.warehouse import Session, Warehouse
from pipelines.load_report import ResourceReport
from pipelines.sources.user_apis import privacy
from pipelines.sources.user_apis.fetch import Surroundings
from pipelines.sources.user_apis.ingest import ingest
from pipelines.sources.user_apis.registry import read_registry
from pipelines.sources.user_apis.status import SourceRun

Giving = Callable[[Asked], Any]
"""A request → what is answered: an object, or the bytes of a whole answer."""


class Users:
    """A registry folder whose sources point to one server, each with a path of its own."""

    def __init__(self, server: RawServer, folder: Path, warehouse: Warehouse) -> None:
        self._server, self._folder, self._warehouse = server, folder, warehouse
        self._mark = folder.name
        self.variables: dict[str, str] = {}
        self.reports: dict[str, list[ResourceReport]] = {}

    def declare(
        self, name: str, give: Giving, *, user: str = "lena", place: str = "", **changes: Any
    ) -> None:
        resource = {
            "name": "visits", "path": "visits", "key": "no", "data_path": "rows",
            "paginator": {"type": "single_page"}, **changes.pop("resource", {}),
        }  # fmt: skip
        source = {
            "user_id": user, "source_id": name,
            "base_url": f"{self._server.url}/{self._mark}/{user}_{name}{place}",
            "rate_limit": {"requests": 1000, "seconds": 1}, "limits": {"seconds": 20}, "resources": [resource],
        }  # fmt: skip
        (self._folder / f"{user}_{name}.yml").write_text(yaml.safe_dump(source | changes))

        def answer(asked: Asked, _: int) -> Iterable[Said]:
            given = give(asked)
            return [given if isinstance(given, bytes) else whole(json.dumps(given))]

        filled = re.sub(r"\$\{(\w+)\}", lambda found: self.variables[found[1]], place)
        path = self.path(name, user)
        self._server.answers[path.replace("/visits", f"{filled}/visits")] = answer

    def path(self, name: str, user: str = "lena") -> str:
        return f"/{self._mark}/{user}_{name}/visits"

    def asked(self, name: str, user: str = "lena") -> list[Asked]:
        return [one for one in self._server.asked if one.path == self.path(name, user)]

    def run(self) -> dict[str, SourceRun]:
        registry = read_registry(self._folder)
        assert registry.problems == ()
        around = Surroundings(
            self._warehouse, self.variables.get, transport=lambda: GuardedTransport(Exceptions(loopback=True))
        )
        report = ingest(registry, around, only=[source.connection for source in registry.sources])
        self.reports = {name.split("/")[1]: one for name, one in report.resources.items()}
        return {run.source_id: run for run in report.runs}

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self._warehouse.session() as session:
            return session.rows(sql)

    def session(self) -> AbstractContextManager[Session]:
        return self._warehouse.session()

    def landed(self, name: str) -> dict[str, dict[str, Any]]:
        """The newest document of each key."""
        found = self.rows(
            "SELECT DISTINCT ON (document_key) document_key AS key, CAST(document AS text) AS d, is_deleted "
            f"FROM raw_user_apis.records WHERE source_id = '{name}' "
            "ORDER BY document_key, landed_at DESC, _dlt_load_id DESC"
        )
        return {row["key"]: json.loads(row["d"]) for row in found if not row["is_deleted"]}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with serving() as one:
        yield one


@pytest.fixture
def users(server: RawServer, tmp_path: Path, duckdb_url: str) -> Users:
    (tmp_path / "registry").mkdir()
    folder = tmp_path / "registry" / tmp_path.name
    folder.mkdir()
    return Users(server, folder, Warehouse(duckdb_url))


def _visit(number: int, **more: Any) -> dict[str, Any]:
    return {"no": number, "seen": f"2025-05-{1 + number // 24:02}T{number % 24:02}:00:00Z", **more}


def _rows(*numbers: int) -> list[dict[str, Any]]:
    return [_visit(number) for number in numbers]


def _nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


_HARMFUL: dict[str, bytes] = {
    "deep": whole(b'{"rows": [{"no": 1, "x": ' + _nested(150_000) + b"}]}"),
    "deeper": whole(_nested(150_000)),
    "rotten": whole(b"\x1f\x8b rotten", Content_Encoding="gzip"),
    "page": whole("<html>Dear Ms Lindqvist", Content_Type="text/html"),
    "scalars": whole('{"rows": ["Lindqvist", 2]}'),
    "nothing": whole(b""),
}


def test_whatever_one_api_answers_all_others_are_read(
    tmp_path: Path, server: RawServer, warehouse: Warehouse
) -> None:
    folder = tmp_path / f"harm_{warehouse.dialect}"
    folder.mkdir()
    users = Users(server, folder, warehouse)
    for name, answer in _HARMFUL.items():
        users.declare(name, lambda _, answer=answer: answer, user="karl")
    half_bad = [
        _visit(1),
        {"no": "a\0b", "seen": "2025-05-01T00:00:00Z\0", "note": "c\0d"},
        {"no": "k" * 5000}, {"no": "\ud800x", "note": "\udfff"}, {"no": 2, "big": 10**30},
        {"no": "", "note": "no key"}, {"no": {"a": 1}},
    ]  # fmt: skip
    body = json.dumps({"rows": half_bad}).replace('"note": "no key"', '"note": ' + "[" * 500 + "]" * 500)
    users.declare(
        "odd", lambda _: whole(body), resource={"incremental": {"cursor": "seen", "param": "since"}}
    )
    users.declare("fine", lambda _: {"rows": _rows(1, 2, 3)})
    began = time.monotonic()
    runs = users.run()
    assert time.monotonic() - began < 30
    assert {name: run.outcome for name, run in runs.items()} == {
        **dict.fromkeys(_HARMFUL, "failed"), "odd": "complete", "fine": "complete"
    }  # fmt: skip
    assert set(users.landed("fine")) == {"1", "2", "3"}
    assert set(users.landed("odd")) == {"1", "2", "ab", "x"}
    assert users.landed("odd")["2"]["big"] == str(10**30)
    assert [one.failed for one in users.reports["odd"]] == [3]
    assert users.rows("SELECT error FROM raw_user_apis.source_runs WHERE error LIKE '%Lindqvist%'") == []


_EMPTY: dict[str, tuple[Any, str]] = {
    "error object": ({"error": {"code": 190, "message": "Session has expired"}}, "Session has expired"),
    "error text": ({"error": "invalid_token", "error_description": "revoked"}, "invalid_token"),
    "errors beside null": ({"errors": [{"message": "Not allowed"}], "rows": None}, "Not allowed"),
    "errors beside a list": ({"rows": [_visit(1)], "errors": [{"message": "shard 3 is down"}]}, "shard 3 is down"),
    "ok false": ({"ok": False, "error": "missing_scope", "rows": []}, "missing_scope"),
    "success false": ({"success": False, "message": "Token gone", "rows": []}, "Token gone"),
    "status": ({"status": "error", "message": "try later", "rows": []}, "try later"),
    "fault": ({"Fault": {"faultstring": "No session"}}, "No session"),
    "code and words": ({"code": 40105, "message": "Token is incorrect", "rows": {}}, "Token is incorrect"),
    "null": ({"rows": None}, "rows is null"),
    "no list": ({"count": 3, "elements": [_visit(1)]}, "It holds count, elements"),
    "object": ({"rows": {"1": _visit(1)}}, "rows.*"),
    "text": ({"rows": "none"}, "not a list"),
    "nothing": (None, "is not there"),
    "list of another shape": ([_visit(1)], "is not there"),
}  # fmt: skip


@pytest.mark.parametrize("detected", [False, True])
def test_what_is_no_list_is_never_an_empty_one(users: Users, detected: bool) -> None:
    """Where nobody said where the list is, an error is not taken for it either."""
    cases = {
        name: one
        for name, one in _EMPTY.items()
        if not detected or "error" in name or name in ("null", "fault")
    }
    for name, (answer, _) in cases.items():
        changes = {"data_path": None} if detected else {}
        users.declare(
            name.replace(" ", "_"),
            lambda _, answer=answer: answer,
            resource={"deletions": "remove", **changes},
        )
    runs = users.run()
    for name, (_, words) in cases.items():
        run = runs[name.replace(" ", "_")]
        assert (name, run.outcome, run.rows_landed) == (name, "failed", 0)
        assert words in str(run.error), (name, run.error)


_LISTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "plain": ({"rows": _rows(1, 2)}, {}),
    "no errors": ({"rows": _rows(1, 2), "errors": [], "error": None, "success": True, "status": "success"}, {}),
    "error codes of none": ({"rows": _rows(1, 2), "error": 0, "errorMessage": "", "errors": {}}, {}),
    "values of an object": ({"rows": {"a": _visit(1), "b": _visit(2)}}, {"data_path": "rows.*"}),
    "edges": ({"rows": {"edges": [{"node": one} for one in _rows(1, 2)]}}, {"data_path": "rows.edges[*].node"}),
    "the whole answer": (_rows(1, 2), {"data_path": None}),
    "found out": ({"meta": {"n": 2}, "visits": _rows(1, 2)}, {"data_path": None}),
    "a record that failed": ({"rows": [_visit(1, status="failed", error="declined"), _visit(2)]}, {}),
}  # fmt: skip


def test_lists_in_every_dress_are_read(users: Users) -> None:
    for name, (answer, changes) in _LISTS.items():
        users.declare(name.replace(" ", "_"), lambda _, answer=answer: answer, resource=changes)
    users.declare("one_edge", lambda _: {"e": [{"n": _visit(7)}]}, resource={"data_path": "e[*].n"})
    users.declare("no_edge", lambda _: {"e": []}, resource={"data_path": "e[*].n"})
    users.declare("single", lambda _: _visit(9), resource={"data_path": None})
    users.declare("empty", lambda _: {"rows": []})
    users.declare("left_out", lambda _: {"kind": "visits"}, resource={"missing_list": "empty"})
    runs = users.run()
    assert {run.outcome for run in runs.values()} == {"complete"}
    for name in _LISTS:
        assert set(users.landed(name.replace(" ", "_"))) == {"1", "2"}, name
    assert [set(users.landed(name)) for name in ("one_edge", "no_edge", "single", "empty", "left_out")] == [
        {"7"}, set(), {"9"}, set(), set()
    ]  # fmt: skip


def _by_page(pages: list[list[dict[str, Any]]], **more: Any) -> Giving:
    return lambda asked: {"rows": pages[int(asked.query["page"]) - 1], "pages": len(pages), **more}


_PAGED = {"type": "page_number", "page_param": "page", "base_page": 1, "total_path": "pages"}
_CURSOR = {"type": "cursor", "cursor_path": "next", "cursor_param": "after"}
_LINK = {"type": "json_link", "next_url_path": "next"}


def test_a_list_that_leads_back_is_a_fault_of_the_api(users: Users) -> None:
    def ring(asked: Asked) -> dict[str, Any]:
        here = int(asked.query.get("after") or 0)
        return {"rows": _rows(here), "next": (here % 3) + 1}

    users.declare("ring", ring, resource={"paginator": _CURSOR})
    users.declare("same", lambda _: {"rows": _rows(1, 2), "next": "x"}, resource={"paginator": _CURSOR})
    users.declare("link", lambda asked: {"rows": _rows(1), "next": asked.path}, resource={"paginator": _LINK})
    users.declare(
        "deaf", lambda _: {"rows": _rows(1, 2)},
        resource={"paginator": {"type": "offset", "limit": 2, "stop_after_empty_page": True}},
    )  # fmt: skip
    runs = users.run()
    assert {name: run.outcome for name, run in runs.items()} == dict.fromkeys(runs, "failed")
    assert "names the cursor '1' again" in str(runs["ring"].error)
    assert "names the cursor 'x' again" in str(runs["same"].error)
    assert "a page again that was read before" in str(runs["link"].error)
    assert "the same as the one before" in str(runs["deaf"].error)
    assert [len(users.asked(name)) for name in ("ring", "same", "link", "deaf")] == [4, 2, 1, 2]
    assert set(users.landed("ring")) == {"0", "1", "2", "3"}


def test_pages_that_only_show_when_a_cursor_is_asked_for_are_read(users: Users) -> None:
    def shy(asked: Asked) -> dict[str, Any]:
        after = asked.query.get("after")
        following = {None: ([1], None), "": ([2], "b"), "b": ([3], None)}
        numbers, cursor = following[after]
        return {"rows": _rows(*numbers), "next": cursor}

    def strict(asked: Asked) -> Any:
        return (
            whole('{"message": "bad cursor"}', 400)
            if "after" in asked.query
            else {"rows": _rows(1), "next": None}
        )

    users.declare("shy", shy, resource={"paginator": _CURSOR})
    users.declare("strict", strict, resource={"paginator": _CURSOR})
    users.declare("plain", lambda _: {"rows": _rows(1), "next": None}, resource={"paginator": _CURSOR})
    users.declare(
        "sized", lambda _: {"rows": _rows(1)}, resource={"paginator": _CURSOR, "params": {"limit": 50}}
    )
    runs = users.run()
    assert {run.outcome for run in runs.values()} == {"complete"}
    assert [set(users.landed(name)) for name in ("shy", "strict", "plain", "sized")] == [
        {"1", "2", "3"}, {"1"}, {"1"}, {"1"}
    ]  # fmt: skip
    assert len(users.asked("sized")) == 1


def test_the_end_of_a_list_and_its_links_are_understood(users: Users) -> None:
    def ends(asked: Asked) -> Any:
        page = int(asked.query["page"])
        return {"rows": _rows(page)} if page < 3 else whole(b"", 204)

    def relative(asked: Asked) -> dict[str, Any]:
        links = {None: "?page=2", "2": f"{asked.path}?page=3", "3": None}
        page = asked.query.get("page")
        return {"rows": _rows(int(page or 1)), "next": links[page]}

    users.declare(
        "ends", ends, resource={"paginator": {"type": "page_number", "page_param": "page", "base_page": 1}}
    )
    users.declare("ends_with_total", lambda _: whole(b"", 204), resource={"paginator": _PAGED})
    users.declare("relative", relative, resource={"paginator": _LINK})
    users.declare(
        "twice", _by_page([_rows(1, 2), [_visit(2, sum="70.10"), _visit(3)]]), resource={"paginator": _PAGED}
    )
    users.declare("marked", lambda _: whole(b"\xef\xbb\xbf" + json.dumps({"rows": _rows(1)}).encode()))
    runs = users.run()
    assert {run.outcome for run in runs.values()} == {"complete"}
    assert set(users.landed("ends")) == {"1", "2"}
    assert set(users.landed("relative")) == {"1", "2", "3"}
    assert users.landed("twice")["2"]["sum"] == "70.10"
    assert set(users.landed("marked")) == {"1"}


def test_of_a_key_that_comes_twice_the_last_one_counts_however_much_lies_between(users: Users) -> None:
    much = "x" * 3_000_000
    pages = [[_visit(1, sum="1.00")], *([_visit(n, note=much)] for n in range(2, 6)), [_visit(1, sum="2.00")]]
    users.declare("big", _by_page(pages), resource={"paginator": _PAGED})
    assert users.run()["big"].outcome == "complete"
    assert users.landed("big")["1"]["sum"] == "2.00"


_LIMITS = {
    "Graph": whole(
        '{"error": {"message": "(#17) User request limit reached", "type": "OAuthException", "code": 17}}',
        400,
    ),
    "Graph_lead_ads": whole(
        '{"error": {"message": "Wait a bit.", "type": "OAuthException", "code": 80005}}', 400
    ),
    "GitHub": whole('{"message": "You have exceeded a secondary rate limit"}', 403),
    "Google": whole('{"error": {"code": 403, "errors": [{"reason": "userRateLimitExceeded"}]}}', 403),
    "Slack": whole('{"ok": false, "error": "ratelimited"}'),
    "Shopify": whole('{"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}'),
    "Stack_Exchange": whole('{"error_id": 502, "error_name": "throttle_violation"}', 400),
    "header": whole('{"message": "no"}', 403, Retry_After="0"),
    "number": whole('{"errors": "Exceeded 2 calls per second"}', 429, Retry_After="0.5"),
}
_NO_LIMITS = {
    "rights": whole(
        '{"error": {"message": "(#200) Permission error", "type": "OAuthException", "code": 200}}', 403
    ),
    "field": whole('{"error": {"code": 4, "message": "field limit is no number"}}', 400),
}


def test_a_limit_is_waited_out_and_a_refusal_is_not(users: Users) -> None:
    def at_first(answer: bytes) -> Giving:
        answers = [answer]
        return lambda _: answers.pop() if answers else {"rows": _rows(4)}

    for name, answer in (_LIMITS | _NO_LIMITS).items():
        users.declare(name.lower(), at_first(answer))
    runs = users.run()
    assert {name: runs[name.lower()].outcome for name in _LIMITS} == dict.fromkeys(_LIMITS, "complete")
    assert {name: runs[name].outcome for name in _NO_LIMITS} == dict.fromkeys(_NO_LIMITS, "refused")


def test_a_limit_that_stays_is_a_failure_that_is_tried_again(users: Users) -> None:
    users.declare("busy", lambda _: _LIMITS["Graph_lead_ads"], limits={"seconds": 1.5})
    run = users.run()["busy"]
    assert (run.outcome, run.next_try_at is not None) == ("failed", True)


def test_a_cursor_in_the_future_is_not_believed(users: Users) -> None:
    rows = [_visit(1, seen="2024-03-01T08:00:00Z"), _visit(2, seen="2124-03-01T08:00:00Z")]
    users.declare(
        "dates", lambda _: {"rows": rows}, resource={"incremental": {"cursor": "seen", "param": "since"}}
    )
    epochs = [_visit(1, seen=1709280000), _visit(2, seen=4864953600)]
    users.declare(
        "epochs", lambda _: {"rows": epochs},
        resource={"incremental": {"cursor": "seen", "param": "since", "format": "epoch"}},
    )  # fmt: skip
    counted = [_visit(1, seen=41), _visit(2, seen=9_000_000_000_000)]
    users.declare(
        "counter", lambda _: {"rows": counted}, resource={"incremental": {"cursor": "seen", "param": "since"}}
    )
    only = [_visit(1, seen="2124-03-01T08:00:00Z")]
    users.declare(
        "only", lambda _: {"rows": only}, resource={"incremental": {"cursor": "seen", "param": "since"}}
    )
    users.run()
    assert len(users.landed("dates")) == 2
    users.run()
    since = {
        name: users.asked(name)[-1].query.get("since") for name in ("dates", "epochs", "counter", "only")
    }
    assert since == {
        "dates": "2024-03-01T07:55:00Z", "epochs": str(1709280000 - 300), "counter": "9000000000000", "only": None
    }  # fmt: skip


@pytest.mark.parametrize("known", [1, 3, 12])
def test_a_list_that_is_suddenly_empty_deletes_nothing_however_short_it_was(users: Users, known: int) -> None:
    given = {"rows": _rows(*range(known))}
    users.declare("shop", lambda _: dict(given), resource={"deletions": "remove"})
    users.run()
    given["rows"] = []
    run = users.run()["shop"]
    assert (run.outcome, "nothing was deleted" in str(run.error)) == ("capped", True)
    assert len(users.landed("shop")) == known


def test_one_record_of_three_that_is_gone_is_deleted(users: Users) -> None:
    given = {"rows": _rows(1, 2, 3)}
    users.declare("shop", lambda _: dict(given), resource={"deletions": "remove"})
    users.run()
    given["rows"] = _rows(1, 3)
    assert users.run()["shop"].outcome == "complete"
    assert set(users.landed("shop")) == {"1", "3"}


def _ordered(numbers: Iterable[int], page_size: int) -> Giving:
    """A list by its cursor, of what was seen since a moment, page by page."""

    def give(asked: Asked) -> dict[str, Any]:
        rows = [one for one in _rows(*numbers) if one["seen"] >= asked.query.get("since", "")]
        rows = sorted(rows, key=lambda one: one["seen"])
        first = (int(asked.query.get("page", 1)) - 1) * page_size
        return {"rows": rows[first : first + page_size], "pages": -(-len(rows) // page_size)}

    return give


def _by_cursor(numbers: list[int], page_size: int, *, links: str = "") -> Giving:
    """A list in the order of `numbers`, by a cursor or by links."""

    def give(asked: Asked) -> dict[str, Any]:
        first = int(asked.query.get("after", 0))
        after = first + page_size
        more = f"{links}?after={after}" if links else str(after)
        return {"rows": _rows(*numbers[first:after]), "next": more if after < len(numbers) else None}

    return give


def _cap(users: Users, name: str, give: Giving, paginator: dict[str, Any], **changes: Any) -> None:
    resource = {"paginator": paginator, **changes.pop("resource", {})}
    users.declare(name, give, limits={"rows": 20}, resource=resource, **changes)


def test_a_source_over_its_cap_gets_on_with_every_run(users: Users) -> None:
    """Sixty rows, more than twenty a run: whatever the order, and however the pages are told."""
    since = {"incremental": {"cursor": "seen", "param": "since"}}
    forth, back = list(range(60)), list(reversed(range(60)))
    offset = {"type": "offset", "limit": 7, "total_path": "total"}

    def by_offset(asked: Asked) -> dict[str, Any]:
        first = int(asked.query["offset"])
        return {"rows": _rows(*back[first : first + 7]), "total": 60}

    _cap(users, "rising", _ordered(forth, 10), _PAGED, resource=since)
    _cap(
        users,
        "falling",
        _by_page([_rows(*back[n : n + 10]) for n in range(0, 60, 10)]),
        _PAGED,
        resource=since,
    )
    _cap(users, "whole", _by_page([_rows(*back[n : n + 10]) for n in range(0, 60, 10)]), _PAGED)
    _cap(users, "offset", by_offset, offset)
    _cap(users, "cursor", _by_cursor(back, 10), _CURSOR, resource=since)
    _cap(users, "links", _by_cursor(back, 10, links="visits"), _LINK)
    _cap(users, "one_page", _by_page([_rows(*back[n : n + 30]) for n in range(0, 60, 30)]), _PAGED)
    ended: dict[str, int] = {}
    for nth in range(1, 5):
        for name, run in users.run().items():
            assert run.outcome in ("complete", "capped")
            if run.outcome == "complete":
                ended.setdefault(name, nth)
    for name in ("rising", "falling", "whole", "offset", "cursor", "links", "one_page"):
        assert len(users.landed(name)) == 60, name
        assert ended[name] <= 4, name
    # The next run is one like any other: from the newest cursor, or the whole list.
    users.run()
    newest = {name: users.asked(name)[-1].query for name in ("rising", "cursor")}
    assert [query.get("since") for query in newest.values()] == ["2025-05-03T10:55:00Z"] * 2


def test_what_changes_while_a_list_is_read_in_several_runs_is_not_lost(users: Users) -> None:
    rows = {number: _visit(number) for number in range(60)}

    def give(asked: Asked) -> dict[str, Any]:
        found = sorted(rows.values(), key=lambda one: one["seen"])
        found = [one for one in found if one["seen"] >= asked.query.get("since", "")]
        first = (int(asked.query["page"]) - 1) * 10
        return {"rows": found[first : first + 10], "pages": -(-len(found) // 10)}

    since = {"incremental": {"cursor": "seen", "param": "since"}}
    _cap(users, "shop", give, _PAGED, resource=since)
    users.run()
    # Fifteen of those that were read move to the end, and all behind them forward by more than a page.
    for number in range(15):
        rows[number] = _visit(number, seen=f"2025-06-01T{number:02}:00:00Z", sum="9.50")
    for _ in range(4):
        users.run()
    assert len(users.landed("shop")) == 60
    assert [users.landed("shop")[str(number)].get("sum") for number in range(15)] == ["9.50"] * 15


def test_a_place_that_the_api_has_forgotten_is_begun_anew(users: Users) -> None:
    back = list(reversed(range(60)))
    valid = {"": True}

    def give(asked: Asked) -> Any:
        if "after" in asked.query and not valid[""]:
            valid[""] = True
            return whole('{"message": "cursor expired"}', 400)
        return _by_cursor(back, 10)(asked)

    _cap(users, "shop", give, _CURSOR)
    users.run()
    valid[""] = False
    assert users.run()["shop"].outcome == "capped"
    assert "after" not in users.asked("shop")[4].query


def test_a_place_at_which_the_api_fails_is_not_asked_for_again(users: Users) -> None:
    back = list(reversed(range(60)))
    fails = {"": False}

    def give(asked: Asked) -> Any:
        return (
            whole("gone wrong", 404) if "after" in asked.query and fails[""] else _by_cursor(back, 10)(asked)
        )

    _cap(users, "shop", give, _CURSOR)
    users.run()
    before = len(users.asked("shop"))
    fails[""] = True
    # It was begun anew at once, and failed on its second page: nothing is left to go on from.
    assert users.run()["shop"].outcome not in ("complete", "capped")
    fails[""] = False
    failed = len(users.asked("shop"))
    assert failed > before
    users.run()
    assert "after" not in users.asked("shop")[failed].query


def test_a_place_that_holds_a_secret_is_not_kept(users: Users) -> None:
    users.variables["LENA_KEY"] = "kestrel-4471-amber"

    def give(asked: Asked) -> dict[str, Any]:
        after = int(asked.query.get("after", 0))
        return {
            "rows": _rows(*range(after, after + 10)),
            "next": f"visits?after={after + 10}&key={asked.query['key']}",
        }

    _cap(
        users,
        "shop",
        give,
        _LINK,
        auth={"type": "api_key", "name": "key", "value": "${LENA_KEY}", "in": "query"},
    )
    assert users.run()["shop"].outcome == "capped"
    assert "kestrel" not in str(users.rows("SELECT * FROM raw_user_apis.observations"))


def test_a_list_that_was_read_in_several_runs_deletes_nothing(users: Users) -> None:
    given = [_rows(*range(first, first + 10)) for first in range(0, 50, 10)]
    _cap(users, "shop", lambda asked: _by_page(given)(asked), _PAGED, resource={"deletions": "remove"})
    assert [users.run()["shop"].outcome for _ in range(2)] == ["capped", "complete"]
    given[0] = given[0][:5]
    assert [users.run()["shop"].outcome for _ in range(2)] == ["capped", "complete"]
    assert len(users.landed("shop")) == 50


def test_no_form_of_a_users_secret_is_in_any_table(users: Users) -> None:
    """Whether it is in the authentication, a header or the address, and whether the API refuses or answers with it."""
    secret = "kestrel+4471/amber"
    users.variables |= {"LENA_KEY": secret, "LENA_PLACE": "kestrel-4471-path"}
    basic = {"type": "basic", "username": "lena", "password": "${LENA_KEY}"}

    def echo(asked: Asked) -> Any:
        return {"rows": [_visit(1, told=asked.headers, at=asked.path, deep=[{"k": [asked.query]}])]}

    def refusal(asked: Asked) -> Any:
        return whole(json.dumps({"sent": asked.headers, "at": asked.path, "query": asked.query}), 400)

    for name, give in (("taken", echo), ("refused", refusal), ("error", lambda asked: {"error": str(asked)})):
        users.declare(f"{name}_basic", give, auth=basic)
        users.declare(f"{name}_header", give, headers={"X-Key": "key ${LENA_KEY}"})
        users.declare(
            f"{name}_query",
            give,
            auth={"type": "api_key", "name": "k", "value": "${LENA_KEY}", "in": "query"},
        )
        users.declare(f"{name}_path", give, place="/${LENA_PLACE}")
    runs = users.run()
    assert {name.split("_")[0]: run.outcome for name, run in runs.items()} == {
        "taken": "complete", "refused": "refused", "error": "failed"
    }  # fmt: skip
    stored = json.dumps(
        [users.rows(f"SELECT CAST(t AS text) AS t FROM raw_user_apis.{table} AS t")
         for table in ("records", "source_runs", "observations")],
        ensure_ascii=False,
    )  # fmt: skip
    assert stored.count("***") > 5
    packed = base64.b64encode(f"lena:{secret}".encode()).decode()
    for form in ("4471", "kestrel", "amber", packed, packed[6:14]):
        assert form not in stored, stored[max(stored.find(form) - 200, 0) :][:400]


def test_a_next_page_at_another_door_of_the_same_host_gets_no_credentials(users: Users) -> None:
    users.variables["LENA_KEY"] = "kestrel-4471-amber"
    with serving() as other:
        other.answers["/visits"] = lambda _asked, _before: [whole(json.dumps({"rows": _rows(2)}))]
        links = {
            "door": f"{other.url}/visits",
            "meta": "http://169.254.169.254/latest",
            "inside": "http://10.0.0.7/visits",
        }
        for name, link in links.items():
            users.declare(
                name, lambda _, link=link: {"rows": _rows(1), "next": link}, resource={"paginator": _LINK},
                auth={"type": "bearer", "token": "${LENA_KEY}"},
            )  # fmt: skip
        users.declare("moved", lambda _: whole(b"", 302, Location=f"{other.url}/visits"))
        runs = users.run()
        assert {name: run.outcome for name, run in runs.items()} == dict.fromkeys(runs, "refused")
        assert "which is not its own address" in str(runs["door"].error)
        assert other.asked == []
    assert users.asked("door")[0].headers["authorization"] == "Bearer kestrel-4471-amber"


def test_who_was_forgotten_does_not_come_back_in_another_spelling_of_the_number(users: Users) -> None:
    fields = {"created_at": "seen", "phone": "phone", "email": "mail"}
    numbers = [
        "+44 20 7946 0301",
        "0044 20 7946 0301",
        "(0044)20-7946-0301",
        "442079460301",
        "+44 20 7946 0302",
    ]
    rows = [_visit(number, phone=phone) for number, phone in enumerate(numbers)]
    rows += [_visit(8, mail=" Ann@X.Example "), _visit(9, mail="bob@x.example")]
    users.declare("crm", lambda _: {"rows": []}, resource={"entity": "customer", "fields": fields})
    users.run()
    with users.session() as session:
        private = privacy.read(session)
        for one in ("442079460301", "ann@x.example"):
            session.execute(
                "INSERT INTO restricted.suppressions VALUES ('lena', $1, now())", (private.hash_of(one),)
            )
    users.declare("crm", lambda _: {"rows": rows}, resource={"entity": "customer", "fields": fields})
    users.run()
    assert set(users.landed("crm")) == {"4", "9"}
