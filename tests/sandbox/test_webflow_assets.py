"""The asset library: announce, upload, host; and what the importer of images takes from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from webflow_shop import Shop, why

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "sandbox")
    yield made
    made.close()


def _announce(shop: Shop, content: bytes = PICTURE, name: str = "kettle.png") -> Any:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    answer = shop.post(f"{shop.site}/assets", {"fileName": name, "fileHash": digest})
    assert answer.status_code == 200, answer.text
    return answer.json()


def _upload(
    shop: Shop, asset: Any, content: bytes = PICTURE, headers: Any = None, **changed: str
) -> httpx.Response:
    form = {**asset["uploadDetails"], **changed}
    return shop.send("POST", asset["uploadUrl"], data=form, files={"file": content}, headers=headers)


def test_a_file_is_announced_uploaded_and_hosted_for_everybody(shop: Shop) -> None:
    asset = _announce(shop)
    assert asset["uploadDetails"]["key"].endswith(f"{asset['id']}_kettle.png")
    assert shop.send("GET", asset["hostedUrl"]).status_code == 403
    done = _upload(shop, asset)
    assert (done.status_code, done.headers["content-type"]) == (201, "application/xml")
    assert shop.send("GET", asset["hostedUrl"]).content == PICTURE
    shown = shop.get(f"/assets/{asset['id']}").json()
    assert (shown["contentType"], shown["originalFileName"]) == ("image/png", "kettle.png")
    assert "uploadDetails" not in shown
    listed = shop.get(f"{shop.site}/assets").json()
    assert [one["id"] for one in listed["assets"]] == [asset["id"]]
    assert listed["pagination"] == {"limit": 100, "offset": 0, "total": 1}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"fileName": "a.png"}, "fileHash"),
        ({"fileName": "a.png", "fileHash": "sha256"}, "fileHash"),
        ({"fileName": "n" * 96 + ".png", "fileHash": "0" * 32}, "fileName"),
        ({"fileName": "no-extension", "fileHash": "0" * 32}, "fileName"),
    ],
)
def test_a_wrong_announcement_is_refused_by_field(shop: Shop, body: Any, param: str) -> None:
    assert set(why(shop.post(f"{shop.site}/assets", body))) == {param}


def test_the_bucket_wants_its_own_fields_the_announced_file_and_no_token(shop: Shop) -> None:
    asset = _announce(shop)
    assert (
        "one auth mechanism" in _upload(shop, asset, headers={"Authorization": "Bearer sandbox-token"}).text
    )
    assert "BadDigest" in _upload(shop, asset, content=b"another file").text
    assert "AccessDenied" in _upload(shop, asset, Policy="forged").text
    assert "AccessDenied" in _upload(shop, asset, key="somebody/else.png").text
    without = shop.send("POST", asset["uploadUrl"], data=asset["uploadDetails"])
    assert without.status_code == 400
    assert _upload(shop, asset).status_code == 201


def test_the_same_file_is_the_same_asset_or_another_one_as_the_switch_says(shop: Shop) -> None:
    first = _announce(shop)
    assert _announce(shop)["id"] != first["id"], "a file that never came is not in the library"
    _upload(shop, first)
    assert _announce(shop)["id"] == first["id"]
    assert _upload(shop, _announce(shop)).status_code == 201
    shop.switch(asset_hash="new_asset")
    assert _announce(shop)["id"] != first["id"]


def test_without_the_scope_there_is_no_library(shop: Shop) -> None:
    shop.switch(scopes="no_assets")
    assert shop.post(f"{shop.site}/assets", {"fileName": "a.png", "fileHash": "0" * 32}).status_code == 403


def test_a_picture_is_imported_from_the_library_once_its_file_came_and_up_to_4_mb(shop: Shop) -> None:
    asset = _announce(shop)
    image = {"main-image": {"url": asset["hostedUrl"]}}
    assert "failed to import" in why(shop.create_product("one", sku=image))["main-image"]
    _upload(shop, asset)
    assert shop.create_product("one", sku=image).status_code == 200
    large = PICTURE + bytes(4 * 1024 * 1024)
    big = _announce(shop, large, "big.png")
    _upload(shop, big, large)
    refused = why(shop.create_product("two", sku={"main-image": {"url": big["hostedUrl"]}}))
    assert "larger than 4MB" in refused["main-image"]
