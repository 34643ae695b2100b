"""The receiver of messages: what it keeps, and what it says of signatures."""

from __future__ import annotations

import hashlib
import hmac

BODY = b'{"text":"hello"}'


def signed(secret: bytes) -> dict[str, str]:
    digest = hmac.new(secret, b"1700000000." + BODY, hashlib.sha256).hexdigest()
    return {"karvon-signature": f"t=1700000000,v1={digest}", "idempotency-key": "one"}


def test_messages_are_kept_by_receiver_with_their_signature_checked(sandbox) -> None:
    for headers in (signed(b"sandbox-secret"), signed(b"another"), {}):
        answer = sandbox.call("POST", "/_webhook/team", content=BODY, headers=headers)
        assert (answer.status_code, answer.text) == (200, "ok")
    kept = sandbox.call("GET", "/_control/webhook/messages?name=team").json()
    assert [one["signature"] for one in kept["messages"]] == ["right", "wrong", "missing"]
    assert [one["idempotency_key"] for one in kept["messages"]] == ["one", "one", None]
    assert kept["messages"][0]["body"] == {"text": "hello"}
    assert sandbox.call("GET", "/_control/webhook/messages").json()["count"] == 0


def test_what_is_no_json_is_refused_and_a_reset_forgets(sandbox) -> None:
    assert sandbox.call("POST", "/_webhook/team", content=b"hello").status_code == 400
    sandbox.call("POST", "/_webhook/team", content=BODY)
    sandbox.call("POST", "/_control/reset", json={"vendor": "webhook"})
    assert sandbox.call("GET", "/_control/webhook/messages?name=team").json()["count"] == 0


def test_requests_are_logged_and_faults_strike(sandbox) -> None:
    fault = {"vendor": "webhook", "path": "/team$", "fault": {"kind": "status", "status": 503}}
    sandbox.call("POST", "/_control/faults", json=fault)
    statuses = [sandbox.call("POST", "/_webhook/team", content=BODY).status_code for _ in range(2)]
    assert statuses == [503, 200]
    logged = sandbox.call("GET", "/_control/requests?vendor=webhook").json()["requests"]
    assert [one["status"] for one in logged] == [503, 200]
