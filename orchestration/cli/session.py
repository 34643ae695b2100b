"""What every command needs: settings, warehouse, logs; and expected errors turned into one message."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from karvon.addresses import ForbiddenAddress
from karvon.http import RemoteError
from karvon.logs import configure_logging
from karvon.redaction import redact
from karvon.settings import Settings, SettingsError, export_environment, load_settings
from karvon.warehouse import Warehouse, WarehouseError

P = ParamSpec("P")
R = TypeVar("R")


def opened() -> tuple[Settings, Warehouse]:
    """The settings and the warehouse of this process."""
    settings = load_settings()
    configure_logging(settings)
    export_environment(settings)
    return settings, Warehouse(settings.warehouse_url, lock_seconds=settings.warehouse_lock_seconds)


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
        except _expected() as error:
            raise click.ClickException(redact(str(error))) from None

    return wrapped


def _expected() -> tuple[type[Exception], ...]:
    """Imported when something is raised: together the modules take longer than many a command."""
    from karvon.credentials import CredentialError
    from orchestration.dbt import DbtError
    from pipelines.sources.user_apis.definition import Misconfigured
    from reports.user_figures import NothingMeasured
    from reverse_etl import (
        apply,
        approvals,
        leases,
        manifest,
        plan,
        preview,
        scan,
        schema,
        stored_plans,
        undo,
        yaml_places,
    )  # fmt: skip

    return (
        SettingsError, WarehouseError, RemoteError, ForbiddenAddress, CredentialError, Misconfigured, DbtError,
        NothingMeasured,
        manifest.SyncError, scan.ModelMissing, plan.UnknownKey, stored_plans.NoSuchPlan, apply.Blocked,
        apply.NotConfigured, leases.Busy, leases.LeaseLost, schema.TooNew, approvals.NothingToApprove,
        undo.NothingToUndo, yaml_places.CannotEdit, preview.UnknownColumn,
    )  # fmt: skip
