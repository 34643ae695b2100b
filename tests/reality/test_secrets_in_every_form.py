"""A secret leaves us in no form: not in an error, a log, a table, whoever says it back and however it is written."""

from __future__ import annotations

import asyncio
import base64
import html
import json
import logging
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import httpx
import pytest
from raw_server import RawServer, serving, whole

from karvon.http import HttpClient, RemoteError
from karvon.logs import configure_logging
from karvon.redaction import redact, remember
from karvon.settings import load_settings

_SECRETS = [
    "plainsecret4471", "p@ss w/ord+&=?", 'quo"te\\back', "schlüssel-ñandú-鍵", "sk_live_51Hx/Ab+Cd==", "<b>&'amp;'",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiI0NDcxIn0.c2lnbmF0dXJl", "sixsix",
]  # fmt: skip

_FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL": lambda one: quote(one, safe=""),
    "URL in small letters": lambda one: quote(one, safe="").replace("%2F", "%2f").replace("%3D", "%3d"),
    "form": quote_plus,
    "JSON": lambda one: json.dumps({"k": one}),
    "JSON as it is": lambda one: json.dumps({"k": one}, ensure_ascii=False),
    "JSON in JSON": lambda one: json.dumps({"body": json.dumps({"k": one})}),
    "PHP's JSON": lambda one: json.dumps({"k": one}).replace("/", "\\/"),
    "HTML": html.escape,
    "Python": repr,
    "hex": lambda one: one.encode().hex(),
    "HEX": lambda one: one.encode().hex().upper(),
    "base64": lambda one: base64.b64encode(one.encode()).decode(),
    "base64 behind one": lambda one: base64.b64encode(b"u:" + one.encode() + b"!").decode(),
    "base64 behind two": lambda one: base64.b64encode(b"me:" + one.encode()).decode(),
    "base64 in base64's other letters": lambda one: base64.urlsafe_b64encode(
        b"user:" + one.encode()
    ).decode(),
    "base64 in a URL": lambda one: quote(base64.b64encode(b"anna:" + one.encode()).decode(), safe=""),
    "Basic": lambda one: f"Authorization: Basic {base64.b64encode(b'ck:' + one.encode()).decode()}",
    "a DSN": lambda one: f"postgresql://karvon:{quote(one, safe='')}@db.example/karvon",
}


@pytest.mark.parametrize("secret", _SECRETS)
def test_no_form_of_a_secret_stands_in_a_text(secret: str) -> None:
    for name, form in _FORMS.items():
        said = redact(f"before {form(secret)} behind", [secret])
        assert "***" in said, name
        assert said.startswith("before "), name
        assert said.endswith(" behind"), name
        bare = form(secret)
        # No half of it either: what is packed goes whole.
        assert not any(bare[n : n + 8] in said for n in range(max(len(bare) - 8, 1)) if "***" not in bare[n : n + 8]
                       and bare[n : n + 8] not in form("x" * len(secret))), (name, said)  # fmt: skip


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("postgresql://karvon:hidd3n%2Fword@db.example:5432/karvon", "password authentication failed: hidd3n/word"),
        ("postgresql://karvon:hidd3n%2Fword@db.example:5432/karvon", "FATAL hidd3n%2Fword"),
        ("postgresql://db.example/karvon?user=k&password=hidd3nword", "pwd hidd3nword"),
        ("redis://:hidd3nword@cache.example:6379/0", "auth hidd3nword"),
        ("https://hooks.example/services/T0001/hidd3nwordhidd3n", "404 for /services/T0001/hidd3nwordhidd3n"),
        ("https://x.example/in?sig=hidd3nword", "bad sig hidd3nword"),
        ("-----BEGIN KEY-----\nhidd3nwordhidd3nword\nhidd3nwordhidd3nwore\n-----END", "at hidd3nwordhidd3nwore"),
    ],
)  # fmt: skip
def test_a_part_of_a_secret_that_opens_something_is_one(secret: str, text: str) -> None:
    said = redact(text, [secret])
    assert "hidd3n" not in said
    assert "***" in said


def test_ordinary_words_and_addresses_stay() -> None:
    secrets = [
        "postgresql://karvon:hidd3nword@db.example:5432/karvon",
        "https://hooks.example/services/hidd3nword4471",
    ]
    text = "karvon at db.example:5432 answered; https://hooks.example/ is down, basic authentication, 5 tokens: none"
    assert redact(text, secrets) == text


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with serving() as one:
        yield one


@pytest.mark.parametrize("secret", _SECRETS[:5])
def test_an_api_that_says_everything_back_tells_no_secret(server: RawServer, secret: str) -> None:
    basic = base64.b64encode(f"u:{secret}".encode()).decode()
    said = {
        "sent": f"Basic {basic}",
        "url": f"/rows?key={quote(secret)}",
        "key": secret,
        "deep": [{"k": [secret]}],
    }
    # The cut of a long body goes through the middle of a secret.
    for padding in (0, 1990, 1996):
        body = " " * padding + json.dumps(said)
        server.answers["/rows"] = lambda _asked, _before, body=body: [whole(body, 400)]

        async def once() -> None:
            async with HttpClient("echo", base_url=server.url, secrets=[secret], attempts=1) as http:
                await http.request("GET", "/rows", params={"key": secret})

        with pytest.raises(RemoteError) as told:
            asyncio.run(once())
        shown = f"{told.value} {told.value.body} {told.value.detail}"
        for form in (secret, basic, quote(secret), json.dumps(secret)[1:-1]):
            assert form not in shown
            assert form[: len(form) // 2 + 2] not in shown


def test_logs_of_libraries_hold_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    remember("remembered-4471-word")
    configure_logging(load_settings())
    with caplog.at_level(logging.INFO):
        transport = httpx.MockTransport(lambda _: httpx.Response(200))
        with httpx.Client(transport=transport) as client:
            client.get("https://x.example/rows", params={"key": "remembered-4471-word"})
    assert "https://x.example/rows?key=***" in caplog.text
    assert "4471" not in caplog.text
