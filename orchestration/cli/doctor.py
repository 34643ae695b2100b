"""`karvon doctor`: is everything in place that a run needs? For people and, with --json, for monitors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import Any

import click

from karvon.addresses import ForbiddenAddress
from karvon.http import RemoteError
from karvon.settings import Settings, SettingsError
from karvon.warehouse import Warehouse, WarehouseError
from orchestration.cli.exit_status import FAILURE
from orchestration.cli.session import opened, plain_errors


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for monitors.")
@plain_errors
def doctor_command(as_json: bool) -> None:
    """Check configuration, credentials, warehouse and the dbt project. Exit status 1 if anything is wrong."""
    from orchestration.sandbox_process import running_sandbox

    settings, warehouse = opened()
    with running_sandbox(settings):
        findings = [_checked(name, check) for name, check in _checks(settings, warehouse)]
    healthy = all(finding["ok"] for finding in findings)
    if as_json:
        click.echo(json.dumps({"healthy": healthy, "profile": settings.profile, "checks": findings}))
    else:
        for finding in findings:
            click.echo(f"{'ok   ' if finding['ok'] else 'WRONG'}  {finding['check']}: {finding['detail']}")
    raise click.exceptions.Exit(0 if healthy else FAILURE)


def _checks(settings: Settings, warehouse: Warehouse) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "warehouse", lambda: _warehouse(warehouse)
    yield "dbt project", lambda: _dbt(settings, warehouse)
    yield "syncs", lambda: _syncs(settings)
    yield "destinations", lambda: _destinations(settings)
    yield "persons in raw", lambda: _persons(settings, warehouse)
    from karvon.connections import markets_wanted
    from orchestration.defs.ingestion import MARKET_SOURCES, SOURCES

    for source, connections in SOURCES.items():
        if source in MARKET_SOURCES and not markets_wanted(settings):
            continue
        try:
            found = connections(settings)
        except SettingsError as error:
            yield source.name, _failing(error)
            continue
        for name, connection in found.items():
            yield f"{source.name}: {name}", lambda s=source, c=connection: asyncio.run(s.probe(c))  # type: ignore[misc]


def _checked(name: str, check: Callable[[], str]) -> dict[str, Any]:
    from orchestration.dbt import DbtError
    from reverse_etl.spec.manifest import SyncError

    try:
        return {"check": name, "ok": True, "detail": check()}
    except (
        SettingsError, WarehouseError, RemoteError, DbtError, SyncError, ForbiddenAddress, OSError,
        PersonsInRaw,
    ) as error:  # fmt: skip
        return {"check": name, "ok": False, "detail": str(error)}


def _failing(error: SettingsError) -> Callable[[], str]:
    def check() -> str:
        raise error

    return check


def _warehouse(warehouse: Warehouse) -> str:
    with warehouse.session() as session:
        version = session.value("SELECT version()")
    return f"{warehouse.dialect} {version}"


class PersonsInRaw(Exception):
    """A source that promised to land no persons did."""


def _persons(settings: Settings, warehouse: Warehouse) -> str:
    """Where the newest raw documents hold what looks like a person's; wrong where a source says what it keeps."""
    from orchestration.defs.ingestion import SOURCES
    from pipelines.raw_scan import USER_RECORDS, persons_in_raw, told
    from pipelines.sources.user_apis.registry import read_registry

    registry = read_registry(settings.sources_path)
    hashed = {(one.user_id, one.source_id) for one in registry.sources if one.personal_data == "hash"}
    promised = {f"{source.schema}.{one.name}" for source in SOURCES for one in source.resources if one.kept}
    found = persons_in_raw(warehouse, hashed)
    if broken := {table: found[table] for table in found if table in promised | {USER_RECORDS}}:
        raise PersonsInRaw(
            f"{told(broken)}. What an earlier version landed `karvon forget --persons SOURCE` takes out "
            "(docs/runbook.md); what comes again is kept by the source: keep nothing of that."
        )
    return told(found) or "none found"


def _dbt(settings: Settings, warehouse: Warehouse) -> str:
    from orchestration.dbt import read_manifest

    manifest = read_manifest(settings, warehouse)
    return f"{sum(node['resource_type'] == 'model' for node in manifest['nodes'].values())} models parse"


def _destinations(settings: Settings) -> str:
    """Folders can be written to, receivers have an address that may be reached; nothing is sent."""
    from karvon.addresses import check_url
    from karvon.connections import files_connections, webhook_connection
    from reverse_etl.spec.manifest import read_syncs

    told = []
    syncs = read_syncs(settings.manifest_path, settings.profile)
    for destination, name in sorted({sync.target for sync in syncs}):
        if destination == "files":
            folder = files_connections(settings)[name]
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                told.append(f"{destination} {name}: {folder}")
        elif destination == "webhook":
            receiver = webhook_connection(settings, name)
            check_url(receiver.url.get_secret_value(), receiver.exceptions)
            told.append(f"{destination} {name}: {'signed' if receiver.secret else 'not signed'}")
    return ", ".join(told) or "the shop only"


def _syncs(settings: Settings) -> str:
    from reverse_etl.destinations import DESTINATIONS
    from reverse_etl.planning.binding import check
    from reverse_etl.spec.manifest import read_syncs

    syncs = read_syncs(settings.manifest_path, settings.profile)
    check(syncs, DESTINATIONS)
    return ", ".join(f"{sync.name} ({sync.mode})" for sync in syncs)
