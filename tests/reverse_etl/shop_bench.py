"""One warehouse, one shop, one catalogue written by hand, and a small reader that lands the shop's mirror."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from activation_models import MODELS, arrow_schema, manifest_of
from pydantic import SecretStr

from karvon.connections import WebflowConnection
from karvon.http import certificates
from karvon.warehouse import Session, Warehouse
from reverse_etl.applying.apply import apply_plan, recover
from reverse_etl.applying.result import ApplyResult
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.planning.plan import make_plan
from reverse_etl.review.approvals import Approval, approve
from reverse_etl.spec.manifest import read_syncs
from reverse_etl.state.stored_plans import Plan


class Bench:
    """One warehouse, one shop, one catalogue: change the catalogue, run, and look."""

    def __init__(
        self, warehouse: Warehouse, sandbox_url: str, folder: Path, account: str, transport: Any = None
    ) -> None:
        self.warehouse, self.url, self.folder, self.account = warehouse, sandbox_url, folder, account
        self.site_id = hashlib.md5(account.encode(), usedforsecurity=False).hexdigest()[:24]
        self.connection = WebflowConnection(
            "default", f"{sandbox_url}/webflow/v2", self.site_id, SecretStr(f"sandbox-token-{account}"), ()
        )
        self.tables: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in MODELS}
        self.overrides: dict[str, dict[str, Any]] = {}
        self.meta: dict[tuple[str, str], dict[str, Any]] = {}
        self.api = httpx.Client(
            base_url=f"{sandbox_url}/webflow/v2", headers={"Authorization": f"Bearer sandbox-token-{account}"},
            transport=transport, verify=certificates(),
        )  # fmt: skip
        self.control = httpx.Client(
            verify=certificates(), base_url=f"{sandbox_url}/_control", transport=transport
        )
        collections = self.api.get(f"/sites/{self.site_id}/collections").json()["collections"]
        self.collections = {one["slug"]: one["id"] for one in collections}
        self._mark = self._last_seq()

    @property
    def syncs(self):
        manifest = manifest_of(self.overrides)
        for (model, column), meta in self.meta.items():
            manifest["nodes"][f"model.karvon.{model}"]["columns"][column]["config"]["meta"] = meta
        path = self.folder / "manifest.json"
        path.write_text(json.dumps(manifest))
        return read_syncs(path, "sandbox")

    @property
    def channels(self):
        return {("webflow_store", "default"): lambda syncs: StoreChannel(self.connection, syncs)}

    # -- the catalogue

    def category(self, key: str, **more: Any) -> None:
        self.tables["webflow__categories"][key] = {
            "category_key": key, "name": f"Category {key}", "slug": f"c-{self._slug(key)}",
            "hold_reasons": None, **more,
        }  # fmt: skip

    def product(self, key: str, sizes: tuple[str, ...] = (), **more: Any) -> None:
        """A product with one SKU per size, or a single one. SKUs of a changed set of sizes are made anew."""
        slug = f"p-{self._slug(key)}"
        row = {
            "product_key": key, "name": f"Product {key}", "slug": slug, "description": f"<p>About {key}</p>",
            "is_shippable": True, "tax_category": "standard-taxable", "brand": "Acme", "seo_title": f"Buy {key}",
            "seo_description": None, "category_keys": "[]", "hold_reasons": None,
            "sku_properties": json.dumps([{"name": "Größe", "values": list(sizes)}] if sizes else []), **more,
        }  # fmt: skip
        self.tables["webflow__products"][key] = row
        self.drop_skus(key)
        for position, size in enumerate(sizes or ("",)):
            self.sku(key, size, position)

    def sku(self, key: str, size: str, position: int, **more: Any) -> None:
        sku_key = f"{key}-{size}" if size else key
        slug = self._slug(sku_key)
        self.tables["webflow__skus"][sku_key] = {
            "sku_key": sku_key, "product_key": key, "is_default": position == 0, "position": position,
            "name": f"Product {key} {size}".strip(), "slug": f"s-{slug}", "sku_code": f"CODE-{sku_key}",
            "price_minor": 1999, "compare_at_price_minor": None, "currency": "USD",
            "main_image_url": f"https://img.example/{slug}.png", "main_image_alt": f"Picture of {sku_key}",
            "more_image_urls": json.dumps([f"https://img.example/{slug}-{n}.png?w=800" for n in (1, 2)]),
            "sku_values": json.dumps({"Größe": size} if size else {}), "weight": 1.5, "stock_quantity": None,
            "hold_reasons": None, **more,
        }  # fmt: skip

    def drop_skus(self, key: str) -> None:
        skus = self.tables["webflow__skus"]
        for sku_key in [one for one, row in skus.items() if row["product_key"] == key]:
            del skus[sku_key]

    def drop(self, key: str) -> None:
        del self.tables["webflow__products"][key]
        self.drop_skus(key)

    def change(self, table: str, key: str, **changes: Any) -> None:
        self.tables[f"webflow__{table}"][key].update(changes)

    def build(self) -> None:
        """Write the activation tables as dbt would."""
        with self.warehouse.session() as session:
            session.execute("CREATE SCHEMA IF NOT EXISTS activation")
            for name, columns in MODELS.items():
                self._create(
                    session, f"activation.{name}", {column: kind for column, (kind, _) in columns.items()}
                )
                rows = list(self.tables[name].values())
                if rows:
                    session.append(
                        f"activation.{name}", pa.Table.from_pylist(rows, schema=arrow_schema(columns))
                    )

    def _create(self, session: Session, table: str, columns: Mapping[str, str]) -> None:
        session.execute(f"DROP TABLE IF EXISTS {table}")
        kinds = {"double": "double precision", "varchar": "text"}
        session.execute(
            f"CREATE TABLE {table} ({', '.join(f'{name} {kinds.get(kind, kind)}' for name, kind in columns.items())})"
        )

    # -- the mirror

    def mirror(self) -> None:
        """Land what the shop shows: new and changed documents, tombstones, and one complete observation."""
        products = self._pages(f"/sites/{self.site_id}/products")
        categories = self._pages(f"/collections/{self.collections['category']}/items")
        self.land("products", {one["product"]["id"]: one for one in products})
        self.land("categories", {one["id"]: one for one in categories})
        stocks = {}
        for product in products:
            for sku in product["skus"]:
                path = f"/collections/{self.collections['sku']}/items/{sku['id']}/inventory"
                stocks[sku["id"]] = self.api.get(path).json()
        self.land("inventory", stocks)

    def load(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Append rows to a built activation table."""
        name = f"webflow__{table}"
        with self.warehouse.session() as session:
            session.append(
                f"activation.{name}", pa.Table.from_pylist(rows, schema=arrow_schema(MODELS[name]))
            )

    def land(self, resource: str, documents: Mapping[str, Any], *, others_gone: bool = True) -> None:
        at = datetime.now(UTC)
        with self.warehouse.session() as session:
            session.execute("CREATE SCHEMA IF NOT EXISTS raw_webflow")
            session.execute(
                f"""CREATE TABLE IF NOT EXISTS raw_webflow.{resource}
                (connection text, document_key text, document json,
                document_hash text, landed_at timestamptz, is_deleted boolean, _dlt_load_id text)"""
            )
            session.execute(
                """CREATE TABLE IF NOT EXISTS raw_webflow.observations (resource text, connection text, scope text,
                observed_at timestamptz, is_complete boolean, cursor_value text, _dlt_load_id text)"""
            )
            known = {
                row["document_key"]: row
                for row in session.rows(
                    f"SELECT document_key, document_hash, is_deleted, CAST(document AS text) AS document "
                    f"FROM raw_webflow.{resource} ORDER BY landed_at"
                )
            }
            rows = []
            for key, document in documents.items():
                text = json.dumps(document, sort_keys=True)
                digest = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
                if key not in known or known[key]["document_hash"] != digest or known[key]["is_deleted"]:
                    rows.append(_landed(key, text, digest, at, False))
            for key, row in known.items():
                if others_gone and key not in documents and not row["is_deleted"]:
                    rows.append(_landed(key, row["document"], row["document_hash"], at, True))
            if rows:
                session.append(f"raw_webflow.{resource}", pa.Table.from_pylist(rows))
            session.execute(
                "INSERT INTO raw_webflow.observations VALUES ($1, 'default', 'all', $2, true, NULL, '1')",
                (resource, at),
            )

    def _pages(self, path: str) -> list[Any]:
        items: list[Any] = []
        while True:
            page = self.api.get(path, params={"offset": len(items), "limit": 100}).json()
            items += page["items"]
            if len(items) >= page["pagination"]["total"]:
                return items

    # -- plan, apply, look

    def plan(self, **options: Any) -> Plan:
        self.build()
        return make_plan(self.warehouse, self.syncs, DESTINATIONS, **options)

    def apply(self, plan: Plan, *, override_guards: bool = False) -> ApplyResult:
        self._mark = self._last_seq()
        for guard in {broken.guard for broken in plan.violations} if override_guards else ():
            self.approve(plan_id=plan.plan_id, rule=guard)
        return apply_plan(self.warehouse, plan.plan_id, self.syncs, DESTINATIONS, self.channels)

    def approve(self, **what: Any) -> list[Approval]:
        return approve(self.warehouse, "tester", **what)

    def recover(self) -> int:
        return recover(self.warehouse, self.syncs, DESTINATIONS, self.channels)

    def run(self, **options: Any) -> ApplyResult:
        """Recover, read the mirror, plan, apply: what `karvon run` does."""
        self.recover()
        self.mirror()
        return self.apply(self.plan(**options), override_guards=True)

    def settle(self) -> Plan:
        """The plan after another look at the shop."""
        self.mirror()
        return self.plan()

    def requests(self, method: str = "") -> list[str]:
        """What the last apply sent, as 'METHOD path'."""
        query = {"since": self._mark, "vendor": "webflow", "account": self.account, "method": method}
        found = self.control.get("/requests", params=query).json()["requests"]
        return [f"{one['method']} {one['path'].removeprefix('/webflow/v2')}" for one in found]

    def bodies(self, method: str, path: str = "") -> list[Any]:
        query = {
            "since": self._mark,
            "vendor": "webflow",
            "account": self.account,
            "method": method,
            "path": path,
        }
        return [one["body"] for one in self.control.get("/requests", params=query).json()["requests"]]

    def shop(self) -> dict[str, Any]:
        """Everything that is not hand-made, products by slug."""
        content = self.control.get("/webflow/shop", params={"site": self.account}).json()
        products = {one["fields"]["slug"]: one for one in content["products"] if not one["hand_made"]}
        return {"products": products, "categories": content["category"], "hand_made": [
            one for one in content["products"] if one["hand_made"]
        ]}  # fmt: skip

    def fault(
        self, kind: str, *, method: str = "", path: str = "", times: int = 1, after: int = 0, **more: Any
    ) -> None:
        rule = {
            "vendor": "webflow", "account": self.account, "method": method, "path": path,
            "times": times, "after": after, "fault": {"kind": kind, **more},
        }  # fmt: skip
        self.control.post("/faults", json=rule).raise_for_status()

    def edit(self, item: str, collection: str = "product", **given: Any) -> None:
        body = {"site": self.account, "collection": collection, "item": item, **given}
        self.control.post("/webflow/edit", json=body).raise_for_status()

    def hand_made(self, **given: Any) -> None:
        self.control.post("/webflow/hand-made", json={"site": self.account, **given}).raise_for_status()

    def sale(self, sku: str, quantity: int) -> None:
        body = {"site": self.account, "sku": sku, "quantity": quantity}
        self.control.post("/webflow/sale", json=body).raise_for_status()

    def switch(self, **values: Any) -> None:
        body = {f"webflow.{name}": value for name, value in values.items()}
        self.control.put("/switches", json=body).raise_for_status()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with self.warehouse.session() as session:
            return session.rows(sql)

    def rows_forgotten(self) -> None:
        """As if the ledger had been lost."""
        with self.warehouse.session() as session:
            session.execute("DELETE FROM reverse_etl.ledger")
        self.mirror()

    def snapshot(self) -> dict[str, Any]:
        return copy.deepcopy(self.tables)

    def close(self) -> None:
        self.api.close()
        self.control.close()

    def _slug(self, key: str) -> str:
        return key.lower().replace(":", "-")

    def _last_seq(self) -> int:
        return int(self.control.get("/requests", params={"limit": 1}).json()["last_seq"])


def _landed(key: str, text: str, digest: str, at: datetime, deleted: bool) -> dict[str, Any]:
    return {
        "connection": "default", "document_key": key, "document": text, "document_hash": digest, "landed_at": at,
        "is_deleted": deleted, "_dlt_load_id": "1",
    }  # fmt: skip
