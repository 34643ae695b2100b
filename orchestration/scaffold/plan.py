"""From a collection's name to the files of its scaffold.

The product set (`products`) adds what the shop's own fields want to the shipped models; any other collection gets a
row per product of the shop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from karvon.warehouse import Session
from orchestration.scaffold.attributes import Attribute, read_attributes
from orchestration.scaffold.matching import Matching, matched
from orchestration.scaffold.writing import Column, Model, added, sql, yml
from reverse_etl.destinations.webflow.field_types import Collection, read_collections
from reverse_etl.spec.manifest import ModelColumn
from reverse_etl.spec.syncs import Sync

_PRODUCT_SET = {"products": "product", "skus": "sku"}
_SERVER_SET = frozenset(
    {"default-sku", "product", "ec-product-type", "ec-sku-billing-method", "ec-sku-subscription-plan"}
)
_GUARDS = {"max_creates": 100, "max_removals": "10%", "max_updates": "50%"}
_ROWS = """    select
        products.product_key,
        products.name,
        slugs.slug,
        readiness.hold_reasons
    from {{ ref('products') }} as products
    inner join {{ ref('product_readiness') }} as readiness on products.product_key = readiness.product_key
    left join {{ ref('slugs') }} as slugs on products.product_key = slugs.entity_key and slugs.entity = 'product'
    where readiness.state <> 'off'"""


class CannotScaffold(Exception):
    """There is nothing to make a scaffold from, or a file is in its way."""


@dataclass(frozen=True)
class Scaffold:
    """Texts by file name, and what was matched per collection."""

    files: Mapping[str, str]
    matchings: Mapping[str, Matching]

    def write(self, folder: Path, *, force: bool) -> list[Path]:
        """Write all files or none. Raises `CannotScaffold` for files that are there, unless forced."""
        paths = {folder / name: text for name, text in self.files.items()}
        if not force and (there := [path.name for path in paths if path.exists()]):
            raise CannotScaffold(f"{', '.join(there)} is there already; choose another --prefix, or --force.")
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            path.write_text(text, encoding="utf-8")
        return list(paths)


def scaffold(
    session: Session,
    syncs: Sequence[Sync],
    columns: Mapping[str, Mapping[str, ModelColumn]],
    target: str,
    prefix: str,
    connection: str,
) -> Scaffold:
    """What would be written for `products` or the slug of a collection. Raises `CannotScaffold`, `NothingLanded`."""
    known = {one.slug: one for one in read_collections(session, connection)}
    attributes = read_attributes(session)
    if target == "products":
        models, matchings = _product_set(known, attributes, syncs, columns, prefix)
    elif target in known and target not in (*_PRODUCT_SET.values(), "category"):
        models, matchings = _collection(known[target], attributes, prefix, connection)
    else:
        own = [slug for slug in known if slug not in (*_PRODUCT_SET.values(), "category")]
        raise CannotScaffold(
            f"There is no collection {target} to scaffold; choose products{''.join(f', {one}' for one in own)}. "
            "`karvon webflow schema --fresh` reads them again."
        )
    files = {f"{model.name}.sql": sql(model) for model in models}
    return Scaffold({**files, f"_{prefix}__{target.replace('-', '_')}.yml": yml(models)}, matchings)


def _product_set(
    known: Mapping[str, Collection],
    attributes: Sequence[Attribute],
    syncs: Sequence[Sync],
    columns: Mapping[str, Mapping[str, ModelColumn]],
    prefix: str,
) -> tuple[list[Model], dict[str, Matching]]:
    shipped = {sync.resource: sync for sync in syncs if sync.name in ("webflow__products", "webflow__skus")}
    if set(shipped) != set(_PRODUCT_SET) or not set(_PRODUCT_SET.values()) <= set(known):
        raise CannotScaffold(
            "The product set is made from webflow__products and webflow__skus and a shop with a store."
        )
    models, matchings = [], {}
    taken = {spec.column for sync in shipped.values() for spec in sync.fields}
    for resource, slug in _PRODUCT_SET.items():
        sync, collection = shipped[resource], known[slug]
        fields = [
            one for one in collection.fields if sync.field(one.slug) is None and one.slug not in _SERVER_SET
        ]
        matchings[slug] = matched(fields, attributes, taken)
        taken |= {one.attribute.label for one in matchings[slug].matches}
        models.append(_on_shipped(sync, collection, columns[sync.name], matchings[slug], prefix))
    return models, matchings


def _on_shipped(
    sync: Sync, collection: Collection, columns: Mapping[str, ModelColumn], matching: Matching, prefix: str
) -> Model:
    """The shipped model's columns, less those for fields that this shop does not have, plus the matched ones."""
    kept = [
        Column(name, one.data_type, one.description, f"base.{name}", _renamed(one.meta, prefix))
        for name, one in columns.items()
        if "field" not in one.meta or _is_there(one.meta, collection)
    ]
    taken = {one.name for one in kept}
    more = [added(match, taken) for match in matching.matches]
    settings: dict[str, object] = {
        "destination": sync.destination, "resource": sync.resource, "connection": sync.connection, "key": sync.key,
        "match": list(sync.match), "mode": "upsert", "on_removal": "archive", "publish": "staging",
        "held": sync.held, "guards": _GUARDS,
    }  # fmt: skip
    if sync.parent:
        settings["parent"] = {"sync": f"{prefix}__products", "column": sync.parent.column}
    base = f"    select * from {{{{ ref('{sync.name}') }}}}"
    above = sync.parent.column if sync.parent else None
    name = f"{prefix}__{sync.resource}"
    return Model(name, collection.slug, base, sync.key, (*kept, *more), matching.matches, settings, above)


