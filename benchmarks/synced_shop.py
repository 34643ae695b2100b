"""A warehouse in which a whole catalogue is in the shop already, as after many runs.

The mirror of the first products is landed by `pipelines.landing`; the ledger says that every row was sent as it is,
and answered as the mirror shows it. SQL makes the other products after their pattern.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.activation import Activation, Row
from benchmarks.catalogue import (
    CATEGORIES,
    PATTERN,
    category_row,
    item,
    product_document,
    product_row,
    remote_id,
    sku_rows,
)
from benchmarks.measuring import Clock
from benchmarks.memory_source import DefaultConnection, memory_source
from karvon.warehouse import Session, Warehouse
from pipelines.landing import load
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.scan import Scan, chunks
from reverse_etl.spec.syncs import Sync
from reverse_etl.spec.values import sent_form, wanted
from reverse_etl.state import ledger
from reverse_etl.state.ledger import Entry
from reverse_etl.state.schema import migrate

SENT = "floor_sent"
"""Schema of flat copies of the models' tables as they were last sent: what the floor compares with."""


def fill(clock: Clock, *, url: str, manifest: str, products: int) -> None:
    """Models, mirror and ledger of a catalogue in which nothing waits."""
    activation, warehouse = Activation(Path(manifest)), Warehouse(url)
    rounds, products = max(1, products // PATTERN), min(products, PATTERN)
    rows: dict[str, list[Row]] = {
        "categories": [category_row(number) for number in range(CATEGORIES)],
        "products": [product_row(number) for number in range(products)],
        "skus": [row for number in range(products) for row in sku_rows(number)],
    }
    with clock:
        documents = _land_mirror(warehouse, activation, rows)
        with warehouse.session() as session:
            migrate(warehouse, session)
            session.execute(f"CREATE SCHEMA {SENT}")
            for sync in activation.syncs:
                activation.write(session, sync, rows[sync.resource])
            for sync in activation.syncs:
                _write_ledger(warehouse, session, activation, sync, documents)
            _repeat(warehouse, session, activation, rounds)
            for sync in activation.syncs:
                session.execute(f'CREATE TABLE {SENT}."{sync.table}" AS SELECT * FROM {sync.relation}')
            if warehouse.dialect == "postgres":
                session.execute("VACUUM ANALYZE")
                # Writing back what was filled is not the plan's work.
                session.execute("CHECKPOINT")


def change(clock: Clock, *, url: str, manifest: str) -> dict[str, int]:
    """Another name for 1 % of the products, another price for 1 % of the SKUs."""
    activation = Activation(Path(manifest))
    products, skus = activation.sync("products"), activation.sync("skus")
    with clock, Warehouse(url).session() as session:
        session.execute(f"UPDATE {products.relation} SET name = name || ' new' WHERE name LIKE '%00'")
        session.execute(
            f"UPDATE {skus.relation} SET price_minor = price_minor + 100 WHERE sku_code LIKE '%00'"
        )
        return {
            "changed": session.value(f"SELECT count(*) FROM {products.relation} WHERE name LIKE '% new'")
            + session.value(f"SELECT count(*) FROM {skus.relation} WHERE sku_code LIKE '%00'")
        }


def change_back(clock: Clock, *, url: str, manifest: str) -> None:
    """The tables as they were before `change`."""
    activation, warehouse = Activation(Path(manifest)), Warehouse(url)
    with clock, warehouse.session() as session:
        for sync in (activation.sync("products"), activation.sync("skus")):
            session.execute(f"DROP TABLE {sync.relation}")
            session.execute(f'CREATE TABLE {sync.relation} AS SELECT * FROM {SENT}."{sync.table}"')
            if warehouse.dialect == "postgres":
                session.execute(f"VACUUM ANALYZE {sync.relation}")


def _land_mirror(
    warehouse: Warehouse, activation: Activation, rows: Mapping[str, list[Row]]
) -> dict[str, dict[str, Any]]:
    """Land what the shop shows; gives the documents by their key."""
    skus: dict[str, list[dict[str, Any]]] = {}
    for row in rows["skus"]:
        skus.setdefault(row["product_key"], []).append(item(activation.sync("skus"), row))
    mirror = {
        "categories": [item(activation.sync("categories"), row) for row in rows["categories"]],
        "products": [
            product_document(item(activation.sync("products"), row), skus[row["product_key"]])
            for row in rows["products"]
        ],
        "inventory": [
            {"id": remote_id(row["sku_key"]), "quantity": row["stock_quantity"], "inventoryType": "finite"}
            for row in rows["skus"]
        ],
    }
    load(memory_source("webflow", mirror, _document_key), DefaultConnection(), warehouse)
    return {_document_key(one): one for resource in ("categories", "products") for one in mirror[resource]}


def _document_key(document: Mapping[str, Any]) -> str:
    return str(document["product"]["id"] if "product" in document else document["id"])


def _repeat(warehouse: Warehouse, session: Session, activation: Activation, rounds: int) -> None:
    """Everything but the categories in as many rounds."""
    own = [activation.sync("products"), activation.sync("skus")]
    for table in (*(f"{sync.schema_name}.{sync.table}" for sync in own), "raw_webflow.products",
                  "raw_webflow.inventory"):  # fmt: skip
        _repeat_table(session, table, rounds)
    for sync in own:
        parent = activation.sync("products") if sync.parent else None
        scan = Scan(session, warehouse.dialect, sync, DESTINATIONS[sync.destination], parent)
        hashes = f"WITH {scan.desired()} SELECT key AS row_key, row_hash AS own_hash FROM desired"
        _repeat_table(session, "reverse_etl.ledger", rounds, f"l.sync = '{sync.name}'", hashes)


def _repeat_table(
    session: Session, table: str, rounds: int, where: str = "true", hashes: str = "SELECT '' AS row_key"
) -> None:
    columns = session.rows(
        "SELECT column_name AS name, data_type AS kind FROM information_schema.columns "
        "WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position",
        tuple(table.split(".")),
    )
    values = {column["name"]: _in_round(column["name"], column["kind"].lower()) for column in columns}
    join = ""
    if "row_hash" in values:
        values["row_hash"] = "h.own_hash"
        join = f"JOIN ({hashes}) AS h ON h.row_key = {values['key']}"
    session.execute(
        f"INSERT INTO {table} ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {table} AS l "
        f"CROSS JOIN generate_series(1, {rounds - 1}) AS r (round) {join} WHERE {where}"
    )


def _in_round(column: str, kind: str) -> str:
    if kind not in ("json", "text", "varchar", "character varying"):
        return f"l.{column}"
    text = f"replace(CAST(l.{column} AS text), '0000x', lpad(CAST(r.round AS text), 4, '0') || 'x')"
    return f"CAST({text} AS {kind})"


def _write_ledger(
    warehouse: Warehouse, session: Session, activation: Activation, sync: Sync, documents: Mapping[str, Any]
) -> None:
    parent = activation.sync("products") if sync.parent else None
    scan = Scan(session, warehouse.dialect, sync, DESTINATIONS[sync.destination], parent)
    keys = [str(row["key"]) for row in session.rows(f'SELECT "{sync.key}" AS key FROM {sync.relation}')]
    hashes = scan.mirror.hashes(list(documents))
    for part in chunks(keys, 10_000):
        entries = list(_entries(scan, scan.rows(part), documents, hashes))
        with session.transaction():
            ledger.write(session, entries)
        if warehouse.dialect == "postgres":
            # Without statistics the next deletion by key reads the table once per key.
            session.execute("ANALYZE reverse_etl.ledger")


def _entries(
    scan: Scan, rows: Mapping[str, Row], documents: Mapping[str, Any], hashes: Mapping[str, str]
) -> Iterator[Entry]:
    sync, applied_at = scan.sync, datetime.now(UTC)
    for key, row in rows.items():
        document_key = remote_id(row[sync.parent.column] if sync.parent else key)
        record = scan.destination.record(sync, documents[document_key], remote_id(key))
        if record is None:
            raise RuntimeError(f"the mirror does not show {key}")
        stock = row[sync.stock.column] if sync.stock else None
        yield Entry(
            destination=sync.destination, connection=sync.connection, sync=sync.name, key=key,
            remote_id=record.remote_id, parent_remote_id=record.parent_remote_id, applied_at=applied_at,
            sent={spec.field: sent_form(spec, wanted(spec, row)) for spec in sync.plain_fields},
            answered=record.values, extras=record.extras, row_hash=row["_hash"], mapping_hash=sync.mapping_hash,
            mirror_hash=hashes[document_key], stock_sent=stock, stock_answered=stock,
            stock_at=applied_at if sync.stock else None, plan_id="bench",
        )  # fmt: skip
