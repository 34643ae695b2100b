"""The control interface: request log, faults, rate limits, switches, reset; and the README that documents it."""

import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_client import SandboxClient

from sandbox.gate import ConnectionDropped

README = Path(__file__).parents[2] / "sandbox" / "README.md"
SEARCH = "/api/v2/products/search"


def fault(sandbox: SandboxClient, kind: str, *, rule: dict[str, Any] | None = None, **options: Any) -> None:
    body = {"vendor": "plytix"} | (rule or {}) | {"fault": {"kind": kind} | options}
    sandbox.control("POST", "/faults", body)


def create(sandbox: SandboxClient, sku: str) -> httpx.Response:
    return sandbox.plytix("POST", "/api/v2/products", {"sku": sku})


def exists(sandbox: SandboxClient, sku: str) -> bool:
    return bool(sandbox.control("GET", f"/plytix/products?sku={sku}")["count"])


def test_requests_are_logged_with_body_status_and_account(sandbox: SandboxClient) -> None:
    sandbox.search({"pagination": {"page_size": 1}})
    sandbox.refused({"attributes": ["nope"]})
    log = sandbox.control("GET", "/requests?vendor=plytix")
    assert [(entry["method"], entry["status"], entry["account"]) for entry in log["requests"]] == [
        ("POST", 200, "default"), ("POST", 422, "default"),
    ]  # fmt: skip
    assert log["requests"][0]["body"] == {"pagination": {"page_size": 1}}
    assert log["requests"][0]["path"] == f"/plytix{SEARCH}"
    since = log["last_seq"]
    assert sandbox.control("GET", f"/requests?since={since}")["requests"] == []


def test_the_log_never_holds_a_password(sandbox: SandboxClient) -> None:
    sandbox.sign_in(password="hunter2")
    assert "hunter2" not in str(sandbox.control("GET", "/requests"))


def test_the_summary_counts_by_path_with_ids_replaced(sandbox: SandboxClient) -> None:
    for row in sandbox.search({})["data"][:3]:
        sandbox.plytix("GET", f"/api/v2/products/{row['id']}")
    summary = sandbox.control("GET", "/requests/summary")
    counts = {(row["method"], row["path"]): row["count"] for row in summary["requests"]}
    assert counts["GET", "/plytix/api/v2/products/{id}"] == 3
    assert summary["total"] == 5
    sandbox.control("DELETE", "/requests")
    assert sandbox.control("GET", "/requests/summary")["total"] == 0


def test_a_status_fault_strikes_as_often_as_asked_and_carries_nothing_out(sandbox: SandboxClient) -> None:
    fault(
        sandbox, "status", rule={"method": "post", "path": "/products$", "times": 2, "after": 1}, status=503
    )
    assert [create(sandbox, f"N{number}").status_code for number in range(4)] == [201, 503, 503, 201]
    assert [exists(sandbox, f"N{number}") for number in range(4)] == [True, False, False, True]


def test_a_429_fault_can_say_when_to_come_back(sandbox: SandboxClient) -> None:
    fault(sandbox, "status", status=429, retry_after=2)
    answer = sandbox.plytix("POST", SEARCH, {})
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "2"


def test_html_and_an_empty_body_can_come_instead_of_json(sandbox: SandboxClient) -> None:
    fault(sandbox, "html", status=200)
    answer = sandbox.plytix("POST", SEARCH, {})
    assert answer.status_code == 200
    assert answer.text.startswith("<!DOCTYPE html>")
    fault(sandbox, "empty_200")
    assert sandbox.plytix("POST", SEARCH, {}).content == b""