def _renamed(meta: Mapping[str, object], prefix: str) -> Mapping[str, object]:
    """References to the shipped product set lead to the scaffolded one."""
    renamed = {"webflow__products": f"{prefix}__products", "webflow__skus": f"{prefix}__skus"}
    return {name: renamed.get(str(value), value) if name == "sync" else value for name, value in meta.items()}


def _is_there(meta: Mapping[str, object], collection: Collection) -> bool:
    return meta.get("as") == "stock" or collection.field(str(meta["field"])) is not None


def _collection(
    collection: Collection, attributes: Sequence[Attribute], prefix: str, connection: str
) -> tuple[list[Model], dict[str, Matching]]:
    fields = [one for one in collection.fields if one.slug not in ("name", "slug")]
    matching = matched([one for one in fields if "Reference" not in one.type], attributes)
    references = [one for one in fields if "Reference" in one.type]
    taken = {"product_key", "name", "slug", "hold_reasons"}
    columns = (
        Column("product_key", "text", "Identity: `<connection>:<plytix id>`.", "base.product_key", {}),
        Column("name", "text", "Name.", "base.name", {"field": "name"}),
        Column("slug", "text", "Slug; what the shop answers on creation rules.", "base.slug",
               {"field": "slug", "policy": "create_only"}),
        Column("hold_reasons", "text", "Why the row is held back; null when it is ready.", "base.hold_reasons", {}),
        *(added(match, taken) for match in matching.matches),
    )  # fmt: skip
    sync: dict[str, object] = {
        "destination": "webflow_cms", "resource": "items", "collection": collection.slug, "connection": connection,
        "key": "product_key", "match": ["slug"], "mode": "upsert", "on_removal": "keep", "publish": "staging",
        "held": "hold_reasons", "guards": _GUARDS,
    }  # fmt: skip
    name = f"{prefix}__{collection.slug.replace('-', '_')}"
    model = Model(name, collection.slug, _ROWS, "product_key", columns, matching.matches, sync)
    told = matched(references, ())
    return [model], {collection.slug: replace(matching, fields=(*matching.fields, *told.fields))}
