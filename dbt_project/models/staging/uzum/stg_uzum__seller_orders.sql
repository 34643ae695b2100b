{#
Order lines of the seller's own shops, all schemes. Answers carry milliseconds. A cancelled line stays with amount 0.
Prices are per piece; commission and profit are per line (dossier §1.7).
#}
{{ config(unique_key='order_item_key') }}

{% set columns = [
    {'name': 'order_id', 'path': 'orderId'},
    {'name': 'shop_id', 'path': 'shopId'},
    {'name': 'product_id', 'path': 'productId', 'type': 'integer'},
    {'name': 'sku_id', 'path': 'skuId', 'type': 'integer'},
    {'name': 'sku_title', 'path': 'skuTitle'},
    {'name': 'status', 'path': 'status'},
    {'name': 'ordered_at', 'path': 'date', 'type': 'epoch_ms'},
    {'name': 'issued_at', 'path': 'dateIssued', 'type': 'epoch_ms'},
    {'name': 'quantity', 'path': 'amount', 'type': 'integer'},
    {'name': 'returned_quantity', 'path': 'amountReturns', 'type': 'integer'},
    {'name': 'price_amount', 'path': 'sellerPrice', 'type': 'numeric(18, 2)'},
    {'name': 'purchase_price_amount', 'path': 'purchasePrice', 'type': 'numeric(18, 2)'},
    {'name': 'commission_amount', 'path': 'commission', 'type': 'numeric(18, 2)'},
    {'name': 'logistics_amount', 'path': ['logisticDeliveryFee', 'logisticsFee'], 'type': 'numeric(18, 2)'},
    {'name': 'profit_amount', 'path': 'sellerProfit', 'type': 'numeric(18, 2)'},
] %}

with documents as ({{ latest_documents('raw_uzum', 'seller_orders') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as order_item_key,
    connection,
    document_key as order_item_id,
    order_id,
    shop_id,
    product_id,
    sku_id,
    sku_title,
    status,
    ordered_at,
    {{ local_date('ordered_at') }} as order_date,
    issued_at,
    quantity,
    returned_quantity,
    price_amount,
    purchase_price_amount,
    commission_amount,
    logistics_amount,
    profit_amount,
    'UZS' as currency,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
