"""Syncs against the live schema: what does not fit is told with model, file and field; bad values stay alone."""

from __future__ import annotations

import re

import pytest
from cms_bench import CmsBench

from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webflow.validation import validate


def told(bench: CmsBench, kind: str) -> list[str]:
    return [one.message for one in bench.settle().findings if one.kind == kind]


def things(bench: CmsBench, columns, **fields) -> None:
    bench.collection("things", **fields)
    bench.model("things", columns, collection="things")


@pytest.mark.parametrize(
    ("column", "fields", "words"),
    [
        (("text", {"field": "colour"}), {"color": "Color"}, "no such field.*things has color, name, slug"),
        (("text", {"field": "rank"}), {"rank": "Number"}, "holds text, but the field is Number.*cast it"),
        (("bigint", {"field": "open"}), {"open": "Switch"}, "holds a number, but the field is Switch"),
        (("text", {"field": "rank", "as": "html"}), {"rank": "PlainText"}, "is PlainText; write `as: text`"),
        (("text", {"field": "ref"}), {"ref": ("Reference", ">posts")}, "say whose keys the column holds"),
        (("text", {"field": "ref", "sync": "things"}), {"ref": ("Reference", ">posts")}, "refers to posts, but"),
    ],
)  # fmt: skip
def test_a_field_that_does_not_fit_stops_its_sync_with_a_reason(cms: CmsBench, column, fields, words) -> None:
    things(cms, {"value": column}, **fields)
    cms.collection("others")
    cms.model("others", {}, collection="others")
    cms.row("things", "a")
    cms.row("others", "b")
    result = cms.run()
    assert result.failed == 0
    assert (cms.items("things"), set(cms.items("others"))) == ({}, {"s-b"})
    [message] = told(cms, "schema")
    assert message.startswith(
        f"models/activation/webflow/_things.yml, model things, field {column[1]['field']}: column value: "
    )
    assert re.search(words, message), message


def test_a_collection_that_is_not_there_is_named_with_those_that_are(cms: CmsBench) -> None:
    cms.model("things", {}, collection="thigns")
    cms.collection("things")
    [message] = told(cms, "schema")
    assert "no collection thigns; it has brands" in message
    cms.model("things", {})
    assert "`collection: <slug>`" in told(cms, "schema")[0]


def test_required_fields_must_be_fed_by_a_sync_that_creates(cms: CmsBench) -> None:
    body = {
        "account": cms.account,
        "slug": "things",
        "fields": {"code": {"type": "PlainText", "isRequired": True}},
    }
    cms.control.post("/webflow/collection", json=body).raise_for_status()
    cms.model("things", {}, collection="things")
    assert "field code: things requires this field, and no column feeds it" in told(cms, "schema")[0]
    cms.model("things", {}, collection="things", mode="update_only")
    assert told(cms, "schema") == []


@pytest.mark.parametrize(
    ("kind", "field", "value", "words"),
    [
        ("text", ("PlainText", {"maxLength": 5}), "too long", "8 characters long, Webflow takes 5"),
        ("text", ("PlainText", {"singleLine": True}), "a\nb", "several lines"),
        ("text", ("Option", ["S", "M"]), "XL", "'XL' is not offered; the options are S, M"),
        ("bigint", ("Number", {"allowNegative": False}), -1, "-1 is negative"),
        ("double precision", ("Number", {"format": "integer"}), 1.5, "1.5 is no whole number"),
        ("text", ("Email", None), "nobody", "no email address"),
        ("text", ("Link", None), "ftp:x", "no address"),
        ("text", ("Color", None), "#12", "no colour"),
        ("text", ("DateTime", None), "tomorrow", "ISO 8601"),
        ("text", ("Image", None), "C:\\x.png", "fetch a file from"),
        ("text", ("MultiImage", None), "not json", "JSON array"),
    ],
)
def test_a_value_the_field_would_refuse_rejects_its_row_alone(
    cms: CmsBench, kind, field, value, words
) -> None:
    things(cms, {"value": (kind, {"field": "value"})}, value=field)
    cms.row("things", "bad", value=value)
    cms.row("things", "good")
    result = cms.run()
    assert (result.applied, result.failed) == (1, 0)
    assert set(cms.items("things")) == {"s-good"}
    [message] = told(cms, "reject")
    assert words in message
    assert "value" in message


def test_a_field_that_changed_its_type_compares_its_rows_anew(cms: CmsBench) -> None:
    things(cms, {"value": ("text", {"field": "value"})}, value="PlainText")
    cms.row("things", "a", value="<p>x</p>")
    cms.run()
    change = {"account": cms.account, "collection": "things", "add": "value", "type": "Number"}
    cms.control.post("/webflow/field", json=change).raise_for_status()
    assert "the field is Number" in told(cms, "schema")[0]


def test_a_disabled_sync_is_not_there(cms: CmsBench) -> None:
    things(cms, {})
    cms.models["things"][0].update(enabled=False, profiles={"live": {"enabled": True}})
    assert cms.syncs == ()


def test_validation_reads_values_as_a_plan_does(cms: CmsBench) -> None:
    """Options by the names that the view holds, and of rows that go to several collections each in its own."""
    cms.collection("tales", kind=("Option", ["Short", "Long"]), note=("PlainText", {"maxLength": 40}))
    cms.collection("poems", kind=("Option", ["Haiku", "Sonnet"]), note=("PlainText", {"maxLength": 5}))
    cms.model(
        "texts", {"place": ("text", {}), "kind": ("text", {"field": "kind"}), "note": ("text", {"field": "note"})},
        collection={"column": "place", "among": ["tales", "poems"]},
    )  # fmt: skip
    cms.model("tales_only", {"kind": ("text", {"field": "kind"})}, collection="tales")
    cms.row("texts", "t1", place="tales", kind="Long", note="Twenty letters, fine")
    cms.row("texts", "p1", place="poems", kind="Haiku", note="Five")
    cms.row("tales_only", "t2", kind="Short")
    cms.mirror()
    cms.build()
    with cms.warehouse.session() as session:
        assert validate(session, cms.syncs, DESTINATIONS, cms.folder) == []
    cms.row("texts", "p2", place="poems", kind="Long", note="Far too long")
    cms.row("tales_only", "t3", kind="Epic")
    cms.build()
    with cms.warehouse.session() as session:
        told = {
            (one.model, one.field, one.what.split(":")[0])
            for one in validate(session, cms.syncs, DESTINATIONS, cms.folder)
        }
    assert told == {
        ("texts", "kind", "1 row (first p2)"), ("texts", "note", "1 row (first p2)"),
        ("tales_only", "kind", "1 row (first t3)"),
    }  # fmt: skip
