"""The promise for collections: apply until done, and the next plan is empty. For random models, locales, edits there,
publication and faults; what others own is not touched, and no more is asked of the site than the plan states.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from cms_bench import CmsBench
from hypothesis import strategies as st
from in_process import InMemory, InProcess, any_of

from karvon.warehouse import Warehouse

KEYS, MAKERS = ("n1", "n2", "n3", "n4"), ("m1", "m2")
FAULTS = (
    None,
    ("drop_after_processing", {}),
    ("drop_connection", {}),
    ("cut_answer", {}),
    ("html", {"status": 502}),
    ("status", {"status": 409}),
    ("status", {"status": 429, "retry_after": 0}),
    ("status", {"status": 401}),
)
LOOKUPS = 12
"""Most requests that one fault adds: splitting calls, looking up what became of them, sending them again."""
names = itertools.count()

notes = st.fixed_dictionaries(
    {
        "name": st.sampled_from(("Tea", "Чай «Чёрный»", "Tea | <b>")),
        "rank": st.sampled_from((None, 0, 1, 2.5)),
        "text": st.sampled_from((None, "<p>One</p>", "<p>Two<br>lines</p>")),
        "maker": st.sampled_from((None, *MAKERS)),
        "also": st.lists(st.sampled_from(KEYS), unique=True, max_size=2),
        "size": st.sampled_from((None, "Small", "Large")),
        "draft": st.booleans(),
        "fr": st.sampled_from((None, None, "<p>Un</p>", "<p>Deux</p>")),
    }
)
edits = st.sampled_from((None, "fields", "archive", "unpublish", "delete", "new item"))
rounds = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(KEYS), notes, min_size=1),
        edits,
        st.sampled_from(FAULTS),
        st.sampled_from(("GET", "POST", "PATCH", "DELETE")),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=3,
)
settings = st.fixed_dictionaries(
    {
        "publish": st.sampled_from(("staging", "live")),
        "on_removal": st.sampled_from(("archive", "unpublish", "delete")),
    }
)
COLUMNS = {
    "locale": ("text", {}), "rank": ("double precision", {"field": "rank"}), "text": ("text", {"field": "text"}),
    "maker": ("text", {"field": "maker", "sync": "makers"}), "also": ("text", {"field": "also", "sync": "notes"}),
    "size": ("text", {"field": "size"}), "draft": ("boolean", {"field": "isDraft"}),
}  # fmt: skip
PRIVATE = "By hand"


def declare(bench: CmsBench, chosen: dict[str, Any]) -> None:
    bench.locales("fr")
    bench.collection("makers")
    bench.collection(
        "notes", rank="Number", text="RichText", maker=("Reference", ">makers"), also=("MultiReference", ">notes"),
        size=("Option", ["Small", "Large"]), private="PlainText",
    )  # fmt: skip
    bench.model("makers", {}, collection="makers", publish=chosen["publish"])
    bench.model("notes", COLUMNS, collection="notes", locale="locale", **chosen)
    for key in MAKERS:
        bench.row("makers", key)


def put(bench: CmsBench, catalogue: dict[str, Any]) -> None:
    bench.tables["notes"].clear()
    for key, one in catalogue.items():
        shared = {**one, "also": json.dumps(one["also"])}
        bench.row("notes", key, **shared)
        if one["fr"] is not None:
            bench.row("notes", key, **{**shared, "locale": "fr", "text": one["fr"]})


def listed(bench: CmsBench, locale: str = "") -> dict[str, dict[str, Any]]:
    """Staged items by slug; two of one slug are an error."""
    query = f"?cmsLocaleId={locale}" if locale else ""
    items = bench._pages(f"/collections/{bench.collections['notes']}/items{query}")
    by_slug = {one["fieldData"]["slug"]: one for one in items}
    assert len(by_slug) == len(items), sorted(one["fieldData"]["slug"] for one in items)
    return by_slug


def live_slugs(bench: CmsBench) -> set[str]:
    items = bench._pages(f"/collections/{bench.collections['notes']}/items/live")
    return {one["fieldData"]["slug"] for one in items}


def disturb(bench: CmsBench, edit: str | None) -> None:
    """Somebody works in the site: on the first item of ours, or beside them."""
    path = f"/collections/{bench.collections['notes']}/items"
    if edit == "new item":
        data = {"name": PRIVATE, "slug": f"x-{next(names)}", "rank": 7}
        bench.api.post(path, json={"fieldData": data}).raise_for_status()
        return
    item = next((one for slug, one in listed(bench).items() if slug.startswith("s-")), None)
    if item is None or edit is None:
        return
    one = f"{path}/{item['id']}"
    if edit in ("delete", "unpublish"):
        # Deleted while it is live, an item would keep its slug until the site is published (dossier §6.1).
        bench.api.delete(f"{one}/live")
    if edit == "unpublish":
        return
    if edit == "delete":
        bench.api.delete(one).raise_for_status()
    else:
        body = {"isArchived": True} if edit == "archive" else {"fieldData": {"rank": 99, "private": PRIVATE}}
        bench.api.patch(one, json=body).raise_for_status()


def others(bench: CmsBench) -> dict[str, Any]:
    """What belongs to others: whole items, and a field of ours that no sync names."""
    items = listed(bench)
    strangers = {slug: one for slug, one in items.items() if not slug.startswith("s-")}
    return strangers | {
        one["id"]: one["fieldData"].get("private") for slug, one in items.items() if slug.startswith("s-")
    }


def run(bench: CmsBench, fault: dict[str, Any] | None = None) -> bool:
    """One run; whether there was nothing to do. It asks no more of the site than it stated."""
    bench.recover()
    bench.mirror()
    untouched = others(bench)
    plan = bench.plan()
    if fault:
        bench.fault(**fault)
    result = bench.apply(plan, override_guards=True)
    bench.control.delete("/faults")
    assert result.requests <= plan.request_count + (LOOKUPS if fault else 0), plan.to_markdown()
    after = others(bench)
    assert {name: after[name] for name in untouched if name in after} == {
        name: one for name, one in untouched.items() if name in after
    }
    assert {name for name in untouched if name.startswith("x-")} <= set(after)
    assert fault or not (result.failed or result.stopped), result.errors
    return plan.is_empty


def check(bench: CmsBench, catalogue: dict[str, Any], chosen: dict[str, Any]) -> None:
    items, seen = listed(bench), live_slugs(bench)
    makers = {
        one["fieldData"]["slug"]: one["id"]
        for one in bench._pages(f"/collections/{bench.collections['makers']}/items")
    }
    for key, one in catalogue.items():
        item = items[f"s-{key}"]
        data = item["fieldData"]
        assert data["name"] == one["name"]
        assert data.get("rank") == one["rank"]
        # The site rewrites HTML.
        assert (data.get("text") or "").replace(' id=""', "") == (one["text"] or "")
        assert data.get("maker") == makers.get(f"s-{one['maker']}")
        if set(one["also"]) <= set(catalogue):
            assert (data.get("also") or []) == [items[f"s-{other}"]["id"] for other in one["also"]]
        assert item["isDraft"] == one["draft"]
        if chosen["publish"] == "live" and not one["draft"] and not item["isArchived"]:
            assert f"s-{key}" in seen
    for slug in set(items) - {f"s-{key}" for key in catalogue}:
        if slug.startswith("s-"):
            assert chosen["on_removal"] != "delete"
            assert items[slug]["isArchived"] or chosen["on_removal"] != "archive"


def converge(bench: CmsBench, chosen: dict[str, Any], history: list[Any]) -> None:
    """Days of a site, each with a model, an edit and a fault; then as many runs as it takes."""
    declare(bench, chosen)
    for catalogue, edit, fault, method, after in history:
        put(bench, catalogue)
        disturb(bench, edit)
        struck = (
            {"kind": fault[0], "method": method, "path": "", "after": after, **fault[1]} if fault else None
        )
        run(bench, struck)
    assert any(run(bench) for _ in range(4)), bench.settle().to_markdown()
    check(bench, catalogue, chosen)


@pytest.fixture
def in_process(tmp_path: Any, shop_in_process: InProcess) -> Callable[[Warehouse], CmsBench]:
    """Makes benches whose site lives in this process."""
    return lambda warehouse: CmsBench(
        warehouse, "http://sandbox", tmp_path, f"anycms{next(names)}", shop_in_process
    )


def try_many(examples: int, start: int, in_process: Callable[[Warehouse], CmsBench]) -> None:
    @any_of(examples, start, chosen=settings, history=rounds)
    def any_history(chosen: dict[str, Any], history: list[Any]) -> None:
        warehouse = InMemory()
        bench = in_process(warehouse)
        try:
            converge(bench, chosen, history)
        finally:
            bench.close()
            warehouse.close()

    any_history()


def test_any_history_of_a_collection_converges_to_the_model(
    in_process: Callable[[Warehouse], CmsBench],
) -> None:
    try_many(10, 0, in_process)


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_hundreds_of_histories_of_a_collection_converge(in_process: Callable[[Warehouse], CmsBench]) -> None:
    try_many(400, 100, in_process)
