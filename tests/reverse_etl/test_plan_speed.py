"""The plan's cost follows change: 20,000 products with 60,000 SKUs, 1 % changed, in seconds and little memory."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from karvon.warehouse import Warehouse
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.planning.plan import make_plan
from reverse_etl.planning.scan import Scan
from reverse_etl.spec.manifest import read_syncs
from reverse_etl.spec.values import sent_form, wanted
from reverse_etl.state import ledger
from reverse_etl.state.ledger import Entry
from reverse_etl.state.schema import migrate

PRODUCTS = 20_000
SIZES = ("S", "M", "L")


def remote_id(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:24]


def product_row(key: str) -> dict:
    return {
        "product_key": key, "name": f"Product {key}", "slug": f"p-{key}", "is_shippable": True,
        "description": f"<p>{'Words about a product. ' * 30}{key}</p>", "tax_category": "standard-taxable",
        "brand": "Acme", "seo_title": f"Buy {key}", "seo_description": None, "category_keys": "[]",
        "sku_properties": json.dumps([{"name": "Size", "values": list(SIZES)}]), "hold_reasons": None,
    }  # fmt: skip


def sku_row(key: str, position: int) -> dict:
    size = SIZES[position]
    return {
        "sku_key": f"{key}-{size}", "product_key": key, "is_default": position == 0, "position": position,
        "name": f"Product {key} {size}", "slug": f"s-{key}-{size}", "sku_code": f"C-{key}-{size}", "price_minor": 1999,
        "compare_at_price_minor": None, "currency": "USD", "main_image_url": f"https://img.example/{key}{size}.png",
        "main_image_alt": "A picture", "more_image_urls": json.dumps([f"https://img.example/{key}-{size}-2.png"]),
        "sku_values": json.dumps({"Size": size}), "weight": 1.5, "stock_quantity": 5, "hold_reasons": None,
    }  # fmt: skip


def document(row: dict, skus: list[dict]) -> dict:
    properties = [
        {"id": "size", "name": "Size", "enum": [{"id": one, "name": one, "slug": one} for one in SIZES]}
    ]
    fields = {
        "name": row["name"], "slug": row["slug"], "description": row["description"], "shippable": True,
        "tax-category": "standard-taxable", "brand": "Acme", "seo-title": row["seo_title"],
        "sku-properties": properties, "default-sku": remote_id(skus[0]["sku_key"]),
    }  # fmt: skip
    shown = [
        {
            "id": remote_id(sku["sku_key"]),
            "fieldData": {
                "name": sku["name"], "slug": sku["slug"], "sku": sku["sku_code"], "weight": 1.5,
                "price": {"value": sku["price_minor"], "unit": "USD"},
                "main-image": {"fileId": sku["sku_key"], "url": sku["main_image_url"], "alt": "A picture"},
                "more-images": [{"fileId": remote_id(sku["sku_key"] + "2"), "url": "https://cdn/2.png", "alt": None}],
                "sku-values": {"size": json.loads(sku["sku_values"])["Size"]},
            },
        }
        for sku in skus
    ]  # fmt: skip
    return {
        "product": {"id": remote_id(row["product_key"]), "isArchived": False, "fieldData": fields},
        "skus": shown,
    }


def fill(bench) -> None:
    """A shop in step with its catalogue: model, mirror and ledger agree."""
    bench.build()
    for start in range(0, PRODUCTS, 2_000):
        keys = [f"default:{number:06}" for number in range(start, start + 2_000)]
        rows = [product_row(key) for key in keys]
        skus = {key: [sku_row(key, position) for position in range(3)] for key in keys}
        bench.load("products", rows)
        bench.load("skus", [sku for own in skus.values() for sku in own])
        bench.land(
            "products",
            {remote_id(row["product_key"]): document(row, skus[row["product_key"]]) for row in rows},
            others_gone=False,
        )
    now = datetime.now(UTC)
    for sync in bench.syncs[1:]:
        with bench.warehouse.session() as session:
            migrate(bench.warehouse, session)
            scan = Scan(session, bench.warehouse.dialect, sync, DESTINATIONS["webflow_store"])
            all_keys = [
                row["key"]
                for row in session.rows(f"SELECT {sync.key} AS key FROM {sync.relation} ORDER BY 1")
            ]
            for start in range(0, len(all_keys), 6_000):
                keys = all_keys[start : start + 6_000]
                rows = scan.rows(keys)
                parents = {key: remote_id(key[:14]) for key in keys}
                documents = scan.mirror.documents(sorted(set(parents.values())))
                hashes = scan.mirror.hashes(sorted(set(parents.values())))
                entries = [
                    Entry(
                        *sync.target, sync.name, key, remote_id(key), parents[key] if sync.parent else None, now,
                        sent={one.field: sent_form(one, wanted(one, rows[key])) for one in sync.plain_fields},
                        answered=record.values, extras=record.extras, row_hash=rows[key]["_hash"],
                        mapping_hash=sync.mapping_hash, mirror_hash=hashes[parents[key]],
                        stock_sent=rows[key].get("stock_quantity"), stock_answered=5, stock_at=now, plan_id="x",
                    )
                    for key in keys
                    if (record := scan.destination.record(sync, documents[parents[key]], remote_id(key)))
                ]  # fmt: skip
                session.append("reverse_etl.ledger", ledger._table(ledger._rows(entries)))


@pytest.mark.proof
def test_a_plan_of_20000_products_takes_seconds_and_little_memory(bench) -> None:
    fill(bench)
    with bench.warehouse.session() as session:
        session.execute(
            "UPDATE activation.webflow__products SET name = name || '!' WHERE product_key LIKE '%50'"
        )
        session.execute("UPDATE activation.webflow__skus SET price_minor = 2000 WHERE product_key LIKE '%70'")
    code = f"""import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_plan_speed
test_plan_speed.measure({bench.warehouse.url!r}, {str(bench.folder / "manifest.json")!r})
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    measured = json.loads(answer.stdout.splitlines()[-1])
    assert measured["operations"] == 200 + 600
    assert measured["seconds"] < 10
    assert measured["megabytes"] < 1000


def measure(url: str, manifest: str) -> None:
    """In a process of its own, so that its memory is its own."""
    started = time.perf_counter()
    plan = make_plan(Warehouse(url), read_syncs(Path(manifest), "sandbox"), DESTINATIONS)
    result = {
        "seconds": round(time.perf_counter() - started, 2),
        "megabytes": int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024,
        "operations": len(plan.operations),
    }
    sys.stdout.write(json.dumps(result) + "\n")
