{{ config(unique_key='webflow_sku_key') }}

{% set columns = [
    {'name': 'quantity', 'path': 'quantity', 'type': 'integer'},
    {'name': 'inventory_type', 'path': 'inventoryType'},
] %}

with documents as ({{ latest_documents('raw_webflow', 'inventory') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as webflow_sku_key,
    connection,
    document_key as webflow_sku_id,
    quantity,
    inventory_type,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
