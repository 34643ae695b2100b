"""The sandbox as a child process: started when nobody serves it yet, gone when its parent is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from karvon.settings import Settings, SettingsError


@contextmanager
def running_sandbox(settings: Settings) -> Iterator[None]:
    """Serve the sandbox for the block, unless the profile is live or it is served already."""
    if settings.profile != "sandbox" or _is_ours(settings):
        yield
        return
    process = start_sandbox(settings)
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def start_sandbox(settings: Settings, *extra: str) -> subprocess.Popen[bytes]:
    """Start the sandbox and wait until it answers. Raises `SettingsError` when it does not."""
    settings.sandbox_state.mkdir(parents=True, exist_ok=True)
    log = settings.sandbox_state / "server.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "sandbox", "--port", str(settings.sandbox_port),
             "--state-dir", str(settings.sandbox_state), "--products", str(settings.sandbox_products),
             "--uzum-ids", str(settings.sandbox_uzum_ids), "--uzex-lots", str(settings.sandbox_uzex_lots),
             "--exit-with", str(os.getpid()), *extra],
            stdout=output, stderr=output,
        )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ours(settings):
            return process
        time.sleep(0.05)
    process.kill()
    raise SettingsError(f"The sandbox did not start on port {settings.sandbox_port}; see {log}.")


def control(settings: Settings, method: str, path: str, body: Any = None) -> Any:
    """Call the sandbox's control interface (sandbox/README.md)."""
    request = urllib.request.Request(  # noqa: S310 - loopback address made here
        f"{settings.sandbox_url}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        detail = error.read().decode("utf-8", "replace")
        raise SettingsError(f"The sandbox refused: {detail}") from None


def sandbox_time(settings: Settings, vendor: str) -> datetime | None:
    """The clock of a sandbox market, whose days pass when somebody says so; None outside the sandbox."""
    if settings.profile != "sandbox":
        return None
    return datetime.fromisoformat(control(settings, "GET", f"/_control/{vendor}")["now"])


def _is_ours(settings: Settings) -> bool:
    """Whether the sandbox of this home answers. Another program on the port is an error."""
    try:
        health = control(settings, "GET", "/healthz")
    except (urllib.error.URLError, OSError, ValueError):
        return False
    if os.path.realpath(str(health.get("state_dir"))) != os.path.realpath(settings.sandbox_state):
        raise SettingsError(
            f"Port {settings.sandbox_port} serves the sandbox of another folder ({health.get('state_dir')}). "
            "Stop it, or choose another port with KARVON_SANDBOX_PORT."
        )
    return True
