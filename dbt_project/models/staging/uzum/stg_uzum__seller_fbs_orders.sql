{{ config(unique_key='fbs_order_key') }}

{% set columns = [
    {'name': 'status', 'path': 'status'},
    {'name': 'scheme', 'path': 'scheme'},
    {'name': 'shop_id', 'path': 'shopId'},
    {'name': 'created_at', 'path': ['dateCreated', 'createdAt', 'date'], 'type': 'epoch_ms'},
    {'name': 'accept_until_at', 'path': 'acceptUntil', 'type': 'epoch_ms'},
    {'name': 'price_amount', 'path': 'price', 'type': 'numeric(18, 2)'},
    {'name': 'items', 'path': ['orderItems', 'items'], 'type': 'json'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'seller_fbs_orders') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as fbs_order_key,
    connection,
    document_key as fbs_order_id,
    shop_id,
    status,
    scheme,
    created_at,
    accept_until_at,
    price_amount,
    'UZS' as currency,
    items,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
