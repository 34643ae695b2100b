{# One row per own SKU: FBO stock is quantityActive, FBS stock is quantityFbs (dossier §1.7). #}
{{ config(unique_key='product_key', pre_hook='{{ forget_changed_documents() }}') }}

{% set product_columns = [
    {'name': 'title', 'path': 'title'},
    {'name': 'status', 'path': ['status.value', 'status']},
    {'name': 'commission_percent', 'path': 'commission', 'type': 'numeric(9, 4)'},
    {'name': 'skus', 'path': 'skuList', 'type': 'list'},
] %}
{% set columns = [
    {'name': 'sku_id', 'path': ['skuId', 'id'], 'type': 'integer'},
    {'name': 'sku_title', 'path': ['skuTitle', 'skuFullTitle', 'title']},
    {'name': 'barcode', 'path': 'barcode'},
    {'name': 'price_amount', 'path': ['price', 'purchasePrice'], 'type': 'numeric(18, 2)'},
    {'name': 'fbo_quantity', 'path': 'quantityActive', 'type': 'integer'},
    {'name': 'fbs_quantity', 'path': 'quantityFbs', 'type': 'integer'},
] %}
{% set product = ['connection', 'document_key', 'landed_at', 'is_deleted'] %}

with documents as ({{ latest_documents('raw_uzum', 'seller_products') }}),

products as ({{ unpack('documents', product_columns) }}),

skus as (
    select
        products.connection,
        products.document_key,
        products.landed_at,
        products.is_deleted,
        products.title,
        products.status,
        products.commission_percent,
        products.rejects as document_rejects,
        sku.position,
        sku.value as document
    from products
    left join lateral {{ json_elements('products.skus', 'sku') }} on true
    where sku.position is not null or products.rejects is not null
),

unpacked as (
    {{ unpack('skus', columns, keep=product + ['title', 'status', 'commission_percent', 'position', 'document_rejects'],
        entry_of='skuList') }}
),

once as ({{ once_each('unpacked', key='sku_id', path='skuList[].skuId', of_document='document_rejects') }})

select
    connection || ':' || cast(sku_id as text) as sku_key,
    connection || ':' || document_key as product_key,
    connection,
    sku_id,
    title,
    sku_title,
    status,
    commission_percent,
    barcode,
    price_amount,
    'UZS' as currency,
    fbo_quantity,
    fbs_quantity,
    is_deleted,
    landed_at,
    cast_failures,
    all_rejects as rejects,
    is_put_aside
from once
