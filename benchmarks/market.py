"""The market models when one document in a hundred is new, against building them all, on both engines.

Documents are made in SQL as a crawl lands them: every product anew on each of four days, then a fifth day on which
one document in a hundred of the whole history is added. The seconds hold everything that a run's dbt
does for them: finding what is stale, start, staging, marts and data tests; the incremental models are shown alone too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.measuring import Clock, Facts, Program, Scale, measure
from benchmarks.postgres import running_postgres
from benchmarks.table import Line, compared, verdict
from karvon.settings import Settings
from karvon.warehouse import Warehouse
from orchestration import dbt

DAYS, SHARE = 4, 100
AT_MOST = {"DuckDB": 0.1, "Postgres": 0.15}
"""Of the full build, for all that dbt does when 1 % of the documents is new."""
INCREMENTAL = 0.1
"""The same for the incremental models alone."""

_TABLES = (
    "CREATE SCHEMA raw_uzum",
    "CREATE TABLE raw_uzum.products (connection text NOT NULL, document_key text NOT NULL, document json, "
    "document_hash text, landed_at timestamptz, is_deleted boolean, _dlt_load_id text NOT NULL)",
    "CREATE TABLE raw_uzum.observations (resource text, connection text, scope text, observed_at timestamptz, "
    "is_complete boolean, _dlt_load_id text)",
    "CREATE TABLE raw_uzum._dlt_loads (load_id text, schema_name text, status bigint, inserted_at timestamptz, "
    "schema_version_hash text)",
)
_INDEXES = (
    "CREATE INDEX products_key ON raw_uzum.products (connection, document_key, landed_at DESC)",
    "CREATE INDEX products_load ON raw_uzum.products (_dlt_load_id)",
)


def rows(folder: Path, *, scale: Scale) -> Iterator[Line]:
    """DuckDB, then Postgres."""
    products = 250_000 if scale == "full" else 500
    files = count()

    def copied(like: str | None = None) -> str:
        path = folder / f"market_{next(files)}.duckdb"
        if like:
            shutil.copyfile(like.removeprefix("duckdb:///"), path)
        return f"duckdb:///{path}"

    yield from _on("DuckDB", copied, folder, products)
    with running_postgres(folder) as server:
        yield from _on("Postgres", server.database, folder, products)


def _on(engine: str, new: Callable[..., str], folder: Path, products: int) -> Iterator[Line]:
    url = new()
    for day in range(DAYS):
        land(Warehouse(url), products, day)
    given = {"url": url, "home": str(folder / engine)}
    full = measure({"": Program("benchmarks.market:build", lambda: given)}, 1)[""]
    land(Warehouse(url), products, DAYS, every=SHARE // DAYS)
    some = measure({"": Program("benchmarks.market:build", lambda: given)}, 1)[""]
    if (full.facts["windows"], some.facts["windows"]) != (
        products * DAYS,
        products * DAYS * (SHARE + 1) // SHARE,
    ):
        raise RuntimeError(f"windows are {full.facts['windows']} and {some.facts['windows']}")
    size = f"{products * DAYS:,} documents, then {products * DAYS // SHARE:,} more"
    spent, before = some.facts["incremental"], full.facts["incremental"]
    yield Line(
        f"market, {engine}: incremental models, 1 % new", size, f"{spent:.1f} s", f"{before:.1f} s: the full build",
        spent / before, f"ratio ≤ {INCREMENTAL:g}", verdict(spent <= INCREMENTAL * before),
    )  # fmt: skip
    yield compared(f"market, {engine}: the whole of dbt, 1 % new", size, some, full, at_most=AT_MOST[engine])


def land(warehouse: Warehouse, products: int, day: int, every: int = 1) -> None:
    """One day: every product, or each `every`-th, has another counter, stock and, sometimes, price."""
    load = f"{1_700_000_000 + day}.{day}"
    at = f"timestamptz '2026-03-0{day + 1} 16:00:00+00'"
    with warehouse.session() as session:
        for statement in _TABLES if day == 0 else ():
            session.execute(statement)
        session.execute(
            "INSERT INTO raw_uzum.products SELECT 'default', cast(i AS text), cast("
            + _document(day)
            + " AS json), "
            f"md5(cast(i AS text)), {at}, false, '{load}' FROM generate_series(1, {products}) AS t (i) "
            f"WHERE i % {every} = 0"
        )
        session.execute(
            "INSERT INTO raw_uzum.observations VALUES "
            f"('products', 'default', 'ids 1-{products}', {at}, true, '{load}')"
        )
        session.execute(f"INSERT INTO raw_uzum._dlt_loads VALUES ('{load}', 'uzum', 0, {at}, 'x')")
        for statement in _INDEXES if day == 0 and warehouse.dialect == "postgres" else ():
            session.execute(statement)
        if warehouse.dialect == "postgres":
            session.execute("ANALYZE raw_uzum.products")


def _document(day: int) -> str:
    """About a kilobyte: what the crawl keeps of a product with two SKUs, in SQL."""
    sku = (
        '\'{"id":\' || (i * 10 + %d) || \',"characteristics":[{"charIndex":0,"valueIndex":%d}],"availableAmount":\' '
        f"|| (500 + i %% 90 - {day} * (1 + i %% 3)) || ',\"fullPrice\":' || (100000 + i %% 997 * 100) || "
        f"',\"purchasePrice\":' || (90000 + i %% 997 * 100 - case when (i + {day}) %% 7 = 0 then 5000 else 0 end) || "
        '\',"barcode":\' || (1000000000000 + i) || \',"stock":{"type":"FBO"}}\''
    )
    padding = "repeat('Qulay va sifatli mahsulot. ', 12)"
    return (
        "'{\"id\":' || i || ',\"title\":\"Smartfon Brand' || i % 40 || ' A' || i % 9000 || '\",\"ordersAmount\":' || "
        f'(i % 500 + {day} * 2 * (1 + i % 3)) || \',"rOrdersAmount":0,"reviewsAmount":3,"rating":4.5,'
        '"category":{"id":\' || (1000 + i % 300) || \',"title":"Leaf","parent":{"id":\' || (10 + i % 20) || '
        '\',"title":"Root","parent":null}},"seller":{"id":\' || i % 9000 || \',"title":"Shop","link":"shop\' '
        '|| i % 9000 || \'","orders":5,"registrationDate":1556519941282},"description":"\' || '
        + padding
        + ' || \'","photos":[{"photoKey":"k\' || i || \'"}],"characteristics":[{"title":"Rang","values":'
        '[{"title":"Qora"},{"title":"Oq"}]}],"skuList":[\' || '
        + sku % (1, 0)
        + " || ',' || "
        + sku % (2, 1)
        + " || ']}'"
    ).replace("%%", "%")


def build(clock: Clock, *, url: str, home: str) -> Facts:
    """Ours: the one dbt process of a run, for the market models that a run finds stale."""
    settings = Settings(KARVON_HOME=Path(home), KARVON_PROFILE="live", KARVON_WAREHOUSE_URL=SecretStr(url))
    warehouse = Warehouse(url)
    # Parsing costs the same however many documents there are, and happens when a model changes.
    manifest = dbt.read_manifest(settings, warehouse)
    market = {name for name, node in manifest["nodes"].items() if "market" in node["tags"]}
    with clock:
        stale = dbt.stale_models(manifest, warehouse, among=market)
        # Unit tests would only make the full build dearer.
        events = list(dbt.build(settings, warehouse, manifest, replace(stale, definitions_changed=False)))
    return {"windows": _windows(warehouse), "incremental": _incremental_seconds(events)}


def _incremental_seconds(events: Sequence[Mapping[str, Any]]) -> float:
    """What dbt says that its incremental models took, one after the other."""
    return sum(
        float(event["data"]["execution_time"])
        for event in events
        if event["data"]["node_info"]["materialized"] == "incremental"
    )


def _windows(warehouse: Warehouse) -> Any:
    with warehouse.session() as session:
        return session.value("SELECT count(*) FROM marts.sales_windows")
