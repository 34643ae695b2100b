"""A warm process that forks runs (recover, plan, apply) and kills them where it is told to.

Orders come as JSON lines: {"url", "manifest", "base_url", "site", "account", "at": boundary or null,
"after": seconds or null}. Answers: {"code": exit status, "boundaries": passed, "seconds"}. A boundary is a statement
or a bulk write to the warehouse, and each side of a request.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 - warm
import psycopg2.extras  # noqa: F401 - warm
from pydantic import SecretStr

from karvon import warehouse
from karvon.connections import WebflowConnection
from karvon.http import HttpClient
from karvon.warehouse import Warehouse
from reverse_etl.applying.apply import apply_plan, recover
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.planning.plan import make_plan
from reverse_etl.spec.manifest import read_syncs

_passed = mmap.mmap(-1, 8)


def run(order: dict[str, Any]) -> None:
    """What `karvon run` does with the shop, once."""
    site = WebflowConnection(
        "default", order["base_url"], order["site"], SecretStr(f"sandbox-token-{order['account']}"), ()
    )
    channels = {("webflow_store", "default"): lambda syncs: StoreChannel(site, syncs)}
    opened = Warehouse(order["url"], lock_seconds=5)
    syncs = read_syncs(Path(order["manifest"]), "sandbox")
    recover(opened, syncs, DESTINATIONS, channels)
    plan = make_plan(opened, syncs, DESTINATIONS)
    result = apply_plan(opened, plan.plan_id, syncs, DESTINATIONS, channels)
    if result.failed or result.stopped:
        raise AssertionError(f"{result.summary()}: {result.errors}")


def boundary(at: int | None) -> None:
    count = struct.unpack("q", _passed[:8])[0] + 1
    _passed[:8] = struct.pack("q", count)
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)


def mark_boundaries(at: int | None) -> None:
    """Count and kill before each statement, and on both sides of each request; for this process only."""
    for session in (warehouse._DuckDBSession, warehouse._PostgresSession):
        for name in ("execute", "append"):
            genuine = getattr(session, name)

            def marked(self: Any, *args: Any, _genuine: Any = genuine) -> Any:
                boundary(at)
                return _genuine(self, *args)

            setattr(session, name, marked)
    send = HttpClient._send

    async def sent(self: Any, *args: Any) -> Any:
        boundary(at)
        answer = await send(self, *args)
        boundary(at)
        return answer

    HttpClient._send = sent  # type: ignore[method-assign]


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        _passed[:8] = struct.pack("q", 0)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                mark_boundaries(order["at"])
                run(order)
                code = 0
            except BaseException:  # noqa: BLE001 - the parent reads the trace
                traceback.print_exc()
            finally:
                os._exit(code)
        if order["after"] is not None:
            time.sleep(order["after"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "boundaries": struct.unpack("q", _passed[:8])[0],
            "seconds": time.monotonic() - began,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
