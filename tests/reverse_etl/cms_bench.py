"""A bench for CMS collections: models of any shape, a site with any collections, and a reader that lands both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from shop_bench import Bench

from karvon.warehouse import Warehouse
from reverse_etl.destinations.webflow.channel import StoreChannel
from reverse_etl.destinations.webflow.cms_channel import CmsChannel
from reverse_etl.spec.manifest import read_syncs

ARROW = {
    "text": pa.string(), "boolean": pa.bool_(), "bigint": pa.int64(), "double precision": pa.float64(),
    "timestamptz": pa.timestamp("us", "UTC"),
}  # fmt: skip
Columns = Mapping[str, tuple[str, dict[str, Any]]]
NAMED: Columns = {
    "key": ("text", {}),
    "name": ("text", {"field": "name"}),
    "slug": ("text", {"field": "slug", "policy": "create_only"}),
}


class CmsBench(Bench):
    """Declare models with `model`, fill them with `row`, and make collections with `collection`."""

    def __init__(
        self, warehouse: Warehouse, sandbox_url: str, folder: Path, account: str, transport: Any = None
    ) -> None:
        super().__init__(warehouse, sandbox_url, folder, account, transport)
        self.models: dict[str, tuple[dict[str, Any], Columns]] = {}

    def collection(self, slug: str, /, **fields: Any) -> None:
        """A new collection: field="Type", or field=("Type", validations), dashes written as underscores."""
        described = {}
        for name, given in fields.items():
            kind, rules = given if isinstance(given, tuple) else (given, None)
            described[name.replace("_", "-")] = {"type": kind, "validations": rules}
        body = {"account": self.account, "slug": slug, "fields": described}
        answer = self.control.post("/webflow/collection", json=body)
        answer.raise_for_status()
        self.collections[slug] = answer.json()["id"]

    def locales(self, *tags: str) -> dict[str, str]:
        body = {"account": self.account, "secondary": list(tags)}
        answer = self.control.post("/webflow/locales", json=body)
        answer.raise_for_status()
        return {one["tag"]: one["cmsLocaleId"] for one in answer.json()["secondary"]}

    def model(self, name: str, /, columns: Columns, **settings: Any) -> None:
        base = {
            "destination": "webflow_cms", "key": "key", "mode": "upsert", "match": ["slug"],
            "on_removal": "archive",
        }  # fmt: skip
        self.models[name] = ({**base, **settings}, {**NAMED, **columns})
        self.tables.setdefault(name, {})

    def row(self, model: str, key: str, **values: Any) -> None:
        """A row with name and slug made from the key unless given."""
        given = {"key": key, "name": f"Name {key}", "slug": f"s-{key}", **values}
        columns = self.models[model][1]
        self.tables[model][f"{key}@{values.get('locale')}"] = {name: given.get(name) for name in columns}

    def gone(self, model: str, key: str, locale: str | None = None) -> None:
        del self.tables[model][f"{key}@{locale}"]

    def _manifest(self) -> dict[str, Any]:
        nodes = {}
        for name, (settings, columns) in self.models.items():
            described = {
                column: {"name": column, "data_type": kind, "config": {"meta": meta}}
                for column, (kind, meta) in columns.items()
            }
            nodes[f"model.karvon.{name}"] = {
                "resource_type": "model", "name": name, "schema": "activation", "alias": name,
                "original_file_path": f"models/activation/webflow/{name}.sql",
                "patch_path": f"karvon://models/activation/webflow/_{name}.yml",
                "config": {"meta": {"sync": settings}}, "depends_on": {"nodes": []}, "columns": described,
            }  # fmt: skip
        return {"nodes": nodes, "sources": {}}

    @property
    def syncs(self):
        path = self.folder / "manifest.json"
        path.write_text(json.dumps(self._manifest()))
        return read_syncs(path, "sandbox")

    @property
    def channels(self):
        return {
            ("webflow_store", "default"): lambda syncs: StoreChannel(self.connection, syncs),
            ("webflow_cms", "default"): lambda syncs: CmsChannel(self.connection, syncs),
        }

    def build(self) -> None:
        with self.warehouse.session() as session:
            session.execute("CREATE SCHEMA IF NOT EXISTS activation")
            for name, (_, columns) in self.models.items():
                self._create(session, f"activation.{name}", {key: kind for key, (kind, _) in columns.items()})
                if rows := list(self.tables[name].values()):
                    schema = pa.schema([(key, ARROW[kind]) for key, (kind, _) in columns.items()])
                    session.append(f"activation.{name}", pa.Table.from_pylist(rows, schema=schema))

    def mirror(self) -> None:
        site = self.api.get(f"/sites/{self.site_id}").json()
        self.land("sites", {site["id"]: site})
        listed = self.api.get(f"/sites/{self.site_id}/collections").json()["collections"]
        self.land(
            "collections", {one["id"]: self.api.get(f"/collections/{one['id']}").json() for one in listed}
        )
        tags = {one["cmsLocaleId"]: one["tag"] for one in (site["locales"] or {}).get("secondary", [])}
        fed = {slug for sync in self.syncs for slug in sync.collections}
        items = {}
        for one in listed:
            for locale in (None, *tags) if one["slug"] in fed else ():
                query = f"?cmsLocaleId={locale}" if locale else ""
                for item in self._pages(f"/collections/{one['id']}/items{query}"):
                    key = f"{one['id']}/{item['id']}" + (f"/{locale}" if locale else "")
                    about = {"collectionId": one["id"], "secondaryLocale": tags.get(locale)}
                    items[key] = {**item, **about}
        self.land("collection_items", items)

    def _pages(self, path: str) -> list[Any]:
        items: list[Any] = []
        while True:
            joint = "&" if "?" in path else "?"
            page = self.api.get(f"{path}{joint}offset={len(items)}&limit=100").json()
            items += page["items"]
            if len(items) >= page["pagination"]["total"]:
                return items

    def items(self, collection: str) -> dict[str, dict[str, Any]]:
        """Slug (and @locale) → the item as the shop has it, hand-made ones too."""
        content = self.control.get("/webflow/shop", params={"site": self.account}).json()[collection]
        return {
            one["fields"]["slug"] + (f"@{one['locale']}" if "locale" in one else ""): one for one in content
        }

    def names(self, collection: str) -> dict[str, str]:
        return {slug: one["fields"]["name"] for slug, one in self.items(collection).items()}
