{{ config(unique_key='webflow_product_key') }}

{% set columns = [
    {'name': 'name', 'path': 'product.fieldData.name'},
    {'name': 'slug', 'path': 'product.fieldData.slug'},
    {'name': 'default_sku_id', 'path': 'product.fieldData.default-sku'},
    {'name': 'category_ids', 'path': 'product.fieldData.category', 'type': 'ids'},
    {'name': 'sku_properties', 'path': 'product.fieldData.sku-properties', 'type': 'json'},
    {'name': 'is_archived', 'path': 'product.isArchived', 'type': 'boolean'},
    {'name': 'is_draft', 'path': 'product.isDraft', 'type': 'boolean'},
    {'name': 'last_published_at', 'path': 'product.lastPublished', 'type': 'timestamp'},
    {'name': 'last_updated_at', 'path': 'product.lastUpdated', 'type': 'timestamp'},
] %}

with documents as ({{ latest_documents('raw_webflow', 'products') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as webflow_product_key,
    connection,
    document_key as webflow_product_id,
    name,
    slug,
    default_sku_id,
    category_ids,
    sku_properties,
    is_archived,
    is_draft,
    last_published_at,
    last_updated_at,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
