"""What goes wrong outside: each gets words that help, holds back only what it must, and loses nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from karvon_command import BIN, Done, Karvon, until
from shop_and_view import changed_items, differences, products_by_sku, skus_of

_SITE = "5f0c8c9e1c9d440000a1b2c3"
_FOR_EVER = 0


def _live(karvon: Karvon, **changed: str) -> Karvon:
    """The live profile, which takes the sandbox for the real APIs."""
    url = karvon.sandbox.url
    real = {
        "KARVON_PROFILE": "live",
        "PLYTIX_BASE_URL": f"{url}/plytix",
        "PLYTIX_AUTH_URL": f"{url}/plytix/auth/api/get-token",
        "PLYTIX_API_KEY": "sandbox-key",
        "PLYTIX_API_PASSWORD": "sandbox-password",
        "PLYTIX_RATE_LIMITS": "2000/10",
        "WEBFLOW_BASE_URL": f"{url}/webflow/v2",
        "WEBFLOW_API_TOKEN": "sandbox-token",
        "WEBFLOW_SITE_ID": _SITE,
        "WEBFLOW_RATE_LIMITS": "6000/60",
    }
    return karvon.having(**{**real, **changed})


def _fails(done: Done, *words: str) -> None:
    assert done.status == 1, done.output
    for word in words:
        assert word in done.output


def _recovers(karvon: Karvon) -> None:
    done = karvon("run")
    assert done.status == 0, done.output
    assert differences(karvon) == []


def test_credentials_that_are_missing_or_wrong(karvon: Karvon) -> None:
    missing = _live(karvon, PLYTIX_API_KEY="", WEBFLOW_SITE_ID="")
    _fails(missing("doctor"), "PLYTIX_API_KEY is not set", "WEBFLOW_SITE_ID is not set", ".env.example")
    _fails(missing("run"), "PLYTIX_API_KEY is not set", "WEBFLOW_SITE_ID is not set")
    wrong = _live(karvon, PLYTIX_API_PASSWORD="wrong", WEBFLOW_API_TOKEN="wrong")
    told = wrong("doctor")
    _fails(told, "refused the API key (401)", "PLYTIX_API_PASSWORD", "answered 401")
    assert "wrong" not in told.output.replace("a wrong host", "")
    _fails(wrong("run"), "refused the API key (401)", "Check the credentials of this connection")
    elsewhere = _live(karvon, WEBFLOW_SITE_ID="0" * 24)
    _fails(elsewhere("doctor"), "Check WEBFLOW_SITE_ID")
    assert karvon.sandbox.writes() == []


@pytest.mark.slow
def test_an_api_that_cannot_be_reached(karvon: Karvon) -> None:
    nowhere = _live(karvon, PLYTIX_BASE_URL="http://127.0.0.1:1", WEBFLOW_BASE_URL="http://127.0.0.1:1")
    _fails(nowhere("run"), "got no answer", "Check the address and that the service is up")


@pytest.mark.slow
def test_answers_that_are_no_json_and_then_a_good_day(karvon: Karvon) -> None:
    karvon.sandbox.next_day()
    page = {"kind": "html", "status": 200}
    karvon.sandbox.fault(vendor="plytix", path="/v2/products/search", times=_FOR_EVER, fault=page)
    _fails(karvon("run"), "plytix.products (default)", "not JSON", "Bad Gateway")
    karvon.sandbox.no_faults()
    cut = {"kind": "truncated"}
    karvon.sandbox.fault(vendor="plytix", path="/v1/assets/search", times=_FOR_EVER, fault=cut)
    _fails(karvon("run"), "plytix.assets (default)", "not JSON", "a cut connection looks like this")
    karvon.sandbox.no_faults()
    assert karvon.sandbox.writes() == []
    _recovers(karvon)


@pytest.mark.slow
def test_tokens_that_expire_meanwhile_and_storms_of_429_cost_only_time(karvon: Karvon) -> None:
    karvon.sandbox.next_day()
    karvon.sandbox.switch("plytix.token_seconds", 1)
    storm = {"kind": "status", "status": 429, "retry_after": 0.1}
    karvon.sandbox.fault(vendor="plytix", path="/v1/assets", times=10, fault=storm)
    karvon.sandbox.fault(vendor="webflow", method="PATCH", times=10, fault=storm)
    _recovers(karvon)
    assert len(karvon.sandbox.requests(vendor="plytix_auth")) > 1
    assert karvon.sandbox.struck() == 20


def test_an_empty_catalogue_from_a_broken_role_deletes_nothing(karvon: Karvon) -> None:
    before = karvon.sandbox.shop()
    karvon.sandbox.switch("plytix.role_sees_products", False)
    done = karvon.having(KARVON_SWEEP_EVERY_HOURS="0")("run")
    _fails(done, "has 0 of the ", " known records", "nothing was deleted", "check the role of the API key")
    assert karvon.sandbox.shop() == before
    karvon.sandbox.switch("plytix.role_sees_products", True)
    _recovers(karvon)


@pytest.mark.slow
def test_rows_that_cannot_be_sold_are_held_alone_and_say_why(karvon: Karvon) -> None:
    sandbox = karvon.sandbox
    before = sandbox.shop()
    sold = products_by_sku(before)
    tools = sorted(sku for sku in sold if sku.startswith("TL"))
    comma, long, older, younger, moved = tools[:5]
    variants = {sku["options"]["Size"]: sku["fields"]["sku"] for sku in sold["AP-00001"]["skus"][:3]}
    sizes = {one["sku"]: one["attributes"]["size"] for one in sandbox.call("GET", "/plytix/products")["products"]
             if one["sku"] in variants.values()}  # fmt: skip
    sandbox.edit(comma, attributes={"price": "12,50"})
    sandbox.edit(long, attributes={"web_title": "Ў" * 300})
    sandbox.call("POST", "/plytix/edit", {"sku": younger, "set": {"sku": older.lower()}})
    sandbox.edit(variants["L"], attributes={"size": sizes[variants["M"]]})
    price = sold[moved]["skus"][0]["fields"]["price"]["value"]
    sandbox.edit(moved, attributes={"price": f"{(price + 70) / 100:.2f}"})
    earlier = sold[comma]["skus"][0]["fields"]["price"]["value"]

    done = karvon("run")
    assert done.status == 0, done.output
    assert changed_items(before, sandbox.shop()) == {moved: {"price"}}
    held = {
        row["sku_code"]: row["hold_reasons"]
        for row in karvon.rows("SELECT sku_code, hold_reasons FROM activation.webflow__skus")
    }
    assert held[comma] == 'price "12,50" is not a number'
    assert held[long] == "name is 300 characters long, Webflow takes 256"
    assert held[older.lower()] == f"SKU differs only in case from {older}"
    assert f"as SKU {variants['M']}" in held[variants["L"]]
    assert held[older] is None
    shown = karvon("plan").output
    assert 'price "12,50" is not a number' in shown

    sandbox.edit(comma, attributes={"price": f"{(earlier + 70) / 100:.2f}"})
    sandbox.edit(long, attributes={"web_title": "Болға"})
    sandbox.call("POST", "/plytix/edit", {"sku": older.lower(), "set": {"sku": younger}})
    sandbox.edit(variants["L"], attributes={"size": sizes[variants["L"]]})
    _recovers(karvon)
    assert changed_items(before, sandbox.shop()).keys() == {comma, long, moved, sold[long]["fields"]["slug"]}


@pytest.mark.slow
def test_attributes_that_are_deleted_or_change_their_type(karvon: Karvon) -> None:
    before = karvon.sandbox.shop()
    karvon.sandbox.next_day(
        attribute_deleted=["seo_title"], attribute_type_changed=1, attribute_added=1, price=1
    )
    done = karvon("run")
    assert done.status == 3, done.output
    assert set().union(*changed_items(before, karvon.sandbox.shop()).values()) == {"price"}
    held = karvon("held")
    assert "max_emptied" in held.output
    assert "seo-title" in held.output

    assert karvon("approve", "--rule", "max_emptied").status == 0
    _recovers(karvon)
    moved = set().union(*changed_items(before, karvon.sandbox.shop()).values())
    assert moved == {"seo-title", "price"}


@pytest.mark.slow
def test_a_warehouse_that_another_process_holds(karvon: Karvon) -> None:
    hold = f"import duckdb; c = duckdb.connect('{karvon.warehouse.path}'); print('held', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        impatient = karvon.having(KARVON_WAREHOUSE_LOCK_SECONDS="1", KARVON_RUN_LOCK_SECONDS="1")
        _fails(impatient("run"), f"in use by process {holder.pid}", "Wait for it or stop it")
        for command in ("status", "history", "errors", "counts"):
            seen = impatient(command)
            assert seen.status == 0, seen.output
            assert "As of " in seen.output
        # A run waits for as long as somebody looks, says for whom, and then does its work.
        waiting = karvon.having(KARVON_WAREHOUSE_LOCK_SECONDS="1").start("run")
        said = karvon.home / "started.log"
        until(lambda: f"in use by process {holder.pid}" in said.read_text(), seconds=200)
        holder.communicate(b"\n")
        assert waiting.wait(240) == 0, said.read_text()


@contextmanager
def _edited(karvon: Karvon, folder: Path, was: str, becomes: str) -> Iterator[Karvon]:
    """The installation with one edit in the YAML of the activation models, in a tree of its own."""
    tree = shutil.copytree(karvon.project, folder / "edited", dirs_exist_ok=True)
    file = tree / "dbt_project" / "models" / "activation" / "webflow" / "_webflow__models.yml"
    text = file.read_text()
    assert was in text
    file.write_text(text.replace(was, becomes))
    yield replace(karvon, project=tree)


@pytest.mark.slow
def test_a_model_that_breaks_its_contract(karvon: Karvon, tmp_path: Path) -> None:
    karvon.sandbox.next_day()
    was, becomes = "name: price_minor, data_type: bigint", "name: price_minor, data_type: text"
    with _edited(karvon, tmp_path, was, becomes) as edited:
        _fails(edited("run"), "webflow__skus", "enforced contract that failed", "price_minor", "mismatch")
    assert karvon.sandbox.writes() == []
    _recovers(karvon)


@pytest.mark.slow
def test_a_mapping_that_is_spelled_wrong(karvon: Karvon, tmp_path: Path) -> None:
    with _edited(karvon, tmp_path, "as: money, currency", "as: mony, currency") as edited:
        _fails(edited("run"), "model webflow__skus", "Input should be", "'money'")
    assert karvon.sandbox.writes() == []
    _recovers(karvon)


@pytest.mark.slow
def test_a_mapping_to_a_field_that_the_shop_does_not_have(karvon: Karvon, tmp_path: Path) -> None:
    with _edited(karvon, tmp_path, "meta: {field: brand}", "meta: {field: marke}") as edited:
        done = edited("run")
    assert done.status in (1, 3), done.output
    assert "marke" in done.output
    assert karvon.sandbox.writes() == []
    _recovers(karvon)


@pytest.mark.slow
@pytest.mark.parametrize("spare", [300_000, 1_500_000], ids=["while loading", "while building"])
def test_a_disk_that_is_full(karvon: Karvon, tmp_path: Path, spare: int) -> None:
    """The warehouse lies on a file system of its own, in a mount namespace that ends with the run."""
    warehouse, disk = karvon.warehouse.path, tmp_path / "disk"
    disk.mkdir()
    karvon.sandbox.next_day(new_product=8, price=3)
    size = warehouse.stat().st_size + spare
    script = (
        f"mount -t tmpfs -o size={size} tmpfs {disk} && cp {warehouse} {disk} && {BIN / 'karvon'} run; "
        f"status=$?; cp {disk}/* {warehouse.parent}; exit $status"
    )
    small = karvon.having(KARVON_WAREHOUSE_URL=f"duckdb:///{disk / warehouse.name}")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", script],
        cwd=small.project, env=small.variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    _fails(Done(done.returncode, done.stdout + done.stderr), "No space left on device", warehouse.name)
    assert karvon.sandbox.writes() == []
    assert len(skus_of(karvon.sandbox.shop()))
    _recovers(karvon)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_live_plans_only_until_it_is_told_to_apply(karvon: Karvon) -> None:
    """The shop that the sandbox profile filled is one that somebody else made: it is matched by SKU."""
    before = karvon.sandbox.shop()
    changed = [change["sku"] for change in karvon.sandbox.next_day(price=2, new_product=1)]
    live = _live(karvon)
    planned = live("run")
    assert planned.status == 2, planned.output
    assert karvon.sandbox.writes() == []
    done = live("run", "--apply")
    assert done.status == 0, done.output
    assert changed_items(before, karvon.sandbox.shop()) == {sku: {"price"} for sku in changed[:2]}
    assert " 0 changes" in live("run", "--apply").line("plan and apply")
