"""Reading syncs from dbt's manifest, guards from YAML words, and the tables' versions."""

from __future__ import annotations

import json

import pytest
from activation_models import manifest_of

from reverse_etl.spec.manifest import SyncError, read_syncs
from reverse_etl.spec.syncs import Share
from reverse_etl.state.schema import LATEST, TooNew, migrate, version


def read(tmp_path, manifest, profile="sandbox"):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest))
    return read_syncs(path, profile)


def node(manifest, name):
    return manifest["nodes"][f"model.karvon.{name}"]


def test_syncs_come_in_the_order_of_their_references(tmp_path) -> None:
    manifest = manifest_of()
    manifest["nodes"] = dict(reversed(manifest["nodes"].items()))
    syncs = read(tmp_path, manifest)
    assert [sync.name for sync in syncs] == ["webflow__categories", "webflow__products", "webflow__skus"]
    assert syncs[0].sources == ("raw_plytix.products",)
    assert syncs[2].relation == '"activation"."webflow__skus"'


def test_a_profile_overrides_mode_and_single_guards(tmp_path) -> None:
    manifest = manifest_of(
        {
            "webflow__skus": {
                "mode": "update_only",
                "guards": {"max_creates": 100, "max_removals": "10%"},
                "profiles": {"sandbox": {"mode": "upsert", "guards": {"max_creates": None}}},
            }
        }
    )
    sandbox, live = read(tmp_path, manifest)[-1], read(tmp_path, manifest, "live")[-1]
    assert (sandbox.mode, sandbox.guards.max_creates) == ("upsert", None)
    assert (live.mode, live.guards.max_creates) == ("update_only", 100)
    assert sandbox.guards.max_removals == live.guards.max_removals == Share(percent=10)


def test_kinds_of_fields_follow_the_data_type(tmp_path) -> None:
    manifest = manifest_of()
    columns = node(manifest, "webflow__products")["columns"]
    columns["size"] = {"name": "size", "data_type": "numeric(18, 4)", "config": {"meta": {"field": "size"}}}
    kinds = {field.field: field.as_ for field in read(tmp_path, manifest)[1].fields}
    assert (kinds["size"], kinds["shippable"], kinds["name"]) == ("number", "bool", "text")


def test_on_removal_unsaid_keeps_unless_the_sync_is_a_mirror(tmp_path) -> None:
    manifest = manifest_of()
    del node(manifest, "webflow__products")["config"]["meta"]["sync"]["on_removal"]
    assert read(tmp_path, manifest)[1].removal == "keep"
    node(manifest, "webflow__products")["config"]["meta"]["sync"]["mode"] = "mirror"
    assert read(tmp_path, manifest)[1].removal == "archive"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ({"mode": "everything"}, "mode: Input should be 'update_only', 'upsert', 'mirror' or 'once'"),
        ({"moed": "upsert"}, "moed: unknown key; remove it or check its spelling"),
        ({"guards": {"max_creates": "lots"}}, "guards.max_creates"),
        ({"guards": {"max_creates": "200%"}}, "less than or equal to 100"),
        ({"key": "nothing"}, "column nothing is used by the sync but is not in the model's `columns:`"),
        ({"mode": "mirror", "on_removal": "keep"}, "contradicts"),
    ],
)
def test_a_wrong_sync_names_model_file_key_and_the_way_out(tmp_path, override, words) -> None:
    with pytest.raises(SyncError) as caught:
        read(tmp_path, manifest_of({"webflow__products": override}))
    text = str(caught.value)
    assert words in text
    assert "models/activation/webflow/_webflow.yml" in text
    assert "webflow__products" in text


def test_a_reference_to_no_sync_is_named(tmp_path) -> None:
    parent = {"sync": "webflow__brands", "column": "product_key"}
    with pytest.raises(
        SyncError, match="refers to the sync webflow__brands, which does not exist; known are"
    ):
        read(tmp_path, manifest_of({"webflow__skus": {"parent": parent}}))


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"field": "price", "as": "money"}, "`as: money` needs `currency:"),
        ({"field": "brand", "polcy": "keep"}, "polcy"),
        ({"field": "name"}, "fed by more than one column"),
        ({"field": "brand", "as": "references"}, "needs `sync:"),
    ],
)
def test_a_wrong_column_is_named(tmp_path, meta, words) -> None:
    manifest = manifest_of()
    node(manifest, "webflow__products")["columns"]["brand"]["config"]["meta"] = meta
    with pytest.raises(SyncError, match="webflow__products") as caught:
        read(tmp_path, manifest)
    assert words in str(caught.value)


def test_all_problems_are_told_at_once(tmp_path) -> None:
    with pytest.raises(SyncError) as caught:
        read(tmp_path, manifest_of({"webflow__products": {"mode": "x"}, "webflow__skus": {"mode": "y"}}))
    assert len([one for one in caught.value.problems if "mode" in one]) == 2


def test_a_circle_of_references_is_an_error(tmp_path) -> None:
    manifest = manifest_of()
    meta = {"field": "products", "as": "references", "sync": "webflow__products"}
    node(manifest, "webflow__categories")["columns"]["name"]["config"]["meta"] = meta
    with pytest.raises(SyncError, match="refers in a circle"):
        read(tmp_path, manifest)


def test_a_missing_manifest_says_what_to_run(tmp_path) -> None:
    with pytest.raises(SyncError, match="karvon"):
        read_syncs(tmp_path / "manifest.json", "sandbox")


def test_tables_of_an_older_version_move_forward_and_keep_their_rows(warehouse) -> None:
    with warehouse.session() as session:
        assert migrate(warehouse, session, upto=1) == 0
        session.execute(
            "INSERT INTO reverse_etl.ledger VALUES ('webflow_store', 'default', 's', 'k', 'r', NULL, '{}', '', '{}', "
            "'{}', '', '', NULL, false, NULL, NULL, NULL, now(), 'p')"
        )
        assert not session.has_table("reverse_etl.leases")
        assert migrate(warehouse, session) == 1
        assert (version(session), session.has_table("reverse_etl.leases")) == (LATEST, True)
        assert session.value("SELECT count(*) FROM reverse_etl.ledger") == 1
        assert migrate(warehouse, session) == LATEST


def test_tables_of_a_later_version_are_refused(warehouse) -> None:
    with warehouse.session() as session:
        migrate(warehouse, session)
        session.execute("INSERT INTO reverse_etl.meta VALUES (99, now())")
        with pytest.raises(TooNew, match="upgrade Karvon"):
            migrate(warehouse, session)
