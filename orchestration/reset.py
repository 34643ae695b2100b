"""Forgetting: what `karvon reset` would delete, in words, and the deletion. Also who must not be disturbed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import dagster as dg

from karvon import turns
from karvon.settings import Settings
from karvon.warehouse import Warehouse, WarehouseError, WarehouseLocked
from orchestration.backup import duckdb_file, postgres_tables
from orchestration.instance import prepare_dagster_home, working_processes
from orchestration.sandbox_process import control


class AtWork(WarehouseError):
    """A run or an apply is under way; the message says whose and what to do."""


def refuse_while_working(settings: Settings, warehouse: Warehouse) -> None:
    """Raises `AtWork` when taking the warehouse away now would pull it from under a run or an apply."""
    if (settings.dagster_home / "dagster.yaml").is_file():
        prepare_dagster_home(settings)
        with dg.DagsterInstance.get() as instance:
            processes = working_processes(instance)
        if processes:
            raise AtWork(f"`karvon run` is at work (process {processes[0]}); wait for it, or stop it.")
    if warehouse.dialect == "duckdb" and not warehouse.path.exists():
        return
    try:
        lease = _live_lease(warehouse)
    except WarehouseLocked:
        raise
    except WarehouseError:
        # A damaged file holds no lease, and is a reason to be here.
        if warehouse.dialect == "postgres":
            raise
        return
    if lease:
        raise AtWork(f"{lease} Wait for it, or stop it; a killed one gives way at that time.")


@contextmanager
def alone(settings: Settings, warehouse: Warehouse, doing: str) -> Iterator[None]:
    """While nobody else writes, and none of the work that was asked for before goes on in between.

    Raises `AtWork`, and `WarehouseLocked` when the others took longer than this process may wait.
    """
    with turns.alone(warehouse, doing):
        # A run may have begun while a person was asked; between two of its steps it has no turn.
        refuse_while_working(settings, warehouse)
        yield


def _live_lease(warehouse: Warehouse) -> str | None:
    with warehouse.session() as session:
        if not session.has_table("reverse_etl.leases"):
            return None
        leases = session.rows("SELECT * FROM reverse_etl.leases WHERE expires_at > now() ORDER BY expires_at")
    return next(
        (
            f"An apply to {lease['destination']} ({lease['connection']}) is at work: {lease['holder']}, "
            f"until {lease['expires_at']:%H:%M:%S} UTC."
            for lease in leases
        ),
        None,
    )


def refuse_while_served(settings: Settings) -> None:
    """Raises `AtWork` when the sandbox that would be forgotten is being served: it would live on in memory."""
    try:
        served = control(settings, "GET", "/healthz")["state_dir"]
    except (URLError, OSError, ValueError, KeyError):
        return
    if Path(served).resolve() == settings.sandbox_state.resolve():
        raise AtWork("The sandbox is being served; stop `karvon dev` or `karvon sandbox serve` first.")


def warehouse_contents(warehouse: Warehouse) -> list[str]:
    """What the warehouse holds, one line per file or schema; empty when there is nothing."""
    if warehouse.dialect == "duckdb":
        return [_file_line(warehouse.path)] if warehouse.path.exists() else []
    server = urlsplit(warehouse.url)
    place = f"{server.hostname or 'localhost'}{server.path}"
    schemas = [
        f"schema {schema} of {place} with {count} tables"
        for schema, count in postgres_tables.karvon_schemas(warehouse).items()
    ]
    views = postgres_tables.outside_views(warehouse)
    return schemas + [f"view {view} of {place}, which reads Karvon's tables" for view in views]


def local_state(settings: Settings, *, sandbox: bool) -> Iterator[str]:
    """Everything else that a reset deletes."""
    if settings.dagster_storage_url is not None:
        storage = urlsplit(settings.dagster_storage_url.get_secret_value())
        yield f"Dagster's runs in the database {storage.hostname or 'localhost'}{storage.path}"
    for folder, what in _folders(settings, sandbox=sandbox):
        if folder.exists():
            yield f"{what}: {folder}"


def forget(settings: Settings, warehouse: Warehouse, *, sandbox: bool) -> None:
    """Delete it all. Raises `WarehouseError` before anything is gone when the warehouse cannot be taken away."""
    if warehouse.dialect == "duckdb":
        duckdb_file.remove(warehouse)
    else:
        postgres_tables.remove(warehouse)
    if settings.dagster_storage_url is not None:
        prepare_dagster_home(settings)
        with dg.DagsterInstance.get() as instance:
            instance.wipe()
    for folder, _ in _folders(settings, sandbox=sandbox):
        if folder.exists():
            _delete(folder)


def _folders(settings: Settings, *, sandbox: bool) -> Iterator[tuple[Path, str]]:
    yield settings.dagster_home, "Dagster's runs and logs"
    yield settings.dbt_target_path, "dbt's target"
    yield settings.published_path, "the copy for reading"
    if sandbox:
        yield settings.sandbox_state, "the sandbox's PIM and shop"


def _delete(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise WarehouseError(f"{folder} cannot be deleted whole: {error.strerror}.") from error


def _file_line(path: Path) -> str:
    return f"the warehouse file {path} ({path.stat().st_size / 1e6:.1f} MB)"
