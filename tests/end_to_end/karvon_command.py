"""`karvon` as a user runs it: a process of its own, a home of its own, and the sandbox served beside it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from karvon.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
PRODUCTS = 30
_OURS = ("KARVON_", "PLYTIX_", "WEBFLOW_", "DBT_", "DAGSTER_")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def copy_project(folder: Path) -> Path:
    """The working tree as a clone would have it, without the `.env` and the caches of this folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def until(what: Callable[[], Any], seconds: float = 60, every: float = 0.01) -> Any:
    """Wait for something to come true and give it back."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(every)
    raise AssertionError(f"{what} did not come true in {seconds} s")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    status: int
    output: str

    def line(self, label: str) -> str:
        """The line of the summary that begins with a label."""
        return next(one.strip() for one in self.output.splitlines() if one.strip().startswith(label))


@dataclass(frozen=True)
class Sandbox:
    """The control interface of a running sandbox (sandbox/README.md)."""

    url: str

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_control{path}", method=method, data=data)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def requests(self, **chosen: Any) -> list[dict[str, Any]]:
        query = "&".join(f"{name}={value}" for name, value in chosen.items())
        found: list[dict[str, Any]] = self.call("GET", f"/requests?{query}")["requests"]
        return found

    def writes(self) -> list[dict[str, Any]]:
        """Requests that changed the shop or tried to."""
        return [one for one in self.requests(vendor="webflow") if one["method"] != "GET"]

    def forget_requests(self) -> None:
        self.call("DELETE", "/requests")

    def fault(self, **rule: Any) -> None:
        self.call("POST", "/faults", rule)

    def struck(self) -> int:
        return sum(rule["struck"] for rule in self.call("GET", "/faults")["faults"])

    def no_faults(self) -> None:
        self.call("DELETE", "/faults")

    def switch(self, name: str, value: Any) -> None:
        self.call("PUT", "/switches", {name: value})

    def next_day(self, **changes: Any) -> list[dict[str, Any]]:
        day: list[dict[str, Any]] = self.call(
            "POST", "/plytix/next-day", {"changes": changes} if changes else {}
        )["changes"]
        return day

    def edit(self, sku: str, **fields: Any) -> None:
        """Somebody edits a product in Plytix: `status=…`, `attributes={…}`."""
        self.call("POST", "/plytix/edit", {"sku": sku, "set": fields})

    def shop(self, site: str = "") -> dict[str, Any]:
        """Everything in the shop, without ids."""
        found: dict[str, Any] = self.call("GET", f"/webflow/shop?ids=false&site={site}")
        return found


@dataclass(frozen=True)
class Karvon:
    """One installation: a project tree, a home, a port for its sandbox, and the environment of its commands."""

    home: Path
    port: int
    project: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    serving: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return inherited | {
            "KARVON_PROFILE": "sandbox",
            "KARVON_HOME": str(self.home),
            "KARVON_SANDBOX_PORT": str(self.port),
            "KARVON_SANDBOX_PRODUCTS": str(PRODUCTS),
            # Users' APIs have tests of their own; here they would only take time.
            "KARVON_SOURCES_DIR": str(self.home / "no_sources"),
            "PYTHONPATH": str(self.project),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            **self.environment,
        }

    def having(self, **environment: str) -> Karvon:
        """The same installation with further variables."""
        return replace(self, environment={**self.environment, **environment})

    def __call__(self, *arguments: str, answer: str = "", seconds: float = 240) -> Done:
        done = subprocess.run(
            [str(BIN / "karvon"), *arguments],
            cwd=self.project, env=self.variables, input=answer, timeout=seconds, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stdout, done.stdout
        return Done(done.returncode, done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command as the leader of a process group, for `kill`."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "started.log").open("wb") as said:
            return subprocess.Popen(
                [str(BIN / "karvon"), *arguments],
                cwd=self.project, env=self.variables, start_new_session=True, stdout=said, stderr=said,
            )  # fmt: skip

    def serve(self) -> None:
        """Serve the sandbox beside the commands, so that it outlives them."""
        state = self.home / "sandbox"
        state.mkdir(parents=True, exist_ok=True)
        command = ["-m", "sandbox", "--port", str(self.port), "--state-dir", str(state)]
        sizes = ["--products", self.variables["KARVON_SANDBOX_PRODUCTS"], "--exit-with", str(os.getpid())]
        self.serving.append(
            subprocess.Popen([sys.executable, *command, *sizes], cwd=self.project, env=self.variables)
        )
        try:
            until(self._answers)
        except BaseException:
            # Its port is that of the next test too.
            self.stop_serving()
            raise

    def _answers(self) -> bool:
        try:
            return bool(self.sandbox.call("GET", ""))
        except OSError:
            assert self.serving[-1].poll() is None, "the sandbox ended"
            return False

    def stop_serving(self) -> None:
        while self.serving:
            process = self.serving.pop()
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:  # a fault keeps a request hanging
                process.kill()
                process.wait(3)

    @property
    def sandbox(self) -> Sandbox:
        return Sandbox(f"http://127.0.0.1:{self.port}")

    @property
    def warehouse(self) -> Warehouse:
        default = f"duckdb:///{self.home / self.variables['KARVON_PROFILE'] / 'warehouse.duckdb'}"
        return Warehouse(self.variables.get("KARVON_WAREHOUSE_URL", default), lock_seconds=30)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.warehouse.session() as session:
            return session.rows(sql)


def kill(process: subprocess.Popen[bytes]) -> None:
    """kill -9 of a command and all it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)
