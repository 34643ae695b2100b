{# FBS stock only: FBO stock is in stg_uzum__seller_products. #}
{{ config(unique_key='sku_key') }}

{% set columns = [
    {'name': 'sku_id', 'path': ['skuId', 'id'], 'type': 'integer'},
    {'name': 'barcode', 'path': 'barcode'},
    {'name': 'sku_title', 'path': 'skuTitle'},
    {'name': 'quantity', 'path': ['amount', 'quantity'], 'type': 'integer'},
    {'name': 'is_fbs_linked', 'path': 'fbsLinked', 'type': 'boolean'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'seller_stocks') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as sku_key,
    connection,
    sku_id,
    barcode,
    sku_title,
    quantity,
    is_fbs_linked,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
