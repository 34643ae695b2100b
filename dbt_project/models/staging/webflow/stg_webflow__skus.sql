{# SKUs come inside the product's document: all SKUs of a product are replaced together. #}
{{ config(unique_key='webflow_product_key') }}

{% set product_columns = [
    {'name': 'skus', 'path': 'skus', 'type': 'list'},
] %}
{% set columns = [
    {'name': 'webflow_sku_id', 'path': 'id'},
    {'name': 'name', 'path': 'fieldData.name'},
    {'name': 'slug', 'path': 'fieldData.slug'},
    {'name': 'sku_code', 'path': 'fieldData.sku'},
    {'name': 'price_minor', 'path': 'fieldData.price.value', 'type': 'integer'},
    {'name': 'compare_at_price_minor', 'path': 'fieldData.compare-at-price.value', 'type': 'integer'},
    {'name': 'currency', 'path': ['fieldData.price.unit', 'fieldData.price.currency']},
    {'name': 'sku_values', 'path': 'fieldData.sku-values', 'type': 'object'},
    {'name': 'is_archived', 'path': 'isArchived', 'type': 'boolean'},
    {'name': 'is_draft', 'path': 'isDraft', 'type': 'boolean'},
    {'name': 'last_updated_at', 'path': 'lastUpdated', 'type': 'timestamp'},
] %}
{% set product = ['connection', 'document_key', 'landed_at', 'is_deleted'] %}

with documents as ({{ latest_documents('raw_webflow', 'products') }}),

products as ({{ unpack('documents', product_columns) }}),

skus as (
    select
        products.connection,
        products.document_key,
        products.landed_at,
        products.is_deleted,
        products.rejects as document_rejects,
        sku.position,
        sku.value as document
    from products
    left join lateral {{ json_elements('products.skus', 'sku') }} on true
    where sku.position is not null or products.rejects is not null
),

unpacked as ({{ unpack('skus', columns, keep=product + ['position', 'document_rejects'], entry_of='skus') }}),

once as ({{ once_each('unpacked', key='webflow_sku_id', path='skus[].id', of_document='document_rejects') }})

select
    connection || ':' || webflow_sku_id as webflow_sku_key,
    connection || ':' || document_key as webflow_product_key,
    connection,
    webflow_sku_id,
    document_key as webflow_product_id,
    position,
    name,
    slug,
    sku_code,
    price_minor,
    compare_at_price_minor,
    currency,
    sku_values,
    is_archived,
    is_draft,
    last_updated_at,
    is_deleted,
    landed_at,
    cast_failures,
    all_rejects as rejects,
    is_put_aside
from once
