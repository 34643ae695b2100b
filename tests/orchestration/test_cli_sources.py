"""Data sources from the command line, against an API on this machine."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result

from karvon.settings import PROJECT_ROOT
from karvon.warehouse import Warehouse
from orchestration.cli import cli

Karvon = Callable[..., Result]
_ORDERS = [
    {"id": f"o{number}", "created_at": "2026-03-01T10:00:00Z", "updated_at": "2026-03-02T10:00:00Z", "state": state,
     "total": 10.5 + number, "currency": "EUR", "customer": {"id": number, "email": f"p{number}@x.example"}}
    for number, state in enumerate(["paid", "pending", "on_the_moon", "paid", "paid"])
]  # fmt: skip


class _Shop(BaseHTTPRequestHandler):
    """A list of orders behind a bearer token, and another one that anybody may read."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        is_open = self.path.startswith("/open")
        allowed = is_open or self.headers.get("Authorization") == "Bearer t0ken-of-the-shop"
        body = json.dumps(self._page() if allowed else {"error": "no"}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _page(self) -> dict[str, Any]:
        """Three orders, then two; `cents` and `texts` are lists of one page whose amounts are no plain ones."""
        if "cents" in self.path:
            return {"items": [{**one, "total": 1999} for one in _ORDERS]}
        if "texts" in self.path:
            return {"items": [{**one, "total": f"{number + 1}.250"} for number, one in enumerate(_ORDERS)]}
        if "page=2" in self.path:
            return {"items": _ORDERS[3:], "next": None}
        return {
            "items": _ORDERS[:3],
            "next": f"http://{self.headers['Host']}{self.path.partition('?')[0]}?page=2",
        }

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The registry."""
    return tmp_path / "registry"


@pytest.fixture
def karvon(tmp_path: Path, folder: Path) -> Iterator[Karvon]:
    """The command in this process, with a home of its own."""
    before = dict(os.environ)
    os.environ |= {
        "KARVON_HOME": str(tmp_path / "home"), "KARVON_SOURCES_DIR": str(folder), "KARVON_PROFILE": "sandbox",
        "ANNA_SHOP_TOKEN": "t0ken-of-the-shop",
    }  # fmt: skip

    def run(*arguments: str, answers: str = "") -> Result:
        return CliRunner().invoke(cli, arguments, input=answers)

    yield run
    os.environ.clear()
    os.environ |= before


def _declare(folder: Path, url: str, **changes: Any) -> Path:
    path = folder / "anna" / "shop.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    resource = {"name": "orders", "path": "orders", "data_path": "items", "key": "id"}
    source = {"user_id": "anna", "source_id": "shop", "base_url": f"{url}/open", "resources": [resource]}
    path.write_text(yaml.safe_dump({**source, **changes}, sort_keys=False))
    return path


def test_a_source_is_added_by_answering_questions(karvon: Karvon, folder: Path, shop: str) -> None:
    answers = ["anna", "shop", f"{shop}/v1", "orders", "bearer", "since", "ANNA_SHOP_TOKEN", "y"]
    done = karvon("sources", "add", answers="\n".join(answers))
    assert done.exit_code == 0, done.output
    path = folder / "anna" / "shop.yml"
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=../data_source.schema.json\n")
    assert "t0ken" not in text + done.output
    assert "# open: status: what is 'on_the_moon' for us?" in text
    source = yaml.safe_load(text)
    assert source["auth"] == {"type": "bearer", "token": "${ANNA_SHOP_TOKEN}"}
    resource = source["resources"][0]
    assert resource["key"] == "id"
    assert resource["entity"] == "order"
    assert resource["incremental"] == {"cursor": "updated_at", "param": "since"}
    assert resource["fields"] == {
        "ordered_at": "created_at", "updated_at": "updated_at", "customer_key": "customer.id",
        "email": "customer.email", "gross_amount": "total", "currency": "currency",
        "status": {"path": "state", "map": {"paid": "paid", "pending": "pending"}},
    }  # fmt: skip
    assert resource["paginator"]["type"] == "json_link"
    tested = karvon("sources", "test", "anna/shop")
    assert "orders: 3 records on the first page, paging: json_link, 2 on the second" in tested.output
    assert "status ← state: 'paid', not in `map`: ['on_the_moon']" in tested.output
    assert (
        "o0: ordered_at 2026-03-01 10:00 UTC, updated_at 2026-03-02 10:00 UTC, customer_key 0, email …"
        in tested.output
    )
    assert 'rejected, 1 of 5, such as o2: status "on_the_moon" is not mapped' in tested.output
    assert "total EUR: 3 paid orders, 38.50 paid, 0.00 paid back, 38.50 net" in tested.output
    assert "@x.example" not in tested.output
    again = karvon("sources", "add", answers="\n".join(answers))
    assert again.exit_code == 1
    assert "exists; edit it" in again.output


@pytest.mark.parametrize(
    ("path", "question"),
    [
        ("cents", "gross_amount ← total: only whole numbers, such as 1999; if they are cents, write"),
        ("texts", 'gross_amount "1.250" can be read in two ways'),
    ],
)
def test_what_the_sample_does_not_prove_is_a_question(
    karvon: Karvon, folder: Path, shop: str, path: str, question: str
) -> None:
    done = karvon("sources", "add", "--user", "anna", "--source", "shop", "--url", f"{shop}/open", "--path", path,
                  "--auth", "none", "--since-param", "", "--yes")  # fmt: skip
    assert done.exit_code == 0, done.output
    text = (folder / "anna" / "shop.yml").read_text()
    resource = yaml.safe_load(text)["resources"][0]
    assert not {"paginator", "entity", "fields"} & set(resource)
    for told in (text, done.output):
        assert question in told
        assert "# open: paging looks like single_page, and no second page with other records was seen" in told
        assert "#     gross_amount: total" in told


def test_a_refused_sample_writes_nothing(karvon: Karvon, folder: Path, shop: str) -> None:
    done = karvon("sources", "add", "--user", "anna", "--source", "shop", "--url", f"{shop}/v1", "--path", "orders",
                  "--auth", "none", "--since-param", "", "--yes")  # fmt: skip
    assert done.exit_code == 1
    assert "401" in done.output
    assert not (folder / "anna").exists()


def test_sources_are_listed_and_switched_off_and_on(karvon: Karvon, folder: Path, shop: str) -> None:
    assert "`karvon sources add` makes one" in karvon("sources", "list").output
    _declare(folder, shop)
    listed = json.loads(karvon("sources", "list", "--json").output)
    assert listed == [
        {
            "source": "anna/shop",
            "resources": "orders",
            "last_run": None,
            "outcome": "never read",
            "waits": None,
        }
    ]
    assert karvon("sources", "disable", "anna/shop").output == "anna/shop is disabled.\n"
    assert "disabled in its file" in karvon("sources", "list").output
    assert karvon("sources", "disable", "anna/shop", "--enable").exit_code == 0
    assert "disabled" not in karvon("sources", "list").output
    unknown = karvon("sources", "test", "anna/till")
    assert unknown.exit_code == 1
    assert "There is no source anna/till; known are anna/shop." in unknown.output


def test_what_is_wrong_is_told_with_file_line_and_key(karvon: Karvon, folder: Path, shop: str) -> None:
    path = _declare(folder, shop)
    assert karvon("sources", "validate").output == "1 sources are fine, 0 problems.\n"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "retries: 3"]))
    done = karvon("sources", "validate")
    assert done.exit_code == 1
    assert (
        f"anna/shop.yml:{len(lines) + 1}: retries: unknown key; remove it or check its spelling"
        in done.output
    )
    path.write_text("\n".join([*lines, "auth: {type: bearer, token: t0ken}"]))
    assert f"anna/shop.yml:{len(lines) + 1}: auth.token: a secret is never written here" in (
        karvon("sources", "validate").output
    )


def test_the_schema_for_editors_accepts_what_the_command_accepts(
    karvon: Karvon, folder: Path, shop: str
) -> None:
    path = _declare(folder, shop)
    assert karvon("sources", "schema").exit_code == 0
    schema = json.loads((folder / "data_source.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)
    with pytest.raises(jsonschema.ValidationError, match="retries"):
        jsonschema.validate({**yaml.safe_load(path.read_text()), "retries": 3}, schema)


def test_the_schema_beside_the_demo_is_that_of_today(karvon: Karvon, folder: Path) -> None:
    karvon("sources", "schema")
    kept = PROJECT_ROOT / "data_sources" / "sandbox" / "data_source.schema.json"
    assert kept.read_text() == (folder / "data_source.schema.json").read_text(), "run `karvon sources schema`"


def test_a_sign_in_is_kept_encrypted_and_its_key_can_be_changed(
    karvon: Karvon, folder: Path, shop: str, tmp_path: Path
) -> None:
    auth = {"type": "oauth2_refresh_token", "token_url": f"{shop}/token", "client_id": "karvon"}
    _declare(folder, shop, auth=auth)
    without = karvon("auth", "login", "anna/shop", answers="r3fresh\n")
    assert without.exit_code == 1
    assert "KARVON_CREDENTIALS_KEY" in without.output
    old, new = (karvon("auth", "key").output.strip() for _ in range(2))
    os.environ["KARVON_CREDENTIALS_KEY"] = old
    done = karvon("auth", "login", "anna/shop", answers="r3fresh\n")
    assert done.exit_code == 0
    assert "r3fresh" not in done.output
    assert karvon("auth", "list").output == "anna/shop\n"
    os.environ["KARVON_CREDENTIALS_KEY"] = f"{new},{old}"
    assert "1 entries are under the first key" in karvon("auth", "rotate").output
    os.environ["KARVON_CREDENTIALS_KEY"] = new
    assert karvon("auth", "list").output == "anna/shop\n"
    assert not [
        path for path in (tmp_path / "home").rglob("*") if path.is_file() and b"r3fresh" in path.read_bytes()
    ]
    assert karvon("auth", "logout", "anna/shop").output == "Forgotten.\n"
    assert "No source is signed in" in karvon("auth", "list").output
    assert "is no source with" in karvon("auth", "login", "anna/till", answers="x\n").output


def test_forgetting_asks_first(karvon: Karvon, tmp_path: Path) -> None:
    (tmp_path / "home" / "sandbox").mkdir(parents=True)
    warehouse = Warehouse(f"duckdb:///{tmp_path / 'home' / 'sandbox' / 'warehouse.duckdb'}")
    with warehouse.session() as session:
        session.execute("CREATE SCHEMA marts")
        session.execute(
            "CREATE TABLE marts.user_records AS SELECT 'anna' AS user_id, 'anna/shop/orders/1' AS record_key"
        )
    assert "say whom" in karvon("forget").output
    asked = karvon("forget", "--user", "anna", answers="n\n")
    assert asked.exit_code == 1
    assert "Erase the user anna for good?" in asked.output
    with warehouse.session() as session:
        assert session.value("SELECT count(*) FROM marts.user_records") == 1


@pytest.mark.parametrize("name", ["PLYTIX_API_PASSWORD", "BORIS_SHOP_TOKEN", "HOME"])
def test_a_variable_of_somebody_else_is_refused_before_a_request_leaves(
    karvon: Karvon, folder: Path, shop: str, name: str
) -> None:
    os.environ[name] = "value-of-somebody-else"
    _declare(folder, shop, headers={"X-Take": f"${{{name}}}"})
    asked = len(_Shop.asked)
    for command in ("validate", "test anna/shop", "list"):
        done = karvon("sources", *command.split())
        assert f"anna may not use ${{{name}}}" in done.output
        assert "connections.yml" in done.output
        assert done.exit_code == (0 if command == "list" else 1)
    answers = ["anna", "crm", f"{shop}/open", "orders", "bearer", "", name, "y"]
    added = karvon("sources", "add", answers="\n".join(answers))
    assert (added.exit_code, f"anna may not use ${{{name}}}" in added.output) == (1, True)
    assert not (folder / "anna" / "crm.yml").exists()
    assert len(_Shop.asked) == asked
