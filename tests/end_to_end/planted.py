"""Secrets and persons to look for, an API that gives them back in every way, a search through all that was written."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote, quote_plus

import duckdb

SECRETS = {
    "DORA_BEARER": "bearer-Zx81+q/7=Kd0w",
    "DORA_BASIC": "basic&Pw?94 lkR:tt",
    "DORA_QUERY": "query=Mn#55%vbQ/1",
    "DORA_HEADER": "header-Yt77.uuOP~93",
    "DORA_PATH": "pathWe61Gf20zzAs",
    "PLYTIX_API_PASSWORD": "plytix-Hh12Jj34Kk56",
    "WEBFLOW_API_TOKEN": "webflow-Ll78Mm90Nn12",
    "UZUM_SELLER_TOKEN": "seller-Oo34Pp56Qq78",
}
HASHED = {
    "name": "Zebiniso Qo‘ldosheva",
    "e-mail": "zebi.qoldosh@maktub.example",
    "phone": "+998 90 771-40-55",
    "street": "Chilonzor 19-mavze, 7-uy",
    "PINFL": "41203985670021",
    "card": "8600 4929 1173 5208",
}
"""Of a source with `personal_data: hash`: nowhere, whatever the field they stand in."""
KEPT = {"name": "Farrux Ibodov", "e-mail": "farrux_ib@maktub.example", "phone": "+998 93 615-20-84"}
"""Of a source that keeps them: in the schemas for persons alone."""
_FOR_PERSONS = ("raw_user_apis.", "staging.", "restricted.")
_PHONE = re.compile(r"\+?998[ ()-]*\d{2}[ ()-]*\d{3}[ -]*\d{2}[ -]*\d{2}(?!\d)")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", re.IGNORECASE)


@contextmanager
def echoing_api() -> Iterator[str]:
    """Orders with persons in every corner below `/people`; elsewhere errors that repeat what was sent."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        for kind, person in (("hashed", HASHED), ("kept", KEPT)):
            if self.path.startswith(f"/{kind}"):
                self._answer(200, {"orders": [_order(person)]})
                return
        given = f"{self.path} {self.headers.get('Authorization', '')} {self.headers.get('X-Secret', '')}"
        self._answer(403, {"message": f"not allowed: {given}", "details": [{"sent": given}]})

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


def _order(person: Mapping[str, str]) -> dict[str, object]:
    contact = {"fullName": person["name"], "email": person["e-mail"], "phone": person["phone"]}
    hidden = {
        "billing": {**contact, "address_1": person["street"]},
        "deliveryInfo": {"customer": [contact], "note": f"{person['name']}, {person['phone']}, uyga"},
        "documents": {"pinfl": person["PINFL"], "card": {"number": person["card"]}},
        "customer_note": f"Menga {person['phone']} ga qo‘ng‘iroq qiling yoki {person['e-mail']} ga yozing",
    } if "PINFL" in person else {}  # fmt: skip
    return {
        "id": 11, "placed": "2026-11-02T10:00:00Z", "state": "paid", "total": "12.50", "currency": "UZS",
        "buyer": contact, **hidden,
    }  # fmt: skip


