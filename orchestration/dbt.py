"""How dbt is called: one process per run, for the models that need it, its results read as JSON events.

What needs building is kept in the warehouse, so that a killed or failed build is taken up by the next run:
`staging.built_models` holds the fingerprint each model was last built with, null while a build of it is under
way, and its rows if it is a table. A model is stale when its fingerprint differs from the project's (its SQL,
configuration, tests or a macro changed), when its table is missing, or when a raw table it reads has loads that it has
not taken in; everything downstream of a stale model is stale too.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from karvon.settings import PROJECT_ROOT, Settings, child_environment
from karvon.warehouse import Session, Warehouse
from reverse_etl.schema import migrate

PROJECT = PROJECT_ROOT / "dbt_project"
Manifest = Mapping[str, Any]
_RESULTS = frozenset({"LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult"})


class DbtError(Exception):
    """dbt refused the project or a model failed; the message is dbt's own."""


def dbt_command(*arguments: str) -> list[str]:
    """The command line of dbt in this Python."""
    dbt = Path(sys.executable).with_name("dbt")
    return [str(dbt), *arguments, "--project-dir", str(PROJECT)]


def read_manifest(settings: Settings, warehouse: Warehouse) -> Manifest:
    """The project's manifest, parsed anew when a file of the project or the engine changed."""
    path, mark = settings.manifest_path, settings.dbt_target_path / "project.md5"
    project = _project_hash()
    if path.is_file() and mark.is_file() and mark.read_text() == project:
        manifest: Manifest = json.loads(path.read_bytes())
        if manifest["metadata"]["adapter_type"] == warehouse.dialect:
            return manifest
    done = subprocess.run(  # noqa: S603
        dbt_command("parse"), env=child_environment(settings), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DbtError(f"The dbt project does not parse:\n{done.stdout.strip()}\n{done.stderr.strip()}")
    mark.write_text(project)
    return dict(json.loads(path.read_bytes()))


def _project_hash() -> str:
    """Of contents, not of times: a rollback brings older files back."""
    content = hashlib.md5(usedforsecurity=False)
    for path in sorted(PROJECT.rglob("*")):
        if path.suffix in {".sql", ".yml", ".csv", ".md"} and "target" not in path.parts:
            content.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return content.hexdigest()


@dataclass(frozen=True)
class Stale:
    """What the next build must make: unique ids of models and seeds, and whether any of them changed itself."""

    models: tuple[str, ...]
    definitions_changed: bool
    changed: tuple[str, ...] = ()
    """Those that changed themselves, are missing, or whose last build failed."""


def stale_models(manifest: Manifest, warehouse: Warehouse, among: Collection[str] | None = None) -> Stale:
    """What must be built, of all models or of those in `among`."""
    nodes = _buildable(manifest)
    with warehouse.session() as session:
        _create_state(session)
        built = {
            row["model"]: row["fingerprint"]
            for row in session.rows("SELECT model, fingerprint FROM staging.built_models")
        }
        present = {
            (row["table_schema"], row["table_name"])
            for row in session.rows("SELECT table_schema, table_name FROM information_schema.tables")
        }
        fingerprints = _fingerprints(manifest, nodes)
        changed = {
            unique_id
            for unique_id, node in nodes.items()
            if built.get(unique_id) != fingerprints[unique_id]
            or (node["schema"], node["alias"]) not in present
        }
        unread = {
            unique_id for unique_id, node in nodes.items() if _has_new_loads(manifest, node, present, session)
        }
    chosen = nodes.keys() if among is None else set(among)
    models = _with_descendants(manifest, changed | unread) & nodes.keys() & chosen
    return Stale(
        tuple(sorted(models)),
        definitions_changed=bool(changed & chosen),
        changed=tuple(sorted(changed & chosen)),
    )


def build(
    settings: Settings, warehouse: Warehouse, manifest: Manifest, stale: Stale
) -> Iterator[dict[str, Any]]:
    """Build the models and run their tests in one dbt process; gives dbt's result events as they come.

    Unit tests prove SQL, not data: they run when a definition changed and not because rows did.
    Raises `DbtError` after the last event when a model or an error-severity test failed.
    """
    models = stale.models
    with warehouse.session() as session:
        # The views about runs read these tables, and nothing has run yet on a fresh warehouse.
        migrate(warehouse, session)
    _mark_as_stale(warehouse, models)
    names = [manifest["nodes"][unique_id]["name"] for unique_id in models]
    without_unit_tests = () if stale.definitions_changed else ("--exclude-resource-type", "unit_test")
    # The manifest is there already, results come as events: writing both as files takes dbt a second.
    command = dbt_command(
        "--log-format", "json", "--no-use-colors", "--no-write-json", "--log-level-file", "info",
        "build", *without_unit_tests, "--select", *names,
    )  # fmt: skip
    results: dict[str, str] = {}
    failures: list[str] = []
    with subprocess.Popen(  # noqa: S603
        command, env=child_environment(settings), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            for line in process.stdout or ():
                event = _parse_event(line)
                if event["info"]["name"] in _RESULTS:
                    results[event["data"]["node_info"]["unique_id"]] = event["info"]["level"]
                    yield event
                elif event["info"]["level"] == "error":
                    failures.append(event["info"]["msg"])
        finally:
            # Does nothing to a dbt that has ended; one that has not must not go on without us.
            process.terminate()
        code = process.wait()
    _mark_as_built(warehouse, manifest, _sound(manifest, models, results))
    if code:
        raise DbtError("\n".join(failures) or f"dbt ended with status {code}.")


def _sound(manifest: Manifest, models: Iterable[str], results: Mapping[str, str]) -> list[str]:
    """Models that were built and that no failed test speaks against; the others stay stale."""
    doubted = {
        parent
        for test, level in results.items()
        if level == "error"
        for parent in manifest["parent_map"].get(test, ())
    }
    return [model for model in models if results.get(model, "error") != "error" and model not in doubted]


def _parse_event(line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:
        return {"info": {"name": "Text", "level": "error", "msg": line.strip()}, "data": {}}


def _buildable(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    return {
        unique_id: node
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] in {"model", "seed", "snapshot"} and node["config"].get("enabled", True)
    }


def _fingerprints(manifest: Manifest, models: Iterable[str]) -> dict[str, str]:
    """Of each model: changes when its SQL, configuration, columns, tests or any macro of the project changed."""
    project = manifest["metadata"]["project_name"]
    macros = sorted(
        macro["macro_sql"] for macro in manifest["macros"].values() if macro["package_name"] == project
    )
    every = _digest(macros)
    return {model: _digest([every, *_own_parts(manifest, model)]) for model in models}


def _own_parts(manifest: Manifest, unique_id: str) -> list[Any]:
    node = manifest["nodes"][unique_id]
    unit_tests = manifest.get("unit_tests", {})
    tests = [
        manifest["nodes"].get(child) or unit_tests[child]
        for child in manifest["child_map"].get(unique_id, ())
        if child.startswith(("test.", "unit_test."))
    ]
    return [
        node["checksum"],
        node["config"],
        {name: column.get("data_type") for name, column in node["columns"].items()},
        sorted(json.dumps([test["unique_id"], test.get("checksum"), test.get("config")]) for test in tests),
    ]


def _digest(parts: list[Any]) -> str:
    return hashlib.md5(json.dumps(parts, sort_keys=True).encode(), usedforsecurity=False).hexdigest()


def _has_new_loads(
    manifest: Manifest, node: Mapping[str, Any], present: set[tuple[str, str]], session: Session
) -> bool:
    """Whether a raw table that this model reads has loads it has not taken in."""
    return any(
        _unread(session, node["name"], f"{source['schema']}.{source['identifier']}")
        for source in (manifest["sources"].get(parent) for parent in node["depends_on"].get("nodes", ()))
        # Only raw tables come in loads; what a model reads of the restricted schema does not.
        if source is not None
        and source["schema"].startswith("raw_")
        and node["config"]["materialized"] == "incremental"
        and (source["schema"], source["identifier"]) in present
    )


def _unread(session: Session, model: str, raw: str) -> bool:
    """Loads that are not processed, and of those that may still grow (dlt is committing, or was killed) the grown."""
    taken_in = "SELECT load_id FROM staging.processed_loads WHERE model = $1"
    seen = "SELECT load_id, row_count FROM staging.pending_loads WHERE model = $1"
    processed = {row["load_id"] for row in session.rows(taken_in, (model,))}
    pending = {row["load_id"]: row["row_count"] for row in session.rows(seen, (model,))}
    return any(
        pending.get(load_id)
        != session.value(f"SELECT count(*) FROM {raw} WHERE _dlt_load_id = $1", (load_id,))
        for load_id in set(session.distinct(raw, "_dlt_load_id")) - processed
    )


def _with_descendants(manifest: Manifest, models: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(models)
    while waiting:
        unique_id = waiting.pop()
        if unique_id not in found:
            found.add(unique_id)
            waiting += [
                child for child in manifest["child_map"].get(unique_id, ()) if child in manifest["nodes"]
            ]
    return found


def in_build_order(manifest: Manifest, models: Collection[str]) -> list[str]:
    """The models, each after those it reads."""
    graph = {model: set(manifest["parent_map"].get(model, ())) for model in manifest["nodes"]}
    return [model for model in TopologicalSorter(graph).static_order() if model in models]


def _create_state(session: Session) -> None:
    session.execute("CREATE SCHEMA IF NOT EXISTS staging")
    session.execute("CREATE TABLE IF NOT EXISTS staging.processed_loads (model text, load_id text)")
    session.execute(
        "CREATE TABLE IF NOT EXISTS staging.pending_loads "
        "(model text, load_id text, is_settled boolean, row_count bigint)"
    )
    session.execute(
        "CREATE TABLE IF NOT EXISTS staging.built_models (model text, fingerprint text, row_count bigint)"
    )


def _mark_as_stale(warehouse: Warehouse, models: Iterable[str]) -> None:
    with warehouse.session() as session, session.transaction():
        for model in models:
            session.execute("DELETE FROM staging.built_models WHERE model = $1", (model,))
            session.execute("INSERT INTO staging.built_models VALUES ($1, NULL, NULL)", (model,))


def _mark_as_built(warehouse: Warehouse, manifest: Manifest, models: Iterable[str]) -> None:
    with warehouse.session() as session, session.transaction():
        for model, fingerprint in _fingerprints(manifest, models).items():
            node = manifest["nodes"][model]
            # To count the rows of a view is to compute it, over the whole history.
            is_view = node["config"]["materialized"] == "view"
            rows = "NULL" if is_view else f"(SELECT count(*) FROM {node['schema']}.{node['alias']})"
            session.execute(
                f"UPDATE staging.built_models SET fingerprint = $2, row_count = {rows} WHERE model = $1",
                (model, fingerprint),
            )


def row_counts(warehouse: Warehouse) -> dict[str, int]:
    """Rows of each table when it was last built; views are not counted."""
    with warehouse.session() as session:
        _create_state(session)
        counted = "SELECT model, row_count FROM staging.built_models WHERE row_count IS NOT NULL"
        return {row["model"]: row["row_count"] for row in session.rows(counted)}
