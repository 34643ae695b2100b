"""Dockerfile, compose.yaml and what surrounds them: what can be held true without a Docker engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from karvon.settings import PROJECT_ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if name not in ("postgres", "redis")}
DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()
EXAMPLE = dict(re.findall(r"^([A-Z][A-Z0-9_]+)=(.*)$", (PROJECT_ROOT / ".env.example").read_text(), re.M))


def test_the_services_of_a_deployment_are_there() -> None:
    assert set(SERVICES) == {"postgres", "code", "webserver", "daemon", "worker", "redis"}
    assert {service["image"] for service in OURS.values()} == {"karvon:latest"}
    assert [name for name, service in SERVICES.items() if "build" in service] == ["code"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_and_comes_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert "max-size" in SERVICES[name]["logging"]["options"]


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_ours_is_documented_and_none_is_secret(name: str) -> None:
    given = OURS[name]["environment"] | dict.fromkeys(OURS[name]["secrets"])
    assert set(given) <= set(EXAMPLE)
    assert OURS[name]["env_file"] == ".env"
    secret = re.compile("KEY|PASSWORD|TOKEN|WAREHOUSE_URL|STORAGE_URL|WEBHOOK")
    assert {variable for variable, value in given.items() if value and secret.search(variable)} == set()


def test_no_secret_has_a_value_in_any_file_of_the_deployment() -> None:
    for file in ("compose.yaml", "Dockerfile", "deploy/workspace.yaml", "deploy/create-dagster-database.sql"):
        text = (PROJECT_ROOT / file).read_text()
        assert not re.search(r"://[^/\s]*:[^/\s]*@", text), file
        assert not re.search(r"(PASSWORD|TOKEN|API_KEY)\s*[:=]\s*['\"]?\w", text), file


def test_secrets_are_files_that_only_their_readers_get() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./deploy/secrets/{name}"}
    readers = {name: set(service.get("secrets", ())) for name, service in SERVICES.items()}
    assert readers["worker"] == readers["code"]
    assert set.union(*readers.values()) == set(COMPOSE["secrets"])
    assert readers["webserver"] == readers["daemon"] == {"KARVON_DAGSTER_STORAGE_URL"}
    assert (PROJECT_ROOT / "deploy/secrets/.gitignore").read_text().startswith("*\n")


def test_ports_are_bound_to_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:3000:3000"]


def test_files_that_compose_mounts_exist_and_volumes_are_declared() -> None:
    for service in SERVICES.values():
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            assert (
                (PROJECT_ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]
            )


def test_webserver_and_daemon_find_the_code_location() -> None:
    workspace = yaml.safe_load((PROJECT_ROOT / "deploy/workspace.yaml").read_text())
    server = workspace["load_from"][0]["grpc_server"]
    assert server["host"] in SERVICES
    assert str(server["port"]) in SERVICES[server["host"]]["command"]
    for name in ("webserver", "daemon"):
        assert "deploy/workspace.yaml" in SERVICES[name]["command"]


def test_the_image_installs_from_the_lock_and_runs_as_nobody_special() -> None:
    assert re.search(r"pip install .*--require-hashes --no-deps -r requirements\.lock", DOCKERFILE)
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.M) == ["10001"]
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)) == {"python:3.11-slim-bookworm"}
    assert "HEALTHCHECK" in DOCKERFILE
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line and "-r " not in line]
    assert all("--no-deps --no-build-isolation -e ." in line for line in installs)


@pytest.mark.parametrize(
    ("file", "least"), [("requirements.lock", 100), ("deploy/requirements-celery.lock", 10)]
)
def test_every_line_of_a_lock_has_a_hash(file: str, least: int) -> None:
    lock = (PROJECT_ROOT / file).read_text()
    requirements = [part for part in re.split(r"\n(?=[a-z0-9])", lock) if re.match(r"[\w.\[\]-]+==", part)]
    assert len(requirements) > least
    assert "://" not in lock
    assert [part.split("\n")[0] for part in requirements if "--hash=sha256:" not in part] == []


def test_only_the_projects_own_files_get_into_the_image() -> None:
    lines = [
        line for line in (PROJECT_ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert lines[0] == "*"
    allowed = {line[1:] for line in lines if line.startswith("!")}
    for secret in (
        ".env",
        "deploy/secrets/PLYTIX_API_KEY",
        ".karvon/live/warehouse.duckdb",
        "connections.yml",
        ".git",
    ):
        assert not any(fnmatch(secret, entry) or secret.startswith(f"{entry}/") for entry in allowed)
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    needed = packages | {
        "dbt_project",
        "dagster.yaml",
        "pyproject.toml",
        "requirements.lock",
        "deploy/workspace.yaml",
    }
    assert needed <= allowed


def test_the_entry_point_prepares_dagster_and_passes_mounted_secrets_on(tmp_path: Path) -> None:
    mounted = tmp_path / "secrets"
    mounted.mkdir()
    (mounted / "KARVON_DAGSTER_STORAGE_URL").write_text("postgresql://karvon:word@postgres:5432/dagster\n")
    (mounted / "KARVON_WAREHOUSE_URL").write_text("postgresql://karvon:word@postgres:5432/karvon\n")
    environment = OURS["code"]["environment"] | {
        "KARVON_HOME": str(tmp_path / "home"),
        "KARVON_SECRETS_DIR": str(mounted),
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-m", "orchestration.instance", sys.executable, "-c",
         "import json, os; print(json.dumps(dict(os.environ)))"],
        env=environment, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    seen = json.loads(done.stdout)
    assert seen["KARVON_DAGSTER_STORAGE_URL"] == "postgresql+psycopg2://karvon:word@postgres:5432/dagster"
    assert (seen["KARVON_DBT_TARGET"], seen["KARVON_PG_HOST"]) == ("postgres", "postgres")
    written = yaml.safe_load((Path(seen["DAGSTER_HOME"]) / "dagster.yaml").read_text())
    assert written["storage"] == {"postgres": {"postgres_url": {"env": "KARVON_DAGSTER_STORAGE_URL"}}}
    assert "word" not in (Path(seen["DAGSTER_HOME"]) / "dagster.yaml").read_text()
