"""dbt opens the DuckDB file itself, and gives up at once when another program has opened it in between."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from karvon.warehouse import Warehouse
from orchestration.dbt import DbtError

_LOCKED = "Could not set lock on file"
_log = logging.getLogger("karvon.warehouse")


def when_free(warehouse: Warehouse, build: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """The results of a build, begun anew for as long as the warehouse's patience goes when its file was taken.

    The build itself opens the file first, so it waits there for whoever has it.
    """
    began = time.monotonic()
    while True:
        try:
            yield from build()
            return
        except DbtError as error:
            if _LOCKED not in str(error) or time.monotonic() - began > warehouse.lock_seconds:
                raise
            _log.warning("%s The models are built when it is free.", str(error).splitlines()[-1])
            time.sleep(1)
