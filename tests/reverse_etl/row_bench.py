"""One model of plain rows on its way to `files` or `webhook`: change the rows, plan, apply, look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
from pydantic import SecretStr

from karvon.addresses import Exceptions
from karvon.connections import WebhookConnection
from karvon.http import certificates
from karvon.warehouse import Warehouse
from reverse_etl.applying.apply import apply_plan, recover
from reverse_etl.applying.result import ApplyResult
from reverse_etl.destinations import DESTINATIONS
from reverse_etl.destinations.files.channel import FilesChannel
from reverse_etl.destinations.webhook.channel import WebhookChannel
from reverse_etl.planning.plan import make_plan
from reverse_etl.spec.manifest import read_syncs
from reverse_etl.state.stored_plans import Plan

# column → (type in the warehouse, type in Arrow, meta)
COLUMNS: dict[str, tuple[str, pa.DataType, dict[str, Any]]] = {
    "item_key": ("text", pa.string(), {"field": "key"}),
    "title": ("text", pa.string(), {"field": "title"}),
    "price": ("numeric(18, 2)", pa.decimal128(18, 2), {"field": "price"}),
    "pieces": ("bigint", pa.int64(), {"field": "pieces"}),
    "seen_at": ("timestamptz", pa.timestamp("us", "UTC"), {"field": "seen_at"}),
    "hold_reasons": ("text", pa.string(), {}),
}


class RowBench:
    """`settings` are those of the sync's YAML; a receiver of its own in the sandbox, a folder of its own."""

    def __init__(
        self, warehouse: Warehouse, sandbox_url: str, folder: Path, name: str, **settings: Any
    ) -> None:
        self.warehouse, self.folder, self.out = warehouse, folder, folder / "out"
        self.settings = {"connection": "default", "key": "item_key", "held": "hold_reasons", **settings}
        self.columns = dict(COLUMNS)
        self.rows: dict[str, dict[str, Any]] = {}
        self.receiver = WebhookConnection(
            "default",
            SecretStr(f"{sandbox_url}/_webhook/{name}"),
            SecretStr("sandbox-secret"),
            "the-chat",
            (),
            Exceptions(loopback=True),
        )
        self.name = name
        self.control = httpx.Client(verify=certificates(), base_url=f"{sandbox_url}/_control")

    def row(self, key: str, **given: Any) -> None:
        empty = dict.fromkeys(self.columns)
        self.rows[key] = {**empty, "item_key": key, "title": f"Item {key}", **given}

    @property
    def syncs(self):
        node = {
            "resource_type": "model", "name": "items", "schema": "activation", "alias": "items",
            "original_file_path": "models/activation/items.sql", "patch_path": "karvon://models/activation/_items.yml",
            "config": {"meta": {"sync": self.settings}}, "depends_on": {"nodes": ["source.karvon.raw_x.things"]},
            "columns": {
                name: {"name": name, "data_type": kind, "config": {"meta": meta}}
                for name, (kind, _, meta) in self.columns.items()
            },
        }  # fmt: skip
        path = self.folder / "manifest.json"
        sources = {"source.karvon.raw_x.things": {"schema": "raw_x", "name": "things"}}
        path.write_text(json.dumps({"nodes": {"model.karvon.items": node}, "sources": sources}))
        return read_syncs(path, "sandbox")

    @property
    def channels(self):
        return {
            ("files", "default"): lambda syncs: FilesChannel(
                DESTINATIONS["files"], self.out, self.warehouse, syncs
            ),
            ("webhook", "default"): lambda syncs: WebhookChannel(self.receiver, syncs),
        }

    def build(self) -> None:
        kinds = ", ".join(f"{name} {kind}" for name, (kind, _, _) in self.columns.items())
        schema = pa.schema([(name, kind) for name, (_, kind, _) in self.columns.items()])
        with self.warehouse.session() as session:
            session.execute("CREATE SCHEMA IF NOT EXISTS activation")
            session.execute("DROP TABLE IF EXISTS activation.items")
            session.execute(f"CREATE TABLE activation.items ({kinds})")
            if self.rows:
                session.append(
                    "activation.items", pa.Table.from_pylist(list(self.rows.values()), schema=schema)
                )

    def plan(self, **options: Any) -> Plan:
        self.build()
        return make_plan(self.warehouse, self.syncs, DESTINATIONS, **options)

    def apply(self, plan: Plan) -> ApplyResult:
        return apply_plan(self.warehouse, plan.plan_id, self.syncs, DESTINATIONS, self.channels)

    def run(self, **options: Any) -> ApplyResult:
        self.recover()
        return self.apply(self.plan(**options))

    def recover(self) -> int:
        return recover(self.warehouse, self.syncs, DESTINATIONS, self.channels)

    def messages(self) -> list[Mapping[str, Any]]:
        answer = self.control.get("/webhook/messages", params={"name": self.name}).json()
        return list(answer["messages"])

    def fault(self, kind: str, **more: Any) -> None:
        rule = {
            "vendor": "webhook",
            "path": f"/{self.name}$",
            "fault": {"kind": kind, **more.pop("fault", {})},
            **more,
        }
        self.control.post("/faults", json=rule).raise_for_status()

    def close(self) -> None:
        self.control.delete("/faults")
        self.control.close()
