"""`karvon run` on the sandbox: the first one, and one with nothing to do, with where its seconds go.

There is no floor: nothing by hand does the same. The sandbox is served already, as real APIs are. The big world is a
catalogue from a file, with one SKU and no stock for each product; the default world of that size has 186,000 first
writes.
"""

from __future__ import annotations

import csv
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.activation import parse_project
from benchmarks.fixed_costs import KARVON, program
from benchmarks.measuring import ROOT, Measurement, Program, Scale, measure
from benchmarks.table import Line, compared, verdict
from benchmarks.webflow_requests import free_port
from karvon.settings import Settings
from orchestration.sandbox_process import control, running_sandbox
from pipelines.sources.plytix.settings import SETTLED_AFTER

WORLDS: Mapping[Scale, tuple[int, ...]] = {"full": (300, 20_000), "quick": (300,), "small": (10,)}
FROM_FILE = 20_000
"""Products of the world that comes from a file."""
DBT = str(Path(sys.executable).with_name("dbt"))
IDLE_SECONDS, EDIT_SECONDS = 20, 6
LIFTED = {"plytix": [], "webflow": [{"requests": 1_000_000, "seconds": 60}]}
REAL = {
    "plytix": [{"requests": 20, "seconds": 10}, {"requests": 2000, "seconds": 3600}],
    "webflow": [{"requests": 120, "seconds": 60}],
}
"""Of the remote APIs: a plan of Plytix, and the plans of Webflow that have a store."""
_STEP = re.compile(r"^  (\w[\w ]+?) +([\d.]+) s ", re.MULTILINE)
_DONE = re.compile(r"^  done in ([\d.]+) s", re.MULTILINE)
_MOVED = re.compile(r"\d+ (new|changed|deleted)\b|[1-9]\d* of \d+ built|[1-9]\d* applied")


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """Small: a tiny world, and only the loading of Plytix."""
    for products in WORLDS[scale]:
        yield from _in_world(folder / f"{products}", products, is_small=scale == "small")


def _in_world(folder: Path, products: int, *, is_small: bool) -> Iterator[Line]:
    settings = Settings(
        KARVON_HOME=folder, KARVON_PROFILE="sandbox", KARVON_SANDBOX_PORT=free_port(),
        KARVON_SANDBOX_PRODUCTS=1 if products == FROM_FILE else products,
        KARVON_CONNECTIONS_FILE=folder / "connections.yml",
    )  # fmt: skip
    environment = {
        "KARVON_HOME": str(folder),
        "KARVON_PROFILE": "sandbox",
        "KARVON_SANDBOX_PORT": str(settings.sandbox_port),
        "KARVON_SANDBOX_PRODUCTS": str(settings.sandbox_products),
        "KARVON_CONNECTIONS_FILE": str(settings.connections_file),
        "KARVON_WAREHOUSE_URL": "",
    }
    command = (KARVON, "run", *(("--select", "group:plytix") if is_small else ()))
    if is_small:
        parse_project(settings.dbt_target_path)
    began = time.perf_counter()
    with running_sandbox(settings):
        world = f"{products:,} products"
        yield Line("starting the sandbox, its world made new", world, f"{time.perf_counter() - began:.2f} s")
        if products == FROM_FILE:
            path = folder / "catalogue.csv"
            _write_catalogue(path, products)
            control(settings, "POST", "/_control/plytix/load", {"path": str(path)})
        settling = SETTLED_AFTER.total_seconds() if products == FROM_FILE else 0
        yield from _runs(settings, command, environment, world, 1 if is_small else 3, settling)


def _write_catalogue(path: Path, products: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("sku", "name", "price", "description", "category", "brand", "images"))
        for number in range(products):
            about, image = f"<p>About product {number}</p>", f"https://images.example.com/{number}.jpg"
            place = (f"Department {number % 20}", f"Brand {number % 50}", image)
            writer.writerow(
                (f"SKU-{number:05}", f"Product {number}", f"{10 + number % 500}.90", about, *place)
            )


