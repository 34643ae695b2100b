"""Pictures and files as they are: sent, held with the reason, or made smaller and put into the library."""

from __future__ import annotations

import http.server
import io
import os
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from shop_bench import Bench

from karvon.addresses import Exceptions
from reverse_etl.applying.apply import apply_plan
from reverse_etl.applying.result import ApplyResult
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.destinations.webflow.library import Unsendable, shrunk
from reverse_etl.planning.images import FileFacts, judge
from reverse_etl.spec.syncs import ImageSettings
from reverse_etl.state.stored_plans import Plan

MB = 1024 * 1024
NEEDED = {"resize": True, "upload": "when_needed", "files": "files", "max_bytes": 100_000}


def _noise(width: int, height: int, kind: str = "PNG", mode: str = "RGB") -> bytes:
    picture = Image.frombytes(mode, (width, height), os.urandom(width * height * len(mode)))
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


class Pictures:
    """A server of files on loopback that counts what was fetched."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.fetched: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.fetched.append(self.path)
                content = outer.files.get(self.path)
                self.send_response(404 if content is None else 200)
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def put(self, name: str, content: bytes) -> str:
        self.files[f"/{name}"] = content
        return f"http://127.0.0.1:{self.server.server_address[1]}/{name}"


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    made = Pictures()
    yield made
    made.server.shutdown()


def _world(
    bench: Bench, images: dict[str, Any], facts: dict[str, tuple[str | None, int | None, bool | None]]
) -> None:
    bench.overrides["webflow__skus"] = {
        "images": {name: value for name, value in images.items() if name != "files"}
    }
    rows = [
        {"url": url, "content_type": kind, "file_size_bytes": size, "is_public": public}
        for url, (kind, size, public) in facts.items()
    ]
    with bench.warehouse.session() as session:
        session.execute("CREATE SCHEMA IF NOT EXISTS staging")
        session.execute("DROP TABLE IF EXISTS staging.files")
        session.execute(
            "CREATE TABLE staging.files (url text, content_type text, file_size_bytes bigint, is_public boolean)"
        )
        if rows:
            session.append("staging.files", pa.Table.from_pylist(rows))
    if "files" in images:
        bench.overrides["webflow__skus"]["images"]["files"] = "webflow__files"


def _syncs(bench: Bench) -> Any:
    """The bench's syncs with the table of files, which dbt's manifest would resolve."""
    chosen = dict(bench.overrides.get("webflow__skus", {}).get("images", {}))
    named = chosen.pop("files", None)
    bench.overrides["webflow__skus"] = {"images": chosen}
    table = {"files": "staging.files"} if named else {}
    return [
        sync.model_copy(update={"images": sync.images.model_copy(update=table)})
        if sync.resource == "skus"
        else sync
        for sync in bench.syncs
    ]


def _plan(bench: Bench) -> Plan:
    from reverse_etl.planning.plan import make_plan

    bench.build()
    return make_plan(bench.warehouse, _syncs(bench), DESTINATIONS)


def _apply(bench: Bench, plan: Plan, exceptions: Exceptions = Exceptions(loopback=True)) -> ApplyResult:  # noqa: B008
    channels = {
        ("webflow_store", "default"): lambda syncs: StoreChannel(
            bench.connection, syncs, exceptions=exceptions
        )
    }
    bench._mark = bench._last_seq()
    return apply_plan(bench.warehouse, plan.plan_id, _syncs(bench), DESTINATIONS, channels)


@pytest.mark.parametrize(
    ("kind", "facts", "settings", "verdict"),
    [
        ("image", FileFacts("image/png", 2 * MB, True), {}, None),
        ("image", None, {}, None),
        ("image", FileFacts("image/png", 5 * MB, True), {}, "has 5.2 MB, the shop takes 4.2"),
        (
            "image",
            FileFacts("image/gif", 5 * MB, True),
            {"resize": True, "upload": "when_needed"},
            "cannot be made",
        ),
        ("image", FileFacts("application/pdf", 9, True), {}, "no picture; send it to a File field"),
        ("images", FileFacts("image/tiff", 9, True), {}, "does not take"),
        ("file", FileFacts("application/pdf", 9 * MB, True), {}, None),
        ("image", FileFacts("image/png", 9, False), {}, "is not public"),
    ],
)
def test_what_is_known_of_a_file_decides_before_anything_is_fetched(
    kind: str, facts: FileFacts | None, settings: dict[str, Any], verdict: str | None
) -> None:
    said = judge(kind, ImageSettings(**settings), facts)
    assert said is None if verdict is None else isinstance(said, str) and verdict in said


@pytest.mark.parametrize(
    ("kind", "facts", "upload"),
    [
        ("image", FileFacts("image/png", 5 * MB, True), False),
        ("image", FileFacts("image/tiff", 9, True), False),
        ("image", FileFacts("image/png", 9, False), True),
        ("file", FileFacts("application/pdf", 9, False), True),
        ("image", None, False),
    ],
)
def test_what_needs_work_is_marked_with_what_is_allowed(
    kind: str, facts: FileFacts | None, upload: bool
) -> None:
    mark = judge(kind, ImageSettings(resize=True, upload="when_needed"), facts)
    assert mark == {"kind": kind, "shrink": True, "upload": upload, "max_bytes": 4 * MB}


def test_a_picture_that_is_known_to_fit_is_sent_without_a_look_at_it(
    bench: Bench, pictures: Pictures
) -> None:
    url = pictures.put("kettle.png", _noise(20, 20))
    bench.product("p1")
    bench.change("skus", "p1", main_image_url=f"{url}#v1", more_image_urls="[]")
    _world(bench, NEEDED, {url: ("image/png", 1200, True)})
    assert _apply(bench, _plan(bench)).failed == 0
    assert pictures.fetched == []
    assert bench.bodies("POST", "/products")[0]["sku"]["fieldData"]["main-image"]["url"] == url


def test_a_picture_that_is_too_big_is_made_smaller_uploaded_and_never_again(
    bench: Bench, pictures: Pictures
) -> None:
    url = pictures.put("Big kettle.png", _noise(400, 400)).replace(" ", "%20")
    pictures.files["/Big%20kettle.png"] = pictures.files["/Big kettle.png"]
    bench.product("p1")
    bench.change("skus", "p1", main_image_url=f"{url}#v1", more_image_urls="[]")
    _world(bench, NEEDED, {url: ("image/png", 480_000, True)})
    plan = _plan(bench)
    assert plan.request_count == 2
    result = _apply(bench, plan)
    assert (result.failed, result.deferred) == (0, 0)
    assert bench.requests("POST") == [
        f"POST /sites/{bench.site_id}/assets",
        f"POST /sites/{bench.site_id}/products",
    ]
    hosted = bench.bodies("POST", "/products")[0]["sku"]["fieldData"]["main-image"]["url"]
    assert hosted.endswith("Big-kettle.jpg")
    content = bench.api.get(hosted, headers={"Authorization": ""}).content
    with Image.open(io.BytesIO(content)) as small:
        assert (small.format, len(content) <= 100_000, small.width) == ("JPEG", True, small.height)
    bench.mirror()
    assert _plan(bench).operations == ()
    assert pictures.fetched == ["/Big%20kettle.png"]


def test_a_size_that_nobody_knows_is_looked_at_and_a_fitting_file_goes_from_where_it_is(
    bench: Bench, pictures: Pictures
) -> None:
    url = pictures.put("small.png", _noise(20, 20))
    bench.product("p1")
    bench.change("skus", "p1", main_image_url=url, more_image_urls="[]")
    _world(bench, NEEDED, {})
    assert _apply(bench, _plan(bench)).failed == 0
    assert pictures.fetched == ["/small.png"]
    assert bench.bodies("POST", "/products")[0]["sku"]["fieldData"]["main-image"]["url"] == url


def test_a_private_picture_is_uploaded_as_it_is(bench: Bench, pictures: Pictures) -> None:
    content = _noise(20, 20)
    url = pictures.put("secret.png", content)
    bench.product("p1")
    bench.change("skus", "p1", main_image_url=url, more_image_urls="[]")
    _world(bench, NEEDED, {url: ("image/png", len(content), False)})
    assert _apply(bench, _plan(bench)).failed == 0
    hosted = bench.bodies("POST", "/products")[0]["sku"]["fieldData"]["main-image"]["url"]
    assert bench.api.get(hosted, headers={"Authorization": ""}).content == content


def test_without_the_setting_a_row_with_a_big_picture_is_held_alone_with_the_reason(bench: Bench) -> None:
    big = "https://img.example/big.png"
    bench.product("p1", ("S", "M"))
    bench.product("p2")
    bench.change("skus", "p1-M", main_image_url=big)
    _world(bench, {"files": "files"}, {big: ("image/png", 9 * MB, True)})
    plan = _plan(bench)
    (held,) = [one for one in plan.findings if one.kind == "not_ready"]
    assert (held.key, held.field) == ("p1-M", "main-image")
    assert "has 9.4 MB, the shop takes 4.2" in held.message
    assert {one.key for one in plan.operations} == {"p1", "p2", "p1-S"}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.png", None, "cannot be fetched"),
        ("noise.tiff", b"<html>please sign in</html>" * 9000, "no picture that can be read"),
    ],
)
def test_a_file_that_cannot_be_had_or_read_holds_its_row(
    bench: Bench, pictures: Pictures, name: str, content: bytes | None, words: str
) -> None:
    url = pictures.put(name, content or b"")
    if content is None:
        pictures.files.clear()
    bench.product("p1")
    bench.change("skus", "p1", main_image_url=url, more_image_urls="[]")
    _world(bench, NEEDED, {url: ("image/tiff", 200_000, True)})
    result = _apply(bench, _plan(bench))
    assert (result.deferred, result.failed) == (2, 0)
    assert words in result.errors[0]
    assert bench.requests("POST") == []


def test_an_address_inside_is_not_fetched_whatever_the_catalogue_says(
    bench: Bench, pictures: Pictures
) -> None:
    url = pictures.put("metadata.png", _noise(20, 20))
    bench.product("p1")
    bench.change("skus", "p1", main_image_url=url, more_image_urls="[]")
    _world(bench, NEEDED, {url: ("image/png", 10, False)})
    result = _apply(bench, _plan(bench), Exceptions())
    assert "not on the public internet" in result.errors[0]
    assert pictures.fetched == []


def test_a_token_without_the_scope_for_assets_holds_only_what_needs_it(
    bench: Bench, pictures: Pictures
) -> None:
    url = pictures.put("secret.png", _noise(20, 20))
    bench.switch(scopes="no_assets")
    bench.product("p1")
    bench.product("p2")
    bench.change("skus", "p1", main_image_url=url, more_image_urls="[]")
    bench.change("skus", "p2", main_image_url="https://img.example/a.png", more_image_urls="[]")
    _world(
        bench, NEEDED, {url: ("image/png", 10, False), "https://img.example/a.png": ("image/png", 10, True)}
    )
    result = _apply(bench, _plan(bench))
    assert "assets:write" in result.errors[0]
    assert (result.deferred, result.applied) == (2, 2)
    assert set(bench.shop()["products"]) == {"p-p2"}


def test_a_transparent_picture_stays_transparent_and_an_animation_is_not_stilled() -> None:
    small = shrunk(_noise(300, 300, mode="RGBA"), "logo.png", 60_000)
    with Image.open(io.BytesIO(small.content)) as picture:
        assert (picture.format, "A" in picture.getbands(), small.name) == ("WEBP", True, "logo.webp")
    frames = [Image.frombytes("RGB", (40, 40), os.urandom(4800)) for _ in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(Unsendable, match="animated"):
        shrunk(buffer.getvalue(), "dance.gif", 100)


def test_settings_that_contradict_each_other_are_told() -> None:
    with pytest.raises(ValueError, match="needs `upload: when_needed`"):
        ImageSettings(resize=True)
