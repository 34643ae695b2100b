"""How dbt is called: one process per run, for the models that need it, its results read as JSON events.

What needs building is kept in the warehouse (orchestration/built_models.py), so that a killed or failed build is
taken up by the next run. A model is stale when its fingerprint differs from the project's (its SQL,
configuration, tests or a macro changed), when its table is missing, or when a raw table it reads has loads that it has
not taken in; everything downstream of a stale model is stale too.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karvon.settings import PROJECT_ROOT, Settings, child_environment
from karvon.turns import building, whole_file
from karvon.warehouse import Session, Warehouse
from karvon.written_yaml import UnreadableYaml, parse, read_text
from orchestration import built_models
from orchestration.build_outcome import NO_EVENT, BuildOutcome
from orchestration.dbt_process import running
from reverse_etl.state.schema import migrate

PROJECT = PROJECT_ROOT / "dbt_project"
Manifest = Mapping[str, Any]
_PARTS = ("metadata", "nodes", "sources", "macros", "parent_map", "child_map")
_YAML = (".yml", ".yaml")
_PARTIAL = "partial_parse.msgpack"


class DbtError(Exception):
    """dbt refused the project or a model failed; the message is dbt's own."""


def dbt_arguments(*arguments: str) -> list[str]:
    """A command line of dbt, on this project."""
    return [*arguments, "--project-dir", str(PROJECT)]


def dbt_command(*arguments: str) -> list[str]:
    """The same for a process that is nobody's child."""
    return [str(Path(sys.executable).with_name("dbt")), *dbt_arguments(*arguments)]


def read_manifest(settings: Settings, warehouse: Warehouse) -> Manifest:
    """The project's manifest, parsed anew when a file of the project or the engine changed, or it cannot be read."""
    path, mark = settings.manifest_path, settings.dbt_target_path / "project.md5"
    project = _project_hash().encode()
    try:
        if mark.is_file() and mark.read_bytes() == project:
            manifest = _read(path)
            if manifest is not None and manifest["metadata"].get("adapter_type") == warehouse.dialect:
                return manifest
        _parse(settings)
        mark.write_bytes(project)
    except OSError as error:
        raise DbtError(
            f"dbt cannot work in {settings.dbt_target_path}: {error.strerror}"
            f"{f' ({error.filename})' if error.filename else ''}. KARVON_HOME must be a folder that can be written to."
        ) from None
    manifest = _read(path)
    if manifest is None:
        raise DbtError(f"dbt wrote no manifest that can be read to {path}: try `karvon dbt --version`.")
    return manifest


def _read(path: Path) -> Manifest | None:
    """A manifest that is whole: a kill or a full disk can leave anything there."""
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    is_whole = isinstance(manifest, dict) and all(isinstance(manifest.get(part), dict) for part in _PARTS)
    return manifest if is_whole else None


def _parse(settings: Settings) -> None:
    """Parse in a folder of its own: what others read is complete at every moment."""
    check_written()
    target = settings.dbt_target_path
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".parse_", dir=target) as folder:
        work = Path(folder)
        if (target / _PARTIAL).is_file():
            shutil.copy(target / _PARTIAL, work)
        said = _parsed_in(work, settings)
        if said and (work / _PARTIAL).is_file():
            # What dbt remembered of earlier times may be what is wrong.
            (work / _PARTIAL).unlink()
            said = _parsed_in(work, settings)
        if said:
            raise DbtError(f"The dbt project does not parse:\n{said}")
        for written in ("manifest.json", _PARTIAL):
            if (work / written).is_file():
                (work / written).replace(target / written)


def _parsed_in(folder: Path, settings: Settings) -> str:
    """What dbt complains about; nothing if the project is right."""
    environment = {**child_environment(settings), "DBT_TARGET_PATH": str(folder)}
    with running(
        dbt_arguments("--quiet", "--no-use-colors", "parse"), environment, reads_output=True
    ) as process:
        said, _ = process.communicate()
    if not process.returncode:
        return ""
    return str(said).strip() or f"dbt ended with status {process.returncode}."


