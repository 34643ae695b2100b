{{ config(unique_key='shop_key') }}

{% set columns = [
    {'name': 'name', 'path': 'name'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'seller_shops') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as shop_key,
    connection,
    document_key as shop_id,
    name,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