def _runs(
    settings: Settings, command: tuple[str, ...], environment: Mapping[str, str], world: str, repeat: int,
    settling_seconds: float,
) -> Iterator[Line]:  # fmt: skip
    karvon_run = program(command, environment)
    control(settings, "PUT", "/_control/limits", LIFTED)
    first = measure({"": karvon_run}, 1)[""]
    yield Line("`karvon run`, first, no rate limits", world, f"{first} s")
    # The second one builds what was read of the shop after the first had written to it.
    second = measure({"": karvon_run}, 1)[""]
    yield Line("`karvon run`, second", world, f"{second} s")
    if settling_seconds:
        # What was imported and written by thousands just now is read again for some minutes.
        time.sleep(settling_seconds)
        measure({"": karvon_run}, 1)
    control(settings, "PUT", "/_control/limits", REAL)
    before = _last_request(settings)
    idle = measure({"": karvon_run}, repeat)[""]
    for one in idle.returned:
        if moved := _MOVED.search(one["output"]):
            raise RuntimeError(f"the run was not idle ({moved[0]}):\n{one['output']}")
    asked = (_last_request(settings) - before) / repeat
    yield Line(
        "`karvon run`, nothing to do", f"{world}; {asked:g} requests", f"{idle} s",
        must=f"≤ {IDLE_SECONDS} s", verdict=verdict(idle.median <= IDLE_SECONDS),
    )  # fmt: skip
    yield from _seconds_of(idle)
    if repeat > 1:
        yield _edited(settings, environment, repeat, world)


def _edited(settings: Settings, environment: Mapping[str, str], repeat: int, world: str) -> Line:
    """What an analyst waits for who changed a model: parsing, building and its tests, in a copy of the project.

    The floor is dbt alone, which has the same to do.
    """
    project = settings.home / "project"
    for part in ("dbt_project", "karvon", "orchestration", "pipelines", "reports", "reverse_etl", "sandbox"):
        shutil.copytree(ROOT / part, project / part)
    model = project / "dbt_project" / "models" / "marts" / "commerce" / "catalogue_items.sql"
    build = ("build", "--select", model.stem)
    alone = {**settings.environment_for_children(), "DBT_PROFILES_DIR": str(project / "dbt_project")}
    ours, edits = {**environment, "PYTHONPATH": str(project)}, count()

    def edited(command: tuple[str, ...], given: Mapping[str, str]) -> Program:
        def arguments() -> dict[str, Any]:
            model.write_text(f"{model.read_text()}-- edit {next(edits)}\n")
            return {"command": [*command], "environment": {**given}}

        return Program("benchmarks.fixed_costs:run", arguments)

    programs = {
        "ours": edited((KARVON, "dbt", *build), ours),
        "floor": edited((DBT, *build, "--project-dir", str(project / "dbt_project")), alone),
    }
    measure(programs, 1)  # dbt parses all that is new to it.
    ran = measure(programs, repeat)
    line = compared("one model edited and built again", f"{model.stem}; {world}", ran["ours"], ran["floor"])
    return replace(
        line,
        floor=f"{ran['floor']} s: dbt alone",
        must=f"≤ {EDIT_SECONDS} s",
        verdict=verdict(ran["ours"].median <= EDIT_SECONDS),
        peak_mb="",
    )


def _seconds_of(idle: Measurement) -> Iterator[Line]:
    """Where the median repetition's seconds went, by the run's own summary."""
    said = idle.facts["output"]
    steps = {name: float(seconds) for name, seconds in _STEP.findall(said)}
    done = float(_DONE.findall(said)[0])
    parts = {
        "start and end of the process": idle.median - done,
        "imports, definitions, Dagster": done - sum(steps.values()),
        **steps,
    }
    for name, seconds in parts.items():
        yield Line(f"… of it: {name}", "", f"{seconds:.1f} s")


def _last_request(settings: Settings) -> int:
    return int(control(settings, "GET", "/_control/requests?limit=1")["last_seq"])
