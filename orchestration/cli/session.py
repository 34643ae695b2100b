"""What every command needs: settings, warehouse, logs; and expected errors turned into one message."""

from __future__ import annotations

import os
import pwd
import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from karvon.addresses import ForbiddenAddress
from karvon.home import keep_private
from karvon.http import RemoteError
from karvon.logs import configure_logging
from karvon.published import publish, reading
from karvon.redaction import redact
from karvon.settings import Settings, SettingsError, export_environment, load_settings
from karvon.warehouse import Warehouse, WarehouseError, WarehouseLocked
from karvon.warehouse_errors import of_the_disk
from orchestration.cli.exit_status import FAILURE

_COPY_PATIENCE = 5
"""Seconds; the next command or run renews it as well."""
P = ParamSpec("P")
R = TypeVar("R")


def opened() -> tuple[Settings, Warehouse]:
    """The settings and the warehouse of this process."""
    settings = load_settings()
    keep_private(settings)
    configure_logging(settings)
    export_environment(settings)
    return settings, Warehouse.of(settings)


def opened_for_reading() -> tuple[Settings, Warehouse, str]:
    """The settings, where to look without disturbing anybody, and of which moment that is."""
    settings, warehouse = opened()
    return settings, *reading(settings, warehouse)


def renew_copy(*, quietly: bool = False) -> None:
    """Publish what the command changed. What it did stands, whether that works or not."""
    try:
        settings = load_settings()
        publish(settings, Warehouse.of(settings, lock_seconds=_COPY_PATIENCE))
    except (SettingsError, WarehouseLocked):
        # Whoever is at work renews it.
        return
    except (WarehouseError, OSError) as error:
        if not quietly:
            click.echo(f"The copy that is read by others was not renewed: {error}", err=True)


def this_user() -> str:
    """Who is at the terminal: the name under which an approval is written down."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def plain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Errors that a user can act on end the command with their message and status 1."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            # Whoever read our words has enough of them: `karvon counts | head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise click.exceptions.Exit(FAILURE) from None
        except OSError as error:
            raise click.ClickException(of_the_disk(error)) from None
        except _storage_errors() as error:
            said = str(error).splitlines()[0]
            raise click.ClickException(
                f"Dagster's runs cannot be written down: {said}. Look at the disk and at the rights of KARVON_HOME "
                "(KARVON_DAGSTER_STORAGE_URL), then run again."
            ) from None
        except _expected() as error:
            raise click.ClickException(redact(str(error))) from None

    return wrapped


def _storage_errors() -> tuple[type[Exception], ...]:
    """Those of Dagster's storage, if anything has opened it."""
    loaded = sys.modules.get("sqlalchemy.exc")
    return (sqlite3.OperationalError, *((loaded.OperationalError,) if loaded else ()))


def _expected() -> tuple[type[Exception], ...]:
    """Imported when something is raised: together the modules take longer than many a command."""
    from karvon.credentials import CredentialError
    from orchestration.dbt import DbtError
    from pipelines.sources.user_apis.definition import Misconfigured
    from reports.user_figures import NothingMeasured
    from reverse_etl.applying import apply
    from reverse_etl.planning import plan, scan
    from reverse_etl.review import approvals, preview, undo
    from reverse_etl.spec import manifest, yaml_places
    from reverse_etl.state import leases, schema, stored_plans

    return (
        SettingsError, WarehouseError, RemoteError, ForbiddenAddress, CredentialError, Misconfigured, DbtError,
        NothingMeasured,
        manifest.SyncError, scan.ModelMissing, plan.UnknownKey, stored_plans.NoSuchPlan, apply.Blocked,
        apply.NotConfigured, leases.Busy, leases.LeaseLost, schema.TooNew, approvals.NothingToApprove,
        undo.NothingToUndo, yaml_places.CannotEdit, preview.UnknownColumn,
    )  # fmt: skip