def test_a_truncated_answer_is_half_of_the_json(sandbox: SandboxClient) -> None:
    whole = sandbox.plytix("POST", SEARCH, {}).content
    fault(sandbox, "truncated")
    assert sandbox.plytix("POST", SEARCH, {}).content == whole[: len(whole) // 2]


def test_a_dropped_connection_carries_nothing_out_and_a_dropped_answer_does(sandbox: SandboxClient) -> None:
    for kind, done in (("drop_connection", False), ("drop_after_processing", True)):
        fault(sandbox, kind)
        with pytest.raises(ConnectionDropped):
            create(sandbox, kind)
        assert exists(sandbox, kind) is done
    assert sandbox.control("GET", "/requests?path=/products$")["requests"][-1]["status"] == 0


def test_an_answer_can_come_late(sandbox: SandboxClient) -> None:
    for kind in ("delay", "delay_answer"):
        fault(sandbox, kind, seconds=0.2)
        began = time.perf_counter()
        assert create(sandbox, kind).status_code == 201
        assert time.perf_counter() - began >= 0.2


def test_rules_can_be_listed_and_removed_and_a_wrong_one_is_refused(sandbox: SandboxClient) -> None:
    fault(sandbox, "status", rule={"times": 0})
    assert sandbox.control("GET", "/faults")["faults"][0]["struck"] == 0
    sandbox.control("DELETE", "/faults")
    assert sandbox.plytix("POST", SEARCH, {}).status_code == 200
    for wrong in ({"fault": {"kind": "earthquake"}}, {"where": "here", "fault": {"kind": "status"}}):
        answer = sandbox.call("POST", "/_control/faults", json=wrong)
        assert answer.status_code == 400


def test_every_call_over_the_limit_fails_until_the_window_ends(sandbox: SandboxClient) -> None:
    sandbox.control(
        "PUT", "/limits", {"plytix": [{"requests": 3, "seconds": 0.4}, {"requests": 100, "seconds": 60}]}
    )
    statuses = [sandbox.plytix("POST", SEARCH, {}).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    limited = sandbox.plytix("POST", SEARCH, {})
    assert limited.headers["retry-after"] == "1"
    assert "error" in limited.json()
    time.sleep(0.45)
    assert sandbox.plytix("POST", SEARCH, {}).status_code == 200


def test_a_limit_is_per_account_and_may_come_without_retry_after(sandbox: SandboxClient) -> None:
    sandbox.control("PUT", "/limits", {"plytix": [{"requests": 1, "seconds": 60}]})
    sandbox.control("PUT", "/switches", {"sandbox.retry_after": False})
    assert sandbox.plytix("POST", SEARCH, {}).status_code == 200
    limited = sandbox.plytix("POST", SEARCH, {})
    assert limited.status_code == 429
    assert "retry-after" not in limited.headers
    assert sandbox.plytix("POST", SEARCH, {}, account="second").status_code == 200
    sandbox.control("DELETE", "/limits")
    assert sandbox.plytix("POST", SEARCH, {}).status_code == 200


def test_the_auth_host_has_a_limit_of_its_own(sandbox: SandboxClient) -> None:
    statuses = [sandbox.sign_in().status_code for _ in range(12)]
    assert statuses[:8] == [200] * 8
    assert 429 in statuses


def test_webflow_says_its_limit_in_headers(sandbox: SandboxClient) -> None:
    headers = {"Authorization": "Bearer sandbox-token"}
    answer = sandbox.call("GET", "/webflow/v2/sites", headers=headers)
    assert answer.headers["x-ratelimit-limit"] == "6000"
    assert answer.headers["x-ratelimit-remaining"] == "5999"
    sandbox.control("PUT", "/limits", {"webflow": [{"requests": 1, "seconds": 60}]})
    sandbox.call("GET", "/webflow/v2/sites", headers=headers)
    limited = sandbox.call("GET", "/webflow/v2/sites", headers=headers)
    assert limited.status_code == 429
    assert limited.json()["code"] == "too_many_requests"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/switches", {"plytix.nothing": 1}),
        ("PUT", "/switches", {"plytix.v2_ids": "numbers"}),
        ("PUT", "/switches", {"plytix.token_seconds": "soon"}),
        ("PUT", "/limits", {"plytix": [{"requests": 1}]}),
        ("PUT", "/limits", {"amazon": []}),
        ("POST", "/reset", {"vendor": "amazon"}),
        ("POST", "/plytix/edit", {"sku": "nothing", "set": {}}),
        ("POST", "/plytix/edit", {"sku": "TL-00002"}),
        ("POST", "/plytix/load", {}),
    ],
)
def test_a_wrong_control_call_says_what_is_wrong(
    sandbox: SandboxClient, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = sandbox.call(method, f"/_control{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_switches_can_be_reset(sandbox: SandboxClient) -> None:
    sandbox.switch(v2_ids="string")
    assert sandbox.control("GET", "/switches")["plytix.v2_ids"]["value"] == "string"
    assert sandbox.control("DELETE", "/switches")["plytix.v2_ids"] == "object"


def test_world_switches_and_changes_outlive_a_restart(sandbox: SandboxClient) -> None:
    create(sandbox, "KEPT")
    sandbox.switch(v2_ids="string")
    sandbox.control("PUT", "/limits", {"plytix": [{"requests": 7, "seconds": 1}]})
    again = SandboxClient(sandbox.state_dir, products=5)
    assert exists(again, "KEPT")
    assert again.control("GET", "/switches")["plytix.v2_ids"]["value"] == "string"
    assert again.control("GET", "/limits")["plytix"] == [{"requests": 7, "seconds": 1}]
    assert again.control("GET", "/plytix/products") == sandbox.control("GET", "/plytix/products")


def test_a_reset_of_one_account_leaves_the_other(sandbox: SandboxClient) -> None:
    sandbox.plytix("POST", "/api/v2/products", {"sku": "SECOND"}, account="second")
    create(sandbox, "FIRST")
    sandbox.control("POST", "/reset", {"vendor": "plytix", "account": "default", "products": 3})
    assert not exists(sandbox, "FIRST")
    assert sandbox.control("GET", "/plytix/products?account=second&sku=SECOND")["count"] == 1
    sandbox.control("POST", "/reset")
    assert sandbox.control("GET", "/plytix/products?account=second&sku=SECOND")["count"] == 0


def test_the_readme_names_every_call_switch_fault_and_kind(sandbox: SandboxClient) -> None:
    text = README.read_text(encoding="utf-8")
    for call in sandbox.control("GET", "")["calls"]:
        method, path = call.split()
        assert path in text, call
        assert method in text
    table = dict(re.findall(r"^\| `([a-z]+\.[a-z0-9_]+)` \| `([^`]+)` \|", text, re.MULTILINE))
    switches = sandbox.control("GET", "/switches")
    assert set(table) == set(switches)
    for name, switch in switches.items():
        assert table[name] == {True: "true", False: "false"}.get(switch["default"]) or (
            table[name].strip('"') == str(switch["default"])
        ), name
    kinds = sandbox.call("POST", "/_control/plytix/next-day", json={"changes": {"x": 1}}).json()["error"]
    faults = sandbox.call("POST", "/_control/faults", json={"fault": {"kind": "x"}}).json()["error"]
    named = kinds.split("known: ")[1].split(", ") + faults.split("one of ")[1].split(", not ")[0].split(", ")
    assert [name for name in named if f"`{name}`" not in text] == []
