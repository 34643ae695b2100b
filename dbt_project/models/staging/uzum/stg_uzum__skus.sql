{# One row per version of a product and SKU in it. The tombstone of a product has none: the SKUs are gone with it. #}
{{ config(unique_key='load_id', indexes=indexes(['load_id', 'sku_key', 'product_key', 'product_version_key'])) }}

{% set product_columns = [
    {'name': 'skus', 'path': 'skuList', 'type': 'list'},
] %}
{% set columns = [
    {'name': 'sku_id', 'path': 'id', 'type': 'integer'},
    {'name': 'full_price_amount', 'path': 'fullPrice', 'type': 'numeric(18, 2)'},
    {'name': 'purchase_price_amount', 'path': ['purchasePrice', 'sellPrice'], 'type': 'numeric(18, 2)'},
    {'name': 'available_quantity', 'path': 'availableAmount', 'type': 'integer'},
    {'name': 'barcode', 'path': 'barcode'},
    {'name': 'stock_type', 'path': 'stock.type'},
    {'name': 'delivery_days', 'path': 'stock.deliveryDays', 'type': 'integer'},
] %}

{% set version = ['connection', 'document_key', 'landed_at', 'load_id', 'built_at'] %}

with documents as ({{ document_versions('raw_uzum', 'products') }}),

products as ({{ unpack('documents', product_columns, keep=version_columns()) }}),

skus as (
    select
        products.connection,
        products.document_key,
        products.landed_at,
        products.load_id,
        products.built_at,
        products.rejects as document_rejects,
        sku.position,
        sku.value as document
    from products
    left join lateral {{ json_elements('products.skus', 'sku') }} on true
    where not products.is_deleted and (sku.position is not null or products.rejects is not null)
),

unpacked as (
    {{ unpack('skus', columns, keep=version + ['position', 'document_rejects'], entry_of='skuList') }}
),

once as ({{ once_each('unpacked', key='sku_id', path='skuList[].id', within=['load_id'], of_document='document_rejects') }})

select
    {{ version_key() }} || ':' || cast(sku_id as text) as sku_version_key,
    {{ version_key() }} as product_version_key,
    connection || ':' || cast(sku_id as text) as sku_key,
    connection || ':' || document_key as product_key,
    connection,
    sku_id,
    position,
    full_price_amount,
    coalesce(purchase_price_amount, full_price_amount) as price_amount,
    'UZS' as currency,
    available_quantity,
    barcode,
    upper(stock_type) as stock_type,
    delivery_days,
    landed_at,
    load_id,
    built_at,
    cast_failures,
    all_rejects as rejects,
    is_put_aside
from once
