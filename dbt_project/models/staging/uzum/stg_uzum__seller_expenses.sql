{{ config(unique_key='expense_key') }}

{% set columns = [
    {'name': 'shop_id', 'path': 'shopId'},
    {'name': 'source', 'path': 'source'},
    {'name': 'name', 'path': 'name'},
    {'name': 'direction', 'path': 'type'},
    {'name': 'status', 'path': 'status'},
    {'name': 'quantity', 'path': 'amount', 'type': 'integer'},
    {'name': 'unit_price_amount', 'path': ['paymentPrice', 'price'], 'type': 'numeric(18, 2)'},
    {'name': 'sku_id', 'path': 'skuId', 'type': 'integer'},
    {'name': 'spent_at', 'path': ['dateService', 'dateCreated', 'date'], 'type': 'epoch_ms'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'seller_expenses') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as expense_key,
    connection,
    document_key as expense_id,
    shop_id,
    sku_id,
    source,
    name,
    upper(direction) as direction,
    status,
    quantity,
    unit_price_amount,
    {{ money(product('unit_price_amount', 'coalesce(quantity, 1)')) }} as expense_amount,
    'UZS' as currency,
    spent_at,
    {{ local_date('spent_at') }} as expense_date,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