def sources(folder: Path, url: str) -> None:
    """Definitions of a user: two that are read, five whose API repeats the secret it was given."""
    folder.mkdir(parents=True)
    order = (
        "resources:\n  - {name: orders, path: orders, paginator: {type: single_page}, data_path: orders, key: id,\n"
        "     entity: customer,\n"
        "     fields: {created_at: placed, email: buyer.email, phone: buyer.phone, name: buyer.fullName}}\n"
    )
    parts = {
        "hashed": f"base_url: {url}/hashed\npersonal_data: hash\n",
        "kept": f"base_url: {url}/kept\npersonal_data: keep\n",
        "bearer": f'base_url: {url}/x\nauth: {{type: bearer, token: "${{DORA_BEARER}}"}}\n',
        "basic": f'base_url: {url}/x\nauth: {{type: basic, username: dora, password: "${{DORA_BASIC}}"}}\n',
        "query": f'base_url: {url}/x\nauth: {{type: api_key, name: key, in: query, value: "${{DORA_QUERY}}"}}\n',
        "header": f'base_url: {url}/x\nheaders: {{X-Secret: "${{DORA_HEADER}}"}}\n',
        "path": f'base_url: "{url}/${{DORA_PATH}}/x"\n',
    }
    for name, part in parts.items():
        (folder / f"dora_{name}.yml").write_text(f"user_id: dora\nsource_id: {name}\n{part}{order}")
    (folder / "users.yml").write_text(
        "users:\n  - {user_id: dora, time_zone: Asia/Tashkent, currency: UZS}\n"
    )


def _forms(secret: str) -> set[str]:
    """As it is, and as URLs, headers, pages and JSON write it."""
    found = {
        secret, quote(secret, safe=""), quote(secret), quote_plus(secret), secret.encode().hex(),
        html.escape(secret), json.dumps(secret)[1:-1],
    }  # fmt: skip
    for before in (b"", b"d", b"do", b"dora:"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(before + secret.encode()).decode().rstrip("=")
            # Less the signs that what stands before and behind has a share in.
            found.add(text[-(-len(before) * 4 // 3) : -2])
    return {form for form in found if len(form) >= 8}


def found_in(home: Path) -> dict[str, set[str]]:
    """Place → what of the planted stands there. Places are files, and tables of the databases among them."""
    found: dict[str, set[str]] = {}
    secrets = {name: _forms(secret) for name, secret in SECRETS.items()}
    for place, text in _texts(home):
        here = {f"secret {name}" for name, forms in secrets.items() if any(form in text for form in forms)}
        here |= {f"hashed {what}" for what, value in HASHED.items() if _has(text, value)}
        # Of a warehouse's own file its tables say which schema it is.
        if not place.endswith(".duckdb") and not place.rpartition("/")[2].startswith(_FOR_PERSONS):
            here |= {f"kept {what}" for what, value in KEPT.items() if _has(text, value)}
        if "raw_uz" in place or "stg_uz" in place:
            here |= {
                f"market {shape}"
                for shape, seen in (("phone", _PHONE), ("e-mail", _EMAIL))
                if seen.search(text)
            }
        if here:
            found.setdefault(place, set()).update(here)
    return found


def _has(text: str, value: str) -> bool:
    digits = re.sub(r"[^0-9]", "", value)
    if len(digits) >= 9:
        return digits in text or value in text or json.dumps(value)[1:-1] in text
    return value in text or json.dumps(value)[1:-1] in text


def _texts(home: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(path for path in home.rglob("*") if path.is_file() and not path.is_symlink()):
        place = str(path.relative_to(home))
        if place.startswith("sandbox/sandbox.sqlite") or place.endswith("server.log"):
            continue  # The stand-ins are the outside world.
        content = path.read_bytes()
        yield place, content.decode("utf-8", "replace")
        if path.suffix == ".duckdb":
            yield from ((f"{place}/{table}", text) for table, text in _tables(path))
        elif path.suffix == ".parquet":
            for row in duckdb.execute(
                "SELECT CAST(t AS text) FROM read_parquet($1) AS t", [str(path)]
            ).fetchall():
                yield place, row[0]
        elif path.suffix == ".gz":
            yield place, gzip.decompress(content).decode("utf-8", "replace")
        elif content.startswith(b"SQLite format 3"):
            with closing(sqlite3.connect(path)) as database:
                yield place, "\n".join(database.iterdump())


def _tables(path: Path) -> Iterator[tuple[str, str]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables"
        ).fetchall()
        for (name,) in names:
            rows = connection.execute(f"SELECT CAST(t AS text) FROM {name} AS t").fetchall()
            yield name, "\n".join(row[0] for row in rows)
