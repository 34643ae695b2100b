"""The Celery app of a worker: `celery -A orchestration.celery_worker worker -Q dagster`.

A broker brings a message again when it thinks that its worker is gone, and may be wrong. So a step is claimed in
the warehouse while it is done, and a step that was done already is answered from Dagster's log.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import celery
import dagster as dg
from celery.exceptions import Ignore, Reject
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import serialize_value, unpack_value
from dagster_celery.executor import CeleryExecutor
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task

from karvon.settings import load_settings
from karvon.warehouse import Warehouse
from orchestration.definitions import defs
from orchestration.executor import celery_options

ATTEMPTS = 3
"""A step that took its worker down so often fails."""
_PAUSE_SECONDS = 10
_OVER = (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE)


class Step(celery.Task):  # type: ignore[misc]
    """One step of a run, done by one worker at a time."""

    def __call__(
        self, execute_step_args_packed: Mapping[str, Any], executable_dict: Mapping[str, Any]
    ) -> Any:
        args = unpack_value(execute_step_args_packed, as_type=ExecuteStepArgs)
        # A message is one step; the types say that it could be more, or none.
        (key,) = args.step_keys_to_execute or ()
        with warehouse.claim(f"step {args.run_id} {key}") as mine:
            if not mine:
                # Somebody is at it. The message stays, in case that worker is lost; others go first.
                time.sleep(_PAUSE_SECONDS)
                raise Reject("in work", requeue=True)
            with dg.DagsterInstance.get() as instance:
                run = instance.get_run_by_id(args.run_id)
                if run is None or run.is_finished:
                    raise Ignore
                told = _told(instance, args.run_id, key)
            tried = [event.event_type for event in told].count(dg.DagsterEventType.STEP_START)
            if any(event.event_type in _OVER for event in told):
                return [serialize_value(event) for event in told]
            if tried >= ATTEMPTS:
                raise RuntimeError(f"{key} was begun {tried} times, and its worker was lost each time.")
            return self.run(execute_step_args_packed, executable_dict)


def _told(instance: dg.DagsterInstance, run_id: str, key: str) -> Sequence[dg.DagsterEvent]:
    """What Dagster's log has of a step."""
    events = (entry.dagster_event for entry in instance.all_logs(run_id))
    return [event for event in events if event is not None and event.step_key == key]


settings = load_settings()
warehouse = Warehouse.of(settings)
# Before there are children: they share what is loaded, and a wrong setting is told at once.
defs()
app = make_app(CeleryExecutor.for_cli(**celery_options(settings)).app_args())
create_task(app, base=Step)
