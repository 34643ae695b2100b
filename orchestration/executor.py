"""Where the steps of a run are done: on this machine, or by Celery workers on others (docs/scale.md)."""

from __future__ import annotations

from typing import Any

import dagster as dg

from karvon.settings import Settings, SettingsError

_RESTORE_SECONDS = 10


def executor(settings: Settings, local: dg.ExecutorDefinition) -> dg.ExecutorDefinition:
    """`local`, unless the settings say Celery. Raises `SettingsError` when something for that is missing."""
    if settings.executor == "local":
        return local
    options = celery_options(settings)
    try:
        from dagster_celery.executor import celery_executor
    except ImportError:
        raise SettingsError(
            "KARVON_EXECUTOR is celery, and dagster-celery is not installed: "
            "pip install --require-hashes --no-deps -r deploy/requirements-celery.lock"
        ) from None
    chosen: dg.ExecutorDefinition = celery_executor.configured(options, name="celery")
    return chosen


def celery_options(settings: Settings) -> dict[str, Any]:
    """What the run and the workers must agree on. Raises `SettingsError`."""
    if settings.celery_broker is None:
        raise SettingsError("KARVON_EXECUTOR is celery: KARVON_CELERY_BROKER must say where the broker is.")
    if not settings.warehouse_url.startswith("postgres") or settings.dagster_storage_url is None:
        raise SettingsError(
            "KARVON_EXECUTOR is celery: several processes write at once, so KARVON_WAREHOUSE_URL and "
            "KARVON_DAGSTER_STORAGE_URL must both name a Postgres database."
        )
    broker = settings.celery_broker.get_secret_value()
    return {
        "broker": broker,
        "backend": broker if broker.startswith("redis") else "rpc://",
        "config_source": {
            # The default answers for a step when it begins: with its worker it would be gone, and the run wait forever.
            "task_acks_late": True,
            "task_reject_on_worker_lost": True,
            "worker_prefetch_multiplier": 1,
            "broker_connection_retry_on_startup": True,
            "broker_transport_options": {
                "visibility_timeout": settings.celery_lost_after_seconds,
                "unacked_restore_interval": _RESTORE_SECONDS,
                "unacked_restore_throttle": 1,
            },
        },
    }
