{{ config(unique_key='product_key') }}

{% set columns = [
    {'name': 'sku', 'path': 'sku'},
    {'name': 'label', 'path': 'label'},
    {'name': 'status', 'path': 'status'},
    {'name': 'gtin', 'path': 'gtin'},
    {'name': 'parent_id', 'path': ['parent_id', '_parent_id'], 'type': 'id'},
    {'name': 'num_variations', 'path': 'num_variations', 'type': 'integer'},
    {'name': 'product_family_id', 'path': 'product_family_id', 'type': 'id'},
    {'name': 'category_ids', 'path': ['categories', 'category_ids'], 'type': 'ids'},
    {'name': 'asset_ids', 'path': ['assets', 'asset_ids'], 'type': 'ids'},
    {'name': 'thumbnail_id', 'path': 'thumbnail', 'type': 'id'},
    {'name': 'relationships', 'path': 'relationships', 'type': 'json'},
    {'name': 'attributes', 'path': 'attributes', 'type': 'object'},
    {'name': 'is_marked_as_deleted', 'path': 'mark_as_deleted', 'type': 'boolean'},
    {'name': 'created_at', 'path': ['created', '_created_at'], 'type': 'timestamp'},
    {'name': 'modified_at', 'path': 'modified', 'type': 'timestamp'},
] %}

with documents as ({{ latest_documents('raw_plytix', 'products') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as product_key,
    connection,
    document_key as product_id,
    sku,
    label,
    status,
    gtin,
    connection || ':' || parent_id as parent_key,
    num_variations,
    product_family_id,
    category_ids,
    asset_ids,
    thumbnail_id,
    relationships,
    attributes,
    created_at,
    modified_at,
    is_deleted or coalesce(is_marked_as_deleted, false) as is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
