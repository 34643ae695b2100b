{# Offers of the e-shop's catalogue; date_ini is MM/DD/YYYY (dossier §2.4). #}
{{ config(unique_key='offer_key') }}

{% set columns = [
    {'name': 'display_no', 'path': 'display_no'},
    {'name': 'product_code', 'path': 'product_code'},
    {'name': 'product_name', 'path': 'product_name'},
    {'name': 'category_id', 'path': 'category_id', 'type': 'integer'},
    {'name': 'price_amount', 'path': 'price', 'type': 'numeric(18, 2)'},
    {'name': 'quantity', 'path': 'amount', 'type': 'numeric(18, 4)'},
    {'name': 'unit_name', 'path': 'unit_name'},
    {'name': 'currency_name', 'path': 'currency_name'},
    {'name': 'producer_country_name', 'path': 'producer_country_name'},
    {'name': 'offered_at', 'path': 'date_ini', 'type': 'local_timestamp'},
] %}

with documents as ({{ latest_documents('raw_uzex', 'offers') }}),

unpacked as ({{ unpack('documents', columns) }})

select
    connection || ':' || document_key as offer_key,
    connection,
    {{ cast_text('document_key', 'integer') }} as offer_id,
    display_no,
    product_code,
    product_name,
    category_id,
    price_amount,
    {{ currency_code('currency_name') }} as currency,
    quantity,
    unit_name,
    producer_country_name,
    offered_at,
    is_deleted,
    landed_at,
    cast_failures,
    rejects
from unpacked
