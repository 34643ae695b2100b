"""The sandbox as a process: start, sockets that close, kill, and an end together with its owner."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(state_dir: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    port = free_port()
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--state-dir", str(state_dir), *options]
    process = subprocess.Popen(command, cwd=ROOT)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
    try:
        wait_until_healthy(client)
        yield process, client
    finally:
        client.close()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=10)


def wait_until_healthy(client: httpx.Client) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if client.get("/healthz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise TimeoutError("the sandbox did not start")


def headers_of(client: httpx.Client) -> dict[str, str]:
    body = {"api_key": "sandbox-key", "api_password": "sandbox-password"}
    token = client.post("/plytix/auth/api/get-token", json=body).json()["data"][0]["access_token"]
    return {"Authorization": f"Bearer {token}"}


def test_a_killed_sandbox_has_lost_nothing_when_it_starts_again(tmp_path: Path) -> None:
    with running(tmp_path, "--products", "5") as (process, client):
        made = client.post("/plytix/api/v2/products", json={"sku": "KEPT"}, headers=headers_of(client))
        assert made.status_code == 201
        process.kill()
        process.wait()
    with running(tmp_path) as (_, client):
        assert client.get("/_control/plytix/products?sku=KEPT").json()["count"] == 1
        assert client.get("/_control/plytix/products").json()["about"]["products"] == 5


def test_a_dropped_answer_closes_the_socket_after_the_work_was_done(tmp_path: Path) -> None:
    with running(tmp_path, "--products", "5") as (_, client):
        headers = headers_of(client)
        client.post("/_control/faults", json={"vendor": "plytix", "fault": {"kind": "drop_after_processing"}})
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            client.post("/plytix/api/v2/products", json={"sku": "DONE"}, headers=headers)
        assert client.get("/_control/plytix/products?sku=DONE").json()["count"] == 1
        client.post("/_control/faults", json={"vendor": "plytix", "fault": {"kind": "cut_answer"}})
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            client.post("/plytix/api/v2/products/search", json={}, headers=headers)
        assert client.post("/plytix/api/v2/products/search", json={}, headers=headers).status_code == 200


def test_the_default_world_is_there_in_a_second_and_a_half(tmp_path: Path) -> None:
    began = time.monotonic()
    with running(tmp_path) as (_, client):
        assert client.get("/_control").json()["collections"]["plytix/default/products"] > 1000
        # Twice the promise, so that a busy machine does not fail the test.
        assert time.monotonic() - began < 3


def test_the_sandbox_ends_with_the_process_it_serves(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with running(tmp_path, "--products", "5", "--exit-with", str(owner.pid)) as (process, _):
        assert process.poll() is None
        owner.kill()
        owner.wait()
        assert process.wait(timeout=10) == 0


def test_nothing_is_printed_while_it_serves(tmp_path: Path) -> None:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "--port",
        str(port),
        "--state-dir",
        str(tmp_path),
        "--products",
        "5",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        wait_until_healthy(client)
        client.get("/nothing")
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert output == b""