def check_written() -> None:
    """Raises `DbtError` naming the files over which dbt would hang, run out of memory or lose its words."""
    problems = []
    for path in _written():
        try:
            if path.suffix in _YAML:
                parse(read_text(path))
            elif not path.is_file():
                raise UnreadableYaml("is no file; put a file of text there, or name it otherwise")
        except UnreadableYaml as error:
            problems.append(f"{PROJECT.name}/{path.relative_to(PROJECT)}, line {error.line}: {error}")
    if problems:
        raise DbtError("\n".join(["The dbt project cannot be read:", *problems]))


def _written() -> list[Path]:
    """What people write in the project."""
    return sorted(
        path
        for path in PROJECT.rglob("*")
        if path.suffix in {".sql", ".py", ".csv", ".md", *_YAML} and "target" not in path.parts
    )


def _project_hash() -> str:
    """Of contents, not of times: a rollback brings older files back."""
    content = hashlib.md5(usedforsecurity=False)
    for path in _written():
        if path.is_file():
            content.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return content.hexdigest()


@dataclass(frozen=True)
class Stale:
    """What the next build must make: unique ids of models and seeds, and whether any of them changed itself."""

    models: tuple[str, ...]
    definitions_changed: bool
    changed: tuple[str, ...] = ()
    """Those that changed themselves, are missing, or whose last build failed."""


def stale_models(
    manifest: Manifest,
    warehouse: Warehouse,
    among: Collection[str] | None = None,
    *,
    read_by_others: Collection[str] = (),
) -> Stale:
    """What must be built, of all models or of those in `among`; and what was never built, and these or others read."""
    nodes = _buildable(manifest)
    with warehouse.session() as session:
        built_models.create_tables(warehouse, session)
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
        absent = {one for one, node in nodes.items() if (node["schema"], node["alias"]) not in present}
        unread = {
            unique_id for unique_id, node in nodes.items() if _has_new_loads(manifest, node, present, session)
        }
    chosen = set(nodes)
    if among is not None:
        wanted = set(among) | (set(read_by_others) & absent)
        chosen = wanted | _needed(manifest, wanted, absent)
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

    Unit tests prove SQL, not data: they run when a definition changed and not because rows did. What could not be
    built, and what reads it, is written down with the reason (`built_models.problems`); everything else is built.
    Raises `DbtError` after the last event when that was so, or dbt did not come so far.
    """
    with building(warehouse, "a build of the models") as turn:
        with warehouse.session() as session:
            # The views about runs read these tables, and nothing has run yet on a fresh warehouse.
            migrate(warehouse, session)
        built_models.begin(warehouse, stale.models)
        outcome = BuildOutcome(manifest, stale.models)
        with (
            whole_file(warehouse, "a build of the models"),
            running(
                _build_arguments(manifest, stale), child_environment(settings), reads_output=True
            ) as process,
        ):
            for line in process.stdout or ():
                if outcome.take(event := _parse_event(line)):
                    turn.check()
                    yield event
            outcome.status = process.wait()
        fingerprints = _fingerprints(manifest, outcome.sound)
        built_models.finish(warehouse, manifest, fingerprints, outcome.problems)
    if outcome.status:
        raise DbtError(outcome.message)


def _build_arguments(manifest: Manifest, stale: Stale) -> list[str]:
    names = [manifest["nodes"][unique_id]["name"] for unique_id in stale.models]
    without_unit_tests = () if stale.definitions_changed else ("--exclude-resource-type", "unit_test")
    # The manifest is there already, results come as events: writing both as files takes dbt a second.
    return dbt_arguments(
        "--log-format", "json", "--no-use-colors", "--no-write-json", "--log-level-file", "info",
        "build", *without_unit_tests, "--select", *names,
    )  # fmt: skip


def _parse_event(line: str) -> dict[str, Any]:
    try:
        return dict(json.loads(line))
    except ValueError:
        return {"info": {"name": NO_EVENT, "level": "error", "msg": line.strip()}, "data": {}}


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


def _needed(manifest: Manifest, models: Iterable[str], absent: Collection[str]) -> set[str]:
    """What is absent and would be read by the models, or by something else that is absent and needed."""
    found: set[str] = set()
    waiting = list(models)
    while waiting:
        new = (set(manifest["parent_map"].get(waiting.pop(), ())) & set(absent)) - found
        found |= new
        waiting += new
    return found


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
